"""`blackbox cat` and `formats` show payloads decoded, and say of the others why they are not."""

from __future__ import annotations

import csv
import io
import json
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import Capture
from tests.builders import T0, record
from tests.cli.running import run
from tests.payloads.framed import FIRST, SECOND, capture_with, framed

BIG = 2**63 - 1
BROKEN = framed(FIRST, {"id": 1, "price": Decimal("1.00")})[:-1]
UNKNOWN = b"\0\0\0\0\x63abc"


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    second = {"id": "two", "placed": T0, "price": Decimal("1234567890.12"), "lines": [{"sku": "é"}]}
    rows = [
        record("orders", 0, T0, struct.pack(">q", 1), framed(FIRST, {"id": BIG, "price": Decimal("0.10")})),
        record("orders", 0, T0 + 1, struct.pack(">q", 2), framed(SECOND, second), [("h", b"\xff"), ("h", None)]),
        record("orders", 0, T0 + 2, struct.pack(">q", 3), BROKEN),
        record("orders", 0, T0 + 3, struct.pack(">q", 4), UNKNOWN),
        record("orders", 0, T0 + 4, struct.pack(">q", 5), None),
        record("notes", 0, T0 + 5, "", '{\n  "n": 1.10,\r\n  "n": 2}'),
        record("notes", 0, T0 + 6, b"\xfe", ""),
        record("notes", 0, T0 + 7, "k", '{"cut'),
        record("notes", 0, T0 * 1_000_000, "k", 'plain "text"\n'),
    ]
    return capture_with(tmp_path / "c", rows)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_payloads_are_their_values(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    ran = run(capsys, "cat", capture.root, "--format", "ndjson")
    rows = objects(ran.out)
    assert (ran.code, len(rows)) == (0, 9)
    orders = [row for row in rows if row["topic"] == "orders"]
    assert [row["key"] for row in orders] == [1, 2, 3, 4, 5]
    assert orders[0]["value"] == {"id": BIG, "price": "0.10"}
    assert orders[0]["value_schema"] == {"id": 7, "subject": "orders-value", "version": 1}
    assert orders[1]["value"]["lines"] == [{"sku": "é"}]
    assert orders[1]["value"]["placed"] == "2026-11-03T14:02:00.000Z"
    assert orders[1]["headers"] == [["h", {"base64": "/w=="}], ["h", None]]
    assert orders[4]["value"] is None
    assert "value_reason" not in orders[0] | orders[1] | orders[4]


def test_what_is_not_decoded_stands_there_with_its_reason(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    ran = run(capsys, "cat", capture.root, "--format", "ndjson")
    by_place = {(row["topic"], row["offset"]): row for row in objects(ran.out)}
    assert by_place["orders", 2]["value_reason"] == "truncated"
    assert by_place["orders", 3]["value_reason"] == "unknown schema id"
    assert by_place["orders", 3]["value"] == {"base64": "AAAAAGNhYmM="}
    assert (by_place["notes", 2]["value"], by_place["notes", 2]["value_reason"]) == ('{"cut', "malformed")
    assert by_place["notes", 1]["key"] == {"base64": "/g=="}
    assert (by_place["notes", 0]["key"], by_place["notes", 1]["value"]) == ("", "")
    assert ran.err.splitlines() == [
        "notes values: 1 duplicate json keys, 1 malformed",
        "orders values: 1 truncated, 1 unknown schema id",
    ]


def test_json_keeps_its_spelling_on_one_line(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    first, *_ = run(capsys, "cat", capture.root, "-t", "notes", "--format", "ndjson").out.splitlines()
    assert '"value":{   "n": 1.10,    "n": 2},' in first


def test_every_form_tells_the_same(
    capsys: pytest.CaptureFixture[str], capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = run(capsys, "cat", capture.root, "--format", "ndjson").out
    assert json.loads(run(capsys, "cat", capture.root, "--format", "json").out) == objects(lines)
    cells = list(csv.DictReader(io.StringIO(run(capsys, "cat", capture.root, "--format", "csv").out, newline="")))
    for cell, row in zip(cells, objects(lines), strict=True):
        value = row["value"]
        assert cell["value_reason"] == row.get("value_reason", "")
        if isinstance(value, dict):
            assert json.loads(cell["value"]) == value
        else:
            assert cell["value"] == (value or "")
    table = run(capsys, "cat", capture.root).out
    assert f'orders/0@0  1  {{"id":{BIG},"price":"0.10"}}' in table
    assert "orders/0@3  4  (unknown schema id) 0x0000000063616263" in table
    assert '(malformed) {"cut' in table


def test_nothing_is_decoded_that_is_not_shown(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    ran = run(capsys, "cat", capture.root, "-n", "2", "--format", "ndjson")
    assert (len(ran.out.splitlines()), ran.err) == (2, "")


def test_a_person_knows_better(capsys: pytest.CaptureFixture[str], capture: Capture, tmp_path: Path) -> None:
    (tmp_path / "order.avsc").write_text(FIRST.text)
    (tmp_path / "formats.yaml").write_text("topics: {'ord*': {key: hex, value: 'avro:order.avsc'}, notes: {key: text}}")
    said = ["--formats-file", str(tmp_path / "formats.yaml"), "--value-format", "notes=text"]
    rows = objects(run(capsys, "cat", capture.root, *said, "--format", "ndjson").out)
    by_place = {(row["topic"], row["offset"]): row for row in rows}
    assert by_place["orders", 0]["key"] == {"base64": "AAAAAAAAAAE="}
    assert by_place["notes", 0]["value"] == '{\n  "n": 1.10,\r\n  "n": 2}'
    assert (by_place["notes", 1]["key"], by_place["notes", 1]["key_reason"]) == ({"base64": "/g=="}, "invalid utf-8")
    ran = run(capsys, "cat", capture.root, "--value-format", "orders=avrow")
    assert (ran.code, "'avrow' is no format" in ran.sentence()) == (2, True)


def test_formats_and_their_evidence(capsys: pytest.CaptureFixture[str], capture: Capture) -> None:
    found = {
        (row["topic"], row["side"]): row
        for row in objects(run(capsys, "formats", capture.root, "--format", "ndjson").out)
    }
    assert found["orders", "key"]["format"] == "long"
    assert found["orders", "value"]["format"] == "avro"
    assert "3 of 4 name a known schema" in found["orders", "value"]["evidence"]
    ran = run(capsys, "formats", capture.root, "-t", "orders", "--value-format", "orders=json", "--format", "ndjson")
    assert objects(ran.out)[1]["evidence"].startswith("chosen; 0 of 4")


@pytest.mark.parametrize("verb", ["cat", "ls", "formats"])
def test_whoever_chooses_topics_may_leave_some_out(
    capsys: pytest.CaptureFixture[str], capture: Capture, verb: str
) -> None:
    ran = run(capsys, verb, capture.root, "-x", "no.*", "--format", "ndjson")
    assert (ran.code, {row["topic"] for row in objects(ran.out)}) == (0, {"orders"})
