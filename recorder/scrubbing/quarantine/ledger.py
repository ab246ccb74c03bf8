"""The ledger of a clean copy's partition of which records were withheld: their offsets are gaps of their own reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq

from recorder.capture.known import Known
from recorder.capture.ledger import Ledger, Offsets
from recorder.capture.locations import Location, parquet_source
from recorder.capture.manifest import Partition, Segment
from recorder.capture.reader import reading


def without_withheld(
    before: Partition, root: Location, copy: Path, pairs: Sequence[tuple[Segment, Sequence[Segment]]]
) -> Partition:
    """What the ledger of `before` says when its `pairs` (a segment, and what is left of it) are what is left.

    Segments, counts of records and bytes are the caller's to set. Raises CaptureError on torn data.
    """
    ledger = Ledger(before.start_offset, Known([before]).explain)
    lost = np.array(before.headers_lost, np.int64)
    still_lost: list[int] = []
    for segment, left in pairs:
        offsets = _offsets(root, [segment])
        kept = np.isin(offsets, _offsets(copy, left), assume_unique=True)
        ledger.saw(offsets, kept, "quarantined")
        still_lost += np.intersect1d(offsets[kept], lost).tolist()
    ledger.advance(before.end_offset)
    segments = [segment for _segment, left in pairs for segment in left]
    return msgspec.structs.replace(
        before,
        gaps=ledger.gaps(),
        min_timestamp_ms=min((one.min_timestamp_ms for one in segments), default=None),
        max_timestamp_ms=max((one.max_timestamp_ms for one in segments), default=None),
        headers_lost=tuple(still_lost),
        late_records=0,  # how late records were can't be told again from some of them
        latest_ms=0,
    )


def _offsets(root: Location, segments: Sequence[Segment]) -> Offsets:
    found = [np.empty(0, np.int64)]
    for segment in segments:
        path = root / segment.path
        with reading(path), pq.ParquetFile(**(parquet_source(path) | {"page_checksum_verification": True})) as file:
            found.append(file.read(columns=["offset"], use_threads=False).column("offset").to_numpy())
    return np.concatenate(found)
