"""How the payloads of a capture are read: what a person chose, else what a sample of each topic shows.

Everything that shows or exports payloads asks here, so that all agree; what could not be read adds up in one tally.
"""

from __future__ import annotations

from collections.abc import Iterable

from recorder.capture.reader import Capture
from recorder.payloads.choices import Choices
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.detect import Detected, detect
from recorder.payloads.reasons import Side, Tally
from recorder.payloads.samples import sample_of
from recorder.payloads.schemas import Schema, SchemaBook
from recorder.payloads.snapshot import book_of

SIDES: tuple[Side, ...] = ("key", "value")


class Formats:
    """The decoders of a capture's topics, each made when it is first asked for.

    CaptureError for a topic of which nothing can be read. Of records alone, without a capture to take samples of, each
    payload is read by the schema that it names among `schemas`, else as the JSON or text that it is.
    """

    def __init__(self, capture: Capture | None, choices: Choices | None = None, schemas: Iterable[Schema] = ()) -> None:
        self.codecs = Codecs(SchemaBook(schemas) if capture is None else book_of(capture))
        self.tally = Tally()
        self._capture = capture
        self._choices = choices or Choices()
        self._decoders: dict[tuple[str, Side], Decoder] = {}
        self._detected: dict[str, dict[Side, Detected]] = {}

    def decoder(self, topic: str, side: Side) -> Decoder:
        """Counts in `tally`."""
        made = self._decoders.get((topic, side))
        if made is None:
            choice = self._choices.of(topic, side)
            if choice is None and self._capture is not None:
                choice = self.detected(topic)[side].choice
            made = self._decoders[topic, side] = Decoder(self.codecs, topic, side, choice, self.tally)
        return made

    def detected(self, topic: str) -> dict[Side, Detected]:
        """What the keys and the values of a topic are, and how that shows."""
        found = self._detected.get(topic)
        if found is None:
            assert self._capture is not None  # records alone are no sample
            sample = sample_of(self._capture, self._capture.manifest.topic(topic))
            if sample.torn and not sample.headers:
                raise sample.torn[0]
            found = self._detected[topic] = {
                side: detect(self.codecs, topic, side, payloads, sample.headers, self._choices.of(topic, side))
                for side, payloads in zip(SIDES, (sample.keys, sample.values), strict=True)
            }
        return found
