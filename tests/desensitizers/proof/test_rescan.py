from __future__ import annotations

import base64
import random
from unittest.mock import patch

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from desensitizers.detectors import PROOF_DEFAULT, detector
from desensitizers.detectors.card import luhn_digit
from desensitizers.proof import sieves
from desensitizers.proof.peel import layers
from desensitizers.proof.rescan import Rescan

RESCAN = Rescan(PROOF_DEFAULT)


def rows(*payloads: bytes | None) -> list[tuple[int, str]]:
    return RESCAN.rows(pa.array(payloads, pa.binary()))


def test_what_looks_real_is_found_with_its_row() -> None:
    assert rows(b'{"a":"x"}', None, b'{"a":"anna@firma.de","c":"4539578763621486"}') == [(2, "email"), (2, "card")]


def test_reserved_ranges_are_clean() -> None:
    text = b"vuveqevaza.javizejave.yqk3@example.test +999945987343083 4000002995589668 XT38459022549811872944"
    assert rows(text) == []


def test_a_host_that_only_begins_like_ours_is_not_reserved() -> None:
    assert rows(b"anna@example.test.evil.com") == [(0, "email")]


def hexadecimal(rng: random.Random, card_at: int, number: int) -> str:
    if number == card_at:
        body = "45" + "".join(rng.choice("0123456789") for _ in range(13))
        return body + str(luhn_digit(body))
    return f"{rng.getrandbits(64):016x}"


def test_an_id_among_ids_is_no_card_though_it_looks_like_one() -> None:
    rng = random.Random(1)
    ids = [hexadecimal(rng, 50, number) for number in range(100)]
    assert rows(*(one.encode() for one in ids)) == []
    assert rows(*(f'{{"a":{{"id":"{one}"}},"n":{number}}}'.encode() for number, one in enumerate(ids))) == []
    assert rows(*(f"00-4bf92f3577b34da6a3ce929d0e0e4736-{one}-01".encode() for one in ids)) == []


def test_a_card_where_others_have_no_id_is_one() -> None:
    rng = random.Random(1)
    card = hexadecimal(rng, 0, 0)
    assert rows(*[b'{"id":"%s"}' % card.encode()] * 20) == [(row, "card") for row in range(20)]
    assert rows(*[b'{"id":"none"}'] * 20, b'{"id":"%s"}' % card.encode()) == [(20, "card")]
    assert rows(*[b"paid"] * 20, b"paid with %s" % card.encode()) == [(20, "card")]


def test_alike_is_what_has_the_same_label() -> None:
    rng = random.Random(1)
    ids = [hexadecimal(rng, 50, number).encode() for number in range(100)]
    column = pa.array(ids, pa.binary())
    assert RESCAN.rows(column, ["ce_id"] * 100) == []
    assert RESCAN.rows(column, ["card" if number == 50 else "ce_id" for number in range(100)]) == [(50, "card")]


def test_decoded_noise_is_not_taken_for_text() -> None:
    assert RESCAN.texts([b"anna@firma.de\n", b"x\n"]) == ["email"]
    assert RESCAN.texts([b"\xf1\x02anna@firma.de", b"\x00anna@firma.de"]) == []


LIKE_REAL = """
anna@firma.de|a@example.test|a@example.test.evil.com|@example.tes|+4930901820|+999945987343083|+(49)30901820|+9
4539578763621486|4539-5787-6362-1486|4539 5787 6362 1486|453957876362148|378282246310005|371449635398431
4000002995589668|5555555555554444|4539578763621487|٤٥٣٩٥٧٨٧٦٣٦٢١٤٨٦|4539٥٧٨٧63621486|DE89370400440532013000
DE89 3704 0044 0532 0130 00|XT38459022549811872944|GB82WEST12345698765432|eyJhbGciOiJub25lIn0.e30.|eyJ|-----BEGIN
-----BEGIN RSA PRIVATE KEY-----""".replace("\n", "|").split("|")[1:]
BETWEEN = st.sampled_from(["", " ", '"', "\n", "-", ".", "+", "_", "1", "12", " 3", "a", "é", "x,", "😀", ".5", "@"])
CARDS = st.integers(10**14, 10**16 - 1).map(lambda body: str(body) + str(luhn_digit(str(body))))
ROW = st.lists(st.one_of(st.sampled_from(LIKE_REAL), BETWEEN, CARDS, st.text(max_size=3)), max_size=8).map("".join)


@pytest.mark.parametrize("name", PROOF_DEFAULT)
@given(
    st.lists(st.one_of(st.none(), ROW.map(str.encode), st.binary(max_size=8)), max_size=5),
    st.sampled_from([8, 1 << 17]),
)
@example([None, b"4539 5787 6362 1486 12", b"", b"a@example.test", b"a@example.test", b"a@b.de"], 8)
def test_what_a_sieve_drops_a_detector_would_not_find(name: str, payloads: list[bytes | None], at_once: int) -> None:
    one = detector(name)
    expected = [
        (row, name)
        for row, payload in enumerate(payloads)
        if payload and pc.match_substring_regex(pa.scalar(payload), one.prefilter).as_py()
        if any(one.leaks(payload.decode("utf-8", "replace")))
    ]
    column = pa.array(payloads, pa.binary())
    with patch.object(sieves, "_AT_ONCE", at_once):
        assert Rescan([name]).rows(column, [str(row) for row in range(len(payloads))]) == expected


def test_what_random_ids_decode_to_is_no_address() -> None:
    rng = random.Random(3)
    ids = b"\n".join(base64.urlsafe_b64encode(rng.randbytes(24)) for _ in range(30_000))
    noise = [*layers(b"\n" + ids + b"\n")[1:], "W;\ufffd×*NÄn@J.ff".encode(), "x@y.bé".encode()]
    assert Rescan(["email"]).texts(noise) == []


@pytest.mark.parametrize("text", ["Zoë <zoë@müller.de>", "почта: anna@firma.de", "anna@пример.рф", "héléna@f.fr"])
def test_addresses_in_texts_of_other_letters_are_found(text: str) -> None:
    below = layers(b"\n" + base64.b64encode(text.encode()) + b"\n")
    assert Rescan(["email"]).texts(below[1:]) == ["email"]
