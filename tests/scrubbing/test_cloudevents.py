"""CloudEvents over Kafka: an event is cleaned alike in binary and in structured mode, and a batch never passes unseen.

The attributes and modes are those of the CloudEvents specification 1.0.2 and its Kafka protocol binding.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from recorder.capture.reader import open_capture
from recorder.capture.schema import Record
from recorder.capture.verify import failed
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import policy

POLICY = (Path(__file__).parents[2] / "examples/policies/cloudevents.yaml").read_text()
STRUCTURED = ("content-type", "application/cloudevents+json; charset=utf-8")
BATCHED = ("content-type", "application/cloudevents-batch+json; charset=utf-8")
NAME, MAIL, IDENT = "Zoë Müller-Łuczak", "zoe.mueller@firma.de", "cus-38140275"
DATA = {"customer": {"id": IDENT, "name": NAME, "email": MAIL}, "amount": 5, "currency": "EUR"}
ABOUT = {
    "specversion": "1.0",
    "id": "8f14e45f-ea1a-4c3b",
    "source": "/shop",
    "type": "com.shop.paid",
    "subject": IDENT,
    "time": "2026-11-03T14:02:00Z",
}
IDS_TOO = POLICY.replace("ce_id,", "").replace("id,source", "source", 1)
IDS_TOO = IDS_TOO.replace('"*": drop', 'ce_id: {domain: event}\n      "*": drop', 1)
IDS_TOO = IDS_TOO.replace("data_base64: drop", "id: {domain: event}\n      data_base64: drop", 1)
IDS_TOO = IDS_TOO.replace("domains:\n", "domains:\n  event: {surrogate: hex}\n", 1).replace(
    "{specversion,id,", "{specversion,"
)
"""The ready policy for events whose ids hold somebody's."""


def structured(data: dict[str, Any], *headers: tuple[str, str], **more: Any) -> Record:
    return record("events", 0, T0, IDENT, {**ABOUT, **more, **data}, [STRUCTURED, *headers])


def binary(value: Any, *headers: tuple[str, str], **more: str) -> Record:
    own = [(f"ce_{name}", text) for name, text in {**ABOUT, **more}.items()]
    return record("events", 0, T0, IDENT, value, [*own, ("content-type", "application/json"), *headers])


def cleaned(tmp_path: Path, *rows: Record, text: str = POLICY) -> list[Record]:
    """The clean records, in which nobody is left."""
    raw = make_capture(tmp_path / "raw", rows)
    scrub(raw, policy(tmp_path, text), tmp_path / "clean")
    assert not failed(verify_clean(tmp_path / "clean", parent=raw, policy=policy(tmp_path, text)))
    found = list(open_capture(tmp_path / "clean").records())
    assert NAME.encode() not in b"".join(one.value or b"" for one in found)
    return found


def refused(tmp_path: Path, *rows: Record) -> str:
    raw = make_capture(tmp_path / "raw", rows)
    with pytest.raises(ScrubError) as caught:
        scrub(raw, policy(tmp_path, POLICY), tmp_path / "clean")
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}
    said = str(caught.value)
    assert not [one for one in (NAME, MAIL, IDENT) if one in said]
    return said


def value(one: Record) -> Any:
    return json.loads(one.value or b"null")


TELLING = f"{IDENT}-payment-1"
"""An event's id that names whom it is about."""


def test_an_events_id_as_a_domain_is_one_in_the_envelope_and_in_the_header(tmp_path: Path) -> None:
    rows = (structured({"data": DATA}, id=TELLING), binary(DATA, id=TELLING))
    whole, split = cleaned(tmp_path, *rows, text=IDS_TOO)
    envelope, headers = value(whole), dict(split.headers)
    assert envelope["id"].encode() == headers["ce_id"]
    assert IDENT not in envelope["id"]
    assert envelope["subject"].encode() == headers["ce_subject"] == whole.key == split.key
    assert envelope["data"] == value(split)
    assert value(split)["customer"]["id"] == envelope["subject"]


@pytest.mark.parametrize("place", ["value id", "header"])
def test_an_id_that_is_kept_and_names_somebody_is_found_by_the_proof(tmp_path: Path, place: str) -> None:
    row = structured({"data": DATA}, id=TELLING) if place == "value id" else binary(DATA, id=TELLING)
    assert f"{place}: an original" in refused(tmp_path, row)


def test_the_attributes_that_say_what_an_event_is_stay_byte_for_byte(tmp_path: Path) -> None:
    whole, split = cleaned(tmp_path, structured({"data": DATA}), binary(DATA))
    for name in ("specversion", "id", "source", "type", "time"):
        assert value(whole)[name].encode() == dict(split.headers)[f"ce_{name}"] == ABOUT[name].encode()
    assert dict(whole.headers) == {STRUCTURED[0]: STRUCTURED[1].encode()}
    assert [name for name, _ in split.headers] == [f"ce_{name}" for name in ABOUT] + ["content-type"]


def test_an_extension_that_nobody_named_goes_as_a_header_and_stops_as_a_member(tmp_path: Path) -> None:
    (split,) = cleaned(tmp_path / "binary", binary(DATA, ("ce_customername", NAME), partitionkey=IDENT))
    headers = dict(split.headers)
    assert "ce_customername" not in headers
    assert headers["ce_partitionkey"] == headers["ce_subject"] == split.key
    assert "customername" in refused(tmp_path / "structured", structured({"data": DATA}, customername=NAME))


def test_binary_data_in_an_envelope_goes_or_is_cleaned_within(tmp_path: Path) -> None:
    packed = base64.b64encode(json.dumps(DATA).encode()).decode()
    row = structured({"data_base64": packed}, datacontenttype="application/json")
    (dropped,) = cleaned(tmp_path / "dropped", row)
    assert "data_base64" not in value(dropped)
    inner = "customer.id: {domain: subject}, customer.name: {domain: name}, customer.email: {domain: email}, "
    within = f"data_base64: {{format: [base64, json], {inner}'{{amount,currency}}': keep}}"
    text = POLICY.replace("data_base64: drop", within)
    whole, split = cleaned(tmp_path / "within", row, binary(DATA), text=text)
    assert json.loads(base64.b64decode(value(whole)["data_base64"], validate=True)) == value(split)


@pytest.mark.parametrize("data", ["a text", [7], 7, {"unknown": {"name": NAME}}], ids=str)
def test_data_of_another_shape_is_refused(tmp_path: Path, data: Any) -> None:
    refused(tmp_path, structured({"data": data}))


@pytest.mark.parametrize("count", [1, 2])
def test_a_batch_is_refused(tmp_path: Path, count: int) -> None:
    """The Kafka binding has no batch mode, but what writes one all the same must not get past the envelope's rules."""
    batch = [{**ABOUT, "data": DATA}] * count
    assert "[*]" in refused(tmp_path, record("events", 0, T0, IDENT, batch, [BATCHED]))


def test_an_event_without_data_and_a_tombstone_pass(tmp_path: Path) -> None:
    whole, split, tombstone = cleaned(tmp_path, structured({}), binary(None), record("events", 0, T0, IDENT, None))
    assert value(whole).keys() == ABOUT.keys()
    assert split.value is None
    assert tombstone.key == whole.key == value(whole)["subject"].encode()
