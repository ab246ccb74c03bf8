"""Drafts of policies: what they decide, what they leave to a person, and that no value is in them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desensitizers import suggesting
from desensitizers.policy import Policy
from recorder.capture.manifest import MANIFEST_NAME, encode
from recorder.capture.reader import Capture, open_capture
from recorder.errors import UsageError
from recorder.payloads.schemas import Schema, SubjectVersion
from recorder.payloads.snapshot import write_schemas
from recorder.scrubbing.explain import explain
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.suggest import Suggested, suggest
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.conftest import examples
from tests.desensitizers.schemas import frame
from tests.desensitizers.test_protobuf import INDEXES, payment
from tests.payloads.avro_schemas import write
from tests.payloads.test_protobuf import SCHEMA as PROTOBUF
from tests.scrubbing.helpers import SECRET, bytes_below, orders, people
from tests.scrubbing.test_kpay_policy import events


def loaded(text: str) -> dict[str, Any]:
    return {topic["match"]: topic for topic in yaml.safe_load(text)["topics"]}


def values(root: Path, rows: Iterable[Any], topic: str = "t") -> tuple[dict[str, Any], Suggested]:
    """The drafted rules of a topic's values, with all proposals taken, and the draft."""
    capture = make_capture(root, [record(topic, 0, T0 + n, None, row) for n, row in enumerate(rows)])
    found = suggest(capture)
    return loaded(found.accepted)[topic]["value"], found


def test_people_get_domains_that_join_them_over_topics_keys_and_headers(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "raw", orders(240, 24))
    drafted = loaded(suggest(capture).text)
    assert drafted["orders"]["key"] == {"extract": r"cust-(?P<customer>\d+)", "customer": {"domain": "customer"}}
    assert drafted["orders"]["headers"]["user"] == {"domain": "customer"}
    assert drafted["orders"]["value"]["customer.id"] == {"domain": "customer"}
    assert drafted["orders"]["value"]["customer.email"] == drafted["mails"]["value"]["to"] == {"domain": "email"}
    assert drafted["orders"]["value"]["customer.name"] == {"domain": "name"}
    assert drafted["orders"]["value"]["note"] == drafted["mails"]["value"]["text"] == "mask"


def test_ids_of_one_name_that_share_no_value_stay_apart(tmp_path: Path) -> None:
    rows = [record("a", 0, T0 + n, None, {"customer_id": f"C{n:05d}x"}) for n in range(50)]
    rows += [record("b", 0, T0 + n, None, {"customer_id": f"K{n + 7000}z", "ok": True}) for n in range(50)]
    found = suggest(make_capture(tmp_path / "raw", rows)).text
    drafted = loaded(found)
    assert drafted["a"]["value"]["customer_id"] != drafted["b"]["value"]["customer_id"]
    assert "shares no value with 'customer'" in found


def test_an_order_and_a_customer_of_the_same_number_are_two_things(tmp_path: Path) -> None:
    drafted, _ = values(tmp_path / "raw", ({"customer_id": 5000 + n, "order_id": 5000 + n} for n in range(60)))
    assert drafted == {"customer_id": {"domain": "customer"}, "order_id": {"domain": "order"}}


def test_people_called_differently_are_joined_by_the_values_they_share(tmp_path: Path) -> None:
    drafted, _ = values(
        tmp_path / "raw", ({"userId": 71000 + n % 40, "client": {"no": 71000 + n % 40}} for n in range(80))
    )
    assert drafted["userId"] == drafted["client.no"]


