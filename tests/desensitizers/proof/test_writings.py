"""An original is found however mail, pages, programs and people write it."""

from __future__ import annotations

import base64
import bz2
import gzip
import html
import json
import lzma
import quopri
import unicodedata
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pyarrow as pa
import pytest

from desensitizers.proof.needles import Thresholds, needles
from desensitizers.proof.peel import layers
from desensitizers.proof.search import Haystack, Needles
from desensitizers.spelling import one_spaced, tidy, tidy_with_places

ORIGINALS = (
    "Zoë Müller-Lüdke",
    unicodedata.normalize("NFD", "Zoë Müller-Lüdke"),
    "Anna Mustermann",
    "Seán O'Brien",
    "Seán O\u2019Brien",
    "İbrahim Işık",
    "Jürgen Weiß",
    "Иван Петров",
    "山田太郎様",
    "zoe.mueller+tag@firma-köln.de",
    "+49 170 1234567",
    "DE89 3704 0044 0532 0130 00",
    "4539578763621486",
)
LINE = "x" * 47 + " "


def inside(data: bytes) -> bytes:
    return b'{"a":"' + data + b'"}'


def in_a_text(text: str) -> bytes:
    return f"kunde {text} bitte".encode()


def bare_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def entities(text: str) -> bytes:
    names = {ord(char): f"&{name};" for name, char in html.entities.html5.items() if name == name.rstrip(";")}
    return text.translate({code: name for code, name in names.items() if code > 127 or chr(code) in "<>&'\""}).encode()


def escape(text: str) -> bytes:
    """JavaScript's."""
    plain = (char if char.isalnum() and char.isascii() else None for char in text)
    codes = (f"%u{ord(char):04X}" if ord(char) > 255 else f"%{ord(char):02X}" for char in text)
    return "".join(one or code for one, code in zip(plain, codes, strict=True)).encode()


