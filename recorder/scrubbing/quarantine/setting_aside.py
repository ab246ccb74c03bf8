"""Records on their way from the processes that meet them to the one that writes the quarantine.

Each segment's wait in the run's spill, encrypted under a key that only memory holds; read in the order of the segments
they are the same records in the same order, however many processes worked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from desensitizers.proof.spill import Spill, SpillWriter
from desensitizers.sink import Problem, Withheld
from recorder.scrubbing.errors import NoQuarantineError
from recorder.scrubbing.quarantine.records import Held, Tally, held


class Aside:
    """Takes the withheld records of one segment out of its batches."""

    def __init__(self, spill: Spill, bag: str, *, allowed: bool, in_prologue: bool) -> None:
        """Unless `allowed`, the first record is a NoQuarantineError."""
        self._spill = spill
        self._bag = bag
        self._allowed = allowed
        self._in_prologue = in_prologue
        self._writer: SpillWriter | None = None
        self._encoder = msgspec.msgpack.Encoder()
        self.tally: Tally = Counter()

    def take(self, batch: pa.RecordBatch, withheld: Sequence[Withheld]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """(the records that stay, the withheld ones) of a batch; `withheld` in the order of rows.

        Raises NoQuarantineError.
        """
        rows = np.array([one.row for one in withheld], np.int64)
        gone = batch.take(pa.array(rows))
        refuse_unless(self._allowed, gone, withheld)
        if self._writer is None:
            self._writer = self._spill.writer(self._bag, buckets=1)
        for row, why in zip(_rows(gone), withheld, strict=True):
            record = held(row, why, in_prologue=self._in_prologue)
            self.tally[record.counted_as] += 1
            self._writer.add(self._encoder.encode(record))
        stays = np.ones(batch.num_rows, np.bool_)
        stays[rows] = False
        return batch.filter(pa.array(stays)), gone

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def refuse_unless(allowed: bool, gone: pa.RecordBatch, withheld: Sequence[Withheld]) -> None:
    """NoQuarantineError for the first of some withheld records, unless there is a quarantine."""
    if allowed:
        return
    why, first = withheld[0], gone.slice(0, 1).to_pylist()[0]
    where = Problem(first["topic"], why.place, why.path, why.reason, 1, first["partition"], first["offset"])
    raise NoQuarantineError(
        f"No copy was made: a record must go to quarantine, and none was given:\n  {where} ({why.cause})"
    )


def set_aside(spill: Spill, bags: Sequence[str]) -> Iterator[Held]:
    """What was taken out, in the order of the bags."""
    decoder = msgspec.msgpack.Decoder(Held)
    for bag in bags:
        for block in spill.blocks(bag):
            yield from map(decoder.decode, block)


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    for start in range(0, batch.num_rows, 256):  # Python objects of a few rows at a time
        yield from batch.slice(start, 256).to_pylist()
