"""A tree written as an Avro body; what does not fit its schema is a PayloadError or one of Python's own."""

from __future__ import annotations

import struct
import uuid
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

from recorder.payloads import times
from recorder.payloads.avro_schema import DECIMAL_DIGITS, Node
from recorder.payloads.values import number

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")


def write(node: Node, value: Any, out: bytearray) -> None:
    kind = node.kind
    if kind == "record":
        if node.logical and not isinstance(value, dict):
            value = _with_scale(Decimal(value))
        _fits(value, dict, node)
        if unknown := value.keys() - {name for name, _ in node.fields}:
            raise ValueError(f"{node.name} has no field {sorted(unknown)[0]!r:.60}")
        for name, item in node.fields:
            write(item, value[name], out)
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
        assert node.items is not None
        if value:
            _write_integer(len(value), out)
            for item in value if kind == "array" else value.items():
                if kind == "map":
                    _write_bytes(item[0].encode(), out)
                write(node.items, item if kind == "array" else item[1], out)
        out.append(0)
    elif value is not None:
        raise ValueError(f"null can't hold {value!r:.60}")


def _write_union(node: Node, value: Any, out: bytearray) -> None:
    if value is None or node.simple:
        for index, (_, branch) in enumerate(node.branches):
            if (branch.kind == "null") == (value is None):
                _write_integer(index, out)
                return write(branch, value, out)
        raise ValueError("a union without null can't hold null")
    (label, inner), *others = _fits(value, dict, node).items()
    for index, (known, branch) in enumerate(node.branches):
        if known == label and not others:
            _write_integer(index, out)
            return write(branch, inner, out)
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
