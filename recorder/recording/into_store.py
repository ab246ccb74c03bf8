"""Recording into an object store, and going on there: a staging directory, an upload beside the reading, one place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from recorder.capture.locations import ObjectPath
from recorder.capture.manifest import CHECKPOINT_NAME, JOURNAL_NAME, WAITING_NAME, Manifest
from recorder.capture.push import begun_by, push, staging_directory
from recorder.capture.reader import open_capture
from recorder.capture.sending import refuse_existing
from recorder.capture.writer import create_directory, reporting_write_errors
from recorder.errors import UsageError
from recorder.kafka.connection import Connection
from recorder.payloads.registry import Registry
from recorder.recording.checkpoint import read_checkpoint
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.recording.resume import is_finished, resume
from recorder.recording.upload import PATIENCE_SECONDS, Upload


def record_into(
    connection: Connection,
    request: Request,
    target: ObjectPath,
    *,
    staging: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    tell: Callable[[str], None] = lambda text: None,
    patience: float = PATIENCE_SECONDS,
) -> Manifest:
    """As `record`, into an object store; `staging` must not exist, and does not any more when all has arrived.

    `tell` hears what a person should know meanwhile. Raises StoreUnavailableError too: before anything is read, or,
    when all is read and `patience` seconds were not enough, with what to do about what waits in `staging`.
    """
    staging = staging or staging_directory(target)
    if staging.exists():
        raise UsageError(_in_the_way(staging, target))
    refuse_existing(target)
    with Upload(staging, target, tell=tell, patience=patience) as upload:
        return record(connection, request, staging, progress=progress, stop=stop, upload=upload)


def resume_into(
    connection: Connection,
    target: ObjectPath,
    *,
    staging: Path | None = None,
    registry: Registry | None = None,
    command: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    tell: Callable[[str], None] = lambda text: None,
    patience: float = PATIENCE_SECONDS,
) -> Manifest:
    """As `resume`, for a recording into an object store, from what is staged here or, elsewhere, from what arrived."""
    if is_finished(target):
        return open_capture(target).manifest
    staging = staging or staging_directory(target)
    if (staging / WAITING_NAME).exists():
        return push(staging, target, patience=patience)
    if not (staging / CHECKPOINT_NAME).exists():
        _fetch(target, staging)
    if read_checkpoint(staging).facts.capture_id != begun_by(target):
        raise UsageError(_in_the_way(staging, target))
    with Upload(staging, target, tell=tell, patience=patience) as upload:
        return resume(
            connection, staging, registry=registry, command=command, progress=progress, stop=stop, upload=upload
        )


def _fetch(target: ObjectPath, staging: Path) -> None:
    create_directory(staging)
    staging.chmod(0o700)
    for name in (JOURNAL_NAME, CHECKPOINT_NAME):
        location = target / name
        if location.exists():
            content = location.read_bytes()
            with reporting_write_errors(staging / name):
                (staging / name).write_bytes(content)


def _in_the_way(staging: Path, target: ObjectPath) -> str:
    if (staging / WAITING_NAME).exists():
        return f"{staging} waits for being sent: blackbox push {staging} '{target.uri}', or remove it first."
    return (
        f"{staging} holds another recording that was staged there and not finished: go on with it "
        "(blackbox record --resume URI), remove it, or name another directory with --staging."
    )
