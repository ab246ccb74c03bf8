"""`drop` and `null` on an object take all below along, also what no path names: alike in JSON, Avro and Protobuf."""

from __future__ import annotations

import json
from typing import Any

import pytest

from desensitizers.explaining import Explanation
from recorder.payloads.avro import AvroCodec
from recorder.payloads.schemas import Schema
from recorder.scrubbing.schemas import CaptureSchemas
from tests.desensitizers.helpers import batch, policy
from tests.desensitizers.schemas import ID, frame
from tests.desensitizers.test_protobuf import SCHEMA, framed, payment, read
from tests.payloads.avro_schemas import write

_OTHER = {"type": "record", "name": "Other", "fields": [{"name": "a", "type": "string"}]}
_AVRO = {
    "type": "record",
    "name": "Payment",
    "fields": [{"name": "id", "type": "string"}, {"name": "other", "type": ["null", _OTHER], "default": None}],
}
AVRO = Schema("avro", json.dumps(_AVRO), id=ID)
SECRET = "Zoë Müller"


def shown(form: str, payload: bytes) -> Any:
    if form == "JSON":
        return json.loads(payload)
    if form == "Avro":
        return AvroCodec(AVRO, {}).decode(payload[5:]).value
    message = read(payload)
    return {"id": message.id, **({"other": {"a": message.other.a}} if message.HasField("other") else {})}


ROWS = {
    "JSON": json.dumps({"id": "x", "other": {"a": SECRET}}, ensure_ascii=False).encode(),
    "Avro": frame(write(_AVRO, {"id": "x", "other": {"a": SECRET}})),
    "Protobuf": framed(payment(id="x", other={"a": SECRET}))[0],
}
LEFT = {
    ("JSON", "drop"): {"id": "x"},
    ("JSON", "null"): {"id": "x", "other": None},
    ("Avro", "drop"): {"id": "x", "other": None},
    ("Avro", "null"): {"id": "x", "other": None},
    ("Protobuf", "drop"): {"id": "x"},
    ("Protobuf", "null"): {"id": "x"},
}
"""What a format can say: Avro's fields and Protobuf's absent messages leave no choice between the two."""


@pytest.mark.parametrize(("form", "rule"), LEFT)
def test_an_object_goes_with_all_below_and_explain_names_the_rule(form: str, rule: str) -> None:
    loaded = policy(f'value: {{id: keep, other: "{rule}"}}')
    schemas = CaptureSchemas((AVRO, SCHEMA))
    plan = loaded.plan(schemas=schemas)
    done = plan.for_topic("t").apply(batch([ROWS[form]]))
    assert not done.problems
    assert done.batch is not None
    (clean,) = done.batch.column("value").to_pylist()
    assert shown(form, clean) == LEFT[form, rule]
    assert SECRET.encode() not in clean
    assert SECRET in {text for _domain, text in plan.findings.originals}, "what went is an original for the proof"
    told = Explanation(topic="t")
    loaded.plan(schemas=schemas, explanation=told).for_topic("t").apply(batch([ROWS[form]]))
    (below,) = [one for one in told.told.values() if one.path == "other.a"]
    assert (below.rule, below.policy_path, below.line > 0) == (rule, "other", True)


@pytest.mark.parametrize("form", ROWS)
def test_an_earlier_path_saves_what_it_covers(form: str) -> None:
    plan = policy("value: {id: keep, other.a: keep, other: drop}").plan(schemas=CaptureSchemas((AVRO, SCHEMA)))
    done = plan.for_topic("t").apply(batch([ROWS[form]]))
    assert not done.problems
    assert done.batch is not None
    assert done.batch.column("value").to_pylist() == [ROWS[form]]
