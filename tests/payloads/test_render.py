"""Payloads for eyes: every byte string has a harmless, honest picture."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.payloads.render import Kind, cells, fit, hex_dump, one_line, pretty, render


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (None, "null"),
        (b"", "empty"),
        (b'{"a": 1}', "json"),
        (b"  [1, 2]", "json"),
        (b"{not json", "text"),
        (b'{"a": NaN}', "text"),
        (b"[" * 100_000, "text"),
        (b"acct-42", "text"),
        ("Grüße 你好".encode(), "text"),
        (b"\x00\x00\x00\x00\x00\x00\x00\x2a", "hex"),
        (b"\x01\x02\x03abc", "hex"),
        (b"\xff\xfe", "hex"),
        (b'{"a": "\xff"}', "hex"),
    ],
)
def test_kind_is_told_from_the_bytes(payload: bytes | None, kind: Kind) -> None:
    assert render(payload).kind == kind


def test_pretty_json_keeps_the_spelling_of_numbers_order_and_duplicate_keys() -> None:
    shown = pretty(b'{"z":1.10,"id":123456789012345678901234567890,"z":1e400,"e":[]}')
    assert shown == '{\n  "z": 1.10,\n  "id": 123456789012345678901234567890,\n  "z": 1e400,\n  "e": []\n}'


def test_null_and_empty_look_different() -> None:
    assert one_line(None, 20) != one_line(b"", 20)


def test_one_line_of_indented_json_is_one_line() -> None:
    assert one_line(b'{\n  "a": 1,\n  "b": 2\n}', 40) == '{ "a": 1, "b": 2 }'


def test_one_line_marks_line_breaks_of_text() -> None:
    assert one_line(b"boom\n\tat main\r\n", 40) == "boom↵ at main↵"


def test_one_line_cuts_a_long_payload_without_reading_it_all() -> None:
    assert one_line(b"x" * 10_000_000, 10) == "xxxxxxxxx…"
    assert one_line(b"\xff" * 10_000_000, 10) == "0xffffffffff"[:9] + "…"


def test_one_line_cut_inside_a_character_stays_text() -> None:
    assert one_line("ü".encode() * 1000, 3) == "üü…"
    assert one_line(b"a" + "ü".encode() * 1000, 3) == "aü…"


def test_wide_characters_count_two_cells() -> None:
    assert fit("你好世界", 5) == "你好…"


def test_hex_dump_looks_like_xxd() -> None:
    assert hex_dump(bytes(range(15, 33))) == (
        "00000000  0f 10 11 12 13 14 15 16  17 18 19 1a 1b 1c 1d 1e  ................\n"
        "00000010  1f 20" + " " * 18 + "  " + " " * 23 + "  . "
    )


def test_caps_say_what_they_hide() -> None:
    assert pretty(b"a" * (256 * 1024 + 5)).endswith("\n… 5 more characters")
    assert pretty(b"\xff" * (16 * 1024 + 1_000)).endswith("\n… 1,000 more bytes")


def test_escapes_in_json_keep_it_json() -> None:
    payload = '{"a":"\u202e\x9b"}'.encode()
    assert json.loads(pretty(payload)) == json.loads(payload)


@given(st.one_of(st.binary(), st.text().map(str.encode), st.text().map(json.dumps).map(str.encode)))
def test_no_payload_can_steer_a_terminal_or_overflow_its_cell(payload: bytes) -> None:
    line = one_line(payload, 12)
    assert sum(map(cells, line)) <= 12
    assert not any(_steers(character) for character in line)
    assert not any(_steers(character) for character in pretty(payload) if character not in "\n\t")


def _steers(character: str) -> bool:
    return ord(character) < 32 or 0x7F <= ord(character) < 0xA0 or 0x202A <= ord(character) <= 0x202E
