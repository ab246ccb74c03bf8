"""A recording under a cap takes its time, holds the same records, and still ends at once when asked to."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording.record import record
from recorder.recording.request import Request
from recorder.recording.throttle import BURST_SECONDS
from tests.integration.producing import New, produce
from tests.integration.recording import EVERYTHING, recorded, rows

pytestmark = pytest.mark.integration


def test_a_cap_is_kept_and_changes_no_record(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New(os.urandom(500), os.urandom(500)) for _ in range(3_000)])
    began = time.monotonic()
    capped = recorded(kafka, tmp_path / "capped", topic, max_bytes_per_second=2_000_000)
    assert time.monotonic() - began >= 3_000_000 / 2_000_000 - BURST_SECONDS
    assert rows(capped, topic) == rows(recorded(kafka, tmp_path / "free", topic), topic)


def test_a_stop_does_not_wait_for_the_cap(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New(os.urandom(1_000)) for _ in range(3_000)])
    stop = threading.Event()
    threading.Timer(1, stop.set).start()
    began = time.monotonic()
    request = Request(EVERYTHING, names=[topic], max_bytes_per_second=10_000)
    manifest = record(connect(kafka.bootstrap), request, tmp_path / "c", stop=stop)
    assert time.monotonic() - began < 60
    assert manifest.finished_by == "interrupt"
