"""The account processors: debit the payer, then credit the payee; several instances share the accounts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from zlib import crc32

from confluent_kafka import TopicPartition

from kpay import balances
from kpay.events import BAD_RELEASE, Event, Origin, Record, Value, encode, now_ms, now_text, parse, time_ms
from kpay.processor import Processor
from kpay.telemetry import Telemetry
from kpay.topics import BALANCE, COMPLETE, INFLIGHT

_SLOW_SECONDS = 0.045


class InsufficientFundsError(Exception):
    """The payer has less than the payment."""


class UnknownAccountError(Exception):
    """No account of that id was ever opened."""


class AccountProcessor(Processor):
    """`payments.inflight` → `accounts.balance` and the next step: the credit, `payments.complete`, or the DLQ."""

    topics = (INFLIGHT,)
    group = "kpay-accounts"

    def __init__(self, bootstrap: str, origin: Origin, telemetry: Telemetry) -> None:
        super().__init__(bootstrap, origin, telemetry)
        self._balances: dict[int, dict[str, Value]] = {}

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._balances |= balances.load(self.bootstrap, [each.partition for each in partitions])

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        for each in partitions:
            self._balances.pop(each.partition, None)

    def handle(self, records: Sequence[Record]) -> Iterable[Event]:
        for record in records:
            try:
                payment = parse(record.value)
                step = self._debit if payment["step"] == "debit" else self._credit
                yield from step(payment, record)
            except (ValueError, InsufficientFundsError, UnknownAccountError) as error:
                yield self.dead_letter(record, error)

    def _debit(self, payment: Value, record: Record) -> list[Event]:
        amount = payment["amount_cents"]
        balance = self._balance(payment["payer"], record)
        if balance["balance_cents"] < amount:
            owner = balance["owner"]
            raise InsufficientFundsError(
                f"balance of {balance['balance_cents'] / 100:.2f} EUR on {balance['iban']} of {owner['name']} "
                f"<{owner['email']}> is below {amount / 100:.2f} EUR"
            )
        credit = payment | {"status": "debited", "step": "credit", "debited_at": now_text()}
        return [
            self._change(balance, -amount, payment, record),
            Event(
                topic=INFLIGHT,
                key=payment["payee"]["account_id"],
                type="kpay.payment.credit",
                subject=payment["payment_id"],
                trace=record.trace,
                value=_cut_short(credit) if self._bad and _one_in(12, payment, salt=8) else credit,
            ),
        ]

    def _credit(self, payment: Value, record: Record) -> list[Event]:
        times = 1
        if self._bad:
            time.sleep(_SLOW_SECONDS)
            times = 2 if _one_in(5, payment) else 1
        events = []
        for _ in range(times):
            balance = self._balance(payment["payee"], record)
            latency = now_ms() - time_ms(payment["requested_at"])
            complete = payment | {"status": "confirmed", "completed_at": now_text(), "latency_ms": latency}
            del complete["step"]
            events.append(self._change(balance, payment["amount_cents"], payment, record))
            events.append(
                Event(
                    topic=COMPLETE,
                    key=payment["payment_id"],
                    type="kpay.payment.completed",
                    subject=payment["payment_id"],
                    trace=record.trace,
                    value=complete,
                )
            )
            self.telemetry.metric(self.origin, "payment.latency_ms", latency, "ms", payment["payment_id"])
        return events

    def _balance(self, account: Value, record: Record) -> Value:
        try:
            return self._balances[record.partition][account["account_id"]]
        except KeyError:
            raise UnknownAccountError(f"no account {account['account_id']} with {account['iban']}") from None

    def _change(self, balance: Value, cents: int, payment: Value, record: Record) -> Event:
        after = balances.changed(balance, cents, payment["payment_id"])
        self._balances[record.partition][after["account_id"]] = after
        return Event(
            topic=BALANCE,
            key=after["account_id"],
            type=f"kpay.account.{'debited' if cents < 0 else 'credited'}",
            subject=after["account_id"],
            trace=record.trace,
            value=after,
        )

    @property
    def _bad(self) -> bool:
        return self.origin.release == BAD_RELEASE


def _one_in(count: int, payment: Value, *, salt: int = 0) -> bool:
    """Whether the bad release harms this payment: the same ones whenever it is tried."""
    return (crc32(payment["payment_id"].encode()) >> salt) % count == 0


def _cut_short(payment: Value) -> bytes:
    payload = encode(payment)
    return payload[: len(payload) * 2 // 3]
