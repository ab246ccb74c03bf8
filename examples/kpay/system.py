"""The whole system in one process: its threads, the incident in its middle, and an orderly end by the control plane."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kpay import control
from kpay.accounts import AccountProcessor
from kpay.balances import open_accounts
from kpay.customers import invent
from kpay.events import BAD_RELEASE, GOOD_RELEASE, Origin, now_ms
from kpay.generator import Generator
from kpay.inflight import InflightProcessor
from kpay.processor import Processor
from kpay.stats import StatsProcessor
from kpay.telemetry import Telemetry
from kpay.topics import create_topics

OPERATOR = "oncall@kpay.example"
_START_SECONDS = 60
_DRAIN_SECONDS = 60
_ROLLBACK_PAUSE_SECONDS = 1.0

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Plan:
    """How long, how much, which customers, and when the bad release is deployed (seconds)."""

    duration: float
    rate: float = 50
    seed: int = 7
    customers: int = 200
    instances: int = 3
    incident_after: float | None = None
    incident_for: float = 15


class HaltedError(Exception):
    """A component failed, or did not become ready, or the system could not be drained."""


def run(bootstrap: str, plan: Plan, tell: Tell) -> None:
    """Run the system as planned; `tell` is given each thing that an onlooker needs to know of. Raises `HaltedError`.

    Ctrl-C and SIGTERM end it early, drained as well.
    """
    create_topics(bootstrap)
    customers = invent(plan.customers, plan.seed)
    open_accounts(bootstrap, customers)
    telemetry = Telemetry(bootstrap)
    accounts = [
        AccountProcessor(bootstrap, Origin(f"accounts-{number}"), telemetry) for number in range(plan.instances)
    ]
    inflight = InflightProcessor(bootstrap, Origin("inflight"), telemetry)
    stats = StatsProcessor(bootstrap, Origin("stats"), telemetry)
    processors: list[Processor] = [*accounts, inflight, stats]
    generator = Generator(bootstrap, telemetry, customers, rate=plan.rate, seed=plan.seed)
    with _interruptible() as interrupted:
        clock = _Clock(interrupted, [*processors, generator])
        for processor in processors:
            processor.start()
        clock.until(lambda: all(processor.ready.is_set() for processor in processors), _START_SECONDS, "has partitions")
        tell({"event": "started", "at_ms": now_ms(), "customers": len(customers), "rate": plan.rate, "seed": plan.seed})
        generator.start()
        began = time.monotonic()
        if plan.incident_after is not None and clock.sleep_until(began + plan.incident_after):
            _incident(bootstrap, plan, accounts, telemetry, clock, tell)
        clock.sleep_until(began + plan.duration)
        generator.stopping.set()
        generator.join()
        interrupted.clear()
        control.send(bootstrap, "drain", reason="end of the run", issued_by=OPERATOR)
        clock.until(inflight.drained.is_set, _DRAIN_SECONDS, "is drained")
        tell({"event": "drained", "at_ms": now_ms()})
        # The last window of the stats closes a second after the last payment.
        clock.sleep_until(time.monotonic() + 2 * stats.linger)
        for processor in processors:
            processor.stopping.set()
        for processor in processors:
            processor.join(10)
    telemetry.flush()
    tell(
        {
            "event": "stopped",
            "at_ms": now_ms(),
            "requested": generator.sent,
            "confirmed": inflight.confirmed,
            "failed": inflight.failed,
        }
    )


def _incident(
    bootstrap: str, plan: Plan, accounts: list[AccountProcessor], telemetry: Telemetry, clock: _Clock, tell: Tell
) -> None:
    tell({"event": "incident-start", "at_ms": now_ms(), "release": BAD_RELEASE})
    _deploy(accounts, BAD_RELEASE, telemetry, "released 2.4.0: faster credits")
    clock.sleep_until(time.monotonic() + plan.incident_for)
    reason = "credits look doubled, dlq fills: rolling back"
    control.send(bootstrap, "pause", reason=reason, issued_by=OPERATOR)
    _deploy(accounts, GOOD_RELEASE, telemetry, f"rolled back to {GOOD_RELEASE}, asked by {OPERATOR}")
    tell({"event": "incident-end", "at_ms": now_ms(), "release": GOOD_RELEASE})
    clock.sleep_until(time.monotonic() + _ROLLBACK_PAUSE_SECONDS)
    control.send(bootstrap, "resume", reason="rolled back", issued_by=OPERATOR)


def _deploy(accounts: list[AccountProcessor], release: str, telemetry: Telemetry, message: str) -> None:
    for processor in accounts:
        processor.origin.release = release
    telemetry.audit(Origin("operations", release), "released", message)


class _Clock:
    """Waits, but not past an interruption and not past the failure of a component."""

    def __init__(self, interrupted: threading.Event, components: list[Any]) -> None:
        self._interrupted, self._components = interrupted, components

    def sleep_until(self, deadline: float) -> bool:
        """Until a monotonic time; False when interrupted before."""
        while (left := deadline - time.monotonic()) > 0:
            self._check()
            if self._interrupted.wait(min(left, 0.2)):
                return False
        return True

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self._check()
            if time.monotonic() > deadline:
                raise HaltedError(f"waited {seconds:.0f} s in vain until every component {what}")
            if self._interrupted.wait(0.05):
                raise HaltedError(f"interrupted before every component {what}")

    def _check(self) -> None:
        for component in self._components:
            if component.failure is not None:
                raise HaltedError(f"{component.name} failed: {component.failure}") from component.failure


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; the usual handlers again afterwards."""
    interrupted = threading.Event()
    kept = {number: signal.signal(number, lambda *_: interrupted.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
