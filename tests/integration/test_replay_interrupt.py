"""Ctrl-C and SIGTERM end a replay well: what was sent is confirmed, the certificate is kept, the exit code is 130."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from recorder.errors import ExitCode
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.offsets import log_ends
from recorder.replaying.certificate import read_certificate
from tests.builders import make_capture, record
from tests.conftest import create_topic, wait_until

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_within_seconds_and_keeps_the_certificate(
    target_kafka: LocalKafka, tmp_path: Path, number: signal.Signals
) -> None:
    topic, now = f"interrupted-{uuid.uuid4().hex[:8]}", time.time_ns() // 1_000_000
    create_topic(target_kafka.bootstrap, topic)
    rows = [record(topic, 0, now + at, "k", str(at)) for at in (0, 1, 2, 3_600_000)]
    capture = make_capture(tmp_path / "c", rows, clean=True, created_at_ms=now + 3_600_000)
    kept = tmp_path / "kept.json"
    command = [sys.executable, "-c", "from recorder.cli.main import main; main()", "replay", str(capture.root)]
    options = ["-b", target_kafka.bootstrap, "--certificate", str(kept), "--timestamps", "now"]
    cluster = Cluster(connect(target_kafka.bootstrap))
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: log_ends(cluster, [(topic, 0)])[topic, 0] == 3, what="three records have arrived")
        asked = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == ExitCode.INTERRUPTED
    assert time.monotonic() - asked < 40
    assert "3 confirmed of 4 planned, 0 failed" in out
    assert "Interrupted" in err
    certificate = read_certificate(kept)
    assert (certificate.ended_by, certificate.sent, certificate.acked) == ("interrupt", 3, 3)
