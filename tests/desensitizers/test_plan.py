from __future__ import annotations

import json
import math
import struct

import pytest

from desensitizers.policy import Policy
from tests.desensitizers.helpers import SECRET, batch, policy, problems

UUID = "3f2b8c1e-5d4a-4c6b-9e8f-0a1b2c3d4e5f"


def test_one_customer_is_one_surrogate_in_keys_headers_and_values_of_every_type() -> None:
    plan = policy(
        """
        key: {extract: "cust-(?P<id>\\\\d+)(?:/.*)?", id: {domain: id}}
        headers: {user: {domain: id}, blob: {format: int64, domain: id}}
        value: {n: {domain: id}, s: {domain: id}}
        """
    )
    given = batch(
        [b'{"n":471100,"s":"0471100"}'],
        [b"cust-471100/x"],
        [[("user", b"471100"), ("blob", (471100).to_bytes(8, "big"))]],
    )
    done = plan.plan().for_topic("t").apply(given).batch
    value = json.loads(done.column("value")[0].as_py())
    headers = {header["key"]: header["value"] for header in done.column("headers")[0].as_py()}
    surrogate = value["n"]
    assert surrogate != 471100
    assert value["s"] == f"0{surrogate}"
    assert done.column("key")[0].as_py() == f"cust-{surrogate}/x".encode()
    assert headers == {"user": str(surrogate).encode(), "blob": surrogate.to_bytes(8, "big")}


def test_null_and_empty_stay_and_differ() -> None:
    plan = policy("key: {domain: name}\nheaders: {h: {domain: name}}\nvalue: {'**': keep, '**.@key': keep}").plan()
    given = batch([None, b"", b"{}"], [None, b"", b"x"], [[("h", None), ("h", b""), ("h", b"x")], [], []])
    done = plan.for_topic("t").apply(given).batch
    assert done.column("value").to_pylist() == [None, b"", b"{}"]
    assert done.column("key").to_pylist()[:2] == [None, b""]
    assert [header["value"] for header in done.column("headers")[0].as_py()][:2] == [None, b""]
    assert done.column("headers").to_pylist()[1:] == [[], []]


def test_headers_are_dropped_by_name_and_keep_their_order_and_repeats() -> None:
    plan = policy('headers: {"{trace,tracestate}": keep, user: {rule: mask}, "*": drop}').plan()
    rows = [
        [("user", b"Anna"), ("x", None), ("trace", b"1"), ("user", b"Eva"), ("x", b"2"), ("tracestate", None)],
        [("x", b"3")],
        [],
    ]
    done = plan.for_topic("t").apply(batch(headers=rows)).batch
    assert [[(h["key"], h["value"]) for h in row] for row in done.column("headers").to_pylist()] == [
        [("user", b"****"), ("trace", b"1"), ("user", b"***"), ("tracestate", None)],
        [],
        [],
    ]


def test_a_slice_of_a_batch_is_cleaned_like_a_batch() -> None:
    plan = policy("headers: {a: {rule: mask}, b: drop}").plan()
    rows = [[("a", b"x%d" % number), ("b", b"y")] * (number % 3) for number in range(9)]
    whole = plan.for_topic("t").apply(batch(headers=rows)).batch.column("headers").to_pylist()
    sliced = plan.for_topic("t").apply(batch(headers=rows).slice(4, 3)).batch.column("headers").to_pylist()
    assert sliced == whole[4:7]


