"""The state before the window of compacted topics, and recordings of what is not committed, on a real Kafka."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.manifest import Run
from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.capture.verify import failed, verify
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording import newest, prologue
from recorder.recording.record import record
from recorder.recording.request import Request
from recorder.recording.resume import resume
from recorder.window import Window
from tests.builders import T0
from tests.integration.producing import New, produce, send, transaction
from tests.integration.recording import EVERYTHING, notes, partition_of, reasons, recorded, rows

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
MINUTE = 60_000
COMPACT = {"cleanup.policy": "compact", "segment.ms": str(10**12)}  # nothing is cleaned: no segment is ever closed
WINDOW = Window(T0, None)


def state(capture: Capture, topic: str) -> dict[bytes | None, bytes | None]:
    found = list(capture.prologue(Selection(topics=(topic,))))
    assert len({row.key for row in found}) == len(found)
    return {row.key: row.value for row in found}


def keyed(key: bytes, value: bytes | None, minute: float, partition: int = 0) -> New:
    return New(value, key, timestamp_ms=T0 + round(minute * MINUTE), partition=partition)


def test_the_last_record_of_each_key_before_the_window_is_kept(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    accounts, plain = make_topic(2, name="accounts", config=COMPACT), make_topic(name="plain")
    produce(kafka.bootstrap, plain, [keyed(b"a", b"0", -1)])
    truth = produce(
        kafka.bootstrap,
        accounts,
        [
            keyed(b"a", b"1", -9),
            keyed(b"b", b"1", -8),
            keyed(b"gone", b"1", -7),
            keyed(b"a", b"2", -6),
            keyed(b"gone", None, -5),
            keyed(b"empty", b"", -4),
            keyed(b"a", b"elsewhere", -3, partition=1),
            keyed(b"a", b"3", 1),
        ],
    )
    capture = recorded(kafka, tmp_path / "c", accounts, plain, window=WINDOW, state_prologue=True)
    assert list(capture.prologue(Selection(topics=(accounts,), partitions=(0,)))) == [truth[1], truth[3], truth[5]]
    assert list(capture.prologue(Selection(partitions=(1,)))) == [truth[6]]
    assert rows(capture, accounts) == [truth[7]]
    assert partition_of(capture, plain).prologue is None
    assert (capture.manifest.records, capture.manifest.prologue_records) == (1, 4)
    assert capture.sql("SELECT count(*) AS n FROM prologue").to_pylist() == [{"n": 4}]
    assert capture.sql("SELECT count(*) AS n FROM records").to_pylist() == [{"n": 1}]
    checks = [check for check in verify(tmp_path / "c") if check.name == "prologue"]
    assert [check.status for check in checks] == ["PASSED", "PASSED"]


def test_state_is_what_was_committed(kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic = make_topic(config=COMPACT)
    for number, (value, ending) in enumerate([(b"1", "commit_transaction"), (b"2", "abort_transaction")]):
        with transaction(kafka.bootstrap, f"{topic}-{number}") as producer:
            send(producer, topic, [keyed(b"a", value, -5)])
            getattr(producer, ending)(30)
    produce(kafka.bootstrap, topic, [keyed(b"b", b"new", 1)])
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW, state_prologue=True, isolation="read_uncommitted")
    assert state(capture, topic) == {b"a": b"1"}


def test_a_log_larger_than_memory_gives_the_same_state(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = make_topic(3, config=COMPACT)
    log = [keyed(b"k%d" % (i * i % 701), b"%d" % i, -60, i % 3) for i in range(6_000)]
    produce(kafka.bootstrap, topic, log)
    monkeypatch.setattr(newest, "ROWS_IN_MEMORY", 50)
    monkeypatch.setattr(prologue, "_PLACES_AT_ONCE", 2)
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW, state_prologue=True)
    for partition in range(3):
        last = {new.key: new.value for new in log if new.partition == partition}
        found = list(capture.prologue(Selection(partitions=(partition,))))
        assert {row.key: row.value for row in found} == last
        assert len(found) == len(last)
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"manifest.json", "prologue"}


def test_without_compacted_topics_it_says_so(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [keyed(b"a", b"1", -1), keyed(b"a", b"1", 1)])
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW, state_prologue=True)
    assert "no topic is compacted: there is no state before the window to keep" in notes(capture.manifest, "info")
    assert not (tmp_path / "c" / "prologue").exists()


def test_a_recording_that_is_ended_while_reading_the_state_takes_it_anew(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(config=COMPACT)
    produce(kafka.bootstrap, topic, [keyed(b"a", b"1", -2), keyed(b"b", b"2", -1), keyed(b"a", b"3", 1)])
    stop = threading.Event()
    stop.set()
    request = Request(WINDOW, names=[topic], state_prologue=True)
    ended = record(connect(kafka.bootstrap), request, tmp_path / "c", stop=stop)
    assert any("the state before the window was not read" in loss.sentence() for loss in ended.losses)
    whole = resume(connect(kafka.bootstrap), tmp_path / "c")
    capture = open_capture(tmp_path / "c")
    assert (whole.records, state(capture, topic)) == (1, {b"a": b"1", b"b": b"2"})
    assert whole.losses == ()
    assert not failed(verify(tmp_path / "c"))


def uncommitted(kafka: LocalKafka, root: Path, topic: str, **options: Any) -> Capture:
    return recorded(kafka, root, topic, isolation="read_uncommitted", **options)


def test_trap_8_aborted_records_are_recorded_and_marked(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    bootstrap = kafka.bootstrap
    truth = produce(bootstrap, topic, [New(b"plain")] * 2)  # 0, 1
    with transaction(bootstrap, f"{topic}-a") as producer:
        truth += send(producer, topic, [New(b"aborted")] * 2)  # 2, 3
        truth += produce(bootstrap, topic, [New(b"between")])  # 4
        truth += send(producer, topic, [New(b"aborted")])  # 5
        producer.abort_transaction(30)  # 6
    with transaction(bootstrap, f"{topic}-b") as producer:
        truth += send(producer, topic, [New(b"committed")])  # 7
        producer.commit_transaction(30)  # 8
    capture = uncommitted(kafka, tmp_path / "c", topic)
    assert rows(capture, topic) == truth
    partition = partition_of(capture, topic)
    assert partition.aborted == (Run(first_offset=2, last_offset=3), Run(first_offset=5, last_offset=5))
    assert partition.undecided == ()
    assert reasons(partition.gaps) == {"control": 2}
    assert capture.manifest.losses == ()
    assert capture.manifest.window.isolation == "read_uncommitted"
    committed = [row.offset for row in capture.records(Selection(aborted=False))]
    assert committed == [0, 1, 4, 7]
    told = capture.sql('SELECT "offset" AS at FROM records WHERE aborted(topic, partition, "offset") ORDER BY 1')
    assert told.column("at").to_pylist() == [2, 3, 5]


def test_trap_4_what_an_open_transaction_leaves_open_is_recorded_and_marked(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    produce(kafka.bootstrap, topic, [New()] * 3)
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, [New(b"open")] * 2)
        produce(kafka.bootstrap, topic, [New(b"behind it")])
        capture = uncommitted(kafka, tmp_path / "c", topic)
    partition = partition_of(capture, topic)
    assert (partition.records, partition.aborted) == (6, ())
    assert partition.undecided == (Run(first_offset=3, last_offset=5),)
    assert notes(capture.manifest, "warning") == [
        f"{topic}/0: an open transaction leaves it undecided which records from offset 3 on will count"
    ]
    assert capture.manifest.losses == ()


def test_a_transaction_that_ends_behind_the_window_is_judged_all_the_same(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    produce(kafka.bootstrap, topic, [keyed(b"k", b"v", 0)])
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, [keyed(b"k", b"aborted", 1), keyed(b"k", b"aborted", 60)])
        producer.abort_transaction(30)
    capture = uncommitted(kafka, tmp_path / "c", topic, from_edges=None, window=Window(T0, T0 + 2 * MINUTE))
    assert partition_of(capture, topic).aborted == (Run(first_offset=1, last_offset=1),)


def test_without_transactions_no_second_look_is_taken(
    kafka: LocalKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(kafka.bootstrap, topic, [New()] * 3)
    looked: list[Any] = []

    def look(_connection: object, stretches: dict[Any, Any], *_: object, **__: object) -> dict[Any, int]:
        looked.extend(stretches)
        return {}

    monkeypatch.setattr("recorder.recording.aborted.look", look)
    capture = uncommitted(kafka, tmp_path / "c", topic)
    assert (capture.manifest.records, looked) == (3, [])


def test_both_isolations_agree_on_what_is_committed(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    for number in range(12):
        with transaction(kafka.bootstrap, f"{topic}-{number}") as producer:
            send(producer, topic, [New(b"%d" % number)] * (number % 4 + 1))
            (producer.abort_transaction if number % 3 == 0 else producer.commit_transaction)(30)
    one = recorded(kafka, tmp_path / "one", topic, window=EVERYTHING)
    two = uncommitted(kafka, tmp_path / "two", topic)
    assert list(two.records(Selection(aborted=False))) == list(one.records())
    assert partition_of(one, topic).missing("aborted") == two.manifest.records - one.manifest.records
