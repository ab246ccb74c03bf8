"""What a session spills is private and never stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recorder.query.spill import Spill

LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_is_private_and_goes_when_closed() -> None:
    spill = Spill()
    (spill.path / "x").write_text("private")
    assert spill.path.stat().st_mode & 0o077 == 0
    spill.close()
    spill.close()
    assert not spill.path.exists()


def test_what_a_killed_process_left_goes_with_the_next(temporary: Path) -> None:
    orphan = temporary / "blackbox-sql-orphan"
    orphan.mkdir()
    (orphan / "x").write_text("private")
    os.utime(orphan, (LONG_AGO, LONG_AGO))
    Spill()
    assert not orphan.exists()


def test_what_is_in_use_or_not_ours_stays(temporary: Path) -> None:
    used = Spill()
    os.utime(used.path, (LONG_AGO, LONG_AGO))
    young = temporary / "blackbox-sql-young"
    young.mkdir()
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (temporary / "blackbox-sql-link").symlink_to(elsewhere)
    other = Spill()
    assert used.path.exists()
    assert other.path.exists()
    assert young.exists()
    assert elsewhere.exists()
