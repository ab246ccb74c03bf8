"""A recording on its way into an object store: staged in a local directory, sent as it is sealed, manifest last.

The staging directory is an ordinary unfinished capture, less the segments that have arrived; what lies in the store
until the manifest is there is one too, so that either can be gone on with. A store in trouble never stops the
recording: Kafka's retention waits for nobody, the staging directory does.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from recorder.capture.durable import write_atomically
from recorder.capture.locations import Location, ObjectPath
from recorder.capture.manifest import (
    CHECKPOINT_NAME,
    JOURNAL_NAME,
    STAGED_NAME,
    WAITING_NAME,
    Manifest,
    Segment,
    encode,
)
from recorder.capture.push import holds
from recorder.capture.sending import StoppedError, patiently, refuse_existing, send_bytes, send_manifest, send_segment
from recorder.capture.writer import reporting_write_errors
from recorder.errors import StoreUnavailableError
from recorder.recording.journal import Journal, Sealed

STAGED_BYTES = 1 << 30
"""So much may wait for being sent before reading waits too; unless the store is in trouble."""
PATIENCE_SECONDS = 60.0
"""How long a store may be in trouble, when all else is done, before the sending is given up."""
_THREADS = 4
_LONGEST_PAUSE = 10.0


class Upload:
    """Sends what is sealed in `staging` to `target`, in threads of its own, while it is entered."""

    def __init__(
        self,
        staging: Path,
        target: ObjectPath,
        *,
        tell: Callable[[str], None] = lambda text: None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.staging, self.target = staging, target
        self._tell, self._patience = tell, patience
        self._pending: list[Segment] = []
        self._waiting_bytes = 0
        self._journal_bytes = 0
        self._trouble: StoreUnavailableError | None = None
        self._troubled_since = 0.0
        self._broken: BaseException | None = None
        self._closing = self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="upload", daemon=True)
        self._began = self._adopted = self._renewed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def begin(self, *, adopt: bool = False) -> None:
        """Send the checkpoint, which reserves the place and shows that we may write there. `adopt`: it is ours.

        Raises UsageError when something is there already, StoreUnavailableError.
        """
        if not adopt:
            refuse_existing(self.target)
        self._adopted = adopt
        with reporting_write_errors(self.staging / STAGED_NAME):
            write_atomically(self.staging / STAGED_NAME, msgspec.json.encode({"uri": self.target.uri}))
        send_bytes((self.staging / CHECKPOINT_NAME).read_bytes(), self.target / CHECKPOINT_NAME)
        self._began = True
        self._thread.start()

    def add(self, journal: Journal, lines: Iterable[Sealed]) -> None:
        """Note what is sealed in the journal and send it; waits while too much is waiting."""
        with self._changed:
            lines = list(lines)
            journal.add(lines)
            self._journal_bytes = (self.staging / JOURNAL_NAME).stat().st_size
            self._enqueue([line.segment for line in lines if line.segment])
            self._changed.wait_for(
                lambda: self._waiting_bytes < STAGED_BYTES or self._trouble or self._broken or self._stopped
            )
        self._raise_broken()

    def renew(self) -> None:
        """The checkpoint was written anew: the store gets it before it gets any more of the journal."""
        with self._changed:
            self._renewed = True

    def again(self, segments: Sequence[Segment]) -> None:
        """Send those of an earlier recording's segments that have not arrived yet."""
        with self._changed:
            self._journal_bytes = (self.staging / JOURNAL_NAME).stat().st_size
            self._enqueue([segment for segment in segments if (self.staging / segment.path).exists()])

    def place_of(self, segment: Segment) -> Location | None:
        """Where a sealed segment is now: still here, or in the store already; None when it is in neither."""
        if (self.staging / segment.path).exists():
            return self.staging / segment.path
        return self.target / segment.path if holds(self.target, segment) else None

    def finish(self, manifest: Manifest) -> None:
        """Wait until all has arrived, send the manifest, and remove the staging directory.

        Raises StoreUnavailableError when the store does not take it; the staging directory then waits for `push`.
        """
        # Under a name of its own: without the segments that were sent, the directory must not look whole.
        with reporting_write_errors(self.staging / WAITING_NAME):
            write_atomically(self.staging / WAITING_NAME, encode(manifest))
        if self._waiting_bytes > STAGED_BYTES // 64:
            self._tell(f"Sending what is sealed to {self.target}: {self._waiting_bytes / 1e6:,.0f} MB are left.")
        go_on = f"The recording is finished and waits here: blackbox push {self.staging} '{self.target.uri}'"
        try:
            self._wait()
            self._raise_broken()
            if self._trouble:
                raise self._trouble
            if self._adopted:
                self._remove_unnamed(manifest)
            patiently(partial(send_manifest, self.staging, manifest, self.target), self._patience)
        except StoreUnavailableError as error:
            raise StoreUnavailableError(f"{error} {go_on} sends the rest once that is mended.") from error
        except KeyboardInterrupt:
            self._tell(f"Interrupted while sending. {go_on} sends the rest.")
            raise
        shutil.rmtree(self.staging)

    def _wait(self) -> None:
        """Until all was sent, or patience with a store in trouble ends."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            while self._thread.is_alive() and not self._given_up():
                self._changed.wait(0.2)
        self._stop()

    @property
    def is_waiting(self) -> bool:
        """Whether a finished recording waits in the staging directory for being sent."""
        return (self.staging / WAITING_NAME).exists()

    def abandon(self) -> None:
        """Nothing was recorded that is worth keeping: leave nothing in the store either."""
        self._stop()
        if self._began and not self._adopted:
            with suppress(FileNotFoundError, StoreUnavailableError):
                for name, _ in list(self.target.walk()):
                    (self.target / name).unlink()

    def _stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _enqueue(self, segments: Sequence[Segment]) -> None:
        self._pending += segments
        self._waiting_bytes += sum(segment.bytes for segment in segments)
        self._changed.notify_all()

    def _run(self) -> None:
        try:
            with ThreadPoolExecutor(_THREADS, "upload") as threads:
                while True:
                    with self._changed:
                        self._changed.wait_for(lambda: self._pending or self._closing or self._stopped)
                        if self._stopped or not self._pending:
                            return
                        segments, self._pending = self._pending, []
                        journal_bytes = self._journal_bytes
                    for _ in threads.map(self._carry, segments):
                        pass
                    self._keep_trying(partial(self._send_journal, journal_bytes))
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - carried to the thread that records
            self._broken = error
        finally:
            with self._changed:
                self._changed.notify_all()

    def _carry(self, segment: Segment) -> None:
        self._keep_trying(lambda: send_segment(self.staging, segment, self.target, lambda: self._stopped))
        (self.staging / segment.path).unlink()
        with self._changed:
            self._waiting_bytes -= segment.bytes
            self._changed.notify_all()

    def _send_journal(self, size: int) -> None:
        """So much of it as tells of nothing that has not arrived."""
        if self._renewed:
            self._renewed = False
            try:
                send_bytes((self.staging / CHECKPOINT_NAME).read_bytes(), self.target / CHECKPOINT_NAME)
            except StoreUnavailableError:
                self._renewed = True
                raise
        with (self.staging / JOURNAL_NAME).open("rb") as file:
            send_bytes(file.read(size), self.target / JOURNAL_NAME)

    def _keep_trying(self, send: Callable[[], None]) -> None:
        pause = 0.5
        while True:
            try:
                send()
            except StoreUnavailableError as error:
                self._in_trouble(error)
            else:
                self._out_of_trouble()
                return
            with self._changed:
                if self._changed.wait_for(lambda: self._stopped, timeout=pause):
                    raise StoppedError
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _in_trouble(self, error: StoreUnavailableError) -> None:
        with self._changed:
            first, self._trouble = self._trouble is None, error
            if first:
                self._troubled_since = time.monotonic()
            self._changed.notify_all()
        if first:
            self._tell(f"{error} The recording goes on; what is sealed waits in {self.staging}.")

    def _out_of_trouble(self) -> None:
        with self._changed:
            before, self._trouble = self._trouble, None
        if before:
            self._tell(f"{self.target} takes what is sealed again.")

    def _given_up(self) -> bool:
        trouble = self._trouble
        if trouble is None:
            return self._broken is not None
        return not trouble.may_pass or time.monotonic() - self._troubled_since > self._patience

    def _remove_unnamed(self, manifest: Manifest) -> None:
        """What an earlier attempt sent before it was cut off, and this one cut elsewhere."""
        named = {segment.path for _, partition in manifest.topic_partitions() for segment in partition.files}
        for folder in ("records", "prologue"):
            for name, _ in list((self.target / folder).walk()):
                if f"{folder}/{name}" not in named:
                    (self.target / folder / name).unlink()

    def _raise_broken(self) -> None:
        if self._broken is not None:
            raise self._broken
