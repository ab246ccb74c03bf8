"""Avro bodies one by one, in the raw values that Arrow's types take: integers for times, pairs for maps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from recorder.payloads import fields, times
from recorder.payloads.avro_reader import EMPTY_ITEMS, Reader
from recorder.payloads.avro_schema import Node
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.values import to_json


class RawReader(Reader):
    """Reads what `field` (from `fields.of_avro`) asks for. What a type can't hold is None and a doubt."""

    __slots__ = ()

    def raw(self, node: Node, field: pa.Field) -> Any:
        """One value. Raises PayloadError."""
        if fields.is_json(field):
            return to_json(self.read(node, 0))
        kind = node.kind
        if kind == "record" and node.logical:
            return plain_decimal(self.read(node, 0))
        if kind == "record":
            return {
                member.name: self.raw(item, member) for (_, item), member in zip(node.fields, field.type, strict=True)
            }
        if kind == "union":
            return self._raw_union(node, field)
        if kind == "array":
            return [self.raw(self._inner(node), field.type.value_field) for _ in self._blocks()]
        if kind == "map":
            pairs = {}
            for count, _ in enumerate(self._blocks(), 1):
                name = self._string()
                pairs[name] = self.raw(self._inner(node), field.type.item_field)
                if count != len(pairs):
                    self._doubt(Reason.DUPLICATE_KEYS)
            return list(pairs.items())
        if kind == "string":
            return self._string()
        if kind in ("int", "long") and node.logical:
            return self._time(node, self._integer(32 if kind == "int" else 64))
        value = self.read(node, 0)
        if node.logical == "decimal":
            return self._decimal(node, value)
        return value

    def _raw_union(self, node: Node, field: pa.Field) -> Any:
        index = self._integer(64)
        if not 0 <= index < len(node.branches):
            raise PayloadError(Reason.MALFORMED, f"union branch {index} of {len(node.branches)}")
        label, branch = node.branches[index]
        if branch.kind == "null":
            return None
        if node.simple:
            return self.raw(branch, field)
        member = next(member for member in field.type if fields.real_name(member) == label)
        return {member.name: self.raw(branch, member)}

    def _string(self) -> str:
        text = self._text()
        return text if isinstance(text, str) else text.decode(errors="replace")

    def remaining(self, node: Node, field: pa.Field, left: int) -> list[Any]:
        """The items that an array (or the pairs that a map) still has when `left` of the present block are unread."""
        found: list[Any] = []
        empty = 0
        while left or (left := self._next_block()):
            left -= 1
            start = self.at
            name = (self._string(),) if node.kind == "map" else ()
            value = self.raw(self._inner(node), field)
            found.append((*name, value) if name else value)
            empty += self.at == start
            if empty > EMPTY_ITEMS:
                raise PayloadError(Reason.TOO_LARGE, f"more than {EMPTY_ITEMS:,} items of no bytes")
        return found

    def leaf(self, node: Node, raw: bytes) -> Any:
        """Bytes that stand for something (a decimal, a UUID)."""
        value = self._binary(node, raw)
        return self._decimal(node, value) if node.logical == "decimal" else value

    def _next_block(self) -> int:
        count = self._integer(64)
        if count < 0:
            self._size()
        return abs(count)

    def _time(self, node: Node, value: int) -> int | None:
        first, last = time_span(node)
        if first <= value <= last:
            return value
        self._doubt(Reason.OUT_OF_RANGE)
        return None

    def _decimal(self, node: Node, value: Any) -> Any:
        if isinstance(value, bytes) or len(value.as_tuple().digits) > node.precision:
            return None  # in doubt already
        return value if node.precision <= fields.DECIMAL_DIGITS else format(value, "f")

    def _doubt(self, reason: Reason) -> None:
        self.doubt = self.doubt or reason

    @staticmethod
    def _inner(node: Node) -> Node:
        assert node.items is not None
        return node.items


def plain_decimal(number: Any) -> str | None:
    """A number that brings its scale along, as text without an exponent; None for what is in doubt already."""
    return format(number, "f") if isinstance(number, Decimal) else None


def time_span(node: Node) -> tuple[int, int]:
    """The first and the last number of a date or time that has a year of four digits (or is within a day)."""
    if node.logical == "date":
        return times.FIRST_DAY, times.LAST_DAY
    scale = 10 ** times.DIGITS[node.unit]
    if node.logical == "time":
        return 0, 86400 * scale - 1
    return max(times.FIRST_SECOND * scale, -(2**63)), min(times.LAST_SECOND * scale + scale - 1, 2**63 - 1)
