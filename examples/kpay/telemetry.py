"""Instrumentation and operations: every component's metrics and its audit and application log, as events."""

from __future__ import annotations

from kpay.clients import producer
from kpay.events import Event, Origin, Value, headers_of, now_text
from kpay.topics import AUDIT, METRICS


class Telemetry:
    """One producer that all components share; outside their transactions, as a log line tells of failures too."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = producer(bootstrap, "telemetry", linger_ms=200)

    def metric(self, origin: Origin, name: str, value: float, unit: str, payment_id: str | None = None) -> None:
        self._send(
            origin,
            METRICS,
            "kpay.metric",
            {
                "name": name,
                "value": round(value, 3),
                "unit": unit,
                "component": origin.component,
                "payment_id": payment_id,
                "at": now_text(),
            },
        )

    def audit(
        self, origin: Origin, action: str, message: str, *, level: str = "INFO", payment_id: str | None = None
    ) -> None:
        self._send(
            origin,
            AUDIT,
            "kpay.audit",
            {
                "component": origin.component,
                "level": level,
                "action": action,
                "message": message,
                "payment_id": payment_id,
                "release": origin.release,
                "at": now_text(),
            },
        )

    def flush(self) -> None:
        self._producer.flush(10)

    def _send(self, origin: Origin, topic: str, type_: str, value: Value) -> None:
        event = Event(topic=topic, key=origin.component, type=type_, subject=origin.component, value=value)
        self._producer.produce(topic, key=event.key, value=event.payload(), headers=headers_of(event, origin))
        self._producer.poll(0)
