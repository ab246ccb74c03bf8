"""Avro bodies to Arrow, many records in lockstep: each step reads one field of all records with a few array operations.

No Python object per field, no generated code. Where few records are left (long arrays, small batches) and where a
schema meets itself again (recursion becomes JSON text) the row reader takes over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from recorder.payloads import fields, spread
from recorder.payloads.avro_reader import EMPTY_ITEMS, variable_decimal
from recorder.payloads.avro_rows import RawReader, plain_decimal, time_span
from recorder.payloads.avro_schema import Node
from recorder.payloads.codec import Column
from recorder.payloads.lockstep import Lockstep, reason_names
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.rows import fits, to_array
from recorder.payloads.spread import Bools, Ints, last_of_each, offsets_of

FEW = 16
TOGETHER = 16_384
"""Bodies in one lockstep: few enough for the processor's caches."""


def read_column(root: Node, field: pa.Field, bodies: pa.Array) -> Column:
    """A binary column to Arrow: null where a body is null or unreadable."""
    if len(bodies) <= TOGETHER:
        return _read(root, field, bodies)
    parts = [_read(root, field, bodies.slice(start, TOGETHER)) for start in range(0, len(bodies), TOGETHER)]
    return Column(pa.concat_arrays([part.values for part in parts]), pa.concat_arrays([part.reasons for part in parts]))


def _read(root: Node, field: pa.Field, bodies: pa.Array) -> Column:
    starts, ends = spread.spans(bodies)
    there = spread.valid(bodies)
    run = _Run(Lockstep(spread.data_of(bodies), starts[there], ends[there]))
    state = run.state
    every = np.arange(len(state.at))
    values = run.read(root, field, every)
    state.fail(every, state.at < state.end, Reason.TRAILING_BYTES)
    values = spread.keep(values, ~state.failed)
    reasons = reason_names(state.reason)
    return Column(spread.scatter(values, there), spread.scatter(reasons, there))


