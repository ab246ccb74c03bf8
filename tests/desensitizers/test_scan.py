from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.learned import Learned
from tests.desensitizers.helpers import batch, policy, scrub

SCAN = "{rule: scan, detectors: [email, phone, card, iban, ip, learned]}"


def test_a_find_becomes_the_surrogate_that_the_structured_field_has() -> None:
    (after,) = scrub(
        f"value: {{e: {{domain: email}}, p: {{domain: phone}}, t: {SCAN}}}",
        {"e": "anna@firma.de", "p": "+49 170 1234567", "t": "Anna@Firma.de or 0170 1234567!"},
    )
    assert after["t"] == f"{after['e']} or {after['p']}!"


def test_a_text_without_finds_keeps_its_bytes() -> None:
    row = rb'{"t":"gr\u00fc\u00dfe \/ 1.5 EUR on 2026-03-01"}'
    assert policy(f"value: {{t: {SCAN}}}").plan().for_topic("t").apply(batch([row])).batch["value"].to_pylist() == [row]


def test_learned_originals_become_their_domains_surrogates() -> None:
    plan = policy(f"value: {{n: {{domain: name}}, t: {SCAN}}}").plan()
    plan.learned = Learned([("name", "Zoë Müller"), ("", "Hauptstr. 5")])
    row = '{"n":"Zoë Müller","t":"zoë müller, Hauptstr. 5 (Zoë Müllers)"}'.encode()
    (after,) = plan.for_topic("t").apply(batch([row])).batch["value"].to_pylist()
    name = after.decode().split('"')[3]
    assert after.decode() == f'{{"n":"{name}","t":"{name}, [removed] ({name}s)"}}'


def test_what_a_scan_finds_is_an_original_too() -> None:
    plan = policy(f"value: {{t: {SCAN}}}").plan()
    plan.for_topic("t").apply(batch([b'{"t":"mail anna@firma.de"}']))
    assert ("email", "anna@firma.de") in plan.findings.originals


def test_finds_that_overlap_leave_nothing_over() -> None:
    plan = policy(f"value: {{t: {SCAN}}}").plan()
    plan.learned = Learned([("name", "Anna Firma"), ("name", "firma.de anna")])
    (after,) = plan.for_topic("t").apply(batch([b'{"t":"x anna@firma.de Anna Firma y"}'])).batch["value"].to_pylist()
    assert b"irma" not in after
    assert after.startswith(b'{"t":"x ')
    assert after.endswith(b' y"}')


PARTS = [
    "anna@firma.de",
    "+49 170 1234567",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "Zoë Müller",
    "zoë",
    "é",
    " ",
    "7",
    "call",
    "\n0301234567",
    "(030) 123456",
    "212-555-1234",
    "0049 30 123456",
]


@given(st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("".join), min_size=20, max_size=30))
@settings(max_examples=30)
def test_texts_scanned_together_are_scanned_as_each_alone(texts: list[str]) -> None:
    plans = [policy(f"value: {{t: {SCAN}}}").plan() for _ in range(2)]
    for plan in plans:
        plan.learned = Learned([("", "Zoë Müller"), ("", "éé"), ("", "7777777")])
    rows = [json.dumps({"t": text}, ensure_ascii=False).encode() for text in texts]
    together, alone = (plan.for_topic("t") for plan in plans)
    clean = together.apply(batch(rows)).batch["value"].to_pylist()
    assert clean == [alone.apply(batch([row])).batch["value"].to_pylist()[0] for row in rows]
    assert plans[0].findings.originals == plans[1].findings.originals


def test_what_one_topics_texts_hold_is_known_in_the_next_ones_and_stays_the_same() -> None:
    plan = policy(f"value: {{t: {SCAN}}}").plan()
    rows = batch([b'{"t":"mail anna%d@firma.de"}' % number for number in range(40)])
    first, second = (plan.for_topic("t").apply(rows).batch for _ in range(2))
    assert second == first
    met = [pair for pairs in plan.findings.pairs.values() for pair in pairs]
    assert len(met) == len(set(met))
