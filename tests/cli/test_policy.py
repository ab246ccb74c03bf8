"""`blackbox policy`: checking, explaining and the schema, as a person or a pipeline runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.errors import ExitCode
from tests.builders import T0, make_capture, record
from tests.cli.running import run
from tests.scrubbing.helpers import POLICY, orders
from tests.scrubbing.test_scrub_formats import POLICY as FRAMED
from tests.scrubbing.test_scrub_formats import capture, order


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("BLACKBOX_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    make_capture(tmp_path / "raw", orders(30))
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def test_a_right_policy_is_right_without_its_secret(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "policy", "check", "policy.yaml")
    assert (done.code, done.err) == (0, "policy.yaml is right: 2 topics, 3 domains.\n")
    done = run(capsys, "policy", "check", "policy.yaml", "raw")
    assert done.code == 0
    assert "answers for all that is in raw" in done.err


def test_a_mistake_ends_with_its_line(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "policy.yaml").write_text(POLICY.replace("{domain: name}", "{domain: nam}"))
    done = run(capsys, "policy", "check", "policy.yaml")
    assert done.code == ExitCode.USAGE
    assert "policy.yaml:15: unknown domain 'nam'" in done.err


def test_all_that_a_capture_holds_unnamed_is_said_at_once(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = POLICY.replace('      "{order,amount}": keep\n', "").replace("trace: keep, ", "").replace('"*": drop', "")
    (work / "policy.yaml").write_text(text.split("  - match: mails")[0])
    done = run(capsys, "policy", "check", "policy.yaml", "raw")
    assert done.code == ExitCode.FAILED
    for name in ("amount", "order", "header trace", "header secret", "mails"):
        assert name in done.out
    assert "customer.email" not in done.out


def test_explain_names_rule_and_line_for_each_path_and_no_value(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "policy", "explain", "policy.yaml", "raw", "--format", "json")
    assert done.code == 0
    rows = {(row["topic"], row["place"], row["path"]): row for row in json.loads(done.out)}
    row = rows["orders", "value", "customer.name"]
    assert (row["type"], row["rule"], row["policy path"]) == ("string", "pseudonym name", "customer.name")
    assert row["where"] == "policy.yaml:15"
    assert rows["orders", "key", "$"]["rule"] == "extract"
    assert rows["orders", "value", "amount"]["rule"] == "keep"
    for secret in ("Müller", "firma.de", "10000000"):
        assert secret not in done.out + done.err


def test_keys_that_are_data_are_not_shown(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_capture(work / "keys", [record("mails", 0, T0, "m", {"by": {"anna@firma.de": 1, "4711000": 2}})])
    (work / "keys.yaml").write_text(POLICY.replace("      to: {domain: email}", "      by.*: keep"))
    done = run(capsys, "policy", "explain", "keys.yaml", "keys")
    assert "by.*" in done.out
    assert "anna" not in done.out
    assert "4711000" not in done.out


def test_explain_tells_of_names_of_headers_that_no_rule_is_for(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wild = POLICY.replace('trace: keep, "*": drop', '"*": keep')
    expected = {"header trace": "FAILS", "header secret": "FAILS"}
    for more, rules in (("", expected), (', "@key": hash', dict.fromkeys(expected, "hash"))):
        (work / "wild.yaml").write_text(wild.replace('"*": keep', f'"*": keep{more}'))
        done = run(capsys, "policy", "explain", "wild.yaml", "raw", "--format", "json")
        names = [row for row in json.loads(done.out) if row["path"] == "@key"]
        assert {row["place"]: row["rule"] for row in names} == rules
        assert {row["type"] for row in names} == {"name"}


def test_explain_speaks_of_avro_as_of_json(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture(work / "avro", order(1))
    (work / "avro.yaml").write_text(FRAMED.replace(", name: {domain: name}}\n", "}\n"))
    done = run(capsys, "policy", "explain", "avro.yaml", "avro", "--format", "json")
    rows = {row["path"]: row["rule"] for row in json.loads(done.out) if row["place"] == "value"}
    assert rows == {"customer": "pseudonym customer", "name": "FAILS"}


def test_the_schema_is_printed_for_editors(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "policy", "schema")
    assert done.code == 0
    assert json.loads(done.out)["title"] == "blackbox policy"
