"""Kafka messages to columns: one pass per field over a list of messages, no Python object per record of ours."""

from __future__ import annotations

from itertools import accumulate, chain
from operator import itemgetter
from typing import Any

import pyarrow as pa

from recorder.capture.schema import HEADERS_TYPE, RECORD_SCHEMA, TIMESTAMP_TYPES
from recorder.kafka.fetching import Message

_TYPE_NAMES = pa.array(TIMESTAMP_TYPES)


def to_batch(topic: str, partition: int, messages: list[Message]) -> tuple[pa.RecordBatch, list[int]]:
    """Messages of one partition as a batch of RECORD_SCHEMA, and the offsets whose headers could not be read."""
    count = len(messages)
    types, timestamps = zip(*map(Message.timestamp, messages), strict=True)
    headers, lost = _headers(messages)
    columns = [
        pa.repeat(topic, count),
        pa.repeat(pa.scalar(partition, pa.int32()), count),
        pa.array(map(Message.offset, messages), pa.int64(), size=count),
        # A record without a timestamp is -1 to Kafka, and 0 to this client.
        pa.array([-1 if kind == 0 else ms for kind, ms in zip(types, timestamps, strict=True)], pa.int64())
        if 0 in types
        else pa.array(timestamps, pa.int64()),
        _TYPE_NAMES.take(pa.array(types, pa.int8())),
        pa.array(list(map(Message.key, messages)), pa.binary()),
        pa.array(list(map(Message.value, messages)), pa.binary()),
        headers,
        pa.array(list(map(Message.leader_epoch, messages)), pa.int32()),
    ]
    return pa.record_batch(columns, schema=RECORD_SCHEMA), lost


def _headers(messages: list[Message]) -> tuple[pa.Array, list[int]]:
    rows: list[Any] = []
    lost: list[int] = []
    remaining = iter(messages)
    while len(rows) < len(messages):
        try:
            rows.extend(map(Message.headers, remaining))
        except (SystemError, UnicodeDecodeError):
            # The client can't hand over a header whose name is not UTF-8; the record itself is whole. Never ask such
            # a message again: the second time it gives a list that holds no object where the header was, and crashes.
            offset = messages[len(rows)].offset()
            assert offset is not None
            lost.append(offset)
            rows.append(None)
    ends = pa.array(accumulate((len(row) if row else 0 for row in rows), initial=0), pa.int32(), size=len(rows) + 1)
    pairs = list(chain.from_iterable(filter(None, rows)))
    names, values = list(map(itemgetter(0), pairs)), list(map(itemgetter(1), pairs))
    flat = pa.StructArray.from_arrays(
        [pa.array(names, pa.string()), pa.array(values, pa.binary())], fields=list(HEADERS_TYPE.value_type)
    )
    return pa.ListArray.from_arrays(ends, flat, type=HEADERS_TYPE), lost
