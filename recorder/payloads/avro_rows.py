"""Avro bodies one by one, in the raw values that Arrow's types take: integers for times, pairs for maps."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from recorder.payloads import fields, times
from recorder.payloads.avro import Reader
from recorder.payloads.avro_schema import Node
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.values import to_json

_SPAN = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class RawReader(Reader):
    """Reads what `field` (from `fields.of_avro`) asks for. What a type can't hold is None and a doubt."""

    __slots__ = ()

    def raw(self, node: Node, field: pa.Field) -> Any:
        """One value. Raises PayloadError."""
        if fields.is_json(field):
            return to_json(self.read(node, 0))
        kind = node.kind
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

    def _time(self, node: Node, value: int) -> int | None:
        if node.logical == "date":
            fits = times.FIRST_DAY <= value <= times.LAST_DAY
        elif node.logical == "time":
            fits = 0 <= value < 86400 * _SPAN[node.unit]
        else:
            fits = times.FIRST_SECOND <= value // _SPAN[node.unit] <= times.LAST_SECOND
        if not fits:
            self._doubt(Reason.OUT_OF_RANGE)
        return value if fits else None

    def _decimal(self, node: Node, value: Any) -> Any:
        if isinstance(value, bytes) or len(value.as_tuple().digits) > node.precision:
            self._doubt(Reason.OUT_OF_RANGE)
            return None
        return value if node.precision <= fields.DECIMAL_DIGITS else format(value, "f")

    def _doubt(self, reason: Reason) -> None:
        self.doubt = self.doubt or reason

    @staticmethod
    def _inner(node: Node) -> Node:
        assert node.items is not None
        return node.items
