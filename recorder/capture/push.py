"""A finished capture from a directory into an object store; or the rest of a recording that could not be sent."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from recorder.capture.locations import ObjectPath, locate
from recorder.capture.manifest import CHECKPOINT_NAME, STAGED_NAME, WAITING_NAME, Manifest, Segment, decode
from recorder.capture.reader import open_capture
from recorder.capture.schema import FORMAT_VERSION
from recorder.capture.sending import patiently, refuse_existing, send_bytes, send_manifest, send_segment
from recorder.errors import CaptureError, StoreUnavailableError, UsageError

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


def staging_directory(target: ObjectPath) -> Path:
    """Where a recording for `target` is staged when nobody said where: found again by whoever goes on with it."""
    name = f"{target.name}-{hashlib.sha256(str(target).encode()).hexdigest()[:8]}"
    caches = [Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "blackbox" / "staging"]
    caches.append(Path(tempfile.gettempdir()) / f"blackbox-staging-{os.getuid()}")
    for cache in caches:
        with suppress(OSError):
            cache.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.access(cache, os.W_OK):
                return cache / name
    raise UsageError("Found no directory to stage the recording in: name one with --staging DIR.")


def deliver(staging: Path, target: ObjectPath) -> Manifest:
    """Push a capture that was written in `staging` for this alone; then the directory goes."""
    try:
        manifest = push(staging, target)
    except StoreUnavailableError as error:
        raise StoreUnavailableError(
            f"{error} The capture is finished: blackbox push {staging} '{target.uri}' sends it once that is mended."
        ) from error
    shutil.rmtree(staging)
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


def staged_for(directory: Path) -> ObjectPath | None:
    """The place that a recording in this directory is staged for; None when it is for no other place."""
    with suppress(OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        place = locate(msgspec.json.decode((directory / STAGED_NAME).read_bytes())["uri"])
        return place if isinstance(place, ObjectPath) else None
    return None


def _waiting(directory: Path) -> Manifest:
    path = directory / WAITING_NAME
    try:
        return decode(path.read_bytes(), where=str(path))
    except OSError as error:
        raise CaptureError(f"Can't read {path}: {error.strerror}.") from error
