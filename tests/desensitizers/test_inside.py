from __future__ import annotations

import base64
import gzip
import json
from typing import Any
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.encodings import decode
from desensitizers.errors import PolicyError
from tests.desensitizers.helpers import batch, policy, problems, scrub

PERSON = {"name": "Anna", "n": 1}


def b64(data: bytes | str) -> str:
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def token(payload: Any) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256"}, payload))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2lnbmF0dXJl"])


def test_json_in_a_string_has_paths_of_its_own() -> None:
    rules = "value: {x: {format: json, name: {rule: mask}, '**': keep, '**.@key': keep}}"
    (after, same) = scrub(rules, {"x": json.dumps(PERSON)}, {"x": ""})
    assert json.loads(after["x"]) == {"name": "****", "n": 1}
    assert same == {"x": ""}


def test_encodings_come_off_and_go_on_again_in_their_order() -> None:
    packed = b64(gzip.compress(json.dumps(PERSON).encode()))
    (after,) = scrub("value: {x: {format: [base64, gzip, json], name: {rule: mask}, n: keep}}", {"x": packed})
    assert json.loads(gzip.decompress(base64.b64decode(after["x"]))) == {"name": "****", "n": 1}
    (after,) = scrub("value: {x: {format: url, domain: email}}", {"x": quote("anna@firma.de")})
    assert after["x"].endswith("%40example.test")
    (after,) = scrub("value: {x: {format: hex, rule: mask}}", {"x": "416E6E61"})
    assert after["x"] == "2A2A2A2A"


@given(st.binary(max_size=30), st.booleans(), st.booleans())
def test_base64_comes_back_in_its_own_style(data: bytes, safe: bool, padded: bool) -> None:
    text = (base64.urlsafe_b64encode if safe else base64.b64encode)(data)
    text = text if padded else text.rstrip(b"=")
    plain, again = decode("base64", text)
    assert plain == data
    assert base64.b64decode(again(plain + b"?").replace(b"-", b"+").replace(b"_", b"/") + b"==") == data + b"?"
    assert again(plain) == text


def test_a_token_keeps_its_form_and_loses_its_signature() -> None:
    rules = "value: {x: {format: jwt, header.*: keep, header.@key: keep, payload.name: {rule: mask}, payload.n: keep}}"
    (after,) = scrub(rules, {"x": token(PERSON)})
    header, payload, signature = after["x"].split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256"}
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == {"name": "****", "n": 1}
    assert signature != "c2lnbmF0dXJl"
    kept = token(PERSON)
    assert scrub("value: {x: {format: jwt, '**': keep, '**.@key': keep}}", {"x": kept}) == [{"x": kept}]


def test_the_fields_of_a_query_have_names() -> None:
    url = "https://x.y/z?mail=anna%40firma.de&q=a+b&id=5&gone=1"
    rules = "value: {x: {format: query, '@url': keep, mail: {domain: email}, q: keep, id: {rule: mask}, gone: drop}}"
    (after,) = scrub(rules, {"x": url})
    base, _, query = after["x"].partition("?")
    found = parse_qs(query)
    assert base == "https://x.y/z"
    assert found["mail"][0].endswith("@example.test")
    assert "q=a+b" in query
    assert (found["id"], "gone" in found) == (["*"], False)
    assert "@url: string is not named" in problems(
        "value: {x: {format: query, a: keep}}", batch([b'{"x":"https://anna/?a=1"}'])
    )


@pytest.mark.parametrize(
    ("rules", "text", "says"),
    [
        ("{format: json, n: keep}", json.dumps(PERSON), "value x (json) name: string is not named"),
        ("{format: json, '**': keep, '**.@key': keep}", "{Anna", "x (json): is not valid JSON"),
        ("{format: json, '**': keep, '**.@key': keep}", '{"a":"Anna","a":1}', "has a key twice"),
        ("{format: base64, rule: mask}", "Anna!", "x (base64 text): is not base64"),
        ("{format: base64, rule: mask}", b64(b"\xff\xfe"), "x (base64 text): is not valid UTF-8"),
        ("{format: [base64, gzip], rule: mask}", b64(gzip.compress(b"Anna", mtime=0)[:-3]), "is not gzip"),
        ("{format: jwt, '**': keep, '**.@key': keep}", "Anna.x", "is not a JWT"),
        ("{format: url, rule: mask}", "Anna%zz", "is not url"),
        ("{format: json, name: {domain: id}, n: keep}", json.dumps(PERSON), "is not made of digits"),
    ],
)
def test_what_is_not_what_the_policy_says_passes_nothing(rules: str, text: str, says: str) -> None:
    said = problems(f"value: {{x: {rules}}}", batch([json.dumps({"x": text}).encode()]))
    assert says in said
    assert "Anna" not in said


def test_what_is_inside_counts_for_keys_headers_and_groups() -> None:
    plan = policy(
        """
        key: {format: base64, domain: name}
        headers: {h: {format: [base64, json], name: {rule: mask}, n: keep}}
        value: {x: {extract: "data:(?P<d>.*)", d: {format: base64, rule: hash}}}
        """
    ).plan()
    header = b64(json.dumps(PERSON)).encode()
    value = json.dumps({"x": "data:" + b64("Anna")}).encode()
    given = batch([value], [b64("Anna").encode()], [[("h", header)]])
    done = plan.for_topic("t").apply(given)
    assert not done.problems
    everything = str(done.batch.to_pylist())
    assert b64("Anna") not in everything
    assert ("name", "Anna") in plan.findings.originals
    (after,) = done.batch.column("headers")[0].as_py()
    assert json.loads(base64.b64decode(after["value"])) == {"name": "****", "n": 1}


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("{format: [json, base64], a: keep}", "'json' must be the last"),
        ("{format: bas64, rule: mask}", "Did you mean 'base64'"),
        ("{format: base64, rule: drop}", "write it without format"),
        ("{format: json, a: {rule: keep, when: {b: c}}}", "ask for fields of the record"),
    ],
)
def test_mistakes_are_named(rules: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        policy(f"value: {{x: {rules}}}")


def test_a_rule_that_merges_is_refused_on_a_key_also_inside() -> None:
    with pytest.raises(PolicyError, match="two keys into one"):
        policy("key: {format: base64, rule: mask}")
