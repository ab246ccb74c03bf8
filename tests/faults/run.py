"""One trouble, two recordings, two lines of the tally."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.window import format_time
from tests.conftest import create_topic, wait_until
from tests.faults.check import Recorder, Tally, judge
from tests.faults.site import Site
from tests.faults.trouble import IN_TRANSACTIONS, LIVE, PAST, TOPICS, Trouble
from tests.faults.writing import Writers
from tests.integration.producing import New, produce, send, transaction

PARTITIONS = 6
_PAST_RECORDS = 40_000
_PAST_BYTES = 500
_RECOVERY_SECONDS = 12.0
_PATIENCE_SECONDS = 200.0
_COLUMNS = (-48, -5, 6, 9, 9, 6, 8, 9, 9, 12, 5, 9, 9)


def _line(*cells: object) -> str:
    return " ".join(
        f"{cell!s:<{-width}}" if width < 0 else f"{cell!s:>{width}}"
        for cell, width in zip(cells, _COLUMNS, strict=True)
    )


HEADINGS = _line(
    "trouble", "", "times", "written", "recorded", "lost", "doubled", "disorder", "invented", "unexplained", "exit",
    "stood s", "again s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tally; `str` of it aligns with HEADINGS."""

    trouble: str
    window: str
    times: int
    written: int
    tally: Tally
    standstill: float
    """The longest time (seconds) in which no record came, from the trouble's beginning to the recording's end."""
    recovered: float | None
    """Seconds from the trouble's end to the next record."""
    said: Sequence[str]

    def __str__(self) -> str:
        t = self.tally
        again = "-" if self.recovered is None else f"{self.recovered:.1f}"
        cells = (t.recorded, t.lost, t.doubled, t.disordered, t.invented, t.unexplained, t.code)
        lines = [
            _line(self.trouble, self.window, self.times, self.written, *cells, f"{self.standstill:.1f}", again),
            *(f"    problem: {problem}" for problem in t.problems[:4]),
            *(f"    it said: {said}" for said in self.said[:4]),
        ]
        return "\n".join(lines)


def prepare(site: Site) -> None:
    """Create the topics, each with three replicas, and fill the one of the past."""
    for topic in TOPICS:
        create_topic(
            site.cluster.bootstrap,
            topic,
            partitions=PARTITIONS,
            replicas=3,
            config={"min.insync.replicas": "2"},
        )
    produce(
        site.cluster.bootstrap, PAST, [New(b"%0500d" % number, partition=number % 6) for number in range(_PAST_RECORDS)]
    )
    for number in range(3):
        with transaction(site.cluster.bootstrap, f"past-{number}") as producer:
            send(producer, PAST, [New(b"t", partition=partition) for partition in range(PARTITIONS)] * 3)
            if number:
                producer.commit_transaction(30)


def run(site: Site, writers: Writers, one: Trouble, directory: Path) -> list[Row]:
    """Record a live window and one of the past through a trouble, and judge both captures."""
    directory.mkdir(parents=True)
    already = len(writers.written)
    length = one.seconds + _RECOVERY_SECONDS if not one.at_end else 12.0
    ending = time.time() + length
    megabits = _PAST_RECORDS * _PAST_BYTES * 8 / 1e6 / length
    live = Recorder(site.bootstrap, [LIVE, IN_TRANSACTIONS], directory / "live", "--from", "now",
                    "--to", format_time(round(ending * 1_000)))  # fmt: skip
    past = Recorder(site.bootstrap, [PAST], directory / "past", "--from", "beginning",
                    "--max-mbps", f"{megabits:.3f}")  # fmt: skip
    try:
        for recorder in (live, past):
            wait_until(lambda r=recorder: r.records > 0 or not r.running, what="a recording is under way")  # type: ignore[misc]
        if one.at_end:
            threading.Event().wait(max(0.0, ending - 1 - time.time()))
        began = time.monotonic()
        times = one.do(site)
        healed = time.monotonic()
        codes = [recorder.end(_PATIENCE_SECONDS) for recorder in (live, past)]
    finally:
        live.kill()
        past.kill()
    over = time.monotonic()
    written = list(writers.written)
    rows = []
    for recorder, code, window in ((live, codes[0], "live"), (past, codes[1], "past")):
        tally = judge(site.cluster.bootstrap, recorder, code, written if window == "live" else [])
        rows.append(
            Row(
                one.name if window == "live" else "",
                window,
                times,
                len(written) - already if window == "live" else _PAST_RECORDS,
                tally,
                recorder.standstill(began, min(over, began + length)),
                recorder.recovered(healed),
                recorder.said,
            )
        )
    site.balance(TOPICS)
    return rows
