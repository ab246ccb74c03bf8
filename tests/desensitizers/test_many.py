"""What is done for many values at once is what is done for each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.domains import Domain, DomainSpec
from desensitizers.errors import UnfitError
from desensitizers.json.document import quote, quote_all, unquote, unquote_all
from desensitizers.keys import Keyring
from desensitizers.memos import Budget
from desensitizers.surrogates.ff1 import FF1
from desensitizers.surrogates.permutation import Permutation

KEYRING = Keyring(b"k" * 32)
DIGITS = st.text("0123456789 -", min_size=1, max_size=24)
CARDS = st.integers(10**11, 10**19 - 1).map(str)
PHONES = st.builds("{}{}".format, st.sampled_from(["+", "00", "0", "", "+49 30 "]), st.integers(100, 10**14))


@pytest.mark.parametrize(
    ("kind", "options", "texts"),
    [
        ("digits", {}, DIGITS),
        ("digits", {"partitions": 3}, st.integers(10**7, 10**8).map(str)),
        ("phone", {"country": "49"}, PHONES),
        ("card", {"keep_prefix": 6}, CARDS),
        ("card", {}, CARDS),
        ("digits", {}, st.integers(2**31 - 3, 2**31 + 3).map(str)),
        ("digits", {}, st.integers(0, 10**19).map(str)),
        ("name", {}, st.text(st.characters(), min_size=1)),
        ("email", {}, st.text(min_size=1).map("{}@firma.de".format)),
    ],
)
@given(data=st.data())
@settings(max_examples=20)
def test_surrogates_of_many_are_those_of_each(
    kind: str, options: dict[str, int | str], texts: st.SearchStrategy[str], data: st.DataObject
) -> None:
    told: dict[str, list[tuple[str, str]]] = {"one": [], "many": []}
    domain = Domain(DomainSpec("d", kind, options=options), KEYRING)
    domain.tell = lambda _space, before, after: told["one"].append((before, after))
    domain.tell_all = lambda _space, before, after: told["many"].extend(zip(before, after, strict=True))

    def fits(text: str) -> bool:
        try:
            domain.surrogate(text)
        except UnfitError:
            return False
        return True

    some = [text for text in data.draw(st.lists(texts, min_size=18, max_size=30)) if fits(text)]
    told["one"].clear()
    assert domain.surrogates(some) == [domain.surrogate(text) for text in some]
    assert told["many"] == told["one"]


@given(st.integers(20, 124), st.binary(min_size=32, max_size=32), st.data())
@settings(max_examples=40)
def test_ff1_of_many_numbers_is_ff1_of_each(bits: int, key: bytes, data: st.DataObject) -> None:
    cipher = FF1(key, 2, bits)
    numbers = data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=16, max_size=40))
    assert cipher.many(numbers) == [cipher(number) for number in numbers]


@given(st.sampled_from([10, 999, 2**20 + 1, 10**9, 10**12, 10**18]), st.data())
@settings(max_examples=40)
def test_a_permutation_of_many_is_that_of_each(n: int, data: st.DataObject) -> None:
    permutation = Permutation(b"p" * 32, n)
    values = data.draw(st.lists(st.integers(0, n - 1), max_size=40))
    assert permutation.many(values) == [permutation(value) for value in values]


@given(st.lists(st.one_of(st.text(), st.text('ab"\\\n\x7f\u2028'))))
def test_texts_are_quoted_and_read_alike(texts: list[str]) -> None:
    insides = quote_all(texts)
    assert insides == [quote(text) for text in texts]
    assert unquote_all(insides) == [unquote(inside) for inside in insides] == texts


@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=20), st.integers(1, 40))
def test_a_memo_asks_once_for_what_it_knows_and_never_forgets_within_a_batch(
    batches: list[list[int]], room: int
) -> None:
    asked: list[bytes] = []

    def upper(tokens: list[bytes]) -> list[bytes]:
        assert len(set(tokens)) == len(tokens)
        asked.extend(tokens)
        return [token.upper() for token in tokens]

    memo = Budget(room).memo(bytes.upper, upper)
    for numbers in batches:
        tokens = [b"a%d" % number for number in numbers]
        assert memo.many(tokens) == [token.upper() for token in tokens]
    if len({number for numbers in batches for number in numbers}) <= room:
        assert len(set(asked)) == len(asked)
