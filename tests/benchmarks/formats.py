"""How fast payloads of each format are rewritten: `python -m tests.benchmarks.formats --records 20000`.

The same records of about 700 bytes as JSON, Avro and Protobuf, ten leaves masked, answers remembered, in batches as
a scrub reads them; prints the bytes of a record, records per second of one core (processor time), and beside it what a
generic walk over the decoded record does in the same run.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from desensitizers.plan import TopicPlan
from recorder.payloads.protobuf_schema import message_class, with_descriptor
from recorder.payloads.schemas import Schema
from recorder.scrubbing.schemas import CaptureSchemas
from tests.benchmarks import presidio
from tests.benchmarks.generic import Generic
from tests.desensitizers.helpers import batch, policy
from tests.desensitizers.schemas import ID, avro, frame

Rewrite = Callable[[bytes], bytes]
BATCH = 4_000
ROUNDS = 5
OUTER = ("id", "name", "email", "phone", "street", "city")
INNER = ("iban", "note", "comment", "ref")
RULES = "value: {'{id,name,email,phone,street,city}': hash, 'customer.*': hash, '**': keep, '**.@key': keep}"
AVRO = {
    "type": "record",
    "name": "R",
    "fields": [
        *({"name": name, "type": "string"} for name in OUTER),
        {
            "name": "customer",
            "type": {
                "type": "record",
                "name": "C",
                "fields": [{"name": name, "type": ["null", "string"]} for name in INNER],
            },
        },
        {"name": "amount", "type": "long"},
        {"name": "at", "type": "long"},
        {"name": "text", "type": "string"},
        {"name": "fee", "type": "double"},
        {"name": "vip", "type": "boolean"},
    ],
}
PROTO = (
    'syntax = "proto3"; message R { '
    + " ".join(f"string {name} = {number};" for number, name in enumerate(OUTER, 1))
    + " C customer = 7; int64 amount = 8; int64 at = 9; string text = 10; double fee = 11; bool vip = 12; message C { "
    + " ".join(f"string {name} = {number};" for number, name in enumerate(INNER, 1))
    + " } }"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--distinct", type=int, default=5_000)
    arguments = parser.parse_args()
    rows = [row(number, arguments.distinct) for number in range(arguments.records)]
    avro_schema, avro_rows = avro(AVRO, *rows)
    protobuf_schema = with_descriptor(Schema("protobuf", PROTO, id=ID), {})
    kind: Any = message_class(protobuf_schema, {})
    protobuf_rows = [frame(b"\0" + kind(**one).SerializeToString()) for one in rows]
    print(f"{'format':10} {'bytes':>6} {'records/s':>10} {'generic walk':>12} {'times':>6}")
    for name, schema, payloads, way in (
        ("json", avro_schema, [json.dumps(one).encode() for one in rows], lambda walk: walk.json),
        ("avro", avro_schema, avro_rows, lambda walk: walk.avro(AVRO)),
        ("protobuf", protobuf_schema, protobuf_rows, lambda walk: walk.protobuf(kind)),
    ):
        ours, generic = measure(schema, payloads, way)
        print(f"{name:10} {len(payloads[0]):6} {ours:10,.0f} {generic:12,.0f} {ours / generic:6.1f}")
    beside = [json.dumps(one).encode() for one in rows[:100]]
    print(f"{'presidio':10} {len(beside[0]):6} {presidio.speed(beside)}   (what it finds: tests.benchmarks.presidio)")


def row(number: int, distinct: int) -> dict[str, Any]:
    rng = random.Random(number)
    texts = {name: f"{name}-{rng.randrange(distinct)}-{'x' * 24}" for name in (*OUTER, *INNER)}
    customer = {name: texts.pop(name) for name in INNER}
    others = {"amount": number, "at": 1_700_000_000_000 + number, "text": "y" * 250, "fee": 1.5, "vip": True}
    return {**texts, "customer": customer, **others}


def measure(schema: Schema, payloads: list[bytes], way: Callable[[Generic], Rewrite]) -> tuple[float, float]:
    """Records per processor second by columns and by a generic walk in turn, the best of each after a warm-up."""
    topic = policy(RULES).plan(schemas=CaptureSchemas([schema])).for_topic("t")
    batches = [batch(payloads[start : start + BATCH]) for start in range(0, len(payloads), BATCH)]
    rewrite = way(Generic(topic))
    same(topic, batches[0], rewrite)

    def ours() -> None:
        for one in batches:
            done = topic.apply(one)
            assert not done.problems, done.problems

    def generic() -> None:
        for one in batches:
            pa.array([rewrite(payload) for payload in one.column("value").to_pylist()], pa.binary())

    best = {ours: float("inf"), generic: float("inf")}
    for _ in range(ROUNDS):
        for function in best:
            started = time.process_time()
            function()
            best[function] = min(best[function], time.process_time() - started)
    return len(payloads) / best[ours], len(payloads) / best[generic]


def same(topic: TopicPlan, given: pa.RecordBatch, rewrite: Rewrite) -> None:
    """Both ways give the same values (JSON may be spaced differently)."""
    done = topic.apply(given).batch
    assert done is not None
    for before, after in zip(given.column("value").to_pylist(), done.column("value").to_pylist(), strict=True):
        other = rewrite(before)
        assert after == other or json.loads(after) == json.loads(other)


if __name__ == "__main__":
    main()
