"""Sending records exactly as given: an idempotent producer that takes whole columns and confirms every record.

Order under retries is the client's work (acks=all, at most 5 requests in flight, sequence numbers); nothing here ever
sends a record twice. Success is a delivery report, never a returned call.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import length_hint
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import TopicMetadata

from recorder.errors import KafkaUnavailableError
from recorder.kafka.connection import LOG, Connection

DEFAULT_BATCH_BYTES = 1_000_000  # librdkafka's own
MOST_IN_FLIGHT = 1 << 16  # records handed over and not yet confirmed
_QUEUE_KBYTES = 64 << 10
_WARM_UP_SECONDS = 20.0
_ASK_AGAIN_SECONDS = 1.0
_ADVICE = (
    " Is the right IDEMPOTENT_WRITE (or WRITE on the topics) missing, or a broker down or not reachable from here?"
)
_DELIVERY_SETTINGS = ("message.timeout.ms", "delivery.timeout.ms")  # two names of one
_COMPRESSION_SETTINGS = ("compression.type", "compression.codec")  # likewise
_DELIVERY_MS = 300_000  # librdkafka's own

Report = Callable[[KafkaError | None, Message], None]
Headers = list[tuple[str, bytes | None]]

__all__ = [
    "MOST_IN_FLIGHT",
    "Columns",
    "IdleProducer",
    "KafkaError",
    "Limits",
    "Message",
    "RecordProducer",
    "Refusal",
    "Report",
]


class Columns(NamedTuple):
    """Records to send, column by column. Timestamps are epoch milliseconds; 0 lets the client put the present."""

    topics: list[str]
    partitions: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers | None]
    timestamps: list[int]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the target accepts, in bytes: the largest batch of any topic, and of the most modest one."""

    largest_record: int
    largest_batch: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record was not taken over. `full`: try again when some are confirmed. `fatal`: none will be, ever."""

    error: str
    full: bool = False
    fatal: bool = False


class RecordProducer:
    """One producer for a whole replay. Not for several threads. `only_failures`: of nothing else there are reports."""

    def __init__(
        self,
        connection: Connection,
        *,
        limits: Limits,
        paced: bool,
        only_failures: bool = False,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self._connection = connection
        self._statistics = ""
        given = [connection.settings[name] for name in _DELIVERY_SETTINGS if name in connection.settings]
        self.patience_seconds = float(given[0] if given else _DELIVERY_MS) / 1e3 or float("inf")
        """How long a record may wait for its confirmation. It is for the user of this to end it all then: the client
        would give up single records, send on those behind them, and so lose some in the middle."""
        needed = {
            "acks": "all",
            "message.timeout.ms": 0,
            "enable.idempotence": True,
            "max.in.flight.requests.per.connection": 5,
            "delivery.report.only.error": only_failures,
            "message.max.bytes": max(limits.largest_record, 1_000_000),
            "statistics.interval.ms": 100,
            "stats_cb": self._heard,
        }
        wished: dict[str, Any] = {
            # Linger adds itself to every arrival: none when timing matters, enough to fill batches when it doesn't.
            "linger.ms": 0 if paced else 10,
            "batch.size": max(1, min(DEFAULT_BATCH_BYTES, limits.largest_batch)),
            "queue.buffering.max.messages": MOST_IN_FLIGHT,
            "queue.buffering.max.kbytes": max(_QUEUE_KBYTES, limits.largest_record // 512),
            "enable.sparse.connections": False,
        }
        if not paced and not any(name in connection.settings for name in _COMPRESSION_SETTINGS):
            # It costs the client what it saves on the socket, and spares the broker half of its work where values are
            # alike; what can't be made smaller goes as it is.
            wished["compression.type"] = "lz4"
        defaults = {key: value for key, value in wished.items() if key not in connection.settings}
        self._producer = connection.producer(
            **{key.replace(".", "_"): v for key, v in (defaults | needed | dict(more or {})).items()}
        )
        self._produce = self._producer.produce
        self._flushed = False
        self.serve(0)

    def warm_up(self, topics: Sequence[str]) -> None:
        """Return when topics are known, their leaders connected and the producer has its id: the first record shall
        not wait.

        Raises KafkaUnavailableError.
        """
        deadline = time.monotonic() + _WARM_UP_SECONDS
        asked = time.monotonic()
        leaders = self._leaders(topics)
        while (missing := self._missing(leaders)) is not None:
            if time.monotonic() > deadline:
                raise KafkaUnavailableError(f"{missing} within {_WARM_UP_SECONDS:.0f} s.{_ADVICE}")
            self._producer.poll(0.02)
            if time.monotonic() - asked > _ASK_AGAIN_SECONDS:  # one that is gone may lead nothing any more
                asked, leaders = time.monotonic(), self._leaders(topics)

    def send(self, columns: Columns, reports: Sequence[Report], start: int, stop: int) -> tuple[int, Refusal | None]:
        """Hand over rows `[start, stop)`; answers how many were taken and why the next one was not (None: all taken).

        `reports[row]` is called from `serve` or `flush` when the row is confirmed or has failed for good.
        """
        self._flushed = False
        return _hand_over(self._produce, columns, reports, start, stop)

    def ask(self, topic: str, seconds: float) -> None:
        """A request to a broker, for a topic's metadata, and its answer. Raises KafkaUnavailableError."""
        self._metadata(topic, seconds)

    def serve(self, wait_ns: int) -> None:
        """Call the reports that are there; wait up to `wait_ns` (whole milliseconds) for the first."""
        self._producer.poll(wait_ns / 1e9)

    def flush(self, seconds: float) -> int:
        """Wait for reports of what was handed over; how many are missing after `seconds`."""
        left = int(self._producer.flush(seconds))
        self._flushed = left == 0  # what the client counts from here on are its statistics, until they are heard
        return left

    def give_up(self) -> None:
        """Fail all that is not confirmed: each gets its report now."""
        self._producer.purge(in_queue=True, in_flight=True, blocking=True)
        self._producer.flush(1.0)

    @property
    def holds(self) -> int:
        """Records that were handed over and are neither confirmed nor, by a report, failed."""
        return 0 if self._flushed else len(self._producer)

    @property
    def retries(self) -> int:
        """How often the client sent a request again, as it counted lately."""
        brokers: dict[str, Any] = json.loads(self._statistics or "{}").get("brokers", {})
        return sum(int(broker.get("txretries", 0)) for broker in brokers.values())

    def _metadata(self, topic: str, seconds: float) -> TopicMetadata | None:
        try:
            topics: dict[str, TopicMetadata] = self._producer.list_topics(topic, timeout=seconds).topics
            return topics.get(topic)
        except KafkaException as error:
            raise self._connection.unavailable(error, "reach a broker") from error

    def _leaders(self, topics: Sequence[str]) -> set[int]:
        """The brokers that records of these topics will go to, of partitions that have a leader."""
        found = (self._metadata(topic, _WARM_UP_SECONDS) for topic in topics)
        return {one.leader for topic in found if topic for one in topic.partitions.values() if one.leader >= 0}

    def _missing(self, leaders: set[int]) -> str | None:
        """What the first record would wait for, as a sentence without its end; None: nothing."""
        state = json.loads(self._statistics or "{}")
        if state.get("eos", {}).get("idemp_state") != "Assigned":
            return f"No producer id from {self._connection.bootstrap}"
        brokers = {broker["nodeid"]: broker for broker in state["brokers"].values()}
        away = [leader for leader in sorted(leaders) if brokers.get(leader, {}).get("state") != "UP"]
        if not away:
            return None
        return f"No connection to broker {away[0]} ({brokers.get(away[0], {}).get('nodename') or 'address unknown'})"

    def _heard(self, statistics: str) -> None:
        self._statistics = statistics


