"""One secret, one surrogate: in every process, order and capture. What is masked depends on nothing else, and
nothing else depends on what is masked.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.policy import Policy
from tests.desensitizers.helpers import SECRET, batch

POLICY = r"""
version: 1
secret: {env: K}
domains:
  id: {surrogate: digits}
  name: {surrogate: name}
  email: {surrogate: email}
  phone: {surrogate: phone, country: "49"}
  card: {surrogate: card}
  iban: {surrogate: iban}
  ref: {surrogate: hex, canonical: compact}
topics:
  - match: "*"
    key: {extract: "cust-(?P<id>\\d+)", id: {domain: id}}
    headers: {user: {domain: id}, "*": keep, "@key": keep}
    value:
      id: {domain: id}
      name: {domain: name}
      email: {domain: email}
      phone: {domain: phone}
      card: {domain: card}
      ref: token
      code: {rule: fpe, alphabet: base36}
      amount: {rule: noise, percent: 10}
      born: {rule: date_shift, days: 100}
      city: {rule: fake, kind: city}
      age: {rule: bucket, size: 10}
      seen: {rule: time_part, keep: day}
      note: {rule: scan, detectors: [email, phone, card, iban]}
      "kept[*]": keep
      "kept[*].a": keep
"""
SENSITIVE = ("id", "name", "email", "phone", "card", "ref", "code")


def record(number: int) -> dict[str, Any]:
    rng = random.Random(number)
    return {
        "id": rng.randrange(10**6, 10**8),
        "name": f"Person {number}",
        "email": f"p{number}@firma.de",
        "phone": f"+49 170 {rng.randrange(10**6, 10**7)}",
        "card": f"4539{rng.randrange(10**12):012d}",
        "ref": f"R-{number}",
        "code": f"AB{rng.randrange(10**8):08d}",
        "amount": rng.randrange(10**6) / 100,
        "born": f"19{rng.randrange(10, 99)}-03-04",
        "city": rng.choice(("Kiel", "Ulm")),
        "age": rng.randrange(100),
        "seen": 1_763_711_234_567 + rng.randrange(10**9),
        "note": f"write p{number}@firma.de",
        "kept": [number, None, {"a": "b"}],
    }


def clean(rows: list[dict[str, Any]], secret: dict[str, str] = SECRET) -> list[bytes]:
    """Key, header and value of each record, joined."""
    given = batch(
        [json.dumps(row).encode() for row in rows],
        [f"cust-{row['id']}".encode() for row in rows],
        [[("user", str(row["id"]).encode())] for row in rows],
    )
    done = Policy.parse(POLICY, env=secret).plan().for_topic("t").apply(given)
    assert done.batch is not None, done.problems
    columns = [done.batch.column(name).to_pylist() for name in ("key", "headers", "value")]
    return [key + b"|" + headers[0]["value"] + b"|" + value for key, headers, value in zip(*columns, strict=True)]


def values(rows: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(row.split(b"|", 2)[2]) for row in rows]


def test_every_process_hash_seed_and_order_gives_the_same_bytes() -> None:
    ours = clean([record(number) for number in range(40)])
    program = (
        "from tests.desensitizers.test_consistency import clean, record; import hashlib\n"
        "rows = [clean([record(n)])[0] for n in reversed(range(40))]\n"
        "print(hashlib.sha256(b''.join(reversed(rows))).hexdigest())"
    )
    for seed in ("1", "4242"):
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert ran.stdout.strip() == hashlib.sha256(b"".join(ours)).hexdigest()


def test_another_secret_has_no_surrogate_in_common() -> None:
    rows = [record(number) for number in range(60)]
    ours, theirs = values(clean(rows)), values(clean(rows, {"K": "another secret of thirty-two bytes or more"}))
    for field in SENSITIVE:
        first, second = {row[field] for row in ours}, {row[field] for row in theirs}
        assert not first & second, field
        assert not first & {row[field] for row in rows}, field


def test_two_captures_with_one_secret_join() -> None:
    january, june = [record(number) for number in range(30)], [record(number) for number in range(20, 50)]
    ours, theirs = values(clean(january)), values(clean(june))
    for field in SENSITIVE:
        common = {row[field] for row in january} & {row[field] for row in june}
        assert len({row[field] for row in ours} & {row[field] for row in theirs}) == len(common) >= 10


def test_one_value_is_one_surrogate_in_key_header_value_and_text() -> None:
    [row] = clean([record(7)])
    key, header, value = row.split(b"|", 2)
    done = json.loads(value)
    assert key == f"cust-{done['id']}".encode()
    assert header == str(done["id"]).encode()
    assert done["note"] == f"write {done['email']}"


@given(st.permutations(range(8)), st.randoms(use_true_random=False))
@settings(max_examples=20)
def test_exchanging_people_by_a_bijection_changes_nothing_but_the_masked_leaves(
    order: list[int], rng: random.Random
) -> None:
    before = [record(rng.randrange(1000) * 8 + number) for number in range(8)]
    people = [{field: row[field] for field in (*SENSITIVE, "note")} for row in before]
    after = [{**row, **people[order[number]]} for number, row in enumerate(before)]
    ours, theirs = clean(before), clean(after)
    for field in (*SENSITIVE, "note"):
        shown = values(ours), values(theirs)
        assert [shown[0][order[number]][field] for number in range(8)] == [row[field] for row in shown[1]]
    assert [blanked(row) for row in ours] == [blanked(row) for row in theirs]


def blanked(row: bytes) -> bytes:
    """The record's bytes without what is masked."""
    key, header, value = row.split(b"|", 2)
    for field in (*SENSITIVE, "note"):
        value = re.sub(rb'("%s": )("[^"]*"|\d+)' % field.encode(), rb"\1?", value)
    return re.sub(rb"\d+", b"?", key) + re.sub(rb"\d+", b"?", header) + value
