"""Which records readers of committed records never see: of an aborted transaction, or of one that was still open."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.capture.manifest import Manifest, Run
from recorder.capture.runs import inside

Mark = Literal["aborted", "undecided"]


class Marks:
    """The marks of a capture's records (FORMAT.md 24); false when it has none."""

    def __init__(self, manifest: Manifest) -> None:
        self._runs: dict[tuple[str, int], list[tuple[Mark, tuple[Run, ...]]]] = {
            (topic.name, partition.partition): [("aborted", partition.aborted), ("undecided", partition.undecided)]
            for topic, partition in manifest.topic_partitions()
            if partition.aborted or partition.undecided
        }

    def __bool__(self) -> bool:
        return bool(self._runs)

    def at(self, topic: str, partition: int, offset: int) -> Mark | None:
        for mark, runs in self._runs.get((topic, partition), ()):
            if inside(runs, np.array([offset]))[0]:
                return mark
        return None

    def of(self, batch: pa.RecordBatch) -> pa.Array:
        """A mark for each record of a batch of any topics (RECORD_SCHEMA), null for most."""
        found = np.full(len(batch), None, object)
        offsets = batch.column("offset").to_numpy()
        for (topic, partition), marks in self._runs.items():
            here = pc.and_(pc.equal(batch.column("topic"), topic), pc.equal(batch.column("partition"), partition))
            rows = np.flatnonzero(here.to_numpy(zero_copy_only=False))
            for mark, runs in marks if len(rows) else ():
                found[rows[inside(runs, offsets[rows])]] = mark
        return pa.array(found, pa.string())
