"""Drafts for what texts hold, and for captures of JSON Schema and of CloudEvents: each makes a clean copy as it is."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

from desensitizers.policy import Policy
from desensitizers.suggesting.within import document
from recorder.capture.manifest import MANIFEST_NAME, encode
from recorder.capture.reader import Capture, open_capture
from recorder.capture.verify import failed
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.payloads.snapshot import write_schemas
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.suggest import suggest
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.desensitizers.schemas import frame
from tests.desensitizers.test_inside import token
from tests.payloads.avro_schemas import write
from tests.scrubbing.helpers import SECRET, bytes_below, people
from tests.scrubbing.test_suggest import loaded, values

FIELDS = {"email": {"domain": "email"}, "ok": "keep"}
HEADERS = [("content-type", "application/cloudevents+json")]


def who(number: int) -> dict[str, Any]:
    return {"email": f"zoe.{number}@firma.de", "ok": number % 2 == 0}


def _json(number: int) -> bytes:
    return json.dumps(who(number)).encode()


FORMS: dict[str, tuple[Any, Callable[[int], str]]] = {
    "JSON": ("json", lambda n: _json(n).decode()),
    "base64": (["base64", "json"], lambda n: base64.b64encode(_json(n)).decode()),
    "base64 for URLs": (["base64", "json"], lambda n: base64.urlsafe_b64encode(_json(n)).decode().rstrip("=")),
    "gzip": (["base64", "gzip", "json"], lambda n: base64.b64encode(gzip.compress(_json(n))).decode()),
    "hex": (["hex", "json"], lambda n: _json(n).hex()),
    "percent": (["url", "json"], lambda n: quote(_json(n), safe="")),
}


def copied(raw: Capture, text: str, root: Path, *originals: str) -> None:
    """Makes a clean copy by a draft, in which none of the originals is."""
    policy = Policy.parse(text, env=SECRET)
    scrub(raw, policy, root)
    assert not failed(verify_clean(root, parent=raw, policy=policy))
    held = bytes_below(root)
    assert not any(original.encode() in held for original in originals)


@pytest.mark.parametrize("form", FORMS)
def test_what_a_text_holds_is_drafted_by_its_own_paths(tmp_path: Path, form: str) -> None:
    written, make = FORMS[form]
    drafted, found = values(tmp_path / "raw", ({"n": None, "x": make(n)} for n in range(40)))
    assert drafted["x"] == {"format": written, **FIELDS}
    assert (found.waiting, found.text.count("hold JSON")) == (0, 1)
    copied(open_capture(tmp_path / "raw"), found.text, tmp_path / "clean", make(7), "zoe.7@")


def test_fields_of_urls_are_drafted_too(tmp_path: Path) -> None:
    rows = [{"link": f"https://shop.de/pay?{urlencode(who(n))}", "form": urlencode(who(n))} for n in range(40)]
    drafted, found = values(tmp_path / "raw", rows)
    assert drafted["form"] == {"format": "query", "email": {"domain": "email"}, "ok": "keep"}
    assert drafted["link"]["email"] == {"domain": "email"}
    assert set(drafted["link"]) == {"format", "@url", "email", "ok"}
    copied(open_capture(tmp_path / "raw"), found.accepted, tmp_path / "clean", "zoe.7%40", "zoe.7@")


def test_forms_stand_in_headers_in_payloads_of_text_and_in_one_another(tmp_path: Path) -> None:
    def encoded(number: int) -> str:
        return FORMS["base64"][1](number)

    rows = [
        record("t", 0, T0 + n, None, json.dumps({"outer": json.dumps({"x": encoded(n)})}), [("who", encoded(n))])
        for n in range(40)
    ] + [record("texts", 0, T0 + n, None, encoded(n)) for n in range(40)]
    raw = make_capture(tmp_path / "raw", rows)
    found = suggest(raw)
    drafted = loaded(found.text)
    inner = {"format": ["base64", "json"], **FIELDS}
    assert drafted["t"]["value"] == {"outer": {"format": "json", "x": inner}}
    assert drafted["t"]["headers"] == {"who": inner}
    assert drafted["texts"]["value"] == inner
    copied(raw, found.text, tmp_path / "clean", encoded(7), "zoe.7@")


def test_texts_in_avro_are_looked_into(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "x", "type": ["null", "string"]}]}
    make = FORMS["base64"][1]
    rows = [record("t", 0, T0 + n, None, frame(write(schema, {"x": make(n)}), 1)) for n in range(40)]
    raw = with_schemas(tmp_path / "raw", rows, Schema("avro", json.dumps(schema), id=1))
    found = suggest(raw)
    assert loaded(found.text)["t"]["value"]["x"] == {"format": ["base64", "json"], **FIELDS}
    copied(raw, found.text, tmp_path / "clean", make(7))


def test_tokens_are_removed_whole_and_so_are_secrets_whatever_they_hold(tmp_path: Path) -> None:
    rows = [{"auth": token({"sub": f"zoe{n}"}), "password": FORMS["base64"][1](n)} for n in range(40)]
    drafted, found = values(tmp_path / "raw", rows)
    assert drafted == {name: {"rule": "replace", "with": "[removed]"} for name in ("auth", "password")}
    copied(open_capture(tmp_path / "raw"), found.text, tmp_path / "clean", rows[7]["auth"])


def test_texts_of_several_forms_wait(tmp_path: Path) -> None:
    rows = [{"ok": True, "x": FORMS["base64" if n % 2 else "JSON"][1](n)} for n in range(40)]
    _drafted, found = values(tmp_path / "raw", rows)
    assert "format" not in found.text
    assert "firma" not in found.text


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "{}", "e30=", "eyJ", "eyJub3QgSlNPTg==", "H4sIAAAA", "7b22", "%7B%22", "%zz", "a=1", "a=1&b",
        "x = 1 & y = 2", "Wednesday", "https://x.de/a", "https://x.de/?a", "ab=c=d", "W10", '{"a": 1} ', "7b7d",
    ],
)  # fmt: skip
def test_what_holds_nothing_with_fields_is_a_text(text: str) -> None:
    assert document(text) is None


def with_schemas(root: Path, rows: list[Any], *schemas: Schema) -> Capture:
    made = make_capture(root, rows)
    manifest = msgspec.structs.replace(made.manifest, schemas=write_schemas(root, schemas))
    (root / MANIFEST_NAME).write_bytes(encode(manifest))
    return open_capture(root)


def test_a_capture_of_json_schema_is_drafted_with_its_tags(tmp_path: Path) -> None:
    fields = {name: {"type": "string"} for name in ("email", "status")}
    fields["nick"] = {"type": "string", "confluent:tags": ["PII"]}  # type: ignore[dict-item]
    text = json.dumps({"type": "object", "properties": {**fields, "age": {"type": "integer"}}})
    schema = Schema("json", text, id=7, subjects=(SubjectVersion("orders-value", 1),))
    rows = [
        record("orders", 0, T0 + n, f"K{n % 9}", frame(json.dumps(
            {"email": f"zoe.{n}@firma.de", "status": ("open", "paid")[n % 2], "nick": f"Zoë {n} L", "age": 20 + n}
        ).encode(), 7))
        for n in range(60)
    ]  # fmt: skip
    raw = with_schemas(tmp_path / "raw", rows, schema)
    found = suggest(raw)
    drafted = loaded(found.text)["orders"]["value"]
    assert drafted["email"] == {"domain": "email"}
    assert drafted["status"] == "keep"
    assert "tagged PII" in found.text
    assert drafted["nick"] != "keep"
    copied(raw, found.accepted, tmp_path / "clean", "zoe.7@firma.de", "Zoë 7 L")


def test_structured_cloud_events_are_drafted_with_their_data(tmp_path: Path) -> None:
    rows = [
        record(
            "events",
            0,
            T0 + n,
            f"cus-{38140275 + n % 20}",
            {
                "specversion": "1.0", "id": f"8f14e45f-ea1a-4c3b-9e8f-{n:012d}", "source": "/shop",
                "type": "com.shop.paid", "subject": f"cus-{38140275 + n % 20}", "time": "2026-11-03T14:02:00Z",
                "datacontenttype": "application/json",
                "data": {"customer": {"id": f"cus-{38140275 + n % 20}", "name": person[1], "email": person[2]}},
            },
            HEADERS,
        )
        for n, person in enumerate(people(60))
    ]  # fmt: skip
    raw = make_capture(tmp_path / "raw", rows)
    found = suggest(raw)
    drafted = loaded(found.accepted)["events"]
    assert drafted["value"]["data.customer.email"] == {"domain": "email"}
    assert drafted["value"]["subject"] == drafted["value"]["data.customer.id"] == drafted["key"]
    assert {drafted["value"][name] for name in ("specversion", "type", "source")} == {"keep"}
    copied(raw, found.accepted, tmp_path / "clean", "zoe.7@firma.de", "Müller-h7", "38140275")
