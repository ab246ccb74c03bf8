"""Replays into a real Kafka: the same records come out, and what can't work is refused before anything is sent."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from recorder.capture.reader import Capture
from recorder.capture.schema import Record
from recorder.errors import BlackboxError, ExitCode, RefusedError, UsageError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import Connection, connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.record_batches import split
from recorder.kafka.wire import Wire
from recorder.replaying import Certificate, Options, Status, prepare, replay, run
from recorder.replaying.certificate import read_certificate
from recorder.replaying.objectives import parse_objectives
from recorder.replaying.silence import BY_REPORTS, BY_SILENCE
from tests import builders
from tests.builders import record
from tests.conftest import create_topic

pytestmark = pytest.mark.integration

Read = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]] | None, int]
NOW = time.time_ns() // 1_000_000 - 60_000
HEADERS = [("trace", b"1"), ("trace", None), ("trace", b""), ("", b"x"), ("ä", b"\xff")]


@pytest.fixture
def target(target_kafka: LocalKafka) -> Connection:
    return connect(target_kafka.bootstrap)


@pytest.fixture
def name() -> str:
    return f"replayed-{uuid.uuid4().hex[:8]}"


def make_capture(root: Path, rows: list[Record], *, clean: bool = True, **described: Any) -> Capture:
    """A capture that was recorded just now."""
    return builders.make_capture(root, rows, clean=clean, **{"created_at_ms": NOW + 7_200_000, **described})


def test_every_oddity_arrives_byte_for_byte(target: Connection, name: str, tmp_path: Path) -> None:
    wild = [-1, -5, NOW * 1_000_000, -(2**62), NOW + 7_200_000]
    rows = [
        record(name, 0, NOW, None, None),
        record(name, 0, NOW + 1, b"", b""),
        record(name, 0, NOW + 2, b"k", b"v", HEADERS),
        record(name, 0, NOW + 3, b"\x00\xff", b"x" * 1_000_000),
        record(name, 2, NOW + 2, b"k", b"earlier than the one before"),
        record(name, 2, NOW + 1, b"k", b"and this one more so"),
        *(record(name, 3, stamp, b"wild", str(stamp)) for stamp in wild),
        *(record(name, 3, NOW + index, f"k{index % 3}", f"v{index}") for index in range(500)),
    ]
    capture = make_capture(tmp_path / "c", rows, topics={f"{name}.empty": 3}, created_at_ms=NOW + 60_000)
    certificate = replay(capture, target, Options(create_topics=True, max_gap_ms=100))
    assert (certificate.planned, certificate.acked, certificate.failed) == (len(rows), len(rows), 0)
    assert (certificate.inversions.partition, certificate.inversions.key) == (0, 0)
    assert (certificate.clamped, certificate.wild) == (1, len(wild))
    for partition in range(4):
        expected = [
            (row.key, row.value, list(row.headers) or None, row.timestamp_ms)
            for row in rows
            if row.partition == partition
        ]
        assert read_all(target, name, partition) == expected
    facts = Cluster(target).topics([name, f"{name}.empty"])
    assert (len(facts[name].partitions), len(facts[f"{name}.empty"].partitions)) == (4, 3)


def test_trap_21_a_timestamp_of_0_arrives_as_1_and_not_as_now(target: Connection, name: str, tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record(name, 0, 0, b"k", b"v"), record(name, 0, NOW)])
    certificate = replay(capture, target, Options(create_topics=True))
    assert certificate.timestamp_0_sent_as_1 == 1
    assert [stamp for *_, stamp in read_all(target, name, 0)] == [1, NOW]


def test_shifted_timestamps_begin_with_the_replay(target: Connection, name: str, tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record(name, 0, NOW - 10**9 + at) for at in (0, 7, 40)])
    certificate = replay(capture, target, Options(create_topics=True, timestamps="shift", rate=2.0))
    start = certificate.started_at_ms
    assert [stamp for *_, stamp in read_all(target, name, 0)] == [start, start + 7, start + 40]


def test_timestamps_of_now_are_those_of_sending(target: Connection, name: str, tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record(name, 0, NOW * 1_000_000), record(name, 0, 0)])
    certificate = replay(capture, target, Options(create_topics=True, timestamps="now"))
    stamps = [stamp for *_, stamp in read_all(target, name, 0)]
    assert all(certificate.started_at_ms - 1 <= stamp <= certificate.finished_at_ms for stamp in stamps)


def test_trap_18_records_keep_their_recorded_partition_also_where_there_are_more_if_asked_to(
    target: Connection, target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    create_topic(target_kafka.bootstrap, name, partitions=5)
    rows = [record(name, index % 3, NOW + index, f"k{index}", f"v{index}") for index in range(60)]
    certificate = replay(make_capture(tmp_path / "c", rows), target, Options(partitions="keep"))
    for partition in range(5):
        expected = [row.value for row in rows if row.partition == partition]
        assert [value for _, value, *_ in read_all(target, name, partition)] == expected
    assert ["5 partitions, the recorded one has 3" in finding.what for finding in certificate.findings] == [True]


def test_trap_23_the_rhythm_is_the_recorded_one(target: Connection, name: str, tmp_path: Path) -> None:
    rows = [record(name, index % 4, NOW + 2 * index, f"k{index % 7}", b"x" * 100) for index in range(1_000)]
    capture = make_capture(tmp_path / "c", rows)
    began = time.monotonic()
    certificate = replay(capture, target, Options(create_topics=True, rate=2.0))
    assert certificate.planned_ns == 999_000_000
    assert time.monotonic() - began >= 0.999
    assert certificate.dispatch_lateness is not None
    assert certificate.dispatch_lateness.count == 1_000
    assert certificate.end_drift_ns is not None
    assert certificate.last_lateness_ns is not None
    assert certificate.last_lateness_ns >= 0
    assert certificate.sending_ns >= 999_000_000 - certificate.dispatch_lateness.max_ns


def test_top_speed_confirms_every_record_in_order(target: Connection, name: str, tmp_path: Path) -> None:
    rows = [record(name, index % 2, NOW + index // 10, f"k{index % 100}", f"v{index}") for index in range(100_000)]
    options = Options(create_topics=True, top_speed=True)
    certificate = replay(make_capture(tmp_path / "c", rows), target, options)
    assert (certificate.acked, certificate.confirmed_by) == (100_000, BY_SILENCE)
    assert (certificate.inversions.partition, certificate.round_trip) == (None, None)
    assert (certificate.rate, certificate.dispatch_lateness, certificate.end_drift_ns) == (None, None, None)
    values = [value for partition in (0, 1) for _, value, *_ in read_all(target, name, partition)]
    assert values == [row.value for partition in (0, 1) for row in rows if row.partition == partition]


@pytest.mark.parametrize(
    ("options", "settings", "compression"),
    [
        (Options(top_speed=True), {}, "lz4"),
        (Options(top_speed=True), {"compression.codec": "none"}, None),
        (Options(top_speed=True), {"compression.type": "gzip"}, "gzip"),
        (Options(rate=1_000.0), {}, None),
    ],
)
def test_batches_are_compressed_at_top_speed_unless_something_else_is_set(
    target: Connection, name: str, tmp_path: Path, options: Options, settings: dict[str, str], compression: str | None
) -> None:
    rows = [record(name, 0, NOW + index, f"k{index % 7}", b"the same again " * 20) for index in range(500)]
    connection = connect(target.bootstrap, [f"{key}={value}" for key, value in settings.items()])
    replay(make_capture(tmp_path / "c", rows), connection, replace(options, create_topics=True))
    wire = Wire(target, target.bootstrap, 30.0)
    with closing(wire):
        wire.ask_fetch([((name, 0), 0)], committed=False, wait_ms=100, most=1 << 20, most_each=1 << 20)
        ((answer,), _) = wire.fetched()
    batches = split(answer.records)
    assert batches
    assert {batch.attributes & 0x07 for batch in batches} == {{None: 0, "gzip": 1, "lz4": 3}[compression]}


def test_top_speed_looks_at_offsets_when_that_is_an_objective(target: Connection, name: str, tmp_path: Path) -> None:
    rows = [record(name, index % 2, NOW + index // 10, f"k{index % 100}", f"v{index}") for index in range(5_000)]
    options = Options(
        create_topics=True, top_speed=True, objectives=parse_objectives("inversions=0,round_trip_max=60s")
    )
    certificate = replay(make_capture(tmp_path / "c", rows), target, options)
    assert (certificate.acked, certificate.confirmed_by) == (5_000, BY_REPORTS)
    assert (certificate.inversions.partition, certificate.inversions.key) == (0, 0)
    assert all(one.met for one in certificate.objectives)


def test_two_topics_can_become_one(target: Connection, name: str, tmp_path: Path) -> None:
    rows = [record(topic, 0, NOW + at, "k", f"{topic}{at}") for at in range(10) for topic in ("a", "b")]
    options = Options(remap={"a": name, "b": name}, create_topics=True)
    certificate = replay(make_capture(tmp_path / "c", rows), target, options)
    assert [value for _, value, *_ in read_all(target, name, 0)] == [row.value for row in rows]
    assert {(topic.topic, topic.target, topic.acked) for topic in certificate.topics} == {
        ("a", name, 10),
        ("b", name, 10),
    }
    assert certificate.inversions.partition == 0


def test_the_source_cluster_and_raw_captures_are_refused_and_nothing_is_created(
    target: Connection, name: str, tmp_path: Path
) -> None:
    own = Cluster(target).cluster_id
    capture = make_capture(tmp_path / "c", [record(name, 0, NOW)], cluster_id=own, clean=False)
    with pytest.raises(
        RefusedError, match=r"(?s)this very cluster.*--allow-source-cluster.*raw.*--allow-raw"
    ) as refused:
        replay(capture, target, Options(create_topics=True))
    assert refused.value.exit_code == ExitCode.REFUSED
    assert name not in Cluster(target).names()
    allowed = Options(create_topics=True, allow_source_cluster=True, allow_raw=True)
    assert replay(capture, target, allowed).acked == 1


def test_trap_22_all_findings_are_told_at_once_and_nothing_is_sent(
    target: Connection, target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    narrow, compacted = f"{name}.narrow", f"{name}.compacted"
    create_topic(target_kafka.bootstrap, narrow, config={"max.message.bytes": "1000", "retention.ms": "1000"})
    create_topic(target_kafka.bootstrap, compacted, config={"cleanup.policy": "compact"})
    rows = [
        record(f"{name}.missing", 0, NOW),
        record(narrow, 2, NOW, b"k", b"x" * 5_000),
        record(narrow, 0, time.time_ns() // 1_000_000 + 86_310_000, b"k", b"x"),  # 23 h 58 min 30 s ahead
        record(compacted, 0, NOW, None, b"no key"),
    ]
    plan = prepare(make_capture(tmp_path / "c", rows), target)
    found = [(finding.severity, finding.topic, finding.what) for finding in plan.findings]
    for severity, topic, beginning in (
        ("error", f"{name}.missing", "The topic does not exist"),
        ("warning", narrow, "It has 1 partition, the recorded one has 3"),
        ("error", narrow, "Its largest record has 5,031 bytes before compression, max.message.bytes is 1,000"),
        ("error", narrow, "A timestamp lies 23h 58m after the time of sending"),
        ("warning", narrow, "Its oldest record is"),
        ("error", compacted, "It is compacted and takes no records without a key; there are 1"),
        ("warning", compacted, "It is compacted: records may vanish"),
    ):
        matching = [what for s, t, what in found if (s, t) == (severity, topic) and what.startswith(beginning)]
        assert matching, (beginning, found)
    with pytest.raises(BlackboxError, match=r"(?s)Nothing was sent\..*without a key.*missing.*5,031") as stopped:
        replay(plan.captures, target)
    assert stopped.value.exit_code == ExitCode.FAILED
    assert read_all(target, narrow, 0) == []


@pytest.mark.parametrize("top_speed", [False, True])
def test_a_broker_refuses_whole_batches_and_exactly_what_is_missing_is_named(
    target: Connection, target_kafka: LocalKafka, name: str, tmp_path: Path, top_speed: bool
) -> None:
    """How many neighbours share the batch of the record at fault is a matter of timing; the account is not."""
    certificate = _replay_one_too_large(target, target_kafka, name, tmp_path, top_speed=top_speed)
    arrived = {value for _, value, *_ in read_all(target, name, 0)}
    missing = [offset for offset in range(20) if _value(offset) not in arrived]
    assert sorted(failure.offset for failure in certificate.failures) == missing
    assert 7 in missing
    assert (certificate.acked, certificate.failed) == (20 - len(missing), len(missing))
    assert all("MSG_SIZE_TOO_LARGE" in failure.error for failure in certificate.failures)


def test_batches_of_one_record_lose_only_the_record_at_fault(
    target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    alone = connect(target_kafka.bootstrap, ["batch.num.messages=1"])
    certificate = _replay_one_too_large(alone, target_kafka, name, tmp_path, top_speed=True)
    assert [(failure.topic, failure.partition, failure.offset) for failure in certificate.failures] == [(name, 0, 7)]
    assert [value for _, value, *_ in read_all(alone, name, 0)] == [_value(n) for n in range(20) if n != 7]


def _replay_one_too_large(
    connection: Connection, cluster: LocalKafka, name: str, tmp_path: Path, *, top_speed: bool
) -> Certificate:
    create_topic(cluster.bootstrap, name)
    rows = [record(name, 0, NOW + offset, "k", _value(offset)) for offset in range(20)]
    plan = prepare(make_capture(tmp_path / "c", rows), connection, Options(top_speed=top_speed))
    alter(cluster, name, {"max.message.bytes": "1000"})  # after preflight, so that only the broker can tell
    return run(plan)


def _value(offset: int) -> bytes:
    """One is too large, also when it is compressed."""
    return b"%d" % offset + (Random(7).randbytes(3_000) if offset == 7 else b"x" * 10)


def test_created_topics_copy_the_recorded_settings(target: Connection, name: str, tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record(name, 1, NOW, b"k", b"v")])
    config = {
        "cleanup.policy": "compact",
        "max.message.bytes": "2000000",
        "min.insync.replicas": "2",
        "other.vendor": "1",
    }
    topic = msgspec.structs.replace(capture.manifest.topics[0], config=config)
    capture = Capture(capture.root, msgspec.structs.replace(capture.manifest, topics=(topic,)))
    certificate = replay(capture, target, Options(create_topics=True))
    facts = Cluster(target).topics([name])[name]
    assert len(facts.partitions) == 2
    assert facts.overrides == {"cleanup.policy": "compact", "max.message.bytes": "2000000", "min.insync.replicas": "1"}
    assert certificate.created_topics == (name,)


def test_a_stop_confirms_what_was_sent_and_says_interrupted(target: Connection, name: str, tmp_path: Path) -> None:
    rows = [record(name, 0, NOW + at, "k", str(at)) for at in (0, 1, 2, 3_600_000)]
    capture = make_capture(tmp_path / "c", rows)
    stop = threading.Event()
    options = Options(create_topics=True, timestamps="now")
    seen = []

    def stop_after_three(now: Status) -> None:
        seen.append(now)
        if now.acked == 3:
            stop.set()

    certificate = replay(capture, target, options, stop=stop, progress=stop_after_three)
    assert (seen[-1].planned, seen[-1].sent) == (4, 3)
    assert certificate.ended_by == "interrupt"
    assert (certificate.sent, certificate.acked, certificate.failed, certificate.losses) == (3, 3, 0, 1)
    assert len(read_all(target, name, 0)) == 3


def test_an_unknown_topic_of_the_capture_is_a_usage_error(target: Connection, tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("orders", 0, NOW)])
    with pytest.raises(UsageError, match="did you mean orders"):
        prepare(capture, target, Options(remap={"order": "x"}))


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_dry_run_plans_and_sends_nothing(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    capture = make_capture(tmp_path / "c", [record(name, 0, NOW + at) for at in (0, 5_000)])
    arguments = ["replay", str(capture.root), "-b", target_kafka.bootstrap, "--dry-run", "--format", form, "-r", "2"]
    assert blackbox(arguments) == ExitCode.FAILED
    assert "does not exist" in capsys.readouterr().out
    assert blackbox([*arguments, "--create-topics"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert ("2.5 s at rate 2" if form == "table" else '"duration_ms": 2500.0') in shown
    assert name not in Cluster(connect(target_kafka.bootstrap)).names()


def test_the_command_keeps_a_certificate_and_says_what_was_lost(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = make_capture(tmp_path / "c", [record(name, 0, NOW + at, "k", "v") for at in range(100)])
    kept = tmp_path / "kept.json"
    arguments = ["replay", str(capture.root), "-b", target_kafka.bootstrap, "--certificate", str(kept)]
    assert blackbox([*arguments, "--create-topics"]) == ExitCode.OK
    assert "100 confirmed of 100 planned" in capsys.readouterr().out
    certificate: Certificate = read_certificate(kept)
    assert (certificate.acked, certificate.created_topics) == (100, (name,))
    assert certificate.source_cluster_id == "test-cluster"
    assert certificate.target_cluster_id == target_kafka.cluster_id


def test_the_command_refuses_a_raw_capture_with_exit_7(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = make_capture(tmp_path / "c", [record(name, 0, NOW)], clean=False)
    kept = tmp_path / "kept.json"
    arguments = ["replay", str(capture.root), "-b", target_kafka.bootstrap, "--certificate", str(kept)]
    assert blackbox(arguments) == ExitCode.REFUSED
    assert "--allow-raw" in capsys.readouterr().err
    assert not kept.exists()


def test_an_unreachable_target_is_named_within_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = make_capture(tmp_path / "c", [record("a", 0, NOW)])
    kept = str(tmp_path / "kept.json")
    assert blackbox(["replay", str(capture.root), "-b", "127.0.0.1:1", "--certificate", kept]) == ExitCode.FAILED
    assert "127.0.0.1:1" in capsys.readouterr().err


def blackbox(arguments: list[str]) -> int:
    from recorder.cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def read_all(connection: Connection, topic: str, partition: int) -> list[Read]:
    """All records of a partition, as a consumer of somebody else would get them."""
    consumer: Consumer = connection.consumer(enable_partition_eof=True)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    try:
        return list(_until_end(consumer))
    finally:
        consumer.close()


def _until_end(consumer: Consumer) -> Iterator[Read]:
    while True:
        for message in consumer.consume(1_000, 0.1):
            if message.error():
                return
            yield message.key(), message.value(), message.headers(), message.timestamp()[1]


def alter(cluster: LocalKafka, topic: str, config: dict[str, str]) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    entries = [
        ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET) for setting, value in config.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(timeout=10)