@pytest.mark.parametrize(
    ("topic", "given", "says"),
    [
        ("value: {a: keep}", batch(keys=[b"k"]), "key: is not named"),
        ("key: keep", batch([b"{}"]), "value: is not named"),
        ("value: {a: keep}", batch(headers=[[("h", b"x")]]), 'header h: is not named by the policy; add "h: drop"'),
        ("headers: {h: {rule: mask}}", batch(headers=[[], [("h", b"\xff")]]), "t-0@1 header h: is not valid UTF-8"),
        ("key: keep", batch(keys=[b"\xff"]), "key: is not valid UTF-8"),
        ("key: {format: int32, domain: id}", batch(keys=[b"12345678"]), "is not an int32"),
        ('key: {extract: "c-(?P<id>.+)", id: {domain: id}}', batch(keys=[b"x-1"]), "does not match extract"),
        ("key: {domain: id}", batch(keys=[b"Anna"]), "is not made of digits"),
        ("headers: {h: {domain: card}}", batch(headers=[[("h", b"123")]]), "is not a card number"),
    ],
)
def test_what_the_policy_does_not_answer_for_is_a_problem_without_the_value(
    topic: str, given: object, says: str
) -> None:
    text = problems(topic, given)
    assert says in text
    assert "Anna" not in text


def test_undecodable_keys_stay_apart() -> None:
    plan = policy("key: keep", "undecodable: replace").plan().for_topic("t")
    keys = plan.apply(batch(keys=[b"\xff", b"\xfe", b"\xff"])).batch.column("key").to_pylist()
    assert keys[0] == keys[2] != keys[1]
    assert keys[0].startswith(b"undecodable:")


def test_bytes_can_be_kept_hashed_or_made_a_token() -> None:
    plan = policy("headers: {a: {format: bytes, rule: keep}, b: {format: bytes, rule: hash}}").plan()
    done = plan.for_topic("t").apply(batch(headers=[[("a", b"\xff"), ("b", b"\xff")]])).batch
    a, b = (header["value"] for header in done.column("headers")[0].as_py())
    assert a == b"\xff"
    assert len(b) == 32


def test_topics_match_by_the_first_entry_and_only_by_name() -> None:
    text = """
version: 1
secret: {env: K}
topics:
  - {match: "a.special", value: {x: keep}}
  - {match: "a.*", value: {x: drop}}
"""
    plan = Policy.parse(text, env=SECRET).plan()
    rows = batch([b'{"x":1}'])
    assert plan.for_topic("a.special").apply(rows).batch.column("value").to_pylist() == [b'{"x":1}']
    assert plan.for_topic("a.other").apply(rows).batch.column("value").to_pylist() == [b"{}"]
    assert not plan.covers("b")


def test_findings_hold_originals_pairs_and_counts() -> None:
    plan = policy("key: {domain: name}\nvalue: {n: {domain: name}, d: drop, k: keep, 'x.*': drop}").plan()
    topic = plan.for_topic("t")
    row = b'{"n":"Anna","d":"secret","k":"kept","x":{"y":"noise"}}'
    topic.apply(batch([row, row], [b"Anna", b"Eva"]))
    assert plan.findings.originals == {("name", "Anna"), ("name", "Eva"), ("", "secret")}
    assert set(plan.findings.pairs) == {"name/pseudonym", "key of t"}
    topic.flush_counts()
    assert topic.sink.counts["value", "n", "pseudonym"] == 2


def test_learn_false_keeps_what_is_no_secret_out_of_the_proof() -> None:
    plan = policy("value: {n: {rule: mask, learn: false}}").plan()
    plan.for_topic("t").apply(batch([b'{"n":"EUR"}']))
    assert not plan.findings.originals


def test_a_learning_plan_changes_nothing_and_tells_originals_and_texts() -> None:
    plan = policy("value: {n: {domain: name}, t: {rule: scan, detectors: [learned]}}").plan(learning=True)
    plan.findings.texts = []
    row = b'{"n":"Anna","t":"call Anna"}'
    assert plan.for_topic("t").apply(batch([row])).batch.column("value").to_pylist() == [row]
    assert plan.findings.originals == {("name", "Anna")}
    assert plan.findings.texts == ["call Anna"]


