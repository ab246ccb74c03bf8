"""Avro bodies as trees and back: a union of several kinds keeps which one it was, so that bytes come back exactly.

A union of null and one other kind is that or null; any other union is an object with one member, named as the branch,
as in Avro's own JSON encoding. Reads with the schema that wrote (no resolution): what is shown is what was sent.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from recorder.payloads import fields, times
from recorder.payloads.avro_schema import DECIMAL_DIGITS, Node, parse
from recorder.payloads.codec import Column, Format, Read
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.schemas import Schema
from recorder.payloads.values import DEPTH_LIMIT, Value, number

DECIMAL_BYTES = 416  # enough for the thousand digits that a schema may ask for
EMPTY_ITEMS = 100_000
"""Items of no bytes (nulls, empty records) that an array may claim: a few bytes must not fill the memory."""
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")


class AvroCodec:
    """Avro's binary encoding, bare (no container file)."""

    format: Format = "avro"
    exact = True

    def __init__(self, schema: Schema, referenced: Mapping[str, Schema]) -> None:
        """Raises PayloadError when the schema does not parse."""
        self.root = parse(schema, referenced)
        self._field = fields.of_avro(self.root)

    def decode(self, body: bytes) -> Read:
        reader = Reader(body)
        value = reader.read(self.root, 0)
        if reader.at != len(body):
            raise PayloadError(Reason.TRAILING_BYTES, f"{len(body) - reader.at} bytes after the end")
        return Read(value, reader.doubt)

    def encode(self, value: Value, like: bytes | None = None) -> bytes:
        out = bytearray()
        try:
            _write(self.root, value, out)
        except (ValueError, TypeError, KeyError, OverflowError, struct.error, InvalidOperation) as error:
            raise PayloadError(Reason.MISMATCH, f"{error!s:.200}") from error
        except RecursionError as error:
            raise PayloadError(Reason.TOO_DEEP) from error
        return bytes(out)

    def field(self) -> pa.Field:
        return self._field

    def column(self, bodies: pa.Array) -> Column:
        from recorder.payloads.avro_columns import read_column

        return read_column(self.root, self._field, bodies)


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


def _write(node: Node, value: Any, out: bytearray) -> None:
    kind = node.kind
    if kind == "record":
        if node.logical and not isinstance(value, dict):
            value = _with_scale(Decimal(value))
        _fits(value, dict, node)
        if unknown := value.keys() - {name for name, _ in node.fields}:
            raise ValueError(f"{node.name} has no field {sorted(unknown)[0]!r:.60}")
        for name, item in node.fields:
            _write(item, value[name], out)
    elif kind == "union":
        _write_union(node, value, out)
    elif kind == "string":
        _write_bytes(value if isinstance(value, bytes) else _fits(value, str, node).encode(), out)
    elif kind in ("int", "long"):
        raw = _integer_of(node, value)
        bits = 31 if kind == "int" else 63
        if not -(1 << bits) <= raw < 1 << bits:
            raise ValueError(f"{raw} is beyond Avro's {kind}")
        _write_integer(raw, out)
    elif kind == "boolean":
        out.append(_fits(value, bool, node))
    elif kind == "double":
        out += _DOUBLE.pack(number(value))
    elif kind == "float":
        out += _FLOAT.pack(number(value))
    elif kind == "enum":
        _write_integer(node.symbols.index(value), out)
    elif kind == "bytes":
        _write_bytes(_binary_of(node, value), out)
    elif kind == "fixed":
        raw_bytes = _binary_of(node, value)
        if len(raw_bytes) != node.size:
            raise ValueError(f"{node.name} takes {node.size} bytes, not {len(raw_bytes)}")
        out += raw_bytes
    elif kind in ("array", "map"):
        _fits(value, list if kind == "array" else dict, node)
        if value:
            _write_integer(len(value), out)
            for item in value if kind == "array" else value.items():
                if kind == "map":
                    _write_bytes(item[0].encode(), out)
                _write(_items(node), item if kind == "array" else item[1], out)
        out.append(0)
    elif value is not None:
        raise ValueError(f"null can't hold {value!r:.60}")


def _write_union(node: Node, value: Any, out: bytearray) -> None:
    if value is None or node.simple:
        for index, (_, branch) in enumerate(node.branches):
            if (branch.kind == "null") == (value is None):
                _write_integer(index, out)
                return _write(branch, value, out)
        raise ValueError("a union without null can't hold null")
    (label, inner), *others = _fits(value, dict, node).items()
    for index, (known, branch) in enumerate(node.branches):
        if known == label and not others:
            _write_integer(index, out)
            return _write(branch, inner, out)
    raise ValueError(f"a union has no branch {label!r:.60}")


def _integer_of(node: Node, value: Any) -> int:
    if node.logical == "date":
        return times.parse_day(value)
    if node.logical == "time":
        return times.parse_clock(value, node.unit)
    if node.logical:
        return times.parse_stamp(value, node.unit)
    if isinstance(value, bool):
        raise ValueError(f"{node.kind} can't hold {value}")
    return int(_fits(value, int, node))


def _binary_of(node: Node, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if node.logical == "uuid":
        return uuid.UUID(value).bytes
    if node.logical != "decimal":
        raise ValueError(f"{node.kind} can't hold {value!r:.60}")
    scaled = _EXACT.scaleb(Decimal(value), node.scale)
    if scaled.adjusted() > 1000:
        raise ValueError(f"{value!r:.60} is no decimal of {node.precision} digits")
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{value} has more than {node.scale} digits after the point")
    return _twos_complement(whole, node.size)


def _twos_complement(whole: int, size: int = 0) -> bytes:
    """One bit for the sign, in as few bytes as it takes: what Java's BigInteger writes."""
    return whole.to_bytes(size or ((whole if whole >= 0 else ~whole).bit_length() // 8 + 1), "big", signed=True)


def _with_scale(number: Decimal) -> dict[str, Any]:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > DECIMAL_DIGITS:
        raise ValueError(f"no decimal: {number!s:.60}")
    return {"scale": -exponent, "value": _twos_complement(int(_EXACT.scaleb(number, -exponent)))}


def _fits(value: Any, kind: type, node: Node) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{node.name or node.kind} can't hold {value!r:.60}")
    return value


def _write_bytes(raw: bytes, out: bytearray) -> None:
    _write_integer(len(raw), out)
    out += raw


def _write_integer(number: int, out: bytearray) -> None:
    value = (number << 1) ^ (number >> 63)
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
