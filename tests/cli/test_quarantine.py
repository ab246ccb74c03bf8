"""Quarantines as a person or a script meets them: `scrub --quarantine`, `keys new --quarantine`, `quarantine`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from recorder.errors import ExitCode
from tests.builders import T0, make_capture, record
from tests.cli.running import run
from tests.scrubbing.helpers import SECRET, WITHHOLDING, orders

SCRUB = ("scrub", "raw", "-p", "policy.yaml", "-o", "clean")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.setenv("BLACKBOX_KEY", SECRET["BLACKBOX_KEY"])
    monkeypatch.chdir(tmp_path)
    odd = [
        record("orders", 1, T0 + 900, "cust-10000000", {"order": 1, "nickname": "Bonny"}),
        record("orders", 1, T0 + 901, "cust-10000000", b"{cut Bonny"),
        record("orders", 2, T0 + 902, "cust-10000000", b"{cut again", [("trace", "00")]),
    ]
    make_capture(tmp_path / "raw", [*orders(30), *odd])
    (tmp_path / "policy.yaml").write_text(WITHHOLDING)
    made = run(capsys, "keys", "new", "--quarantine", "q")
    assert made.code == 0
    assert "for the policy, or --quarantine-key" in made.err
    return tmp_path


@pytest.fixture
def held(work: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run(capsys, *SCRUB, "--quarantine", "held", "--quarantine-key", "q.pub").code == ExitCode.LOSS
    return work


def test_a_scrub_that_withheld_records_says_so_and_exits_with_3(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, *SCRUB, "--quarantine", "held", "--quarantine-key", "q.pub", "--format", "json")
    assert done.code == ExitCode.LOSS
    facts = json.loads(done.out)["quarantine"]
    assert (facts["path"], facts["records"]) == ("held", 3)
    assert {(one["cause"], one["records"]) for one in facts["lines"]} == {("undecodable", 2), ("unknown_field", 1)}
    assert "orders: 2 records in quarantine (undecodable, value)." in done.err
    assert "The copy lacks 3 records, held by held for key " in done.err
    assert "Bonny" not in done.err + done.out
    assert stat.S_IMODE((work / "held").stat().st_mode) == 0o600
    checked = run(capsys, "verify-clean", "clean", "--against", "raw", "-p", "policy.yaml")
    assert checked.code == 0, checked.out
    assert "in quarantine: 3 records" in checked.out
    shown = run(capsys, "info", "clean", "--ledger")
    assert shown.code == 0
    assert "3 quarantined" in shown.out + shown.err


def test_the_policy_may_name_the_key(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "policy.yaml").write_text(WITHHOLDING + "quarantine: {key: q.pub}\n")
    assert run(capsys, *SCRUB, "--quarantine", "held", "-j", "2").code == ExitCode.LOSS
    assert (work / "held").is_file()


def test_nothing_to_withhold_is_exit_0(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_capture(work / "good", orders(9))
    done = run(capsys, "scrub", "good", *SCRUB[2:], "--quarantine", "held", "--quarantine-key", "q.pub")
    assert done.code == 0
    assert not (work / "held").exists()


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        ((), ExitCode.FAILED, "Add --quarantine FILE, with --quarantine-key KEY.pub"),
        (("--quarantine", "held"), ExitCode.USAGE, "needs the public key"),
        (("--quarantine-key", "q.pub"), ExitCode.USAGE, "belongs to --quarantine FILE"),
        (("--quarantine", "clean/held", "--quarantine-key", "q.pub"), ExitCode.USAGE, "lies in clean"),
        (("--quarantine", "raw/held", "--quarantine-key", "q.pub"), ExitCode.USAGE, "lies in raw"),
        (("--quarantine", "held", "--quarantine-key", "q.key"), ExitCode.USAGE, "holds a private key"),
        (("--quarantine", "policy.yaml", "--quarantine-key", "q.pub"), ExitCode.USAGE, "exists already"),
    ],
)
def test_what_is_missing_or_means_nothing_is_one_sentence(
    work: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], code: int, says: str
) -> None:
    done = run(capsys, *SCRUB, *flags)
    assert done.code == code
    assert says in done.err
    assert "Traceback" not in done.err
    assert not (work / "clean").exists() and not (work / "held").exists()


def test_counts_need_no_key_and_tell_no_value(held: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "quarantine", "held")
    assert done.code == 0
    assert "undecodable" in done.out and "3 records of capture" in done.err
    assert "Bonny" not in done.out and "nickname" not in done.out
    rows = json.loads(run(capsys, "quarantine", "held", "--format", "json").out)
    assert rows == [
        {"topic": "orders", "place": "value", "cause": "undecodable", "records": 2},
        {"topic": "orders", "place": "value", "cause": "unknown_field", "records": 1},
    ]


def test_with_the_key_a_person_lists_and_looks(held: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = run(capsys, "quarantine", "held", "--key", "q.key", "--format", "ndjson")
    rows = [json.loads(line) for line in listed.out.splitlines()]
    assert [(one["partition"], one["cause"], one["path"]) for one in rows] == [
        (1, "unknown_field", "nickname"),
        (1, "undecodable", ""),
        (2, "undecodable", ""),
    ]
    assert (
        len(
            run(
                capsys, "quarantine", "held", "--key", "q.key", "--partition", "2", "--format", "ndjson"
            ).out.splitlines()
        )
        == 1
    )
    one = ("--key", "q.key", "-t", "orders", "--partition", "1", "--offset", str(rows[0]["offset"]))
    shown = run(capsys, "quarantine", "held", *one)
    assert shown.code == 0
    assert f"orders/1@{rows[0]['offset']}" in shown.out and "Bonny" in shown.out
    assert "unknown_field" in shown.err
    whole = json.loads(run(capsys, "quarantine", "held", *one, "--format", "json").out)
    assert whole["value"] == {"order": 1, "nickname": "Bonny"}
    assert whole["quarantine"]["cause"] == "unknown_field"


def test_wrong_keys_and_files_are_one_sentence(held: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "keys", "new", "--quarantine", "other")
    content = (held / "held").read_bytes()
    (held / "torn").write_bytes(content[:-20])
    (held / "bent").write_bytes(content[:400] + bytes([content[400] ^ 1]) + content[401:])
    for words, code, says in (
        (("held", "--key", "other.key"), ExitCode.USAGE, "is encrypted for key"),
        (("held", "--key", "q.pub"), ExitCode.USAGE, "holds a public key"),
        (("held", "--key", "gone"), ExitCode.USAGE, "Can't read the key gone"),
        (("torn",), ExitCode.FAILED, "is a torn quarantine"),
        (("bent", "--key", "q.key"), ExitCode.FAILED, "was altered"),
        (("policy.yaml",), ExitCode.USAGE, "is no quarantine"),
        (("gone",), ExitCode.USAGE, "Can't read gone"),
        (("held", "--offset", "1"), ExitCode.USAGE, "give the private key"),
        (("held", "--key", "q.key", "--offset", "1"), ExitCode.USAGE, "add --topic and --partition"),
        (("held", "--key", "q.key", "-t", "x", "--partition", "0", "--offset", "1"), ExitCode.USAGE, "holds no record"),
    ):
        done = run(capsys, "quarantine", *words)
        assert done.code == code, done.err
        assert says in done.err
        assert len(done.err.strip().splitlines()) == 1


def test_the_guard_refuses_it(held: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "guard", "clean", "held")
    assert done.code == ExitCode.REFUSED
    assert "held is a quarantine" in done.err


def test_explain_tells_what_would_go_there(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "policy", "check", "policy.yaml", "raw").code == 0
    rows = json.loads(run(capsys, "policy", "explain", "policy.yaml", "raw", "--format", "json").out)
    told = {(row["path"], row["policy path"]) for row in rows if row["rule"] == "quarantine"}
    assert told == {("nickname", "(unknown)"), ("", "undecodable: is not valid JSON (2 records)")}
