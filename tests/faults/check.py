"""`blackbox record` watched from outside, and its capture held against the log itself and against what was written."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, TopicPartition

from recorder.capture.reader import Capture, open_capture, to_records
from recorder.capture.verify import verify
from tests.faults.writing import Written, silent

_COMMAND = (sys.executable, "-c", "from recorder.cli.main import main; main()")
_COUNT = re.compile(r"([\d,]+) records(?: · ([^\x1b\r\n]*\S))?")
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Recorder:
    """The command on a terminal of its own: its progress can be read while it runs."""

    def __init__(self, bootstrap: str, topics: Sequence[str], directory: Path, *options: str) -> None:
        self.directory = directory
        self.grew: list[tuple[float, int]] = []
        """When the number of records on the terminal grew (monotonic seconds), and to what."""
        self.said: list[str] = []
        """What stood beside the number, each new sentence once (figures apart)."""
        self.text = ""
        words = [word for topic in topics for word in ("-t", topic)]
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 400, 0, 0))
        self._process = subprocess.Popen(
            [*_COMMAND, "record", "-b", bootstrap, *words, "-o", str(directory), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "400"},
        )
        self.pid = self._process.pid
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def records(self) -> int:
        """How many the terminal shows."""
        return self.grew[-1][1] if self.grew else 0

    def end(self, seconds: float) -> int:
        """Wait for it to end by itself; its exit code. It is killed when it does not."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the recorder did not end; its terminal says: {self.text[-2_000:]}") from None
        self._reader.join(10)
        return self._process.returncode

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        if self.running:
            self._process.kill()
            self._process.wait()

    def standstill(self, since: float, until: float) -> float:
        """The longest time (seconds) between two growths in this stretch of time."""
        moments = [since, *(at for at, _ in self.grew if since <= at <= until), until]
        return max(after - before for before, after in pairwise(moments))

    def recovered(self, healed: float) -> float | None:
        """Seconds from this moment until the next growth; None when there was none."""
        return next((at - healed for at, _ in self.grew if at > healed), None)

    def _read(self, terminal: int) -> None:
        while True:
            try:
                piece = os.read(terminal, 1 << 16)
            except OSError:  # the other side was closed
                break
            if not piece:
                break
            text = _CODES.sub("", piece.decode(errors="replace"))
            self.text = (self.text + text)[-100_000:]
            for count, said in _COUNT.findall(text):
                records = int(count.replace(",", ""))
                if records > self.records:
                    self.grew.append((time.monotonic(), records))
                if said and (not self.said or _shape(self.said[-1]) != _shape(said)):
                    self.said.append(said)
        os.close(terminal)


def _shape(text: str) -> str:
    return re.sub(r"\d+", "0", text)


@dataclass
class Tally:
    """How a capture compares with the log that it was taken from."""

    recorded: int = 0
    lost: int = 0
    """In the log or confirmed to a writer, within the capture's offsets or before its window's end, but not in it."""
    doubled: int = 0
    disordered: int = 0
    invented: int = 0
    """Records that the log does not hold, or holds otherwise."""
    unexplained: int = 0
    code: int = 0
    problems: list[str] = field(default_factory=list)
    """What the manifest calls a loss, and checks that fail."""

    @property
    def exact(self) -> bool:
        wrong = self.lost + self.doubled + self.disordered + self.invented + self.unexplained + self.code
        return not wrong and not self.problems


def judge(bootstrap: str, recorder: Recorder, code: int, written: Sequence[Written]) -> Tally:
    """Hold a finished capture against the whole log, read anew, and against `written`."""
    tally = Tally(code=code)
    if not (recorder.directory / "manifest.json").exists():
        tally.problems.append(f"there is no capture: {recorder.text[-500:]}")
        return tally
    tally.problems += [f"{one.where}: {one.detail}" for one in verify(recorder.directory) if one.status == "FAILED"]
    capture = open_capture(recorder.directory)
    tally.problems += [loss.sentence() for loss in capture.manifest.losses]
    window = capture.manifest.window
    low = window.from_ms if window.from_ms is not None else -(2**63)
    high = window.to_ms if window.to_ms is not None else 2**63 - 1
    held: dict[tuple[str, int], dict[int, tuple[bytes | None, int]]] = {}
    for topic, partition in capture.manifest.topic_partitions():
        place = (topic.name, partition.partition)
        held[place] = _held(capture, place, tally)
        log = _log(bootstrap, place, partition.start_offset, partition.end_offset)
        wanted = {offset: row for offset, row in log.items() if low <= row[1] < high}
        tally.lost += len(wanted.keys() - held[place].keys())
        tally.invented += sum(wanted.get(offset) != row for offset, row in held[place].items())
        tally.unexplained += partition.missing("unexplained")
        span = partition.end_offset - partition.start_offset
        if span != partition.records + sum(gap.missing for gap in partition.gaps):
            tally.problems.append(f"{place}: the ledger does not add up")
    values = {place: {value for value, _ in rows.values()} for place, rows in held.items()}
    for one in written:
        found = values.get((one.topic, one.partition))
        # By value: a broker that confirms what it had already does not always say where.
        if found is not None and low <= one.timestamp_ms and one.confirmed_ms < high and one.value not in found:
            tally.lost += 1
            last = max(held[one.topic, one.partition], default=None)
            tally.problems.append(
                f"confirmed, not recorded: {one}; the last one recorded there is {last}, the window's end {high}"
            )
    return tally


def _held(capture: Capture, place: tuple[str, int], tally: Tally) -> dict[int, tuple[bytes | None, int]]:
    rows: dict[int, tuple[bytes | None, int]] = {}
    last = -1
    for batch in capture.batches(*place):
        for row in to_records(batch):
            tally.recorded += 1
            tally.doubled += row.offset in rows
            tally.disordered += row.offset < last
            last = row.offset
            rows[row.offset] = (row.value, row.timestamp_ms)
    return rows


def _log(bootstrap: str, place: tuple[str, int], start: int, end: int) -> dict[int, tuple[bytes | None, int]]:
    """The committed records that the log holds now in `[start, end)`, by plain means."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "judge", "enable.auto.commit": False,
         "enable.partition.eof": True, "isolation.level": "read_committed", "auto.offset.reset": "error"},
        logger=silent(),
    )  # fmt: skip
    rows: dict[int, tuple[bytes | None, int]] = {}
    if start >= end:
        return rows
    consumer.assign([TopicPartition(*place, start)])
    try:
        while True:
            message = consumer.poll(60)
            assert message is not None, f"{place} can't be read"
            offset, error = message.offset(), message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                assert error.retriable() or error.code() in {KafkaError._TRANSPORT, KafkaError._TIMED_OUT}, error
                continue
            if error is not None or offset is None or offset >= end:
                return rows
            rows[offset] = (message.value(), message.timestamp()[1])
    finally:
        consumer.close()
