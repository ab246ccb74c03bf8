"""Sending inside transactions, so that consumers that read only committed records see them in steps, or not at all.

A transaction is committed after so many records or so long a time. One that can't be is aborted, and nothing is sent
after it: what follows would stand before what is missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from recorder.errors import BlackboxError
from recorder.kafka.connection import Connection
from recorder.kafka.producer import Columns, Limits, RecordProducer, Refusal, Report, describe

TIMEOUT_MS = 60_000
_ANSWER_SECONDS = 30.0


class TransactionalProducer(RecordProducer):
    """A `RecordProducer` whose records become visible so many at a time, or so long after the first of them."""

    def __init__(
        self, connection: Connection, *, limits: Limits, paced: bool, name: str, records: int, milliseconds: int
    ) -> None:
        self._name, self._records, self._milliseconds = name, records, milliseconds
        self._open = 0
        self._opened_at = 0.0
        self._failure: str | None = None
        self.committed = self.aborted = 0
        self.committed_records = 0
        """The first so many that were taken over; those after them are open, or will never be seen."""
        super().__init__(connection, limits=limits, paced=paced, more=_settings(name))

    def warm_up(self, topics: Sequence[str]) -> None:
        """As for any producer, and the transactional id is ours. Raises also BlackboxError when we may not have it."""
        _take_over(self._producer, self._name)
        super().warm_up(topics)

    def send(self, columns: Columns, reports: Sequence[Report], start: int, stop: int) -> tuple[int, Refusal | None]:
        """May take fewer than asked for, without a refusal: the rest belongs to the next transaction."""
        if self._failure is None and not self._open:
            self._try(self._producer.begin_transaction)
            self._opened_at = time.monotonic()
        if self._failure is not None:
            return 0, Refusal(self._failure, fatal=True)
        stop = min(stop, start + self._records - self._open)
        taken, refusal = super().send(columns, reports, start, stop)
        self._open += taken
        if self._open >= self._records:
            self.commit()
        return taken, refusal

    def serve(self, wait_ns: int) -> None:
        if self._open and (time.monotonic() - self._opened_at) * 1e3 >= self._milliseconds:
            self.commit()
        super().serve(wait_ns)

    def commit(self) -> str | None:
        """Make what is open visible; why it could not be, when it was aborted instead (now or before)."""
        if self._open and self._failure is None:
            self._try(lambda: self._producer.commit_transaction(_ANSWER_SECONDS))
            if self._failure is None:
                self.committed += 1
                self.committed_records += self._open
            self._open = 0
        return self._failure

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except KafkaException as error:
            self._fail(error.args[0])

    def _fail(self, why: KafkaError) -> None:
        fenced = why.code() in {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}
        if fenced:
            cause = "another producer took its id, or it stayed open for longer than the brokers allow"
        else:
            cause = describe(why)
        self.aborted += 1
        self._failure = f"a transaction of {self._open:,} records was aborted ({cause}); nothing was sent after it"
        try:
            if not why.fatal():
                self._producer.abort_transaction(_ANSWER_SECONDS)
        except KafkaException as error:
            self._failure += f"; the abort was not confirmed ({describe(error.args[0])}), brokers will do it in time"


def end_what_is_open(connection: Connection, name: str) -> None:
    """End what an earlier producer of that id left behind, wherever it is: it is heard no more, a commit that it had
    begun is completed, and any other transaction aborted. On return the markers of that lie in the logs.

    Raises BlackboxError.
    """
    settings = {key.replace(".", "_"): value for key, value in _settings(name).items()}
    _take_over(connection.producer(**settings), name)


def _settings(name: str) -> dict[str, Any]:
    return {"transactional.id": name, "transaction.timeout.ms": TIMEOUT_MS}


def _take_over(producer: Producer, name: str) -> None:
    try:
        producer.init_transactions(_ANSWER_SECONDS)
    except KafkaException as error:
        why: KafkaError = error.args[0]
        advice = {
            KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "Ask for the rights WRITE and DESCRIBE on it.",
            KafkaError.INVALID_TRANSACTION_TIMEOUT: "Its brokers allow no transactions of "
            f"{TIMEOUT_MS / 1000:.0f} s: raise transaction.max.timeout.ms, or leave --transactional out.",
        }.get(why.code(), "Are enough brokers up for its transaction log (__transaction_state)?")
        raise BlackboxError(
            f"Nothing was sent. The target gives us no transactions for the id {name}: {why.str()}. {advice}"
        ) from None
