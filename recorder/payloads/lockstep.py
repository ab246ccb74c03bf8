"""The cursors of many bodies (Avro, Protobuf), moved together: numbers, lengths and pieces read from all at once.

A body that fails keeps its first reason, stands at its end from then on and reads as nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.payloads import spread
from recorder.payloads.reasons import REASONS, Reason
from recorder.payloads.spread import Bools, Ints

_PADDING = 32
_CODE = {reason: code for code, reason in enumerate(REASONS, 1)}
_NAMES = pa.array([str(reason) for reason in REASONS])


class Lockstep:
    """`at` and `end` of every body in `data`; `reason` holds codes (1 + index in REASONS), 0 where all is well."""

    def __init__(self, data: npt.NDArray[np.uint8], starts: Ints, ends: Ints) -> None:
        self.data = np.concatenate([data, np.zeros(_PADDING, np.uint8)])
        self.buffer = pa.py_buffer(self.data)
        self._begin(starts, ends)

    def inside(self, starts: Ints, ends: Ints) -> Lockstep:
        """Cursors over parts of the same bodies."""
        inner = Lockstep.__new__(Lockstep)
        inner.data, inner.buffer = self.data, self.buffer
        inner._begin(starts, ends)
        return inner

    def _begin(self, starts: Ints, ends: Ints) -> None:
        self.at = starts.copy()
        self.end = ends
        self.failed = np.zeros(len(starts), bool)
        self.reason = np.zeros(len(starts), np.int8)

    def fail(self, rows: Ints, where: Bools, reason: Reason) -> None:
        """Those of `rows` that `where` says can't be read any further."""
        if where.any():
            bad = rows[where]
            fresh = bad[~self.failed[bad]]
            self.reason[fresh] = _CODE[reason]
            self.failed[fresh] = True
            self.at[fresh] = self.end[fresh]

    def doubt(self, rows: Ints, where: Bools, reason: Reason) -> None:
        """Those of `rows` that `where` says are odd, and can be read all the same."""
        if where.any():
            odd = rows[where]
            self.reason[odd[self.reason[odd] == 0]] = _CODE[reason]

    def take(self, rows: Ints, lengths: Ints) -> Ints:
        """Move on by `lengths`; where the bytes begin. Lengths of what failed become 0 (in place)."""
        start = self.at[rows]
        after = start + lengths
        short = after > self.end[rows]
        if short.any():
            self.fail(rows, short, Reason.TRUNCATED)
        gone = self.failed[rows]
        if gone.any():
            lengths[gone] = 0
            start = self.at[rows]
            after = start + lengths
        self.at[rows] = after
        return start

    def cut(self, rows: Ints, lengths: Ints) -> pa.Array:
        """The next `lengths` bytes of each, as a binary array."""
        start = self.take(rows, lengths)
        return spread.cut(self.buffer, start, start + lengths)

    def fixed(self, rows: Ints, size: int) -> npt.NDArray[np.uint8]:
        """The next `size` bytes of each, as rows of a matrix; zeros for what failed."""
        lengths = np.full(len(rows), size)
        start = self.take(rows, lengths)
        found: npt.NDArray[np.uint8] = self.data[start[:, None] + np.arange(size)]
        if not lengths.all():
            found[lengths == 0] = 0
        return found

    def lengths(self, rows: Ints) -> Ints:
        """Lengths in bytes, checked to be neither negative nor beyond the end; 0 for what failed."""
        values = self.integers(rows, 64)
        self.fail(rows, values < 0, Reason.MALFORMED)
        self.fail(rows, values > self.end[rows] - self.at[rows], Reason.TRUNCATED)
        values[self.failed[rows]] = 0
        return values

    def integers(self, rows: Ints, bits: int) -> Ints:
        """Zigzag varints; 0 for what failed."""
        value = self.varints(rows)
        if bits < 64:
            wide = value >> np.uint64(bits) != 0
            if wide.any():
                self.fail(rows, wide, Reason.MALFORMED)
                value[wide] = 0
        return unzigzag(value)

    def varints(self, rows: Ints, most_bytes: int = 10) -> npt.NDArray[np.uint64]:
        """Base 128 varints of at most so many bytes; 0 for what failed."""
        at = self.at[rows]
        byte = self.data[at]
        value = (byte & 0x7F).astype(np.uint64)
        more = np.flatnonzero(byte & 0x80)
        at += 1
        shift = 7
        while len(more):
            if shift == 7 * most_bytes:
                self.fail(rows[more], np.ones(len(more), bool), Reason.MALFORMED)
                break
            byte = self.data[np.minimum(at[more], len(self.data) - 1)]
            value[more] |= (byte & np.uint64(0x7F)).astype(np.uint64) << np.uint64(shift)
            if shift == 63:
                self.fail(rows[more], byte > 1, Reason.MALFORMED)
            at[more] += 1
            more = more[(byte & 0x80) != 0]
            shift += 7
        short = at > self.end[rows]
        if short.any():
            self.fail(rows, short, Reason.TRUNCATED)
        gone = self.failed[rows]
        if gone.any():
            value[gone] = 0
            at = np.where(gone, self.at[rows], at)
        self.at[rows] = at
        return value


def unzigzag(value: npt.NDArray[np.uint64]) -> Ints:
    """0, 1, 2, 3 … as 0, -1, 1, -2 …"""
    return (value >> np.uint64(1)).astype(np.int64) ^ -(value & np.uint64(1)).astype(np.int64)


def reason_names(codes: npt.NDArray[np.int8]) -> pa.Array:
    """`Lockstep.reason` as strings, null where all is well."""
    return _NAMES.take(pa.array(codes.astype(np.int16) - 1, mask=codes == 0))
