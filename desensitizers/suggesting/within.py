"""What a text holds, as ``format:`` of a policy names it: JSON, also in base64, gzip, hex or percent encoding, or the
fields of a URL.

Tokens (JWT) are not looked into: they open doors, and are removed whole.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

from desensitizers.encodings import decode
from desensitizers.errors import Refusal

INSIDE = "\x1d"
"""Begins the step into what a text holds; the form follows, as in ``base64 json``."""
_BASE64 = re.compile(r"(?:e[wy]|W|H4sI)[A-Za-z0-9+/_-]{8,}={0,2}")
_HEX = re.compile(r"(?:7[bB]|5[bB])(?:[0-9A-Fa-f]{2})+")
_PAIR = r"[A-Za-z_][\w.\-\[\]]*=[^&=\s?#]*"
_QUERY = re.compile(rf"(?:[a-zA-Z][a-zA-Z0-9+.-]*://[^\s?#]+\?{_PAIR}(?:&{_PAIR})*|{_PAIR}(?:&{_PAIR})+)")


def is_inside(step: str) -> bool:
    return step.startswith(INSIDE)


def form_of(step: str) -> str:
    """Of such a step: encodings, outermost first, and what is in them, with spaces between."""
    return step.removeprefix(INSIDE)


def document(text: str) -> tuple[str, Any] | None:
    """(form, object or array) of what a text holds; None when it holds nothing that has fields."""
    inner = _json(text)
    if inner:
        return "json", inner
    if text[:1] == "%":
        return _decoded(text, "url")
    if _BASE64.fullmatch(text):
        return _decoded(text, "base64", "gzip") if text.startswith("H4sI") else _decoded(text, "base64")
    if _HEX.fullmatch(text):
        return _decoded(text, "hex")
    return ("query", _fields(text)) if "=" in text and _QUERY.fullmatch(text) else None


def _json(text: str) -> Any:
    if text[:1] not in ("{", "[") or text[-1:] not in ("}", "]"):
        return None
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _decoded(text: str, *encodings: str) -> tuple[str, Any] | None:
    try:
        data = text.encode()
        for name in encodings:
            data, _again = decode(name, data)
        inner = _json(data.decode())
    except (Refusal, UnicodeError):
        return None
    return (" ".join((*encodings, "json")), inner) if inner else None


def _fields(text: str) -> dict[str, str]:
    """What stands before the ``?`` is at ``@url``."""
    head, _mark, tail = text.rpartition("?")
    pairs = (pair.partition("=") for pair in tail.split("&"))
    found = {unquote_plus(name): unquote_plus(value) for name, _equals, value in pairs}
    return {"@url": head, **found} if head else found
