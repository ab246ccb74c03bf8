"""What conditions see of payloads: each batch decoded at most once, whatever the format, and only what is asked for.

JSON goes to the database as it is written, many times faster than through columns; the decoders get what is none.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.payloads.choices import Choices
from recorder.payloads.formats import SIDES
from recorder.payloads.reasons import Reason, Side
from recorder.payloads.registry import Registry
from recorder.payloads.rows import combined
from recorder.payloads.used import in_headers
from recorder.query.condition import Condition
from recorder.query.decoding import Decoded, SidePlan, TopicDecoder, TopicPlan, decoder_of
from recorder.query.looking import unplanned
from recorder.watching.figures import Figures
from recorder.watching.schemas import Schemas

_JSON_STARTS = (b"{", b"[")


def condition(expression: str) -> Condition:
    """A condition on records that arrive; give `holds` the decoder of their batch. Raises UsageError."""
    return Condition(expression, decoder_of(unplanned(""), ()))


class Payloads:
    """Decodes what arrives; counts and names what it can't."""

    def __init__(
        self,
        registry: Registry | None,
        figures: Figures,
        tell: Callable[[str], None],
        choices: Choices | None = None,
    ) -> None:
        self._choices = choices or Choices()
        self.schemas = Schemas(registry, figures, tell)
        self._advice = "" if registry else " (schemas come from kafka: {schema_registry: URL})"
        self._figures, self._tell = figures, tell
        self._told: set[tuple[str, Side, str]] = set()

    def of(self, batch: pa.RecordBatch) -> TopicDecoder:
        """The decoder of this batch (RECORD_SCHEMA, of one topic) alone."""
        return _Arrived(self, batch)

    def plan(self, topic: str) -> TopicPlan:
        """As was said of the topic; else each payload is what it is by itself."""
        key, value = (SidePlan(side, self._choices.of(topic, side)) for side in SIDES)
        return TopicPlan(topic, key, value)

    def count(self, topic: str, side: Side, found: Decoded) -> None:
        """Count what could not be decoded; say each reason once."""
        reasons = found.reasons.filter(pc.is_null(found.json)).drop_null()
        self._figures.count("undecoded_payloads", by=len(reasons))
        for reason in reasons.unique().to_pylist():
            if (topic, side, reason) not in self._told:
                self._told.add((topic, side, reason))
                advice = self._advice if reason == Reason.UNKNOWN_SCHEMA_ID else ""
                self._tell(f"warning: conditions can't see into some {side}s of {topic}: {reason}{advice}")


class _Arrived(TopicDecoder):
    """Of one batch, whatever `side` is asked with."""

    def __init__(self, payloads: Payloads, batch: pa.RecordBatch) -> None:
        super().__init__(payloads.plan(batch.column("topic")[0].as_py()), payloads.schemas.codecs)
        self._payloads = payloads
        self._seen: dict[Side, Decoded] = {}

    def side(self, side: Side, payloads: pa.Array | pa.ChunkedArray, headers: pa.Array | pa.ChunkedArray) -> Decoded:
        if side not in self._seen:
            self._seen[side] = self._look(side, combined(payloads), combined(headers))
        return self._seen[side]

    def _look(self, side: Side, payloads: pa.Array, headers: pa.Array) -> Decoded:
        choice = (self.plan.key if side == "key" else self.plan.value).choice
        itself = choice is None or choice.format == "json"
        json = _json_by_itself(side, payloads, headers) if itself else pa.nulls(len(payloads), pa.string())
        others = pc.and_(pc.is_null(json), pc.greater(pc.binary_length(payloads).fill_null(0), 0))
        rows = np.flatnonzero(others.to_numpy(zero_copy_only=False))
        if not len(rows):
            nothing = (pa.nulls(len(json), kind) for kind in (pa.string(), pa.int64(), self.plan.value.struct))
            return Decoded(json, *nothing)
        payloads, headers, topic = payloads.take(pa.array(rows)), headers.take(pa.array(rows)), self.plan.topic
        self._payloads.schemas.learn(topic, side, payloads, headers)
        self._codecs = self._payloads.schemas.codecs
        found = super().side(side, payloads, headers)
        self._payloads.count(topic, side, found)
        places = np.full(len(json), -1)
        places[rows] = np.arange(len(rows))
        back = pa.array(places, mask=places < 0)
        rest = Decoded(*(part.take(back) for part in found))
        return rest._replace(json=pc.coalesce(json, rest.json))


def _json_by_itself(side: Side, payloads: pa.Array, headers: pa.Array) -> pa.Array:
    """Text of those that are JSON objects or arrays, written with no schema; null for others."""
    framed = {int(row) for _key, rows in in_headers(headers).get(side, ()) for row in rows}
    found = [None if row in framed else _text(payload) for row, payload in enumerate(payloads.to_pylist())]
    return pa.array(found, pa.string())


def _text(payload: bytes | None) -> str | None:
    if payload is None or not payload.startswith(_JSON_STARTS):
        return None
    try:
        msgspec.json.decode(payload)
        return payload.decode()
    except (ValueError, RecursionError):  # decoding says what is wrong with it
        return None
