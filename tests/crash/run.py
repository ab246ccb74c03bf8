"""Recordings that are killed again and again until they are done, and what became of them."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recorder.capture.manifest import CHECKPOINT_NAME
from tests.crash.check import Found, compare
from tests.crash.child import start, to_the_end
from tests.crash.log import WINDOW
from tests.crash.moments import Event, choose, kill_at, number_of, size_of

_PATIENCE_SECONDS = 120.0
_EVENTS = {
    "as a segment is begun": Event(number_of("records/*/*/*.tmp"), 8, 3),
    "as a segment is sealed": Event(number_of("records/*/*/*.parquet"), 15, 3),
    "as the journal grows": Event(size_of("checkpoint.log"), 8_000, 3),
    "as the plan is written": Event(number_of("checkpoint.json*"), 2),
    "as the manifest is written": Event(number_of("manifest.json*"), 1),
    "as the manifest is there": Event(number_of("manifest.json"), 1),
}
_FASTEST_MBPS = (None, None, 40, 15)
"""Caps on the reading; a slow one spreads the places to die at. Without one, several processes read."""


@dataclass(slots=True)
class Tally:
    """Kills by moment, and what was wrong with the captures that were resumed."""

    kills: Counter[str] = field(default_factory=Counter)
    before_anything: int = 0
    """Kills that left no plan: such a recording is begun anew."""
    captures: int = 0
    most_kills: int = 0
    """Of one capture."""
    found: list[Found] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def exact(self) -> bool:
        return all(one.exact for one in self.found)

    def lines(self) -> Iterator[str]:
        for moment, count in self.kills.most_common():
            yield f"{count:>6,}  {moment}"
        total = f"kills in {self.captures} captures ({self.most_kills} in one), in {self.seconds:.0f} s"
        yield f"{self.kills.total():>6,}  {total}"
        yield f"{self.before_anything:>6,}  of them left no plan yet: begun anew"
        for name in ("lost", "doubled"):
            yield f"{sum(getattr(one, name) for one in self.found):>6,}  records {name}"
        yield f"{sum(one.files for one in self.found):>6,}  partitions whose files have other bytes"
        yield f"{sum(one.ledgers for one in self.found):>6,}  partitions with another ledger or other counts"
        others = [text for one in self.found for text in one.others]
        yield f"{len(others):>6,}  other differences"
        yield from others[:10]


def run(bootstrap: str, topics: Sequence[str], work: Path, *, kills: int, seconds: float, seed: int) -> Tally:
    """Kill recordings of `topics` until there were so many kills, or the time is over and there was one."""
    chance = random.Random(seed)
    tally = Tally()
    asked = ["-b", bootstrap, *(word for topic in topics for word in ("-t", topic))]
    asked += ["--from", WINDOW[0], "--to", WINDOW[1]]
    undisturbed = work / "undisturbed"
    took, code = to_the_end("record", [*asked, "-o", undisturbed], work / "told", _PATIENCE_SECONDS)
    began = time.monotonic()
    while tally.kills.total() < kills and (time.monotonic() - began < seconds or not tally.kills):
        root = work / f"{tally.captures}"
        cap = chance.choice(_FASTEST_MBPS)
        capped = ["--max-mbps", str(cap)] if cap else []
        resuming = ["-b", bootstrap, "--resume", root]
        killed = 0
        arguments: list[str | Path] = [*asked, *capped, "-o", root]
        while True:
            moment = choose(chance, _EVENTS)
            process = start("record", arguments, work / "told")
            if not kill_at(moment, process, root, chance, took, _EVENTS):
                break
            tally.kills[moment] += 1
            killed += 1
            if (root / CHECKPOINT_NAME).exists() or (root / "manifest.json").exists():
                arguments = resuming
            else:
                tally.before_anything += 1
                shutil.rmtree(root, ignore_errors=True)
        if arguments is not resuming and root.exists():
            arguments = resuming
        _, ended = to_the_end("record", arguments, work / "told", _PATIENCE_SECONDS)
        found = compare(root, undisturbed)
        if ended != code:
            found = Found(others=(*found.others, f"ended with {ended}: {(work / 'told').read_text()}"))
        tally.found.append(found)
        tally.captures += 1
        tally.most_kills = max(tally.most_kills, killed)
        if found.exact:
            shutil.rmtree(root)
    tally.seconds = time.monotonic() - began
    return tally
