"""Dead letters: records that somebody could not process, and what their headers say of where they came from and why.

Who writes them, and the source of each convention's names:

- Kafka Connect: text (`org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter`, KIP-298).
- Spring Kafka: partition, offset and timestamp as big-endian numbers
  (`org.springframework.kafka.listener.DeadLetterPublishingRecoverer`); its retry topics use other names for the same
  (`org.springframework.kafka.retrytopic.DeadLetterPublishingRecovererFactory`, `RetryTopicHeaders`).
- Kafka Streams from 4.2 on: text (`org.apache.kafka.streams.errors.internals.ExceptionHandlerUtils`, KIP-1034).
- Share groups: text (`org.apache.kafka.server.share.dlq.ShareGroupDLQStateManager`, KIP-1191).
- kpay, the example system: text (`kpay.processor.Processor.dead_letter`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.errors import UsageError

ATTEMPTS_HEADER = "blackbox-dlq-attempts"
"""How often a record was sent home, as decimal digits."""
DEFAULT_ATTEMPTS = 3

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Convention:
    """Which headers a system adds to a dead letter."""

    name: str
    topic: str
    partition: str | None = None
    timestamp: str | None = None
    reasons: tuple[str, ...] = ()
    """Where the exception's class stands, the most telling first."""
    prefixes: tuple[str, ...] = ()
    """What the names of all its headers begin with."""
    names: tuple[str, ...] = ()
    """Or these names, where they share nothing that others would not use."""
    binary: bool = False
    """Numbers are big-endian, as `java.nio.ByteBuffer` writes them; else decimal digits."""

    def owns(self, header: str) -> bool:
        """Did it add this header?"""
        return header == self.topic or header in self.names or header.startswith(self.prefixes)


_KPAY = ("exception", "message", "component", "topic", "partition", "offset", "at")

