from __future__ import annotations

import base64
import gzip
import json
import re
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from desensitizers.learned import fold
from desensitizers.proof import repeats
from desensitizers.proof.lines import Lines
from desensitizers.proof.needles import ROW
from desensitizers.proof.peel import layers
from desensitizers.proof.repeats import Repeats, cut
from desensitizers.proof.rescan import PIECEWISE, Rescan
from desensitizers.proof.search import Exact
from tests.desensitizers.proof.test_rescan import LIKE_REAL

CUT = re.compile(rb'(?<=,)(?= ?")', re.DOTALL)
BITS = st.sampled_from([b",", b'"', b" ", b"a", b"bc", b"\n", b"1" * 9, b"x" * 30, b"\xc3\xbc", b""])
PAYLOAD = st.one_of(st.none(), st.lists(BITS, max_size=12).map(b"".join))


def column(*payloads: bytes | None) -> pa.Array:
    return pa.array(payloads, pa.binary())


@given(st.lists(st.lists(PAYLOAD, max_size=5), max_size=4), st.integers(0, 2), st.sampled_from([7, 512]))
def test_what_was_not_remembered_comes_piece_by_piece(
    batches: list[list[bytes | None]], skipped: int, longest: int
) -> None:
    seen, known = Repeats(), set[bytes]()
    with patch.object(repeats, "_LONGEST", longest):
        for payloads in batches:
            wanted = [piece for payload in payloads[skipped:] for piece in CUT.split(payload or b"") if piece]
            fresh = seen.fresh(column(*payloads).slice(skipped))
            if fresh is None:
                assert not wanted
                continue
            came = fresh.column.to_pylist()
            assert [piece for piece in came if piece not in known] == [piece for piece in wanted if piece not in known]
            assert set(came) <= set(wanted)
            seen.remember(fresh)
            known.update(piece for piece in wanted if len(piece) <= longest)


def test_pieces_of_every_length_are_told_apart() -> None:
    seen = Repeats()
    texts = [bytes((97 + place % 26,)) * length for length in range(1, 520) for place in (0, 1)]
    changed = [text[:-1] + b"!" for text in texts] + [b"!" + text[1:] for text in texts if len(text) > 1]
    fresh = seen.fresh(column(*texts))
    assert fresh is not None
    seen.remember(fresh)
    again, others = seen.fresh(column(*texts, b"!")), seen.fresh(column(*changed))
    assert again is not None and others is not None
    news = {text for text in texts if len(text) > 512} | {b"!"}
    assert news <= set(again.column.to_pylist())
    assert len(again.column) - len(news) < 60  # two of a thousand may want the same slot
    assert others.column.to_pylist() == changed


def test_more_than_fits_is_forgotten_and_nothing_taken_for_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_FEWEST_SLOTS", 4)
    monkeypatch.setattr(repeats, "_MOST_SLOTS", 64)
    seen = Repeats()
    for start in range(0, 1_000, 50):
        texts = [b"%d" % number for number in range(start, start + 50)]
        fresh = seen.fresh(column(*texts))
        assert fresh is not None
        assert fresh.column.to_pylist() == texts
        seen.remember(fresh)
        again = seen.fresh(column(*texts))
        assert again is not None
        assert set(again.column.to_pylist()) < set(texts)


def test_what_may_be_more_than_text_is_not_cut() -> None:
    packed = gzip.compress(b"anna")
    for payload in packed, repr(packed).encode(), 'ü,"'.encode("cp1252"), 'x,"y"'.encode("utf-16-le"), b"x=1F=8B":
        assert Repeats().fresh(column(b"x", payload)) is None
    assert Repeats().fresh(column(b'{"a":"\\u00fc","b":"%20\\n","c":"\xc3\xbc=1F&x=10"}\r\n\t')) is not None


BETWEEN = st.sampled_from(["", " ", '"', ", ", ',"', ', "', "\n", "-", ".", "+", "_", "1", " 3", "a", "é", "x,", "@"])
REAL = [
    *(one for one in LIKE_REAL if one.isascii()),
    "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_key",
    "sk-" + "a1" * 20,
    "10.1.2.3",
    "00:1b:44:11:3a:b7",
]
TEXT = st.lists(st.one_of(st.sampled_from(REAL), BETWEEN, BETWEEN), max_size=9).map("".join)


@pytest.mark.parametrize("name", sorted(PIECEWISE))
@given(st.lists(TEXT.map(str.encode), min_size=1, max_size=4))
@example([b'["AKIA', b'", "x@y.de", "b"]'])
def test_what_a_detector_suspects_in_a_payload_it_suspects_in_a_piece(name: str, payloads: list[bytes]) -> None:
    rescan = Rescan([name])
    whole = column(*payloads)
    fresh = Repeats().fresh(whole)
    if rescan.rows(whole):
        assert fresh is None or rescan.suspected(fresh.column, fresh.lines, fresh.payload) is None


WORDS = st.sampled_from(
    ["anna", "Bob", "ü", "é😀", ", ", '"', ',"', "\\", "%41", "%", "+", "\n", " ", "77", "x-y", "/"]
)
PHRASE = st.lists(WORDS, min_size=1, max_size=6).map("".join)
ENCODED = st.one_of(
    PHRASE.map(str.encode),
    PHRASE.map(lambda text: json.dumps({"a": text, "b": text}).encode()),
    PHRASE.map(lambda text: json.dumps([text, json.dumps([text, "c"])], ensure_ascii=False).encode()),
    PHRASE.map(lambda text: b'{"a":"1", "b":"%s","c": 1}' % base64.b64encode(text.encode())),
    PHRASE.map(lambda text: b'x,"%s","y"' % "".join(f"%{byte:02x}" for byte in text.encode()).encode()),
    PHRASE.map(lambda text: b'["%s", "y"]' % text.encode().hex().encode()),
)


@given(st.lists(ENCODED, min_size=1, max_size=4), st.lists(PHRASE, min_size=1, max_size=5))
def test_a_needle_that_payloads_hold_is_in_a_piece_or_known_to_be_cut(
    payloads: list[bytes], phrases: list[str]
) -> None:
    texts = {fold(text.encode().strip()) for text in phrases}
    forms = {form for text in texts for form in (text, b'"' + text + b'"', ROW + text + ROW) if len(text) > 2}
    known = Repeats()
    whole = column(*payloads)
    fresh = known.fresh(whole)
    if fresh is None:
        return
    wanted = Exact(forms)
    expected = {form for layer in layers(Lines.of(whole).data) for form in wanted.find(fold(layer))}
    found = {form for layer in layers(fresh.lines.data) for form in wanted.find(fold(layer))}
    assert {form for form in expected if not cut(form)} <= found
