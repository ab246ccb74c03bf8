"""Rows of the timeline for eyes: a page of previews, one whole record, and the records that a person looks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recorder.capture.marks import Marks
from recorder.capture.schema import Record
from recorder.payloads.decoder import Decoder
from recorder.payloads.formats import SIDES, Formats
from recorder.payloads.lines import preview
from recorder.payloads.wire import HEADER_NAMES, Headers
from recorder.query.session import Session
from recorder.query.timeline import Place, Timeline
from recorder.query.views import literals, topic_view

PREVIEW_BYTES = 512
"""So much of a key or a value comes with a row; a page stays small whatever the records are."""
DECODED_BYTES = 32 << 10
"""A larger payload is not decoded for its row: that shows how it begins."""

_LINE_CELLS = 2 * PREVIEW_BYTES
_SCHEMA_HEADERS = literals(tuple(HEADER_NAMES.values()))[1:-1]
_SEARCH_BATCH = 100_000
_VALUE = "coalesce(value, value_bytes::varchar)"  # what is not UTF-8 is searched in its escaped spelling
_KEY = "coalesce(key, key_bytes::varchar)"
_HEADER_VALUE = "coalesce(h.value, h.value_bytes::varchar)"


@dataclass(frozen=True, slots=True)
class Row:
    """A record as a line: `key` and `value` are cut to PREVIEW_BYTES, the lines tell what they hold, decoded."""

    place: Place
    topic: str
    topic_index: int
    partition: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    key_line: str
    value_line: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are looked for; all that is given must hold. The default is everything.

    `key` is exact, `key_text` a part of the key; `text` a part of value, key or headers. Texts ignore case unless
    they hold a capital.
    """

    topics: frozenset[str] = frozenset()
    key: bytes | None = None
    key_text: str = ""
    text: str = ""

    @property
    def by_content(self) -> bool:
        return self.key is not None or bool(self.key_text or self.text)


def read_rows(session: Session, timeline: Timeline, places: Sequence[Place], formats: Formats) -> list[Row]:
    """The rows at `places`, in their order; CaptureError on torn data."""
    wanted: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place in places:
        stream = timeline.streams[place.stream]
        wanted[stream.topic_index][stream.partition].append(place.offset)
    found = {}
    for topic_index, partitions in wanted.items():
        everything = [offset for offsets in partitions.values() for offset in offsets]
        each = " or ".join(
            f"(partition = {partition} and {_offsets(offsets)})" for partition, offsets in partitions.items()
        )
        table = session.query(
            f'select partition, "offset", timestamp_ms, key_bytes[1:{DECODED_BYTES + 1}], '
            f"value_bytes[1:{DECODED_BYTES + 1}], list_filter(headers, lambda h: h.key in ({_SCHEMA_HEADERS})) "
            f"from {topic_view(topic_index)} "
            # The outer bounds let whole row groups be skipped.
            f'where "offset" between {min(everything)} and {max(everything)} and ({each})'
        )
        columns = [column.to_pylist() for column in table.columns]
        for partition, offset, *rest in zip(*columns, strict=True):
            found[topic_index, partition, offset] = rest
    rows = []
    marks = Marks(session.capture.manifest)
    for place in places:
        stream = timeline.streams[place.stream]
        timestamp_ms, key, value, pairs = found[stream.topic_index, stream.partition, place.offset]
        headers = tuple((pair["key"], pair["value_bytes"]) for pair in pairs)
        lines = [
            _line(payload, headers, formats.decoder(stream.topic, side))
            for side, payload in zip(SIDES, (key, value), strict=True)
        ]
        if mark := marks.at(stream.topic, stream.partition, place.offset):
            lines[1] = f"({mark}) {lines[1]}"
        cut = [None if payload is None else payload[:PREVIEW_BYTES] for payload in (key, value)]
        where = (stream.topic, stream.topic_index, stream.partition)
        rows.append(Row(place, *where, timestamp_ms, cut[0], cut[1], lines[0], lines[1]))
    return rows


