"""Dead letters go home: by every convention, once fixed, and not for ever; what can't go is named and counted."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from recorder.capture.schema import Record
from recorder.cli.main import main
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.replaying import Options, prepare, run
from recorder.replaying.certificate import read_certificate
from recorder.replaying.dead_letters import DeadLetters
from recorder.replaying.resumption import find_place
from recorder.replaying.state import StateFile, decode_state
from tests.builders import T0, Headers, make_capture, record
from tests.conftest import create_topic
from tests.replaying import test_dead_letters as conventions

pytestmark = pytest.mark.integration


@pytest.fixture
def name() -> str:
    return f"letters-{uuid.uuid4().hex[:8]}"


def of(theirs: Headers, home: str) -> list[tuple[str, bytes | None]]:
    """A convention's headers with another home."""
    return [(key, home.encode() if value == b"orders" else value) for key, value in theirs]  # type: ignore[misc]


@pytest.mark.parametrize("which", ["CONNECT", "SPRING", "RETRY", "STREAMS", "SHARE", "KPAY"])
def test_each_convention_brings_letters_home(target_kafka: LocalKafka, name: str, tmp_path: Path, which: str) -> None:
    theirs = getattr(conventions, which)
    create_topic(target_kafka.bootstrap, name, partitions=8)
    rows = [
        record(f"{name}.dlq", at % 3, T0 + at, None if at == 2 else f"k{at}", b"\0poison",
               [("trace", b"1"), *of(theirs, name), ("a", None)])
        for at in range(6)
    ]  # fmt: skip
    kept = replay(target_kafka, tmp_path, rows, ends=0)
    arrived = read_all(target_kafka, name, 8)
    assert {message.partition() for message in arrived} == {7}  # where they were
    assert sorted(str(message.key()) for message in arrived) == sorted(str(row.key) for row in rows)
    assert {message.value() for message in arrived} == {b"\0poison"}
    original = 1_700_000_000_000
    expected = {original} if which == "SPRING" else {row.timestamp_ms for row in rows}
    assert {message.timestamp()[1] for message in arrived} == expected
    assert [message.headers() for message in arrived] == [
        [("trace", b"1"), ("a", None), ("blackbox-dlq-attempts", b"1")]
    ] * 6
    certificate = read_certificate(kept)
    assert [(one.home, one.reason, one.fate, one.records) for one in certificate.letters] == [
        (name, "DataException", "sent home", 6)
    ]
    assert (certificate.planned, certificate.acked, certificate.inversions.partition) == (6, 6, 0)


