"""How fast payloads decode to columns, beside the plain library call: `python -m tests.benchmarks.decode`.

Prints a table: for each format records per second of one core (processor time) to typed columns and to JSON text, and
what the usual library takes to make one Python object a record (without columns), in the same run.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from typing import Any

import fastavro
import msgspec
import pyarrow as pa

from recorder.payloads.columns import decode, decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.protobuf_schema import message_class, with_descriptor
from recorder.payloads.schemas import Schema, SchemaBook

BATCH = 16_384
AVRO = {
    "type": "record",
    "name": "Payment",
    "fields": [
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "debtor", "type": "string"},
        {"name": "creditor", "type": "string"},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["OPEN", "DONE", "FAILED"]}},
        {"name": "note", "type": ["null", "string"]},
        {"name": "fee", "type": ["null", "double"]},
        {
            "name": "customer",
            "type": {
                "type": "record",
                "name": "Customer",
                "fields": [
                    {"name": "name", "type": "string"},
                    {"name": "email", "type": "string"},
                    {"name": "age", "type": "int"},
                    {"name": "vip", "type": "boolean"},
                ],
            },
        },
        {
            "name": "items",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Item",
                    "fields": [{"name": "sku", "type": "string"}, {"name": "count", "type": "int"}],
                },
            },
        },
        {"name": "labels", "type": {"type": "map", "values": "string"}},
        {"name": "text", "type": "string"},
        {"name": "balance", "type": "long"},
        {"name": "rate", "type": "double"},
    ],
}
PROTO = """
syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Payment {
  string id = 1; string debtor = 2; string creditor = 3; string amount = 4; google.protobuf.Timestamp at = 5;
  enum Status { OPEN = 0; DONE = 1; FAILED = 2; } Status status = 6; optional string note = 7; optional double fee = 8;
  message Customer { string name = 1; string email = 2; int32 age = 3; bool vip = 4; } Customer customer = 9;
  message Item { string sku = 1; int32 count = 2; } repeated Item items = 10; map<string, string> labels = 11;
  string text = 12; int64 balance = 13; double rate = 14;
}
"""


def payment(number: int) -> dict[str, Any]:
    """A payment as JSON has it; about 450 bytes."""
    return {
        "id": f"{number:08x}-5c61-4d2b-9a1e-{number * 7919:012x}",
        "debtor": f"ACC-{number % 1000:08}",
        "creditor": f"ACC-{number * 7 % 1000:08}",
        "amount": f"{number % 10_000}.{number % 100:02}",
        "at": 1_773_500_000_000 + number,
        "status": ("OPEN", "DONE", "FAILED")[number % 3],
        "note": None if number % 2 else "standing order of the customer",
        "fee": 0.25 if number % 3 else None,
        "customer": {"name": f"Anna Muster {number}", "email": f"a.muster{number}@example.com", "age": 42, "vip": True},
        "items": [{"sku": f"SKU-{at:05}", "count": at} for at in range(number % 5)],
        "labels": {"channel": "mobile", "country": "CH"},
        "text": "The payment was requested by the customer and will be booked as soon as possible.",
        "balance": number * 1_000_003,
        "rate": number / 7,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=65_536)
    count = parser.parse_args().records
    payments = [payment(number) for number in range(count)]
    print(f"{'':10}{'bytes':>8}{'columns/s':>14}{'JSON text/s':>14}{'library/s':>14}")
    for name, make in (("Avro", avro), ("Protobuf", protobuf), ("JSON", plain)):
        schema, bodies, library = make(payments)
        payloads = (
            bodies if schema is None else [b"\0\0\0\0\1" + (b"\0" if name == "Protobuf" else b"") + b for b in bodies]
        )
        batches = [pa.array(payloads[start : start + BATCH]) for start in range(0, count, BATCH)]
        decoder = Decoder(Codecs(SchemaBook([] if schema is None else [schema])), "payments", "value")
        list(decode(decoder, batches[0].slice(0, 10)))
        typed = rate(count, lambda: [list(decode(decoder, batch)) for batch in batches])  # noqa: B023
        text = rate(count, lambda: [decode_json(decoder, batch) for batch in batches])  # noqa: B023
        beside = rate(count, lambda: [library(body) for body in bodies])  # noqa: B023
        size = sum(map(len, bodies)) // count
        print(f"{name:10}{size:>8}{typed:>14,.0f}{text:>14,.0f}{beside:>14,.0f}")


def avro(payments: list[dict[str, Any]]) -> tuple[Schema, list[bytes], Callable[[bytes], Any]]:
    """Beside it: fastavro's schemaless_reader."""
    known = fastavro.parse_schema(json.loads(json.dumps(AVRO).replace('"logicalType"', '"was"')))
    bodies = []
    for item in payments:
        whole = int(item["amount"].replace(".", ""))
        amount = whole.to_bytes(whole.bit_length() // 8 + 1, "big")
        out = io.BytesIO()
        fastavro.schemaless_writer(out, known, {**item, "amount": amount})
        bodies.append(out.getvalue())
    return (
        Schema("avro", json.dumps(AVRO), id=1),
        bodies,
        lambda body: fastavro.schemaless_reader(io.BytesIO(body), known, None),
    )


def protobuf(payments: list[dict[str, Any]]) -> tuple[Schema, list[bytes], Callable[[bytes], Any]]:
    """Beside it: the library's parser (its objects read their fields only when asked)."""
    schema = with_descriptor(Schema("protobuf", PROTO, id=1), {})
    kind: Any = message_class(schema, {})
    bodies = []
    for item in payments:
        message = kind(**{name: value for name, value in item.items() if name != "at" and value is not None})
        message.at.FromMilliseconds(item["at"])
        bodies.append(message.SerializeToString())
    return schema, bodies, kind.FromString


def plain(payments: list[dict[str, Any]]) -> tuple[None, list[bytes], Callable[[bytes], Any]]:
    """Beside it: the standard library's json.loads."""
    return None, [msgspec.json.encode(item) for item in payments], json.loads


def rate(count: int, work: Callable[[], Any]) -> float:
    """Records per second of processor time."""
    start = time.process_time()
    work()
    return count / (time.process_time() - start)


if __name__ == "__main__":
    main()
