"""Formats of topics from evidence, facets of values, and what people choose."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from recorder.errors import UsageError
from recorder.payloads.choices import Choice, load_choices, parse_choices
from recorder.payloads.decoder import Codecs
from recorder.payloads.detect import Detected, detect
from recorder.payloads.facets import change_of, cloud_event, facets
from recorder.payloads.schemas import SchemaBook
from tests.payloads.avro_schemas import schema_of

BOOK = SchemaBook([schema_of("string", 7), schema_of("long", 8)])


def found(*payloads: bytes | None, headers: Any = (), choice: Choice | None = None) -> Detected:
    return detect(Codecs(BOOK), "payments", "value", payloads, headers, choice)


@pytest.mark.parametrize(
    ("payloads", "format", "evidence"),
    [
        ([], None, "no records"),
        ([None, None], None, "all 2 are null"),
        ([b'{"a":1}', b"[]"], "json", "all 2 parse as JSON"),
        ([b'{"a":1}', b"[]", b"x"], "json", "2 of 3 parse as JSON; 1 text"),
        ([b"abc", b"defg"], "text", "all 2 are UTF-8 text"),
        ([b"\xff\xfe", b"\xff\xfe\xfd"], "hex", "all 2 are neither JSON nor text"),
        (
            [b"\0\0\0\0\7\2a", b"\0\0\0\0\x08\2", b"\0\0\0\0\7\2b"],
            "avro",
            "all 3 name a known schema in their first bytes (id 7, 8)",
        ),
        ([b"\0\0\0\0\x63\2a"], "hex", "all 1 begin with the id of a schema that is not here (id 99)"),
        ([struct.pack(">i", n) for n in (1, -5, 2**20)], "int", "all 3 have 4 bytes that make sense as int"),
        ([struct.pack(">q", n) for n in (1, 0, 10**12)], "long", "all 3 have 8 bytes that make sense as long"),
        ([struct.pack(">d", n) for n in (1.5, 0, -250.75)], "double", "all 3 have 8 bytes that make sense as double"),
        ([b"6ba7b810-9dad-11d1-80b4-00c04fd430c8"] * 2, "uuid", "all 2 are UUIDs in text"),
        ([b"abcd", b"efgh"], "text", "all 2 are UTF-8 text"),
    ],
)  # fmt: skip
def test_a_format_and_its_evidence(payloads: list[bytes | None], format: str | None, evidence: str) -> None:
    detected = found(*payloads)
    assert (detected.format, detected.evidence) == (format, evidence)


def test_headers_are_evidence_and_a_choice_is_measured() -> None:
    detected = found(b"\2a", b"\2b", headers=[[("__value_schema_id", b"\0\0\0\0\7")]] * 2)
    assert detected.evidence == "all 2 name a known schema in their headers (id 7)"
    assert found(b"abc", b"abcd", choice=Choice("int")).evidence == "chosen; 1 of 2 can be read so"


def test_cloud_events_of_both_modes() -> None:
    headers = [
        ("ce_id", b"1"),
        ("ce_source", b"/s"),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"t"),
        ("content-type", b"text/plain"),
    ]
    binary = cloud_event("hello", headers)
    assert binary is not None
    assert (binary.mode, binary.attributes["type"], binary.attributes["datacontenttype"], binary.data) == (
        "binary",
        "t",
        "text/plain",
        "hello",
    )
    event = {"id": "1", "source": "/s", "specversion": "1.0", "type": "t", "data_base64": "aGk="}
    structured = cloud_event(event, [("content-type", b"application/cloudevents+json; charset=UTF-8")])
    assert structured is not None
    assert (structured.mode, structured.data) == ("structured", b"hi")
    assert cloud_event({"id": "1"}) is None
    assert found(b'{"id":"1","source":"/s","specversion":"1.0","type":"t"}').facets == ("cloudevent",)


def test_change_events_envelopes_and_json_in_strings() -> None:
    change = {"before": None, "after": {"id": 1}, "op": "c"}
    assert change_of({"schema": {}, "payload": change}) == change
    assert facets({"schema": {}, "payload": change}) == ("connect envelope", "change event")
    assert facets({"a": {"b": '{"c":1}'}}) == ("json in a string",)
    assert facets({"a": "{not json}"}) == facets(7) == ()


def test_choices_are_said_in_one_spelling_everywhere(tmp_path: Path) -> None:
    (tmp_path / "p.avsc").write_text('"string"')
    (tmp_path / "formats.toml").write_text('[topics."payments.*"]\nkey = "long"\nvalue = "avro:p.avsc"\n')
    (tmp_path / "formats.yaml").write_text("topics: {payments.*: {key: long, value: 'avro:p.avsc'}}\n")
    said = parse_choices(["payments.*=long"], [f"payments.*=avro:{tmp_path / 'p.avsc'}"])
    assert said == load_choices(tmp_path / "formats.toml") == load_choices(tmp_path / "formats.yaml")
    assert said.of("payments.in", "key") == Choice("long")
    assert said.of("payments.in", "value") == Choice("avro", schema_of("string"))
    assert said.of("other", "value") is None
    assert parse_choices([], ["payments.in=text"]).before(said).of("payments.in", "value") == Choice("text")


@pytest.mark.parametrize(
    "text", ["avro", "=avro", "t=", "t=avrö", "t=avro:no.avsc", "t=protobuf:{0}/p.avsc", "t=avro:{0}"]
)
def test_a_choice_that_means_nothing_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "p.avsc").write_text('"string"')
    with pytest.raises(UsageError):
        parse_choices([], [text.format(tmp_path)])
