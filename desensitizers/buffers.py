"""The bytes behind an Arrow column, for numpy to look at without a Python object for each value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def unpacked(values: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Of a binary array that holds one value at least: where in the bytes each begins, and the last one ends; those
    bytes, without a copy. What is null has no bytes.
    """
    _valid, offsets, data = values.buffers()
    places = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    return places, np.frombuffer(data or b"", np.uint8)
