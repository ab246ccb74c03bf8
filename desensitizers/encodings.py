"""Encodings that a text may stand in (base64, hex, percent, gzip), taken off and put on again in the same style."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Callable
from urllib.parse import quote_from_bytes, quote_plus, unquote_to_bytes

from desensitizers.errors import Refusal

MOST_BYTES = 16 << 20
"""What may come out of gzip."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]*={0,2}")
_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
ENCODINGS = ("base64", "hex", "url", "gzip")

Encode = Callable[[bytes], bytes]


def decode(name: str, data: bytes) -> tuple[bytes, Encode]:
    """(what is inside, how to write it again). Raises Refusal for what is not in this encoding."""
    try:
        return _DECODERS[name](data)
    except (binascii.Error, ValueError, EOFError, OSError, zlib.error):
        raise Refusal("", f"is not {name}", undecodable=True) from None


def _base64(data: bytes) -> tuple[bytes, Encode]:
    """Plain or URL-safe, with or without padding."""
    if not _BASE64.fullmatch(data):
        raise ValueError
    safe = b"-" in data or b"_" in data
    padded = data.endswith(b"=") or len(data) % 4 == 0
    plain = base64.b64decode(data.rstrip(b"=") + b"=" * (-len(data.rstrip(b"=")) % 4), b"-_" if safe else b"+/")

    def again(inside: bytes) -> bytes:
        out = base64.urlsafe_b64encode(inside) if safe else base64.b64encode(inside)
        return out if padded else out.rstrip(b"=")

    return plain, again


def _hex(data: bytes) -> tuple[bytes, Encode]:
    upper = data != data.lower()
    return binascii.unhexlify(data), lambda inside: inside.hex().upper().encode() if upper else inside.hex().encode()


def _url(data: bytes) -> tuple[bytes, Encode]:
    """Percent encoding; ``+`` is a space where the text has no ``%20``."""
    if _PERCENT.search(data):
        raise ValueError
    if b"+" in data and b"%20" not in data:
        return unquote_to_bytes(data.replace(b"+", b" ")), lambda inside: quote_plus(inside).encode()
    return unquote_to_bytes(data), lambda inside: quote_from_bytes(inside, safe="").encode()


def _gzip(data: bytes) -> tuple[bytes, Encode]:
    stream = zlib.decompressobj(31)
    plain = stream.decompress(data, MOST_BYTES)
    if not stream.eof or stream.unused_data:
        raise ValueError
    return plain, lambda inside: gzip.compress(inside, mtime=0)


_DECODERS: dict[str, Callable[[bytes], tuple[bytes, Encode]]] = {
    "base64": _base64,
    "hex": _hex,
    "url": _url,
    "gzip": _gzip,
}
