"""What is masked changes nothing else: people exchanged by a bijection leave every other byte of a record as it was.

As `test_consistency` has it for JSON, here for the formats that write lengths, tags and varints around a leaf, and for
text, headers and keys. A clean record must be, byte for byte, what the format's own writer makes of the surrogates and
of all that is not masked; they are read back by codecs that share nothing with the rewriting.
"""

from __future__ import annotations

import json
import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.payloads.avro import AvroCodec
from recorder.payloads.schemas import Schema
from recorder.scrubbing.schemas import CaptureSchemas
from tests.desensitizers.helpers import batch, policy
from tests.desensitizers.schemas import ID, frame
from tests.payloads.avro_schemas import write
from tests.payloads.test_protobuf import KIND, SCHEMA

FIELDS = [
    {"name": "before", "type": "long"},
    {"name": "id", "type": "long"},
    {"name": "name", "type": ["null", "string"]},
    {"name": "email", "type": "string"},
    {"name": "after", "type": {"type": "map", "values": "double"}},
    {"name": "raw", "type": "bytes"},
]
AVRO = {"type": "record", "name": "Person", "fields": FIELDS}
AVRO_SCHEMA = Schema("avro", json.dumps(AVRO), id=ID)
TEXTS = {"id": {"type": "integer"}, "name": {"type": "string"}, "email": {"type": "string"}}
JSON_SCHEMA = Schema("json", json.dumps({"type": "object", "properties": TEXTS}), id=ID)
LEAVES = "id: {domain: id}, name: {domain: name}, email: {domain: email}"
INDEXES = b"\x02\x02"  # the second message of the file

Leaves = dict[str, Any]
Columns = tuple[bytes, list[tuple[str, bytes | None]], bytes]
"""Key, headers and value of a record."""


@dataclass(frozen=True, slots=True)
class Form:
    """`write` makes a record of a person and of what surrounds it; `read` finds the person in it again."""

    rules: str
    write: Callable[[Leaves, Leaves], Columns]
    read: Callable[[Columns], Leaves]
    schema: Schema | None = None


def person(number: int) -> Leaves:
    """People's leaves are of different lengths and widths."""
    rng = random.Random(number)
    name = f"Person {'ä' * (number % 200)}{number}"
    return {"id": rng.randrange(10**6, 10 ** rng.randrange(7, 18)), "name": name, "email": f"p{number}@firma.de"}


def surroundings(number: int) -> Leaves:
    rng = random.Random(~number)
    return {"before": rng.randrange(-(2**60), 2**60), "after": {"ä": rng.random()}, "raw": rng.randbytes(number % 7)}


def value(write_value: Callable[[Leaves, Leaves], bytes]) -> Callable[[Leaves, Leaves], Columns]:
    return lambda who, around: (b"k", [], write_value(who, around))


def payment(who: Leaves, around: Leaves) -> bytes:
    message: Any = KIND(amount=who["id"], name=who["name"], id=who["email"], tags=[str(around["after"])] * 2)
    message.big, message.raw, message.counts["ä"] = abs(around["before"]), around["raw"], around["before"]
    return frame(INDEXES + message.SerializeToString(), 5)


def decoded(columns: Columns) -> Leaves:
    told: Any = AvroCodec(AVRO_SCHEMA, {}).decode(columns[2][5:]).value
    return {name: told[name] for name in TEXTS}


def paid(columns: Columns) -> Leaves:
    message: Any = KIND.FromString(columns[2][7:])
    return {"id": message.amount, "name": message.name, "email": message.id}


def document(who: Leaves, around: Leaves) -> bytes:
    told = {"before": around["before"], **who, "after": [around["after"], 1e3, None]}
    return frame(json.dumps(told, ensure_ascii=False, indent=1).encode())


def found(pattern: str, columns: Columns) -> Leaves:
    match = re.fullmatch(pattern.encode(), b"|".join((columns[0], *(one or b"" for _, one in columns[1]), columns[2])))
    assert match is not None, columns
    named = {name: text.decode() for name, text in match.groupdict().items()}
    return {name: int(text) if name == "id" else text for name, text in named.items()}


