"""Short originals stand in random ids by chance; those that somebody put there are told from them by their number."""

from __future__ import annotations

import base64
import functools
import math
import random
import string
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.proof.chance import Originals, Verdict, at_least, is_word, judge, kind_of, may_stand_in_ids
from desensitizers.proof.finds import finds_in
from desensitizers.proof.random_ids import Survey, apart
from desensitizers.proof.search import Exact
from tests.conftest import examples

NANO = string.ascii_letters + string.digits + "_-"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
COUNT = 8_000


@functools.cache
def names() -> list[str]:
    rng = random.Random(1)
    sizes = [6] * 30_000 + [7] * 1_000 + [11] * 500
    return sorted({"".join(rng.choices(string.ascii_lowercase, k=size)) for size in sizes})


@functools.cache
def ids() -> list[tuple[str, str, str]]:
    """(ULID, nanoid, session) of each record."""
    rng = random.Random(2)
    return [
        (
            "01JD5" + "".join(rng.choices(CROCKFORD, k=21)),
            "".join(rng.choices(NANO, k=21)),
            base64.urlsafe_b64encode(rng.randbytes(24)).decode(),
        )
        for _ in range(COUNT)
    ]


def verdict(lines: list[str]) -> Verdict:
    block = "\n".join(("", *lines, "")).encode()
    survey = Survey()
    survey.add(block)
    kinds = {number: kind for number, one in survey.samples.items() if (kind := kind_of(one)) is not None}
    needles = [name.encode() for name in names()]
    sizes = np.array([len(needle) for needle in needles], np.int64)
    finds = finds_in(block, frozenset(kinds), Exact(needles))
    return judge(finds, kinds, Originals([(b"".join(needles), sizes)]))


def records(plant: Callable[[int, str, str], str | None] = lambda _number, _nano, _name: None) -> list[str]:
    """JSON; `plant` may give another nanoid for a record's number, nanoid and name."""
    rng = random.Random(3)
    rows = []
    for number, (ulid, nano, session) in enumerate(ids()):
        name = rng.choice(names())
        nano = plant(number, nano, name) or nano
        rows.append(f'{{"id":"{ulid}","ref":"{nano}","session":"{session}","n":{number}}}')
    return rows


def put(run: str, name: str, place: int) -> str:
    return run[:place] + name + run[place + len(name) :]


def test_what_chance_gives_is_by_chance() -> None:
    found = verdict(records())
    assert found.by_chance
    assert 2 < found.found < 60
    assert at_least(found.found, found.expected) > 1e-3
    assert f"{found.found} places" in str(found)


@pytest.mark.parametrize(
    ("plant", "why"),
    [
        (lambda number, nano, name: put(nano, name, number % 10) if number % 100 == 7 else None, "too many in all"),
        (lambda number, nano, name: put(nano, name, 0) if number % 600 == 7 else None, "too many at the beginning"),
        (lambda number, nano, name: put(nano, name, 21 - len(name)) if number % 600 == 7 else None, "at the end"),
        (lambda number, nano, _: put(nano, names()[5], number % 13) if number % 1_400 == 7 else None, "one original"),
        (lambda number, nano, _: put(nano, "-" + max(names(), key=len), 2) if number == 9 else None, "a long one"),
        (
            lambda number, nano, name: put(nano, f"_{name[:6]}19-", number % 9) if number % 900 == 7 else None,
            "words within separators",
        ),
    ],
)
def test_what_somebody_put_into_ids_is_not(plant: Callable[[int, str, str], str | None], why: str) -> None:
    assert not verdict(records(plant)).by_chance, why


