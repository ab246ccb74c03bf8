"""Where signs and numbers stand in a column of ASCII texts, found over all of its bytes at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from desensitizers.buffers import unpacked

_LEAST = 7
_BETWEEN = np.isin(np.arange(256), list(b"0123456789 ()./-"))
_ZERO, _TEN = np.uint8(ord("0")), np.uint8(10)

Places = npt.NDArray[np.int64]


def rows_with(column: Any, sign: str) -> Places:
    """The texts (of an Arrow array without nulls) that hold a character."""
    bounds, data = unpacked(column)
    places = np.flatnonzero(data[bounds[0] : bounds[-1]] == ord(sign)) + bounds[0]
    rows: Places = np.searchsorted(bounds, places, "right") - 1
    once: Places = rows[np.flatnonzero(np.diff(rows, prepend=-1))]
    return once


def first_numbers(column: Any) -> tuple[Places, Places]:
    """Of texts (an Arrow array without nulls) that hold ``[0-9][0-9 ()./-]{5,}[0-9]``: which, and where in each
    the first begins.
    """
    bounds, data = unpacked(column)
    data = data[bounds[0] : bounds[-1]]
    bounds = bounds - bounds[0]
    if len(data) < _LEAST:
        return bounds[:0], bounds[:0]
    between = _BETWEEN.take(data)
    pairs = between[:-1] & between[1:]
    fours = pairs[:-2] & pairs[2:]
    begins = np.zeros(len(data) + 1, np.bool_)
    begins[1 : len(data) - _LEAST + 2] = fours[:-3] & fours[3:]
    for back in range(_LEAST - 1):  # what would reach into the next text
        begins[np.maximum(bounds[1:] - back, 0)] = False
    begins[0] = False
    edges = np.flatnonzero(begins[1:] != begins[:-1])
    starts, ends = edges[::2], edges[1::2] + _LEAST - 1
    digits = np.flatnonzero(data - _ZERO < _TEN)
    first, last = np.searchsorted(digits, starts), np.searchsorted(digits, ends) - 1
    there = last >= first
    first, last = digits[first[there]], digits[last[there]]
    places = first[last - first >= _LEAST - 1]
    rows = np.searchsorted(bounds, places, "right") - 1
    once = np.flatnonzero(np.diff(rows, prepend=-1))
    return rows[once], places[once] - bounds[rows[once]]
