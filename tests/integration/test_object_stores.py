"""Recording from a real Kafka into an S3-compatible store: as on disk, whatever happens to either meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from recorder.capture import writer
from recorder.capture.locations import ObjectPath, locate
from recorder.capture.push import push
from recorder.capture.reader import open_capture
from recorder.capture.selection import Selection
from recorder.capture.verify import failed, verify
from recorder.errors import CaptureError, StoreUnavailableError, UsageError
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording.into_store import record_into, resume_into
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.window import Window
from tests.builders import T0
from tests.cli.running import run
from tests.conftest import wait_until
from tests.faults.door import Door
from tests.integration.producing import New, produce, send, transaction
from tests.integration.recording import EVERYTHING, rows
from tests.object_store import Bucket, bucket, object_store, rights_checked

__all__ = ["bucket", "object_store"]

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]
RECORDS = 240
PROGRAM = """
from recorder.capture import writer
from recorder.cli.main import main
writer.SEGMENT_BYTES = 1 << 20
main()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where recordings are staged when nobody says where."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def large(kafka: LocalKafka, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic of 24 MB in two partitions; meanwhile each row group of 4 MiB is a segment."""
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 1 << 20)
    topic = make_topic(2)
    value = os.urandom(100_000)
    produce(kafka.bootstrap, topic, [New(value[i:] + value[:i], partition=i % 9 == 0) for i in range(RECORDS)])
    return topic


def place(bucket: Bucket, prefix: str = "incident") -> ObjectPath:
    located = locate(f"{bucket.uri}/{prefix}")
    assert isinstance(located, ObjectPath)
    return located


