"""The processes that read with us: started, heard, told to stop, and ended with us whatever happens."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from recorder import errors
from recorder.capture.manifest import Note
from recorder.child_process import start_module
from recorder.errors import BlackboxError, CaptureError
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import Place
from recorder.kafka.statistics import Load
from recorder.recording import pending, tape
from recorder.recording.journal import Sealed
from recorder.recording.share import STOP, Broke, Cuts, Done, Going, Lines, Order, hear, standing
from recorder.recording.tape import Tape

_LOOK_SECONDS = 0.1


class Workers:
    """Reads each of `shares` in a process of its own, between entering and `wait`.

    What they seal is handed to `sealed`, and their tapes are brought up to date, by threads. `lock` is the descriptor
    of the recording's lock, which is held until the last of them is gone.
    """

    def __init__(
        self,
        connection: Connection,
        directory: Path,
        tapes: Mapping[Place, Tape],
        shares: Sequence[Sequence[Place]],
        sealed: Callable[[Iterable[Sealed]], None],
        lock: int,
    ) -> None:
        self._connection, self._directory, self._tapes = connection, directory, tapes
        self._shares, self._sealed, self._lock = shares, sealed, lock
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[threading.Thread] = []
        self._changing = threading.Lock()
        self._passed = 0
        self._words: dict[int, str] = {}
        self._done: list[Done] = []
        self._error: BaseException | None = None
        self._told_to_stop = False

    def __enter__(self) -> Self:
        try:
            for number, places in enumerate(self._shares):
                self._start(number, places)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def failed(self) -> bool:
        return self._error is not None

    @property
    def words(self) -> str:
        """Who keeps one of them waiting."""
        return next(filter(None, list(self._words.values())), "")

    @property
    def load(self) -> Load:
        return sum((done.load for done in self._done), Load())

    def take_passed(self) -> int:
        """How many offsets they passed since the last time."""
        with self._changing:
            passed, self._passed = self._passed, 0
        return passed

    def stop(self) -> None:
        """Let them seal what they have, and end."""
        if not self._told_to_stop:
            self._told_to_stop = True
            for process in self._processes:
                with suppress(OSError):
                    assert process.stdin is not None
                    process.stdin.write(STOP)
                    process.stdin.flush()

    def wait(self, stopped: Callable[[], bool], going: Callable[[], None]) -> list[Note]:
        """Wait until all are done, and give what they noted. `going` is called meanwhile."""
        for thread in self._threads:
            while thread.is_alive() and not self.failed:
                thread.join(_LOOK_SECONDS)
                if stopped():
                    self.stop()
                going()
        if self._error is not None:
            raise self._error
        for done in self._done:
            for topic, partition, position in done.cut_short:
                self._tapes[topic, partition].cut_short(position)
        return [note for done in self._done for note in done.notes]

    def _start(self, number: int, places: Sequence[Place]) -> None:
        process = start_module("recorder.recording.worker", descriptors=(self._lock,))
        self._processes.append(process)
        tapes = [self._tapes[place] for place in places]
        cuts = Cuts(
            tapes[0].writer.segment_bytes, tapes[0].writer.row_group_bytes, tape.SURE_RECORDS, pending.HANDED_BYTES
        )
        order = Order(
            self._connection.bootstrap,
            self._connection.settings,
            str(self._directory),
            tuple(places),
            standing(tapes),
            cuts,
            len(self._shares) + 1,
        )
        body = msgspec.msgpack.encode(order)
        thread = threading.Thread(target=self._hear, args=(number, process), name=f"worker {number}", daemon=True)
        self._threads.append(thread)
        thread.start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended at once, which is noticed
            process.stdin.write(len(body).to_bytes(4, "little") + body)
            process.stdin.flush()

    def _hear(self, number: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        try:
            while (told := hear(process.stdout)) is not None:
                match told:
                    case Lines(lines):
                        self._sealed(lines)
                        for line in lines:
                            self._tapes[line.place].restore(line)
                    case Going(passed, words):
                        self._words[number] = words
                        with self._changing:
                            self._passed += passed
                    case Done():
                        self._words.pop(number, None)
                        self._done.append(told)
                        return
                    case Broke(kind, text):
                        raise getattr(errors, kind, BlackboxError)(text)
            raise CaptureError(f"A process that read {len(self._shares[number])} partitions {_end_of(process)}.")
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
            self._error = self._error or error

    def _end(self) -> None:
        """No process outlives the reading."""
        for process in self._processes:
            if len(self._done) < len(self._processes):
                process.kill()
            assert process.stdin is not None and process.stdout is not None
            with suppress(OSError):
                process.stdin.close()
            process.wait()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            assert process.stdout is not None
            process.stdout.close()


def _end_of(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    return f"was killed (signal {-code})" if code < 0 else f"ended before its time (exit code {code})"
