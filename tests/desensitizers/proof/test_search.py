from __future__ import annotations

import random
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.learned import normal
from desensitizers.proof import search
from desensitizers.proof.needles import ROW, Thresholds, needles, stands
from desensitizers.proof.search import SHORTEST, Haystack, Needles

EASY = Thresholds.of(10, 1_000)


def find(haystack: bytes, *wanted: str) -> set[bytes]:
    return Haystack([haystack]).find([Needles([normal(text) for text in wanted])])


@given(
    st.lists(st.text(alphabet="abAB1 é", min_size=5, max_size=20), min_size=1, max_size=30),
    st.text(alphabet="abAB1 é", max_size=200),
    st.data(),
)
@settings(deadline=None)
def test_it_finds_exactly_what_is_there(texts: list[str], noise: str, data: st.DataObject) -> None:
    planted = data.draw(st.lists(st.sampled_from(texts), max_size=3))
    haystack = f"{noise}{noise.join(planted)}{noise}"
    whole = b"\n" + normal("x" + haystack + "x") + b"\n"
    wanted = {normal(text) for text in texts} - {b""}
    expected = {needle for needle in wanted if any(_counts(whole, at, needle) for at in range(len(whole)))}
    assert Haystack([f"x{haystack}x".encode()]).find([Needles(sorted(wanted))]) == expected
    long = sorted(needle for needle in wanted if len(needle) >= SHORTEST)
    begins = dict(zip(accumulate(map(len, long), initial=0), long, strict=False))
    found = {begins[place] for place in Haystack([f"x{haystack}x".encode()]).likely(Needles(long)).tolist()}
    assert expected.intersection(long) <= found


def _counts(data: bytes, at: int, needle: bytes) -> bool:
    return data.startswith(needle, at) and stands(data, at, at + len(needle))


def test_needles_may_come_in_many_blocks() -> None:
    rng = random.Random(1)
    texts = [f"customer-{rng.getrandbits(60)}" for _ in range(5_000)]
    blocks = [Needles([text.encode() for text in texts[start : start + 500]]) for start in range(0, 5_000, 500)]
    haystack = " ".join(texts[7::1_000]).encode()
    assert Haystack([haystack]).find(blocks) == {text.encode() for text in texts[7::1_000]}


@pytest.mark.parametrize("length", range(5, 28))
def test_every_length_is_found_at_every_place(length: int) -> None:
    rng = random.Random(length)
    alphabet = b"0123456789abcdefghijklmnopqrstuvwxyz"
    wanted = [bytes(rng.choices(alphabet[10:], k=length)) for _ in range(300)]
    there = wanted[::11]
    haystack = b"".join(bytes(rng.choices(alphabet, k=rng.randrange(40, 60))) + one for one in there)
    assert set(there) <= Haystack([haystack]).find([Needles(wanted)])


@given(st.lists(st.text("01a", min_size=6, max_size=20), min_size=1, max_size=40), st.text("01a", max_size=300))
@settings(deadline=None)
def test_needles_that_share_most_of_their_bytes_are_told_apart(texts: list[str], haystack: str) -> None:
    wanted = sorted({text.encode() for text in texts})
    data = b"\n" + haystack.encode() + b"\n"
    expected = {needle for needle in wanted if any(_counts(data, at, needle) for at in range(len(data)))}
    assert Haystack([haystack.encode()]).find([Needles(wanted)]) == expected


def test_a_window_that_very_many_needles_share_hides_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_MOST_MEETINGS", 50)
    wanted = [b"%08d0000000000%08d" % (number, number) for number in range(200)]
    assert Haystack([b" ".join(wanted[::20] * 3)]).find([Needles(wanted)]) == set(wanted[::20])


def test_case_does_not_matter() -> None:
    assert find("ZOË MÜLLER".encode(), "Zoë Müller") == {normal("Zoë Müller")}


def test_a_number_counts_only_when_it_stands_alone() -> None:
    assert find(b"id 123456789012.", "123456789012")
    assert not find(b"id 41234567890127", "123456789012")


def test_nothing_is_found_in_nothing() -> None:
    assert Haystack([]).find([Needles([b"abcdefgh"])]) == set()
    assert Haystack([b"abc"]).find([]) == set()


def test_six_bytes_are_searched_anywhere_and_less_as_a_whole_leaf() -> None:
    assert list(needles("Müller", EASY, keeps_form=False)) == [normal("müller")]
    assert list(needles("Anna", EASY, keeps_form=False)) == [b'"anna"', ROW + b"anna" + ROW]
    assert list(needles("Al", EASY, keeps_form=False)) == []


def test_grouping_does_not_hide_an_original() -> None:
    assert b"de89370400440532013000" in set(needles("DE89 3704 0044 0532 0130 00", EASY, keeps_form=False))
    assert b"a@b.de" in set(needles("<A@b.de>", EASY, keeps_form=False))


def test_numbers_are_searched_when_chance_would_not_produce_them() -> None:
    few, many = Thresholds.of(100, 10**6), Thresholds.of(10**6, 10**10)
    assert few.number < many.number
    number = "1" * few.number
    assert list(needles(number, few, keeps_form=False)) == [number.encode()]
    assert list(needles(number, many, keeps_form=False)) == []


def test_ids_whose_surrogates_look_like_them_need_room_too() -> None:
    few, many = Thresholds.of(40, 10**6), Thresholds.of(10**5, 10**6)
    assert b"acc-50127734" in list(needles("acc-50127734", few, keeps_form=True))
    assert list(needles("acc-50127734", many, keeps_form=True)) == []
