"""A capture of payments, made by columns: what `tests.benchmarks.scrub` scrubs by the policy of the example system.

A record has a key of its own, six headers and a JSON value of about 700 bytes with ten leaves to be masked, and a
note; every second note quotes the payer's name and phone, and no two of those are alike. Customers repeat: each
record draws two of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.capture.ledger import Ledger
from recorder.capture.manifest import Topic
from recorder.capture.schema import HEADERS_TYPE, RECORD_SCHEMA
from recorder.capture.writer import PartitionWriter, finish
from tests.builders import T0, describe

TOPIC = "payments.incoming"
BATCH = 20_000
_HEADERS = (
    ("ce_id", b""),
    ("ce_specversion", b"1.0"),
    ("ce_source", b"/kpay/generator"),
    ("ce_type", b"kpay.payment.requested"),
    ("content-type", b"application/json"),
    ("release", b"2.3.1"),
)
_FILLER = (
    "The payment was requested by the customer's standing order and will be booked as soon as possible."
    " The text is printed on the next statement of account."
)
_SYLLABLES = [one + other for one in "bcdfghlmnrstw" for other in "aeiou"]


def make(root: Path, records: int, customers: int, partitions: int) -> None:
    """Writes the capture below `root`, with the project's own writer."""
    root.mkdir(parents=True)
    people = make_people(customers)
    described = []
    for number in range(partitions):
        writer = PartitionWriter(root, TOPIC, number)
        ledger = Ledger(0)
        for start in range(0, records // partitions, BATCH):
            count = min(BATCH, records // partitions - start)
            batch = make_batch(number, start, count, people)
            ledger.saw(batch.column("offset").to_numpy(), np.ones(count, np.bool_))
            writer.append(batch)
        writer.seal()
        described.append(writer.describe(ledger))
    topic = Topic(name=TOPIC, id=None, config={}, partitions=tuple(described))
    finish(root, describe((topic,), None, clean=False, notes=(), cluster_id="bench", at_ms=T0))


def make_people(customers: int) -> dict[str, pa.Array]:
    """Columns of texts, one row for each customer."""
    rng = np.random.default_rng(0)
    numbers = np.arange(customers)
    first, last = (_word(rng, customers) for _ in range(2))
    card = np.char.add("4539", np.char.zfill(numbers.astype(str), 11))
    return {
        "customer_id": _join("cus-", 10_000_000 + numbers),
        "account_id": _join("acc-", 50_000_000 + numbers * 7),
        "name": _join(first, " ", last),
        "email": _join(pc.utf8_lower(first), ".", pc.utf8_lower(last), numbers, "@mail.example.org"),
        "phone": _join("+49 30 ", 9_000_000 + numbers),
        "iban": _join("DE", *(pc.utf8_lpad(_texts(rng.integers(10**10, size=customers)), 10, "0") for _ in range(2))),
        "card": _join(pa.array(card), _luhn_digits(card)),
    }


def make_batch(partition: int, start: int, count: int, people: dict[str, pa.Array]) -> pa.RecordBatch:
    rng = np.random.default_rng((partition, start))
    offsets = np.arange(start, start + count)
    ids = _join(f"pay-bench-{partition}", pc.utf8_lpad(_texts(offsets), 9, "0"))
    payer, payee = (_people(people, rng, count) for _ in range(2))
    quote = _join(
        " Please call ", payer["name"], " at ", payer["phone"], " about order R-", rng.integers(10**6, size=count), "."
    )
    value = _join(
        '{"payment_id": "', ids, '", "status": "requested", "amount_cents": ', rng.integers(100, 10**7, size=count),
        ', "currency": "EUR", "requested_at": "2026-03-01T14:02:11.123Z", "customer": {"customer_id": "',
        payer["customer_id"], '", "name": "', payer["name"], '", "email": "', payer["email"], '", "phone": "',
        payer["phone"], '"}, "payer": {"account_id": "', payer["account_id"], '", "iban": "', payer["iban"],
        '"}, "payee": {"account_id": "', payee["account_id"], '", "iban": "', payee["iban"], '", "name": "',
        payee["name"], '"}, "card": "', payer["card"], f'", "note": "{_FILLER}',
        pc.if_else(pa.array(offsets % 2 == 1), quote, ""), '"}',
    )  # fmt: skip
    columns = {
        "topic": pa.repeat(TOPIC, count),
        "partition": pa.repeat(pa.scalar(partition, pa.int32()), count),
        "offset": pa.array(offsets),
        "timestamp_ms": pa.array(T0 + offsets),
        "timestamp_type": pa.repeat("create", count),
        "key": ids.cast(pa.binary()),
        "value": value.cast(pa.binary()),
        "headers": _headers(rng, count),
        "leader_epoch": pa.repeat(pa.scalar(0, pa.int32()), count),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in RECORD_SCHEMA.names], schema=RECORD_SCHEMA)


def _people(people: dict[str, pa.Array], rng: np.random.Generator, count: int) -> dict[str, pa.Array]:
    chosen = pa.array(rng.integers(len(people["name"]), size=count))
    return {name: column.take(chosen) for name, column in people.items()}


def _headers(rng: np.random.Generator, count: int) -> pa.Array:
    names, values = ([one[side] for one in _HEADERS] for side in (0, 1))
    every = rng.bytes(8 * count).hex().encode()
    ids = [every[start : start + 16] for start in range(0, len(every), 16)]
    order = np.tile(np.arange(len(_HEADERS)) + count - 1, (count, 1))
    order[:, 0] = np.arange(count)
    flat = pa.array([*ids, *values[1:]], pa.binary()).take(pa.array(order.ravel()))
    entries = pa.StructArray.from_arrays(
        [pa.array(names).take(pa.array(np.tile(np.arange(len(names)), count))), flat],
        fields=list(HEADERS_TYPE.value_type),
    )
    ends = np.arange(count + 1, dtype=np.int32) * len(_HEADERS)
    return pa.ListArray.from_arrays(pa.array(ends), entries, type=HEADERS_TYPE)


def _word(rng: np.random.Generator, count: int) -> pa.Array:
    """Two to four syllables and an s, which surrogates' words don't have: short names would be in them by chance."""
    table = pa.array([*_SYLLABLES, ""])
    parts = [rng.integers(len(_SYLLABLES), size=count) for _ in range(4)]
    for place in (2, 3):
        parts[place][rng.random(count) < 0.4] = len(_SYLLABLES)
    return pc.utf8_capitalize(_join(*(table.take(pa.array(part)) for part in parts), "s"))


def _luhn_digits(numbers: Any) -> Any:
    """The digit that makes each (ASCII digits, all of one length) pass the Luhn check."""
    digits = numbers.astype("S").view(np.uint8).reshape(len(numbers), -1).astype(np.int64) - ord("0")
    doubled = digits[:, ::-1][:, ::2] * 2
    total = (doubled - 9 * (doubled > 9)).sum(axis=1) + digits[:, ::-1][:, 1::2].sum(axis=1)
    return -total % 10


def _join(*parts: Any) -> pa.Array:
    """Texts, arrays of texts and arrays of numbers, row by row in one text."""
    columns = [part if isinstance(part, str | pa.Array) else _texts(part) for part in parts]
    return pc.binary_join_element_wise(*(pa.scalar(one) if isinstance(one, str) else one for one in columns), "")


def _texts(numbers: Any) -> pa.Array:
    return pa.array(numbers).cast(pa.string())
