"""The load: customers who pay each other at a given rate, the same payments for the same seed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

from kpay.clients import producer
from kpay.control import Follower
from kpay.customers import Customer, note
from kpay.events import Event, Origin, Value, headers_of, now_ms, now_text
from kpay.inflight import LIMIT_CENTS
from kpay.telemetry import Telemetry
from kpay.topics import INCOMING


def payment(chance: random.Random, customers: Sequence[Customer], payment_id: str) -> Value:
    """A payment of one customer to another; what is random about it comes from `chance`."""
    payer, payee = chance.sample(customers, 2)
    too_much = chance.random() < 0.01
    amount = chance.randrange(LIMIT_CENTS + 1, 4 * LIMIT_CENTS) if too_much else int(chance.lognormvariate(8, 1))
    value: Value = {
        "payment_id": payment_id,
        "status": "requested",
        "amount_cents": max(amount, 1),
        "currency": "EUR",
        "requested_at": now_text(),
        "customer": {
            "customer_id": payer.customer_id,
            "name": payer.name,
            "email": payer.email,
            "phone": payer.phone,
        },
        "payer": {"account_id": payer.account_id, "iban": payer.iban},
        "payee": {"account_id": payee.account_id, "iban": payee.iban, "name": payee.name},
        "card": payer.card if chance.random() < 0.5 else None,
    }
    if chance.random() < 0.9:
        value["note"] = note(chance, payer, payee)
    return value


class Generator(threading.Thread):
    """Sends payments at random moments, `rate` a second on average, until told to stop or to drain."""

    def __init__(
        self, bootstrap: str, telemetry: Telemetry, customers: Sequence[Customer], *, rate: float, seed: int
    ) -> None:
        super().__init__(name="generator", daemon=True)
        self.origin, self.telemetry = Origin("generator"), telemetry
        self.sent = 0
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self._customers, self._rate, self._chance = customers, rate, random.Random(seed)
        # Seconds since 1970 in base 36: payments of another run on the same topics are other payments.
        self._run = _base36(now_ms() // 1000)
        self._control = Follower(bootstrap)
        self._producer = producer(bootstrap, "generator", linger_ms=20)

    def run(self) -> None:
        try:
            self._generate()
        except Exception as error:  # noqa: BLE001 - a thread's failure is the whole system's: `system.run` raises it
            self.failure = error

    def _generate(self) -> None:
        due = reported = time.monotonic()
        reported_sent = 0
        while not self.stopping.is_set():
            now = time.monotonic()
            while due <= now:
                self._send()
                due += self._chance.expovariate(self._rate)
            if "drain" in self._control.commands():
                break
            if now - reported >= 1:
                speed = (self.sent - reported_sent) / (now - reported)
                self.telemetry.metric(self.origin, "throughput", speed, "payments/s")
                reported, reported_sent = now, self.sent
            self.stopping.wait(min(0.1, max(0.002, due - time.monotonic())))
        self._producer.flush(10)
        self._control.close()
        self.telemetry.audit(self.origin, "stopped", f"generator stopped after {self.sent} payments")

    def _send(self) -> None:
        payment_id = f"pay-{self._run}-{self.sent:06d}"
        event = Event(
            topic=INCOMING,
            key=payment_id,
            type="kpay.payment.requested",
            subject=payment_id,
            value=payment(self._chance, self._customers, payment_id),
            trace=f"{self._chance.getrandbits(128):032x}",
        )
        self._producer.produce(INCOMING, key=payment_id, value=event.payload(), headers=headers_of(event, self.origin))
        self._producer.poll(0)
        self.sent += 1


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text