def describe(error: KafkaError) -> str:
    """An error's name and text: ``MSG_SIZE_TOO_LARGE: Broker: Message size too large``."""
    return f"{error.name()}: {error.str()}"


class IdleProducer:
    """Takes records like a `RecordProducer`, and sends them nowhere: it knows no broker. A context manager."""

    def __init__(self) -> None:
        quiet = {"enable.idempotence": True, "queue.buffering.max.messages": MOST_IN_FLIGHT}
        self._producer = Producer(quiet, logger=LOG)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.purge(in_queue=True, in_flight=True, blocking=True)
        self._producer.flush(1.0)

    def send(self, columns: Columns, reports: Sequence[Report], start: int, stop: int) -> tuple[int, Refusal | None]:
        """As `RecordProducer.send`; the reports say that the records were purged."""
        return _hand_over(self._producer.produce, columns, reports, start, stop)

    def serve(self, wait_ns: int) -> None:
        self._producer.poll(wait_ns / 1e9)


def _hand_over(
    produce: Callable[..., None], columns: Columns, reports: Sequence[Report], start: int, stop: int
) -> tuple[int, Refusal | None]:
    topics = iter(columns.topics[start:stop])
    calls = map(
        produce,
        topics,
        columns.values[start:stop],
        columns.keys[start:stop],
        columns.partitions[start:stop],
        reports[start:stop],
        repeat(None),
        columns.timestamps[start:stop],
        columns.headers[start:stop],
    )
    try:
        deque(calls, maxlen=0)  # a loop without bytecode: it costs a quarter of a written one
    except BufferError:
        return stop - start - length_hint(topics) - 1, Refusal("the client's queue is full", full=True)
    except KafkaException as error:
        why: KafkaError = error.args[0]
        return stop - start - length_hint(topics) - 1, Refusal(describe(why), fatal=why.fatal())
    return stop - start, None
