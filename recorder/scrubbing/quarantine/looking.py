"""Looking into a quarantine: its counts without a key, its records with the private one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa

from recorder.capture.schema import RECORD_SCHEMA
from recorder.errors import CaptureError, UsageError
from recorder.payloads.schemas import Schema
from recorder.scrubbing.quarantine.keys import Opener
from recorder.scrubbing.quarantine.records import Held, Summary, Tally, items, summary_of
from recorder.scrubbing.quarantine.sealed import Sealed


def summary(path: Path) -> tuple[Sealed, Summary]:
    """What the file says of itself, without a key. Raises UsageError and CaptureError."""
    sealed = Sealed(path)
    try:
        return sealed, msgspec.json.decode(sealed.summary, type=Summary)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CaptureError(f"{path} is a torn quarantine (its counts can't be read): take it from a copy.") from None


class Opened:
    """A quarantine under its private key."""

    def __init__(self, path: Path, opener: Opener) -> None:
        """Raises UsageError for a file or a key that don't belong together, CaptureError for altered bytes."""
        self._path = path
        self._sealed, self.summary = summary(path)
        self._opener = opener
        self.schemas = self._decode(next(self._items(), b""), tuple[Schema, ...])
        """Those that the capture held, to decode payloads by."""

    def records(self) -> Iterator[Held]:
        """Every record in the order of the capture; after the last it is sure that none was altered or left out.

        Raises CaptureError as soon as something does not open.
        """
        tally: Tally = Counter()
        decoder = msgspec.msgpack.Decoder(Held)
        for number, item in enumerate(self._items()):
            if number:
                try:
                    record = decoder.decode(item)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    raise self._foreign() from None
                tally[record.counted_as] += 1
                yield record
        if summary_of(tally) != self.summary:
            raise self._foreign()

    def record(self, topic: str, partition: int, offset: int) -> Held:
        """One record. Raises UsageError when it is not here."""
        for record in self.records():
            if (record.topic, record.partition, record.offset) == (topic, partition, offset):
                return record
        raise UsageError(f"{self._path} holds no record {topic}-{partition}@{offset}: --key alone lists what it holds.")

    def _items(self) -> Iterator[bytes]:
        return items(self._sealed.chunks(self._opener), str(self._path))

    def _decode(self, item: bytes, kind: type[tuple[Schema, ...]]) -> tuple[Schema, ...]:
        try:
            return msgspec.msgpack.decode(item, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._foreign() from None

    def _foreign(self) -> CaptureError:
        return CaptureError(f"{self._path} does not hold what it says: it was not written by this program.")


def batch_of(record: Held) -> pa.RecordBatch:
    """A record as captures hold it."""
    return pa.RecordBatch.from_pylist([record.row()], schema=RECORD_SCHEMA)
