"""A process that reads a share of a recording's partitions and seals them; the recording's own process notes it.

It reads its order from standard input and goes on reading there: the word to stop comes that way, and the end of the
recording's process, however it dies, which ends this one at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import msgspec

from recorder.capture.limits import allow_open_files
from recorder.errors import BlackboxError
from recorder.kafka.cluster import Cluster, Patience
from recorder.kafka.connection import Connection
from recorder.recording import pending, tape
from recorder.recording.checkpoint import read_checkpoint
from recorder.recording.interpreter import set_for_recording
from recorder.recording.journal import Sealed
from recorder.recording.pipeline import Pipeline
from recorder.recording.read import STALLED_SECONDS, Reading
from recorder.recording.share import STOP, Broke, Done, Going, Lines, Order, Told, tell
from recorder.recording.tape import Tape

_TELL_SECONDS = 0.1


class _Teller:
    """Tells the recording's process what happens; several threads may."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out, self._lock = out, threading.Lock()
        self._passed, self._words, self._told = 0, "", 0.0

    def tell(self, told: Told) -> None:
        with self._lock:
            tell(self._out, told)

    def sealed(self, lines: Iterable[Sealed]) -> None:
        self.tell(Lines(tuple(lines)))

    def waiting(self, words: str) -> None:
        self._words = words
        self.advanced(0)

    def advanced(self, offsets: int) -> None:
        self._passed += offsets
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self.flush()

    def flush(self) -> None:
        self.tell(Going(self._passed, self._words))
        self._passed, self._told = 0, time.monotonic()


def read(order: Order, teller: _Teller, stop: threading.Event) -> Done:
    """Read the places of an order, until they are done or `stop` is set."""
    directory = Path(order.directory)
    cuts = order.cuts
    tape.SURE_RECORDS, pending.HANDED_BYTES = cuts.sure_records, cuts.handed_bytes
    checkpoint = read_checkpoint(directory)
    plan = checkpoint.plan
    allow_open_files(len(order.places))
    tapes = {place: Tape(directory, place, plan, cuts.row_group_bytes) for place in order.places}
    for one in tapes.values():
        one.writer.segment_bytes = cuts.segment_bytes
    for line in order.standing:
        tapes[line.place].restore(line)
    connection = Connection(order.bootstrap, order.settings)
    cluster = Cluster(connection, Patience(STALLED_SECONDS, teller.waiting, stop.is_set))
    try:
        with set_for_recording(), Pipeline(order.processes) as pipeline:
            reading = Reading(
                cluster,
                tapes,
                pipeline,
                teller.sealed,
                stop.is_set,
                teller.advanced,
                checkpoint.transaction_seconds,
                topic_ids={name: topic.id for name, topic in plan.topics.items()},
                tell=teller.waiting,
                isolation=checkpoint.isolation,
                processes=order.processes,
            )
            reading.run(lambda: time.time_ns() // 1_000_000)
    except BaseException:
        for one in tapes.values():
            one.writer.abandon()
        raise
    teller.flush()
    cut_short = tuple((*place, position) for place, position in reading.cut_short.items())
    return Done(tuple(reading.notes), cut_short, reading.load)


def _read(size: int) -> bytes:
    """So many bytes of standard input and not one more: the word to stop may follow at once."""
    found = b""
    while len(found) < size:
        more = os.read(0, size - len(found))
        if not more:
            os._exit(1)
        found += more
    return found


def main() -> None:
    """Read what standard input orders; messages go to standard output."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they are for the recording's process, which says when to stop
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    order = msgspec.msgpack.decode(_read(int.from_bytes(_read(4), "little")), type=Order)
    stop = threading.Event()

    def listen() -> None:
        while _read(len(STOP)) == STOP:
            stop.set()

    threading.Thread(target=listen, daemon=True).start()
    teller = _Teller(out)
    try:
        teller.tell(read(order, teller, stop))
    except BlackboxError as error:
        teller.tell(Broke(type(error).__name__, str(error)))
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - told where there is somebody to read it
        teller.tell(Broke("", f"unexpected {type(error).__name__}: {error}"))
    os._exit(0)  # nothing is left to be tidied up, and a thread waits in a read


if __name__ == "__main__":
    main()
