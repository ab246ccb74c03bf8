"""Payloads of a batch as columns: many cut at the same places at once, and put together again, by Arrow.

What stays of a payload never becomes a Python object; only the leaves that a rule rewrites do. Who cuts checks what it
takes for granted, payload by payload, and leaves all others to the walk that takes nothing for granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from desensitizers.buffers import unpacked
from desensitizers.memos import Beside, Memo

FEW = 16
"""Payloads below which columns are not worth it."""
_HEAD = 5
_SEPARATOR = pa.scalar(b"", pa.binary())

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Done = tuple[Ints, pa.Array | None]
"""Rows, ascending, and what each became; None when nothing in them changes."""


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes, and where in them each body starts and ends, ascending."""

    data: npt.NDArray[np.uint8]
    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, values: pa.Array) -> Block:
        """The values of an array of type binary that holds one at least."""
        places, data = unpacked(values)
        return cls(data, places[:-1], places[1:])

    def body(self, row: int) -> bytes:
        return self.data[self.starts[row] : self.ends[row]].tobytes()

    def behind(self, prefix: int) -> Block:
        """The same without the first bytes of each; only for rows that have as many."""
        return Block(self.data, self.starts + prefix, self.ends) if prefix else self


@runtime_checkable
class Columnwise(Protocol):
    """A rewriter that can do many bodies at once."""

    def columns(self, block: Block, rows: Ints) -> Iterator[Done]:
        """Those of some rows (ascending) that could be done."""
        ...


def pieces(block: Block, bounds: Ints) -> list[pa.Array]:
    """Payloads cut at `bounds` (payloads, places), which ascend: a column for what lies between each two places."""
    rows, places = bounds.shape
    offsets = pa.py_buffer(bounds.astype(np.int32).ravel())
    every = pa.Array.from_buffers(pa.binary(), rows * places - 1, [None, offsets, pa.py_buffer(block.data)])
    first = np.arange(rows) * places
    return [every.take(pa.array(first + place)) for place in range(places - 1)]


def join(columns: Sequence[pa.Array | bytes]) -> pa.Array:
    """Columns (one at least) and bytes that are the same for all, row by row in one."""
    together: list[pa.Array | bytes] = []
    for column in columns:
        if isinstance(column, bytes) and together and isinstance(together[-1], bytes):
            together[-1] += column
        else:
            together.append(column)
    scalars = [pa.scalar(one, pa.binary()) if isinstance(one, bytes) else one for one in together]
    return scalars[0] if len(scalars) == 1 else pc.binary_join_element_wise(*scalars, _SEPARATOR)


def answers(memo: Memo | Beside | Any, tokens: pa.Array) -> pa.Array:
    """What a rule makes of each. Raises UnfitError and UnicodeDecodeError."""
    if isinstance(memo, Memo | Beside):
        return memo.column(tokens)
    return pa.array(map(memo.__getitem__, tokens.to_pylist()), pa.binary())


def together(values: pa.Array, done: Sequence[tuple[Ints, pa.Array]]) -> pa.Array:
    """Parts that hold every row of `values` once, as one array in its order."""
    if len(done) == 1:
        return done[0][1]
    places = np.empty(len(values), np.int64)
    places[np.concatenate([rows for rows, _array in done])] = np.arange(len(values))
    return pa.concat_arrays([array for _rows, array in done]).take(pa.array(places))


def documents(
    values: pa.Array, plain: Any, framed: Callable[[bytes], tuple[Any, int] | None]
) -> Iterator[tuple[Ints, pa.Array]]:
    """Documents of a binary array that rewriters can do many at once: (rows, ascending; the clean ones).

    `plain` is the rewriter of what has no frame; `framed` gives that of a framed payload, and the bytes of its frame.
    """
    if values.type != pa.binary() or len(values) < FEW:
        return
    block = Block.of(values)
    rows = np.flatnonzero((block.ends > block.starts) & np.asarray(values.is_valid()))
    first = block.data[block.starts[rows]]
    yield from _done(values, plain, block, rows[first != 0], b"")
    for head, same in _heads(block, rows[first == 0]):
        found = framed(block.body(int(same[0])))
        if found is not None:
            rewriter, prefix = found
            behind = same[block.ends[same] - block.starts[same] >= prefix]
            frame = block.body(int(same[0]))[:prefix]
            for place in range(len(head), prefix):
                behind = behind[block.data[block.starts[behind] + place] == frame[place]]
            yield from _done(values, rewriter, block.behind(prefix), behind, frame)


def _done(values: pa.Array, rewriter: Any, block: Block, rows: Ints, frame: bytes) -> Iterator[tuple[Ints, pa.Array]]:
    if len(rows) < FEW or not isinstance(rewriter, Columnwise):
        return
    for done, bodies in rewriter.columns(block, rows):
        if bodies is None:
            yield done, values if len(done) == len(values) else values.take(pa.array(done))
        else:
            yield done, join([frame, bodies]) if frame else bodies


def _heads(block: Block, rows: Ints) -> Iterator[tuple[bytes, Ints]]:
    """Rows by their first bytes: zero and the id of a schema."""
    rows = rows[block.ends[rows] - block.starts[rows] >= _HEAD]
    if len(rows):
        ids = block.data[block.starts[rows, None] + np.arange(_HEAD)]
        numbers = ids.astype(np.int64) @ (256 ** np.arange(_HEAD - 1, -1, -1))
        for number in np.unique(numbers).tolist():
            yield int(number).to_bytes(_HEAD, "big"), rows[numbers == number]
