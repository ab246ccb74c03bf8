"""What is remembered of columns is what was answered, whatever was asked before, and is asked for once."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.answered import LONGEST
from desensitizers.errors import UnfitError
from desensitizers.memos import Budget

ENOUGH = 1_000_000
VALUES = st.one_of(
    st.integers(0, 3000).map(lambda number: b"cus-%d" % number),
    st.binary(max_size=3),
    st.builds(lambda head, zeros: head + bytes(zeros), st.binary(max_size=9), st.integers(0, 9)),
    st.binary(min_size=LONGEST - 2, max_size=LONGEST),
    st.just(b"x" * (LONGEST + 1)),
)


def answer(token: bytes) -> bytes:
    return token[::-1] + b"!" if len(token) % 3 else token


@given(st.lists(st.lists(VALUES, max_size=60), min_size=1, max_size=8), st.sampled_from([1, ENOUGH]))
def test_a_column_has_the_answer_to_each_of_its_values(batches: list[list[bytes]], room: int) -> None:
    memo = Budget(room).memo(answer)
    for tokens in batches:
        column = pa.array([b"before", *tokens], pa.binary()).slice(1)
        assert memo.column(column).to_pylist() == list(map(answer, tokens))


def test_a_value_is_asked_for_once_also_where_columns_are_many_times_as_large_as_the_first() -> None:
    asked: list[bytes] = []

    def many(tokens: list[bytes]) -> list[bytes]:
        asked.extend(tokens)
        return list(map(answer, tokens))

    memo = Budget(ENOUGH).memo(answer, many)
    for last in (10, 3_000, 3_000, 20_000):
        tokens = [b"account %d" % number for number in range(last)]
        assert memo.column(pa.array(tokens * 2, pa.binary())).to_pylist() == list(map(answer, tokens)) * 2
    assert len(asked) == 20_000


def test_what_was_refused_is_refused_again_and_nothing_beside_it_is_remembered() -> None:
    def never(token: bytes) -> bytes:
        raise UnfitError(f"is not a number of {len(token)} digits")

    memo = Budget(ENOUGH).memo(never)
    for _ in range(2):
        with pytest.raises(UnfitError):
            memo.column(pa.array([b"a", b"b"], pa.binary()))


def test_who_only_asks_is_told_nothing_but_the_function_is() -> None:
    met: list[bytes] = []

    def meet(token: bytes) -> bytes:
        met.append(token)
        return token

    column = pa.array([b"a", b"b", b"a"], pa.binary())
    memo = Budget(ENOUGH).memo(meet)
    assert memo.column(column, wanted=False) is column
    assert memo.column(column, wanted=False) is column
    assert met == [b"a", b"b"]


def test_a_value_is_known_again_beside_longer_ones_and_is_another_than_the_same_with_zeros_behind_it() -> None:
    asked: list[bytes] = []

    def many(tokens: list[bytes]) -> list[bytes]:
        asked.extend(tokens)
        return list(map(answer, tokens))

    memo = Budget(ENOUGH).memo(answer, many)
    for longest in (1, 9, 60, LONGEST, 3):
        tokens = [b"", b"a", b"a\0", b"a" + bytes(8), b"b" * longest]
        assert memo.column(pa.array(tokens, pa.binary())).to_pylist() == list(map(answer, tokens))
    assert len(asked) == len(set(asked)) == 9
