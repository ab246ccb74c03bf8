"""How fast payloads of each format are rewritten: `python -m tests.benchmarks.formats --records 20000`.

The same records of about 700 bytes as JSON, Avro and Protobuf, ten leaves masked, answers remembered; prints records
per second of one core (processor time) and the bytes of a record.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Any

from recorder.payloads.protobuf_schema import message_class, with_descriptor
from recorder.payloads.schemas import Schema
from recorder.scrubbing.schemas import CaptureSchemas
from tests.benchmarks import presidio
from tests.desensitizers.helpers import batch, policy
from tests.desensitizers.schemas import ID, avro, frame

OUTER = ("id", "name", "email", "phone", "street", "city")
INNER = ("iban", "note", "comment", "ref")
RULES = "value: {'{id,name,email,phone,street,city}': hash, 'customer.*': hash, '**': keep}"
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
    print(f"{'format':10} {'bytes':>6} {'records/s':>10}")
    for name, schema, payloads in (
        ("json", avro_schema, [json.dumps(one).encode() for one in rows]),
        ("avro", avro_schema, avro_rows),
        ("protobuf", protobuf_schema, protobuf_rows),
    ):
        print(f"{name:10} {len(payloads[0]):6} {measure(schema, payloads):10,.0f}")
    beside = [json.dumps(one).encode() for one in rows[:100]]
    print(f"{'presidio':10} {len(beside[0]):6} {presidio.speed(beside)}   (what it finds: tests.benchmarks.presidio)")


def row(number: int, distinct: int) -> dict[str, Any]:
    rng = random.Random(number)
    texts = {name: f"{name}-{rng.randrange(distinct)}-{'x' * 24}" for name in (*OUTER, *INNER)}
    customer = {name: texts.pop(name) for name in INNER}
    others = {"amount": number, "at": 1_700_000_000_000 + number, "text": "y" * 250, "fee": 1.5, "vip": True}
    return {**texts, "customer": customer, **others}


def measure(schema: Schema, payloads: list[bytes]) -> float:
    """Records per processor second, the best of three after a warm-up."""
    topic = policy(RULES).plan(schemas=CaptureSchemas([schema])).for_topic("t")
    given = batch(payloads)
    done = topic.apply(given)
    assert not done.problems, done.problems
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        topic.apply(given)
        best = min(best, time.process_time() - started)
    return len(payloads) / best


if __name__ == "__main__":
    main()
