"""Avro schemas as the types that desensitizers rewrite by: where each value lies, how it is spelled, what it is tagged.

Dates, times, decimals and UUIDs meet rules as the text or number that they show as, and go back in their own form.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from functools import partial
from typing import Any

from desensitizers.cells import Cell
from desensitizers.errors import Refusal, UnfitError
from desensitizers.types import Field, Type
from desensitizers.varint import read, unzigzag, write, zigzag
from recorder.payloads import times
from recorder.payloads.avro_schema import Node

_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_DAY = "2000-01-31"
_EXACT = Context(prec=1100)


def avro_type(root: Node) -> Type:
    """The type of a schema's root node; types within themselves point back."""
    return _Builder().build(root)


class _Builder:
    def __init__(self) -> None:
        self._known: dict[int, Type] = {}

    def build(self, node: Node) -> Type:
        known = self._known.get(id(node))
        if known is not None:
            return known
        if node.kind in ("record", "array", "map", "union"):
            made = self._known[id(node)] = Type(node.kind, node.name, frozenset(node.tags))  # type: ignore[arg-type]
            made.fields = [
                Field(name, self.build(inner), frozenset(node.field_tags.get(name, ()))) for name, inner in node.fields
            ]
            made.items = self.build(node.items) if node.items is not None else None
            made.branches = [(label, self.build(branch)) for label, branch in node.branches]
            return made
        return self._known.setdefault(id(node), _leaf(node))


def _leaf(node: Node) -> Type:
    tags = frozenset(node.tags)
    kind = node.kind
    if kind == "null":
        return Type("null", tags=tags)
    if kind in ("int", "long"):
        return Type("scalar", tags=tags, cell=_integer(node, 31 if kind == "int" else 63))
    if kind == "boolean":
        cell = Cell("boolean", "boolean", lambda raw: _flag(raw), lambda value: b"\1" if value else b"\0", b"\0")
        return Type("scalar", tags=tags, cell=cell, choices=0, wire="fixed", size=1)
    if kind in ("float", "double"):
        return Type("scalar", tags=tags, cell=_real(kind), wire="fixed", size=4 if kind == "float" else 8)
    if kind == "enum":
        return Type("scalar", node.name, tags, cell=_enum(node), choices=len(node.symbols))
    if kind == "fixed":
        return Type("scalar", node.name, tags, cell=_binary(node), wire="fixed", size=node.size)
    cell = _binary(node) if kind == "bytes" else _string(node)
    return Type("scalar", tags=tags, cell=cell, wire="sized")


def _flag(raw: bytes) -> bool:
    if raw not in (b"\0", b"\1"):
        raise UnfitError("is no boolean")
    return raw == b"\1"


def _number(raw: bytes) -> int:
    return unzigzag(read(raw, 0)[0])


def _integer(node: Node, bits: int) -> Cell:
    def plain(value: Any) -> bytes:
        whole = _whole(value, node.kind)
        if not -(1 << bits) <= whole < 1 << bits:
            raise UnfitError(f"gives a number that doesn't fit {node.kind}")
        return write(zigzag(whole) & 0xFFFFFFFFFFFFFFFF)

    if not node.logical:
        return Cell("number", node.kind, _number, plain, b"\0")
    if node.logical == "date":
        return _temporal("date", times.day, times.parse_day, plain, _DAY)
    if node.logical == "time":
        show = partial(times.clock, unit=node.unit)
        return _temporal(f"time ({node.unit})", show, partial(times.parse_clock, unit=node.unit), plain, "12:34:56")
    show = partial(times.stamp, unit=node.unit, local=node.logical != "timestamp")
    sample = f"{_DAY}T12:34:56" + ("Z" if node.logical == "timestamp" else "")
    return _temporal(f"{node.logical} ({node.unit})", show, partial(times.parse_stamp, unit=node.unit), plain, sample)


def _temporal(
    name: str,
    show: Callable[[int], str | int],
    parse: Callable[[Any], int],
    plain: Callable[[Any], bytes],
    sample: str,
) -> Cell:
    def text(raw: bytes) -> str:
        shown = show(_number(raw))
        if isinstance(shown, int):
            raise UnfitError("is a time outside of the years 1 to 9999, which no rule can work on; keep or replace it")
        return shown

    def back(value: Any) -> bytes:
        try:
            return plain(parse(value))
        except ValueError:
            raise UnfitError(f"does not give a {name}") from None

    return Cell("string", name, text, back, b"\0", (plain(parse(sample)),))


