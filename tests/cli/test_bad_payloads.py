"""Payloads that are broken, hostile or enormous: each is a named count and a readable cell, and fails no query."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from recorder.capture.reader import Capture
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.schemas import Schema
from recorder.payloads.snapshot import book_of
from tests.builders import record
from tests.cli.running import run
from tests.payloads.avro_schemas import schema_of, write
from tests.payloads.framed import capture_with

TEXT = {"type": "record", "name": "T", "fields": [{"name": "a", "type": "string"}, {"name": "n", "type": "int"}]}
TREE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
NOTED = {"type": "record", "name": "N", "fields": [{"name": "note", "type": "string"}]}
ANY = ["null", "boolean", "int", "long", "float", "double", "bytes", "string", TEXT,
       {"type": "enum", "name": "E", "symbols": ["X"]}, {"type": "fixed", "name": "F", "size": 2},
       {"type": "array", "items": "string"}, {"type": "map", "values": "long"}]  # fmt: skip
EVERY = {"type": "record", "name": "U", "fields": [{"name": "u", "type": ANY}]}
PROTO = 'syntax="proto3"; message M { string a = 1; M inner = 2; }'
SCHEMAS = [
    schema_of(TEXT, 1),
    Schema("avro", '{"type": "record", "name": "Broken", "fields": [{"name": "a", "type": "nothing"}]}', id=2),
    Schema("avro", "{", id=3),
    schema_of(TREE, 4),
    schema_of(EVERY, 5),
    Schema("protobuf", PROTO, id=6),
    Schema("protobuf", "message {", id=7),
    Schema("json", '{"$ref": "#/definitions/none"}', id=8),
    Schema("json", '{"properties": {"n": {"type": "integer"}, "inner": {"$ref": "#"}}, "required": ["n"]}', id=9),
]


def frame(id: int, body: bytes = b"") -> bytes:
    return b"\0\0\0\0" + bytes([id]) + body


class Bad(NamedTuple):
    """`shown` is the value's JSON; "bytes": the payload as {"base64": …}."""

    payload: bytes
    reason: str | None
    shown: Any = "bytes"
    headers: Sequence[tuple[str, bytes]] = ()


MILLIONS = "x" * 10_000_000
DEEP = b"\2" * 5_000 + b"\0"
BAD: dict[str, Bad] = {
    "truncated frame: a prefix cut short": Bad(b"\0\0\0\1", None),
    "truncated frame: message indexes cut short": Bad(frame(6, b"\4\2"), "truncated frame"),
    "truncated frame: a header cut short": Bad(b"\2a\2", "truncated frame", headers=[("__value_schema_id", b"\1abc")]),
    "truncated body: avro": Bad(frame(1, b"\x08ab"), "truncated"),
    "truncated body: protobuf": Bad(frame(6, b"\0\x0a\x7fa"), "malformed"),
    "truncated body: json": Bad(b'{"a": [1, 2', "malformed", '{"a": [1, 2'),
    "unknown schema id": Bad(frame(99, b"\2a\2"), "unknown schema id"),
    "a schema that names what is not there": Bad(frame(2, b"\2a"), "missing schema reference"),
    "a schema that does not parse: avro": Bad(frame(3, b"\2a"), "schema does not parse"),
    "a schema that does not parse: protobuf": Bad(frame(7, b"\0\2a"), "schema does not parse"),
    "a schema that does not parse: json": Bad(frame(8, b'{"n": 1}'), "schema does not parse", {"n": 1}),
    "a recursive schema": Bad(frame(4, b"\2\2\0"), None, {"next": {"next": {"next": None}}}),
    "a recursive schema: too deep": Bad(frame(4, DEEP), "too deep"),
    "a recursive schema: json": Bad(
        frame(9, b'{"n": 1, "inner": {}}'), "does not fit the schema", {"n": 1, "inner": {}}),
    "json too deep": Bad(b"[" * 5_000, "too deep", "[" * 5_000),
    "a union of everything: a record": Bad(
        frame(5, b"\x10" + write(TEXT, {"a": "b", "n": 1})), None, {"u": {"T": {"a": "b", "n": 1}}}),
    "a union of everything: a map": Bad(frame(5, b"\x18\2\2k\2\0"), None, {"u": {"map": {"k": 1}}}),
    "a union of everything: no such branch": Bad(frame(5, b"\x1a"), "malformed"),
    "avro trailing bytes": Bad(frame(1, write(TEXT, {"a": "b", "n": 1}) + b"\0"), "trailing bytes"),
    "duplicate json keys": Bad(b'{"a": 1, "a": 2}', "duplicate json keys", {"a": 2}),
    "a number beyond 64 bits": Bad(
        b'{"a": 123456789012345678901234567890}', "number beyond 64 bits", {"a": 123456789012345678901234567890}),
    "nan": Bad(b'{"a": NaN, "b": -Infinity}', "nan or infinity", {"a": "NaN", "b": "-Infinity"}),
    "invalid utf-8: json": Bad(b'{"a": "\xff"}', "invalid utf-8"),
    "invalid utf-8: avro": Bad(frame(1, b"\2\xff\2"), "invalid utf-8", {"a": {"base64": "/w=="}, "n": 1}),
    "ten megabytes of json": Bad(json.dumps({"a": MILLIONS}).encode(), None, {"a": MILLIONS}),
    "ten megabytes of avro": Bad(frame(1, write(TEXT, {"a": MILLIONS, "n": 1})), None, {"a": MILLIONS, "n": 1}),
    "ten megabytes of bytes": Bad(b"\xff" * 10_000_000, None),
}  # fmt: skip