FORMS: dict[str, Form] = {
    "Avro": Form(
        f"value: {{{LEAVES}, '**.@key': keep, '**': keep}}",
        value(lambda who, around: frame(write(AVRO, {**who, **around}))),
        decoded,
        AVRO_SCHEMA,
    ),
    "Protobuf": Form(
        "value: {amount: {domain: id}, name: {domain: name}, id: {domain: email}, '**.@key': keep, '**': keep}",
        value(payment),
        paid,
        SCHEMA,
    ),
    "JSON Schema": Form(
        f"value: {{{LEAVES}, '**.@key': keep, '**': keep}}",
        value(document),
        lambda columns: {name: json.loads(columns[2][5:])[name] for name in TEXTS},
        JSON_SCHEMA,
    ),
    "text": Form(
        r"value: {format: string, extract: '-?\d+ (?P<id>\d+)/(?P<email>\S+) .*', "
        "id: {domain: id}, email: {domain: email}}",
        value(lambda who, around: f"{around['before']} {who['id']}/{who['email']} {around['after']}".encode()),
        lambda columns: found(r"k\|-?\d+ (?P<id>\d+)/(?P<email>\S+) .*", columns),
    ),
    "headers": Form(
        "headers: {user: {domain: email}, name: {domain: name}, '*': keep, '@key': keep}",
        lambda who, around: (
            b"k",
            [
                ("raw", around["raw"].hex().encode()),
                ("user", who["email"].encode()),
                ("none", None),
                ("name", who["name"].encode()),
                ("raw", b"%d" % around["before"]),
            ],
            b"{}",
        ),
        lambda columns: found(r"k\|[0-9a-f]*\|(?P<email>[^|]*)\|\|(?P<name>[^|]*)\|-?\d+\|{}", columns),
    ),
    "text keys": Form(
        r"key: {extract: 'cust-(?P<id>\d+)#-?\d+', id: {domain: id}}",
        lambda who, around: (b"cust-%d#%d" % (who["id"], around["before"]), [], b"{}"),
        lambda columns: found(r"cust-(?P<id>\d+)#.*", columns),
    ),
    "numeric keys": Form(
        "key: {format: int64, domain: id}",
        lambda who, _around: (struct.pack(">q", who["id"]), [], b"{}"),
        lambda columns: {"id": struct.unpack(">q", columns[0])[0]},
    ),
}
KEEPING = {
    "key": "key: keep",
    "headers": "headers: {'*': keep, '@key': keep}",
    "value": "value: {'**': keep, '**.@key': keep}",
}


def clean(form: Form, rows: list[Columns]) -> list[Columns]:
    """The records' columns after a policy that names what the form masks and keeps all else."""
    topic = "\n".join([form.rules, *(rule for side, rule in KEEPING.items() if not form.rules.startswith(side))])
    plan = policy(topic).plan(schemas=CaptureSchemas([form.schema] if form.schema else []))
    keys, headers, values = ([row[side] for row in rows] for side in range(3))
    done = plan.for_topic("t").apply(batch(values, keys, headers))  # type: ignore[arg-type]
    assert not done.problems, "; ".join(map(str, done.problems))
    assert done.batch is not None
    columns = (done.batch.column(name).to_pylist() for name in ("key", "headers", "value"))
    return [
        (key, [(one["key"], one["value"]) for one in pairs], content)
        for key, pairs, content in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize("form", FORMS)
@given(st.permutations(range(6)), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_exchanging_people_changes_nothing_but_the_masked_leaves(
    form: str, order: list[int], rng: random.Random
) -> None:
    one = FORMS[form]
    people = [person(rng.randrange(1000) * 6 + number) for number in range(6)]
    around = [surroundings(rng.randrange(1000)) for _ in people]
    ours = clean(one, [one.write(*pair) for pair in zip(people, around, strict=True)])
    theirs = clean(one, [one.write(people[who], rest) for who, rest in zip(order, around, strict=True)])
    shown = [one.read(columns) for columns in ours]
    for number, surrogate in enumerate(shown):
        assert not [name for name in surrogate if surrogate[name] == people[number][name]]
    assert ours == [one.write(*pair) for pair in zip(shown, around, strict=True)]
    assert theirs == [one.write(shown[who], rest) for who, rest in zip(order, around, strict=True)]
