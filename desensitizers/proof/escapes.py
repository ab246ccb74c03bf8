"""Letters after a backslash: JSON's escapes, and those that programs write into logs."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    rb'\\(?:u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|(["\\/bfnrt])'
    rb"|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|(?:u\{|U00)([0-9a-fA-F]{1,6})\}?)"
)
"""Beside JSON's: bytes as ``\\xfc`` or ``\\374``, letters as ``\\u{fc}`` or ``\\U000000fc``."""
_SIMPLE = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def unescaped(data: bytes) -> bytes:
    """The letters themselves."""
    return _ESCAPE.sub(_unescape, data)


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[3]:
        return _SIMPLE.get(match[3], match[3])
    if match[4] or match[5]:
        return bytes((int(match[4], 16) if match[4] else int(match[5], 8),))
    if match[6]:
        code = int(match[6], 16)
        return chr(code).encode("utf-8", "surrogatepass") if code <= 0x10FFFF else match[0]
    first = int(match[1], 16)
    if match[2] and 0xD800 <= first < 0xDC00:
        code = 0x10000 + ((first - 0xD800) << 10) + (int(match[2], 16) - 0xDC00)
        return chr(code).encode()
    text = chr(first).encode("utf-8", "surrogatepass")
    return text + (chr(int(match[2], 16)).encode("utf-8", "surrogatepass") if match[2] else b"")