class _Run:
    """Reads values of all kinds; each method gives an array of the field's type, one value for each of `rows`."""

    def __init__(self, state: Lockstep) -> None:
        self.state = state

    def read(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        if len(rows) < FEW or fields.is_json(field):
            return self._one_by_one(rows, lambda reader: reader.raw(node, field), field.type)
        reader: Callable[..., pa.Array] = getattr(self, f"_{node.kind}")
        return reader(node, field, rows)

    def _record(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        if node.logical:
            return self._variable_decimal(node, rows)
        members = list(field.type)
        children = [self.read(item, member, rows) for (_, item), member in zip(node.fields, members, strict=True)]
        return pa.StructArray.from_arrays(children, fields=members)

    def _boolean(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        values = self.state.fixed(rows, 1)[:, 0]
        self.state.fail(rows, values > 1, Reason.MALFORMED)
        return pa.array(values == 1)

    def _int(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        return self._whole(node, field, rows, 32)

    def _long(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        return self._whole(node, field, rows, 64)

    def _whole(self, node: Node, field: pa.Field, rows: Ints, bits: int) -> pa.Array:
        values = self.state.integers(rows, bits)
        wrong = None
        if node.logical:
            first, last = time_span(node)
            wrong = (values < first) | (values > last)
            self.state.doubt(rows, wrong, Reason.OUT_OF_RANGE)
        plain = pa.array(values if field.type.bit_width == 64 else values.astype(np.int32), mask=wrong)
        return plain.cast(field.type) if plain.type == field.type else plain.view(field.type)

    def _float(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        return pa.array(self.state.fixed(rows, 4).view("<f4")[:, 0])

    def _double(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        return pa.array(self.state.fixed(rows, 8).view("<f8")[:, 0])

    def _string(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        raw = self.state.cut(rows, self.state.lengths(rows))
        try:
            return raw.cast(pa.string())
        except pa.ArrowInvalid:
            values = raw.to_pylist()
        texts = [value.decode(errors="replace") for value in values]
        odd = [text.encode() != value for text, value in zip(texts, values, strict=True)]
        self.state.doubt(rows, np.array(odd), Reason.INVALID_UTF8)
        return pa.array(texts, pa.string())

    def _bytes(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        return self._binary(node, field, rows, self.state.lengths(rows))

    def _fixed(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        return self._binary(node, field, rows, np.full(len(rows), node.size))

    def _binary(self, node: Node, field: pa.Field, rows: Ints, lengths: Ints) -> pa.Array:
        if node.logical == "decimal" and pa.types.is_decimal(field.type):
            return self._decimal(node, field, rows, lengths)
        raw = self.state.cut(rows, lengths)
        if not node.logical:
            return raw
        values = []
        for row, value in zip(rows.tolist(), raw.to_pylist(), strict=True):
            reader = RawReader(value)
            values.append(None if self.state.failed[row] else reader.leaf(node, value))
            if reader.doubt is not None:
                self.state.doubt(np.array([row]), np.array([True]), reader.doubt)
        return pa.array(values, field.type)

    def _decimal(self, node: Node, field: pa.Field, rows: Ints, lengths: Ints) -> pa.Array:
        """Two's complement, big-endian, of any length, to Arrow's sixteen bytes, little-endian."""
        start = self.state.take(rows, lengths)
        data, last = self.state.data, start + lengths - 1
        negative = (data[start] >= 0x80) & (lengths > 0)
        wide = np.where(negative, 255, 0).astype(np.uint8)[:, None].repeat(16, axis=1)
        for place in range(min(16, int(lengths.max(initial=0)))):
            has = lengths > place
            wide[has, place] = data[last[has] - place]
        values = pa.Array.from_buffers(pa.decimal128(38, node.scale), len(rows), [None, pa.py_buffer(wide)])
        wrong = (lengths > 16) | (lengths == 0)
        # Only as many bytes as could hold too many digits need a look.
        for at in np.flatnonzero(~wrong & (lengths * 8 - 1 >= int(node.precision * 3.3219))).tolist():
            wrong[at] = not fits(values[at].as_py(), field.type)
        self.state.doubt(rows, wrong, Reason.OUT_OF_RANGE)
        return pa.Array.from_buffers(field.type, len(rows), [pa.array(~wrong).buffers()[1], pa.py_buffer(wide)])

    def _variable_decimal(self, node: Node, rows: Ints) -> pa.Array:
        parts = {name: self.read(item, fields.of_avro(item, name), rows).to_pylist() for name, item in node.fields}
        pairs = zip(parts["scale"], parts["value"], strict=True)
        texts = [plain_decimal(variable_decimal(scale or 0, raw or b"")) for scale, raw in pairs]
        self.state.doubt(
            rows, np.array([text is None for text in texts]) & ~self.state.failed[rows], Reason.OUT_OF_RANGE
        )
        return pa.array(texts, pa.string())

    def _enum(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        places = self._choices(rows, len(node.symbols), 32)
        return pa.array(node.symbols, pa.string()).take(pa.array(places))

    def _union(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        which = self._choices(rows, len(node.branches), 64)
        nulls = np.zeros(len(rows), bool)
        values: list[pa.Array] = []
        for index, (_, branch) in enumerate(node.branches):
            chosen = which == index
            if branch.kind == "null":
                nulls |= chosen
                continue
            inner = field if node.simple else field.type[len(values)]
            values.append(spread.scatter(self.read(branch, inner, rows[chosen]), chosen))
        if node.simple:
            return values[0]
        return pa.StructArray.from_arrays(values, fields=list(field.type), mask=pa.array(nulls))

    def _choices(self, rows: Ints, count: int, bits: int) -> Ints:
        """Which of so many; 0 for what failed."""
        which = self.state.integers(rows, bits)
        self.state.fail(rows, (which < 0) | (which >= count), Reason.MALFORMED)
        return np.where(self.state.failed[rows], 0, which)

    def _array(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        item = field.type.value_field
        (values,), owners = self._blocks(node, rows, [item], lambda inner: [self.read(node.items, item, inner)])  # type: ignore[arg-type]
        return pa.ListArray.from_arrays(offsets_of(owners, len(rows)), values, type=field.type)

    def _map(self, node: Node, field: pa.Field, rows: Ints) -> pa.Array:
        key, item = field.type.key_field, field.type.item_field
        (names, values), owners = self._blocks(
            node,
            rows,
            [key, item],
            lambda inner: [self._string(node, key, inner), self.read(node.items, item, inner)],  # type: ignore[arg-type]
        )
        keep = last_of_each(owners, names)
        if not keep.all():
            self.state.doubt(rows, np.isin(np.arange(len(rows)), owners[~keep]), Reason.DUPLICATE_KEYS)
            chosen = pa.array(keep)
            names, values, owners = names.filter(chosen), values.filter(chosen), owners[keep]
        return pa.MapArray.from_arrays(offsets_of(owners, len(rows)), names, values, type=field.type)

    def _blocks(
        self, node: Node, rows: Ints, members: list[pa.Field], read: Callable[[Ints], list[pa.Array]]
    ) -> tuple[list[pa.Array], Ints]:
        """All items of arrays or maps as flat columns, and which of `rows` (by position) each is of, ascending."""
        left = np.zeros(len(rows), np.int64)
        open_ = ~self.state.failed[rows]
        pieces: list[list[pa.Array]] = [[pa.array([], member.type)] for member in members]
        owners: list[Ints] = [np.zeros(0, np.int64)]
        while True:
            self._next_blocks(rows, left, open_)
            active = np.flatnonzero(open_)
            if len(active) < FEW:
                break
            for piece, values in zip(pieces, read(rows[active]), strict=True):
                piece.append(values)
            owners.append(active)
            left[active] -= 1
            open_[active] = ~self.state.failed[rows[active]]
        for at in active.tolist():
            self._rest(node, int(rows[at]), int(left[at]), at, members, pieces, owners)
        owner = np.concatenate(owners)
        order = np.argsort(owner, kind="stable")
        flat = [pa.concat_arrays(piece).take(pa.array(order)) for piece in pieces]
        return flat, owner[order]

    def _next_blocks(self, rows: Ints, left: Ints, open_: Bools) -> None:
        """Where a block is used up, read how many items the next one has; close what has none."""
        state = self.state
        while len(fresh := np.flatnonzero(open_ & (left == 0))):
            at = rows[fresh]
            counts = state.integers(at, 64)
            sized = counts < 0
            if sized.any():
                state.lengths(at[sized])
                counts = np.abs(counts)
            too_many = (counts > EMPTY_ITEMS) & (counts > state.end[at] - state.at[at])
            state.fail(at, too_many | (counts < 0), Reason.TOO_LARGE)
            left[fresh] = counts
            open_[fresh] = (counts > 0) & ~state.failed[at]

    def _rest(
        self,
        node: Node,
        row: int,
        left: int,
        at: int,
        members: list[pa.Field],
        pieces: list[list[pa.Array]],
        owners: list[Ints],
    ) -> None:
        """The items that one row still has."""

        def read(reader: RawReader) -> list[Any]:
            return reader.remaining(node, members[-1], left)

        found = self._row(row, read) or []
        columns = [list(column) for column in zip(*found, strict=True)] if len(members) > 1 else [found]
        for piece, column, member in zip(pieces, columns or [[] for _ in members], members, strict=True):
            piece.append(self._array_of(column, member.type, row))
        owners.append(np.full(len(found), at))

    def _array_of(self, values: list[Any], kind: pa.DataType, row: int) -> pa.Array:
        reasons: list[str | None] = [None] * len(values)
        array, reasons_array = to_array(values, reasons, kind)
        if reasons_array.null_count < len(values):
            self.state.doubt(np.array([row]), np.array([True]), Reason.OUT_OF_RANGE)
        return array

    def _one_by_one(self, rows: Ints, read: Callable[[RawReader], Any], kind: pa.DataType) -> pa.Array:
        values = [self._row(row, read) for row in rows.tolist()]
        reasons: list[str | None] = [None] * len(values)
        array, found = to_array(values, reasons, kind)
        self.state.doubt(rows, spread.valid(found), Reason.OUT_OF_RANGE)
        return array

    def _row(self, row: int, read: Callable[[RawReader], Any]) -> Any:
        state = self.state
        if state.failed[row]:
            return None
        where = np.array([row])
        start, end = int(state.at[row]), int(state.end[row])
        reader = RawReader(state.data[start:end].tobytes())
        try:
            value = read(reader)
        except PayloadError as error:
            state.fail(where, np.array([True]), error.reason)
            return None
        except RecursionError:
            state.fail(where, np.array([True]), Reason.TOO_DEEP)
            return None
        state.at[row] = start + reader.at
        if reader.doubt is not None:
            state.doubt(where, np.array([True]), reader.doubt)
        return value
