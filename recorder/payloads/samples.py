"""The records of a topic that say what its payloads are, the same ones whoever asks: from all over it, by few reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recorder.capture.locations import parquet_source
from recorder.capture.manifest import Segment, Topic
from recorder.capture.reader import Capture, reading
from recorder.errors import CaptureError
from recorder.payloads.detect import SAMPLE
from recorder.payloads.wire import Headers

ENDS = 8
"""So many beginnings and ends of segments are looked into; each costs the read of a row group."""
_COLUMNS = ["key", "value", "headers"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Keys, values and headers of the same records; `torn` says what could not be read."""

    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)
    torn: list[CaptureError] = field(default_factory=list)


def sample_of(capture: Capture, topic: Topic) -> Sample:
    """At most SAMPLE records, of beginnings and ends: what changed within the window is likely in both.

    A torn segment says nothing of a topic's format: whoever needs its records will meet it.
    """
    segments = [segment for partition in topic.partitions for segment in partition.segments]
    chosen = segments
    if len(segments) > ENDS // 2:
        chosen = [segments[place] for place in np.unique(np.linspace(0, len(segments) - 1, ENDS).astype(int))]
    both = len(chosen) <= ENDS // 2
    share = SAMPLE // max(1, len(chosen) * (2 if both else 1))
    sample = Sample()
    for rank, segment in enumerate(chosen, start=1):
        end = rank % 2 == 0 or rank == len(chosen)
        try:
            parts = _ends(capture, segment, share, begin=both or not end, end=both or end)
        except CaptureError as error:
            sample.torn.append(error)
            continue
        for part in parts:
            sample.keys.extend(part.column("key").to_pylist())
            sample.values.extend(part.column("value").to_pylist())
            for pairs in part.column("headers").to_pylist():
                sample.headers.append(tuple((str(pair["key"]), pair["value"]) for pair in pairs))
    return sample


def _ends(capture: Capture, segment: Segment, share: int, *, begin: bool, end: bool) -> Sequence[pa.Table]:
    """The first and the last `share` rows of a segment, none twice."""
    path = capture.root / segment.path
    with reading(path), pq.ParquetFile(**parquet_source(path), page_checksum_verification=True) as file:
        if not set(_COLUMNS) <= set(file.schema_arrow.names):
            raise pa.ArrowInvalid("its columns are not a capture's")
        last = file.num_row_groups - 1
        first = file.read_row_group(0 if begin else last, columns=_COLUMNS, use_threads=False)
        if not (begin and end):
            return [first.slice(0 if begin else max(0, first.num_rows - share), share)]
        if last == 0:
            return [first.slice(0, share), first.slice(max(share, first.num_rows - share))]
        final = file.read_row_group(last, columns=_COLUMNS, use_threads=False)
        return [first.slice(0, share), final.slice(max(0, final.num_rows - share))]
