"""How a topic's records are to be decoded: looked up in a sample, once, when a query first names the topic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from recorder.capture.locations import parquet_source
from recorder.capture.manifest import Segment, Topic
from recorder.capture.reader import Capture, reading
from recorder.errors import CaptureError
from recorder.payloads import wire
from recorder.payloads.choices import Choice, Choices
from recorder.payloads.decoder import Codecs
from recorder.payloads.detect import Detected, detect
from recorder.payloads.reasons import PayloadError, Side
from recorder.payloads.schemas import Schema
from recorder.query.decoding import SidePlan, TopicPlan
from recorder.query.merging import merge_columns

SEGMENTS_SAMPLED = 6
ROWS_SAMPLED = 1_200
_PLAIN = ("text", "hex")

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Sample:
    """Keys, values and headers of the same records."""

    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers]


def sample_of(capture: Capture, topic: Topic) -> Sample:
    """At most ROWS_SAMPLED records from all over the topic."""
    segments = [segment for partition in topic.partitions for segment in partition.segments]
    chosen = _spread(segments, SEGMENTS_SAMPLED)
    sample = Sample([], [], [])
    for rank, segment in enumerate(chosen):
        path = capture.root / segment.path
        try:
            with reading(path), pq.ParquetFile(**parquet_source(path), page_checksum_verification=True) as file:
                group = 0 if rank % 2 == 0 else file.num_row_groups - 1
                table = file.read_row_group(group, columns=["key", "value", "headers"], use_threads=False)
        except CaptureError:
            continue  # the query itself says so, if it needs what is torn
        # From its begin in one, from its end in the next: what changed within the window is likely in both.
        rows = min(table.num_rows, ROWS_SAMPLED // len(chosen))
        table = table.slice(0 if rank % 2 == 0 and len(chosen) > 1 else table.num_rows - rows, rows)
        sample.keys.extend(table.column("key").to_pylist())
        sample.values.extend(table.column("value").to_pylist())
        for pairs in table.column("headers").to_pylist():
            sample.headers.append([(pair["key"], pair["value"]) for pair in pairs])
    return sample


def plan_topic(topic: str, sample: Sample, codecs: Codecs, choices: Choices, ids: Iterable[int]) -> TopicPlan:
    """`ids` are schema ids that values of the topic begin with, beside those in the sample."""
    key = _plan_side(topic, "key", sample.keys, sample.headers, codecs, choices.of(topic, "key"), ())
    value = _plan_side(topic, "value", sample.values, sample.headers, codecs, choices.of(topic, "value"), ids)
    return TopicPlan(topic, key, value)


def _plan_side(
    topic: str,
    side: Side,
    payloads: list[bytes | None],
    headers: list[Headers],
    codecs: Codecs,
    choice: Choice | None,
    ids: Iterable[int],
) -> SidePlan:
    found = detect(codecs, topic, side, payloads, headers, choice)
    if found.choice is not None and found.choice.schema is not None:
        kinds: list[tuple[Schema, tuple[int, ...] | None]] = [(found.choice.schema, None)]
    else:
        kinds = _kinds(found, side, payloads, headers, codecs, ids)
    columns = []
    for schema, indexes in kinds:
        try:
            columns.append(codecs.of(schema, indexes).field())
        except PayloadError:
            continue  # its records say so themselves: decode_errors
    if not kinds and found.choice is not None and found.choice.format not in (*_PLAIN, "json"):
        columns = [codecs.plain(found.choice.format).field()]
    return SidePlan(side, found.choice, found.format, merge_columns(columns))


def _kinds(
    found: Detected,
    side: Side,
    payloads: list[bytes | None],
    headers: list[Headers],
    codecs: Codecs,
    ids: Iterable[int],
) -> list[tuple[Schema, tuple[int, ...] | None]]:
    """The schemas in use, the newest first; of Protobuf's each message type that the sample holds."""
    messages: dict[tuple[int, ...], None] = {}
    for payload, named in zip(payloads, headers, strict=True):
        if payload:
            messages.update(dict.fromkeys(_message(payload, named, side, codecs)))
    kinds: list[tuple[Schema, tuple[int, ...] | None]] = []
    for key in sorted({*found.schemas, *ids}, key=lambda key: (isinstance(key, int), key), reverse=True):
        schema = codecs.book.find(key)
        if schema is None:
            continue
        if schema.kind == "protobuf":
            kinds += [(schema, indexes) for indexes in messages or {(0,): None}]
        else:
            kinds.append((schema, None))
    return kinds


def _message(payload: bytes, headers: Headers, side: Side, codecs: Codecs) -> Sequence[tuple[int, ...]]:
    try:
        frame, body = wire.from_headers(headers, side), payload
        if frame is None:
            frame, body = wire.split(payload)
        schema = None if frame is None else codecs.book.find(frame.key)
        if frame is None or schema is None or schema.kind != "protobuf":
            return ()
        return [wire.read_indexes(wire.take_indexes(frame, body)[0].indexes or b"\0")[0]]
    except PayloadError:
        return ()


def _spread(segments: list[Segment], count: int) -> list[Segment]:
    if len(segments) <= count:
        return segments
    return [segments[place] for place in np.linspace(0, len(segments) - 1, count).astype(int)]
