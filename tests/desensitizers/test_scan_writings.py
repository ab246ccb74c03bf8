"""A scan finds what it is told to find however the text spells or encodes it, and takes nothing else away."""

from __future__ import annotations

import pytest

from desensitizers.learned import Learned, spelled
from tests.desensitizers.helpers import batch, policy, scrub
from tests.desensitizers.proof.test_writings import ORIGINALS, WRITINGS, found

SCAN = "{rule: scan, detectors: [email, phone, card, iban, learned]}"
WIDE = "4539578763621486".translate({char: char + 0xFEE0 for char in range(0x30, 0x3A)})
BINARY = {"bare deflate", "bzip2", "xz", "lz4", "zstd", "zlib", "zlib in a frame"}


def scanned(text: str, *learned: tuple[str, str]) -> str:
    plan = policy(f"value: {SCAN[:1]}format: string, {SCAN[1:]}").plan()
    plan.learned = Learned([(domain, one.decode()) for domain, name in learned for one in spelled(name)])
    (after,) = plan.for_topic("t").apply(batch([text.encode()])).batch["value"].to_pylist()
    return after.decode()


@pytest.mark.parametrize("writing", sorted(WRITINGS.keys() - BINARY))
def test_an_original_does_not_stay_in(writing: str) -> None:
    payloads = [(text, WRITINGS[writing](text)) for text in ORIGINALS]
    texts = [(text, data.decode()) for text, data in payloads if data.decode("utf-8", "ignore").encode() == data]
    left = [text for text, data in texts if found(scanned(data, ("name", text)).encode(), text)]
    assert left == []


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("card " + WIDE + " declined", ("card ", " declined")),
        ("card 4539\u00a05787\u20116362\u00a01486 declined", ("card ", " declined")),
        ("iban DE89\u00a03704\u00a00044\u202f0532\u00a00130\u00a000, please", ("iban ", ", please")),
        ("to anna\u200b@\u00adfirma.de today", ("to ", " today")),
        ("to anna%40firma.de today", ("to ", " today")),
        ("to anna&#64;firma.de today", ("to ", " today")),
        (r"to anna\u0040firma.de today", ("to ", " today")),
        ("see YW5uYS5zY2htaWR0QGZpcm1hLmRl there", ("see ", " there")),
    ],
)
def test_an_identifier_goes_and_the_text_around_it_stays(text: str, stays: tuple[str, str]) -> None:
    after = scanned(text)
    assert after.startswith(stays[0])
    assert after.endswith(stays[1])
    assert after != text


def test_an_identifier_in_wide_digits_becomes_the_surrogate_of_the_field() -> None:
    (after,) = scrub(f"value: {{c: {{domain: card}}, t: {SCAN}}}", {"c": "4539578763621486", "t": f"with {WIDE}"})
    assert after["t"] == f"with {after['c']}"


@pytest.mark.parametrize(
    "text",
    [
        "Größe geändert – „bitte“ prüfen, l’été",
        "order 4bf92f3577b34da6a3ce929d0e0e4736 at 2026-11-03T14:02:00+01:00",
        "GET /search?q=red%20shoes&page=2 200",
        "a &amp; b &lt; c, 100 % sure, x=3D",
        "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcw==",
        "two  spaces\tand\r\nlines",
    ],
)
def test_a_text_without_finds_stays_as_it_is(text: str) -> None:
    assert scanned(text, ("name", "Anna Mustermann")) == text
