"""Framed payloads for the tests of this room: a capture's schemas, and values written under them."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any

from recorder.payloads.schemas import Schema
from recorder.scrubbing.schemas import CaptureSchemas
from tests.desensitizers.helpers import batch, policy
from tests.payloads.avro_schemas import write

ID = 7
MARKS = frozenset(b"\x1c\x1e\x1f")
"""Bytes in a key of a map that no path can speak of."""


def avro(schema: Any, *values: Any) -> tuple[Schema, list[bytes]]:
    """A schema under `ID`, and values framed with it."""
    return Schema("avro", json.dumps(schema), id=ID), [frame(write(schema, value)) for value in values]


def frame(body: bytes, number: int = ID) -> bytes:
    return b"\0" + struct.pack(">I", number) + body


def clean(topic: str, schema: Schema, payloads: Sequence[bytes], defaults: str = "") -> list[bytes]:
    """The payloads as values through a policy's topic; a problem raises AssertionError with its text."""
    plan = policy(topic, defaults).plan(schemas=CaptureSchemas([schema]))
    done = plan.for_topic("t").apply(batch(payloads))
    assert not done.problems, "; ".join(map(str, done.problems))
    assert done.batch is not None
    return list(done.batch.column("value").to_pylist())


def refused(topic: str, schema: Schema, payloads: Sequence[bytes], defaults: str = "") -> str:
    """What a policy says against the payloads."""
    done = policy(topic, defaults).plan(schemas=CaptureSchemas([schema])).for_topic("t").apply(batch(payloads))
    assert done.batch is None
    return "; ".join(map(str, done.problems))
