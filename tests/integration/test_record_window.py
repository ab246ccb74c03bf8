"""Windows by offset, by the last records, and with edges of their own for some topics, on a real Kafka."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import Capture, open_capture
from recorder.capture.verify import failed, verify
from recorder.errors import UsageError
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording.last import Last, last_records
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.window import Window, format_time
from tests.builders import T0
from tests.integration.producing import New, delete_records, log_end, produce, read_all, send, transaction
from tests.integration.recording import notes, partition_of, reasons, recorded, rows

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
MINUTE = 60_000


def at(*minutes: float, partition: int = 0) -> list[New]:
    return [New(timestamp_ms=T0 + round(minute * MINUTE), partition=partition) for minute in minutes]


def typed(
    kafka: LocalKafka, root: Path, names: list[str], from_: list[str], to: list[str] | None = None, **options: Any
) -> Capture:
    """Record as the command would; the capture is checked whole."""
    request = Request.typed(from_, to or [], tz=None, names=names, **options)
    record(connect(kafka.bootstrap), request, root)
    assert not failed(verify(root)), verify(root)
    return open_capture(root)


def offsets(capture: Capture, topic: str, partition: int = 0) -> list[int]:
    return [row.offset for row in rows(capture, topic, partition)]


def test_offsets_are_half_open_and_need_no_time(kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path) -> None:
    topic = make_topic(2)
    produce(kafka.bootstrap, topic, at(*range(10)) + at(*range(5), partition=1))
    capture = typed(kafka, tmp_path / "c", [topic], ["offset:2"], ["offset:4"])
    assert [offsets(capture, topic, partition) for partition in (0, 1)] == [[2, 3], [2, 3]]
    assert (partition_of(capture, topic).start_offset, partition_of(capture, topic).end_offset) == (2, 4)
    assert capture.manifest.notes == ()
    assert (capture.manifest.window.from_text, capture.manifest.window.from_ms) == ("offset:2", None)


def test_offsets_that_the_log_does_not_hold_are_expired_or_named(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, at(*range(10)))
    delete_records(kafka.bootstrap, topic, 4)
    before = typed(kafka, tmp_path / "before", [topic], ["offset:1"], ["offset:50"])
    assert offsets(before, topic) == [4, 5, 6, 7, 8, 9]
    assert partition_of(before, topic).start_offset == 1
    assert reasons(partition_of(before, topic).gaps) == {"expired": 3}
    assert notes(before.manifest, "warning") == [
        f"{topic}/0: offset 1 was asked for, but its log begins at 4: what lay before has expired",
        f"{topic}/0: its log ends at 10, before offset 50",
    ]
    beyond = typed(kafka, tmp_path / "beyond", [topic], ["offset:12"])
    assert offsets(beyond, topic) == []
    assert notes(beyond.manifest, "warning") == [
        f"{topic}/0: offset 12 was asked for, but its log ends at 10: recording begins there"
    ]
    gone = typed(kafka, tmp_path / "gone", [topic], ["beginning"], ["offset:3"])
    assert (offsets(gone, topic), partition_of(gone, topic).end_offset) == ([], 3)
    assert notes(gone.manifest, "warning") == [f"{topic}/0: its log begins at 4: nothing before offset 3 is left"]


def test_topics_and_partitions_have_windows_of_their_own(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    orders, audit = make_topic(name="orders"), make_topic(2, name="audit")
    produce(kafka.bootstrap, orders, at(*range(10)))
    produce(kafka.bootstrap, audit, at(*range(10)) + at(*range(10), partition=1))
    capture = typed(
        kafka,
        tmp_path / "c",
        [orders, audit],
        [format_time(T0 + 3 * MINUTE), f"{audit}=beginning", f"{audit}/1=offset:7"],
        [format_time(T0 + 5 * MINUTE), f"{audit}/1=end", f"{audit}={format_time(T0 + 2 * MINUTE)}"],
    )
    assert offsets(capture, orders) == [3, 4]
    assert offsets(capture, audit, 0) == [0, 1]
    assert offsets(capture, audit, 1) == [7, 8, 9]
    window = capture.manifest.window
    assert (window.from_ms, window.to_ms) == (None, None)
    assert f"{audit}/1=offset:7" in window.from_text
    times = [row.timestamp_ms for row in capture.records()]
    assert times == sorted(times)


def test_windows_that_end_in_the_past_and_in_the_future_go_together(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    past, coming = make_topic(name="past"), make_topic(name="coming")
    produce(kafka.bootstrap, past, at(0, 1))
    soon = time.time_ns() // 1_000_000 + 1_500

    def feed(now: Progress) -> None:
        if not fed.is_set():
            fed.set()
            produce(kafka.bootstrap, coming, [New(b"now")])
            produce(kafka.bootstrap, past, at(0.5))

    fed = threading.Event()
    request = Request.typed(
        ["beginning"], [format_time(soon), f"{past}={format_time(T0 + MINUTE)}"], tz=None, names=[past, coming]
    )
    record(connect(kafka.bootstrap), request, tmp_path / "c", progress=feed)
    capture = open_capture(tmp_path / "c")
    assert offsets(capture, past) == [0]
    assert offsets(capture, coming) == [0]
    assert capture.manifest.losses == ()


def test_following_ends_where_an_offset_says(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, at(0, 1))

    def feed(now: Progress) -> None:
        if not fed.is_set():
            fed.set()
            produce(kafka.bootstrap, topic, at(2, 3, 4))

    fed = threading.Event()
    request = Request.typed(["beginning"], ["offset:4"], tz=None, names=[topic], live=True)
    manifest = record(connect(kafka.bootstrap), request, tmp_path / "c", progress=feed)
    assert offsets(open_capture(tmp_path / "c"), topic) == [0, 1, 2, 3]
    assert manifest.losses == ()


def test_an_offset_that_never_comes_is_no_loss_when_following_is_ended(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    produce(kafka.bootstrap, topic, at(0, 1))
    stop = threading.Event()

    def enough(now: Progress) -> None:
        if now.offsets >= 2:
            stop.set()

    request = Request.typed(["beginning"], ["offset:9"], tz=None, names=[topic], live=True)
    manifest = record(connect(kafka.bootstrap), request, tmp_path / "c", progress=enough, stop=stop)
    assert (manifest.records, manifest.losses) == (2, ())


def test_an_edge_of_a_topic_that_is_not_recorded_is_refused(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--from names nowhere, which is not among the topics"):
        typed(kafka, tmp_path / "c", [topic], ["beginning", "nowhere=-5m"])
    assert not (tmp_path / "c").exists()


def test_trap_8_the_last_records_are_counted_not_subtracted(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, at(0))
    for number in range(6):
        with transaction(kafka.bootstrap, f"{topic}-{number}") as producer:
            send(producer, topic, at(number))
            (producer.abort_transaction if number in (3, 4, 5) else producer.commit_transaction)(30)
    capture = typed(kafka, tmp_path / "c", [topic], [], last=3)
    assert offsets(capture, topic) == read_all(kafka.bootstrap, topic)[-3:]
    assert reasons(partition_of(capture, topic).gaps) == {"aborted": 3, "control": 6}
    assert partition_of(capture, topic).end_offset == log_end(kafka.bootstrap, topic)


def test_the_last_records_of_each_partition_and_where_there_are_fewer(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(3)
    produce(kafka.bootstrap, topic, at(*range(20)) + at(1, 2, partition=1))
    capture = typed(kafka, tmp_path / "c", [topic], [], last=5)
    assert [offsets(capture, topic, partition) for partition in range(3)] == [[15, 16, 17, 18, 19], [0, 1], []]
    assert notes(capture.manifest, "info") == [
        f"{topic}/1: its log holds only 2 of the 5 last records that were asked for",
        f"{topic}/2: its log holds only 0 of the 5 last records that were asked for",
    ]


def test_the_last_records_before_a_time_or_an_offset(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, at(0, 1, 2, 3, 6, 4, 5, 7))
    before_time = typed(kafka, tmp_path / "time", [topic], [], [format_time(T0 + 4 * MINUTE)], last=2)
    assert offsets(before_time, topic) == [2, 3]
    before_offset = typed(kafka, tmp_path / "offset", [topic], [], ["offset:5"], last=2)
    assert offsets(before_offset, topic) == [3, 4]


def test_the_walk_backwards_goes_on_until_it_has_enough(kafka: LocalKafka, topic: str) -> None:
    produce(kafka.bootstrap, topic, at(0, 1))
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, at(*range(500)))
        producer.abort_transaction(30)
    produce(kafka.bootstrap, topic, at(2))
    place, connection = (topic, 0), connect(kafka.bootstrap)
    logs = {place: (0, log_end(kafka.bootstrap, topic))}
    assert last_records(connection, logs, 1) == {place: Last(503, 1)}
    assert last_records(connection, logs, 2) == {place: Last(1, 2)}
    assert last_records(connection, logs, 9) == {place: Last(0, 3)}
    assert last_records(connection, logs, 3, "read_uncommitted") == {place: Last(500, 3)}
    assert last_records(connection, {place: (5, 5)}, 3) == {place: Last(5, 0)}


def test_a_window_without_records_tells_where_they_are(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic, empty = make_topic(name="a"), make_topic(name="empty")
    produce(kafka.bootstrap, topic, at(0, -60))
    late = recorded(kafka, tmp_path / "late", topic, empty, window=Window(T0 + 180 * MINUTE, T0 + 190 * MINUTE))
    assert notes(late.manifest, "info") == [
        f"{topic}: 0 records: its newest record is from {format_time(T0)}, 3h 00m before the window"
    ]
    early = recorded(kafka, tmp_path / "early", topic, window=Window(T0 - 30 * MINUTE, T0 - 20 * MINUTE))
    assert notes(early.manifest, "info") == [
        f"{topic}: 0 records: its newest record is from {format_time(T0)}, 20m 00s after the window"
    ]
    none = recorded(kafka, tmp_path / "none", empty)
    assert notes(none.manifest, "info") == ["0 records: the topics are empty, or their newest records are unknown"]
