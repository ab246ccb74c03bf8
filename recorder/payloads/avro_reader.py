"""One Avro body read as a tree, with bounds on what a few bytes may claim."""

from __future__ import annotations

import struct
import uuid
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

from recorder.payloads import times
from recorder.payloads.avro_schema import DECIMAL_DIGITS, Node
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.values import DEPTH_LIMIT

DECIMAL_BYTES = 416  # enough for the thousand digits that a schema may ask for
EMPTY_ITEMS = 100_000
"""Items of no bytes (nulls, empty records) that an array may claim: a few bytes must not fill the memory."""
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")


class Reader:
    """A position in a body; `doubt` is the first thing that was odd and could be shown all the same."""

    __slots__ = ("at", "data", "doubt")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self.doubt: Reason | None = None

    def read(self, node: Node, depth: int) -> Any:
        """One value. Raises PayloadError."""
        if depth > DEPTH_LIMIT:
            raise PayloadError(Reason.TOO_DEEP, f"more than {DEPTH_LIMIT} levels")
        kind = node.kind
        if kind == "string":
            return self._text()
        if kind in ("int", "long"):
            return self._shown(node, self._integer(32 if kind == "int" else 64))
        if kind == "union":
            return self._union(node, depth)
        if kind == "record":
            found = {name: self.read(item, depth + 1) for name, item in node.fields}
            return self._variable_decimal(found) if node.logical else found
        if kind == "double":
            return _DOUBLE.unpack(self._take(8))[0]
        if kind == "boolean":
            byte = self._take(1)[0]
            if byte > 1:
                raise PayloadError(Reason.MALFORMED, f"boolean {byte}")
            return byte == 1
        if kind == "enum":
            return _choice(node.symbols, self._integer(32), "enum")
        if kind == "bytes":
            return self._binary(node, self._take(self._size()))
        if kind == "fixed":
            return self._binary(node, self._take(node.size))
        if kind == "array":
            return [self.read(_items(node), depth + 1) for _ in self._blocks()]
        if kind == "map":
            pairs: dict[str, Any] = {}
            for count, _ in enumerate(self._blocks(), 1):
                name = self._text()
                pairs[name if isinstance(name, str) else name.hex()] = self.read(_items(node), depth + 1)
                if count != len(pairs):
                    self.doubt = self.doubt or Reason.DUPLICATE_KEYS
            return pairs
        return None if kind == "null" else _FLOAT.unpack(self._take(4))[0]

    def _shown(self, node: Node, value: int) -> int | str:
        if not node.logical:
            return value
        shown: int | str
        if node.logical == "date":
            shown = times.day(value)
        elif node.logical == "time":
            shown = times.clock(value, node.unit)
        else:
            shown = times.stamp(value, node.unit, local=node.logical == "local-timestamp")
        if isinstance(shown, int):
            self.doubt = self.doubt or Reason.OUT_OF_RANGE
        return shown

    def _union(self, node: Node, depth: int) -> Any:
        label, branch = _choice(node.branches, self._integer(64), "union branch")
        value = self.read(branch, depth + 1)
        return value if node.simple or branch.kind == "null" else {label: value}

    def _blocks(self) -> Any:
        """As many items as the blocks of an array or map say; each must be read before the next is asked for."""
        empty = 0
        while count := self._integer(64):
            if count < 0:
                count = -count
                self._size()
            for _ in range(count):
                start = self.at
                yield None
                empty += self.at == start
                if empty > EMPTY_ITEMS:
                    raise PayloadError(Reason.TOO_LARGE, f"more than {EMPTY_ITEMS:,} items of no bytes")

    def _text(self) -> str | bytes:
        raw = self._take(self._size())
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.doubt = self.doubt or Reason.INVALID_UTF8
            return raw

    def _binary(self, node: Node, raw: bytes) -> str | bytes | Decimal:
        if node.logical == "uuid":
            return str(uuid.UUID(bytes=raw))
        if node.logical != "decimal":
            return raw
        if not 0 < len(raw) <= DECIMAL_BYTES:
            self.doubt = self.doubt or Reason.OUT_OF_RANGE
            return raw
        whole = int.from_bytes(raw, "big", signed=True)
        if abs(whole) >= 10**node.precision:
            self.doubt = self.doubt or Reason.OUT_OF_RANGE
        return _EXACT.scaleb(Decimal(whole), -node.scale)

    def _variable_decimal(self, found: dict[str, Any]) -> Decimal | dict[str, Any]:
        """A number that brings its scale along."""
        number = variable_decimal(found["scale"], found["value"])
        if number is None:
            self.doubt = self.doubt or Reason.OUT_OF_RANGE
            return found
        return number

    def _size(self) -> int:
        size = self._integer(64)
        if size < 0:
            raise PayloadError(Reason.MALFORMED, f"a length of {size}")
        return size

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise PayloadError(Reason.TRUNCATED, f"{end - len(self.data)} bytes are missing")
        raw = self.data[self.at : end]
        self.at = end
        return raw

    def _integer(self, bits: int) -> int:
        value = shift = 0
        data, at = self.data, self.at
        while True:
            if at >= len(data):
                raise PayloadError(Reason.TRUNCATED, "a number ends too early")
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise PayloadError(Reason.MALFORMED, "a number of more than 64 bits")
        if value >> bits:
            raise PayloadError(Reason.MALFORMED, f"a number of more than {bits} bits")
        self.at = at
        return (value >> 1) ^ -(value & 1)


def variable_decimal(scale: int, raw: bytes) -> Decimal | None:
    """Two's complement with `scale` digits after the point; None for what is too large to write out."""
    if not 0 < len(raw) <= DECIMAL_BYTES or abs(scale) > DECIMAL_DIGITS:
        return None
    return _EXACT.scaleb(Decimal(int.from_bytes(raw, "big", signed=True)), -scale)


def _choice(options: Any, index: int, what: str) -> Any:
    if not 0 <= index < len(options):
        raise PayloadError(Reason.MALFORMED, f"{what} {index} of {len(options)}")
    return options[index]


def _items(node: Node) -> Node:
    assert node.items is not None
    return node.items