CONVENTIONS = (
    Convention(
        "Kafka Connect",
        topic="__connect.errors.topic",
        partition="__connect.errors.partition",
        reasons=("__connect.errors.exception.class.name",),
        prefixes=("__connect.errors.",),
    ),
    Convention(
        "Spring Kafka",
        topic="kafka_dlt-original-topic",
        partition="kafka_dlt-original-partition",
        timestamp="kafka_dlt-original-timestamp",
        reasons=("kafka_dlt-exception-cause-fqcn", "kafka_dlt-exception-fqcn", "kafka_dlt-key-exception-fqcn"),
        prefixes=("kafka_dlt-", "springDeserializerException"),
        binary=True,
    ),
    Convention(
        "Spring Kafka's retry topics",
        topic="kafka_original-topic",
        partition="kafka_original-partition",
        timestamp="kafka_original-timestamp",
        reasons=("kafka_exception-cause-fqcn", "kafka_exception-fqcn", "kafka_key-exception-fqcn"),
        prefixes=(
            "kafka_original-", "kafka_exception-", "kafka_key-exception-", "kafka_dlt-", "retry_topic-",
            "springDeserializerException",
        ),
        binary=True,
    ),
    Convention(
        "Kafka Streams",
        topic="__streams.errors.topic",
        partition="__streams.errors.partition",
        reasons=("__streams.errors.exception",),
        prefixes=("__streams.errors.",),
    ),
    Convention(
        "share groups",
        topic="__dlq.errors.topic",
        partition="__dlq.errors.partition",
        reasons=("__dlq.errors.message",),
        prefixes=("__dlq.errors.",),
    ),
    Convention(
        "kpay",
        topic="error.topic",
        partition="error.partition",
        reasons=("error.exception",),
        names=tuple(f"error.{name}" for name in _KPAY),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """How to bring dead letters home: whose headers say where that is, and how often a record may go there in all."""

    conventions: tuple[Convention, ...] = CONVENTIONS
    strip: tuple[str, ...] = ()
    """Further headers to take off, by what their names begin with."""
    max_attempts: int = DEFAULT_ATTEMPTS


@dataclass(frozen=True, slots=True)
class Letter:
    """What one record's headers say; `home` is None when they name no topic."""

    home: str | None = None
    partition: int | None = None
    timestamp_ms: int | None = None
    reason: str = ""
    attempts: int = 0
    """How often it was sent home before."""
    found: tuple[Convention, ...] = ()


def dead_letters(
    header: str | None = None, strip: Sequence[str] = (), max_attempts: int = DEFAULT_ATTEMPTS
) -> DeadLetters:
    """The known conventions, or, when a `header` is given that names the topic, that alone. Raises UsageError."""
    if max_attempts < 1:
        raise UsageError("--max-attempts counts how often a record may be sent home: give 1 or more.")
    if "" in strip or header == "":
        raise UsageError("--dlq-header and --dlq-strip name headers: they can't be empty.")
    conventions = CONVENTIONS if header is None else (Convention(header, topic=header),)
    return DeadLetters(conventions, tuple(strip), max_attempts)


def read_letter(headers: Headers, how: DeadLetters, not_home: frozenset[str] = frozenset()) -> Letter:
    """What a record's headers say of where it came from.

    Of several homes the last counts, as it is that of the last failure, but not one of `not_home`: a letter that
    failed in a dead-letter topic still belongs where it was first.
    """
    found = tuple(one for one in how.conventions if any(name == one.topic and value for name, value in headers))
    attempts = _attempts(headers)
    best: tuple[int, Convention] | None = None
    for at, (name, value) in enumerate(headers):
        for one in found:
            if name == one.topic and value and _text(value) not in not_home:
                best = at, one
    if best is None:
        return Letter(attempts=attempts, found=found)
    at, convention = best
    # Which of several partitions belongs to that topic: the one that was added with it.
    nth = sum(name == convention.topic for name, _ in headers[:at])

    def beside(name: str | None) -> bytes | None:
        values = [value for header, value in headers if header == name]
        return values[min(nth, len(values) - 1)] if values else None

    reasons = [value for name in convention.reasons for header, value in headers if header == name and value]
    return Letter(
        home=_text(headers[at][1] or b""),
        partition=_number(beside(convention.partition), convention.binary),
        timestamp_ms=_number(beside(convention.timestamp), convention.binary),
        reason=_text(reasons[0]) if reasons else "",
        attempts=attempts,
        found=found,
    )


def headers_home(headers: Headers, letter: Letter, how: DeadLetters) -> list[tuple[str, bytes | None]]:
    """The headers to send a letter home with: without those of its errors, with the count of attempts last."""
    kept = [
        (name, value)
        for name, value in headers
        if name != ATTEMPTS_HEADER
        and not name.startswith(how.strip)
        and not any(one.owns(name) for one in letter.found)
    ]
    return [*kept, (ATTEMPTS_HEADER, str(letter.attempts + 1).encode())]


def pairs_of(headers: pa.ListArray) -> Iterator[Headers]:
    """The headers of each record of a column."""
    for row in headers.to_pylist():
        yield [(pair["key"], pair["value"]) for pair in row]


def letters_for(home: str, headers: pa.ListArray, how: DeadLetters, not_home: frozenset[str]) -> npt.NDArray[np.bool_]:
    """Which records are letters that belong to a topic and may go there."""
    letters = (read_letter(pairs, how, not_home) for pairs in pairs_of(headers))
    return np.array([letter.home == home and letter.attempts < how.max_attempts for letter in letters], np.bool_)


def _attempts(headers: Headers) -> int:
    counts = [_number(value, binary=False) for name, value in headers if name == ATTEMPTS_HEADER]
    return max((count for count in counts if count is not None), default=0)


def _number(value: bytes | None, binary: bool) -> int | None:
    """Not negative; None for what is no number."""
    if value is None:
        return None
    if binary and len(value) in (4, 8):
        number = int.from_bytes(value, "big", signed=True)
    elif value.isdigit() and len(value) < 20:
        number = int(value)
    else:
        return None
    return number if 0 <= number < 1 << 63 else None


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
