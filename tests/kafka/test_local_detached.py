"""`blackbox local` leaves a cluster running, finds it again, and takes it down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from recorder.kafka.local_install import install
from tests.conftest import create_topic, wait_until

pytestmark = pytest.mark.integration

_MAIN = "from recorder.cli.main import main; main()"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, with the installation that is already here, so that no developer's cluster is touched."""
    installation = install()
    for directory in (installation.jars[0].parent, installation.class_archive.parent):
        (tmp_path / directory.name).symlink_to(directory)
    monkeypatch.setenv("BLACKBOX_CACHE", str(tmp_path))
    return tmp_path


def blackbox(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-c", _MAIN, "local", *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def clusters() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(blackbox("status", "--format", "json").stdout)
    return listed


def test_a_cluster_goes_on_after_the_command_until_it_is_taken_down(cache: Path) -> None:
    bootstrap = blackbox("up", "--name", "mine").stdout.strip()
    try:
        assert AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).cluster_id
        assert blackbox("up", "--name", "mine").stdout.strip() == bootstrap
        assert [(each["name"], each["state"], each["bootstrap"]) for each in clusters()] == [("mine", "up", bootstrap)]
    finally:
        blackbox("down", "--name", "mine")
    assert clusters() == []
    assert not (cache / "clusters" / "mine").exists()


def test_kept_data_are_there_at_the_next_up(cache: Path) -> None:
    create_topic(blackbox("up").stdout.strip(), "kept")
    blackbox("down", "--keep-data")
    assert [each["state"] for each in clusters()] == ["down"]
    bootstrap = blackbox("up").stdout.strip()
    try:
        assert "kept" in AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    finally:
        blackbox("down")


def test_a_cluster_whose_broker_died_starts_again(cache: Path) -> None:
    blackbox("up")
    try:
        pid = json.loads((cache / "clusters/default/cluster.json").read_text())["pids"][0]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: clusters()[0]["state"] == "down", what="the status says so")
        blackbox("up")
        assert clusters()[0]["state"] == "up"
    finally:
        blackbox("down")


def test_the_unknown_is_a_usage_error(cache: Path) -> None:
    assert "There is no local cluster nobody" in blackbox("down", "--name", "nobody", code=2).stderr
    assert "1 or 3 brokers, not 2" in blackbox("up", "--brokers", "2", code=2).stderr
    assert "can't name a local cluster" in blackbox("up", "--name", "../x", code=2).stderr
