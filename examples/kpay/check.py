"""Is all the money there? Reads the topics of a drained system and checks what must hold of any payment system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import TopicPartition

from kpay import balances
from kpay.clients import read_to, reader
from kpay.events import SUBJECT, Record, Value, parse, record
from kpay.topics import BALANCE, COMPLETE, DLQ, INCOMING, INFLIGHT, PARTITIONS, STATS

_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """A thing that must hold, whether it does, and what was seen."""

    name: str
    passed: bool
    detail: str


def check(bootstrap: str) -> list[Finding]:
    """All findings; a system that still runs is judged by what it happened to have committed."""
    accounts = balances.load(bootstrap, range(PARTITIONS[BALANCE]))
    latest = [balance for each in accounts.values() for balance in each.values()]
    opened = sum(balance["opening_cents"] for balance in latest)
    held = sum(balance["balance_cents"] for balance in latest)

    requested = {payment["payment_id"]: payment["amount_cents"] for payment in _values(bootstrap, INCOMING)}
    completed = Counter(payment["payment_id"] for payment in _values(bootstrap, COMPLETE))
    dead = list(_read(bootstrap, DLQ))
    failed = {each.header(SUBJECT) for each in dead}
    unparseable = [each for each in dead if not _parses(each)]
    # Debited, and the credit can still be carried out: that money is on its way, not lost.
    in_flight = {
        payment["payment_id"]: payment["amount_cents"]
        for payment in _values(bootstrap, INFLIGHT)
        if payment["step"] == "credit" and payment["payment_id"] not in completed
    }
    flying = sum(in_flight.values())
    doubled = [payment_id for payment_id, times in completed.items() if times > 1]
    lost = [payment_id for payment_id in requested if payment_id not in completed and payment_id not in failed]
    paid = sum(requested.get(payment_id, 0) * times for payment_id, times in completed.items())
    confirmed = sum(total["total_cents"] for total in _values(bootstrap, STATS))
    return [
        Finding("there are accounts", bool(latest), f"{len(latest)} were opened"),
        Finding(
            "money is conserved",
            held + flying == opened,
            f"opened with {_euro(opened)}, now {_euro(held)} on {len(latest)} accounts and {_euro(flying)} in flight"
            + ("" if held + flying == opened else f": {_euro(held + flying - opened)} too much"),
        ),
        Finding(
            "each payment is credited once",
            not doubled,
            f"{len(doubled)} of {len(completed)} were credited more than once" + _some(doubled),
        ),
        Finding(
            "each payment ends",
            not lost,
            f"{len(requested)} requested, {len(completed)} confirmed, {len(failed)} failed, {len(lost)} open"
            + _some(lost),
        ),
        Finding(
            "every event can be parsed",
            not unparseable,
            f"{len(unparseable)} of {len(dead)} records in {DLQ} are not JSON: debited, never credited",
        ),
        Finding("the confirmed totals are right", confirmed == paid, f"{_euro(confirmed)} of {_euro(paid)} confirmed"),
    ]


def _values(bootstrap: str, topic: str) -> Iterator[Value]:
    for each in _read(bootstrap, topic):
        if _parses(each):
            yield parse(each.value)


def _read(bootstrap: str, topic: str) -> Iterator[Record]:
    """Every committed record of a topic, from its beginning to its end as of now."""
    asking = reader(bootstrap, "check")
    ends = {
        partition: asking.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
        for partition in range(PARTITIONS[topic])
    }
    asking.close()
    yield from map(record, read_to(bootstrap, "check", topic, ends))


def _parses(each: Record) -> bool:
    try:
        parse(each.value)
    except ValueError:
        return False
    return True


def _euro(cents: int) -> str:
    return f"{cents / 100:,.2f} EUR"


def _some(payment_ids: list[str]) -> str:
    if not payment_ids:
        return ""
    return ": " + ", ".join(payment_ids[:_SHOWN]) + (" …" if len(payment_ids) > _SHOWN else "")
