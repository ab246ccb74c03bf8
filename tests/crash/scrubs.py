"""Kills scrubs with SIGKILL at random moments: `python -m tests.crash.scrubs --kills 300`.

Afterwards there must be no clean copy, or a whole one that verifies, with a quarantine that holds exactly what the copy
lacks. What is left beside it has no manifest and can't be read, and no quarantine is half of one. A fork is killed at a
random share of the time that an undisturbed scrub takes.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from recorder.capture.reader import open_capture
from recorder.capture.verify import failed
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.quarantine.keys import load_opener, load_recipient, new_quarantine_pair
from recorder.scrubbing.quarantine.looking import Opened, summary
from recorder.scrubbing.quarantine.writing import Destination
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import make_capture
from tests.scrubbing.helpers import HIDDEN, SECRET, WITHHOLDING, some_odd

_ORIGINALS = "müller".encode()


@dataclass(slots=True)
class Tally:
    """How scrubs ended, and what was wrong afterwards."""

    killed: int = 0
    finished: int = 0
    wrong: list[str] = field(default_factory=list)


def kill_scrubs(site: Path, work: Path, *, kills: int, seconds: float, seed: int) -> Tally:
    """Scrub `site/raw` by `site/policy.yaml` again and again below `work`, killing each at a random moment."""
    chance, tally = random.Random(seed), Tally()
    deadline = time.monotonic() + seconds
    whole = _time_of_one(site, work)
    while tally.killed < kills and (time.monotonic() < deadline or not tally.killed):
        out = work / "clean"
        child = os.fork()
        if child == 0:
            _scrub_and_leave(site, out)
        after = chance.uniform(0, whole * 1.1)
        timer = threading.Timer(after, os.kill, (child, signal.SIGKILL))
        timer.start()
        _, status = os.waitpid(child, 0)
        timer.cancel()
        timer.join()
        if os.WIFSIGNALED(status):
            tally.killed += 1
        else:
            tally.finished += 1
        tally.wrong += [f"killed after {after:.4f} s: {what}" for what in _wrong(site, work, out)]
        _clear(work)
    return tally


def _time_of_one(site: Path, work: Path) -> float:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _scrub_and_leave(site, work / "first")
    os.waitpid(child, 0)
    _clear(work)
    return time.monotonic() - began


def _scrub_and_leave(site: Path, out: Path) -> None:
    code = 1
    try:
        to = Destination(out.with_name("held"), load_recipient(site / "q.pub"))
        scrub(open_capture(site / "raw"), load_policy(site / "policy.yaml", SECRET), out, quarantine=to)
        code = 0
    finally:
        os._exit(code)


def _clear(work: Path) -> None:
    for path in work.iterdir():
        path.unlink() if path.is_file() else shutil.rmtree(path)


def _wrong(site: Path, work: Path, out: Path) -> list[str]:
    found = []
    held = work / "held"
    if held.exists():
        opened = Opened(held, load_opener(site / "q.key"))
        if len(list(opened.records())) != opened.summary.records:
            found.append("there is a part of a quarantine")
    if out.exists():
        if failed(verify_clean(out)):
            found.append("there is a copy that does not verify")
        lacks = sum(one.missing("quarantined") for _topic, one in open_capture(out).manifest.topic_partitions())
        if not held.exists() or lacks != summary(held)[1].records:
            found.append("there is a copy without what was withheld from it")
    for path in work.rglob("*"):
        beside = path.is_file() and not path.is_relative_to(out)
        if beside and path.parent.parent.name == "originals" and _ORIGINALS in path.read_bytes().lower():
            found.append(f"{path.name} names originals")
        if beside and HIDDEN.encode() in path.read_bytes():
            found.append(f"{path.name} holds what goes to quarantine in the clear")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blackbox-kill-scrub-") as directory:
        site, work = Path(directory, "site"), Path(directory, "work")
        site.mkdir()
        work.mkdir()
        make_capture(site / "raw", some_odd(300), segment_records=60)
        (site / "policy.yaml").write_text(WITHHOLDING)
        new_quarantine_pair(site / "q.key", site / "q.pub")
        tally = kill_scrubs(site, work, kills=arguments.kills, seconds=arguments.seconds, seed=arguments.seed)
    print(f"killed {tally.killed}, finished before the kill {tally.finished}, wrong {len(tally.wrong)}")
    print("\n".join(tally.wrong))
    sys.exit(bool(tally.wrong))


if __name__ == "__main__":
    main()
