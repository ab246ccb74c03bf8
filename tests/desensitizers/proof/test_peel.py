from __future__ import annotations

import base64
import gzip
import json
import re

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from desensitizers.learned import normal
from desensitizers.proof import peel
from desensitizers.proof.canaries import Canary, canaries
from desensitizers.proof.peel import layers
from desensitizers.proof.search import Haystack, Needles


@pytest.mark.parametrize("canary", canaries(), ids=lambda canary: f"{canary.channel}, {canary.encoding}")
def test_a_canary_is_found_in_every_encoding(canary: Canary) -> None:
    noise = b'{"id":"4bf92f3577b34da6a3ce929d0e0e4736","t":1763711234567}\n'
    haystack = Haystack(layers(noise * 20 + canary.planted + b"\n" + noise * 20))
    assert haystack.find([Needles([normal(canary.text)])])


ORDINARY = re.compile(rb"[A-Z]?[a-z+/]*|[A-Z+/]*|[0-9+/]*|[0-9a-fA-F]*")
"""Base64 that looks like a word, a number or hex: the stated limit of what is told from them."""


@given(st.text(min_size=6, max_size=30), st.integers(min_value=0, max_value=5))
@example("270\x96\U0001de5aÇ", 0)
def test_base64_is_found_at_every_alignment(text: str, shift: int) -> None:
    encoded = base64.b64encode(b"x" * shift + text.encode())
    assume(not ORDINARY.fullmatch(encoded.rstrip(b"=")))
    wrapped = b'{"x":"' + encoded + b'"}'
    assert any(text.encode() in layer for layer in layers(wrapped))


@given(st.text(min_size=1))
def test_json_escapes_come_off(text: str) -> None:
    assert any(text.encode("utf-8", "surrogatepass") in layer for layer in layers(json.dumps(text).encode()))


@given(st.binary(max_size=300))
def test_any_bytes_can_be_peeled(data: bytes) -> None:
    assert layers(data)[0] == data


def test_broken_and_endless_compression_is_harmless() -> None:
    packed = gzip.compress(b"Anna Schmidt " * 1000)
    assert any(b"Anna Schmidt" in layer for layer in layers(b"x" + packed[:-20]))
    bomb = gzip.compress(bytes(50 << 20))
    assert max(map(len, layers(bomb))) <= 17 << 20


PIECES = st.one_of(
    st.text("abcXYZ0189+/-_= .", max_size=40).map(str.encode),
    st.text("0123456789abcdef", max_size=40).map(str.encode),
    st.text("ABab01+/=", max_size=20).map(str.encode),
    st.binary(max_size=20).map(base64.b64encode),
    st.binary(max_size=20),
)


@given(st.lists(PIECES, max_size=8).map(b"".join))
@example(b"0X000000")
@example(b"0xQUJDREVGR0hJSktM 0xABCDEF0123456789")
def test_runs_are_those_that_a_look_at_each_gives(block: bytes) -> None:
    mixed, hexadecimal = set(), set()
    for match in re.finditer(rb"[A-Za-z0-9+/_-]{8,}", block):
        run = match[0]
        after = block[match.end() : match.end() + 2]
        grouped = (len(run) + len(after) - len(after.lstrip(b"="))) % 4 == 0 and not re.search(rb"[-_]", run)
        all_hex, lettered = re.fullmatch(rb"[0-9a-fA-F]+", run), re.search(rb"[A-Za-z]", run)
        in_groups = grouped and lettered and not run.isalpha() and not all_hex
        if in_groups or (re.search(rb".[A-Z]", run) and re.search(rb"[a-z]", run)):
            mixed.add(run)
        for digits in (run, run[2:]) if run[:2].lower() == b"0x" else (run,):
            lettered = re.search(rb"[A-Za-z]", digits)
            if re.fullmatch(rb"[0-9a-fA-F]+", digits) and (
                len(digits) >= 12 if lettered else re.fullmatch(rb"([2-7][0-9]){9,}", digits)
            ):
                hexadecimal.add(digits)
    in_base64, in_hex = peel._runs(block)
    assert (in_base64, peel._slices(block, *in_hex)) == (mixed, hexadecimal)


@given(st.lists(st.one_of(st.binary(min_size=6, max_size=12), st.text(min_size=6).map(str.encode))), st.booleans())
def test_text_in_hex_is_what_can_be_decoded(pieces: list[bytes], upper: bool) -> None:
    runs = [piece.hex().upper() if upper else piece.hex() for piece in pieces]
    block = " ".join(run + "0" * (number % 2) for number, run in enumerate(runs)).encode()
    places = [match.span() for match in re.finditer(rb"[0-9a-fA-F]+", block)]
    starts, ends = (np.array([one[side] for one in places], np.intp) for side in (0, 1))
    expected = {piece for piece in pieces[::2] if decodable(piece)}
    assert peel._in_hex(block, starts, ends) == expected


def decodable(data: bytes) -> bool:
    return data.decode("utf-8", "ignore").encode() == data
