"""What has arrived and is not written yet: messages become columns while the processor's cache holds them, and columns
are handed over many at once, because the thread that writes waits for the interpreter whenever it begins something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from recorder.kafka.fetching import Message
from recorder.kafka.offsets import Place
from recorder.kafka.record_batches import Records
from recorder.recording.columns import records_to_batch, to_batch

COLUMN_MESSAGES = 250
COLUMN_BYTES = 1 << 20
"""So much of a partition becomes columns at once."""
HANDED_BYTES = 2 << 20
HANDED_MESSAGES = 8_000
"""So much of a partition is handed over at once."""
PENDING_BYTES = 16 << 20
"""Over all partitions: many of them together hold no more than this before all is handed over."""

HandOver = Callable[[Place, pa.Table, list[int], int], None]
"""Takes a partition's records (RECORD_SCHEMA), the offsets whose headers could not be read, and the bytes of it all."""


@dataclass(slots=True)
class _OfOne:
    """What is pending of one partition."""

    messages: list[Message] = field(default_factory=list)
    message_bytes: int = 0
    batches: list[pa.RecordBatch] = field(default_factory=list)
    headers_lost: list[int] = field(default_factory=list)
    records: int = 0
    bytes: int = 0


class Pending:
    """Gathers messages by partition and hands them over, in order, when there are enough or when it is told to."""

    def __init__(self, hand_over: HandOver) -> None:
        self._hand_over = hand_over
        self._places: dict[Place, _OfOne] = {}
        self._bytes = 0

    def add(self, place: Place, messages: list[Message]) -> None:
        """Take what arrived of one partition, in offset order."""
        one = self._places.setdefault(place, _OfOne())
        added = sum(map(len, messages))
        one.messages += messages
        one.message_bytes += added
        if len(one.messages) >= COLUMN_MESSAGES or one.message_bytes >= COLUMN_BYTES:
            _to_columns(place, one)
        self._grew(place, one, len(messages), added)

    def add_records(self, place: Place, records: Records) -> None:
        """Take what came in bulk of one partition, in offset order."""
        one = self._places.setdefault(place, _OfOne())
        batch, lost = records_to_batch(*place, records)
        added = records.keys.nbytes + records.values.nbytes + records.header_values.nbytes
        one.batches.append(batch)
        one.headers_lost += lost
        self._grew(place, one, batch.num_rows, added)

    def _grew(self, place: Place, one: _OfOne, records: int, size: int) -> None:
        """Hand over what is enough; messages that are not yet columns wait for more of them."""
        one.records += records
        one.bytes += size
        self._bytes += size
        if not one.messages and (one.bytes >= HANDED_BYTES or one.records >= HANDED_MESSAGES):
            self.flush(place)
        if self._bytes >= PENDING_BYTES:
            self.flush_all()

    def flush(self, place: Place) -> None:
        """Hand over what there is of one partition."""
        one = self._places.pop(place, None)
        if one is not None:
            self._bytes -= one.bytes
            _to_columns(place, one)
            self._hand_over(place, pa.Table.from_batches(one.batches), one.headers_lost, one.bytes)

    def flush_all(self) -> None:
        """Hand over what there is."""
        for place in list(self._places):
            self.flush(place)


def _to_columns(place: Place, one: _OfOne) -> None:
    if one.messages:
        # Here, because it needs the interpreter; writing them, in the other thread, hardly does.
        batch, lost = to_batch(*place, one.messages)
        one.batches.append(batch)
        one.headers_lost += lost
        one.messages, one.message_bytes = [], 0
