"""Other partition counts: keys lie where Kafka's own Java producer puts them, and their order is kept."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

import pytest

from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.replaying import Options, replay
from recorder.replaying.certificate import read_certificate
from tests.builders import make_capture, record
from tests.cli.running import run
from tests.conftest import create_topic
from tests.integration.java_client import produce_lines
from tests.integration.test_replay import NOW, read_all

pytestmark = pytest.mark.integration

_ALPHABET = "abcXYZ019 -_/äß€漢🎉\u0001\u007f"


def test_trap_18_every_key_lies_where_kafkas_java_producer_puts_it(target_kafka: LocalKafka, tmp_path: Path) -> None:
    chance = random.Random(18)
    keys = ["", *("".join(chance.choices(_ALPHABET, k=chance.randint(1, 40))) for _ in range(1_999))]
    unique = uuid.uuid4().hex[:8]
    by_java, by_us = f"java-{unique}", f"replayed-{unique}"
    for topic in (by_java, by_us):
        create_topic(target_kafka.bootstrap, topic, partitions=7)
    produce_lines(target_kafka.bootstrap, by_java, [(key, f"{i}") for i, key in enumerate(keys)])
    rows = [record(by_us, i % 3, NOW + i, key, f"{i}") for i, key in enumerate(keys * 2)]
    target = connect(target_kafka.bootstrap)
    certificate = replay(
        make_capture(tmp_path / "c", rows, clean=True, created_at_ms=NOW + 60_000), target, Options(top_speed=True)
    )
    assert (certificate.acked, certificate.losses) == (4_000, 0)
    assert [(one.by, one.recorded, one.partitions) for one in certificate.placements] == [("hash", 3, 7)]
    for partition in range(7):
        theirs = {key for key, *_ in read_all(target, by_java, partition)}
        ours = read_all(target, by_us, partition)
        assert {key for key, *_ in ours} == theirs
        # The recorded order of all keys, as one recorded moment came after the other.
        assert [int(value or b"") for _, value, *_ in ours] == sorted(int(value or b"") for _, value, *_ in ours)


def test_trap_22_created_topics_are_as_asked_for_and_their_own_time_is_told(
    target_kafka: LocalKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic, kept = f"made-{uuid.uuid4().hex[:8]}", tmp_path / "kept.json"
    rows = [record(topic, i % 2, NOW + i, f"k{i % 9}", str(i)) for i in range(90)]
    root = make_capture(tmp_path / "c", rows, clean=True, created_at_ms=NOW + 60_000).root
    words = ("replay", root, "-b", target_kafka.bootstrap, "--certificate", kept, "--create-topics", "--topspeed")
    more = ("--partitions-of", f"{topic}=5", "--topic-config", "*:message.timestamp.type=LogAppendTime")
    refused = run(capsys, *words, *more, "--allow-target", "another", "--replication-factor", "2")
    assert refused.code == 7
    assert "replays may only go to another" in refused.err and "--replication-factor 2 needs" in refused.err
    odd = ("--topic-config", f"{topic}:retention.bytes=-7", "--topic-config", f"{topic}:compression.type=best")
    for asked in (("--dry-run",), ()):  # what only brokers know is found before anything is created, too
        unfit = run(capsys, *words, *odd, *asked)
        assert unfit.code == 1
        assert "It can't be created: Invalid value" in unfit.out + unfit.err
        assert topic not in Cluster(connect(target_kafka.bootstrap)).names()
    ran = run(capsys, *words, *more, "--allow-target", target_kafka.cluster_id)
    assert ran.code == 0, ran.err
    certificate = read_certificate(kept)
    assert certificate.stamped_by_target == (topic,)
    assert certificate.placements[0].partitions == 5
    facts = Cluster(connect(target_kafka.bootstrap)).topics([topic])[topic]
    assert (len(facts.partitions), facts.overrides) == (5, {"message.timestamp.type": "LogAppendTime"})
    assert "the target's own time of arrival" in ran.out


def test_trap_22_a_broker_asks_for_no_more_replicas_in_sync_than_there_are(
    target_kafka: LocalKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = f"few-{uuid.uuid4().hex[:8]}"
    root = make_capture(tmp_path / "c", [record(topic, 0, NOW, "k", "v")], clean=True, created_at_ms=NOW + 60_000).root
    words = ("replay", root, "-b", target_kafka.bootstrap, "--certificate", tmp_path / "kept.json", "--create-topics")
    ran = run(capsys, *words, "--no-calibration", "--topic-config", "*:min.insync.replicas=2")
    assert ran.code == 0, ran.err
    assert "its partitions have 1 replica: older brokers take no records then" in ran.err
    assert "1 confirmed of 1 planned" in ran.out
