"""Which schemas the records of a capture name, in a frame or in a header: counted over columns, without decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder.capture.reader import Capture
from recorder.payloads import wire
from recorder.payloads.reasons import PayloadError, Side

MOST_IDS = 200
"""So many different ids on one side of a topic, and what looks like frames are other bytes that begin with 0."""
_SIDES: tuple[Side, Side] = ("key", "value")
_COLUMNS = ("timestamp_ms", "key", "value", "headers")

Key = int | str
"""A schema's id, or its GUID."""


@dataclass(slots=True)
class Use:
    """How many records named a schema, and between which timestamps (ms, inclusive)."""

    records: int
    first_ms: int
    last_ms: int


class Uses:
    """Counts by topic, side and schema; topics and sides with too many ids are given up (`unframed`)."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Side], dict[Key, Use]] = {}
        self.unframed: set[tuple[str, Side]] = set()

    def saw(self, topic: str, batch: pa.RecordBatch) -> None:
        """Count a batch (RECORD_SCHEMA) of one topic."""
        if not batch.num_rows:
            return
        times = batch.column("timestamp_ms").to_numpy()
        headed = in_headers(batch.column("headers"))
        for side in _SIDES:
            if (topic, side) in self.unframed:
                continue
            bare = np.ones(len(times), np.bool_)
            for key, rows in headed.get(side, ()):
                self._add(topic, side, key, times[rows])
                bare[rows] = False
            ids, _, _ = wire.ids_of(batch.column(side))
            framed = np.flatnonzero((ids > 0) & bare)
            if len(framed):
                self._add_many(topic, side, ids[framed], times[framed])

    def keys(self) -> set[Key]:
        """Every schema that was named. May be asked while another thread counts."""
        return {key for found in list(self._found.values()) for key in list(found)}

    def topics_of(self, key: Key) -> list[tuple[str, Side]]:
        """Where a schema was named."""
        return [place for place, found in list(self._found.items()) if key in found]

    def __iter__(self) -> Iterator[tuple[str, Side, Key, Use]]:
        for (topic, side), found in sorted(self._found.items()):
            for key, use in sorted(found.items(), key=lambda item: (item[1].first_ms, str(item[0]))):
                yield topic, side, key, use

    def _add_many(self, topic: str, side: Side, ids: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> None:
        order = np.argsort(ids, kind="stable")
        ids, times = ids[order], times[order]
        starts = np.flatnonzero(np.diff(ids, prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
            self._add(topic, side, int(ids[start]), times[start:end])
            if (topic, side) in self.unframed:
                return

    def _add(self, topic: str, side: Side, key: Key, times: npt.NDArray[np.int64]) -> None:
        found = self._found.setdefault((topic, side), {})
        first, last = int(times.min()), int(times.max())
        if (use := found.get(key)) is not None:
            use.records += len(times)
            use.first_ms, use.last_ms = min(use.first_ms, first), max(use.last_ms, last)
        elif len(found) >= MOST_IDS:
            del self._found[topic, side]
            self.unframed.add((topic, side))
        else:
            found[key] = Use(len(times), first, last)


def uses_of(capture: Capture, *, progress: Callable[[int], None] | None = None) -> Uses:
    """Read a capture through and count; `progress` is told records. Raises CaptureError."""
    uses = Uses()
    for topic, partition in capture.manifest.topic_partitions():
        for batch in capture.batches(topic.name, partition.partition, columns=_COLUMNS):
            uses.saw(topic.name, batch)
            if progress:
                progress(batch.num_rows)
    for batch in capture.prologue_batches():
        uses.saw(batch.column("topic")[0].as_py(), batch)  # a batch is of one topic
    return uses


def in_headers(headers: pa.ListArray) -> dict[Side, list[tuple[Key, npt.NDArray[np.int64]]]]:
    """Schemas named in headers: by side, each with the rows that name it; of several in one row the last counts."""
    flat = headers.flatten()
    if not len(flat):
        return {}
    names = flat.field("key")
    rows: npt.NDArray[np.int64] | None = None
    found: dict[Side, list[tuple[Key, npt.NDArray[np.int64]]]] = {}
    for side in _SIDES:
        ours = np.flatnonzero(pc.equal(names, wire.HEADER_NAMES[side]).to_numpy(zero_copy_only=False))
        if not len(ours):
            continue
        if rows is None:
            rows = np.repeat(np.arange(len(headers)), headers.value_lengths().to_numpy())
        last = np.append(np.diff(rows[ours]) > 0, True)
        ours = ours[last]
        values = flat.field("value").take(pa.array(ours)).dictionary_encode()
        codes = values.indices.fill_null(-1).to_numpy()
        for code, content in enumerate(values.dictionary.to_pylist()):
            try:
                key = wire.read_header(content).key
            except PayloadError:
                continue  # decoding says so
            found.setdefault(side, []).append((key, rows[ours[codes == code]]))
    return found