def test_another_secret_shares_no_surrogate() -> None:
    rows = batch([b'{"a":"Anna %d"}' % number for number in range(50)])
    results = [
        set(
            policy("value: {a: {domain: name}}", secret={"K": k * 32})
            .plan()
            .for_topic("t")
            .apply(rows)
            .batch["value"]
            .to_pylist()
        )
        for k in "ab"
    ]
    assert not results[0] & results[1]


@pytest.mark.parametrize(
    ("form", "rule", "payload", "wanted"),
    [
        ("int16", "{rule: replace, with: -2}", b"\x00\x05", b"\xff\xfe"),
        ("int64", "keep", b"\x00" * 8, b"\x00" * 8),
        ("double", "{rule: replace, with: 2.5}", struct.pack(">d", 1.25), struct.pack(">d", 2.5)),
        ("float", "{rule: replace, with: 2.5}", struct.pack(">f", 0.1), struct.pack(">f", 2.5)),
        ("double", "keep", struct.pack(">d", math.nan), struct.pack(">d", math.nan)),
        ("uuid", "keep", UUID.encode(), UUID.encode()),
        ("uuid", f"{{rule: replace, with: {UUID}}}", UUID.replace("3", "4").encode(), UUID.encode()),
    ],
)
def test_javas_numbers_and_uuids_keep_their_form(form: str, rule: str, payload: bytes, wanted: bytes) -> None:
    rule = rule if rule.startswith("{") else f"{{rule: {rule}}}"
    plan = policy(f"headers: {{h: {{format: {form}, {rule[1:-1]}}}}}").plan().for_topic("t")
    done = plan.apply(batch(headers=[[("h", payload)]]))
    assert not done.problems
    assert done.batch.column("headers")[0].as_py() == [{"key": "h", "value": wanted}]


@pytest.mark.parametrize(
    ("form", "rule", "payload", "says"),
    [
        ("int16", "{rule: keep}", b"123", "is not an int16"),
        ("double", "{rule: keep}", b"123", "is not a double"),
        ("uuid", "{rule: mask}", UUID.encode(), "is not a UUID"),
        ("uuid", "{rule: keep}", b"Anna", "is not a UUID"),
    ],
)
def test_what_is_not_of_its_format_passes_nothing(form: str, rule: str, payload: bytes, says: str) -> None:
    text = problems(f"headers: {{h: {{format: {form}, {rule[1:-1]}}}}}", batch(headers=[[("h", payload)]]))
    assert says in text
    assert "Anna" not in text


def test_keys_cleaned_together_are_cleaned_as_each_alone() -> None:
    rule = r"key: {extract: 'c-(?P<id>\d+)|x.*', id: {domain: id}}"
    keys = [
        b"c-1234567",
        None,
        b"x1",
        b"",
        b"c-7654321",
        b"c-1234567",
        *(b"c-%d" % n for n in range(10**6, 10**6 + 30)),
    ]
    rows = [b"{}"] * len(keys)
    together = policy(rule + "\nvalue: {a: keep}").plan()
    clean = together.for_topic("t").apply(batch(rows, keys=keys)).batch["key"].to_pylist()
    alone = policy(rule + "\nvalue: {a: keep}").plan().for_topic("t")
    assert clean == [alone.apply(batch([b"{}"], keys=[key])).batch["key"].to_pylist()[0] for key in keys]
    assert clean[1] is None
    assert clean[2:4] == [b"x1", b""]
    assert len(together.findings.pairs["key of t"]) == len(set(keys)) - 2


def test_one_key_that_does_not_fit_is_named_among_many_that_do() -> None:
    keys = [b"c-%d" % n for n in range(10**6, 10**6 + 40)]
    keys[7] = b"d-1"
    plan = policy("key: {extract: 'c-(?P<id>\\d+)', id: {domain: id}}\nvalue: {a: keep}").plan()
    (problem,) = plan.for_topic("t").apply(batch([b"{}"] * 40, keys=keys)).problems
    assert (problem.offset, problem.count) == (7, 1)
