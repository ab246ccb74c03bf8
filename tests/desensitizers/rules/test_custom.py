"""Foreign functions named by a policy: held to what they promise, and never releasing a value when they fail."""

from __future__ import annotations

import pytest

from desensitizers.errors import PolicyError
from tests.desensitizers.helpers import batch, policy, problems, scrub

HERE = "tests.desensitizers.rules.foreign"


def test_a_function_of_ones_own_rewrites_values() -> None:
    assert scrub(f"value: {{t: {{rule: custom, function: '{HERE}:reverse'}}}}", {"t": "Anna"}) == [{"t": "annA"}]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fickle", "different results for equal values"),
        ("short", "0 values for 1"),
        ("numbered", "another type"),
        ("broken", "failed (ValueError)"),
        ("broken", f"rule 'custom' ({HERE}:broken) failed"),
        ("stops", "failed (Stop)"),
        ("closes", "failed (GeneratorExit)"),
        ("exits", "failed (SystemExit)"),
        ("raises_base", "failed (Base)"),
        ("nothing", "failed (TypeError)"),
    ],
)
def test_one_that_breaks_its_promise_releases_nothing_and_quotes_nothing(name: str, says: str) -> None:
    said = problems(f"value: {{t: {{rule: custom, function: '{HERE}:{name}'}}}}", batch([b'{"t":"Anna"}']))
    assert says in said
    assert "Anna" not in said


def test_ctrl_c_while_it_runs_is_still_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt):
        problems(f"value: {{t: {{rule: custom, function: '{HERE}:interrupted'}}}}", batch([b'{"t":"Anna"}']))


def test_only_one_that_promises_uniqueness_may_stand_on_a_key() -> None:
    with pytest.raises(PolicyError, match="two keys into one"):
        policy(f"key: {{rule: custom, function: '{HERE}:reverse'}}")
    policy(f"key: {{rule: custom, function: '{HERE}:reverse', unique: true}}")


def test_a_broken_promise_of_uniqueness_shows_in_the_run() -> None:
    plan = policy(f"value: {{t: {{rule: custom, function: '{HERE}:same', unique: true}}}}").plan()
    plan.for_topic("t").apply(batch([b'{"t":"Anna"}', b'{"t":"Eva"}']))
    [pairs] = plan.findings.pairs.values()
    assert len({pair[:8] for pair in pairs}) == 2
    assert len({pair[8:] for pair in pairs}) == 1


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("reverse", "module:name"),
        ("no.such.module:f", "can't be loaded"),
        (f"{HERE}:nowhere", "can't be loaded"),
        (f"{HERE}:CONSTANT", "is not a function"),
    ],
)
def test_a_function_that_is_not_there_is_named_at_load(function: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(f"value: {{t: {{rule: custom, function: '{function}'}}}}")
    assert says in str(caught.value)
