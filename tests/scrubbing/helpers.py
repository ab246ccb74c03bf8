"""Captures with people in them, and policies that remove them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from desensitizers.policy import Policy
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import Record
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import Scrubbed, scrub
from tests.builders import T0, make_capture, record

SECRET = {"BLACKBOX_KEY": "a secret of at least thirty-two bytes"}
POLICY = """
version: 1
secret: {env: BLACKBOX_KEY}
domains:
  customer: {surrogate: digits}
  name: {surrogate: name}
  email: {surrogate: email}
topics:
  - match: orders
    key: {extract: "cust-(?P<id>\\\\d+)", id: {domain: customer}}
    headers: {user: {domain: customer}, trace: keep, "*": drop}
    value:
      "{order,amount}": keep
      customer.id: {domain: customer}
      customer.name: {domain: name}
      customer.email: {domain: email}
      note: {rule: scan, detectors: [email, learned]}
  - match: mails
    key: keep
    value:
      to: {domain: email}
      text: {rule: scan, detectors: [email, learned]}
"""

DEFAULTS = (
    "defaults: {unknown_field: quarantine, undecodable: quarantine, unknown_schema: quarantine, "
    "plugin_error: quarantine}\n"
)
WITHHOLDING = POLICY.replace("topics:", DEFAULTS + "topics:")
"""The same, and what it can't answer for goes to quarantine."""
HIDDEN = "Hidden Person"
"""Stands in records that are withheld, and nowhere else."""


def people(count: int) -> Iterable[tuple[int, str, str]]:
    """(id, name, e-mail) of made-up customers."""
    return [(10_000_000 + n * 37, f"Zoë Müller-{'abcdefghij'[n % 10]}{n}", f"zoe.{n}@firma.de") for n in range(count)]


def orders(count: int = 120, customers: int = 12) -> list[Record]:
    """Records of two topics that quote each other's people."""
    known = list(people(customers))
    rows = []
    for number in range(count):
        ident, name, mail = known[number % customers]
        other = known[(number + 5) % customers]
        value = {
            "order": number,
            "amount": 12.50,
            "customer": {"id": ident, "name": name, "email": mail},
            "note": f"please ask {other[1].upper()} <{other[2]}>" if number % 3 else None,
        }
        headers = [("user", str(ident)), ("trace", f"{number:08x}"), ("secret", "gone"), ("trace", None)]
        rows.append(record("orders", number % 3, T0 + number, f"cust-{ident}", value, headers))
        if number % 4 == 0:
            mail_value = {"to": mail.upper(), "text": f"Dear {name}, about {other[1]}"}
            rows.append(record("mails", 0, T0 + number, f"mail-{number}", mail_value))
    rows.append(record("orders", 0, T0 + count, f"cust-{known[0][0]}", None))
    return rows


def some_odd(count: int = 60) -> list[Record]:
    """Orders of which every tenth can't be answered for, in all partitions."""
    odd = []
    for number, row in enumerate(orders(count)):
        if row.topic == "orders" and number % 10 == 3 and row.value:
            value: Any = b"{cut " + HIDDEN.encode() if number % 20 == 3 else {"nickname": HIDDEN, "order": number}
            row = record("orders", row.partition, row.timestamp_ms, row.key, value, row.headers)
        odd.append(row)
    return odd


def policy(tmp_path: Path, text: str = POLICY, secret: dict[str, str] = SECRET) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return load_policy(path, secret)


def clean_copy(tmp_path: Path, records: list[Record], text: str = POLICY, **options: Any) -> tuple[Capture, Scrubbed]:
    """A capture of the records, and its clean copy at `tmp_path / "clean"`."""
    raw = make_capture(tmp_path / "raw", records, **options)
    return raw, scrub(raw, policy(tmp_path, text), tmp_path / "clean")


def values(capture: Capture | Path, topic: str) -> list[Any]:
    """The JSON values of a topic, partition by partition."""
    if isinstance(capture, Path):
        capture = open_capture(capture)
    rows = []
    for partition in capture.manifest.topic(topic).partitions:
        for batch in capture.batches(topic, partition.partition):
            rows += [None if row is None else json.loads(row) for row in batch.column("value").to_pylist()]
    return rows


def bytes_below(directory: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }
