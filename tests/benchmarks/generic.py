"""The way that payloads are usually masked, to hold ours against: decode the whole, walk the tree, encode it again.

It asks the same rules by path and remembers their answers as ours does; so what differs is the way to the leaves.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import fastavro
import msgspec

from desensitizers.leaves import LeafRule
from desensitizers.pathrules import PathRules
from desensitizers.paths import EACH, Steps
from desensitizers.plan import TopicPlan

_FRAME = 5


class Generic:
    """The rules of a topic's values, asked leaf by leaf."""

    def __init__(self, topic: TopicPlan) -> None:
        assert topic.value is not None
        self._rules = PathRules(topic.value.leaves, None, "")
        self._found: dict[tuple[Steps, type], LeafRule] = {}
        self._known: dict[tuple[LeafRule, str], str] = {}

    def json(self, payload: bytes) -> bytes:
        return msgspec.json.encode(self.walk(msgspec.json.decode(payload), ()))

    def avro(self, schema: Any) -> Callable[[bytes], bytes]:
        parsed = fastavro.parse_schema(schema)

        def rewrite(payload: bytes) -> bytes:
            value = fastavro.schemaless_reader(io.BytesIO(payload[_FRAME:]), parsed, None)
            out = io.BytesIO()
            fastavro.schemaless_writer(out, parsed, self.walk(value, ()))
            return payload[:_FRAME] + out.getvalue()

        return rewrite

    def protobuf(self, kind: Any) -> Callable[[bytes], bytes]:
        """For messages whose indexes take a byte."""

        def rewrite(payload: bytes) -> bytes:
            message = kind.FromString(payload[_FRAME + 1 :])
            self._message(message, ())
            return payload[: _FRAME + 1] + message.SerializeToString()

        return rewrite

    def walk(self, value: Any, steps: Steps) -> Any:
        if isinstance(value, dict):
            return {name: self.walk(below, (*steps, name)) for name, below in value.items()}
        if isinstance(value, list):
            return [self.walk(below, (*steps, EACH)) for below in value]
        return self._leaf(value, steps)

    def _message(self, message: Any, steps: Steps) -> None:
        for field, value in message.ListFields():
            below = (*steps, field.name)
            if field.message_type is not None:
                self._message(value, below)
            else:
                setattr(message, field.name, self._leaf(value, below))

    def _leaf(self, value: Any, steps: Steps) -> Any:
        rule = self._found.get((steps, type(value)))
        if rule is None:
            kind = {str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")
            rule = self._rules.rule(self._rules.find(steps, kind), steps, kind)[1]
            self._found[steps, type(value)] = rule
        if rule.effect == "keep" or not isinstance(value, str):
            return value
        answer = self._known.get((rule, value))
        if answer is None:
            answer = self._known[rule, value] = rule.text(value)
        return answer
