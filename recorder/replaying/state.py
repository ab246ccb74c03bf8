"""What an unfinished replay leaves behind so that it can be resumed: what was to be sent, and from where the target's
log tells the rest.

One small file, written whole before the first record and about once a second after it, by rename: a kill at any moment
leaves one that is true. It may lag behind the log, never run ahead of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from recorder.capture.durable import sync_directory
from recorder.errors import UsageError
from recorder.payloads.registering import TargetRegistry
from recorder.replaying.coverage import Covered
from recorder.replaying.options import Options

STATE_VERSION = 1
SUFFIX = ".state"

_FREE = frozenset(
    {
        # How fast, how well measured, and what is allowed: a resumed replay may choose anew.
        "rate",
        "top_speed",
        "records_per_second",
        "megabits_per_second",
        "step",
        "late",
        "late_bound_ms",
        "loop_delay_ms",
        "read_ahead_bytes",
        "calibrate",
        "calibrate_topic",
        "probe",
        "prove",
        "objectives",
        "create_topics",
        "topic_config",
        "partitions_of",
        "replication_factor",
        "allow_targets",
        "allow_source_cluster",
        "allow_raw",
    }
)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the plan: all before it is settled, confirmed or lost, and what comes after it lies in the target
    behind these offsets, if it is there."""

    lap: int
    number: int
    """Of the first record of the timeline that may not be settled."""
    offsets: tuple[int, ...]
    """By `State.places`."""
    acked: tuple[int, ...]
    """How many records before this point the target has, by `State.topics`."""
    lost: int = 0
    """Records before this point that were sent, or too late to be, and are not in the target."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """An unfinished replay. What is compared is everything between `base`, which lies a little further back, and the
    end of the log, so that what was confirmed between `base` and `point` proves that the log is the one we wrote."""

    state_version: int = STATE_VERSION
    replay_id: str
    captures: tuple[str, ...]
    """Ids."""
    options: dict[str, str]
    """Those that say what is sent, and where."""
    target_cluster_id: str | None
    target_topics: dict[str, str | None]
    """Ids of the target's topics."""
    places: tuple[tuple[str, int], ...]
    """The target's partitions that are written to."""
    topics: tuple[str, ...]
    """The recorded topics."""
    started_at_ms: int = 0
    """T0 of the first part, by the wall clock."""
    shifted_by_ms: int = 0
    parts: int = 1
    """How often it was begun, the first time included."""
    base: Point
    point: Point
    covered: Covered = Covered()
    """Which records had their turn before `since`: they lie not all before it after a seek."""
    since: tuple[int, int] = (0, 0)
    """A pass and a number."""


class StateFile:
    """The file of a replay that runs, locked against a second one. A context manager: leaving it keeps the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hold(-1)

    def read(self) -> State:
        """What is in it, locked from now on. Raises UsageError when it is none, or belongs to a replay that runs."""
        with _saying(self.path):
            self._hold(os.open(self.path, os.O_RDONLY))
            if not _lock(self._file) or self.path.stat().st_ino != os.fstat(self._file).st_ino:
                raise UsageError(f"{self.path} belongs to a replay that runs: wait for it, or end it.")
        return decode_state(self.path)

    def begin(self, state: State) -> None:
        """Write it so that it survives a power cut. Raises UsageError."""
        self.write(state)
        with _saying(self.path):
            os.fsync(self._file)
            sync_directory(self.path.parent)

    def write(self, state: State) -> None:
        """Write it so that it survives a kill; not flushed to disk, which would hold up records. Raises UsageError."""
        temporary = self.path.with_name(self.path.name + ".tmp")
        with _saying(self.path):
            file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            content = memoryview(msgspec.json.encode(state))
            while content:
                content = content[os.write(file, content) :]
            _lock(file)  # before anybody can find it under its name
            temporary.replace(self.path)
        self._hold(file)

    def remove(self) -> None:
        """The replay is over, there is nothing to resume."""
        with _saying(self.path):
            self.path.unlink(missing_ok=True)

    def _hold(self, file: int) -> None:
        before, self._file = self._file, file
        if before >= 0:
            os.close(before)


class _Version(msgspec.Struct):
    state_version: int


def _lock(file: int) -> bool:
    """Whether nobody else has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True


@contextmanager
def _saying(path: Path) -> Iterator[None]:
    """What the file system refuses, as a sentence."""
    try:
        yield
    except FileNotFoundError:
        raise UsageError(f"There is no {path} to resume from: nothing was sent yet, or all of it.") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}. Give --state another place.") from None


def decode_state(path: Path) -> State:
    """What a state file says; UsageError when it is none, or from a newer version."""
    with _saying(path):
        raw = path.read_bytes()
    try:
        version = msgspec.json.decode(raw, type=_Version).state_version
        if version > STATE_VERSION:
            raise UsageError(f"{path} was left by a newer version of this program: please upgrade.")
        return msgspec.json.decode(raw, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not the state of a replay: {error}.") from None


def binding_options(options: Options) -> dict[str, str]:
    """The options that say what is sent where, each as a digest: they may name keys, and so persons."""
    return {
        field.name: _digest(_words(getattr(options, field.name)))
        for field in fields(options)
        if field.name not in _FREE
    }


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The flags whose values are not what they were."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ["the selection" if name == "selection" else _flag(name) for name in names]


def _flag(name: str) -> str:
    return "--" + name.removesuffix("_ms").removesuffix("s" if name in _PLURALS else "").replace("_", "-")


_PLURALS = {"excludes", "start_offsets"}


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return repr(sorted(value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return repr(list(value))
    if isinstance(value, TargetRegistry):
        return repr((value.registry.place, sorted(value.subjects.items()), value.register, value.allow_unknown))
    return str(getattr(value, "binding", None) or getattr(value, "name", None) or repr(value))
