"""How the payloads of a capture are read: what a person chose, else what a sample of each topic shows.

Everything that shows or exports payloads asks here, so that all agree; what could not be read adds up in one tally.
"""

from __future__ import annotations

from itertools import islice

import pyarrow as pa

from recorder.capture.manifest import Topic
from recorder.capture.reader import Capture
from recorder.payloads.choices import Choices
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.detect import SAMPLE, Detected, detect
from recorder.payloads.reasons import Side, Tally
from recorder.payloads.snapshot import book_of
from recorder.payloads.wire import Headers

SIDES: tuple[Side, ...] = ("key", "value")
_PARTITIONS = 8
"""So many partitions of a topic are looked into; each costs the read of a row group."""


class Formats:
    """The decoders of a capture's topics, each made when it is first asked for. Raises CaptureError on torn data."""

    def __init__(self, capture: Capture, choices: Choices | None = None) -> None:
        self.codecs = Codecs(book_of(capture))
        self.tally = Tally()
        self._capture = capture
        self._choices = choices or Choices()
        self._decoders: dict[tuple[str, Side], Decoder] = {}
        self._detected: dict[str, dict[Side, Detected]] = {}

    def decoder(self, topic: str, side: Side) -> Decoder:
        """Counts in `tally`."""
        made = self._decoders.get((topic, side))
        if made is None:
            choice = self._choices.of(topic, side) or self.detected(topic)[side].choice
            made = self._decoders[topic, side] = Decoder(self.codecs, topic, side, choice, self.tally)
        return made

    def detected(self, topic: str) -> dict[Side, Detected]:
        """What the keys and the values of a topic are, and how that shows."""
        found = self._detected.get(topic)
        if found is None:
            rows = _sample(self._capture, self._capture.manifest.topic(topic))
            headers = [_pairs(named) for named in rows.column("headers").to_pylist()]
            found = self._detected[topic] = {
                side: detect(
                    self.codecs, topic, side, rows.column(side).to_pylist(), headers, self._choices.of(topic, side)
                )
                for side in SIDES
            }
        return found


def _sample(capture: Capture, topic: Topic) -> pa.Table:
    """The first records of the topic's partitions, of all alike."""
    filled = [partition.partition for partition in topic.partitions if partition.records]
    chosen = filled[:: max(1, len(filled) // _PARTITIONS)][:_PARTITIONS]
    share = SAMPLE // max(1, len(chosen))
    columns = ["key", "value", "headers"]
    parts = []
    for partition in chosen:
        batches = capture.batches(topic.name, partition, columns=columns)
        parts += [batch.slice(0, share) for batch in islice(batches, 1)]
        batches.close()  # type: ignore[attr-defined]
    if parts:
        return pa.Table.from_batches(parts)
    return pa.table({name: pa.array([], pa.binary()) for name in columns})


def _pairs(named: list[dict[str, bytes | None]]) -> Headers:
    return tuple((str(header["key"]), header["value"]) for header in named)
