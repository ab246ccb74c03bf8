"""The truths about windows and logs that recorders got wrong, each with its number, on a real Kafka."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import open_capture
from recorder.kafka import offsets
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording import plan as planning
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.recording.tape import SURE_RECORDS
from recorder.window import Window
from tests.builders import T0
from tests.conftest import wait_until
from tests.integration.producing import (
    New,
    delete_records,
    log_end,
    produce,
    read_all,
    send,
    transaction,
)
from tests.integration.recording import (
    ANY_TIME,
    EVERYTHING,
    MINUTE,
    WINDOW,
    at,
    notes,
    partition_of,
    reasons,
    recorded,
    rows,
    values,
)

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]


def test_trap_1_late_records_are_found_within_the_slack_and_reported(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    produce(kafka.bootstrap, topic, at(-1, 0, 5, 10, 9.5, 11, 9.99, 12, 16, 30))
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW)
    assert values(tmp_path / "c", topic) == [0, 5, 9.5, 9.99]
    partition = partition_of(capture, topic)
    assert (partition.late_records, partition.latest_ms) == (2, MINUTE)
    assert notes(capture.manifest, "info") == [
        f"{topic}/0: 2 records of the window came late, the latest 1m 00s after its end"
    ]


def test_trap_1_a_late_record_near_the_slacks_edge_is_a_warning(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, at(1, 14.5, 2, 30))
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW)
    assert values(tmp_path / "c", topic) == [1, 2]
    assert any("--late-slack all" in text for text in notes(capture.manifest, "warning"))


def test_trap_1_the_slack_bounds_the_reading_and_all_reads_to_the_end(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    produce(kafka.bootstrap, topic, at(1, *[16] * SURE_RECORDS, 2, *[17] * 3_000, 3))
    bounded = recorded(kafka, tmp_path / "bounded", topic, window=WINDOW)
    assert values(tmp_path / "bounded", topic) == [1]
    assert partition_of(bounded, topic).end_offset == 1 + SURE_RECORDS
    whole = recorded(kafka, tmp_path / "all", topic, window=WINDOW, late_slack_ms=None)
    assert values(tmp_path / "all", topic) == [1, 2, 3]
    assert partition_of(whole, topic).end_offset == 3_003 + SURE_RECORDS


@pytest.mark.parametrize("ahead", [20, 10**9], ids=["20 minutes", "nanoseconds"])
def test_trap_1_13_a_clock_that_runs_ahead_does_not_end_the_window_early(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, ahead: int
) -> None:
    topic = make_topic(config=ANY_TIME)
    minutes = [ahead if i % 10 == 0 else i / 100 for i in range(-100, 1_200)]
    produce(kafka.bootstrap, topic, at(*minutes))
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW)
    assert values(tmp_path / "c", topic) == [m for m in minutes if 0 <= m < 10]
    assert partition_of(capture, topic).late_records == 0
    assert capture.manifest.losses == ()


def test_trap_2_records_between_the_two_questions_are_not_lost(
    kafka: LocalKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(kafka.bootstrap, topic, at(1, 2))
    asked: list[str] = []

    def spied(name: str, after: Callable[[], object] = lambda: None) -> None:
        real = getattr(offsets, name)

        def ask(*arguments: Any, **options: Any) -> Any:
            asked.append(name)
            answer = real(*arguments, **options)
            after()
            return answer

        monkeypatch.setattr(planning, name, ask)

    spied("log_ends", lambda: produce(kafka.bootstrap, topic, at(3, 12)))
    spied("at_time")
    recorded(kafka, tmp_path / "c", topic, window=WINDOW)
    assert asked[0] == "log_ends"
    assert values(tmp_path / "c", topic) == [1, 2]  # all that was there when recording began, and nothing skipped
    recorded(kafka, tmp_path / "d", topic, window=WINDOW)
    assert values(tmp_path / "d", topic) == [1, 2, 3]


def test_trap_2_a_time_beyond_the_last_record_is_no_error(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, at(1, 2))
    after = recorded(kafka, tmp_path / "after", topic, window=Window(T0 + 5 * MINUTE, T0 + 6 * MINUTE))
    assert (after.manifest.records, partition_of(after, topic).start_offset) == (0, 2)
    before = recorded(kafka, tmp_path / "before", topic, window=Window(T0 - 9 * MINUTE, T0 - 5 * MINUTE))
    assert before.manifest.records == 0
    recorded(kafka, tmp_path / "over", topic, window=Window(T0 - MINUTE, T0 + 90 * MINUTE))
    assert values(tmp_path / "over", topic) == [1, 2]


def test_trap_3_a_tail_of_markers_and_aborted_records_is_an_end(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    truth = produce(kafka.bootstrap, topic, [New()])
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, [New(b"aborted")] * 3)
        producer.abort_transaction(30)
    capture = recorded(kafka, tmp_path / "c", topic)
    assert rows(capture, topic) == truth
    assert reasons(partition_of(capture, topic).gaps) == {"aborted": 3, "control": 1}


def test_trap_3_8_a_compacted_log_with_a_compacted_tail(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(
        config={
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "0.001",
            "segment.ms": "200",
            "max.compaction.lag.ms": "100",
            "delete.retention.ms": "0",
        }
    )
    for round_ in range(3):
        produce(kafka.bootstrap, topic, [New(b"%d" % round_, b"k%d" % i) for i in range(50)])
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, [New(b"x", b"k0")] * 2)
        producer.abort_transaction(30)

    def compacted() -> bool:
        # A segment is rolled by the next record after its time; the cleaner never touches the active one.
        produce(kafka.bootstrap, topic, [New(b"tick", b"tick")])
        return len(read_all(kafka.bootstrap, topic)) < 75

    wait_until(compacted, what="the log was compacted", seconds=60)
    capture = recorded(kafka, tmp_path / "c", topic)
    partition = partition_of(capture, topic)
    assert [row.offset for row in rows(capture, topic)] == read_all(kafka.bootstrap, topic)
    assert partition.end_offset == log_end(kafka.bootstrap, topic)
    assert partition.missing("compacted") > 70
    assert set(reasons(partition.gaps)) <= {"compacted", "aborted"}
    assert capture.manifest.losses == ()


def test_trap_4_an_open_transaction_is_waited_for_and_then_named(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    truth = produce(kafka.bootstrap, topic, [New()] * 3)
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, [New(b"open")] * 2)
        produce(kafka.bootstrap, topic, [New(b"behind it")])
        capture = recorded(kafka, tmp_path / "c", topic, transaction_seconds=0.5)
    assert rows(capture, topic) == truth
    assert reasons(partition_of(capture, topic).gaps) == {"unread": 3}
    assert [loss.sentence() for loss in capture.manifest.losses] == [
        f"{topic}/0: an open transaction hides the records from offset 3 on: record again later",
        f"{topic}/0: 3 offsets unread",
    ]


@pytest.mark.parametrize("ending", ["commit_transaction", "abort_transaction"])
def test_trap_4_a_transaction_that_ends_in_time_is_read(
    kafka: LocalKafka, topic: str, tmp_path: Path, ending: str
) -> None:
    truth = produce(kafka.bootstrap, topic, [New()])
    with transaction(kafka.bootstrap, topic) as producer:
        inside = send(producer, topic, [New(b"open")] * 2)
        timer = threading.Timer(0.6, lambda: getattr(producer, ending)(30))
        timer.start()
        capture = recorded(kafka, tmp_path / "c", topic, transaction_seconds=30)
        timer.join()
    assert rows(capture, topic) == truth + (inside if ending.startswith("commit") else [])
    assert capture.manifest.losses == ()


def test_trap_4_an_open_transaction_after_the_window_is_nobodys_loss(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    produce(kafka.bootstrap, topic, at(1, 2, 20))
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, at(25))
        capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW, transaction_seconds=30)
    assert values(tmp_path / "c", topic) == [1, 2]
    assert capture.manifest.losses == ()


def test_trap_5_a_start_that_was_deleted_is_said(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, at(*range(10)))
    delete_records(kafka.bootstrap, topic, 4)
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW)
    assert values(tmp_path / "c", topic) == [4, 5, 6, 7, 8, 9]
    assert partition_of(capture, topic).start_offset == 4
    (warning,) = notes(capture.manifest, "warning")
    assert "its log begins at offset 4" in warning


def test_trap_5_records_deleted_before_they_were_read_are_expired(
    kafka: LocalKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    produce(kafka.bootstrap, topic, at(*range(10)))
    real = planning.at_time

    def late(*arguments: Any) -> Any:
        answer = real(*arguments)
        delete_records(kafka.bootstrap, topic, 4)  # between planning and reading
        return answer

    monkeypatch.setattr("recorder.recording.plan.at_time", late)
    capture = recorded(kafka, tmp_path / "c", topic, window=WINDOW)
    assert values(tmp_path / "c", topic) == [4, 5, 6, 7, 8, 9]
    assert reasons(partition_of(capture, topic).gaps) == {"expired": 4}
    assert capture.manifest.losses == ()


def test_trap_5_retention_that_overtakes_in_the_middle_leaves_a_named_gap(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic()
    # More than the client fetches ahead, so that what is deleted was surely not read.
    truth = produce(kafka.bootstrap, topic, [New(b"%06d" % i + bytes(100_000)) for i in range(1_500)])
    deleted = threading.Event()

    def delete(now: Progress) -> None:
        if now.offsets > 0 and not deleted.is_set():
            deleted.set()
            delete_records(kafka.bootstrap, topic, 1_400)

    manifest = record(
        connect(kafka.bootstrap, ["queued.max.messages.kbytes=1024"]),
        Request(EVERYTHING, names=[topic]),
        tmp_path / "c",
        progress=delete,
    )
    capture = open_capture(tmp_path / "c")
    (partition,) = manifest.topics[0].partitions
    found = rows(capture, topic)
    assert set(found) <= set(truth)
    assert found[-100:] == truth[-100:]
    assert reasons(partition.gaps) == {"expired": 1_500 - len(found)}
    assert partition.missing("expired") > 0
    assert any("retention deleted" in text for text in notes(manifest, "warning"))


def test_trap_13_records_without_a_time_belong_to_open_windows_only(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(config=ANY_TIME)
    produce(kafka.bootstrap, topic, [*at(1), New(timestamp_ms=1), New(timestamp_ms=T0 * 10**6), *at(2, 30)])
    assert recorded(kafka, tmp_path / "c", topic, window=WINDOW).manifest.records == 2
    assert recorded(kafka, tmp_path / "d", topic, window=Window(None, T0 + 10 * MINUTE)).manifest.records == 3
    assert recorded(kafka, tmp_path / "e", topic, window=Window(T0, None)).manifest.records == 4


def test_trap_1_13_the_window_can_be_anywhere_a_timestamp_can_be(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, at(1))
    for number, window in enumerate([Window(-(2**63), 5), Window(-5, -1), Window(2**62, None), Window(None, -(2**63))]):
        assert recorded(kafka, tmp_path / f"{number}", topic, window=window).manifest.records == 0
