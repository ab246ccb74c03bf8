"""The tree that every codec decodes to and encodes from, and its JSON text.

A tree is None, bool, int, float, str, list, dict (text keys) as JSON has them, plus two kinds of leaf: `bytes` and
`Decimal`. Times are RFC 3339 text, or the raw integer where a year has no four digits. The JSON text spells
bytes as ``{"base64": …}``, decimals as text (no digit is lost anywhere), 64-bit integers as numbers, and NaN and the
infinities as ``"NaN"``, ``"Infinity"``, ``"-Infinity"``.
"""

from __future__ import annotations

import base64
import math
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

Value: TypeAlias = "bool | int | float | str | bytes | Decimal | list[Any] | dict[str, Any] | None"

DEPTH_LIMIT = 200


def to_json(value: Value) -> str:
    """JSON text of a tree, compact."""
    return msgspec.json.encode(plain(value)).decode()


def plain(value: Value) -> Any:
    """The tree with nothing but what JSON has."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else special(value)
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, Decimal):
        return format(value, "f")
    return value


def special(value: float) -> str:
    """NaN and infinities as Protobuf's JSON spells them."""
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def number(value: Any) -> float:
    """A float from a tree: also from an integer and from the spelling of NaN and infinities. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    raise ValueError(f"not a number: {value!r:.60}")
