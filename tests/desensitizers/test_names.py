"""Names of members are data: what a path doesn't write out, and a schema doesn't have, passes by a rule of its own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.errors import PolicyError
from recorder.payloads.schemas import Schema
from tests.desensitizers.helpers import batch, policy, problems, scrub
from tests.desensitizers.schemas import ID, avro, clean, frame, refused
from tests.desensitizers.test_avro import read
from tests.desensitizers.test_inside import token
from tests.desensitizers.test_json import rewrite
from tests.desensitizers.test_protobuf import SCHEMA, framed, payment
from tests.desensitizers.test_protobuf import read as read_protobuf

ANNA = {"balances": {"anna@firma.de": 3, "eva@firma.de": 4}}
_AVRO = {
    "type": "record",
    "name": "R",
    "fields": [{"name": "balances", "type": {"type": "map", "values": "int"}}],
}


@pytest.mark.parametrize("path", ["balances.*", "**", "'*.*'", "'{balances,x}.*'", "'balances.a*', balances.e*"])
def test_a_wildcard_names_values_and_no_names(path: str) -> None:
    rules = ", ".join(f"{one}: keep" for one in path.split(", "))
    said = problems(f"value: {{{rules}}}".replace("**:", "'**':"), batch([json.dumps(ANNA).encode()]))
    assert "@key: a name is not written out by any path" in said
    assert "firma" not in said


@pytest.mark.parametrize("rules", ["balances.*: keep", "balances.*: keep, balances.@key: {domain: email}"])
def test_all_formats_answer_alike(rules: str) -> None:
    schema, rows = avro(_AVRO, ANNA)
    body = f"value: {{{rules}}}"
    if "@key" not in rules:
        assert "balances.@key: a name is not" in refused(body, schema, rows)
        assert "balances.@key: a name is not" in problems(body, batch([json.dumps(ANNA).encode()]))
        proto = refused(body.replace("balances", "counts"), SCHEMA, framed(payment(counts={"Eva": 1})))
        assert "counts.@key: a name is not" in proto
        return
    from_avro = read(schema, clean(body, schema, rows)[0])
    assert scrub(body, ANNA) == [from_avro]
    rules = body.replace("balances", "counts").removesuffix("}") + ", '**': keep}"
    done = read_protobuf(clean(rules, SCHEMA, framed(payment(counts=ANNA["balances"])))[0])
    assert dict(done.counts) == from_avro["balances"]
    assert all(name.endswith("@example.test") for name in done.counts)


def test_a_name_is_rewritten_in_its_place_and_the_rest_keeps_its_bytes() -> None:
    row = b'{ "balances" :{ "anna@firma.de"\t: [1.0, {"x":"\\u0041"}] , "e\\u0076a@firma.de":{} },"n":1e3}'
    (after,) = rewrite("value: {balances.@key: {domain: email}, 'balances.*[*].x': keep, '**': keep, n: keep}", row)
    first, second = json.loads(after)["balances"]
    assert first.endswith("@example.test") and second.endswith("@example.test") and first != second
    assert after == row.replace(b"anna@firma.de", first.encode()).replace(b"e\\u0076a@firma.de", second.encode())
    assert rewrite("value: {'**.@key': {rule: scan, detectors: [card]}, '**': keep}", row) == [row]


def test_names_that_become_one_are_refused() -> None:
    row = json.dumps(ANNA).encode()
    merging = "value: {balances.*: keep, balances.@key: {rule: replace, with: x}}"
    assert "two names of an object became one" in problems(merging, batch([row]))
    onto = "value: {balances.*: keep, balances.total: keep, balances.@key: {rule: replace, with: total}}"
    assert "two names of an object became one" in problems(onto, batch([b'{"balances":{"total":1,"anna":2}}']))
    assert scrub(onto, {"balances": {"anna": 2}}) == [{"balances": {"total": 2}}]


def test_a_name_that_a_path_writes_out_stays() -> None:
    rules = "value: {balances.total: keep, 'balances.*': keep, balances.@key: {domain: email}}"
    (after,) = scrub(rules, {"balances": {"total": 7, "anna@firma.de": 3}})
    assert after["balances"].pop("total") == 7
    assert [name.endswith("@example.test") for name in after["balances"]] == [True]
    assert scrub("value: {'**.{id,name}': keep, a.b.c: drop}", {"a": {"id": 1, "b": {"name": 2, "c": 3}}}) == [
        {"a": {"id": 1, "b": {"name": 2}}}
    ]


def test_a_name_written_out_by_a_rule_whose_condition_does_not_hold_stays() -> None:
    rules = "value: {kind: keep, note: {rule: mask, when: {kind: person}}, '*': keep}"
    assert scrub(rules, {"kind": "firm", "note": "Anna"}) == [{"kind": "firm", "note": "Anna"}]


def test_what_goes_is_not_asked_for_its_name() -> None:
    row = {"m": {"anna@firma.de": {"x": 1}}, "n": 1}
    assert scrub("value: {'m.*': drop, n: keep}", row) == [{"m": {}, "n": 1}]
    assert scrub("value: {m: 'null', n: keep}", row) == [{"m": None, "n": 1}]
    assert "m.@key" in problems("value: {'m.*.x': 'null', n: keep}", batch([json.dumps(row).encode()]))


def test_unknown_names_go_or_become_a_hash() -> None:
    rules = "value: {n: keep, balances.*: keep}"
    row = ANNA | {"n": 1}
    assert scrub(rules, row, defaults="unknown_field: drop") == [{"n": 1, "balances": {}}]
    (after,) = scrub(rules, row, defaults="unknown_field: mask")
    assert [len(name) for name in after["balances"]] == [32, 32]
    assert list(after["balances"].values()) == [3, 4]
    schema, rows = avro(_AVRO, ANNA)
    (gone,) = clean("value: {balances.*: keep}", schema, rows, "unknown_field: drop")
    assert read(schema, gone) == {"balances": {}}
    (hashed,) = clean("value: {balances.*: keep}", schema, rows, "unknown_field: mask")
    assert read(schema, hashed) == {"balances": after["balances"]}


def test_even_an_empty_object_has_a_name() -> None:
    for row in (b'{"anna@firma.de":{}}', b'{"x":{"anna@firma.de":[]}}'):
        assert "@key" in problems("value: {x: keep}", batch([row]))
        assert b"anna" not in json.dumps(scrub("value: {x: keep}", row, defaults="unknown_field: drop")).encode()


def test_a_field_called_so_is_quoted() -> None:
    assert scrub("value: {\"['@key']\": {rule: mask}}", {"@key": "Anna"}) == [{"@key": "****"}]
    assert "@key: string is not named" in problems("value: {'@key': keep}", batch([b'{"@key":"Anna"}'])).replace(
        "['@key']", "@key"
    )


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("balances.@key: drop", "test.yaml:13: rule 'drop' leaves no name: write 'balances.*: drop'"),
        ("balances.@key: 'null'", "test.yaml:13: rule 'null' leaves no name"),
        (
            "balances.@key: {rule: replace, with: 5}",
            "test.yaml:13: rule 'replace' does not fit 'balances.@key', which are names",
        ),
        ("balances.@key: {rule: keep, type: number}", "are names, which are always texts"),
        ("balances.@key: {rule: date_shift, days: 3, by: x}", "names: use a rule without it"),
        ("balances.@key.x: keep", "@key is the last step"),
        ("x: {rule: keep, when: {balances.@key: anna}}", "a condition is asked of a value"),
    ],
)
def test_a_rule_that_leaves_no_name_is_refused_at_load(rules: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(f"value: {{{rules}}}")
    assert says in str(caught.value)


def test_a_json_schema_has_names_of_its_own() -> None:
    text = json.dumps({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {}}}}})
    schema = Schema("json", text, id=ID)
    rows = [frame(b'{"a": {"b": 1}}')]
    assert clean("value: {'**': keep}", schema, rows) == rows
    assert "a.@key" in refused("value: {'**': keep}", schema, [frame(b'{"a": {"anna@firma.de": 1}}')])


def test_names_in_what_a_text_holds() -> None:
    inner = json.dumps(ANNA)
    for form, text in (
        ("json", inner),
        ("[base64, json]", base64.b64encode(inner.encode()).decode()),
        ("jwt", token(ANNA)),
        ("query", "https://x.y/?anna%40firma.de=3"),
    ):
        row = batch([json.dumps({"x": text}).encode()])
        said = problems(f"value: {{x: {{format: {form}, '**': keep, header.alg: keep, payload.balances: keep}}}}", row)
        assert "@key: a name is not" in said, form
    (after,) = scrub(
        "value: {x: {format: query, '*': keep, '@key': {domain: email}}}", {"x": "https://x.y/?anna%40firma.de=3"}
    )
    assert after["x"].startswith("https://x.y/?") and after["x"].endswith("%40example.test=3")


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=6).filter(lambda text: not set(text) & set("\x1c\x1e\x1f")), st.integers()
    ),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_names_become_their_surrogates_whatever_they_hold(members: dict[str, int], ascii_only: bool) -> None:
    row = json.dumps({"m": members}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if not _is_utf8(row):
        return
    (after,) = scrub("value: {m.*: keep, m.@key: {rule: hash}}", row)
    assert list(after["m"].values()) == list(members.values())
    assert all(len(name) == 32 for name in after["m"])


def _is_utf8(row: bytes) -> bool:
    decode: Callable[[bytes], Any] = bytes.decode
    try:
        decode(row)
        json.loads(row).__repr__().encode()
    except UnicodeError:
        return False
    return True
