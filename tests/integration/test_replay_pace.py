"""Passes, caps, lateness and several captures, through the command line into a real Kafka."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path

import pyarrow as pa
import pytest

from recorder.capture.reader import open_capture
from recorder.cli.main import main
from recorder.errors import ExitCode
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.offsets import log_ends
from recorder.kafka.producer import Columns, Limits, RecordProducer
from recorder.replaying import Options, prepare, run
from recorder.replaying.certificate import Certificate, read_certificate
from tests.builders import make_capture, record
from tests.conftest import create_topic, wait_until

pytestmark = pytest.mark.integration

NOW = time.time_ns() // 1_000_000 - 60_000


@pytest.fixture
def name() -> str:
    return f"paced-{uuid.uuid4().hex[:8]}"


def capture(root: Path, topic: str, *, records: int = 200, first: int = 0, cluster_id: str = "source") -> str:
    rows = [
        record(topic, at % 2, NOW + 5 * at, f"k{at % 20}", {"n": at}, offset=first + at // 2) for at in range(records)
    ]
    made = make_capture(root, rows, clean=True, created_at_ms=NOW + 7_200_000, cluster_id=cluster_id)
    return str(made.root)


def replay(kafka: LocalKafka, kept: Path, *words: str, ends: int = 0) -> Certificate:
    with pytest.raises(SystemExit) as ended:
        main(["replay", *words, "-b", kafka.bootstrap, "--create-topics", "--certificate", str(kept)])
    assert (ended.value.code or 0) == ends
    return read_certificate(kept)


def arrived(kafka: LocalKafka, topic: str) -> int:
    ends = log_ends(Cluster(connect(kafka.bootstrap)), [(topic, 0), (topic, 1)])
    return sum(ends.values())


def test_passes_over_what_sql_and_a_sample_leave(target_kafka: LocalKafka, name: str, tmp_path: Path) -> None:
    words = ["--loop", "3", "--loop-delay", "100ms", "--rate", "10", "--where", "(value_json->>'$.n')::int >= 100"]
    certificate = replay(target_kafka, tmp_path / "k.json", capture(tmp_path / "c", name), *words)
    assert (certificate.planned, certificate.acked, certificate.losses) == (300, 300, 0)
    assert certificate.course.changes == {"start": 1, "loop": 2}
    assert certificate.course.choices.where == "(value_json->>'$.n')::int >= 100"
    assert certificate.planned_ns == 3 * 49_500_000 + 2 * 100_000_000
    assert arrived(target_kafka, name) == 300
    assert certificate.inversions.partition == 0


def test_trap_25_a_cap_and_lateness_that_fails_with_exit_code_5(
    target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    words = ["--pps", "50", "--late", "fail", "--late-bound", "500ms"]
    certificate = replay(target_kafka, tmp_path / "k.json", capture(tmp_path / "c", name), *words, ends=ExitCode.LATE)
    assert certificate.ended_by == "late"
    assert certificate.error is not None
    assert certificate.acked == certificate.sent == arrived(target_kafka, name) < 100


def test_trap_28_what_is_dropped_for_lateness_is_a_loss_and_named(
    target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    words = ["--pps", "100", "--late", "drop", "--late-bound", "100ms"]
    certificate = replay(target_kafka, tmp_path / "k.json", capture(tmp_path / "c", name), *words, ends=ExitCode.LOSS)
    dropped = certificate.course.dropped
    assert dropped > 50
    assert len(certificate.course.drops) == dropped
    assert certificate.losses == dropped
    assert certificate.acked == 200 - dropped == arrived(target_kafka, name)


def test_captures_of_two_clusters_and_one_that_goes_on(target_kafka: LocalKafka, name: str, tmp_path: Path) -> None:
    first = capture(tmp_path / "eu-1", name, records=100, cluster_id="eu")
    second = capture(tmp_path / "eu-2", name, records=100, first=50, cluster_id="eu")
    other = capture(tmp_path / "us", f"{name}.us", cluster_id="us")
    certificate = replay(target_kafka, tmp_path / "k.json", second, first, other, "--topspeed", "--slo", "inversions=0")
    assert (certificate.acked, arrived(target_kafka, name), arrived(target_kafka, f"{name}.us")) == (400, 200, 200)
    assert certificate.capture == "eu-2 + eu-1 + us"
    assert len(certificate.further_captures) == 2
    assert certificate.inversions.partition == 0


class SlowAfterwards:
    """Takes every record; once told to, it takes its time for each batch, as a slow disk would."""

    expression = binding = "true"

    def __init__(self) -> None:
        self.slow = False

    def holds(self, batch: pa.RecordBatch, *_of: object) -> pa.Array:
        if self.slow:
            threading.Event().wait(0.3)
        return pa.array([True] * batch.num_rows)


def test_a_replay_that_starves_says_so_while_it_runs_with_the_number_to_set(
    target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    condition, told, acked = SlowAfterwards(), list[tuple[str, int]](), [0]
    options = Options(
        where=condition, loop=3, read_ahead_bytes=2_000_000, create_topics=True, calibrate=False, rate=100
    )
    plan = prepare(open_capture(Path(capture(tmp_path / "c", name))), connect(target_kafka.bootstrap), options)
    condition.slow = True
    certificate = run(
        plan,
        progress=lambda now: acked.append(now.acked),
        tell=lambda words: told.append((words, acked[-1])),
    )
    assert certificate.acked == 600
    assert told
    assert "before they were read: give --read-ahead 4MB" in told[0][0]
    assert told[0][1] < 600


def test_trap_26_a_record_in_rhythm_does_not_wait_for_company(target_kafka: LocalKafka, name: str) -> None:
    create_topic(target_kafka.bootstrap, name)

    def quickest(*, paced: bool) -> float:
        """Of twenty records that are sent one after the other: from hand-over to confirmation, in seconds."""
        producer = RecordProducer(connect(target_kafka.bootstrap), limits=Limits(1_000, 1_000_000), paced=paced)
        producer.warm_up([name])
        took = []
        for _ in range(20):
            confirmed: list[float] = []
            began = time.monotonic()
            columns = Columns([name], [0], [b"k"], [b"v"], [None], [1])
            producer.send(columns, [lambda error, message, at=confirmed: at.append(time.monotonic())], 0, 1)  # type: ignore[misc]
            while not confirmed:
                producer.serve(1_000_000)
            took.append(confirmed[0] - began)
        return min(took)

    assert quickest(paced=True) < 0.010 <= quickest(paced=False)


def test_statistics_that_nobody_heard_are_not_taken_for_a_record_without_a_confirmation(
    target_kafka: LocalKafka, name: str
) -> None:
    """The client counts them among what it holds: a certificate would tell of one record less, now and then."""
    create_topic(target_kafka.bootstrap, name)
    producer = RecordProducer(connect(target_kafka.bootstrap), limits=Limits(1_000, 1_000_000), paced=False)
    producer.warm_up([name])
    producer.send(Columns([name], [0], [b"k"], [b"v"], [None], [1]), [lambda *_: None], 0, 1)
    assert producer.holds
    assert not producer.flush(30)
    wait_until(lambda: len(producer._producer) > 0, what="statistics of the client")
    assert producer.holds == 0