@pytest.mark.parametrize(
    ("name", "make", "rule"),
    [
        ("status", lambda n: ("open", "closed", "refused")[n % 3], "keep"),
        ("vip", lambda n: n % 2 == 0, "keep"),
        ("retryCount", lambda n: n, "keep"),
        ("createdAt", lambda n: T0 + n, "keep"),
        ("birthDate", lambda n: f"19{10 + n % 80}-03-{1 + n % 28:02d}", {"rule": "time_part", "keep": "year"}),
        (
            "geburtsdatum",
            lambda n: f"{1 + n % 28:02d}.03.19{10 + n % 80}",
            {"rule": "time_part", "keep": "year", "format": "%d.%m.%Y"},
        ),
        ("plz", lambda n: f"{10115 + n * 7}", {"rule": "mask", "keep_first": 2}),
        ("age", lambda n: 18 + n % 50, {"rule": "bucket", "size": 10}),
        ("gender", lambda n: "mf"[n % 2], {"rule": "replace", "with": "undisclosed"}),
        ("diagnosis", lambda n: f"J{n % 30}.1", {"rule": "replace", "with": "undisclosed"}),
        ("apiKey", lambda n: f"k{n}-secret", {"rule": "replace", "with": "[removed]"}),
        ("note", lambda n: f"call me at noon {n}", "mask"),
        ("clientIp", lambda n: f"93.184.{n % 250}.34", {"domain": "ip"}),
        ("approver", lambda n: ("Anna", "Boris")[n % 2], {"domain": "name"}),
        ("whatever", lambda n: f"zoe.{n}@firma.de", {"domain": "email"}),
    ],
)  # fmt: skip
def test_each_kind_of_field_gets_its_rule(tmp_path: Path, name: str, make: Any, rule: Any) -> None:
    drafted, found = values(tmp_path / "raw", ({name: make(n)} for n in range(120)))
    assert drafted == {name: rule}
    assert found.waiting == 0


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("amount", lambda n: n * 17),
        ("blob", lambda n: "".join("abcdefgh"[n // 8**i % 8] for i in range(12))),
        ("factor", lambda n: n * 1.5),
        ("mixed", lambda n: n if n % 2 else f"x{n}"),
        ("hobby", lambda n: "sailing" if n == 7 else "none"),
        ("expires", lambda n: f"20{30 + n % 9}-01-01"),
    ],
)
def test_what_is_not_understood_waits_and_fails_until_then(tmp_path: Path, name: str, make: Any) -> None:
    capture = make_capture(
        tmp_path / "raw", [record("t", 0, T0 + n, None, {name: make(n), "vip": True}) for n in range(90)]
    )
    found = suggest(capture)
    assert found.waiting == 1
    assert set(loaded(found.text)["t"]["value"]) == {"vip"}
    (failing,) = {one.path for one in explain(capture, Policy.parse(found.text, env=SECRET)).told if not one.rule}
    assert failing == name
    assert explain(capture, Policy.parse(found.accepted, env=SECRET)).fails == 0


def test_a_completed_draft_makes_a_clean_copy_of_every_kind_of_event(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", [one for _ in range(8) for one in events()])
    scrub(raw, Policy.parse(suggest(raw).accepted, env=SECRET), tmp_path / "clean")
    assert not any(check.status == "FAILED" for check in verify_clean(tmp_path / "clean", parent=raw))
    for content in bytes_below(tmp_path / "clean").values():
        assert b"zoe.mueller" not in content


def test_evidence_counts_and_never_quotes(tmp_path: Path) -> None:
    text = suggest(make_capture(tmp_path / "raw", orders(240, 24))).text
    assert "240 of 240 values are e-mail addresses" in text
    assert not any(str(ident) in text or name in text or mail in text for ident, name, mail in people(24))


ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "customer_id", "type": "long"},
        {"name": "mail", "type": ["null", "string"], "confluent:tags": ["PII"]},
        {"name": "sex", "type": {"type": "enum", "name": "Sex", "symbols": ["M", "F"]}},
        {"name": "kind", "type": "string", "confluent:tags": ["PII"]},
        {"name": "fax", "type": ["null", "string"]},
        {"name": "rates", "type": {"type": "map", "values": "int"}},
    ],
}


def framed(root: Path, schema: Schema, rows: list[bytes]) -> Capture:
    made = make_capture(root, [record("orders", 0, T0 + n, f"cust-{4711000 + n}", row) for n, row in enumerate(rows)])
    manifest = msgspec.structs.replace(made.manifest, schemas=write_schemas(root, (schema,)))
    (root / MANIFEST_NAME).write_bytes(encode(manifest))
    return open_capture(root)


def test_avro_is_drafted_by_its_schema_and_every_rule_fits_it(tmp_path: Path) -> None:
    schema = Schema("avro", json.dumps(ORDER), id=7, subjects=(SubjectVersion("orders-value", 1),))
    rows = [
        {"customer_id": 4711000 + n, "mail": f"a{n}@b.de" if n % 2 else None, "sex": "MF"[n % 2], "kind": "x",
         "fax": None, "rates": {"EUR": n, "anna@firma.de": 1}}
        for n in range(60)
    ]  # fmt: skip
    raw = framed(tmp_path / "raw", schema, [frame(write(ORDER, row)) for row in rows])
    found = suggest(raw)
    drafted = loaded(found.accepted)["orders"]["value"]
    assert drafted["customer_id"] == {"domain": "customer"}
    assert drafted["mail"] == {"domain": "email"}
    assert "tagged PII; 30 of 30 values are e-mail addresses" in found.text
    assert drafted["kind"] == "hash"
    assert drafted["fax"] is None
    assert "anna" not in found.text
    assert {"rates.@key", "rates.*"} <= set(drafted)
    assert "sex" not in loaded(found.text)["orders"]["value"]
    assert explain(raw, Policy.parse(found.accepted, env=SECRET)).fails == 0


