from __future__ import annotations

import pickle
from pathlib import Path

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
        ("unknown_field: fail", "unknown_field: quarentine", 4, "Did you mean 'quarantine'"),
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
        ("customer.id: {domain: customer}", "customer.id: {rule: keep, when: x}", 12, "when must be a mapping"),
        ("customer.id: {domain: customer}", "a: {rule: keep, when: {b: {is: x}}}", 12, "unknown condition 'is'"),
        ("customer.id: {domain: customer}", "a: {rule: keep, when: {b..c: x}}", 12, "empty step"),
        ("customer.id: {domain: customer}", "a: {rule: keep, when: {b: {matches: '('}}}", 12, "regular expression"),
        ("customer.id: {domain: customer}", "a: {rule: keep, when: {}}", 12, "when is empty"),
        ("customer.id: {domain: customer}", "'a[*].x': {rule: keep, when: {'a[*].y': z}}", 12, "can't choose elements"),
        ("traceparent: keep", "traceparent: {rule: keep, when: {a: b}}", 10, "this one has none"),
        ("customer.id: {domain: customer}", "customer: {id: keep}", 12, "paths are written with dots"),
        ("traceparent: keep", "traceparent: keep, traceparent: drop", 10, "stands twice"),
        ("detectors: [email, learned]", "detectors: [emial]", 13, "Did you mean 'email'"),
        ("detectors: [email, learned]", "detector: [email]", 13, "Did you mean 'detectors'"),
        ("cust-(?P<id>\\\\d+)", "cust-(?P<id>\\\\d+", 9, "not a regular expression"),
        ("id: {domain: customer}}", "ids: {domain: customer}}", 9, "no group 'ids'"),
        ('match: "payments.*"', 'match: "/pay(/"', 8, "not a regular expression"),
        ("secret: {env: K}", "secret: {env: hunter-2}", 2, "name an environment variable"),
        ("topics:", "schema_tags: {PII: {rule: hsh}}\ntopics:", 7, "Did you mean 'hash'"),
        ("topics:", "schema_tags: {PII: {rule: hash, when: {a: b}}}\ntopics:", 7, "takes no when"),
        ("topics:", "imports: [gone.yaml]\ntopics:", 7, "no file 'gone.yaml' beside"),
        ("topics:", "imports: [/etc/policy.yaml]\ntopics:", 7, "relative to this file"),
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


SHARED = """version: 1
domains:
  customer: {surrogate: digits}
topics:
  - match: "audit"
    value: {who: {domain: customer}}
"""
MAIN = """version: 1
secret: {env: K}
imports: [common/shared.yaml]
topics:
  - match: "payments.*"
    value: {id: {domain: customer}}
"""


def imported(tmp_path: Path, main: str = MAIN, shared: str = SHARED) -> Policy:
    (tmp_path / "common").mkdir(exist_ok=True)
    (tmp_path / "common/shared.yaml").write_text(shared)
    (tmp_path / "main.yaml").write_text(main)
    return Policy.load(tmp_path / "main.yaml", SECRET)


def test_imported_domains_and_topics_count_after_ones_own(tmp_path: Path) -> None:
    loaded = imported(tmp_path)
    assert [topic.match for topic in loaded.spec.topics] == ["payments.*", "audit"]
    before = loaded.sha256
    assert imported(tmp_path, shared=SHARED + "\n").sha256 != before


@pytest.mark.parametrize(
    ("main", "shared", "says"),
    [
        (MAIN, SHARED.replace("domain: customer}}", "domain: custmer}}"), "shared.yaml:6: unknown domain 'custmer'"),
        (MAIN, SHARED.replace("who: {domain: customer}", "$: drop"), "shared.yaml:6: rule 'drop' on a whole value"),
        (MAIN, SHARED + "imports: [../main.yaml]\n", "shared.yaml:7: '../main.yaml' imports itself"),
        (MAIN, SHARED + "imports: [shared.yaml]\n", "shared.yaml:7: 'shared.yaml' imports itself"),
        (MAIN, "a: [", "shared.yaml:1: is not valid YAML"),
        (
            MAIN.replace("topics:", "domains: {customer: {surrogate: hex}}\ntopics:"),
            SHARED,
            "shared.yaml:3: domain 'customer' is another one in",
        ),
    ],
)
def test_mistakes_in_imported_files_are_named_there(tmp_path: Path, main: str, shared: str, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        imported(tmp_path, main, shared)
    assert says in str(caught.value)


def test_a_file_that_two_import_counts_once(tmp_path: Path) -> None:
    imported(tmp_path)
    (tmp_path / "common/other.yaml").write_text("version: 1\nimports: [shared.yaml]\n")
    loaded = imported(tmp_path, MAIN.replace("shared.yaml]", "shared.yaml, common/other.yaml]"))
    assert [topic.match for topic in loaded.spec.topics] == ["payments.*", "audit"]
