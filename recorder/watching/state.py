"""All that a watcher keeps on disk: its place in the topics and the triggers that still wait for their capture.

One small file, replaced whole, so that after any crash it says either all or nothing of a trigger.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from recorder.capture.durable import write_atomically
from recorder.capture.writer import reporting_write_errors
from recorder.errors import CaptureError, UsageError

STATE_NAME = "state.json"
LOCK_NAME = "lock"
_VERSION = 1


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger whose capture is still to be taken; times in epoch milliseconds."""

    capture: str
    """The capture's name: trigger and moment."""
    trigger: str
    at_ms: int
    from_ms: int
    to_ms: int
    attempts: int = 0
    not_before_ms: int = 0


class State(msgspec.Struct, kw_only=True):
    """What a watcher must know after a restart."""

    version: int = _VERSION
    cluster_id: str | None = None
    places: dict[str, dict[int, int]] = {}
    """By topic and partition: the offset of the next record to look at. A topic looked for in vain has no partition."""
    topic_ids: dict[str, str] = {}
    pending: list[Pending] = []
    day: str = ""
    taken: int = 0
    """How many triggers were taken on `day` (UTC): the daily cap counts them."""
    recent: list[str] = []
    """Records and files that triggered lately: one never triggers twice."""
    fired: dict[str, list[int]] = {}
    """By trigger: when records fired it; what happens near these moments does not fire it again."""
    times: dict[str, list[int]] = {}
    """By trigger: times of records that its rate still counts."""


def load_state(directory: Path) -> State:
    """The state as it was left, or an empty one. CaptureError when the file is torn or of a newer version."""
    path = directory / STATE_NAME
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return State()
    except OSError as error:
        raise CaptureError(f"Can't read {path}: {error.strerror}.") from error
    advice = f"Move {path} away to begin anew at the topics' ends; triggers that wait in it are lost then."
    try:
        state = msgspec.json.decode(raw, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CaptureError(f"{path} is torn or altered: {error}. {advice}") from None
    if state.version != _VERSION:
        raise CaptureError(f"{path} was written by another version of this program: use that one, or: {advice}")
    return state


def save_state(directory: Path, state: State) -> None:
    """Replace the file, durably. Raises CaptureError when it can't be written."""
    with reporting_write_errors(directory / STATE_NAME):
        write_atomically(directory / STATE_NAME, msgspec.json.encode(state) + b"\n")


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Own a state directory (made when missing, for this user only); UsageError when another watcher does."""
    with reporting_write_errors(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"Another watcher works with {directory}: end it first, or give this one its own state: and out:."
            ) from None
        yield
    finally:
        os.close(descriptor)
