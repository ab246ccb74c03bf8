"""Each policy in examples/policies cleans records of the shape that it is for, and refuses what it does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import open_capture
from recorder.capture.schema import Record
from recorder.capture.verify import failed
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import SECRET

POLICIES = Path(__file__).parents[2] / "examples/policies"
NAME, LAST, MAIL, PHONE = "Zoë Müller", "Öhm-Łuczak", "zoe.mueller@firma.de", "+49 30 12345678"
CARD = "4539578763621486"


def test_every_policy_that_is_given_loads() -> None:
    names = {path.stem for path in POLICIES.glob("*.yaml")}
    assert names >= {"kpay", "debezium", "cloudevents", "gdpr-minimal", "pci"}
    for name in names:
        load_policy(POLICIES / f"{name}.yaml", SECRET)


def cleaned(tmp_path: Path, name: str, *rows: Record) -> list[Record]:
    """The clean records, after a proof and a check of the copy; no one of ours is in any of them."""
    raw = make_capture(tmp_path / "raw", rows)
    scrub(raw, load_policy(POLICIES / f"{name}.yaml", SECRET), tmp_path / "clean")
    assert not failed(verify_clean(tmp_path / "clean"))
    found = list(open_capture(tmp_path / "clean").records())
    everything = b"\n".join(b"%b %b %r" % (one.key or b"", one.value or b"", one.headers) for one in found).decode()
    assert not [one for one in (NAME, LAST, MAIL, PHONE, CARD, "38140275") if one in everything]
    return found


def value(one: Record) -> Any:
    return json.loads(one.value or b"null")


def refused(tmp_path: Path, name: str, *rows: Record) -> str:
    raw = make_capture(tmp_path / "odd", rows)
    with pytest.raises(ScrubError) as caught:
        scrub(raw, load_policy(POLICIES / f"{name}.yaml", SECRET), tmp_path / "odd-clean")
    assert not (tmp_path / "odd-clean").exists()
    return str(caught.value)


ROW = {"id": 38140275, "first_name": NAME, "last_name": LAST, "email": MAIL, "updated_at": 1_700_000_000_000}
SOURCE = {"version": "3.1", "connector": "mysql", "db": "shop", "table": "customers", "pos": 154, "row": 0}


def change(before: Any, after: Any, op: str) -> dict[str, Any]:
    source = {**SOURCE, "query": f"UPDATE customers SET email = '{MAIL}'"}
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": T0, "transaction": None}


@pytest.mark.parametrize("with_schema", [False, True])
def test_debezium_keeps_a_row_one_row(tmp_path: Path, with_schema: bool) -> None:
    def framed(payload: Any) -> Any:
        return (
            {"schema": {"type": "struct", "fields": [{"field": "id"}]}, "payload": payload} if with_schema else payload
        )

    key = framed({"id": ROW["id"]})
    moved = {**ROW, "email": "new." + MAIL}
    rows = [
        record("shop.customers", 0, T0, key, framed(change(None, ROW, "c"))),
        record("shop.customers", 0, T0 + 1, key, framed(change(ROW, moved, "u"))),
        record("shop.customers", 0, T0 + 2, key, framed(change(moved, None, "d"))),
        record("shop.customers", 0, T0 + 3, key, None),
    ]
    found = cleaned(tmp_path, "debezium", *rows)
    created, updated, deleted = (value(one)["payload"] if with_schema else value(one) for one in found[:3])
    assert created["after"] == updated["before"]
    assert updated["after"] == deleted["before"]
    assert updated["before"]["email"] != updated["after"]["email"]
    assert [one["op"] for one in (created, updated, deleted)] == ["c", "u", "d"]
    assert "query" not in created["source"]
    ids = {
        json.loads(one.key or b"")["payload"]["id"] if with_schema else json.loads(one.key or b"")["id"]
        for one in found
    }
    assert ids == {created["after"]["id"]}
    assert found[3].value is None


def test_debezium_refuses_a_new_column(tmp_path: Path) -> None:
    row = {**ROW, "fax": PHONE}
    assert "after.fax" in refused(tmp_path, "debezium", record("a.customers", 0, T0, {"id": 1}, change(None, row, "c")))


def test_cloudevents_structured_and_binary_meet_the_same_surrogates(tmp_path: Path) -> None:
    data = {
        "customer": {"id": "cus-38140275", "name": NAME, "email": MAIL, "phone": PHONE},
        "amount": 5,
        "currency": "EUR",
    }
    data["note"] = f"ask {NAME} at {MAIL}"
    about = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "paid", "time": "2026-11-03T14:02:00Z"}
    structured = {**about, "subject": "cus-38140275", "datacontenttype": "application/json", "data": data}
    headers = [(f"ce_{name}", text) for name, text in about.items()]
    headers += [("ce_subject", "cus-38140275"), ("content-type", "application/json"), ("x-user", NAME)]
    first, second = cleaned(
        tmp_path,
        "cloudevents",
        record("events", 0, T0, "cus-38140275", structured, [("content-type", "application/cloudevents+json")]),
        record("events", 0, T0 + 1, "cus-38140275", data, headers),
    )
    assert value(first)["data"] == value(second)
    assert value(first)["type"] == "paid"
    assert first.key == second.key == value(first)["subject"].encode() == dict(second.headers)["ce_subject"]
    assert value(second)["customer"]["id"].encode() == first.key
    assert "x-user" not in dict(second.headers)


def test_gdpr_minimal_keeps_little_and_the_same_person_the_same(tmp_path: Path) -> None:
    order = {"type": "order", "user_id": "u-38140275", "amount": 12.5, "customer": {"name": NAME, "email": MAIL}}
    order |= {"comment": f"for {LAST}", "birthDate": "1980-02-03", "lines": [{"quantity": 2, "gift_for": LAST}]}
    login = {"eventType": "login", "userId": "u-38140275", "device": {"phone": PHONE, "serial": "x"}}
    first, second = cleaned(
        tmp_path,
        "gdpr-minimal",
        record("orders", 0, T0, "u-38140275", order, [("traceparent", "00-1"), ("cookie", MAIL)]),
        record("logins", 0, T0 + 1, "u-38140275", login),
    )
    assert first.key == second.key == value(first)["user_id"].encode() == value(second)["userId"].encode()
    assert (value(first)["type"], value(first)["amount"]) == ("order", 12.5)
    assert value(first)["lines"] == [{"quantity": 2}]
    assert not {"comment", "birthDate"} & value(first).keys()
    assert [name for name, _ in first.headers] == ["traceparent"]


def test_pci_leaves_no_card_number_and_nothing_that_authenticates(tmp_path: Path) -> None:
    payment = {"transactionId": "t1", "amount": 100, "currency": "EUR", "status": "approved"}
    card = {"pan": CARD, "cvv": "123", "expiry": "12/29", "cardholder_name": NAME, "track2": f"{CARD}=2912"}
    (one,) = cleaned(
        tmp_path, "pci", record("cards.auth", 0, T0, "t1", {**payment, "card": card, "memo": f"card {CARD} declined"})
    )
    after = value(one)
    assert {name: after[name] for name in payment} == payment
    assert after["card"].keys() == {"pan", "cardholder_name"}
    assert after["card"]["pan"].startswith(CARD[:6])
    assert after["memo"] == f"card {after['card']['pan']} declined"


def test_pci_refuses_a_field_that_nobody_judged(tmp_path: Path) -> None:
    assert "iin_range" in refused(tmp_path, "pci", record("cards.auth", 0, T0, "t1", {"iin_range": "453957"}))
