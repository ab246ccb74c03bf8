"""Conditions that look into a capture's payloads, whatever their format, as a query over it does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.reader import Capture
from recorder.payloads.choices import Choices
from recorder.payloads.formats import SIDES, Formats
from recorder.payloads.snapshot import read_schemas
from recorder.query.condition import Condition
from recorder.query.decoding import SidePlan, TopicDecoder, TopicPlan, decoder_of


class TopicPlans:
    """How each topic of a capture is decoded: as was said, or as a sample shows, when somebody first asks.

    CaptureError for schemas that are missing or altered, and for a topic of which nothing can be read.
    """

    def __init__(self, capture: Capture, choices: Choices | None = None) -> None:
        self._formats = Formats(capture, choices)
        self.schemas = read_schemas(capture.root, capture.manifest)
        self._made: dict[str, TopicPlan] = {}
        self._decoders: dict[str, TopicDecoder] = {}

    def plan(self, topic: str) -> TopicPlan:
        if topic not in self._made:
            found = self._formats.detected(topic)
            key, value = (SidePlan(side, found[side].choice, found[side].format) for side in SIDES)
            self._made[topic] = TopicPlan(topic, key, value)
        return self._made[topic]

    def decoder(self, topic: str) -> TopicDecoder:
        """For one thread at a time: topics share what they decode with."""
        if topic not in self._decoders:
            self._decoders[topic] = TopicDecoder(self.plan(topic), self._formats.codecs)
        return self._decoders[topic]


class LookingCondition:
    """A condition on records of any captures, for one thread at a time. Raises UsageError, as `Condition` does."""

    def __init__(self, expression: str, choices: Choices | None = None) -> None:
        self.expression = expression
        self._choices = choices or Choices()
        self._condition = Condition(expression, decoder_of(unplanned(""), ()))
        self._plans: dict[str, TopicPlans] = {}

    @property
    def binding(self) -> str:
        """What makes another condition of it: its words, and how payloads are to be read."""
        return repr((self.expression, self._choices))

    def holds(self, batch: pa.RecordBatch, capture: Capture, topic: str) -> npt.NDArray[np.bool_]:
        """For each record of a batch (RECORD_SCHEMA) of a topic of the capture: does the expression hold?

        Raises CaptureError, as `TopicPlans` does.
        """
        if not self._condition.decodes:
            return self._condition.holds(batch)
        root = str(capture.root)
        if root not in self._plans:
            self._plans[root] = TopicPlans(capture, self._choices)
        return self._condition.holds(batch, self._plans[root].decoder(topic))


def unplanned(topic: str) -> TopicPlan:
    """Each payload as what it is by itself."""
    return TopicPlan(topic, SidePlan("key"), SidePlan("value"))
