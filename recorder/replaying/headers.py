"""Headers of many records at once, as Arrow holds them: ordered pairs that may repeat and may have null values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from recorder.capture.schema import HEADER_TYPE, HEADERS_TYPE


def with_header(headers: pa.ListArray, name: str, value: bytes) -> pa.ListArray:
    """All records' headers with one more at the end of each."""
    ends = headers.offsets.to_numpy()
    pairs = headers.values.slice(ends[0], ends[-1] - ends[0])
    ends = (ends - ends[0]).astype(np.int64)
    rows = len(headers)
    new_ends = ends + np.arange(rows + 1)
    sources = np.full(len(pairs) + rows, len(pairs), np.int64)  # the pair that is added, unless something else is said
    kept = np.ones(len(sources), np.bool_)
    kept[new_ends[1:] - 1] = False
    sources[kept] = np.arange(len(pairs))
    one = pa.array([{"key": name, "value": value}], HEADER_TYPE)
    all_pairs = pa.concat_arrays([pairs.cast(HEADER_TYPE), one])
    return pa.ListArray.from_arrays(
        pa.array(new_ends.astype(np.int32)), all_pairs.take(pa.array(sources)), type=HEADERS_TYPE
    )
