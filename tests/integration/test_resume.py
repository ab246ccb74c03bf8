"""A recording that was cut off goes on where it ended, and ends as one that nobody disturbed."""

from __future__ import annotations

import gc
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from recorder.capture import writer
from recorder.capture.manifest import CHECKPOINT_NAME, JOURNAL_NAME, MANIFEST_NAME, Manifest, Partition
from recorder.capture.reader import open_capture
from recorder.capture.verify import failed, verify
from recorder.errors import CaptureError, ExitCode, UsageError
from recorder.kafka import bulk
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording import pending
from recorder.recording.journal import Journal
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.recording.resume import resume
from recorder.window import Window
from tests.cli.running import run
from tests.conftest import create_topic, wait_until
from tests.integration.producing import New, delete_records, delete_topic, produce, send, transaction
from tests.integration.recording import EVERYTHING, notes, partition_of, reasons, recorded, rows

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]


class Killed(BaseException):
    """Ends a recording anywhere, as kill -9 would: nothing gets the chance to clean up."""


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 200_000)
    monkeypatch.setattr("recorder.recording.record.row_group_bytes", lambda _partitions: 100_000)
    monkeypatch.setattr(pending, "HANDED_BYTES", 100_000)
    monkeypatch.setattr(bulk, "PIECE_BYTES", 50_000)


@contextmanager
def dying(seals: int) -> Iterator[None]:
    """What records in here dies after so many times that something was added to the journal."""
    with pytest.MonkeyPatch.context() as patch:
        real = Journal.add
        left = [seals]

        def add(self: Journal, lines: Any) -> None:
            real(self, lines)
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        patch.setattr(Journal, "add", add)
        patch.setattr(writer.PartitionWriter, "abandon", lambda _self: None)
        patch.setattr("recorder.recording.record.SEGMENT_BYTES", 0)
        with pytest.raises(Killed):
            yield
        gc.collect()  # what was being written is closed now, not while the next recording runs


def killed(kafka: LocalKafka, root: Path, *names: str, seals: int) -> None:
    """Record everything, and die."""
    with dying(seals):
        record(connect(kafka.bootstrap), Request(EVERYTHING, names=names), root)
    assert (root / CHECKPOINT_NAME).exists()


def resumed(kafka: LocalKafka, root: Path) -> Manifest:
    manifest = resume(connect(kafka.bootstrap), root)
    assert open_capture(root).manifest == manifest
    assert not failed(verify(root)), verify(root)
    return manifest


def partitions(manifest: Manifest) -> dict[tuple[str, int], Partition]:
    return {(topic.name, partition.partition): partition for topic, partition in manifest.topic_partitions()}


def fill(kafka: LocalKafka, topic: str, records: int = 2_000, partitions: int = 2) -> None:
    wanted = [New(os.urandom(500), b"%d" % i, partition=i % partitions) for i in range(records)]
    produce(kafka.bootstrap, topic, wanted, batch_size=50_000)


@pytest.mark.parametrize("seals", [1, 3, 5])
def test_what_was_killed_goes_on_and_ends_as_if_undisturbed(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path, seals: int
) -> None:
    topic = make_topic(3)
    fill(kafka, topic)
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, [New(b"aborted", partition=i % 2) for i in range(10)])
        producer.abort_transaction(30)
    fill(kafka, topic)
    undisturbed = recorded(kafka, tmp_path / "undisturbed", topic).manifest
    killed(kafka, tmp_path / "c", topic, seals=seals)
    torn = tmp_path / "c" / "records" / topic / "0" / "00000000000000099999.parquet"
    torn.parent.mkdir(parents=True, exist_ok=True)
    torn.write_bytes(b"torn")
    manifest = resumed(kafka, tmp_path / "c")
    assert partitions(manifest) == partitions(undisturbed)
    assert manifest.finished_by == "end"
    assert [step.verb for step in manifest.lineage] == ["record", "resume"]
    assert {path.name for path in (tmp_path / "c").iterdir()} == {MANIFEST_NAME, "records"}


