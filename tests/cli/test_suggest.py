"""`blackbox suggest`, as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import ExitCode
from tests.builders import make_capture
from tests.cli.running import run
from tests.scrubbing.helpers import orders


def test_a_draft_is_right_and_says_what_is_left_to_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_capture(tmp_path / "raw", orders(60))
    done = run(capsys, "suggest", "raw", "-o", "policy.yaml")
    assert done.code == 0
    assert "Wrote policy.yaml: 11 places are decided, 2 wait for you" in done.err
    assert run(capsys, "policy", "check", "policy.yaml").code == 0
    left = run(capsys, "policy", "check", "policy.yaml", "raw")
    assert left.code == ExitCode.FAILED
    assert "amount" in left.out
    text = Path("policy.yaml").read_text().replace("#?", "")
    Path("taken.yaml").write_text(text)
    assert run(capsys, "policy", "check", "taken.yaml", "raw").code == 0


def test_nobodys_policy_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_capture(tmp_path / "raw", orders(10))
    Path("policy.yaml").write_text("mine")
    assert run(capsys, "suggest", "raw", "-o", "policy.yaml").code == ExitCode.USAGE
    assert Path("policy.yaml").read_text() == "mine"
    assert "topics:" in run(capsys, "suggest", "raw").out
