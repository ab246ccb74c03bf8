"""A finished capture from a directory into an object store; or the rest of a recording that could not be sent."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from recorder.capture.locations import ObjectPath
from recorder.capture.manifest import CHECKPOINT_NAME, WAITING_NAME, Manifest, Segment, decode
from recorder.capture.reader import open_capture
from recorder.capture.schema import FORMAT_VERSION
from recorder.capture.sending import patiently, refuse_existing, send_bytes, send_manifest, send_segment
from recorder.errors import CaptureError

_THREADS = 4


def push(
    directory: Path, target: ObjectPath, *, progress: Callable[[int], None] | None = None, patience: float = 60.0
) -> Manifest:
    """Copy a capture to `target`, where there must be nothing but what an earlier attempt sent of it; manifest last.

    What a recording staged is removed once it has arrived, a capture of its own stays. `progress` is told bytes.
    Raises UsageError, CaptureError, and StoreUnavailableError after `patience` seconds; then the same again goes on.
    """
    staged = (directory / WAITING_NAME).exists()
    manifest = _waiting(directory) if staged else open_capture(directory).manifest
    if begun_by(target) != manifest.capture_id:
        refuse_existing(target)
        marker = {"format_version": FORMAT_VERSION, "facts": {"capture_id": manifest.capture_id}}
        send_bytes(msgspec.json.encode(marker), target / CHECKPOINT_NAME)

    def send(segment: Segment) -> int:
        if not staged or (directory / segment.path).exists():
            patiently(lambda: send_segment(directory, segment, target), patience)
        elif not holds(target, segment):
            raise CaptureError(f"{segment.path} is neither in {directory} nor in {target}: record the window again.")
        return segment.bytes

    segments = [segment for _, partition in manifest.topic_partitions() for segment in partition.files]
    with ThreadPoolExecutor(_THREADS, "push") as threads:
        try:
            for sent in threads.map(send, segments):
                if progress:
                    progress(sent)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    patiently(lambda: send_manifest(directory, manifest, target), patience)
    if staged:
        shutil.rmtree(directory)
    return manifest


def begun_by(target: ObjectPath) -> str | None:
    """The id of the capture that is being written there; None when there is no checkpoint, or none that says so."""
    with suppress(FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        found: Any = msgspec.json.decode((target / CHECKPOINT_NAME).read_bytes())
        return str(found["facts"]["capture_id"])
    return None


def holds(target: ObjectPath, segment: Segment) -> bool:
    """Whether the store has that segment, by name and size."""
    with suppress(FileNotFoundError):
        return (target / segment.path).size() == segment.bytes
    return False


def _waiting(directory: Path) -> Manifest:
    path = directory / WAITING_NAME
    try:
        return decode(path.read_bytes(), where=str(path))
    except OSError as error:
        raise CaptureError(f"Can't read {path}: {error.strerror}.") from error