def test_protobuf_is_drafted_by_its_schema_with_maps_and_well_known_types(tmp_path: Path) -> None:
    rows = []
    for n in range(40):
        one = payment(id=f"pay-{n:05d}", amount=n * 7, ok=n % 2 == 0, raw=bytes([n, 255]), name=f"Anna Schmidt{n}")
        one.counts[f"anna{n}@firma.de"] = 1
        one.at.FromMilliseconds(T0 + n)
        one.note.value = f"call Anna {n}"
        one.extra.update({"email": f"a{n}@b.de", "deep": {"x": [1, 2]}})
        one.parent.id = f"pay-{n + 1:05d}"
        rows.append(frame(INDEXES + one.SerializeToString(), 5))
    raw = framed(tmp_path / "raw", PROTOBUF, rows)
    found = suggest(raw)
    drafted = loaded(found.text)["orders"]["value"]
    assert (drafted["at"], drafted["ok"], drafted["note"], drafted["name"]) == (
        "keep",
        "keep",
        "mask",
        {"domain": "name"},
    )
    assert "amount" not in drafted
    assert "anna" not in found.text
    assert explain(raw, Policy.parse(found.accepted, env=SECRET)).fails == 0


def test_what_no_rule_could_be_for_is_said(tmp_path: Path) -> None:
    raw = framed(
        tmp_path / "raw",
        PROTOBUF,
        [frame(b"\0" + payment(id="a", amount=n + 1).SerializeToString(), 5) for n in range(9)],
    )
    assert "    # value: has a field 2 that its schema does not know" in suggest(raw).text


def test_json_in_texts_is_drafted_by_its_own_paths(tmp_path: Path) -> None:
    rows = ({"payload": json.dumps({"email": f"a{n}@b.de", "ok": True}), "n": None} for n in range(40))
    drafted, found = values(tmp_path / "raw", rows)
    assert drafted == {"n": None, "payload": {"format": "json", "email": {"domain": "email"}, "ok": "keep"}}
    assert found.waiting == 0


@pytest.mark.parametrize(
    ("keys", "form"),
    [
        ([n.to_bytes(8, "big") for n in range(7_000, 7_060)], "int64"),
        ([f"{n:08x}-3b1c-4c5d-8e9f-0a1b2c3d4e5f".encode() for n in range(60)], "uuid"),
        ([json.dumps({"id": n + 7_000}).encode() for n in range(60)], "json"),
    ],
)
def test_keys_are_drafted_in_their_format(tmp_path: Path, keys: list[bytes], form: str) -> None:
    capture = make_capture(
        tmp_path / "raw", [record("orders", 0, T0 + n, key, {"a": True}) for n, key in enumerate(keys)]
    )
    found = suggest(capture)
    assert loaded(found.text)["orders"]["key"]["format"] == form
    done = scrub(capture, Policy.parse(found.text, env=SECRET), tmp_path / "clean")
    assert done.manifest.records == len(keys)


def test_keys_of_maps_that_are_data_wait(tmp_path: Path) -> None:
    _, found = values(tmp_path / "raw", ({"by": {f"anna{n}@firma.de": {"ok": True}}} for n in range(30)))
    assert "anna" not in found.text
    assert "value" not in loaded(found.text)["t"]
    assert "by.*.ok" in found.text


@pytest.mark.parametrize("key", ["Anna Schmidt {}", "Anna", "user_{}", "{}@firma.de", "4930901{:03d}"])
def test_names_that_are_data_are_not_told_whatever_they_look_like(tmp_path: Path, key: str) -> None:
    rows = [
        {"ok": True, "by": {key.format("abcdefghijklmnopqrst"[n % 20] * 3 if "{}" in key else n): n}} for n in range(60)
    ]
    _, found = values(tmp_path / "raw", rows)
    assert "by.*" in found.text
    for row in rows:
        assert not any(name in found.text for name in row["by"])  # type: ignore[attr-defined]


