"""A recording that was cut off goes on where it ended, and ends as one that nobody disturbed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.capture import writer
from recorder.capture.manifest import CHECKPOINT_NAME, MANIFEST_NAME, Manifest, Partition
from recorder.capture.reader import open_capture
from recorder.capture.verify import failed, verify
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.recording.journal import Journal
from recorder.recording.record import record
from recorder.recording.request import Request
from recorder.recording.resume import resume
from tests.integration.producing import New, produce, send, transaction
from tests.integration.recording import EVERYTHING, recorded

pytestmark = pytest.mark.integration

MakeTopic = Callable[..., str]


class Killed(BaseException):
    """Ends a recording anywhere, as kill -9 would: nothing gets the chance to clean up."""


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SEGMENT_BYTES", 200_000)
    monkeypatch.setattr("recorder.recording.record.row_group_bytes", lambda _partitions: 100_000)


def killed(kafka: LocalKafka, root: Path, *names: str, seals: int, **options: Any) -> None:
    """Record, and die after so many lines of the journal."""
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
            record(connect(kafka.bootstrap), Request(options.pop("window", EVERYTHING), names=names, **options), root)
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
    produce(kafka.bootstrap, topic, wanted)


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
    (tmp_path / "c" / "records" / topic / "0" / "00000000000000099999.parquet").write_bytes(b"torn")
    manifest = resumed(kafka, tmp_path / "c")
    assert partitions(manifest) == partitions(undisturbed)
    assert manifest.finished_by == "end"
    assert [step.verb for step in manifest.lineage] == ["record", "resume"]
    assert {path.name for path in (tmp_path / "c").iterdir()} == {MANIFEST_NAME, "records"}
