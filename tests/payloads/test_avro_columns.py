"""Avro columns: what lockstep reads is what one body after the other gives, typed and as JSON, broken ones too."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.payloads import avro_columns
from recorder.payloads.avro import AvroCodec
from recorder.payloads.columns import decode_json
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.reasons import PayloadError
from recorder.payloads.schemas import SchemaBook
from tests.conftest import examples
from tests.payloads.avro_schemas import schema_of, schemas, write


@pytest.fixture(params=[1, 1000], ids=["lockstep", "rows"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Below this many the row reader takes over."""
    monkeypatch.setattr(avro_columns, "FEW", request.param)
    return int(request.param)


def same_as_rows(schema: Any, bodies: list[bytes | None]) -> None:
    """Columns and JSON of framed bodies equal what trees say; the same bodies fail."""
    known = schema_of(schema, 1)
    payloads = [None if body is None else b"\0\0\0\0\1" + body for body in bodies]
    decoder = Decoder(Codecs(SchemaBook([known])), "t", "value")
    found = decode_json(decoder, pa.array(payloads, pa.binary()))
    for payload, text in zip(payloads, found.json.to_pylist(), strict=True):
        decoded = decoder.decode(payload)
        assert (text is None) == (not decoded.readable), (payload, decoded)
        if text is not None:
            assert json.loads(text) == json.loads(decoded.json)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))
@given(data=st.data(), pair=schemas())
def test_columns_equal_rows(few: int, data: st.DataObject, pair: Any) -> None:
    schema, values = pair
    same_as_rows(schema, [write(schema, value) for value in data.draw(st.lists(values, min_size=1, max_size=5))])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))
@given(data=st.data(), pair=schemas())
def test_what_is_broken_in_a_row_is_broken_in_a_column(few: int, data: st.DataObject, pair: Any) -> None:
    schema, values = pair
    good = write(schema, data.draw(values))
    cut = good[: data.draw(st.integers(0, len(good)))]
    noise = data.draw(st.lists(st.none() | st.binary(max_size=30), max_size=4))
    same_as_rows(schema, [good, cut, *noise, good + b"\0", good])


def test_many_records_with_arrays_maps_and_recursion() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "Id", "type": "long"},
            {"name": "id", "type": ["null", "string"]},
            {"name": "items", "type": {"type": "array", "items": {"type": "map", "values": "int"}}},
            {"name": "next", "type": ["null", "R"]},
        ],
    }
    generator = np.random.default_rng(7)

    def value(number: int, depth: int = 2) -> dict[str, Any]:
        items = [{f"k{at}": at for at in range(generator.integers(0, 4))} for _ in range(generator.integers(0, 40))]
        below = value(number, depth - 1) if depth and number % 3 == 0 else None
        return {"Id": number, "id": None if number % 2 else "é\n", "items": items, "next": below}

    bodies: list[bytes | None] = [write(schema, value(number)) for number in range(200)]
    same_as_rows(schema, [*bodies, None, b"", b"\xff"])


def test_blocks_with_sizes_several_blocks_and_double_keys() -> None:
    numbers = {"type": "array", "items": "int"}
    same_as_rows(numbers, [b"\x03\x04\x02\x04\x02\x06\x00", b"\x02\x02\x02\x04\x02\x06\x00"] * 20)
    same_as_rows({"type": "map", "values": "int"}, [b"\x04\x02a\x02\x02a\x04\x00", b"\x00"] * 20)


def test_a_claim_of_endless_items_ends_at_once() -> None:
    endless = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    for items in ("null", "int"):
        codec = AvroCodec(schema_of({"type": "array", "items": items}), {})
        values, reasons = codec.column(pa.array([endless, b"\0"] * 20))
        assert values.to_pylist() == [None, []] * 20
        assert reasons.null_count == 20
        with pytest.raises(PayloadError):
            codec.decode(endless)


def test_ten_megabytes_in_one_value() -> None:
    codec = AvroCodec(schema_of({"type": "array", "items": "bytes"}), {})
    body = write({"type": "array", "items": "bytes"}, [b"x" * 10_000_000, b"y"])
    values, reasons = codec.column(pa.array([body] + [b"\0"] * 20))
    assert [len(item) for item in values[0].as_py()] == [10_000_000, 1]
    assert reasons.null_count == 21


def test_slices_of_columns_are_read_as_such() -> None:
    codec = AvroCodec(schema_of("string"), {})
    bodies = pa.array([write("string", str(number)) for number in range(100)])
    assert codec.column(bodies.slice(40, 30)).values.to_pylist() == [str(number) for number in range(40, 70)]
