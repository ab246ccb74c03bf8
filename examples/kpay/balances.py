"""The accounts' balances: a compacted topic that is opened once, and read back by whoever takes a partition over."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from kpay.clients import producer, read_to, settings
from kpay.customers import Customer
from kpay.events import Event, Origin, Value, headers_of, now_text, parse, record
from kpay.topics import BALANCE, PARTITIONS


def load(bootstrap: str, partitions: Iterable[int]) -> dict[int, dict[str, Value]]:
    """The latest balance event by account, by partition, of all that was committed before the call."""
    admin = AdminClient(settings(bootstrap, "balances"))
    wanted = [TopicPartition(BALANCE, partition) for partition in partitions]
    # The end that also counts open transactions: what the former owner of a partition has decided to commit may take
    # a moment to become readable, and must be waited for.
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = admin.list_offsets(dict.fromkeys(wanted, latest), isolation_level=IsolationLevel.READ_UNCOMMITTED)
    ends = {each.partition: future.result(timeout=10).offset for each, future in asked.items()}
    found: dict[int, dict[str, Value]] = {each.partition: {} for each in wanted}
    for balance in map(record, read_to(bootstrap, "balances", BALANCE, ends)):
        found[balance.partition][balance.key.decode()] = parse(balance.value)
    return found


def open_accounts(bootstrap: str, customers: Iterable[Customer]) -> int:
    """Open the accounts that are not there yet; how many were."""
    known = {account for accounts in load(bootstrap, range(PARTITIONS[BALANCE])).values() for account in accounts}
    bank = producer(bootstrap, "bank")
    opened = [customer for customer in customers if customer.account_id not in known]
    for customer in opened:
        event = Event(
            topic=BALANCE,
            key=customer.account_id,
            type="kpay.account.opened",
            subject=customer.account_id,
            value={
                "account_id": customer.account_id,
                "iban": customer.iban,
                "owner": {"customer_id": customer.customer_id, "name": customer.name, "email": customer.email},
                "currency": "EUR",
                "opening_cents": customer.opening_cents,
                "balance_cents": customer.opening_cents,
                "change_cents": 0,
                "version": 0,
                "payment_id": None,
                "at": now_text(),
            },
        )
        bank.produce(BALANCE, key=event.key, value=event.payload(), headers=headers_of(event, Origin("bank")))
    bank.flush(30)
    return len(opened)


def changed(balance: Value, change_cents: int, payment_id: str) -> Value:
    """The balance after a change."""
    return balance | {
        "balance_cents": balance["balance_cents"] + change_cents,
        "change_cents": change_cents,
        "version": balance["version"] + 1,
        "payment_id": payment_id,
        "at": now_text(),
    }
