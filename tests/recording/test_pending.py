"""What is pending is handed over in order and whole, and there is never much of it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from confluent_kafka import Message

from recorder.kafka.offsets import Place
from recorder.recording import pending as pending_module
from recorder.recording.pending import Pending


def messages(start: int, count: int, size: int = 100) -> list[Message]:
    return [
        Message(topic="t", partition=0, offset=offset, value=bytes(size), timestamp=(1, 0))
        for offset in range(start, start + count)
    ]


def test_records_come_out_in_the_order_they_came_in_however_they_are_cut() -> None:
    got: dict[Place, list[int]] = {}

    def take(place: Place, records: pa.Table, _lost: list[int], size: int) -> None:
        assert size == 100 * records.num_rows
        got.setdefault(place, []).extend(records.column("offset").to_pylist())

    pending = Pending(take)
    at = 0
    for count in (1, 249, 600, 3, 9_000, 40):
        for partition in range(3):
            pending.add(("t", partition), messages(at, count))
        at += count
    pending.flush(("t", 1))
    assert got[("t", 1)] == list(range(at))
    pending.flush_all()
    pending.flush_all()
    assert got == {("t", partition): list(range(at)) for partition in range(3)}


def test_many_partitions_together_hold_no_more_than_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "PENDING_BYTES", 10_000)
    held = 0

    def take(_place: Place, _records: pa.Table, _lost: list[int], size: int) -> None:
        nonlocal held
        held -= size

    pending = Pending(take)
    for partition in range(500):
        held += 100
        pending.add(("t", partition), messages(0, 1))
        assert held < 10_000
