"""A cut looks into payloads as a query does, whatever their format."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.editing.cut import cut
from recorder.editing.cut_partition import Wanted
from recorder.editing.sample import Sample
from recorder.payloads.choices import Choice, Choices
from tests.builders import T0, record
from tests.cli.running import run
from tests.payloads.avro_schemas import schema_of, write
from tests.payloads.framed import FIRST, SECOND, capture_with, framed

KIND = {"type": "record", "name": "K", "fields": [{"name": "type", "type": "string"}, {"name": "n", "type": "int"}]}
KINDS = schema_of(KIND, 11)


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """Orders in two versions, one of them broken, events whose type only their schema tells, and plain JSON."""
    rows = [record("orders", n % 2, T0 + n, f"k{n}", framed(FIRST, {"id": n, "price": Decimal(n)})) for n in range(8)]
    newer = {"id": 8, "placed": T0, "price": Decimal("9.50"), "lines": []}
    rows.append(record("orders", 0, T0 + 8, "k8", framed(SECOND, newer)))
    rows.append(record("orders", 0, T0 + 9, "k9", framed(FIRST, {"id": 9, "price": Decimal(9)})[:-1]))
    rows += [
        record(
            "events", 0, T0 + n, (n).to_bytes(8, "big"), b"\0\0\0\0\x0b" + write(KIND, {"type": f"t{n % 3}", "n": n})
        )
        for n in range(60)
    ]
    rows.append(record("plain", 0, T0, "k", {"id": 7}))
    return capture_with(tmp_path / "c", rows, [FIRST, SECOND, KINDS])


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("value_json->>'$.price' = '3.00'", ["k3"]),
        ("try_cast(value_json->>'$.id' as int) >= 7 and topic = 'orders'", ["k7"]),
        ("coalesce(value_json->>'$.id.long', value_json->>'$.id') = '8'", ["k8"]),
        ("value_reason = 'truncated'", ["k9"]),
        ("key_json->>'$' = 'k5'", ["k5"]),
        ("value_json->>'$.id' = '7'", ["k", "k7"]),
    ],
)
def test_a_condition_sees_what_a_query_sees(capture: Capture, where: str, kept: list[str], tmp_path: Path) -> None:
    cut(capture, tmp_path / "cut", Wanted(Selection(), where))
    found = sorted(one.key.decode() for one in open_capture(tmp_path / "cut").records() if one.key)
    assert found == kept
    asked = capture.sql(f"SELECT key FROM records WHERE {where} ORDER BY key").to_pylist()
    assert [row["key"] for row in asked] == kept


def test_a_sample_finds_types_in_decoded_values(capture: Capture, tmp_path: Path) -> None:
    done = cut(capture, tmp_path / "cut", Wanted(Selection(topics=("events",)), None, Sample(0.0001, rare=2)))
    assert {(one.type, one.records) for one in done.types} == {("t0", 20), ("t1", 20), ("t2", 20)}
    assert all(one.kept >= 2 for one in done.types)


def test_a_choice_says_how_to_read_what_does_not_show(capture: Capture, tmp_path: Path) -> None:
    choices = Choices(keys=(("events", Choice("long")),))
    wanted = Wanted(Selection(topics=("events",)), "(key_json->>'$')::bigint = 17", None, choices)
    cut(capture, tmp_path / "cut", wanted)
    assert [one.key for one in open_capture(tmp_path / "cut").records()] == [(17).to_bytes(8, "big")]


def test_on_the_command_line_and_in_several_processes(capture: Capture, capsys: pytest.CaptureFixture[str]) -> None:
    where = "(value_json->>'$.price')::decimal(9,2) between 2 and 4"
    out = capture.root.parent / "cut"
    ran = run(capsys, "cut", capture.root, "-o", out, "--where", where, "--value-format", "plain=json", "-j", "2")
    assert ran.code == 0, ran.err
    assert {one.key for one in open_capture(out).records()} == {b"k2", b"k3", b"k4"}
