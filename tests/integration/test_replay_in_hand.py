"""A replay commanded while it runs: over its socket by `blackbox ctl`, and by keys on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recorder.capture.reader import Capture
from recorder.errors import ExitCode
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.offsets import log_ends
from recorder.replaying import Certificate, remote
from recorder.replaying.certificate import read_certificate
from recorder.replaying.control import AskStatus
from tests.builders import make_capture, record
from tests.conftest import create_topic, wait_until

pytestmark = pytest.mark.integration

BLACKBOX = [sys.executable, "-c", "from recorder.cli.main import main; main()"]
RECORDS, EVERY_MS = 6_000, 10


class Played:
    """A replay of 6,000 records, one every 10 ms, in a process of its own."""

    def __init__(self, kafka: LocalKafka, root: Path, *options: str, stdin: int = subprocess.DEVNULL) -> None:
        self.topic = f"in-hand-{uuid.uuid4().hex[:8]}"
        create_topic(kafka.bootstrap, self.topic)
        self.capture = a_minute(root / "c", self.topic)
        self.kept, self.sockets = root / "kept.json", root / "s"
        self.env = {**os.environ, "BLACKBOX_REPLAY_SOCKETS": str(self.sockets), "TERM": "xterm"}
        self._cluster = Cluster(connect(kafka.bootstrap))
        command = [*BLACKBOX, "replay", str(self.capture.root), "-b", kafka.bootstrap, "--timestamps", "now"]
        command += ["--certificate", str(self.kept), *options]
        terminal = stdin != subprocess.DEVNULL
        self.process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=stdin if terminal else subprocess.DEVNULL,
            env=self.env,
            start_new_session=terminal,
            preexec_fn=_take_terminal if terminal else None,
        )

    def ctl(self, *words: str, fails: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [*BLACKBOX, "ctl", *words, *([] if fails else ["--format", "json"])],
            capture_output=True,
            text=True,
            env=self.env,
            timeout=60,
        )
        assert done.returncode == fails, done.stderr
        return dict(json.loads(done.stdout)) if not fails else {"error": done.stderr}

    def arrived(self) -> int:
        return log_ends(self._cluster, [(self.topic, 0)])[self.topic, 0]

    def status(self) -> dict[str, Any]:
        (socket,) = remote.running(self.sockets)
        return dict(msgspec.to_builtins(remote.command(socket, AskStatus())))

    def ended(self) -> Certificate:
        self.process.wait(60)
        return read_certificate(self.kept)


@contextmanager
def playing(kafka: LocalKafka, root: Path, *options: str, **more: Any) -> Iterator[Played]:
    played = Played(kafka, root, *options, **more)
    try:
        wait_until(lambda: list(played.sockets.glob("*.sock")), what="the replay listens", seconds=60)
        yield played
    finally:
        played.process.kill()
        played.process.wait()


def a_minute(root: Path, topic: str) -> Capture:
    now = time.time_ns() // 1_000_000
    rows = [record(topic, 0, now + EVERY_MS * at, f"k{at % 7}", str(at)) for at in range(RECORDS)]
    return make_capture(root, rows, clean=True, created_at_ms=now + 3_600_000)


def test_a_replay_obeys_and_its_certificate_tells_every_anchor(target_kafka: LocalKafka, tmp_path: Path) -> None:
    with playing(target_kafka, tmp_path) as played:
        assert oct((next(played.sockets.glob("*.sock"))).stat().st_mode & 0o777) == "0o600"
        wait_until(lambda: played.arrived() > 50, what="records arrive")
        held = played.ctl("pause")
        assert (held["state"], held["rate"]) == ("paused", 1.0)
        wait_until(lambda: played.status()["acked"] == played.status()["sent"], what="all in flight is confirmed")
        before = played.arrived()
        stepped = played.ctl("step", "3")
        wait_until(lambda: played.arrived() == before + 3, what="three records arrive by command")
        assert stepped["state"] == "paused"
        assert played.ctl("rate", "4")["rate"] == 4.0
        assert played.ctl("resume")["state"] == "playing"
        ahead = played.ctl("seek", "+40s")
        assert 39_900 <= ahead["played_ms"] < 45_000
        back = played.ctl("seek", "+1s")
        assert 900 <= back["played_ms"] < 6_000
        assert "is not a rate" in played.ctl("rate", "0", fails=ExitCode.USAGE)["error"]
        stopped = played.ctl("stop")
        assert stopped["planned"] == RECORDS
        certificate = played.ended()
    assert played.process.returncode == ExitCode.INTERRUPTED
    course = certificate.course
    assert certificate.ended_by == "stop"
    assert [anchor.why for anchor in course.anchors] == [
        "start", "pause", "step", "rate", "resume", "seek", "seek",
    ]  # fmt: skip
    assert course.commanded == 3
    assert course.skipped > 0
    assert certificate.sent == certificate.acked
    assert (certificate.inversions.partition, certificate.inversions.key) == (0, 0)
    assert not list(played.sockets.glob("*.sock"))


def test_several_replays_are_told_apart_and_stale_sockets_go(target_kafka: LocalKafka, tmp_path: Path) -> None:
    with playing(target_kafka, tmp_path / "a", "--step") as one:
        one.sockets.joinpath("000000000000.sock").symlink_to(tmp_path / "nobody")
        with playing(target_kafka, tmp_path / "b", "--step") as other:
            (socket,) = other.sockets.glob("*.sock")
            assert one.status()["capture"] == other.status()["capture"] == "c"
            one.env["BLACKBOX_REPLAY_SOCKETS"] = str(other.sockets)
            assert one.ctl("--replay", str(socket), "burst", "10")["state"] == "paused"
            wait_until(lambda: other.arrived() == 10, what="the other one sends ten records")
            assert one.arrived() == 0
            assert "No replay ff" in one.ctl("--replay", "ff00", "pause", fails=ExitCode.USAGE)["error"]
            other.process.kill()
            other.process.wait()
            assert "No replay runs" in one.ctl("pause", fails=ExitCode.USAGE)["error"]
            assert not socket.exists()


def test_keys_command_it_and_the_terminal_is_given_back(target_kafka: LocalKafka, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    shown: list[bytes] = []
    reader = threading.Thread(target=_read, args=(leader, shown), daemon=True)
    reader.start()
    with playing(target_kafka, tmp_path, stdin=follower) as played:
        press(leader, b" ", lambda: played.status()["state"] == "paused")
        count = played.status()["sent"]
        press(leader, b"n", lambda: played.status()["sent"] == count + 1)
        press(leader, b"+", lambda: played.status()["rate"] == 1.25)
        press(leader, b"-", lambda: played.status()["rate"] == 1.0)
        press(leader, b"g+50s\r", lambda: played.status()["played_ms"] > 49_000)
        press(leader, b" ", lambda: played.status()["state"] == "playing")
        os.write(leader, b"\x03")
        certificate = played.ended()
    assert certificate.ended_by == "interrupt"
    assert termios.tcgetattr(follower)[:4] == before[:4]
    assert b"space pauses" in b"".join(shown)
    os.close(follower)
    os.close(leader)


def press(terminal: int, keys: bytes, then: Callable[[], bool]) -> None:
    os.write(terminal, keys)
    wait_until(then, what=f"{keys!r} is obeyed")


def _take_terminal() -> None:
    """In the new process, which leads a session of its own: its standard input becomes its terminal."""
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(terminal: int, shown: list[bytes]) -> None:
    while True:
        try:
            shown.append(os.read(terminal, 4_096))
        except OSError:
            return
