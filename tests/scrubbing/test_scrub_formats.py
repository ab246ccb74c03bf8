from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recorder.capture.manifest import MANIFEST_NAME, encode
from recorder.capture.reader import Capture, open_capture
from recorder.errors import UsageError
from recorder.payloads.avro import AvroCodec
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.payloads.snapshot import write_schemas
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.desensitizers.schemas import frame
from tests.payloads.avro_schemas import write
from tests.scrubbing.helpers import bytes_below, policy

ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [{"name": "customer", "type": "long"}, {"name": "name", "type": "string"}],
}
SCHEMA = Schema("avro", json.dumps(ORDER), id=7, subjects=(SubjectVersion("orders-value", 1),))
POLICY = """
version: 1
secret: {env: BLACKBOX_KEY}
domains: {customer: {surrogate: digits}, name: {surrogate: name}}
topics:
  - match: orders
    key: {extract: "cust-(?P<id>\\\\d+)", id: {domain: customer}}
    value: {customer: {domain: customer}, name: {domain: name}}
"""


def capture(root: Path, *values: bytes, schemas: tuple[Schema, ...] = (SCHEMA,)) -> Capture:
    rows: list[Any] = [
        record("orders", 0, T0 + number, f"cust-{4711000 + number}", value) for number, value in enumerate(values)
    ]
    made = make_capture(root, rows)
    manifest = msgspec.structs.replace(made.manifest, schemas=write_schemas(root, schemas))
    (root / MANIFEST_NAME).write_bytes(encode(manifest))
    return open_capture(root)


def order(number: int) -> bytes:
    return frame(write(ORDER, {"customer": 4711000 + number, "name": f"Zoë Müller-{number}"}))


def test_a_topic_in_avro_is_scrubbed_under_its_own_schema(tmp_path: Path) -> None:
    raw = capture(tmp_path / "raw", *(order(number) for number in range(30)))
    scrub(raw, policy(tmp_path, POLICY), tmp_path / "clean")
    clean = open_capture(tmp_path / "clean")
    codec = AvroCodec(SCHEMA, {})
    for row in clean.records():
        assert row.value is not None and row.key is not None
        value = codec.decode(row.value[5:]).value
        assert isinstance(value, dict)
        assert row.key == f"cust-{value['customer']}".encode()
    for content in bytes_below(tmp_path / "clean").values():
        assert "Müller-".encode() not in content
    assert not any(check.status == "FAILED" for check in verify_clean(clean.root, parent=raw))


def test_a_rule_that_does_not_fit_a_schema_is_a_mistake_in_the_policy_before_any_record(tmp_path: Path) -> None:
    raw = capture(tmp_path / "raw", b"no frame at all")
    wrong = POLICY.replace("customer: {domain: customer}, name:", "customer: {rule: mask}, name:")
    with pytest.raises(UsageError, match="rule 'mask' does not fit customer, which is a long in orders-value v1"):
        scrub(raw, policy(tmp_path, wrong), tmp_path / "clean")


def test_a_record_whose_schema_is_not_in_the_capture_stops_the_copy(tmp_path: Path) -> None:
    raw = capture(tmp_path / "raw", order(1), frame(b"\x02a", 8))
    with pytest.raises(ScrubError, match="names schema id 8"):
        scrub(raw, policy(tmp_path, POLICY), tmp_path / "clean")
    assert not (tmp_path / "clean").exists()