def _whole(value: Any, kind: str) -> int:
    if isinstance(value, Decimal | float) and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError(f"does not give a whole number, which {kind} takes")
    return value


def _real(kind: str) -> Cell:
    code = _FLOAT if kind == "float" else _DOUBLE

    def number(raw: bytes) -> Decimal:
        value = code.unpack(raw)[0]
        if value != value or value in (float("inf"), float("-inf")):
            raise UnfitError("is not a number that a rule can work on")
        return Decimal(f"{value:.9g}" if kind == "float" else repr(value))

    def back(value: Any) -> bytes:
        try:
            return code.pack(float(value))
        except (OverflowError, ValueError, struct.error):
            raise UnfitError(f"gives a number that doesn't fit {kind}") from None

    return Cell("number", kind, number, back, bytes(code.size))


def _enum(node: Node) -> Cell:
    def symbol(raw: bytes) -> str:
        choice = _number(raw)
        if not 0 <= choice < len(node.symbols):
            raise Refusal("", f"can't be decoded: choice {choice} of {len(node.symbols)}", undecodable=True)
        return node.symbols[choice]

    def back(value: Any) -> bytes:
        if value not in node.symbols:
            raise UnfitError(f"does not give one of the {len(node.symbols)} symbols")
        return write(zigzag(node.symbols.index(value)))

    samples = tuple(write(zigzag(choice)) for choice in range(len(node.symbols)))
    return Cell("string", f"enum {node.name}", symbol, back, b"\0", samples)


def _string(node: Node) -> Cell:
    if node.logical != "uuid":
        return Cell("string", "string", bytes.decode, _utf8, b"")
    return Cell("string", "UUID in text", bytes.decode, lambda value: str(_uuid(value)).encode(), b"", (_SAMPLE_UUID,))


_SAMPLE_UUID = b"3f2b8c1e-5d4a-4c6b-9e8f-0a1b2c3d4e5f"


def _utf8(value: Any) -> bytes:
    try:
        return str(value).encode()
    except UnicodeEncodeError:
        raise UnfitError("gives half a surrogate pair, which is no text") from None


def _uuid(value: Any) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise UnfitError("does not give a UUID") from None


def _binary(node: Node) -> Cell:
    size = node.size if node.kind == "fixed" else 0
    name = f"fixed {node.name} of {size} bytes" if size or node.kind == "fixed" else "bytes"
    if node.logical == "uuid":
        return Cell(
            "string", "UUID", lambda raw: str(uuid.UUID(bytes=raw)), lambda value: _uuid(value).bytes, bytes(16),
            (uuid.UUID(_SAMPLE_UUID.decode()).bytes,),
        )  # fmt: skip
    if node.logical == "decimal":
        return _decimal(node, size)

    def fit(value: Any) -> bytes:
        raw = bytes(value)
        if node.kind == "fixed" and len(raw) != size:
            raise UnfitError(f"gives {len(raw)} bytes where there must be {size}")
        return raw

    return Cell("bytes", name, bytes, fit, bytes(size), (bytes(size),) if node.kind == "fixed" and size else ())


def _decimal(node: Node, size: int) -> Cell:
    limit = 10**node.precision

    def value(raw: bytes) -> Decimal:
        if not raw:
            raise UnfitError("is a decimal of no bytes")
        return _EXACT.scaleb(Decimal(int.from_bytes(raw, "big", signed=True)), -node.scale)

    def back(number: Any) -> bytes:
        try:
            scaled = _EXACT.scaleb(Decimal(str(number)), node.scale)
            whole = int(scaled)
        except (InvalidOperation, OverflowError, ValueError):
            raise UnfitError("does not give a number") from None
        if whole != scaled:
            raise UnfitError(f"gives more than {node.scale} digits after the point")
        if abs(whole) >= limit:
            raise UnfitError(f"gives more than {node.precision} digits")
        return whole.to_bytes(size or ((whole if whole >= 0 else ~whole).bit_length() // 8 + 1), "big", signed=True)

    zero = bytes(size or 1)
    return Cell("number", f"decimal({node.precision}, {node.scale})", value, back, zero)
