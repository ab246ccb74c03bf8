"""JSON payloads: the text stays the text, and what a parser would lose in silence is said."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.payloads.json_text import JsonCodec
from recorder.payloads.reasons import Reason

CODEC = JsonCodec()
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(TREES)
def test_compact_json_comes_back_exactly(tree: Any) -> None:
    body = CODEC.encode(tree)
    value, doubt = CODEC.decode(body)
    assert (value, doubt, CODEC.encode(value, body)) == (tree, None, body)


@given(TREES, st.sampled_from([None, 2]))
def test_any_spelling_reads_the_same_and_keeps_its_text(tree: Any, indent: int | None) -> None:
    body = json.dumps(tree, indent=indent).encode()
    assert CODEC.decode(body).value == tree
    assert CODEC.as_text(body) == (body.decode(), None)


@pytest.mark.parametrize(
    ("body", "text", "reason"),
    [
        (b'{"a":1,"a":2}', '{"a":1,"a":2}', Reason.DUPLICATE_KEYS),
        (b'[{"a":1.50,"a":2}]', '[{"a":1.50,"a":2}]', Reason.DUPLICATE_KEYS),
        (b"[123456789012345678901]", "[123456789012345678901]", Reason.BEYOND_64_BITS),
        (b"18446744073709551615", "18446744073709551615", None),
        (b"18446744073709551616", "18446744073709551616", Reason.BEYOND_64_BITS),
        (b"-9223372036854775809", "-9223372036854775809", Reason.BEYOND_64_BITS),
        (b"[1e400]", '["1e400"]', Reason.BEYOND_64_BITS),
        (b"1" * 5000, '"' + "1" * 5000 + '"', Reason.BEYOND_64_BITS),
        (b"[NaN,-Infinity]", '["NaN","-Infinity"]', Reason.NOT_A_NUMBER),
        (b'"\\ud800"', '"\ufffd"', Reason.INVALID_UTF8),
        (b'"\xff"', None, Reason.INVALID_UTF8),
        (b"{", None, Reason.MALFORMED),
        (b"", None, Reason.MALFORMED),
        (b'{"a":1} x', None, Reason.MALFORMED),
        (b"[" * 100_000, None, Reason.TOO_DEEP),
        (b'{"a":0.10}', '{"a":0.10}', None),
    ],
)
def test_doubts_and_failures_are_named(body: bytes, text: str | None, reason: Reason | None) -> None:
    assert CODEC.as_text(body) == (text, reason)


def test_ten_megabytes_are_read() -> None:
    body = json.dumps({"a": "x" * 10_000_000, "b": [1.5] * 1000}).encode()
    assert CODEC.as_text(body) == (body.decode(), None)


@given(st.binary(max_size=40))
def test_no_bytes_break_it(body: bytes) -> None:
    text, reason = CODEC.as_text(body)
    assert (text is None) <= (reason is not None)
    if text is not None:
        json.loads(text)


KEYS = st.sampled_from(["a", 'b":', '"', "é", "\\", ":"])
ITEMS = st.integers(0, 9) | TEXT | st.sampled_from(['":', '\\":'])


@given(st.lists(st.tuples(KEYS, ITEMS)), st.booleans(), st.booleans())
def test_no_double_key_is_missed(items: list[tuple[str, Any]], ascii: bool, spaced: bool) -> None:
    pairs = (json.dumps(name, ensure_ascii=ascii) + ":" + " " * spaced + json.dumps(item) for name, item in items)
    body = ("{" + ",".join(pairs) + ',"x":1.50}').encode() if items else b"{}"
    reason = Reason.DUPLICATE_KEYS if len({name for name, _ in items}) < len(items) else None
    assert CODEC.as_text(body) == (body.decode(), reason)
    assert CODEC.column(pa.array([body, body])).reasons.to_pylist() == [reason, reason]


def test_a_double_key_beside_numbered_escapes_is_not_missed() -> None:
    assert CODEC.as_text(b'{"a":1,"a":2,"s":"\\u0022:"}')[1] is Reason.DUPLICATE_KEYS
    assert CODEC.as_text(b'{"a":1,"a":2,"s":"\\"\\u003A"}')[1] is Reason.DUPLICATE_KEYS
