"""`blackbox scrub` and `blackbox verify-clean` as a person or a script runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.cli.main import main
from tests.builders import T0, make_capture, record
from tests.object_store import Bucket, bucket, object_store
from tests.scrubbing.helpers import POLICY, SECRET, orders

__all__ = ["bucket", "object_store"]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BLACKBOX_KEY", SECRET["BLACKBOX_KEY"])
    monkeypatch.chdir(tmp_path)
    make_capture(tmp_path / "raw", orders(30))
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def blackbox(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    out, err = capsys.readouterr()
    code = caught.value.code
    return (code if isinstance(code, int) else 0), out, err


def test_scrub_and_verify_clean(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = blackbox(capsys, "scrub", "raw", "-p", "policy.yaml", "-o", "clean", "--format", "json")
    assert code == 0
    assert json.loads(out)["records"] == 39
    assert "clean is clean: 39 records" in err
    code, out, err = blackbox(capsys, "verify-clean", "clean", "--against", "raw", "-p", "policy.yaml")
    assert code == 0
    assert "PASSED" in out
    assert "The capture is clean." in err
    assert blackbox(capsys, "verify-clean", "raw")[0] == 1


def test_scrubbing_with_processes(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert blackbox(capsys, "scrub", "raw", "-p", "policy.yaml", "-o", "clean", "-j", "2")[0] == 0
    assert blackbox(capsys, "verify-clean", "clean", "-j", "2")[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "customer.name: {domain: name}",
            "customer.name: {domain: nam}",
            "policy.yaml:15: unknown domain 'nam'. Did you",
        ),
        ("version: 1", "version: [", "policy.yaml"),
    ],
)
def test_a_bad_policy_is_a_usage_error_with_its_line(
    work: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    (work / "policy.yaml").write_text(POLICY.replace(old, new))
    code, _out, err = blackbox(capsys, "scrub", "raw", "-p", "policy.yaml", "-o", "clean")
    assert code == 2
    assert says in err
    assert not (work / "clean").exists()


@pytest.mark.parametrize("secret", [None, "too short"])
def test_a_missing_or_short_secret_is_a_usage_error(
    work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    monkeypatch.delenv("BLACKBOX_KEY") if secret is None else monkeypatch.setenv("BLACKBOX_KEY", secret)
    code, _out, err = blackbox(capsys, "scrub", "raw", "-p", "policy.yaml", "-o", "clean")
    assert code == 2
    assert "BLACKBOX_KEY" in err
    assert "too short" not in err


def test_a_refused_record_is_named(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_capture(work / "odd", [record("orders", 0, T0, "cust-1", {"fax": "1"})])
    code, _out, err = blackbox(capsys, "scrub", "odd", "-p", "policy.yaml", "-o", "clean")
    assert code == 1
    assert "orders-0@0 value fax" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [("verify-clean", "raw", "--against", "raw"), ("scrub", "nothing", "-p", "policy.yaml", "-o", "x")]
)
def test_flags_that_mean_nothing_are_usage_errors(
    work: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert blackbox(capsys, *arguments)[0] == 2


def test_an_existing_target_is_left_alone(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "clean").mkdir()
    code, _out, err = blackbox(capsys, "scrub", "raw", "-p", "policy.yaml", "-o", "clean")
    assert code == 2
    assert "exists already" in err


def test_scrub_from_an_object_store_into_it(
    work: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(work / "cache"))
    raw, clean = bucket.put(work / "raw", "raw"), f"{bucket.uri}/clean"
    code, _, err = blackbox(capsys, "scrub", raw, "-p", "policy.yaml", "-o", clean)
    assert (code, f"{clean} is clean: 39 records" in err) == (0, True)
    code, _, err = blackbox(capsys, "verify-clean", clean, "--against", raw, "-p", "policy.yaml")
    assert (code, "The capture is clean." in err) == (0, True)
    code, _, err = blackbox(capsys, "scrub", raw, "-p", "policy.yaml", "-o", clean)
    assert (code, "exists already" in err) == (2, True)
    assert not [path for path in (work / "cache").rglob("*") if path.is_file()]


def test_what_writes_to_a_directory_makes_none_that_is_called_as_a_uri(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = blackbox(capsys, "cut", "raw", "-o", "s3://bucket/part")
    assert (code, "blackbox push" in err) == (2, True)
    assert not (work / "s3:").exists()


def test_a_copy_is_signed_and_checked_with_the_public_key(
    work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = blackbox(capsys, "keys", "new", "reports")
    assert (code, out.strip() in err) == (0, True)
    assert blackbox(capsys, "keys", "new", "reports")[0] == 2
    code, _, err = blackbox(capsys, "scrub", "raw", "-p", "policy.yaml", "-o", "clean", "--signing-key", "reports.key")
    assert (code, f"signed by key {out.strip()}" in err) == (0, True)
    monkeypatch.delenv("BLACKBOX_KEY")
    assert blackbox(capsys, "verify-clean", "clean", "--public-key", "reports.pub")[0] == 0
    (work / "clean/more.txt").write_text("more")
    code, _, err = blackbox(capsys, "verify-clean", "clean", "--public-key", "reports.pub")
    assert (code, "more.txt: is not named in the report: it was added later." in err) == (1, True)


def test_an_unsigned_copy_is_said_loudly(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = blackbox(capsys, "--quiet", "scrub", "raw", "-p", "policy.yaml", "-o", "clean")
    assert (code, "NOT SIGNED" in err) == (0, True)