def test_names_of_headers_and_keys_of_maps_are_not_told_by_what_would_fail(tmp_path: Path) -> None:
    rows = [
        record("t", 0, T0 + n, None, {"ok": True, "by": {"anna@x.de": f"x{n}" if n % 3 else n}}, [("zoe@y.de", "1")])
        for n in range(30)
    ]
    found = suggest(make_capture(tmp_path / "raw", rows))
    assert "30 headers have names that look like data" in found.text
    assert not any(name in found.text + found.accepted for name in ("anna", "zoe"))


def test_a_capture_without_records_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no records"):
        suggest(make_capture(tmp_path / "raw", topics={"t": 1}))


def test_who_it_is_about_is_never_kept_however_few_they_are(tmp_path: Path) -> None:
    rows = [
        {"user": f"u{n % 4}", "owner": "abcd"[n % 4], "customer": {"rank": n % 3}, "role": "xy"[n % 2]}
        for n in range(80)
    ]
    capture = make_capture(tmp_path / "raw", [record("t", 0, T0 + n, row["user"], row) for n, row in enumerate(rows)])  # type: ignore[arg-type]
    drafted = loaded(suggest(capture).text)["t"]
    assert "keep" not in (drafted["key"], drafted["value"]["user"], drafted["value"]["owner"])
    assert "customer.rank" not in drafted["value"]
    assert drafted["value"]["role"] == "keep"


def test_json_in_texts_of_which_nothing_is_understood_waits_whole(tmp_path: Path) -> None:
    rows = [{"ok": True, "payload": json.dumps({"amount": n})} for n in range(20)]
    drafted, found = values(tmp_path / "raw", rows)
    assert drafted["payload"] == {"format": "json", "amount": "keep"}
    assert loaded(found.text)["t"]["value"] == {"ok": "keep"}
    Policy.parse(found.text, env=SECRET)


def test_topics_that_are_alike_are_spoken_of_together(tmp_path: Path) -> None:
    rows = [
        record(f"eu.{name}", 0, T0 + n, None, {"email": f"{name}{n}@b.de"}) for n in range(20) for name in ("a", "b")
    ]
    drafted = loaded(suggest(make_capture(tmp_path / "raw", rows)).text)
    assert set(drafted) == {"eu.{a,b}"}


def test_a_part_of_a_big_topic_is_looked_at_and_said_so(tmp_path: Path) -> None:
    rows = [
        record("big", 0, T0 + n, None, {"email": f"{n}@b.de", "late": 1 if n > 950 else None}) for n in range(1_000)
    ]
    capture = make_capture(tmp_path / "raw", rows, segment_records=300)
    found = suggest(capture, most=100)
    assert "Looked at 100 records, evenly spread, of big" in found.text
    assert "late" in found.text
    assert "All records were looked at" in suggest(capture).text


def test_the_same_capture_gives_the_same_draft(tmp_path: Path) -> None:
    first = suggest(make_capture(tmp_path / "a", list(orders(60)))).text
    assert first == suggest(make_capture(tmp_path / "b", list(orders(60)))).text


LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30),
    st.emails(), st.from_regex(r"\+49 30 [0-9]{6}", fullmatch=True),
    st.from_regex(r"[a-z]{3}-[0-9]{5}", fullmatch=True),
)  # fmt: skip


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.fixed_dictionaries(dict.fromkeys(("a", "status", "customer_id", "note"), LEAF)), min_size=1, max_size=12
    )
)
def test_no_value_of_any_capture_is_in_its_draft(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    root = tmp_path_factory.mktemp("draft")
    capture = make_capture(
        root / "raw", [record("t", 0, T0, f"k:{row['a']}", row, [("h", str(row["note"]))]) for row in rows]
    )
    found = suggest(capture)
    said = found.text + found.accepted
    for row in rows:
        for value in row.values():
            text = str(value)
            assert value is None or isinstance(value, bool) or len(text) < 4 or text in _OWN or text not in said, text
    Policy.parse(found.accepted, env=SECRET)


_SOURCES = [*Path(suggesting.__file__).parent.glob("*.py"), Path(inspect.getfile(suggest))]
_OWN = json.dumps(["status", "customer_id", "note"]) + "".join(path.read_text() for path in _SOURCES)
"""What a draft says of itself, whatever it was made from: a value such as "then" can't be told from that."""
