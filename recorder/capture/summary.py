"""A capture in a few lines: what `info` and `ls` show, as plain rows for any output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from recorder.capture.manifest import Asked, Manifest, Partition, Topic
from recorder.window import format_duration, format_time
from recorder.wording import counted

Rows = list[list[Any]]

_PAST_TENSE = {"record": "recorded", "resume": "resumed", "scrub": "scrubbed", "merge": "merged"}


def facts(manifest: Manifest) -> dict[str, str]:
    """Name and value of what matters most about a capture, in reading order."""
    partitions = [partition for _, partition in manifest.topic_partitions()]
    segments = [segment for partition in partitions for segment in partition.files]
    times = _times(partitions)
    lines = {
        "id": manifest.capture_id,
        "state": _state(manifest),
        "window": window_text(manifest.window),
        **_asked_text(manifest.window),
        "records": f"{manifest.records:,} in {counted(len(manifest.topics), 'topic')}, "
        f"{counted(len(partitions), 'partition')}",
        "times": _span_text(times) if times else "no records",
        "size": f"{format_bytes(sum(map(_payload, partitions)))} of payload in "
        f"{format_bytes(sum(s.bytes for s in segments))} on disk, {len(segments)} segments",
        "offsets": _offsets_text(partitions),
        **_prologue_text(manifest),
        **_isolation_text(manifest),
        "source": f"{_clusters(manifest.cluster_ids)}, {counted(manifest.source.brokers, 'broker')}",
    }
    times_done = Counter[str]()
    for step in manifest.lineage:
        times_done[step.verb] += 1
        again = f" {times_done[step.verb]}" if times_done[step.verb] > 1 else ""
        who = f" by {step.user}" if step.user else ""
        where = f" on {step.host}" if step.host else ""
        lines[_PAST_TENSE.get(step.verb, step.verb) + again] = f"{format_time(step.at_ms)}{who}{where} with {step.tool}"
    for number, note in enumerate(manifest.notes, start=1):
        lines[f"{note.level} {number}"] = note.sentence()
    return lines


def topic_rows(manifest: Manifest) -> tuple[Sequence[str], Rows]:
    """One row a topic."""
    columns = ("topic", "partitions", "records", "payload_bytes", "first", "last", "missing")
    return columns, [
        [
            topic.name,
            len(topic.partitions),
            topic.records,
            sum(partition.payload_bytes for partition in topic.partitions),
            *_first_last(topic.partitions),
            gaps_text(topic.partitions),
        ]
        for topic in manifest.topics
    ]


def partition_rows(topics: Sequence[Topic]) -> tuple[Sequence[str], Rows]:
    """One row a partition, with the offsets that it answers for."""
    columns = ("topic", "partition", "records", "start_offset", "end_offset", "first", "last", "missing")
    return columns, [
        [
            topic.name,
            partition.partition,
            partition.records,
            partition.start_offset,
            partition.end_offset,
            *_first_last([partition]),
            gaps_text([partition]),
        ]
        for topic in topics
        for partition in topic.partitions
    ]


def gap_rows(topics: Sequence[Topic]) -> tuple[Sequence[str], Rows]:
    """One row a gap: the ledger itself."""
    columns = ("topic", "partition", "first_offset", "last_offset", "missing", "reason")
    return columns, [
        [topic.name, partition.partition, gap.first_offset, gap.last_offset, gap.missing, gap.reason]
        for topic in topics
        for partition in topic.partitions
        for gap in partition.gaps
    ]


def gaps_text(partitions: Sequence[Partition]) -> str:
    """Missing offsets by reason: ``12 filtered, 3 control``; empty when nothing is missing."""
    counts: Counter[str] = Counter()
    for partition in partitions:
        for gap in partition.gaps:
            counts[gap.reason] += gap.missing
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())


def window_text(window: Asked) -> str:
    """The window as it was understood."""
    start = "the beginning" if window.from_ms is None else format_time(window.from_ms)
    end = "the end" if window.to_ms is None else format_time(window.to_ms)
    length = (
        "" if window.from_ms is None or window.to_ms is None else f" ({format_duration(window.to_ms - window.from_ms)})"
    )
    return f"{start} to {end}{length}"


def format_bytes(count: float) -> str:
    """Bytes for human eyes: ``812 B``, ``4.2 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _clusters(known: Sequence[str]) -> str:
    return f"clusters {', '.join(known)}" if len(known) > 1 else f"cluster {known[0] if known else 'unknown'}"


def _payload(partition: Partition) -> int:
    return partition.payload_bytes + (partition.prologue.payload_bytes if partition.prologue else 0)


def _state(manifest: Manifest) -> str:
    clean = "raw: may hold personal data"
    if manifest.clean is not None:
        own = isinstance(manifest.clean.proofs, msgspec.UnsetType)
        clean = "clean (scrubbed and proven)" if own else "clean (of what was scrubbed and proven)"
    ended = {"end": "complete", "interrupt": "ended by interrupt", "unfinished": "unfinished"}[manifest.finished_by]
    losses = len(manifest.losses)
    return f"{ended}, {clean}" + (f", {losses} losses" if losses else "")


def _offsets_text(partitions: Sequence[Partition]) -> str:
    total = sum(partition.end_offset - partition.start_offset for partition in partitions)
    missing = gaps_text(partitions)
    return f"{total:,} accounted for" + (f"; not in the capture: {missing}" if missing else ", every one a record")


def _asked_text(window: Asked) -> dict[str, str]:
    """What times alone do not tell: offsets, numbers of records, and topics with windows of their own."""
    if not any(sign in window.from_text + window.to_text for sign in ("=", "offset:", "last ")):
        return {}
    return {"asked": f"from {window.from_text} to {window.to_text}"}


def _prologue_text(manifest: Manifest) -> dict[str, str]:
    topics = sum(any(p.prologue is not None for p in topic.partitions) for topic in manifest.topics)
    if not topics:
        return {}
    return {"prologue": f"{manifest.prologue_records:,} records: the state of {topics} compacted topics before it"}


def _isolation_text(manifest: Manifest) -> dict[str, str]:
    if manifest.window.isolation == "read_committed":
        return {}
    partitions = [partition for _, partition in manifest.topic_partitions()]
    marks = (
        ("aborted", sum(len(p.aborted) for p in partitions)),
        ("undecided", sum(len(p.undecided) for p in partitions)),
    )
    found = ", ".join(f"{count:,} runs of {what} records" for what, count in marks if count)
    return {"isolation": f"read_uncommitted: {found or 'no aborted or undecided record found'}"}


def _times(partitions: Sequence[Partition]) -> tuple[int, int] | None:
    lows = [partition.min_timestamp_ms for partition in partitions if partition.min_timestamp_ms is not None]
    highs = [partition.max_timestamp_ms for partition in partitions if partition.max_timestamp_ms is not None]
    return (min(lows), max(highs)) if lows and highs else None


def _span_text(times: tuple[int, int]) -> str:
    return f"{format_time(times[0])} to {format_time(times[1])} ({format_duration(times[1] - times[0])})"


def _first_last(partitions: Sequence[Partition]) -> tuple[str | None, str | None]:
    times = _times(partitions)
    return (None, None) if times is None else (format_time(times[0]), format_time(times[1]))
