"""The watcher's examples are what the program understands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from recorder.watching.settings import load_settings
from recorder.watching.triggers import Called, Dropped, OnRecords

WATCH = Path(__file__).parents[2] / "examples" / "watch"
ENV = {"BLACKBOX_WATCH_TOKEN": "0123456789abcdef"}


def test_the_example_is_a_valid_file() -> None:
    settings = load_settings(WATCH / "watch.yaml", ENV)
    kinds = [type(trigger) for trigger in settings.triggers]
    assert kinds == [Called, Dropped, OnRecords, OnRecords, OnRecords]
    assert (settings.before_ms, settings.after_ms) == (900_000, 120_000)


def test_its_lines_on_scrubbing_are_valid_too(tmp_path: Path) -> None:
    ours = r"^# (scrub:|  (?:policy|staging|signing_key|quarantine|quarantine_key):)"
    text = re.sub(ours, r"\1", (WATCH / "watch.yaml").read_text(), flags=re.MULTILINE)
    (tmp_path / "watch.yaml").write_text(text)
    scrub = load_settings(tmp_path / "watch.yaml", ENV).scrub
    assert scrub is not None
    assert scrub.staging == Path("/dev/shm")
    assert scrub.quarantine == tmp_path / "held" and scrub.quarantine_key == tmp_path / "quarantine.pub"
    assert scrub.signing_key == tmp_path / "reports.key"
    assert (WATCH / "../policies/kpay.yaml").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_finds_nothing_wrong_with_the_service(tmp_path: Path) -> None:
    unit = tmp_path / "blackbox-watch.service"
    text = (WATCH / "blackbox-watch.service").read_text()
    unit.write_text(text.replace("ExecStart=/opt/blackbox/bin/blackbox", "ExecStart=/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if unit.name in line] == []  # it tells of others' units too
