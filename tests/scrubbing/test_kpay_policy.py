"""The policy of the example system answers for everything its README lists, and for what its incident breaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from desensitizers.paths import Matcher
from recorder.capture.reader import open_capture
from recorder.capture.schema import Record
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import SECRET, values

EXAMPLES = Path(__file__).parents[2] / "examples"
KPAY = load_policy(EXAMPLES / "policies/kpay.yaml", SECRET)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ANNA = {"customer_id": "cus-38140275", "name": "Zoë Müller-Łuczak", "email": "zoe.mueller@example.org"}
IBAN, OTHER_IBAN = "DE02120300000000202051", "DE89370400440532013000"
PAYMENT = {
    "payment_id": "pay-tfc2k1-000042",
    "status": "requested",
    "amount_cents": 12990,
    "currency": "EUR",
    "requested_at": "2026-03-01T14:02:11.123Z",
    "customer": {**ANNA, "phone": "+49 30 901820"},
    "payer": {"account_id": "acc-50127734", "iban": IBAN},
    "payee": {"account_id": "acc-91630418", "iban": OTHER_IBAN, "name": "Łukas Öhm"},
    "card": "4539578763621486",
    "note": "Rückfragen an Zoë Müller-Łuczak, 030 901820",
}


def headers(subject: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    names = ("specversion", "1.0"), ("id", "0b4c1f5e9a6d4c1e"), ("source", "/kpay/accounts-1"), ("type", "kpay.x")
    given = [(f"ce_{name}", value) for name, value in (*names, ("time", "2026-03-01T14:02:11.123Z"))]
    technical = [("content-type", "application/json"), ("traceparent", TRACE), ("release", "2.3.1")]
    return [*given, ("ce_subject", subject), *technical, *more]


def events() -> Iterator[Record]:
    pay, account = "pay-tfc2k1-000042", "acc-50127734"
    message = f"balance of 12.10 EUR on {IBAN} of {ANNA['name']} <{ANNA['email']}> is below 80.00 EUR ({account})"
    error = [
        ("error.exception", "InsufficientFundsError"),
        ("error.message", message),
        ("error.component", "accounts-1"),
    ]
    error += [
        ("error.topic", "payments.inflight"),
        ("error.partition", "3"),
        ("error.offset", "1042"),
        ("error.at", "now"),
    ]
    inflight = {**PAYMENT, "step": "credit", "accepted_at": "x", "inflight": {"count": 3, "value_cents": 5}}
    yield record("payments.incoming", 0, T0, pay, PAYMENT, headers(pay))
    yield record("payments.incoming", 1, T0, pay, {**PAYMENT, "card": None, "note": None}, headers(pay))
    yield record("payments.inflight", 2, T0, account, inflight, headers(pay))
    yield record("payments.complete", 0, T0, pay, {**inflight, "completed_at": "x", "latency_ms": 182.4}, headers(pay))
    yield record("payments.dlq", 0, T0, account, PAYMENT, headers(pay, *error))
    yield record(
        "payments.dlq", 1, T0, account, b'{"payment_id":"pay-1","customer":{"name":"Zo\xc3\xab M', headers(pay)
    )
    yield record(
        "accounts.balance",
        0,
        T0,
        account,
        {
            "account_id": account,
            "iban": IBAN,
            "owner": ANNA,
            "currency": "EUR",
            "opening_cents": 1,
            "balance_cents": 2,
            "change_cents": -1,
            "version": 3,
            "payment_id": None,
            "at": "x",
        },
        headers(account),
    )
    yield record("accounts.balance", 1, T0, "acc-91630418", None, headers("acc-91630418"))
    yield record(
        "payments.audit",
        0,
        T0,
        "accounts-1",
        {"component": "accounts-1", "level": "ERROR", "action": "refused", "message": f"refused {pay}: {message}"},
        headers("accounts-1"),
    )
    control = {"command": "pause", "reason": "Łukas Öhm asked", "issued_by": "oncall@kpay.example", "at": "x"}
    yield record("payments.control", 0, T0, "intake", control, headers("intake"))


def test_no_one_is_left_of_every_kind_of_event(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", events())
    done = scrub(raw, KPAY, tmp_path / "clean")
    clean = open_capture(tmp_path / "clean")
    (payment,) = values(clean, "payments.incoming")[:1]
    (balance,) = [row for row in values(clean, "accounts.balance") if row]
    (audit,) = values(clean, "payments.audit")
    assert balance["owner"] == {name: payment["customer"][name] for name in ANNA}
    assert (balance["account_id"], balance["iban"]) == tuple(payment["payer"].values())
    assert payment["note"] == f"Rückfragen an {payment['customer']['name']}, {payment['customer']['phone']}"
    customer, owner = payment["customer"], balance["account_id"]
    message = f"{balance['iban']} of {customer['name']} <{customer['email']}> is below 80.00 EUR ({owner})"
    assert audit["message"] == f"refused pay-tfc2k1-000042: balance of 12.10 EUR on {message}"
    failed, poison = (row for row in clean.records() if row.topic == "payments.dlq")
    assert dict(failed.headers)["error.message"] == f"balance of 12.10 EUR on {message}".encode()
    assert failed.key == poison.key == owner.encode()
    assert (poison.value or b"").startswith(b"undecodable:")
    assert done.manifest.records == raw.manifest.records


def readme_paths() -> Iterator[tuple[str, str]]:
    """(topic, path) of every field that the README of the example system lists."""
    text = (EXAMPLES / "kpay/README.md").read_text().partition("### `payments.incoming`")
    for section in f"### `payments.incoming`{text[2]}".split("\n### ")[0:]:
        heading, _, body = section.partition("\n")
        topics = re.findall(r"`([a-z.]+)`", heading)
        for cells in re.findall(r"^\| (`[^|]+`) \|", body, re.MULTILINE):
            for path in re.findall(r"`([^`]+)`", cells):
                yield from ((topic, path) for topic in topics)


@pytest.mark.parametrize(("topic", "path"), sorted(set(readme_paths())))
def test_every_field_of_the_readme_is_named(topic: str, path: str) -> None:
    plan = KPAY.plan().for_topic(topic)
    assert plan.spec.value is not None
    assert Matcher([pattern for pattern, _rule in plan.spec.value.paths]).all(tuple(path.split(".")))


def test_the_readme_was_read() -> None:
    assert len(set(readme_paths())) > 90
