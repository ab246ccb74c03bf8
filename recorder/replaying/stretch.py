"""What is worked out for many records at once, in the thread that reads ahead: the columns that pieces are cut from.

In the thread that sends, it would hold up the records that are due meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.merge import EFFECTIVE
from recorder.capture.schema import record_sizes
from recorder.replaying.changes import Outgoing
from recorder.replaying.routes import Routes
from recorder.replaying.streams import STREAM

_PIECE_BYTES = 1 << 20

Ints = npt.NDArray[np.int64]


class Stretch:
    """Consecutive records as they were read and changed; `cuts` is where their pieces end."""

    def __init__(self, outgoing: Outgoing, topics_of_streams: Ints, routes: Routes, piece_records: int) -> None:
        batch = outgoing.batch
        self.outgoing, self.batch, self.positions_ns = outgoing, batch, outgoing.positions_ns
        self.stamps = numbers_of(batch, "timestamp_ms")
        self.topic_numbers = topics_of_streams[numbers_of(batch, STREAM)]
        self.lanes = routes.lanes_of(outgoing.targets, outgoing.partitions)
        self.recorded, self.offsets, self.times = (
            numbers_of(batch, name) for name in ("partition", "offset", EFFECTIVE)
        )
        self.sizes = record_sizes(batch)
        self.cuts = list(_cuts(self.sizes, piece_records))

    @property
    def nbytes(self) -> int:
        return self.outgoing.nbytes + 6 * self.sizes.nbytes


def numbers_of(batch: pa.RecordBatch, column: str) -> Ints:
    """A column of whole numbers."""
    return np.asarray(batch.column(column).to_numpy(), np.int64)


def _cuts(sizes: Ints, most: int) -> Iterator[int]:
    """Where pieces of so many records and bytes end; one piece at least, be it of nothing."""
    filled, start = np.cumsum(sizes), 0
    while True:
        before = filled[start - 1] if start else 0
        fitting = int(np.searchsorted(filled, before + _PIECE_BYTES, side="right"))
        start = min(len(sizes), start + most, max(fitting, start + 1))
        yield start
        if start == len(sizes):
            return
