from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.errors import PolicyError
from desensitizers.paths import EACH, Matcher, compile_name, show


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("a.b", ("a", "b")),
        ("items[*].sku", ("items", EACH, "sku")),
        ("[*]", (EACH,)),
        ("**.email", ("email",)),
        ("**.email", ("a", EACH, "b", "email")),
        ("a.**", ("a", "b", EACH, "c")),
        ("{payer,payee}.iban", ("payee", "iban")),
        ("a.*", ("a", "b")),
        ("x_*.y", ("x_1", "y")),
        ("['a.b'].c", ("a.b", "c")),
        ("$", ()),
    ],
)
def test_a_pattern_covers_a_place(pattern: str, steps: tuple[str, ...]) -> None:
    assert Matcher([pattern]).all(steps) == (0,)


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("a", ("a", "b")),
        ("a.b", ("a",)),
        ("a.*", ("a", EACH)),
        ("a.*", ("a", "b", "c")),
        ("items.sku", ("items", EACH, "sku")),
        ("a.b", ("a.b",)),
        ("a*", ("ab", "c")),
    ],
)
def test_a_pattern_covers_nothing_else(pattern: str, steps: tuple[str, ...]) -> None:
    assert Matcher([pattern]).all(steps) == ()


def test_patterns_answer_in_their_order() -> None:
    assert Matcher(["a.b", "a.*", "**"]).all(("a", "c")) == (1, 2)


@pytest.mark.parametrize("pattern", ["", "a.", "a..b", "a[0]", "a{b,c}.d", "a[b]"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(PolicyError):
        Matcher([pattern])


@given(st.lists(st.one_of(st.just(EACH), st.text(alphabet="abc.*[]{}x_-", min_size=1)), min_size=1))
def test_a_place_as_shown_is_a_pattern_that_covers_it(steps: list[str]) -> None:
    assert Matcher([show(tuple(steps))]).all(tuple(steps)) == (0,)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("payments.*", "payments.in"), ("{a,b}.c", "b.c"), ("/p\\d+/", "p12"), ("a.b", "a.b"), ("*", "x")],
)
def test_names_match_whole(pattern: str, name: str) -> None:
    assert compile_name(pattern).fullmatch(name)
    assert not compile_name("a.b").fullmatch("a-b")