def test_letters_of_many_topics_go_where_they_belong_and_the_rest_is_named(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for home in ("a", "b"):
        create_topic(target_kafka.bootstrap, f"{name}.{home}", partitions=2)
    kpay = conventions.KPAY
    tired = ("blackbox-dlq-attempts", b"3")
    rows = [
        *(record(f"{name}.dlq", 0, T0 + at, f"k{at}", f"{home}{at}", of(kpay, f"{name}.{home}"))
          for at in range(4) for home in ("a", "b", "gone")),
        record(f"{name}.dlq", 0, T0 + 9, "k", "nameless", [("x", b"y")]),
        record(f"{name}.dlq", 0, T0 + 9, "k", "tired", [*of(kpay, f"{name}.a"), tired]),
        record(f"{name}.dlq", 0, T0 + 9, "k", "again", [*of(kpay, f"{name}.a"), ("blackbox-dlq-attempts", b"2")]),
        record(f"{name}.a", 0, T0, "k", "no letter at all"),
    ]  # fmt: skip
    replay(target_kafka, tmp_path, rows, "--dry-run", "--format", "json", ends=3)
    planned = {(row["home"], row["fate"]): row["records"] for row in json.loads(capsys.readouterr().out)["letters"]}
    assert planned == {
        (f"{name}.a", "sent home"): 5,
        (f"{name}.b", "sent home"): 4,
        (f"{name}.gone", "its topic is not there"): 4,
        (None, "its headers name no topic"): 1,
        (f"{name}.a", "it came back too often"): 1,
    }
    assert read_all(target_kafka, f"{name}.a", 2) == []
    kept = replay(target_kafka, tmp_path, rows, ends=3)
    assert "6 dead letters were left" in capsys.readouterr().err
    found = {home: read_all(target_kafka, f"{name}.{home}", 2) for home in ("a", "b")}
    assert sorted(message.value() for message in found["a"]) == [b"a0", b"a1", b"a2", b"a3", b"again"]
    assert sorted(message.value() for message in found["b"]) == [b"b0", b"b1", b"b2", b"b3"]
    assert [dict(m.headers() or [])["blackbox-dlq-attempts"] for m in found["a"] if m.value() == b"again"] == [b"3"]
    # Partition 7 is not there: by key, as Java's producer would.
    hashed = {message.key(): message.partition() for message in found["b"]}
    assert hashed == {b"k0": hashed[b"k0"], b"k1": hashed[b"k1"], b"k2": hashed[b"k2"], b"k3": hashed[b"k3"]}
    assert set(hashed.values()) == {0, 1}
    assert read_certificate(kept).letters_left == {
        "its headers name no topic": 1, "its topic is not there": 4, "it came back too often": 1
    }  # fmt: skip


def test_a_header_of_ones_own_and_a_renamed_home(target_kafka: LocalKafka, name: str, tmp_path: Path) -> None:
    create_topic(target_kafka.bootstrap, f"{name}.ci")
    rows = [record(f"{name}.dlq", 0, T0, "k", "v", [("x-from", name.encode()), ("x-why", b"no"), ("y", b"1")])]
    words = ["--dlq-header", "x-from", "--dlq-strip", "x-", "-m", f"{name}:={name}.ci", "-t", f"{name}.dlq"]
    replay(target_kafka, tmp_path, rows, *words, ends=0)
    (message,) = read_all(target_kafka, f"{name}.ci", 1)
    assert message.headers() == [("y", b"1"), ("blackbox-dlq-attempts", b"1")]


def test_a_missing_home_that_the_capture_knows_is_created_as_it_was(
    target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    letters = [record(f"{name}.dlq", 0, T0, "k", "v", of(conventions.KPAY, name))]
    rows = [*(record(name, at % 8, T0, "k", "healthy") for at in range(8)), *letters]
    replay(target_kafka, tmp_path, rows, "--create-topics", ends=0)
    (message,) = read_all(target_kafka, name, 8)
    assert (message.partition(), message.value()) == (7, b"v")


def test_when_no_letter_can_go_nothing_is_sent_and_all_are_counted(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(target_kafka, tmp_path, [record(f"{name}.dlq", 0, T0, "k", "v", of(conventions.KPAY, name))], ends=3)
    assert "1 dead letters were left" in capsys.readouterr().err
    replay(target_kafka, tmp_path, [record(name, 0, T0, "k", "v")], ends=2)
    assert "Nothing here is a dead letter" in capsys.readouterr().err


@pytest.mark.parametrize("noted", [True, False])
def test_letters_go_home_once_when_their_replay_goes_on(
    target_kafka: LocalKafka, name: str, tmp_path: Path, noted: bool
) -> None:
    """Ended in the middle, with what was noted until then or, as after a kill, nothing but the beginning."""
    create_topic(target_kafka.bootstrap, name, partitions=2)
    letters = [record(f"{name}.dlq", at % 2, T0 + 5 * at, f"k{at % 9}", f"v{at}", of(conventions.KPAY, name))
               for at in range(200)]  # fmt: skip
    healthy = [record(f"{name}.dlq", at % 2, T0 + 5 * at + 1, "k", "no letter") for at in range(50)]
    rows = sorted([*letters, *healthy], key=lambda one: one.timestamp_ms)
    capture, target = make_capture(tmp_path / "c", rows, clean=True), connect(target_kafka.bootstrap)
    stop, state = threading.Event(), tmp_path / "state"
    plan = prepare(capture, target, Options(dead_letters=DeadLetters(), calibrate=False))
    with StateFile(state) as file:
        first = run(plan, state=file, stop=stop, progress=lambda now: stop.set() if now.acked > 40 else None)
    assert first.ended_by == "interrupt"
    left = decode_state(state)
    if not noted:
        zero = msgspec.structs.replace(left.base, number=0, offsets=(0, 0), acked=(0,), lost=0)
        state.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, base=zero, point=zero)))
    plan = prepare(capture, target, Options(dead_letters=DeadLetters(), calibrate=False, top_speed=True))
    with StateFile(state) as file:
        second = run(plan, state=file, resumption=find_place(plan, file.read()))
    assert (first.acked + second.acked, second.losses) == (200, 0)
    home = read_all(target_kafka, name, 2)
    assert sorted(message.value() for message in home) == sorted(letter.value for letter in letters)
    for partition in range(2):
        there = [message.value() for message in home if message.partition() == partition]
        assert there == [letter.value for letter in letters if letter.value in set(there)]


def replay(kafka: LocalKafka, root: Path, rows: list[Record], *words: str, ends: int) -> Path:
    kept = root / f"{uuid.uuid4().hex}.json"
    capture = make_capture(root / uuid.uuid4().hex, rows, clean=True)
    arguments = [
        "replay",
        str(capture.root),
        "-b",
        kafka.bootstrap,
        "--dlq",
        "--topspeed",
        "--no-calibration",
        "--slo",
        "inversions=0",
    ]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--certificate", str(kept), *words])
    assert (ended.value.code or 0) == ends
    return kept


def read_all(kafka: LocalKafka, topic: str, partitions: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "x", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(partitions)])
    found, ended = [], 0
    while ended < partitions:
        message = consumer.poll(10)
        assert message is not None
        if message.error() is None:
            found.append(message)
        else:
            ended += 1
    consumer.close()
    return found
