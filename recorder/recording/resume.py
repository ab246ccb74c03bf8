"""Going on with a recording that was killed or interrupted, from what is sealed, with the plan that it had.

For a window of the past the finished capture is the one that an undisturbed recording would have written. What is
sealed is never trusted unseen: each segment must still have its size and SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from recorder.capture.lineage import new_step
from recorder.capture.locations import Location, whole
from recorder.capture.manifest import CHECKPOINT_NAME, MANIFEST_NAME, Manifest, Note, Segment, new_capture_id
from recorder.capture.push import holds
from recorder.capture.reader import open_capture, reading
from recorder.capture.writer import finish, reporting_write_errors
from recorder.errors import CaptureError, UsageError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import NOTHING_THAT_LATE, Place, at_time, log_ends
from recorder.payloads.registry import Registry
from recorder.payloads.used import Uses
from recorder.recording.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from recorder.recording.journal import Journal, Sealed
from recorder.recording.plan import FOR_EVER_MS
from recorder.recording.record import Progress, run, tapes_of
from recorder.recording.schemas import SchemaKeeper
from recorder.recording.throttle import fetch_ahead
from recorder.recording.upload import Upload

_HASHING_THREADS = 4


def is_finished(directory: Location) -> bool:
    """Nothing is left to resume in this capture. Raises CaptureError where there is no recording at all."""
    if (directory / CHECKPOINT_NAME).exists():
        return False
    open_capture(directory)
    return True


def resume(
    connection: Connection,
    directory: Path,
    *,
    registry: Registry | None = None,
    command: Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
    upload: Upload | None = None,
) -> Manifest:
    """Go on with the recording in `directory` and return its manifest; one that is finished is left as it is.

    With `upload`, `directory` is where it is staged; see `resume_into`.

    A topic that was deleted or recreated meanwhile is a loss, which the manifest names. Raises UsageError for
    another cluster or while another process records there, CaptureError where a sealed segment was altered or
    writing fails, KafkaUnavailableError.
    """
    root: Location = upload.target if upload else directory
    if is_finished(root):
        return open_capture(root).manifest
    with Journal(directory) as journal:
        before = open_capture(root).manifest if (root / MANIFEST_NAME).exists() else None
        if before is not None and not before.resumable:  # the kill came between the manifest and the end
            if upload:
                upload.finish(before)
            else:
                finish(directory, before)
            return before
        checkpoint = read_checkpoint(directory)
        if cap := checkpoint.max_bytes_per_second:
            connection = replace(connection, settings=fetch_ahead(cap) | connection.settings)
        cluster = Cluster(connection)
        _require_same_cluster(cluster, checkpoint, directory)
        gone = _gone(cluster, checkpoint)
        lines = _lines(directory, journal)
        sealed = [line.segment for of in lines.values() for line in of if line.segment]
        _check_segments(directory, sealed, upload)
        checkpoint = _close(cluster, checkpoint, lines, gone, before)
        checkpoint = _with_step(checkpoint, before, command)
        _remove_unsealed(directory, lines)
        write_checkpoint(directory, checkpoint)
        if upload:
            upload.begin(adopt=True)
            upload.again(sealed)
        tapes = tapes_of(directory, checkpoint)
        for place, found in lines.items():
            for line in found:
                tapes[place].restore(line)
        notes = [Note(level="loss", text=why, topic=topic) for topic, why in gone.items()]
        for (topic, _), tape in tapes.items():
            if topic in gone:
                tape.cut_short(tape.ledger.position)
        keeper = SchemaKeeper(registry, _uses_until_now(directory, upload, checkpoint, lines)) if registry else None
        stop = stop or threading.Event()
        return run(
            cluster, checkpoint, tapes, journal, directory, stop, progress, upload, keeper, notes=notes, gone=gone
        )


def _uses_until_now(
    directory: Path, upload: Upload | None, checkpoint: Checkpoint, lines: dict[Place, list[Sealed]]
) -> Uses:
    """The schemas that sealed records name."""
    uses = Uses()
    sealed = [(place[0], line.segment) for place, of in lines.items() for line in of if line.segment]
    sealed += [(topic, segment) for topic, _, state in checkpoint.prologues or () for segment in state.segments]
    for topic, segment in sealed:
        path: Location = directory / segment.path
        if upload and not path.exists():
            path = upload.target / segment.path
        with reading(path), whole(path) as file, pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches():
                uses.saw(topic, batch)
    return uses


def _require_same_cluster(cluster: Cluster, checkpoint: Checkpoint, directory: Path) -> None:
    source = checkpoint.facts.source.cluster_id
    if source and cluster.cluster_id and source != cluster.cluster_id:
        raise UsageError(
            f"{directory} was recorded from cluster {source}, but {cluster.connection.bootstrap} is "
            f"{cluster.cluster_id}: give the brokers of the first with -b."
        )


def _gone(cluster: Cluster, checkpoint: Checkpoint) -> dict[str, str]:
    """Topics that are not what they were, and what happened to each."""
    names = set(cluster.names())
    topics = checkpoint.facts.topics
    now = cluster.topic_ids([topic.name for topic in topics if topic.name in names])
    return {
        topic.name: f"the topic was {'recreated' if topic.name in names else 'deleted'} before the recording was "
        "resumed: what had not been read is lost"
        for topic in topics
        if topic.name not in names or (topic.id and topic.id != now.get(topic.name, topic.id))
    }


def _lines(directory: Path, journal: Journal) -> dict[Place, list[Sealed]]:
    found: dict[Place, list[Sealed]] = defaultdict(list)
    for line in journal.lines():
        found[line.place].append(line)
    return found


def _check_segments(directory: Path, segments: Sequence[Segment], upload: Upload | None) -> None:
    def wrong(segment: Segment) -> str | None:
        try:
            with (directory / segment.path).open("rb") as file:
                if os.fstat(file.fileno()).st_size != segment.bytes:
                    return "has another size than when it was sealed"
                return None if hashlib.file_digest(file, "sha256").hexdigest() == segment.sha256 else "was altered"
        except FileNotFoundError:
            return None if upload and holds(upload.target, segment) else "is missing"
        except OSError as error:
            return f"can't be read ({error.strerror})"

    with ThreadPoolExecutor(min(_HASHING_THREADS, os.cpu_count() or 1)) as threads:
        for segment, problem in zip(segments, threads.map(wrong, segments), strict=True):
            if problem:
                raise CaptureError(
                    f"Can't go on with {directory}: its sealed segment {segment.path} {problem}. "
                    "Restore that file, or record the window again into another directory."
                )


def _close(
    cluster: Cluster,
    checkpoint: Checkpoint,
    lines: dict[Place, list[Sealed]],
    gone: dict[str, str],
    before: Manifest | None,
) -> Checkpoint:
    """Windows that were open and are over by now, or were to be followed until told to end, end where the logs end now.

    Where the recording had ended already, as part of a row of captures that adjoin, it keeps its ends.
    """
    now_ms, slack = time.time_ns() // 1_000_000, checkpoint.late_slack_ms
    plan = checkpoint.plan
    over = {
        place: span
        for place, span in plan.spans.items()
        if span.until_ms is not None and (span.until_ms == FOR_EVER_MS or span.until_ms <= now_ms)
    }
    ends = log_ends(cluster, [place for place in over if place[0] not in gone])
    late = {
        place: to_ms + slack for place in ends if (to_ms := over[place].window.to_ms) is not None and slack is not None
    }
    hints = {place: at for place, at in at_time(cluster, late).items() if at != NOTHING_THAT_LATE}
    ended = before.topic_partitions() if before is not None and checkpoint.live else ()
    kept = {(topic.name, partition.partition): partition.end_offset for topic, partition in ended}
    for place, span in over.items():
        position = lines[place][-1].position if place in lines else span.start
        end = kept.get(place, max(ends.get(place, position), position))
        end = end if span.end is None else min(end, span.end)
        plan.spans[place] = replace(span, end=end, hint=hints.get(place), until_ms=None)
    still_live = any(span.until_ms is not None for span in plan.spans.values())
    spans = tuple((*place, span) for place, span in plan.spans.items())
    return msgspec.structs.replace(checkpoint, spans=spans, live=checkpoint.live and still_live)


def _with_step(checkpoint: Checkpoint, before: Manifest | None, command: Sequence[str]) -> Checkpoint:
    """The history goes on; what others may have seen under its id already gets a new one."""
    facts = checkpoint.facts
    capture_id = new_capture_id() if before is not None else facts.capture_id
    parent = facts.capture_id if before is not None else None
    step = new_step("resume", capture_id, parent_id=parent, command=command)
    return msgspec.structs.replace(checkpoint, facts=replace(facts, capture_id=capture_id, steps=(*facts.steps, step)))


def _remove_unsealed(directory: Path, lines: dict[Place, list[Sealed]]) -> None:
    """Remove what was being written, and what was sealed but not noted: both are read again."""
    named = {line.segment.path for of in lines.values() for line in of if line.segment}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(directory).as_posix()
            if name.endswith(".tmp") or (relative.startswith("records/") and relative not in named):
                with reporting_write_errors(path):
                    path.unlink()
