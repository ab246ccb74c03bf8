"""A row of captures holds what one recording would hold: nothing lost or doubled between two of them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import open_capture
from recorder.capture.verify import failed, verify
from recorder.errors import ExitCode, UsageError
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording.request import Request
from recorder.watching.follow import Followed, follow
from recorder.watching.rotation import Limit, finished
from recorder.window import Window
from tests.conftest import create_topic, wait_until
from tests.integration.producing import New, delete_records, produce, send, transaction
from tests.integration.recording import rows

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
EVERYTHING = Window(None, None)


@contextmanager
def following(
    kafka: LocalKafka, directory: Path, *names: str, window: Window = EVERYTHING, patterns: Any = (), **options: Any
) -> Iterator[Future[Followed]]:
    """Follow in a thread; leaving stops it, and the future then holds how it went."""
    stop = threading.Event()
    request = Request(window, names=names, patterns=patterns)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            follow, connect(kafka.bootstrap), request, directory, stop=stop, tell=lambda _line: None, **options
        )
        try:
            yield future
        finally:
            stop.set()
            future.result(60)


def values(directory: Path, topic: str, partition: int = 0) -> list[bytes | None]:
    """Over the whole row, in its order; each capture is checked whole, and begins where the one before ended."""
    found: list[bytes | None] = []
    ends: dict[int, int] = {}
    for one in finished(directory):
        assert not failed(verify(one.path))
        assert one.manifest.finished_by == "end"
        for _, span in one.manifest.topic_partitions():
            if _.name == topic:
                assert span.start_offset == ends.get(span.partition, span.start_offset)
                ends[span.partition] = span.end_offset
        if any(known.name == topic for known in one.manifest.topics):
            found += [row.value for row in rows(open_capture(one.path), topic, partition)]
    return found


def numbered(low: int, high: int) -> list[New]:
    return [New(b"%06d" % i) for i in range(low, high)]


def test_rotating_by_time_loses_and_doubles_nothing(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    row = tmp_path / "row"
    produced = 0
    with following(kafka, row, topic, rotate=Limit(ms=500)) as running:
        while len(finished(row)) < 5:
            assert not running.done(), running.result()
            produce(kafka.bootstrap, topic, numbered(produced, produced + 500))
            produced += 500
        wait_until(lambda: sum(one.manifest.records for one in finished(row)) == produced, what="all are in captures")
    assert values(row, topic) == [b"%06d" % i for i in range(produced)]
    assert running.result().losses == ()
    assert running.result().records == produced


def test_rotating_by_size(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    row = tmp_path / "row"
    chance = random.Random(5)
    truth = []
    with following(kafka, row, topic, rotate=Limit(bytes=3_000_000)):
        while len(finished(row)) < 2:
            batch = [New(chance.randbytes(100_000)) for _ in range(20)]
            produce(kafka.bootstrap, topic, batch)
            truth += [one.value for one in batch]
    assert len(finished(row)[0].manifest.topic(topic).partitions[0].segments) == 1
    assert 3_000_000 <= finished(row)[0].bytes < 30_000_000
    found = values(row, topic)
    assert found == truth[: len(found)]
    with following(kafka, row, topic, rotate=Limit(ms=200)):
        wait_until(lambda: sum(one.manifest.records for one in finished(row)) == len(truth), what="the rest is read")
    assert values(row, topic) == truth


def test_without_rotation_it_is_one_capture_until_it_is_stopped(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, numbered(0, 10))
    seen: list[int] = []
    with following(kafka, tmp_path / "row", topic, progress=lambda now: seen.append(now.records)):
        wait_until(lambda: bool(seen) and seen[-1] == 10, what="the past is read")
        produce(kafka.bootstrap, topic, [*numbered(10, 20), New(b"old", timestamp_ms=1)])
        wait_until(lambda: seen[-1] == 21, what="what came since is read")
    (one,) = finished(tmp_path / "row")
    assert one.manifest.records == 21


def test_a_row_is_continued_where_it_ended_also_over_a_torn_capture(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    row = tmp_path / "row"
    produce(kafka.bootstrap, topic, numbered(0, 100))
    with following(kafka, row, topic, rotate=Limit(ms=300)):
        wait_until(lambda: len(finished(row)) >= 2, what="two captures")
    produce(kafka.bootstrap, topic, numbered(100, 200))
    torn = row / "20261103T140200.000Z"
    torn.mkdir()
    (torn / "checkpoint.json").write_text("{}")
    with following(kafka, row, topic, rotate=Limit(ms=300)):
        wait_until(lambda: not torn.exists(), what="what a crash left is replaced")
    assert values(row, topic) == [b"%06d" % i for i in range(200)]


def test_an_open_transaction_falls_whole_into_a_later_capture(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    row = tmp_path / "row"
    with following(kafka, row, topic, rotate=Limit(ms=300)) as running:
        produce(kafka.bootstrap, topic, [New(b"before")])
        with transaction(kafka.bootstrap, topic) as producer:
            send(producer, topic, [New(b"inside")] * 3)
            produce(kafka.bootstrap, topic, [New(b"beside")])
            count = len(finished(row))
            wait_until(lambda: len(finished(row)) >= count + 2, what="two captures end while it is open")
            producer.commit_transaction(30)
        count = len(finished(row))
        wait_until(lambda: len(finished(row)) >= count + 2, what="two more")
    assert values(row, topic) == [b"before", b"inside", b"inside", b"inside", b"beside"]
    assert running.result().losses == ()


def test_topics_that_appear_are_recorded_from_their_start(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    row, late = tmp_path / "row", f"{topic}-late"
    with following(kafka, row, patterns=[f"{topic}.*"], rotate=Limit(ms=300)):
        wait_until(lambda: len(finished(row)) >= 1, what="a capture without it")
        create_topic(kafka.bootstrap, late)
        produce(kafka.bootstrap, late, numbered(0, 5))
        count = len(finished(row))
        wait_until(lambda: len(finished(row)) >= count + 2, what="two more")
    assert values(row, late) == [b"%06d" % i for i in range(5)]


def test_what_retention_took_between_two_captures_is_a_named_loss(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    row = tmp_path / "row"
    produce(kafka.bootstrap, topic, numbered(0, 5))
    with following(kafka, row, topic, rotate=Limit(ms=200)):
        wait_until(lambda: finished(row) and len(values(row, topic)) == 5, what="captures that hold the first five")
    produce(kafka.bootstrap, topic, numbered(5, 10))
    delete_records(kafka.bootstrap, topic, 8)
    with following(kafka, row, topic, rotate=Limit(ms=200)) as running:
        count = len(finished(row))
        wait_until(lambda: len(finished(row)) >= count + 2, what="two more")
    (loss,) = running.result().losses
    assert loss.endswith(f"{topic}/0: 3 offsets were deleted by retention before they were recorded")
    assert values(row, topic) == [b"%06d" % i for i in (0, 1, 2, 3, 4, 8, 9)]


def test_only_what_is_to_be_kept_stays(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    row = tmp_path / "row"
    count = 0
    with following(kafka, row, topic, rotate=Limit(ms=200), keep=Limit(ms=1_000)) as running:
        first = _first(row)
        wait_until(lambda: not first.exists(), what="the first is removed")
        count = len(finished(row))
    assert 1 <= count <= 6
    assert running.result().captures > count


def test_the_windows_end_ends_the_row(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    row, now = tmp_path / "row", time.time_ns() // 1_000_000
    with following(kafka, row, topic, window=Window(now - 1_000, now + 2_000), rotate=Limit(ms=500)) as running:
        produce(kafka.bootstrap, topic, [New(b"early", timestamp_ms=now - 1_001), New(b"in", timestamp_ms=now),
                                         New(b"late", timestamp_ms=now + 2_000)])  # fmt: skip
        running.result(60)
    assert values(row, topic) == [b"in"]


def test_keeping_without_rotating_is_refused(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="--keep removes whole captures"),
        following(kafka, tmp_path / "row", topic, keep=Limit(ms=1)),
    ):
        pass


def _first(row: Path) -> Path:
    wait_until(lambda: len(finished(row)) >= 1, what="the first capture")
    return finished(row)[0].path


def test_the_command_goes_on_until_it_is_interrupted_which_is_its_end(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    row = tmp_path / "row"
    program = [sys.executable, "-c", "from recorder.cli.main import main; main()", "record", "-b", kafka.bootstrap]
    options = ["-t", topic, "--from", "beginning", "--follow", "--rotate", "300ms", "--keep", "1GB", "-o", str(row)]
    produce(kafka.bootstrap, topic, numbered(0, 10))
    process = subprocess.Popen([*program, *options, "--format", "json"], stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: len(finished(row)) >= 2, what="two captures", seconds=60)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == ExitCode.OK
    assert json.loads(out)["records"] == 10
    assert values(row, topic) == [b"%06d" % i for i in range(10)]
