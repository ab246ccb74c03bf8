"""Rules that work on numbers: noise and bucket."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.errors import PolicyError
from tests.desensitizers.helpers import batch, policy, problems, scrub


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_noise_stays_within_its_percentage_and_the_bits_of_the_number(number: int) -> None:
    [done] = scrub("value: {n: {rule: noise, percent: 10}}", {"n": number})
    assert abs(done["n"] - number) <= abs(number) // 10 + 1
    for bits in (31, 63):
        if -(2**bits) <= number < 2**bits:
            assert -(2**bits) <= done["n"] < 2**bits


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_noise_keeps_the_scale_of_a_decimal_as_number_and_as_text(number: Decimal) -> None:
    given = batch([f'{{"n":{number:f},"s":"{number:f}"}}'.encode()])
    plan = policy("value: {n: &r {rule: noise, amount: 5}, s: *r}").plan()
    done = plan.for_topic("t").apply(given).batch.column("value")[0].as_py().decode()
    shown = done.partition('"s":"')[2].rstrip('"}')
    assert f'"n":{shown},' in done
    assert len(shown.partition(".")[2]) == 2
    assert abs(Decimal(shown) - number) <= 5


def test_noise_is_keyed_and_the_same_each_time() -> None:
    values = [{"n": number * 1000} for number in range(1, 60)]
    rule = "value: {n: {rule: noise, percent: 10}}"
    assert scrub(rule, *values) == scrub(rule, *values)
    ups = sum(done["n"] > before["n"] for before, done in zip(values, scrub(rule, *values), strict=True))
    assert 15 < ups < 45


def test_noise_is_held_by_min_and_max() -> None:
    done = scrub("value: {n: {rule: noise, amount: 100, min: 0, max: 20}}", *({"n": n} for n in range(50)))
    assert {row["n"] for row in done} <= set(range(21))


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("{rule: bucket, size: 10}", [0, 9, 10, 37, -1, "37", "37.5"], [0, 0, 10, 30, -10, "30", "30.0"]),
        ("{rule: bucket, size: 0.5}", [1.25, "1.75"], [1.0, "1.50"]),
        ("{rule: bucket, edges: [0, 18, 65]}", [-3, 0, 17, 18, 99], [0, 0, 0, 18, 65]),
    ],
)
def test_bucket_gives_the_lower_end(rule: str, before: list[object], after: list[object]) -> None:
    assert scrub(f"value: {{n: {rule}}}", *({"n": n} for n in before)) == [{"n": n} for n in after]


def test_a_text_that_spells_no_number_fails() -> None:
    assert "is not a number" in problems("value: {n: {rule: bucket, size: 10}}", batch([b'{"n":"ten"}']))


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        ("value: {n: {rule: noise}}", "either 'percent' or 'amount'"),
        ("value: {n: {rule: noise, percent: 5, amount: 5}}", "either"),
        ("value: {n: {rule: noise, percent: -5}}", "can't be negative"),
        ("value: {n: {rule: noise, percent: 5, min: 3, max: 1}}", "greater than"),
        ("value: {n: {rule: bucket, size: 0}}", "greater than 0"),
        ("value: {n: {rule: bucket, edges: [3, 1]}}", "rising"),
        ("value: {format: int32, rule: bucket, edges: [0, 5000000000]}", "doesn't fit int32"),
        ("value: {format: int32, rule: replace, with: 3000000000}", "doesn't fit int32"),
        ("value: {format: int64, rule: noise, amount: 1, max: 1e30}", "doesn't fit int64"),
    ],
)
def test_what_can_not_work_is_refused_at_load(topic: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(topic)
    assert says in str(caught.value)
