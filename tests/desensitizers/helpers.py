"""Policies and batches in a few lines, for the tests of this room."""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import dedent, indent
from typing import Any

import pyarrow as pa

from desensitizers.policy import Policy

SECRET = {"K": "a secret of at least thirty-two bytes"}
HEADERS = pa.list_(
    pa.field(
        "element",
        pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.binary())]),
        nullable=False,
    )
)
DOMAINS = """
domains:
  id: {surrogate: digits}
  name: {surrogate: name}
  email: {surrogate: email}
  phone: {surrogate: phone, country: "49"}
  card: {surrogate: card}
  iban: {surrogate: iban}
"""


def policy(topic: str, defaults: str = "", secret: dict[str, str] = SECRET) -> Policy:
    """A policy for every topic; `topic` is the YAML of its one entry, `defaults` that of the defaults."""
    head = f"version: 1\nsecret: {{env: K}}\n{DOMAINS}"
    if defaults:
        head += f"defaults: {{{defaults}}}\n"
    body = indent(dedent(topic).strip("\n"), "    ")
    return Policy.parse(f'{head}topics:\n  - match: "*"\n{body}\n', file="test.yaml", env=secret)


def batch(
    values: Sequence[bytes | None] = (),
    keys: Sequence[bytes | None] | None = None,
    headers: Sequence[Sequence[tuple[str, bytes | None]]] | None = None,
) -> pa.RecordBatch:
    """A batch of partition 0 with offsets from 0; lists that are left out hold nothing."""
    count = max(len(values), len(keys or ()), len(headers or ()))
    rows = [[{"key": name, "value": value} for name, value in row] for row in headers or [[]] * count]
    return pa.record_batch(
        {
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(count), pa.int64()),
            "key": pa.array(keys or [None] * count, pa.binary()),
            "value": pa.array(values or [None] * count, pa.binary()),
            "headers": pa.array(rows, HEADERS),
        }
    )


def scrub(topic: str, *values: Any, defaults: str = "") -> list[Any]:
    """Values through a policy's `value` rules, as JSON in and out; a problem raises AssertionError with its text."""
    rows = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    done = policy(topic, defaults).plan().for_topic("t").apply(batch(rows))
    assert not done.problems, "; ".join(map(str, done.problems))
    return [json.loads(row) for row in done.batch.column("value").to_pylist()]


def problems(topic: str, given: pa.RecordBatch, defaults: str = "") -> str:
    """What a policy says against a batch."""
    done = policy(topic, defaults).plan().for_topic("t").apply(given)
    assert done.batch is None
    return "; ".join(map(str, done.problems))