WRITINGS: dict[str, Callable[[str], bytes]] = {
    "JSON in JSON in JSON": lambda text: json.dumps({"a": json.dumps({"b": json.dumps([text])})}).encode(),
    "upper case": lambda text: in_a_text(text.upper()),
    "lower case": lambda text: in_a_text(text.lower()),
    "case folded": lambda text: in_a_text(text.casefold()),
    "percent twice": lambda text: inside(quote(quote(text, safe=""), safe="").encode()),
    "JavaScript's escape": lambda text: inside(escape(text)),
    "base64 in lines": lambda text: json.dumps(base64.encodebytes((LINE + text + LINE * 3).encode()).decode()).encode(),
    "base64 in lines, as it is": lambda text: base64.encodebytes((LINE + text + LINE * 3).encode()),
    "base64 in CRLF lines": lambda text: base64.encodebytes((LINE + text).encode() * 3).replace(b"\n", b"\r\n"),
    "gzip in base64 in lines": lambda text: base64.encodebytes(gzip.compress((LINE + str(range(99)) + text).encode())),
    "hex": lambda text: inside(text.encode().hex().encode()),
    "hex after 0x": lambda text: inside(b"0x" + text.encode().hex().upper().encode()),
    "hex with colons": lambda text: inside(text.encode().hex(":").encode()),
    "hex with spaces": lambda text: in_a_text(text.encode().hex(" ").upper()),
    "bytes as C has them": lambda text: inside(b",".join(b"0x%02x" % byte for byte in text.encode())),
    "bytes as C has them, spaced": lambda text: inside(b", ".join(b"0x%02X" % byte for byte in text.encode())),
    "bytes after backslashes": lambda text: inside(b"".join(b"\\x%02X" % byte for byte in text.encode())),
    "gzip in hex": lambda text: inside(gzip.compress(text.encode()).hex().encode()),
    "zlib": lambda text: zlib.compress(in_a_text(text)),
    "zlib in a frame": lambda text: b"\0\0\0\0\1" + zlib.compress(in_a_text(text), 9),
    "bare deflate in base64, percent": lambda text: inside(
        quote(base64.b64encode(bare_deflate(in_a_text(text)))).encode()
    ),
    "bare deflate": lambda text: bare_deflate(in_a_text(text) * 3),
    "zstd": lambda text: pa.compress(in_a_text(text) * 20, "zstd", asbytes=True),
    "lz4": lambda text: pa.compress(in_a_text(text) * 20, "lz4", asbytes=True),
    "bzip2": lambda text: bz2.compress(in_a_text(text)),
    "xz": lambda text: lzma.compress(in_a_text(text)),
    "quoted-printable": lambda text: quopri.encodestring(("w " * 33 + text + " w" * 33).encode()),
    "quoted-printable in JSON": lambda text: json.dumps(
        quopri.encodestring(("w " * 33 + text).encode()).decode()
    ).encode(),
    "a mail's header": lambda text: b"=?utf-8?Q?" + quopri.encodestring(text.encode(), header=True) + b"?=",
    "numeric entities": lambda text: "".join(f"&#x{ord(char):x};" for char in text).encode(),
    "named entities": entities,
    "UTF-16, little end first": lambda text: in_a_text(text).decode().encode("utf-16-le"),
    "UTF-16, big end first": lambda text: in_a_text(text).decode().encode("utf-16-be"),
    "UTF-16 in base64": lambda text: inside(base64.b64encode(in_a_text(text).decode().encode("utf-16-le"))),
    "UTF-32, little end first": lambda text: in_a_text(text).decode().encode("utf-32-le"),
    "UTF-32, big end first": lambda text: in_a_text(text).decode().encode("utf-32-be"),
    "UTF-32 with a mark": lambda text: in_a_text(text).decode().encode("utf-32"),
    "UTF-32 in base64": lambda text: inside(base64.b64encode(in_a_text(text).decode().encode("utf-32-be"))),
    "bytes as Python shows them": lambda text: inside(repr(text.encode())[2:-1].encode()),
    "bytes in octal": lambda text: inside(b"".join(b"\\%03o" % byte for byte in text.encode())),
    "code points in braces": lambda text: inside("".join(f"\\u{{{ord(char):x}}}" for char in text).encode()),
    "wide letters": lambda text: in_a_text(text.translate({char: char + 0xFEE0 for char in range(0x21, 0x7F)})),
    "zero-width joiners": lambda text: in_a_text("\u200d".join(text)),
    "soft hyphens": lambda text: in_a_text("\u00ad".join(text)),
    "soft hyphens, escaped": lambda text: json.dumps("\u00ad".join(text)).encode(),
    "no-break spaces": lambda text: in_a_text(text.replace(" ", "\u00a0")),
    "no-break hyphens": lambda text: in_a_text(text.replace("-", "\u2011")),
    "typographic apostrophes": lambda text: in_a_text(text.replace("'", "\u2019")),
    "decomposed": lambda text: in_a_text(unicodedata.normalize("NFD", text)),
    "composed": lambda text: in_a_text(unicodedata.normalize("NFC", text)),
    "Arabic digits": lambda text: in_a_text(text.translate({ord("0") + n: 0x660 + n for n in range(10)})),
    "two spaces": lambda text: in_a_text(text.replace(" ", "  ")),
    "a tab": lambda text: in_a_text(text.replace(" ", "\t")),
    "two lines": lambda text: json.dumps({"a": text.replace(" ", "\n")}).encode(),
}


def found(payload: bytes, original: str) -> bool:
    sought = list(needles(original, Thresholds.of(1000, 10_000_000), keeps_form=False))
    return bool(Haystack(layers(b"\nbefore\n" + payload + b"\nafter\n")).find([Needles(sought)]))


@pytest.mark.parametrize("writing", WRITINGS)
def test_an_original_is_found_in(writing: str) -> None:
    assert [text for text in ORIGINALS if not found(WRITINGS[writing](text), text)] == []


def test_a_form_s_plus_is_a_space() -> None:
    assert found(b"q=1&name=" + quote_plus("Anna Mustermann").encode(), "Anna Mustermann")


def test_text_in_the_letters_of_windows_is_found() -> None:
    assert found(in_a_text("Zoë Müller").decode().encode("cp1252"), "Zoë Müller")


def test_a_name_is_found_with_its_last_word_first() -> None:
    assert found(b'{"a":"MUSTERMANN, ANNA"}', "Anna Mustermann")
    assert found("Weiss, Jürgen".encode(), "Jürgen Weiß")


def test_a_host_is_found_as_the_dns_spells_it() -> None:
    assert found(b"to a.b@xn--mller-kva.de", "a.b@müller.de")


def test_what_was_not_written_is_not_found() -> None:
    assert not any(found(write("Ewa Nowak, Kraków"), "Anna Mustermann") for write in WRITINGS.values())


@pytest.mark.parametrize("text", (*ORIGINALS, "", "e\u0301\u00ad x", "\u200d", "a\u00a0 \n b"))
def test_places_lead_back_to_the_text(text: str) -> None:
    plain, places = tidy_with_places(text)
    assert plain == tidy(text)
    assert len(places) == len(plain) + 1
    assert places == sorted(places)
    assert tidy_with_places(text, spaces=True)[0].split() == one_spaced(text).split()