def topic_of(name: str) -> str:
    return f"t{list(BAD).index(name)}"


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A topic for each; beside it a record that is well."""
    rows = []
    for name, bad in BAD.items():
        rows.append(record(topic_of(name), value=bad.payload, key="k", headers=bad.headers))
        rows.append(record(topic_of(name), value=b'{"well": 1}', key="k"))
    return capture_with(tmp_path_factory.mktemp("bad") / "c", rows, SCHEMAS)


def expected(bad: Bad) -> Any:
    return {"base64": base64.b64encode(bad.payload).decode()} if bad.shown == "bytes" else bad.shown


@pytest.mark.parametrize("name", BAD)
def test_the_decoder(capture: Capture, name: str) -> None:
    bad = BAD[name]
    decoded = Decoder(Codecs(book_of(capture)), "t", "value").decode(bad.payload, bad.headers)
    assert decoded.reason == bad.reason
    if decoded.readable:
        assert json.loads(decoded.json) == expected(bad)


@pytest.mark.parametrize("name", BAD)
def test_cat(capture: Capture, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    bad = BAD[name]
    ran = run(capsys, "cat", capture.root, "-t", topic_of(name), "--format", "ndjson")
    line, well = map(json.loads, ran.out.splitlines())
    assert (ran.code, well["value"]) == (0, {"well": 1})
    assert (line.get("value_reason"), line["value"]) == (bad.reason, expected(bad))
    assert ran.err == (f"{topic_of(name)} values: 1 {bad.reason}\n" if bad.reason else "")
    table = run(capsys, "cat", capture.root, "-t", topic_of(name)).out.splitlines()
    assert len(table) == 2
    assert len(table[0]) < 400
    assert (f"({bad.reason}) " in table[0]) == (bad.reason is not None)


@pytest.fixture(scope="module")
def asked(capture: Capture) -> dict[str, list[dict[str, Any]]]:
    """What the view of all records says, by topic."""
    columns = "topic, value_json, value_reason, value_bytes"
    found: dict[str, list[dict[str, Any]]] = {}
    for row in capture.sql(f'SELECT {columns} FROM records ORDER BY topic, "offset"').to_pylist():
        found.setdefault(row["topic"], []).append(row)
    return found


@pytest.fixture(scope="module")
def counted(capture: Capture) -> list[dict[str, Any]]:
    return capture.sql("SELECT topic, reason, records FROM decode_errors WHERE side = 'value'").to_pylist()


@pytest.mark.parametrize("name", BAD)
def test_sql(
    capture: Capture, asked: dict[str, list[dict[str, Any]]], counted: list[dict[str, Any]], name: str
) -> None:
    bad, topic = BAD[name], topic_of(name)
    for row, well in (asked[topic], capture.sql(f'SELECT * FROM "{topic}" ORDER BY "offset"').to_pylist()):
        assert (json.loads(well["value_json"]), row["value_bytes"]) == ({"well": 1}, bad.payload)
        if row["value_json"] is None:
            assert row["value_reason"] == (bad.reason or "no known format")
        elif name != "nan":  # the database reads that, as JSON of its own
            assert json.loads(row["value_json"]) == expected(bad)
    said = [(one["reason"], one["records"]) for one in counted if one["topic"] == topic]
    unreadable = bad.reason is None and bad.shown == "bytes"
    assert said == ([(bad.reason or "no known format", 1)] if bad.reason or unreadable else [])
