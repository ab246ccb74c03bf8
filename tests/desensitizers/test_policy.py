from __future__ import annotations

import pickle

import pytest

from desensitizers.errors import PolicyError, SecretError
from desensitizers.policy import Policy
from tests.desensitizers.helpers import SECRET, policy

GOOD = """version: 1
secret: {env: K}
defaults:
  unknown_field: fail
domains:
  customer: {surrogate: digits}
topics:
  - match: "payments.*"
    key: {extract: "cust-(?P<id>\\\\d+)", id: {domain: customer}}
    headers: {traceparent: keep, "*": drop}
    value:
      customer.id: {domain: customer}
      note: {rule: scan, detectors: [email, learned]}
"""


def test_a_policy_loads_and_never_shows_its_secret() -> None:
    loaded = Policy.parse(GOOD, env=SECRET)
    assert loaded.plan().covers("payments.in")
    assert not loaded.plan().covers("orders")
    assert SECRET["K"] not in repr(loaded)
    assert pickle.loads(pickle.dumps(loaded)).sha256 == loaded.sha256


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("version: 1", "version: 2", 1, "version 1"),
        ("unknown_field: fail", "unknown_field: keep", 4, "does not exist"),
        ("unknown_field: fail", "unknown_field: quarantine", 4, "not supported by this version"),
        ("unknown_field: fail", "unknown_fields: fail", 4, "Did you mean 'unknown_field'"),
        ("surrogate: digits", "surrogate: digit", 6, "Did you mean 'digits'"),
        ("surrogate: digits", "surogate: digits", 6, "Did you mean 'surrogate'"),
        ("surrogate: digits", "surrogate: digits, canonical: email", 6, "canonical: digits"),
        ("customer.id: {domain: customer}", "customer.id: {domain: custmer}", 12, "Did you mean 'customer'"),
        ("customer.id: {domain: customer}", "customer.id: kepp", 12, "Did you mean 'keep'"),
        ("customer.id: {domain: customer}", "customer..id: keep", 12, "empty step"),
        ("customer.id: {domain: customer}", "customer.id: {rule: mask, chars: x}", 12, "Did you mean 'char'"),
        ("customer.id: {domain: customer}", "customer.id: {rule: mask, type: number}", 12, "can't work on a number"),
        ("customer.id: {domain: customer}", "customer.id: {rule: replace}", 12, "needs 'with'"),
        ("customer.id: {domain: customer}", "customer.id: {rule: keep, when: x}", 12, "not supported by this version"),
        ("customer.id: {domain: customer}", "customer: {id: keep}", 12, "paths are written with dots"),
        ("traceparent: keep", "traceparent: keep, traceparent: drop", 10, "stands twice"),
        ("detectors: [email, learned]", "detectors: [emial]", 13, "Did you mean 'email'"),
        ("detectors: [email, learned]", "detector: [email]", 13, "Did you mean 'detectors'"),
        ("cust-(?P<id>\\\\d+)", "cust-(?P<id>\\\\d+", 9, "not a regular expression"),
        ("id: {domain: customer}}", "ids: {domain: customer}}", 9, "no group 'ids'"),
        ('match: "payments.*"', 'match: "/pay(/"', 8, "not a regular expression"),
        ("secret: {env: K}", "secret: {env: hunter-2}", 2, "name an environment variable"),
        ("topics:", "schema_tags: {}\ntopics:", 7, "not supported by this version"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_cure(old: str, new: str, line: int, says: str) -> None:
    assert old in GOOD
    with pytest.raises(PolicyError) as caught:
        Policy.parse(GOOD.replace(old, new, 1), file="p.yaml", env=SECRET)
    assert str(caught.value).startswith(f"p.yaml:{line}: ")
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "version: [", "- 1", "a: b: c"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        Policy.parse(text, env=SECRET)


def test_a_missing_secret_is_refused_before_any_record() -> None:
    with pytest.raises(SecretError, match="K"):
        Policy.parse(GOOD, env={})


@pytest.mark.parametrize("rule", ["{rule: mask}", "{rule: replace, with: x}", "{rule: scan, detectors: [email]}"])
def test_a_rule_that_can_merge_two_keys_is_refused_on_a_key(rule: str) -> None:
    with pytest.raises(PolicyError, match="two keys into one"):
        policy(f"key: {rule}")


@pytest.mark.parametrize("topic", ["key: drop", "value: drop", 'value: {rule: "null"}', "value: {$: drop}"])
def test_a_whole_payload_is_not_dropped_because_null_means_something_else(topic: str) -> None:
    with pytest.raises(PolicyError, match=r"tombstones|without a key"):
        policy(topic)


def test_a_surrogate_that_is_text_does_not_fit_a_binary_integer() -> None:
    with pytest.raises(PolicyError, match="int64"):
        policy("key: {format: int64, domain: name}")


def test_json_keys_are_fail_only() -> None:
    with pytest.raises(PolicyError, match="two keys into one"):
        policy("key: {format: json, a: keep}", "unknown_field: drop")


def test_anchors_and_merges_save_typing() -> None:
    loaded = policy(
        """
        headers: &technical {a: keep}
        value:
          x: &text {rule: scan, detectors: [email]}
          y: *text
        """
    )
    assert len(loaded.spec.topics[0].value.paths) == 2
