"""An event on the wire: JSON in the value, CloudEvents attributes and the trace in the headers (binary mode)."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Message

Value = dict[str, Any]
Headers = list[tuple[str, str | bytes | None]]

TYPE = "ce_type"
SUBJECT = "ce_subject"

GOOD_RELEASE = "2.3.1"
BAD_RELEASE = "2.4.0"


@dataclass
class Origin:
    """Who emits: a component, and the release of it that is deployed now (which changes while it runs)."""

    component: str
    release: str = GOOD_RELEASE


@dataclass(frozen=True)
class Event:
    """What a component wants to be sent; `headers` only when a failed record's own headers go along."""

    topic: str
    key: str | bytes | None
    type: str
    subject: str
    value: Value | bytes
    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    headers: Headers | None = None

    def payload(self) -> bytes:
        return self.value if isinstance(self.value, bytes) else encode(self.value)


@dataclass(frozen=True)
class Record:
    """What was read: a record without an error."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Headers

    def header(self, name: str) -> str:
        """The last value of a header as text; empty when it has none."""
        for key, value in reversed(self.headers):
            if key == name and value is not None:
                return value.decode(errors="replace") if isinstance(value, bytes) else value
        return ""

    @property
    def trace(self) -> str:
        """The trace that the record belongs to, so that what follows from it belongs to it too."""
        parts = self.header("traceparent").split("-")
        return parts[1] if len(parts) == 4 else secrets.token_hex(16)


def record(message: Message) -> Record:
    """A message of Kafka's client as a record."""
    assert message.error() is None, message.error()
    return Record(
        topic=str(message.topic()),
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        key=message.key() or b"",
        value=message.value() or b"",
        headers=list(message.headers() or []),  # type: ignore[arg-type]
    )


def encode(value: Value) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def parse(payload: bytes) -> Value:
    """The value of a record; `ValueError` when it is not a JSON object in UTF-8."""
    value = json.loads(payload.decode())
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was expected, not {type(value).__name__}")
    return value


def headers_of(event: Event, origin: Origin) -> Headers:
    if event.headers is not None:
        return event.headers
    return [
        ("ce_specversion", "1.0"),
        ("ce_id", secrets.token_hex(8)),
        ("ce_source", f"/kpay/{origin.component}"),
        (TYPE, event.type),
        ("ce_time", now_text()),
        (SUBJECT, event.subject),
        ("content-type", "application/json"),
        ("traceparent", f"00-{event.trace}-{secrets.token_hex(8)}-01"),
        ("release", origin.release),
    ]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def now_text() -> str:
    return time_text(now_ms())


def time_text(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
