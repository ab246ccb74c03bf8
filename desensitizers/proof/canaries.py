"""Canaries: made-up originals planted in every channel and encoding, to see that the search would find real ones.

A proof that finds nothing proves nothing until it has found what was put there.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import quopri
import secrets
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

CHANNELS = ("key", "value", "header", "header name")
"""Where a record can hold a text."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A unique text, where it is planted, and the bytes planted there."""

    channel: str
    encoding: str
    text: str
    planted: bytes


def _wrapped(encode: Callable[[bytes], bytes]) -> Callable[[str], bytes]:
    return lambda text: b'{"a":"' + encode(text.encode()) + b'"}'


def _inner(text: str) -> bytes:
    return json.dumps({"who": text}).encode()


_LINE = "x" * 50 + " "
"""So much of a line that a text of ours is broken."""
_ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "json": lambda text: json.dumps({"a": [{"b": text}]}, ensure_ascii=False).encode(),
    "json escapes": lambda text: b'{"a":"' + "".join(f"\\u{ord(c):04x}" for c in text).encode() + b'"}',
    "json in a string": lambda text: json.dumps({"a": _inner(text).decode()}).encode(),
    "map key": lambda text: json.dumps({text: 1}, ensure_ascii=False).encode(),
    "upper case": lambda text: text.upper().encode(),
    "url": _wrapped(lambda data: quote(data, safe="").replace("-", "%2D").encode()),
    "url, every byte": _wrapped(lambda data: "".join(f"%{byte:02x}" for byte in data).encode()),
    "base64": _wrapped(base64.b64encode),
    "base64 of json": lambda text: base64.b64encode(_inner(text)),
    "url-safe base64": _wrapped(lambda data: base64.urlsafe_b64encode(b"??>" + data).rstrip(b"=")),
    "jwt": lambda text: b".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"none"}', _inner(text), b"sig")
    ),
    "hex": _wrapped(lambda data: data.hex().encode()),
    "hex with colons": _wrapped(lambda data: data.hex(":").encode()),
    "gzip": lambda text: gzip.compress(_inner(text)),
    "gzip in base64": _wrapped(lambda data: base64.b64encode(gzip.compress(data))),
    "zlib in base64": _wrapped(lambda data: base64.b64encode(zlib.compress(data))),
    "base64 in lines": lambda text: json.dumps(
        {"a": base64.encodebytes((_LINE + text).encode() * 2).decode()}
    ).encode(),
    "zlib": lambda text: zlib.compress(_inner(text)),
    "deflate": lambda text: zlib.compress(_inner(text), wbits=-15),
    "quoted-printable": lambda text: quopri.encodestring((_LINE + text).encode()),
    "entities": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace"),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "Latin-1": lambda text: b"<" + text.encode("latin-1") + b">",
    "decomposed": lambda text: unicodedata.normalize("NFD", text).encode(),
    "soft hyphens": lambda text: "\u00ad".join(text).encode(),
    "wide letters": lambda text: text.translate({char: char + 0xFEE0 for char in range(0x21, 0x7F)}).encode(),
    "in two lines": lambda text: json.dumps(text.replace(" ", "\n")).encode(),
    "base64 in base64": _wrapped(lambda data: base64.b64encode(base64.b64encode(data))),
}
_NAMES = {"plain", "upper case", "url", "base64 of json"}


def canaries() -> list[Canary]:
    """One per channel and encoding, different each time. Header names carry text only."""
    return [
        Canary(channel, name, text, encode(text))
        for channel in CHANNELS
        for name, encode in _ENCODINGS.items()
        if channel != "header name" or name in _NAMES
        for text in (f"Känary {secrets.token_hex(6)}",)
    ]
