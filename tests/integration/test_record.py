"""Everything that a record can be, written to a real Kafka, comes out of a capture byte for byte."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from recorder.capture.schema import Record
from recorder.kafka.local import LocalKafka
from recorder.window import Window
from tests.builders import T0
from tests.integration.producing import New, Raw, log_end, produce, produce_raw, send, transaction
from tests.integration.recording import partition_of, reasons, recorded, rows

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
ANY_TIME = {"message.timestamp.after.max.ms": str(2**63 - 1)}
COMPRESSIONS = ["none", "gzip", "snappy", "lz4", "zstd"]

ODD = [
    New(value=None, key=None),
    New(value=b"", key=b""),
    New(value=None, key=b""),
    New(value=b"", key=None),
    New(value=b"\0\xff\xfe", key="Zürich".encode()),
    New(headers=[("a", b"1"), ("a", None), ("a", b""), ("", b"\xff"), ("Ü", b"\0"), ("a", b"1")]),
    New(headers=[("only", None)], value=None),
    New(timestamp_ms=T0),
    New(timestamp_ms=T0 - 86_400_000),  # earlier than the one before
    New(timestamp_ms=T0 * 1_000),  # microseconds
    New(timestamp_ms=T0 * 1_000_000),  # nanoseconds
    New(timestamp_ms=1),
    New(timestamp_ms=2**63 - 1),
]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_trap_11_13_14_17_odd_records_survive_every_compression(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, compression: str
) -> None:
    topic = make_topic(3, config=ANY_TIME)
    truth = produce(kafka.bootstrap, topic, [r._replace(partition=i % 2) for i, r in enumerate(ODD)],
                    compression_type=compression)  # fmt: skip
    capture = recorded(kafka, tmp_path / "c", topic)
    for partition in range(3):
        assert rows(capture, topic, partition) == [row for row in truth if row.partition == partition]
    assert capture.manifest.losses == ()
    assert partition_of(capture, topic, 2).records == 0


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_trap_17_records_of_many_megabytes(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, compression: str
) -> None:
    topic = make_topic(config={"max.message.bytes": "12000000"})
    chance = random.Random(1)
    sizes = [1_000_000, 10, 9_500_000, 0, 5_000_000, 1_048_577]
    truth = produce(
        kafka.bootstrap, topic, [New(chance.randbytes(size)) for size in sizes], compression_type=compression
    )
    assert rows(recorded(kafka, tmp_path / "c", topic), topic) == truth


def test_trap_13_17_what_no_client_would_write(kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic = make_topic(config=ANY_TIME)
    batches = [
        [Raw(b"v", b"k", [], T0), Raw(b"24 days later", b"k", [], T0 + 24 * 86_400_000 + 1)],
        [Raw(b"no timestamp", None, [(b"h", None)], -1)],
        [Raw(b"0", b"", [], 0), Raw(None, b"after 0", [], 1)],
        [Raw(b"before 1970", b"", [], -(2**62))],
        [Raw(b"latest", b"", [], 2**63 - 1), Raw(b"earliest", b"", [], T0)],
    ]
    truth = []
    for batch in batches:
        offset = produce_raw(kafka.bootstrap, topic, batch)
        truth += [
            Record(topic, 0, offset + i, raw.timestamp_ms, "create", raw.key, raw.value,
                   tuple((name.decode(), value) for name, value in raw.headers), 0)
            for i, raw in enumerate(batch)
        ]  # fmt: skip
    capture = recorded(kafka, tmp_path / "c", topic)
    assert rows(capture, topic) == truth
    assert sorted(capture.records()) == sorted(truth)


def test_trap_12_a_header_name_that_is_not_utf_8_costs_only_its_headers(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic()
    first = produce_raw(
        kafka.bootstrap,
        topic,
        [
            Raw(b"0", b"k", [(b"good", b"1")], T0),
            Raw(b"1", b"k", [(b"good", b"1"), (b"bad\xff", b"2")], T0),
            Raw(b"2", b"k", [(b"good", b"3")], T0),
            Raw(b"3", b"k", [(b"\xc3", None)], T0),
        ],
    )
    capture = recorded(kafka, tmp_path / "c", topic)
    assert [(row.value, row.headers) for row in rows(capture, topic)] == [
        (b"0", (("good", b"1"),)),
        (b"1", ()),
        (b"2", (("good", b"3"),)),
        (b"3", ()),
    ]
    assert partition_of(capture, topic).headers_lost == (first + 1, first + 3)
    assert [loss.sentence() for loss in capture.manifest.losses] == [
        f"{topic}/0: headers of 2 records could not be read"
    ]


def test_trap_13_append_time_is_told_from_create_time(kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic = make_topic(config={"message.timestamp.type": "LogAppendTime"})
    produce(kafka.bootstrap, topic, [New(timestamp_ms=T0)])
    (row,) = rows(recorded(kafka, tmp_path / "c", topic), topic)
    assert row.timestamp_type == "append"
    assert row.timestamp_ms != T0


def test_trap_8_committed_aborted_and_control_are_told_apart(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic()
    bootstrap = kafka.bootstrap
    truth = produce(bootstrap, topic, [New(b"plain")] * 3)
    with transaction(bootstrap, topic + "-commit") as producer:
        truth += send(producer, topic, [New(b"committed")] * 4)
        producer.commit_transaction(30)
    with transaction(bootstrap, topic + "-abort") as producer:
        lost = send(producer, topic, [New(b"aborted")] * 5)
        producer.abort_transaction(30)
    with transaction(bootstrap, topic + "-mixed") as producer:
        lost += send(producer, topic, [New(b"aborted too")])
        truth += produce(bootstrap, topic, [New(b"between")])
        lost += send(producer, topic, [New(b"aborted too")])
        producer.abort_transaction(30)
    capture = recorded(kafka, tmp_path / "c", topic)
    assert rows(capture, topic) == truth
    partition = partition_of(capture, topic)
    assert reasons(partition.gaps) == {"aborted": len(lost), "control": 3}
    assert partition.end_offset == log_end(bootstrap, topic)
    aborted = {row.offset for row in lost}
    for gap in partition.gaps:
        inside = set(range(gap.first_offset, gap.last_offset + 1)) & aborted
        assert len(inside) == (gap.missing if gap.reason == "aborted" else 0)
    assert capture.manifest.losses == ()


def test_trap_7_empty_topics_and_partitions_stay_in_the_manifest(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    empty, sparse = make_topic(2, name="empty"), make_topic(4, name="sparse")
    produce(kafka.bootstrap, sparse, [New(partition=2)])
    capture = recorded(kafka, tmp_path / "c", empty, sparse)
    counts = {topic.name: [p.records for p in topic.partitions] for topic in capture.manifest.topics}
    assert counts == {empty: [0, 0], sparse: [0, 0, 1, 0]}
    assert capture.manifest.losses == ()
    assert list((tmp_path / "c" / "records").iterdir()) == [tmp_path / "c" / "records" / sparse]


def test_trap_15_16_the_capture_holds_the_record_and_nothing_more(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic()
    (truth,) = produce(kafka.bootstrap, topic, [New(headers=[("h", b"x")], timestamp_ms=T0)])
    capture = recorded(kafka, tmp_path / "c", topic)
    assert rows(capture, topic) == [truth]
    manifest = (tmp_path / "c" / "manifest.json").read_text()
    assert kafka.bootstrap not in manifest
    assert capture.manifest.source.cluster_id == kafka.cluster_id
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"manifest.json", "records"}


def test_the_same_past_window_gives_the_same_bytes_each_time(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(3)
    chance = random.Random(7)
    produce(
        kafka.bootstrap,
        topic,
        [
            New(chance.randbytes(chance.randrange(4_000)), b"k%d" % (i % 50), timestamp_ms=T0 + i * 10, partition=i % 3)
            for i in range(12_000)
        ],
    )
    window = Window(T0 + 5_000, T0 + 110_000)
    one = recorded(kafka, tmp_path / "one", topic, window=window)
    produce(kafka.bootstrap, topic, [New(timestamp_ms=T0 + 900_000, partition=i % 3) for i in range(100)])
    two = recorded(kafka, tmp_path / "two", topic, window=window)
    segments = [
        [(s.path, s.sha256) for _, partition in capture.manifest.topic_partitions() for s in partition.segments]
        for capture in (one, two)
    ]
    assert segments[0] == segments[1]
    assert one.manifest.records == 10_500
    assert len(segments[0]) == 3
