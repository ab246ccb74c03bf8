"""Names of headers are data, as names of members are: what no pattern writes out passes by a rule of its own."""

from __future__ import annotations

import pytest

from desensitizers.errors import PolicyError
from desensitizers.explaining import Explanation
from tests.desensitizers.helpers import batch, policy, problems

ANNA = [[("anna@firma.de", b"1"), ("user", b"2"), ("eva@firma.de", b"3")]]
ALL = "'*': {rule: mask}"


def clean(headers: str, rows: list[list[tuple[str, bytes]]], defaults: str = "") -> list[list[tuple[str, bytes]]]:
    done = policy(f"headers: {{{headers}}}", defaults).plan().for_topic("t").apply(batch(headers=rows))
    assert not done.problems, "; ".join(map(str, done.problems))
    assert done.batch is not None
    return [[(one["key"], one["value"]) for one in row] for row in done.batch.column("headers").to_pylist()]


@pytest.mark.parametrize("wild", ["'*'", "'*@*'", "'{x,*}'", "'{anna,eva}@*'", "'/.*@.*/'", "'/anna@firma[.]de|.*/'"])
def test_a_wildcard_names_values_and_no_names(wild: str) -> None:
    said = problems(f"headers: {{user: keep, {wild}: keep}}", batch(headers=ANNA))
    assert "header * @key: its name is not written out by any pattern" in said
    assert "firma" not in said


def test_an_unknown_header_is_refused_without_its_name_where_that_looks_like_data() -> None:
    said = problems("headers: {user: keep}", batch(headers=[[*ANNA[0], ("error.cause", b"4")]]))
    assert "firma" not in said
    assert 'header *: is not named by the policy; add "*: drop"' in said
    assert 'header error.cause: is not named by the policy; add "error.cause: drop"' in said


def test_a_name_that_any_pattern_writes_out_stays() -> None:
    rows = [[("ce_id", b"1"), ("ce_type", b"2"), ("user", b"3"), ("x", b"4"), ("error.at", b"5")]]
    rules = f"{ALL}, 'ce_{{id,type,*}}': keep, '{{user,x}}': keep, 'error.{{at,by}}': keep"
    assert clean(rules, rows) == [[(name, b"*") for name, _value in rows[0]]]


def test_names_are_rewritten_alike_in_headers_keys_and_values() -> None:
    rows = [[("anna@firma.de", b"1"), ("user", b"anna@firma.de"), ("anna@firma.de", b"2")], [("user", b"")]]
    (first, user, again), (empty,) = clean("user: {domain: email}, '*': keep, '@key': {domain: email}", rows)
    assert first[0] == again[0] == user[1].decode() != "anna@firma.de"
    assert first[0].endswith("@example.test")
    assert (first[1], again[1], user[0], empty) == (b"1", b"2", "user", ("user", b""))


def test_names_go_with_their_headers_and_are_originals_where_they_are_replaced() -> None:
    assert clean("user: keep, '*': drop", ANNA) == [[("user", b"2")]]
    plan = policy("headers: {user: keep, '*': keep, '@key': {domain: email}}").plan(learning=True)
    plan.for_topic("t").apply(batch(headers=ANNA))
    assert plan.findings.originals == {("email", "anna@firma.de"), ("email", "eva@firma.de")}


def test_unknown_names_go_or_become_a_hash() -> None:
    assert clean("user: keep, '*': keep", ANNA, "unknown_field: drop") == [[("user", b"2")]]
    for rules in ("user: keep, '*': keep", "user: keep"):
        (((first, one), user, (second, _two)),) = clean(rules, ANNA, "unknown_field: mask")
        assert (len(first), len(second), user) == (32, 32, ("user", b"2"))
        assert first != second
        assert one == (b"1" if "*" in rules else b"*")


def test_records_with_unknown_names_go_to_quarantine() -> None:
    rows = [[("user", b"1")], *ANNA, []]
    done = policy("headers: {user: keep, '*': keep}", "unknown_field: quarantine").plan().for_topic("t")
    found = done.apply(batch(headers=rows))
    assert [(one.row, one.place, one.path, one.cause) for one in found.withheld] == [
        (1, "header *", "@key", "unknown_field")
    ]
    assert found.batch is not None
    assert found.batch.column("headers").to_pylist() == [[{"key": "user", "value": b"1"}], []]


def test_names_that_become_one_in_a_record_are_refused() -> None:
    merging = "headers: {user: keep, '*': keep, '@key': {rule: replace, with: user}}"
    assert "t-0@0 header @key: two names of a record's headers became one" in problems(merging, batch(headers=ANNA))
    apart = [[("anna", b"1"), ("anna", b"2")], [("eva", b"3")]]
    assert clean("'*': keep, '@key': {rule: replace, with: x}", apart) == [[("x", b"1"), ("x", b"2")], [("x", b"3")]]


def test_what_a_rule_cannot_take_fails_and_tells_no_name() -> None:
    said = problems("headers: {user: keep, '*': keep, '@key': {domain: card}}", batch(headers=ANNA))
    assert "header * @key: is not made of digits" in said
    assert "firma" not in said


def test_an_explanation_tells_the_rule_for_names_or_that_there_is_none() -> None:
    for rules, rule, line in (("'*': keep", "", 0), ("'*': keep, '@key': {domain: email}", "pseudonym email", 13)):
        explanation = Explanation("t")
        plan = policy(f"headers: {{user: keep, {rules}}}").plan(explanation=explanation)
        assert not plan.for_topic("t").apply(batch(headers=ANNA)).problems
        told = [one for one in explanation.told.values() if one.type == "name"]
        assert [(one.place, one.path, one.rule, one.line) for one in told] == [("header *", "@key", rule, line)]


def test_a_header_called_so_is_written_in_braces() -> None:
    assert clean("'{@key}': {rule: mask}", [[("@key", b"Anna")]]) == [[("@key", b"****")]]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("drop", "rule 'drop' leaves no name: write '*: drop' for the members, or give names a rule"),
        ("{rule: replace, with: 5}", "rule 'replace' does not fit '@key', which are names"),
        ("{rule: date_shift, days: 3, by: x}", "'by' goes by a field of each record"),
        ("{rule: mask, when: {x: y}}", "names of headers have none"),
        ("{rule: keep, type: number}", "are names, which are always texts"),
    ],
)
def test_a_rule_that_leaves_no_name_is_refused_at_load(rule: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(f"headers: {{'@key': {rule}}}")
    assert says in str(caught.value)
    assert "test.yaml:1" in str(caught.value)
