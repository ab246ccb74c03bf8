from __future__ import annotations

import random
import uuid

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.detectors import NAMES, detector
from desensitizers.detectors.card import luhn_digit

FOUND = [
    ("email", "Anna <anna.mueller@firma.de>,", "anna.mueller@firma.de"),
    ("email", "zoë@müller.de", "zoë@müller.de"),
    ("phone", "call +49 170 1234567 now", "+49 170 1234567"),
    ("phone", "+1 (202) 555-1234", "+1 (202) 555-1234"),
    ("card", "4539578763621486", "4539578763621486"),
    ("card", "paid by 5500-0000-0000-0004.", "5500-0000-0000-0004"),
    ("card", "4539 5787 6362 1486 12/27", "4539 5787 6362 1486"),
    ("iban", "DE89 3704 0044 0532 0130 00 before friday", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432", "GB82WEST12345698765432"),
    ("ip", "at 84.12.7.9:8080", "84.12.7.9"),
    ("ip", "fe80::1ff:fe23:4567:890a", "fe80::1ff:fe23:4567:890a"),
]
ONLY_IN_TEXTS = [
    ("phone", "030 901820"),
    ("phone", "(030) 901820"),
    ("phone", "0049 30 901820"),
    ("phone", "01701234567"),
    ("iban", "de89370400440532013000"),
]
NOTHING = [
    ("email", "a@b, user@localhost, @example.com"),
    ("phone", "2026-03-01T14:02:11+02:00 1e+10 12+49 30"),
    ("card", "1763711234567 1763711234567123 1763711234567123456 4539578763621487 x4539578763621486"),
    ("iban", "DE89370400440532013001 XT38459022549811872944 ab12cdef34567890abcd"),
    ("ip", "1.2.3 12:34:56 1.2.3.4.5 300.1.1.1"),
]


@pytest.mark.parametrize(("name", "text", "found"), FOUND)
def test_it_is_found_in_texts_and_in_a_finished_copy(name: str, text: str, found: str) -> None:
    one = detector(name)
    assert [text[start:end] for start, end in one.find(text)] == [found]
    assert [text[start:end] for start, end in one.leaks(text)] == [found]


@pytest.mark.parametrize(("name", "text"), ONLY_IN_TEXTS)
def test_in_texts_detectors_are_eager(name: str, text: str) -> None:
    assert [text[start:end] for start, end in detector(name).find(text)] == [text]


@pytest.mark.parametrize(("name", "text"), NOTHING)
def test_what_only_looks_alike_is_not_found_in_a_finished_copy(name: str, text: str) -> None:
    assert not list(detector(name).leaks(text))


@pytest.mark.parametrize(("name", "text", "_found"), FOUND)
def test_the_prefilter_lets_every_find_through(name: str, text: str, _found: str) -> None:
    assert pc.match_substring_regex(pa.array([text.encode()]), detector(name).prefilter).to_pylist() == [True]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ner"])
@given(st.text(alphabet="0123456789+@.:- abcdefDEBANX/()", max_size=60))
def test_the_prefilter_is_no_stricter_than_the_detector(name: str, text: str) -> None:
    one = detector(name)
    if list(one.leaks(text)):
        assert pc.match_substring_regex(pa.array([text.encode()]), one.prefilter).to_pylist() == [True]


def test_generated_cards_are_found_and_technical_numbers_are_not() -> None:
    rng = random.Random(1)
    card = detector("card")
    for _ in range(500):
        body = f"{rng.choice(['4', '51', '55', '2300', '60112', '65'])}"
        body += "".join(rng.choice("0123456789") for _ in range(15 - len(body)))
        assert list(card.leaks(f"no. {body}{luhn_digit(body)}"))
    hard = [str(1_763_711_234_567 + rng.randrange(10**9)) for _ in range(500)]
    hard += [str(1_763_711_234_567_000 + rng.randrange(10**12)) for _ in range(500)]
    hard += [str(1_763_711_234_567_000_000 + rng.randrange(10**15)) for _ in range(500)]
    hard += [str(uuid.UUID(int=rng.getrandbits(128), version=4)) for _ in range(2_000)]
    assert sum(bool(list(card.leaks(text))) for text in hard) <= 1