def test_what_was_interrupted_goes_on_with_every_record_once(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(2)
    fill(kafka, topic, records=20_000)
    stop, root = threading.Event(), tmp_path / "c"

    def end(now: Progress) -> None:
        if now.records > 2_000:
            stop.set()

    slowly = Request(EVERYTHING, names=[topic], max_bytes_per_second=5e6)
    before = record(connect(kafka.bootstrap), slowly, root, progress=end, stop=stop)
    assert before.finished_by == "interrupt"
    assert 0 < before.records < 20_000
    assert not [check for check in verify(root) if check.name == "files" and check.status != "PASSED"]
    with dying(seals=3):
        resume(connect(kafka.bootstrap), root)
    assert open_capture(root).manifest == before  # which may be read until the new one is there
    files = [check for check in verify(root) if check.name == "files" and check.status != "PASSED"]
    assert {(check.status, check.where.split("/")[0]) for check in files} == {("WARNING", "records")}
    after = resumed(kafka, root)
    assert (after.finished_by, after.records, after.losses) == ("end", 20_000, ())
    assert [row.offset for partition in (0, 1) for row in rows(open_capture(root), topic, partition)] == [
        *range(10_000),
        *range(10_000),
    ]
    assert [step.verb for step in after.lineage] == ["record", "resume", "resume"]
    assert after.lineage[1].parent_id == before.capture_id == after.lineage[0].capture_id
    assert after.capture_id == after.lineage[2].capture_id != before.capture_id
    assert not (root / CHECKPOINT_NAME).exists()


def test_what_an_open_transaction_hid_is_read_when_it_has_ended(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    truth = produce(kafka.bootstrap, topic, [New()] * 3)
    with transaction(kafka.bootstrap, topic) as producer:
        truth += send(producer, topic, [New(b"open")] * 2)
        early = recorded(kafka, tmp_path / "c", topic, transaction_seconds=0.2)
        assert reasons(partition_of(early, topic).gaps) == {"unread": 2}
        producer.commit_transaction(30)
    manifest = resumed(kafka, tmp_path / "c")
    assert rows(open_capture(tmp_path / "c"), topic) == truth
    assert manifest.losses == ()


def test_what_retention_deleted_meanwhile_is_expired_and_what_is_sealed_stays(
    kafka: LocalKafka, topic: str, tmp_path: Path
) -> None:
    fill(kafka, topic, partitions=1)
    killed(kafka, tmp_path / "c", topic, seals=1)
    delete_records(kafka.bootstrap, topic, 1_000)
    manifest = resumed(kafka, tmp_path / "c")
    found = [row.offset for row in rows(open_capture(tmp_path / "c"), topic)]
    assert found[0] == 0
    assert found[-1_000:] == [*range(1_000, 2_000)]
    assert reasons(manifest.topics[0].partitions[0].gaps) == {"expired": 2_000 - len(found)}
    assert any("retention deleted" in text for text in notes(manifest, "warning"))


def test_a_topic_that_was_recreated_is_a_loss_and_the_others_go_on(
    kafka: LocalKafka, make_topic: MakeTopic, tmp_path: Path
) -> None:
    lasting, recreated = make_topic(), make_topic()
    for topic in (lasting, recreated):
        fill(kafka, topic, partitions=1)
    killed(kafka, tmp_path / "c", lasting, recreated, seals=1)
    delete_topic(kafka.bootstrap, recreated)
    create_topic(kafka.bootstrap, recreated)
    produce(kafka.bootstrap, recreated, [New(b"new")] * 3_000)
    manifest = resumed(kafka, tmp_path / "c")
    assert manifest.topic(lasting).records == 2_000
    sealed = manifest.topic(recreated).records
    assert reasons(manifest.topic(recreated).partitions[0].gaps) == (
        {"unread": 2_000 - sealed} if sealed < 2_000 else {}
    )
    assert all(row.value != b"new" for row in rows(open_capture(tmp_path / "c"), recreated))
    assert any(f"{recreated}: the topic was recreated" in text for text in notes(manifest, "loss"))


def test_a_window_that_ended_meanwhile_is_read_from_the_log(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New()] * 3)
    now_ms = time.time_ns() // 1_000_000
    window = Window(now_ms - 60_000, now_ms + 2_500)
    stop = threading.Event()
    threading.Timer(0.8, stop.set).start()
    request = Request(window, names=[topic])
    assert record(connect(kafka.bootstrap), request, tmp_path / "c", stop=stop).finished_by == "interrupt"
    inside = produce(kafka.bootstrap, topic, [New(b"inside", timestamp_ms=now_ms + 2_000)])
    produce(kafka.bootstrap, topic, [New(b"outside", timestamp_ms=now_ms + 2_500)])
    wait_until(lambda: time.time_ns() // 1_000_000 > now_ms + 2_600, what="the window is over")
    manifest = resumed(kafka, tmp_path / "c")
    assert rows(open_capture(tmp_path / "c"), topic)[3:] == inside
    assert (manifest.records, manifest.finished_by, manifest.losses) == (4, "end", ())


def test_a_disk_that_was_full_has_room_again(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    produce(kafka.bootstrap, topic, [New(bytes(500)) for _ in range(2_000)])
    produce(kafka.bootstrap, topic, [New(os.urandom(500)) for _ in range(2_000)])
    undisturbed = recorded(kafka, tmp_path / "undisturbed", topic).manifest
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        with pytest.raises(CaptureError, match=f"blackbox record --resume {tmp_path / 'c'}"):
            recorded(kafka, tmp_path / "c", topic)
        with pytest.raises(CaptureError, match="may not grow that large"):
            resume(connect(kafka.bootstrap), tmp_path / "c")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "c").rglob("*.tmp"))
    assert partitions(resumed(kafka, tmp_path / "c")) == partitions(undisturbed)


@pytest.mark.parametrize("harm", ["altered", "cut", "removed"])
def test_a_sealed_segment_that_is_not_what_it_was_is_named_and_nothing_is_done(
    kafka: LocalKafka, topic: str, tmp_path: Path, harm: str
) -> None:
    fill(kafka, topic, partitions=1)
    killed(kafka, tmp_path / "c", topic, seals=2)
    segment = min((tmp_path / "c").rglob("*.parquet"))
    content = segment.read_bytes()
    if harm == "removed":
        segment.unlink()
    else:
        segment.write_bytes(content[:-1] if harm == "cut" else content[:999] + b"!" + content[1_000:])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").rglob("*")}
    with pytest.raises(CaptureError, match=f"{segment.name} (has another size|was altered|is missing)"):
        resume(connect(kafka.bootstrap), tmp_path / "c")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "c").rglob("*")} == before
    segment.write_bytes(content)
    assert resumed(kafka, tmp_path / "c").records == 2_000