def recording(kafka: LocalKafka, topic: str, uri: str, *options: str) -> subprocess.Popen[str]:
    """The command at work, at 10 MB a second."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "record", "-b", kafka.bootstrap, "-t", topic, "--from", "beginning",
         "--max-mbps", "80", "-o", uri, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def staged(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_the_state_before_the_window_and_aborted_records_arrive_too(
    kafka: LocalKafka, make_topic: MakeTopic, bucket: Bucket, tmp_path: Path, cache: Path
) -> None:
    # No segment is closed, or the log cleaner would come between the two recordings.
    topic = make_topic(config={"cleanup.policy": "compact", "segment.ms": str(10**12)})
    produce(kafka.bootstrap, topic, [New(b"1", b"a", timestamp_ms=T0 - 1), New(b"2", b"a", timestamp_ms=T0)])
    with transaction(kafka.bootstrap, topic) as producer:
        send(producer, topic, [New(b"3", b"a", timestamp_ms=T0)])
        producer.abort_transaction(30)
    window = Window(T0, None)
    request = Request(window, names=[topic], state_prologue=True, isolation="read_uncommitted")
    there = record_into(connect(kafka.bootstrap), request, place(bucket))
    assert there.topics == record(connect(kafka.bootstrap), request, tmp_path / "here").topics
    capture = open_capture(place(bucket))
    assert [row.value for row in capture.prologue()] == [b"1"]
    assert [row.value for row in capture.records()] == [b"2", b"3"]
    assert [row.value for row in capture.records(Selection(aborted=False))] == [b"2"]
    assert capture.sql("SELECT value FROM prologue").to_pylist() == [{"value": "1"}]
    assert not failed(verify(f"{bucket.uri}/incident"))
    assert staged(cache) == []


def test_a_capture_in_a_store_is_byte_for_byte_the_one_on_disk(
    kafka: LocalKafka, large: str, bucket: Bucket, tmp_path: Path, cache: Path
) -> None:
    request = Request(EVERYTHING, names=[large])
    there = record_into(connect(kafka.bootstrap), request, place(bucket))
    here = record(connect(kafka.bootstrap), request, tmp_path / "here")
    assert there.topics == here.topics
    copy = bucket.get("incident", tmp_path / "copy")
    names = [str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()]
    assert sorted(names) == ["manifest.json", *(s.path for _, p in here.topic_partitions() for s in p.segments)]
    assert open_capture(copy).manifest == there
    for name in names:
        assert name == "manifest.json" or (copy / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert not failed(verify(f"{bucket.uri}/incident"))
    assert staged(cache) == []


def test_the_command_records_into_a_store_and_keeps_no_credentials(
    kafka: LocalKafka, topic: str, bucket: Bucket, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    produce(kafka.bootstrap, topic, [New(b"%d" % i) for i in range(100)])
    uri = f"s3://AKIATEST:secret@{bucket.name}/incident?region=us-east-1"
    command = ["record", "-b", kafka.bootstrap, "-t", topic, "--from", "beginning", "-o", uri]
    ran = run(capsys, *command)
    assert ran.code == 0, ran.err
    assert f"blackbox info '{bucket.uri}/incident?region=us-east-1'" in ran.err
    written = b"".join(bucket.read(f"incident/{name}") for name in bucket.names("incident"))
    assert b"AKIATEST" not in written
    assert "AKIATEST" not in ran.err + ran.out
    assert len(rows(open_capture(uri), topic)) == 100
    assert staged(cache) == []
    again = run(capsys, *command)
    assert again.code == 2
    assert "exists already" in again.sentence()
    assert run(capsys, "record", "-b", kafka.bootstrap, "-t", topic, "--follow", "-o", uri).code == 2


def test_nothing_is_read_when_the_bucket_is_missing_or_may_not_be_written(
    kafka: LocalKafka, topic: str, bucket: Bucket, cache: Path
) -> None:
    request = Request(EVERYTHING, names=[topic])
    missing = locate("s3://not-there-at-all/incident")
    assert isinstance(missing, ObjectPath)
    with pytest.raises(StoreUnavailableError, match="There is no bucket s3://not-there-at-all"):
        record_into(connect(kafka.bootstrap), request, missing)
    with rights_checked(), pytest.raises(StoreUnavailableError, match="No right to"):
        record_into(connect(kafka.bootstrap), request, place(bucket))
    assert staged(cache) == []


def test_an_unknown_topic_leaves_nothing_in_the_store(kafka: LocalKafka, bucket: Bucket, cache: Path) -> None:
    with pytest.raises(UsageError):
        record_into(connect(kafka.bootstrap), Request(EVERYTHING, names=["no-such-topic"]), place(bucket))
    assert bucket.names() == []
    assert staged(cache) == []


def test_a_store_that_goes_away_does_not_stop_the_recording_and_push_sends_the_rest(
    kafka: LocalKafka, large: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    told: list[str] = []
    gone: list[None] = []
    with Door() as door, ExitStack() as away:
        door.leads_to(int(bucket.endpoint.rpartition(":")[2]))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{door.port}")

        def go_away(now: Progress) -> None:
            if not gone:
                gone.append(away.enter_context(door.refused()))

        with pytest.raises(StoreUnavailableError, match=r"does not answer.*blackbox push") as raised:
            record_into(
                connect(kafka.bootstrap), Request(EVERYTHING, names=[large]), place(bucket), progress=go_away,
                tell=told.append, patience=0.1,
            )  # fmt: skip
        assert any("The recording goes on" in text for text in told)
        (staging,) = [path.parent for path in cache.rglob("manifest.json.waiting")]
        assert f"blackbox push {staging} '{bucket.uri}/incident'" in str(raised.value)
        with pytest.raises(CaptureError, match="unfinished"):
            open_capture(staging)
        away.close()
        with pytest.raises(CaptureError, match="unfinished recording"):
            open_capture(f"{bucket.uri}/incident")
        assert push(staging, place(bucket)).records == RECORDS
        assert not failed(verify(f"{bucket.uri}/incident"))
        assert staged(cache) == []


def test_killed_it_goes_on_from_its_staging_directory_or_from_the_store_alone(
    kafka: LocalKafka, large: str, bucket: Bucket, cache: Path, tmp_path: Path
) -> None:
    here = record(connect(kafka.bootstrap), Request(EVERYTHING, names=[large]), tmp_path / "here")
    for prefix, lose in (("kept", False), ("lost", True)):
        uri = f"{bucket.uri}/{prefix}"
        process = recording(kafka, large, uri)
        wait_until(lambda prefix=prefix: f"{prefix}/checkpoint.log" in bucket.names(), what="a segment has arrived")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        with pytest.raises(CaptureError, match="--resume"):
            open_capture(uri)
        if lose:
            for path in sorted(cache.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
        manifest = resume_into(connect(kafka.bootstrap), place(bucket, prefix))
        assert manifest.topics == here.topics
        assert not failed(verify(uri))
        assert staged(cache) == []


def test_ctrl_c_sends_what_was_read_and_the_recording_may_go_on(
    kafka: LocalKafka, large: str, bucket: Bucket, cache: Path
) -> None:
    process = recording(kafka, large, f"{bucket.uri}/incident")
    wait_until(lambda: "incident/checkpoint.log" in bucket.names(), what="a segment has arrived")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    lines = [line for line in said.splitlines() if "loss:" not in line]
    assert lines[-1] == (
        f"Interrupted: what was read until then is sealed. Go on:  blackbox record --resume {bucket.uri}/incident"
    )
    assert not failed(verify(f"{bucket.uri}/incident"))
    assert staged(cache) == []
    assert resume_into(connect(kafka.bootstrap), place(bucket)).records == RECORDS
    assert {check.status for check in verify(f"{bucket.uri}/incident")} == {"PASSED"}


def test_a_killed_recording_is_resumed_by_the_name_of_its_staging_directory(
    kafka: LocalKafka, large: str, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = recording(kafka, large, f"{bucket.uri}/incident", "--staging", str(tmp_path / "staging"))
    wait_until(lambda: "incident/checkpoint.log" in bucket.names(), what="a segment has arrived")
    process.kill()
    process.communicate(timeout=30)
    ran = run(capsys, "record", "-b", kafka.bootstrap, "--resume", tmp_path / "staging")
    assert ran.code == 0, ran.err
    assert open_capture(f"{bucket.uri}/incident").manifest.records == RECORDS
    assert not (tmp_path / "staging").exists()


def test_a_capture_of_its_own_is_pushed_and_stays(
    kafka: LocalKafka, topic: str, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    produce(kafka.bootstrap, topic, [New()])
    record(connect(kafka.bootstrap), Request(EVERYTHING, names=[topic]), tmp_path / "c")
    assert run(capsys, "push", tmp_path / "c", f"{bucket.uri}/a/c").code == 0
    copy: Any = bucket.get("a/c", tmp_path / "copy")
    assert open_capture(copy).manifest == open_capture(tmp_path / "c").manifest
    assert {check.status for check in verify(f"{bucket.uri}/a/c")} == {"PASSED"}
    assert "exists already" in run(capsys, "push", tmp_path / "c", f"{bucket.uri}/a/c").sentence()
