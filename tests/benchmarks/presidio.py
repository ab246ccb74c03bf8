"""Our paths and detectors beside Presidio on the same records: `python -m tests.benchmarks.presidio --records 300`.

JSON of about 700 bytes with ten sensitive leaves, and a note that quotes another person. Prints records per second of
one core (processor time), the share of the planted identifiers that were gone afterwards, by kind, and the share of
harmless leaves that were changed. Presidio needs the extra `ner` and a spaCy model (BLACKBOX_NER_MODEL).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from faker import Faker

from desensitizers.detectors import detector
from desensitizers.plugins import PluginError
from desensitizers.surrogates.kinds import iban_check, luhn_digit
from tests.desensitizers.helpers import batch, policy

HARMLESS = ("order", "status", "currency", "amount", "at", "version", "trace", "product")
PATHS = """
value:
  "{order,status,currency,amount,at,version,trace,product}": keep
  "{payer,payee}.{name,email,phone,iban,card}": hash
  note: {rule: scan, detectors: [email, phone, card, iban, learned, name]}
"""
ALL = "[email, phone, card, iban, national_id, ip, secret, url, name]"
NUMBERS = "'**.{amount,at,fee,vip}': keep"
OURS = f"value: {{{NUMBERS}, '**': {{rule: scan, detectors: {ALL}}}}}"
PRESIDIO = f"value: {{{NUMBERS}, '**': {{rule: scan, detectors: [ner]}}}}"
STRANGERS = ["et_EE", "id_ID", "lt_LT", "sl_SI"]
"""Whose names are not in our detector's lists: those of all other countries here are, which would flatter it."""
KINDS = ("name", "email", "phone", "iban", "card")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    rows = list(records(arguments.records, arguments.seed))
    size = sum(len(json.dumps(row, ensure_ascii=False).encode()) for row, _planted in rows) // len(rows)
    print(f"{len(rows):,} records of {size} bytes, each with ten sensitive leaves and a note that quotes three more")
    print(f"{'':34} {'records/s':>10}" + "".join(f"{kind:>8}" for kind in KINDS) + f"{'harmless':>10}")
    print(line("paths (a policy names each)", PATHS, rows))
    print(line("our detectors on every text", OURS, rows))
    try:
        detector("ner").ready()
    except PluginError as error:
        print(f"Presidio was not measured: {error}")
    else:
        print(line(f"Presidio, {os.environ['BLACKBOX_NER_MODEL']}"[:34], PRESIDIO, rows))


def line(name: str, rules: str, rows: list[tuple[dict[str, Any], dict[str, list[str]]]]) -> str:
    """A row of the table: speed with cold memory, and what was gone."""
    values = [json.dumps(row, ensure_ascii=False).encode() for row, _planted in rows]
    topic = policy(rules).plan().for_topic("t")
    topic.apply(batch(values[:1]))  # a model is loaded, a plan is compiled
    started = time.process_time()
    done = topic.apply(batch(values))
    spent = time.process_time() - started
    assert done.batch is not None, done.problems
    gone: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    changed = 0
    for (row, kinds), clean in zip(rows, done.batch.column("value").to_pylist(), strict=True):
        text = clean.decode()
        for kind, identifiers in kinds.items():
            planted[kind] += len(identifiers)
            gone[kind] += sum(identifier not in text for identifier in identifiers)
        after = json.loads(text)
        changed += sum(after[field] != row[field] for field in HARMLESS)
    shares = "".join(f"{gone[kind] / planted[kind]:8.1%}" for kind in KINDS)
    return f"{name:34} {len(rows) / spent:10,.0f}{shares}{changed / len(rows) / len(HARMLESS):10.1%}"


def speed(values: list[bytes]) -> str:
    """Records per second of Presidio on JSON values, or why it was not measured."""
    try:
        detector("ner").ready()
    except PluginError as error:
        return f"not measured: {error}"
    topic = policy(PRESIDIO).plan().for_topic("t")
    topic.apply(batch(values[:1]))
    started = time.process_time()
    done = topic.apply(batch(values))
    assert done.batch is not None, done.problems
    return f"{len(values) / (time.process_time() - started):10,.0f}"


def records(count: int, seed: int) -> Iterator[tuple[dict[str, Any], dict[str, list[str]]]]:
    """(record, identifiers in it by kind)."""
    rng = random.Random(seed)
    fake = Faker(["en_US", "en_GB", "de_DE", "fr_FR", *STRANGERS])
    Faker.seed(seed)
    for number in range(count):
        payer, payee, other = (person(rng, fake) for _ in range(3))
        who = f"{other['name']} ({other['email']})"
        note = f"Please ask {who} or call {other['phone']} before the parcel leaves the depot."
        row = {
            "order": f"ord-{number:08d}",
            "status": rng.choice(("requested", "accepted", "shipped")),
            "currency": "EUR",
            "amount": rng.randrange(100, 100_000),
            "at": 1_790_000_000_000 + number,
            "version": "2.3.1",
            "trace": f"00-{rng.getrandbits(128):032x}-{rng.getrandbits(64):016x}-01",
            "product": rng.choice(("blue lamp", "garden chair", "coffee grinder", "reading glasses")),
            "payer": payer,
            "payee": payee,
            "note": note,
        }
        planted = {kind: [payer[kind], payee[kind]] for kind in KINDS}
        for kind in ("name", "email", "phone"):
            planted[kind].append(other[kind])
        yield row, planted


def person(rng: random.Random, fake: Faker) -> dict[str, str]:
    name = f"{fake.first_name()} {fake.last_name()}"
    bban = str(rng.randrange(10**18)).zfill(18)
    card = f"4{rng.randrange(10**14):014d}"
    return {
        "name": name,
        "email": f"p{rng.randrange(10**6)}@{rng.choice(('firma.de', 'mail.fr', 'example-corp.co.uk'))}",
        "phone": f"+49 30 {rng.randrange(10**6, 10**7)}",
        "iban": f"DE{iban_check('DE', bban)}{bban}",
        "card": card + str(luhn_digit(card)),
    }


if __name__ == "__main__":
    main()
