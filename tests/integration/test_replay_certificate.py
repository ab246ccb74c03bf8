"""What a certificate says of a replay into a real Kafka: the floor beside it, arrivals at a consumer, objectives."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.offsets import log_ends
from recorder.replaying.certificate import read_certificate
from tests import builders
from tests.builders import record
from tests.cli.running import run

pytestmark = pytest.mark.integration

NOW = time.time_ns() // 1_000_000 - 60_000
RECORDS = 600


@pytest.fixture
def name() -> str:
    return f"certified-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def capture(name: str, tmp_path: Path) -> Path:
    """Two topics, a record every 2 ms."""
    rows = [
        record(f"{name}.{index % 2}", index % 3, NOW + index * 2, f"k{index % 7}", "x" * 100)
        for index in range(RECORDS)
    ]
    return builders.make_capture(tmp_path / "c", rows, clean=True, created_at_ms=NOW + 7_200_000).root


def create(kafka: LocalKafka, *topics: NewTopic) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.create_topics(list(topics)).values():
        future.result()


def test_the_probe_sees_every_record_arrive_and_knows_it_from_others(
    target_kafka: LocalKafka, name: str, capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamped = {"message.timestamp.type": "LogAppendTime"}
    create(target_kafka, NewTopic(f"{name}.0", 3, 1, config=stamped), NewTopic(f"{name}.1", 3, 1))
    stranger = Producer({"bootstrap.servers": target_kafka.bootstrap})
    stranger.produce(f"{name}.0", b"from before", partition=0)
    stranger.flush(10)
    kept = tmp_path / "c.json"
    done = run(
        capsys,
        *("replay", capture, "-b", target_kafka.bootstrap, "--certificate", kept, "--probe"),
        *("--timestamps", "now", "--slo", "loss=0,inversions=0,arrival_p99=60s,append_p50=60s"),
    )
    assert done.code == 0, done.err
    certificate = read_certificate(kept)
    probed, floor = certificate.probed, certificate.floor
    assert probed is not None
    assert (probed.matched, probed.missing, probed.others, probed.error) == (RECORDS, 0, 0, None)
    assert probed.append_lateness is not None
    assert probed.append_lateness.count == RECORDS // 2  # one topic keeps the time of appending, the other does not
    assert probed.arrival_lateness is not None
    assert certificate.dispatch_lateness is not None
    assert probed.arrival_lateness.max_ns >= certificate.dispatch_lateness.p50_ns
    assert floor is not None
    assert (floor.ack_by, floor.ack_topic) == ("metadata requests", None)
    assert all(part is not None and part.count for part in (floor.timer, floor.hand_over, floor.ack))
    assert floor.took_ns < 2_000_000_000
    assert certificate.rhythm is not None
    assert sum(certificate.rhythm.rates.planned) == sum(certificate.rhythm.rates.sent) == RECORDS
    assert certificate.inversions.timeline == 0
    assert "600 records seen to arrive" in done.out
    ends = log_ends(Cluster(connect(target_kafka.bootstrap)), [(f"{name}.{t}", p) for t in (0, 1) for p in range(3)])
    assert sum(ends.values()) == RECORDS + 1  # calibration wrote nothing


def test_a_missed_objective_ends_with_5_and_confirmations_are_calibrated_only_where_allowed(
    target_kafka: LocalKafka, name: str, capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(target_kafka, NewTopic(f"{name}.cal", 1, 1))
    kept = tmp_path / "c.json"
    replay = ("replay", capture, "-b", target_kafka.bootstrap, "--certificate", kept, "--create-topics", "--rate", "4")
    refused = run(capsys, *replay, "--calibrate-topic", f"{name}.0")
    assert refused.code == 2
    assert "is a topic that this replay writes to" in refused.sentence()
    assert "does not exist" in run(capsys, *replay, "--calibrate-topic", f"{name}.nowhere").sentence()
    assert run(capsys, *replay, "--slo", "p99").code == 2
    missed = run(capsys, *replay, "--calibrate-topic", f"{name}.cal", "--slo", "p50=1ns,loss=0,arrival_p99=1m")
    assert missed.code == 5
    assert [line.split(" was ")[0] for line in missed.err.splitlines() if "the objective" in line] == [
        "Dispatch lateness p50",
        "Arrival lateness p99",
    ]
    floor = read_certificate(kept).floor
    assert floor is not None
    assert floor.ack_topic == f"{name}.cal"
    assert floor.ack is not None
    ends = log_ends(Cluster(connect(target_kafka.bootstrap)), [(f"{name}.cal", 0)])
    assert floor.bare_loop is not None
    assert ends[f"{name}.cal", 0] == floor.ack.count + 2 * floor.bare_loop.count  # 2 a millisecond
    assert run(capsys, *replay, "--no-calibration").code == 0
    assert read_certificate(kept).floor is None