@settings(max_examples=examples(6), deadline=None)
@given(
    st.sampled_from(
        [
            '{{"note":"{name}1975"}}',
            '{{"note":"ask {name} again"}}',
            '{{"mail":"{name}@firma.de"}}',
            '{{"ref":"{name}"}}',
            '{{"path":"/users/{name}/12"}}',
            '{{"user":"{name}_{name}_1975_1975"}}',
            '{{"text":"xx{name}yy"}}',
            '{{"text":"{hidden}"}}',
            '{{"text":"%7B{hexed}%7D"}}',
        ]
    ),
    st.integers(0, 19_000),
)
def test_an_original_anywhere_else_is_a_leak(row: str, which: int) -> None:
    name = names()[which]
    hidden = base64.b64encode(f'{{"name": "{name}"}}'.encode()).decode()
    rows = [*records()[:1_000], row.format(name=name, hidden=hidden, hexed=name.encode().hex())]
    assert not verdict(rows).by_chance


def test_a_text_in_base64_of_the_length_of_ids_is_a_leak() -> None:
    row = {"session": base64.b64encode(f"name={names()[9][:6]:6};{'ok' * 6}".encode()).decode()}
    assert len(row["session"]) == 32
    assert not verdict([*records(), f'{{"session":"{row["session"]}"}}']).by_chance


def test_words_are_no_random_ids() -> None:
    rng = random.Random(4)
    rows = [f'{{"user":"{rng.choice(names())[:6]}{rng.randrange(10**6):06}"}}' for _ in range(1_500)]
    survey = Survey()
    survey.add("\n".join(rows).encode())
    assert [kind_of(one) for one in survey.samples.values()] == [None]
    assert not verdict(rows).by_chance


def test_a_sample_is_the_same_however_it_was_gathered() -> None:
    rows = [row.encode() for row in records()]
    whole, pieces, twice = Survey(), Survey(), Survey()
    whole.add(b"\n".join(rows))
    for start in (4_000, 0, 2_000, 6_000):
        one = Survey()
        one.add(b"\n".join(rows[start : start + 2_000]))
        pieces.merge(one)
    twice.add(b"\n".join(rows + rows))
    for survey in (pieces, twice):
        assert survey.samples.keys() == whole.samples.keys()
        for kind, one in whole.samples.items():
            assert (survey.samples[kind].hashes == one.hashes).all()
            assert (survey.samples[kind].letters == one.letters).all()
    assert any(abs(one.different / COUNT - 1) < 0.1 for one in whole.samples.values())


def test_only_runs_of_the_kinds_are_taken_out() -> None:
    block = "\n".join(records()[:300]).encode()
    survey = Survey()
    survey.add(block)
    kinds = {kind for kind, one in survey.samples.items() if kind_of(one) is not None}
    rest, taken = apart(block, kinds)
    assert len(rest) == len(block)
    assert {len(run) for _kind, run in taken} == {21, 26, 32}
    assert b'"ref":"~~~' in rest


@pytest.mark.parametrize(
    ("run", "start", "end", "word"),
    [
        (b"miller", 0, 6, True),
        (b"miller1975", 0, 6, True),
        (b"19miller75", 2, 8, True),
        (b"x19miller75", 3, 9, False),
        (b"ab-miller_x", 3, 9, True),
        (b"ab-millerx", 3, 9, False),
    ],
)
def test_a_word_stands_alone(run: bytes, start: int, end: int, word: bool) -> None:
    assert is_word(run, start, end) is word


def test_only_short_words_without_signs_may_be_in_ids() -> None:
    assert [may_stand_in_ids(one) for one in (b"miller", b"a-4711", b"471112", b"anna m", b"m" * 17, b"anna@x")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_how_often_what_is_rare_happens() -> None:
    for expected in (0.01, 1.0, 7.5, 300.0):
        for times in (1, 2, 9, 320):
            below = sum(math.exp(n * math.log(expected) - expected - math.lgamma(n + 1)) for n in range(times))
            assert at_least(times, expected) == pytest.approx(1 - below, abs=1e-9) or times <= expected
    assert at_least(30, 1.0) < 1e-30
    assert at_least(1, 0.0) == 0.0
