from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.plan import TopicPlan
from tests.conftest import examples
from tests.desensitizers.helpers import batch, policy, problems, scrub

KEYS = st.sampled_from(["a", "b", "c", "d", 'q"', "ü", "s p", "e\\", "%"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(KEYS, below, max_size=5)),
    max_leaves=25,
)


def rewrite(topic: str, *documents: bytes) -> list[bytes]:
    done = policy(topic).plan().for_topic("t").apply(batch(documents))
    assert not done.problems, "; ".join(map(str, done.problems))
    rows: list[bytes] = done.batch.column("value").to_pylist()
    return rows


@given(st.lists(DOCUMENTS, min_size=1, max_size=5), st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_a_document_in_which_nothing_changes_keeps_its_exact_bytes(
    documents: list[Any], spaces: int | None, ascii_only: bool
) -> None:
    rows = [json.dumps(one, indent=spaces, ensure_ascii=ascii_only).encode("utf-8", "replace") for one in documents]
    rows = [row for row in rows if row]
    assert rewrite('value: {"**": keep, "**.@key": keep}', *rows) == rows


@given(st.lists(DOCUMENTS, min_size=1, max_size=5), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_only_what_a_rule_covers_changes(documents: list[Any], ascii_only: bool) -> None:
    def masked(value: Any, steps: tuple[str, ...] = ()) -> Any:
        if isinstance(value, dict):
            return {name: masked(below, (*steps, name)) for name, below in value.items() if name != "b"}
        if isinstance(value, list):
            return [masked(below, (*steps, "[]")) for below in value]
        if steps[-1:] == ("a",) and isinstance(value, str):
            return "".join("*" if char.isalnum() else char for char in value)
        return None if steps[-1:] == ("c",) else value

    rows = [json.dumps(one, ensure_ascii=ascii_only).encode("utf-8", "replace") for one in documents]
    rules = """
        value:
          "**.b": drop
          "**.c": "null"
          "**.a": {rule: mask, type: string}
          "**": keep
          "**.@key": keep
    """
    for before, after in zip(rows, rewrite(rules, *rows), strict=True):
        original = json.loads(before)
        expected = masked(original)
        # A rule on an object or array of that name covers all below it.
        if not _has_container(original, "c"):
            assert json.loads(after) == expected


def _has_container(value: Any, name: str) -> bool:
    if isinstance(value, dict):
        return any((key == name and isinstance(v, dict | list)) or _has_container(v, name) for key, v in value.items())
    return isinstance(value, list) and any(_has_container(below, name) for below in value)


@pytest.mark.parametrize("number", ["1.0", "1e5", "-0.0", "123456789012345678901234567890", "1.10", "1E+2", "0"])
def test_numbers_keep_their_spelling(number: str) -> None:
    row = f'{{"n": {number}, "s": "x", "m": [{number},{number}]}}'.encode()
    (after,) = rewrite('value: {s: {rule: mask}, "**": keep, "**.@key": keep}', row)
    assert after == row.replace(b'"x"', b'"*"')
    (dropped,) = rewrite('value: {s: drop, "**": keep, "**.@key": keep}', row)
    assert dropped == row.replace(b' "s": "x",', b"")


def test_an_array_that_was_empty_once_hides_nothing_later() -> None:
    assert "a[*]" in problems("value: {b: keep, '@key': keep}", batch([b'{"a":[],"b":1}', b'{"a":[7],"b":1}']))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b'{"a":1,"x":2,"b":3}', b'{"a":1,"b":3}'),
        (b'{"x":2,"a":1}', b'{"a":1}'),
        (b'{"a":1,"x":{"y":[1,"2"]}}', b'{"a":1}'),
        (b'{"x":1}', b"{}"),
        (b'{ "x" : 1 , "x2" : 1 , "a" : 2 }', b'{   "a" : 2 }'),
        (b'{"a":"100%","x":1}', b'{"a":"100%"}'),
    ],
)
def test_dropped_members_take_their_commas_along(given: bytes, kept: bytes) -> None:
    (after,) = rewrite("value: {x*: drop, '**': keep, '**.@key': keep}", given)
    assert after.replace(b" ", b"") == kept.replace(b" ", b"")


def test_dropped_elements_leave_a_valid_array() -> None:
    assert scrub(
        "value: {'a[*].x': drop, 'b[*]': drop, '**': keep, '**.@key': keep}", {"a": [{"x": 1, "y": 2}], "b": [1, 2]}
    ) == [{"a": [{"y": 2}], "b": []}]


def test_an_earlier_rule_saves_a_field_from_a_dropped_object() -> None:
    assert scrub("value: {d.keep: keep, d: drop}", {"d": {"keep": 1, "x": "y"}}) == [{"d": {"keep": 1}}]