def _line(payload: bytes | None, headers: Headers, decoder: Decoder) -> str:
    if payload is None or len(payload) > DECODED_BYTES:
        return preview(payload, None, None, _LINE_CELLS)
    decoded = decoder.decode(payload, headers)
    reason = None if decoded.reason is None else str(decoded.reason)
    if not decoded.readable or decoded.format in ("json", "text"):  # shown as it was spelt
        return preview(payload, None, reason, _LINE_CELLS)
    return preview(payload, decoded.json, reason, _LINE_CELLS)


def read_record(session: Session, timeline: Timeline, place: Place) -> Record:
    """One whole record."""
    stream = timeline.streams[place.stream]
    [row] = session.query(
        f"select timestamp_ms, timestamp_type, key_bytes, value_bytes, headers, leader_epoch "
        f'from {topic_view(stream.topic_index)} where partition = {stream.partition} and "offset" = {place.offset}'
    ).to_pylist()
    headers = tuple((header["key"], header["value_bytes"]) for header in row["headers"])
    return Record(
        stream.topic,
        stream.partition,
        place.offset,
        row["timestamp_ms"],
        row["timestamp_type"],
        row["key_bytes"],
        row["value_bytes"],
        headers,
        row["leader_epoch"],
    )


def search(
    session: Session, timeline: Timeline, wanted: Filter, found: Callable[[int], None] = lambda records: None
) -> Timeline:
    """What `wanted` leaves of the whole `timeline`; `found` is told how many records, again and again.

    InterruptedQueryError when the session is interrupted meanwhile.
    """
    if wanted.topics:
        timeline = timeline.only(lambda stream: stream.topic in wanted.topics)
    if not wanted.by_content:
        return timeline
    condition, parameters = _condition(wanted)
    streams = list(timeline.streams)
    ranks = {(stream.topic_index, stream.partition): rank for rank, stream in enumerate(streams)}
    total = 0
    for topic_index in sorted({stream.topic_index for stream in streams if len(stream.times)}):
        hits: dict[int, list[np.ndarray]] = defaultdict(list)
        sql = f'select partition, "offset" from {topic_view(topic_index)} where {condition}'
        with session.stream(sql, parameters, batch_rows=_SEARCH_BATCH) as result:
            for batch in result.batches:
                partitions, offsets = batch.column("partition").to_numpy(), batch.column("offset").to_numpy()
                for partition in np.unique(partitions).tolist():
                    hits[partition].append(offsets[partitions == partition])
                total += batch.num_rows
                found(total)
        for (index, partition), rank in ranks.items():
            if index == topic_index:
                kept = np.concatenate([np.empty(0, np.int64), *hits[partition]])
                streams[rank] = streams[rank].kept(np.sort(kept))
    return Timeline(tuple(streams))


def _condition(wanted: Filter) -> tuple[str, dict[str, object]]:
    conditions: list[str] = []
    parameters: dict[str, object] = {}
    if wanted.key is not None:
        conditions.append("key_bytes = $key::blob")
        parameters["key"] = wanted.key
    if wanted.key_text:
        conditions.append(_contains(_KEY, "key_text", wanted.key_text))
        parameters["key_text"] = wanted.key_text
    if wanted.text:
        header = " or ".join(_contains(place, "text", wanted.text) for place in ("h.key", _HEADER_VALUE))
        headers = f"len(list_filter(headers, lambda h: {header})) > 0"
        where = " or ".join([*(_contains(place, "text", wanted.text) for place in (_VALUE, _KEY)), headers])
        conditions.append(f"({where})")
        parameters["text"] = wanted.text
    return " and ".join(conditions), parameters


def _contains(expression: str, name: str, text: str) -> str:
    """False, not null, where the expression is null."""
    if text == text.lower() != text.upper():
        return f"coalesce(regexp_matches({expression}, ${name}, 'li'), false)"
    return f"coalesce(contains({expression}, ${name}), false)"


def _offsets(offsets: Sequence[int]) -> str:
    low, high = min(offsets), max(offsets)
    if high - low + 1 == len(offsets):
        return f'"offset" between {low} and {high}'
    return f'"offset" in ({", ".join(map(str, offsets))})'
