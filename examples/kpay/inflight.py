"""The inflight processor: lets payments in, knows how many and how much is in flight, obeys the control plane."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence

from confluent_kafka import TopicPartition

from kpay.control import Follower
from kpay.events import SUBJECT, Event, Origin, Record, Value, now_text, parse
from kpay.processor import Processor
from kpay.telemetry import Telemetry
from kpay.topics import COMPLETE, DLQ, INCOMING, INFLIGHT

LIMIT_CENTS = 250_000
_QUIET_SECONDS = 1.0


class LimitExceededError(Exception):
    """A payment larger than this system may make."""


class InflightProcessor(Processor):
    """`payments.incoming` → `payments.inflight`; what completes or fails leaves the flight."""

    topics = (INCOMING, COMPLETE, DLQ)
    group = "kpay-inflight"

    def __init__(self, bootstrap: str, origin: Origin, telemetry: Telemetry) -> None:
        super().__init__(bootstrap, origin, telemetry)
        self.drained = threading.Event()
        self.confirmed = self.failed = 0
        self._flying: dict[str, int] = {}
        self._value_cents = 0
        self._control = Follower(bootstrap)
        self._intake: list[TopicPartition] = []
        self._draining = False
        self._last_arrival = self._last_report = time.monotonic()

    def handle(self, records: Sequence[Record]) -> Iterable[Event]:
        for record in records:
            if record.topic == INCOMING:
                self._last_arrival = time.monotonic()
                yield self._let_in(record)
            else:
                self._let_out(record)

    def run(self) -> None:
        super().run()
        self._control.close()

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._intake = [TopicPartition(each.topic, each.partition) for each in partitions if each.topic == INCOMING]

    def tick(self) -> None:
        for command in self._control.commands():
            self._obey(command)
        now = time.monotonic()
        if (
            self._draining
            and not self._flying
            and now - self._last_arrival > _QUIET_SECONDS
            and not self.drained.is_set()
        ):
            self.telemetry.audit(self.origin, "drained", "nothing is in flight any more")
            self.drained.set()
        if now - self._last_report >= 1:
            self._last_report = now
            for name, value, unit in (
                ("inflight.count", len(self._flying), "payments"),
                ("inflight.value_cents", self._value_cents, "cents"),
                ("confirmed.count", self.confirmed, "payments"),
                ("failed.count", self.failed, "payments"),
            ):
                self.telemetry.metric(self.origin, name, value, unit)

    def _let_in(self, record: Record) -> Event:
        try:
            payment = parse(record.value)
            _check_limit(payment)
        except (ValueError, LimitExceededError) as error:
            return self.dead_letter(record, error)
        self._flying[payment["payment_id"]] = payment["amount_cents"]
        self._value_cents += payment["amount_cents"]
        return Event(
            topic=INFLIGHT,
            key=payment["payer"]["account_id"],
            type="kpay.payment.debit",
            subject=payment["payment_id"],
            trace=record.trace,
            value=payment
            | {
                "status": "accepted",
                "step": "debit",
                "accepted_at": now_text(),
                "inflight": {"count": len(self._flying), "value_cents": self._value_cents},
            },
        )

    def _let_out(self, record: Record) -> None:
        if record.topic == COMPLETE:
            self.confirmed += 1
        else:
            self.failed += 1
        self._value_cents -= self._flying.pop(record.header(SUBJECT), 0)

    def _obey(self, command: str) -> None:
        if command == "pause":
            self.consumer.pause(self._intake)
            self.telemetry.audit(self.origin, "paused", f"no new payments; {len(self._flying)} in flight complete")
        elif command == "resume":
            self.consumer.resume(self._intake)
            self.telemetry.audit(self.origin, "resumed", "taking payments again")
        elif command == "drain":
            self.consumer.resume(self._intake)
            self._draining, self._last_arrival = True, time.monotonic()


def _check_limit(payment: Value) -> None:
    if payment["amount_cents"] > LIMIT_CENTS:
        who = payment["customer"]
        raise LimitExceededError(
            f"{payment['amount_cents'] / 100:.2f} EUR by {who['name']} ({who['phone']}) is above the limit of "
            f"{LIMIT_CENTS / 100:.2f} EUR"
        )