def test_null_stays_null_and_empty_stays_empty() -> None:
    assert scrub("value: {a: {domain: name}, b: {domain: email}, c: drop}", {"a": None, "b": "", "c": None}) == [
        {"a": None, "b": ""}
    ]


@pytest.mark.parametrize(
    "row",
    [b"{", b"[1,,2]", b'{"a":01}', b'{"a":1.2.3}', b'{"a":"\x01"}', b'{"a":"\\x"}', b'{"a":"\xff"}', b"nope", b"{} {}"],
)
def test_what_is_no_json_is_undecodable(row: bytes) -> None:
    assert "is not valid JSON" in problems('value: {"**": keep, "**.@key": keep}', batch([row]))


@pytest.mark.parametrize("row", [b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'[{"x":{"a":1,"a":1}}]'])
def test_a_key_that_stands_twice_makes_a_document_undecodable(row: bytes) -> None:
    assert "has a key twice" in problems('value: {"**": keep, "**.@key": keep}', batch([row]))


def test_undecodable_documents_become_a_marker_that_keeps_equal_ones_equal() -> None:
    plan = policy('value: {"**": keep, "**.@key": keep}', "undecodable: replace").plan().for_topic("t")
    rows = plan.apply(batch([b"{secret", b"{secret", b"{other"])).batch.column("value").to_pylist()
    assert rows[0] == rows[1] != rows[2]
    assert all(row.startswith(b"undecodable:") and b"secret" not in row for row in rows)


def test_an_unknown_field_is_refused_with_the_line_to_add() -> None:
    text = problems("value: {a: keep}", batch([b'{"a":1}', b'{"a":1,"b":{"c":"Anna"}}', b'{"a":1,"b":{"c":"Eva"}}']))
    assert "t-0@1 value b.c" in text
    assert 'add "b.c: drop"' in text
    assert "2 records" in text
    assert "Anna" not in text


def test_unknown_fields_can_be_dropped_or_masked_instead() -> None:
    document = {"a": 1, "s": "Anna 1", "n": 5.5, "b": True, "z": None, "o": {"x": "y"}}
    assert scrub("value: {a: keep}", document, defaults="unknown_field: drop") == [{"a": 1}]
    rules = "value: {a: keep, '**.@key': keep}"
    assert scrub(rules, document, defaults="unknown_field: mask") == [
        {"a": 1, "s": "**** *", "n": 0, "b": False, "z": None, "o": {"x": "*"}}
    ]


def test_a_leaf_of_another_type_is_unknown() -> None:
    assert "string is not named" in problems("value: {a: {rule: keep, type: number}}", batch([b'{"a":"Anna"}']))


def test_rules_for_different_types_of_one_field_stand_side_by_side() -> None:
    rules = "value: {a: {rule: mask, type: string}, '{a}': {rule: keep, type: number}}"
    assert scrub(rules, {"a": "x"}, {"a": 5}) == [{"a": "*"}, {"a": 5}]


def test_a_field_that_became_an_object_is_unknown() -> None:
    assert "a.name" in problems("value: {a: keep}", batch([b'{"a":1}', b'{"a":{"name":"Anna"}}']))


def test_a_rule_that_can_not_work_on_a_type_refuses() -> None:
    assert "rule 'mask' can't work on" in problems("value: {a: {rule: mask}}", batch([b'{"a":5}']))
    assert "whole numbers" in problems("value: {a: {domain: id}}", batch([b'{"a":5.5}']))


def test_surrogates_are_written_in_the_type_of_each_place() -> None:
    (after,) = scrub(
        "value: {n: {domain: id}, s: {domain: id}, p: {domain: id}}", {"n": 4711, "s": "4711", "p": "004711"}
    )
    assert isinstance(after["n"], int)
    assert after["s"] == str(after["n"])
    assert after["p"] == f"{after['n']:06d}"


def test_quotes_in_surrogates_and_constants_are_escaped() -> None:
    assert scrub("""value: {a: {rule: replace, with: 'say "hi" \\ ü'}}""", {"a": "x"}) == [{"a": 'say "hi" \\ ü'}]


def test_a_key_with_control_characters_can_not_pose_as_a_path() -> None:
    assert problems("value: {a.b: keep}", batch([b'{"a\\u001fb":"Anna"}']))


def test_documents_whose_keys_are_data_do_not_fill_the_memory() -> None:
    plan: TopicPlan = policy("value: {'m.*': keep, m.@key: keep}").plan().for_topic("t")
    for start in range(0, 10_000, 1_000):
        rows = [b'{"m":{"k%d":1}}' % number for number in range(start, start + 1_000)]
        assert plan.apply(batch(rows)).batch.column("value").to_pylist() == rows
    plan.flush_counts()
    assert plan.sink.counts["value", "m.*", "keep"] == 10_000
