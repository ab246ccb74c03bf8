"""When writing fails: one sentence, exit 1, what is sealed stays, and nothing half-written looks whole."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.capture.reader import open_capture
from recorder.errors import CaptureError, ExitCode, UsageError
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from tests.cli.running import run, without_rights
from tests.integration.producing import New, produce
from tests.integration.recording import EVERYTHING

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]


def limited(kafka: LocalKafka, topic: str, directory: Path, limit: int) -> subprocess.CompletedProcess[str]:
    """Record in a process whose files may not grow beyond `limit` bytes: what a full disk looks like."""
    command = [sys.executable, "-c", "from recorder.cli.main import main; main()", "record", "-b", kafka.bootstrap,
               "-t", topic, "--from", "beginning", "-o", str(directory)]  # fmt: skip
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def test_a_full_disk_before_anything_was_sealed_leaves_nothing(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New(os.urandom(10_000)) for _ in range(2_000)])
    done = limited(kafka, topic, tmp_path / "c", 1_000_000)
    assert done.returncode == ExitCode.FAILED
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"blackbox: Can't write {tmp_path / 'c'}")
    assert "may not grow that large" in line
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_later_leaves_what_was_sealed_and_says_that_it_is_unfinished(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(2)
    produce(kafka.bootstrap, topic, [New(b"small")])
    produce(kafka.bootstrap, topic, [New(os.urandom(10_000), partition=1) for _ in range(2_000)])
    done = limited(kafka, topic, tmp_path / "c", 10_000_000)
    assert done.returncode == ExitCode.FAILED
    assert len(done.stderr.splitlines()) == 1
    left = sorted(path.name for path in (tmp_path / "c").rglob("*") if path.is_file())
    assert "manifest.json" not in left
    assert not [name for name in left if name.endswith(".tmp")]
    if left:
        with pytest.raises(CaptureError, match="unfinished recording"):
            open_capture(tmp_path / "c")


def test_a_directory_that_may_not_be_written(
    kafka: LocalKafka, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    produce(kafka.bootstrap, topic, [New()])
    command = ["record", "-b", kafka.bootstrap, "-t", topic, "--from", "beginning", "-o"]
    assert run(capsys, *command, tmp_path / "good").code == 0  # also loads all modules, while we still may
    locked = tmp_path / "locked"
    locked.mkdir()
    with without_rights(locked, mode=0o555):
        ran = run(capsys, *command, locked / "c")
        assert ran.code == ExitCode.FAILED
        assert ran.sentence() == f"Can't create {locked / 'c'}: Permission denied."
    assert list(locked.iterdir()) == []


def test_an_output_directory_that_is_removed_meanwhile(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New(os.urandom(1_000)) for _ in range(1_000)])
    gone = tmp_path / "gone"

    def remove(now: Progress) -> None:
        if (tmp_path / "c").exists():
            (tmp_path / "c").rename(gone)

    with pytest.raises(CaptureError, match="its directory is gone"):
        record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), tmp_path / "c", progress=remove)
    assert not (tmp_path / "c" / "manifest.json").exists()
    assert not (gone / "manifest.json").exists()


def test_an_unknown_topic_names_those_that_are_near_and_writes_nothing(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = make_topic(name="payments.dlq")
    wrong = topic.replace("payments", "payment")
    ran = run(capsys, "record", "-b", kafka.bootstrap, "-t", wrong, "--from", "beginning", "-o", tmp_path / "c")
    assert ran.code == ExitCode.USAGE
    assert f"There is no topic {wrong} in the cluster" in ran.sentence()
    assert f"did you mean {topic}" in ran.sentence()
    ran = run(capsys, "record", "-b", kafka.bootstrap, "-e", "no-such-.*", "--from", "beginning", "-o", tmp_path / "c")
    assert (ran.code, "No topic matches" in ran.sentence()) == (ExitCode.USAGE, True)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_is_left_as_it_is(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
