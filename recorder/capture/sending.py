"""Files into an object store, checked when they are there: it holds the bytes that the manifest names, or it failed."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from recorder.capture.locations import ObjectPath
from recorder.capture.manifest import (
    CHECKPOINT_NAME,
    JOURNAL_NAME,
    MANIFEST_NAME,
    REPORT_NAME,
    REPORT_PAGE_NAME,
    Manifest,
    SchemaFile,
    Segment,
    encode,
)
from recorder.errors import CaptureError, StoreUnavailableError, UsageError

_PART_BYTES = 10 << 20  # how Arrow cuts what it sends to S3; the ETag there is made of the parts' digests


class StoppedError(Exception):
    """The sending was called off in the middle."""


def refuse_existing(target: ObjectPath) -> None:
    """UsageError when anything is there already: captures are never written into, or over, anything."""
    if target.exists():
        raise UsageError(f"{target} exists already: choose another place with -o, or remove what is there first.")


def send_segment(root: Path, segment: Segment, target: ObjectPath, stopped: Callable[[], bool] = lambda: False) -> None:
    """Send a sealed segment from `root` to its place below `target`, and look whether it arrived.

    Raises CaptureError when the local file is not the one that was sealed, StoreUnavailableError when the store does
    not take it, StoppedError.
    """
    there = target / segment.path
    whole = hashlib.sha256()
    parts: list[bytes] = []
    path = root / segment.path
    try:
        with path.open("rb") as file, there.create() as sent:
            while part := file.read(_PART_BYTES):
                if stopped():
                    raise StoppedError
                whole.update(part)
                parts.append(hashlib.md5(part, usedforsecurity=False).digest())
                with there.explaining("write"):
                    sent.write(part)
    except FileNotFoundError:
        raise CaptureError(f"Segment {path} is missing: what is sealed must stay until it was sent.") from None
    if whole.hexdigest() != segment.sha256:
        raise CaptureError(f"Segment {path} was altered since it was sealed: it was not sent as a part of {target}.")
    if there.size() != segment.bytes:
        raise StoreUnavailableError(f"{there} did not arrive whole.", may_pass=True)
    # An ETag that is no digest of these bytes proves nothing (encrypted buckets, other stores): then look at the bytes.
    if there.etag() not in _etags(parts) and hashlib.sha256(there.read_bytes()).hexdigest() != segment.sha256:
        raise StoreUnavailableError(f"{there} did not arrive as it was sent.", may_pass=True)


def send_manifest(root: Path, manifest: Manifest, target: ObjectPath) -> None:
    """Make what was sent a capture, with the schemas and the report that lie in `root`; then the checkpoint goes,
    unless the recording may be resumed (FORMAT.md 1, 18).
    """
    if isinstance(manifest.schemas, SchemaFile):
        send_bytes((root / manifest.schemas.path).read_bytes(), target / manifest.schemas.path)
    for name in (REPORT_NAME, REPORT_PAGE_NAME) if manifest.clean is not None else ():
        if (root / name).exists():
            send_bytes((root / name).read_bytes(), target / name)
    send_bytes(encode(manifest), target / MANIFEST_NAME)
    if not manifest.resumable:
        for name in (CHECKPOINT_NAME, JOURNAL_NAME):
            with suppress(FileNotFoundError, StoreUnavailableError):  # some may write, but not delete
                (target / name).unlink()


def send_bytes(content: bytes, there: ObjectPath) -> None:
    """Write a small object, which appears whole or not at all, and look whether it is there."""
    with there.create() as sent, there.explaining("write"):
        sent.write(content)
    if there.read_bytes() != content:
        raise StoreUnavailableError(f"{there} did not arrive as it was sent.", may_pass=True)


def patiently(send: Callable[[], None], seconds: float) -> None:
    """Try again, every second for so many, what a store in trouble does not take. Raises its last error."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        try:
            return send()
        except StoreUnavailableError as error:
            if not error.may_pass or time.monotonic() > deadline:
                raise
        pause.wait(1.0)


def _etags(parts: list[bytes]) -> set[str]:
    joined = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
    return {f"{joined}-{len(parts)}"} | ({parts[0].hex()} if len(parts) == 1 else set())