def test_another_cluster_is_refused(kafka: LocalKafka, topic: str, tmp_path: Path) -> None:
    fill(kafka, topic, partitions=1)
    killed(kafka, tmp_path / "c", topic, seals=1)
    checkpoint = tmp_path / "c" / CHECKPOINT_NAME
    checkpoint.write_text(checkpoint.read_text().replace(kafka.cluster_id, "another"))
    with pytest.raises(UsageError, match="was recorded from cluster another"):
        resume(connect(kafka.bootstrap), tmp_path / "c")


def test_what_the_command_says(
    kafka: LocalKafka, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(kafka, topic, partitions=1)
    root = tmp_path / "c"
    killed(kafka, root, topic, seals=1)
    command = ["record", "-b", kafka.bootstrap, "--resume", root]
    for verb in ("info", "ls", "cat", "verify"):
        ran = run(capsys, verb, root)
        assert (ran.code, f"blackbox record --resume {root}" in ran.out + ran.err) == (ExitCode.FAILED, True)
    for option in (["--to", "end"], ["-t", topic], ["-o", tmp_path / "d"], ["--late-slack", "5m"], ["--follow"]):
        ran = run(capsys, *command, *option)
        assert (ran.code, ran.sentence()) == (
            ExitCode.USAGE,
            "--resume goes on with what was asked for then: give only connection flags with it.",
        )
    with Journal(root):
        ran = run(capsys, *command)
        assert (ran.code, "is being recorded by another process" in ran.sentence()) == (ExitCode.USAGE, True)
    ran = run(capsys, *command)
    assert (ran.code, f"Recorded 2,000 records of 1 topic into {root}" in ran.err) == (ExitCode.OK, True)
    manifest = (root / MANIFEST_NAME).read_bytes()
    ran = run(capsys, *command)
    assert (ran.code, f"{root} is finished" in ran.err) == (ExitCode.OK, True)
    assert (root / MANIFEST_NAME).read_bytes() == manifest
    assert "resumed" in run(capsys, "info", root).out
    ran = run(capsys, "record", "-b", kafka.bootstrap, "--resume", tmp_path)
    assert (ran.code, "is not a capture" in ran.sentence()) == (ExitCode.FAILED, True)
    assert {path.name for path in root.iterdir()} == {MANIFEST_NAME, "records"}


def test_a_kill_between_the_manifest_and_the_end_leaves_nothing_to_do(
    kafka: LocalKafka, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(kafka, topic, partitions=1)
    before = recorded(kafka, tmp_path / "c", topic).manifest
    for name in (CHECKPOINT_NAME, JOURNAL_NAME):
        (tmp_path / "c" / name).touch()
    unlink = Path.unlink

    def die_after(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "unlink", die_after)
        resumed(kafka, tmp_path / "c")
    assert resumed(kafka, tmp_path / "c") == before
    assert {path.name for path in (tmp_path / "c").iterdir()} == {MANIFEST_NAME, "records"}
