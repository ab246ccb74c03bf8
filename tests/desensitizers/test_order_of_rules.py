"""The first rule that names a place has the word there; each rule takes conditions; all see the record as it came."""

from __future__ import annotations

import pytest

from desensitizers import rules
from tests.desensitizers.helpers import scrub

AMOUNT, DAY, NAME = 1250, "1984-05-06", "Anna Schmidt"
RULES: dict[str, tuple[str, object]] = {
    "keep": ("rule: keep", NAME),
    "drop": ("rule: drop", NAME),
    "null": ("rule: 'null'", NAME),
    "replace": ("rule: replace, with: x", NAME),
    "mask": ("rule: mask", NAME),
    "hash": ("rule: hash", NAME),
    "token": ("rule: token", NAME),
    "fpe": ("rule: fpe, alphabet: base36", "AB12345678"),
    "pseudonym": ("domain: name", NAME),
    "fake": ("rule: fake, kind: city", "Helgoland"),
    "date_shift": ("rule: date_shift, days: 100", DAY),
    "noise": ("rule: noise, percent: 50", AMOUNT),
    "bucket": ("rule: bucket, size: 1000", AMOUNT),
    "time_part": ("rule: time_part, keep: year", DAY),
    "dict": ("rule: dict, map: {Anna Schmidt: x}", NAME),
    "regex_replace": ("rule: regex_replace, pattern: Anna, with: x", NAME),
    "scan": ("rule: scan, detectors: [email]", "to anna@firma.de"),
    "custom": ("rule: custom, function: 'tests.desensitizers.rules.foreign:reverse'", NAME),
}


def test_every_rule_of_ours_is_here() -> None:
    assert set(RULES) == set(rules.NAMES)


@pytest.mark.parametrize("name", RULES)
def test_each_rule_is_there_only_while_its_conditions_hold(name: str) -> None:
    options, value = RULES[name]
    policy = f"value: {{x: {{{options}, when: {{kind: person}}}}, kind: keep, '{{x,y}}': keep}}"
    person, firm = scrub(policy, {"kind": "person", "x": value}, {"kind": "firm", "x": value})
    assert firm == {"kind": "firm", "x": value}
    assert (person == {"kind": "person", "x": value}) is (name == "keep")


@pytest.mark.parametrize("name", RULES)
def test_the_first_that_names_a_place_has_the_word(name: str) -> None:
    options, value = RULES[name]
    (kept,) = scrub(f"value: {{x: keep, '*': {{{options}}}}}", {"x": value})
    assert kept == {"x": value}
    (gone,) = scrub(f"value: {{x: {{{options}}}, '*': keep}}", {"x": value})
    assert (gone == {"x": value}) is (name == "keep")


def test_rules_see_what_came_and_not_what_others_made_of_it() -> None:
    policy = "value: {a: {rule: replace, with: firm}, b: {rule: mask, when: {a: person}}, '**': keep}"
    assert scrub(policy, {"a": "person", "b": "Anna"}) == [{"a": "firm", "b": "****"}]
