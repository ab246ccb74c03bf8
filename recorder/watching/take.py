"""Taking one capture: record the window that has passed, scrub it where that was asked for, and give it its name.

Whatever stops it midway leaves nothing that could be taken for a capture: the work lies under a hidden name, or in
memory, and the trigger stays noted until the capture stands.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.durable import sync_directory
from recorder.capture.manifest import MANIFEST_NAME, Manifest
from recorder.capture.reader import open_capture
from recorder.capture.writer import reporting_write_errors
from recorder.recording.record import record
from recorder.recording.request import Request
from recorder.scrubbing.scrub import Scrubbed
from recorder.watching.cleaning import load_cleaning
from recorder.watching.settings import Settings
from recorder.watching.state import Pending
from recorder.window import Window, format_duration, format_time


@dataclass(frozen=True, slots=True)
class Taken:
    """A capture that stands at `path`."""

    path: Path
    manifest: Manifest
    quarantine: Path | None = None
    """The file (or that file's directory) of the records that it could not hold."""

    @property
    def withheld(self) -> int:
        """Records that are in the quarantine instead."""
        return sum(partition.missing("quarantined") for _, partition in self.manifest.topic_partitions())

    @property
    def bytes(self) -> int:
        """Of all its segments."""
        return sum(s.bytes for _, partition in self.manifest.topic_partitions() for s in partition.files)


def take(settings: Settings, pending: Pending, staging: Path | None, stop: threading.Event) -> Taken | None:
    """Take the capture of a trigger; None when `stop` was set before it was finished, and nothing is left of it.

    `staging` is a directory in memory, needed when the settings ask for scrubbing. Raises BlackboxError.
    """
    target = settings.out / pending.capture
    if (target / MANIFEST_NAME).exists():  # it was finished, and a crash came before that was noted
        somewhere = settings.scrub.quarantine if settings.scrub else None
        return Taken(target, open_capture(target).manifest, somewhere)
    with _removed(target.with_name(f".{target.name}.taking")) as work, ExitStack() as undo:
        quarantine = None
        if settings.scrub is None:
            if not _record(settings, pending, work, stop):
                return None
        else:
            assert staging is not None
            done = _record_and_scrub(settings, pending, staging, work, stop, undo)
            if done is None:
                return None
            quarantine = done.quarantine.path if done.quarantine else None
        with reporting_write_errors(target):
            work.rename(target)
            undo.pop_all()
            sync_directory(target.parent)
    return Taken(target, open_capture(target).manifest, quarantine)


def remove_leftovers(out: Path) -> None:
    """Remove the work of captures that a killed watcher did not finish."""
    for path in out.glob(".*.taking"):
        shutil.rmtree(path, ignore_errors=True)


def request_of(settings: Settings, pending: Pending) -> Request:
    """What is recorded for a trigger: its window, and words that say why it is this one."""
    at = f"{pending.trigger} ({format_time(pending.at_ms)})"
    return Request(
        window=Window(pending.from_ms, pending.to_ms),
        names=settings.names,
        patterns=settings.patterns,
        excludes=settings.excludes,
        max_bytes_per_second=settings.max_bytes_per_second,
        registry=settings.registry,
        from_text=f"{format_duration(settings.before_ms)} before {at}",
        to_text=f"{format_duration(settings.after_ms)} after {at}",
        command=("blackbox", "watch", settings.file.name),
    )


def _record(settings: Settings, pending: Pending, directory: Path, stop: threading.Event) -> bool:
    manifest = record(settings.connection, request_of(settings, pending), directory, stop=stop)
    return manifest.finished_by == "end"


def _record_and_scrub(
    settings: Settings, pending: Pending, staging: Path, work: Path, stop: threading.Event, undo: ExitStack
) -> Scrubbed | None:
    """Record and scrub in memory; only what was proven clean is copied to `work`. None: `stop` was set.

    `undo` removes the quarantine of a copy that comes to nothing after all.
    """
    assert settings.scrub is not None
    cleaning = load_cleaning(settings.scrub)
    with _removed(staging / "raw") as raw, _removed(staging / "clean") as copy:
        if not _record(settings, pending, raw, stop):
            return None
        try:
            done = cleaning.scrub(open_capture(raw), copy, pending.capture, lambda _stage, _bytes: _go_on(stop))
        except _StoppedError:
            return None
        if done.quarantine is not None:
            undo.callback(done.quarantine.path.unlink, missing_ok=True)
        _copy(copy, work)
    return done


class _StoppedError(Exception):
    """The watcher is ending: the scrub is broken off."""


def _go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise _StoppedError


def _copy(source: Path, target: Path) -> None:
    """Copy a directory's files durably."""
    with reporting_write_errors(target):
        for path in sorted(source.rglob("*")):
            copy = target / path.relative_to(source)
            if path.is_dir():
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as reading, copy.open("xb") as writing:
                shutil.copyfileobj(reading, writing, 1 << 20)
                writing.flush()
                os.fsync(writing.fileno())
        for directory in {path.parent for path in target.rglob("*")}:
            sync_directory(directory)


@contextmanager
def _removed(directory: Path) -> Iterator[Path]:
    """A path at which nothing is when it is given, nor afterwards (unless it was renamed)."""
    shutil.rmtree(directory, ignore_errors=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
