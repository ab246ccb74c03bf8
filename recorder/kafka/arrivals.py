"""Listening in: a consumer in a process of its own that notes when each record of some partitions arrives.

It joins no group and keeps no record. It is a process of its own so that reading costs the sending nothing but its
share of the machine; steady time is the same for all processes of a machine.
"""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import threading
import time
from array import array
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, KafkaException, Message, TopicPartition

from recorder.child_process import start_module
from recorder.errors import KafkaUnavailableError
from recorder.kafka.connection import Connection

COLUMNS = 4  # lane, offset, append time (ms, NO_APPEND_TIME if the topic has none), arrival (steady ns)
NO_APPEND_TIME = -1
_HEAD = struct.Struct("<cq")  # what follows, and how many bytes of it
_READY, _ROWS, _ERROR = b"r", b"d", b"e"
_READY_SECONDS = 20.0
_NOTE_NS = 50_000_000
_MOST_WAITING = 1 << 20
_BATCH = 500
_NO_GROUP = KafkaError.GROUP_AUTHORIZATION_FAILED  # the client looks for a coordinator although it joins no group

Ints = npt.NDArray[np.int64]


class Listener:
    """Notes arrivals from the given offsets on. A context manager: it listens when it is entered.

    `places` are topics and partitions with the lane that stands for them and the offset to begin at. Raises
    KafkaUnavailableError when it can't read them.
    """

    def __init__(self, connection: Connection, places: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        self._connection, self._places = connection, places
        self._ready = threading.Event()
        self._arrived: deque[Ints] = deque()
        self._waiting = 0
        self.error: str | None = None
        """Why it hears no more."""
        self.overheard = 0
        """Arrivals that were not taken in time, and forgotten."""

    def __enter__(self) -> Self:
        self._process = start_module(__name__)
        self._thread = threading.Thread(target=self._hear, name="arrivals", daemon=True)
        self._thread.start()
        try:
            self._ask()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def take(self) -> Ints:
        """What arrived since the last time: rows of `COLUMNS` figures."""
        rows = [self._arrived.popleft() for _ in range(len(self._arrived))]
        self._waiting -= sum(map(len, rows))
        return np.concatenate(rows) if rows else np.empty((0, COLUMNS), np.int64)

    def _ask(self) -> None:
        places = [[topic, partition, *numbers] for (topic, partition), numbers in self._places.items()]
        connection = self._connection
        order = {"bootstrap": connection.bootstrap, "settings": connection.settings, "places": places}
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended at once: its reason is heard
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        if not self._ready.wait(_READY_SECONDS) or self.error:
            reason = (self.error or f"no answer in {_READY_SECONDS:.0f} s").rstrip(".")
            raise KafkaUnavailableError(
                f"The probe can't read the target at {connection.bootstrap}: {reason}. It needs the right READ on the "
                "topics; without --probe nothing is read."
            )

    def _hear(self) -> None:
        assert self._process.stdout is not None
        source = self._process.stdout
        while len(head := source.read(_HEAD.size)) == _HEAD.size:
            kind, length = _HEAD.unpack(head)
            body = source.read(length)
            if kind == _ROWS:
                rows = np.frombuffer(body, np.int64).reshape(-1, COLUMNS)
                if self._waiting + len(rows) > _MOST_WAITING:
                    self.overheard += len(rows)
                    continue
                self._waiting += len(rows)
                self._arrived.append(rows)
                continue
            if kind == _ERROR:
                self.error = body.decode()
            self._ready.set()
        if not self._ready.is_set():
            self.error = self.error or "its process ended"
            self._ready.set()

    def _end(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join(1)
        if self._process.stdout is not None and not self._thread.is_alive():
            self._process.stdout.close()


def listen(source: IO[bytes], out: IO[bytes]) -> None:
    """The listening process: an order comes in, arrivals go out, until the order's end is closed."""
    order: dict[str, Any] = json.loads(source.readline())
    ended = threading.Event()

    def wait_for_the_end() -> None:
        source.read()
        ended.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    consumer = Connection(order["bootstrap"], order["settings"]).consumer(
        enable_partition_eof=True, fetch_queue_backoff_ms=2, queued_max_messages_kbytes=16 << 10, fetch_min_bytes=1
    )
    lanes = {(topic, partition): lane for topic, partition, lane, _ in order["places"]}
    unread = set(lanes)
    rows, last_note = array("q"), time.monotonic_ns()
    try:
        consumer.assign([TopicPartition(topic, number, offset) for topic, number, _, offset in order["places"]])
        while not ended.is_set():
            for message, at in _wait(consumer):
                error, place = message.error(), (message.topic(), message.partition())
                if error is None:
                    kind, append_ms = message.timestamp()
                    stamp = append_ms if kind == TIMESTAMP_LOG_APPEND_TIME else NO_APPEND_TIME
                    rows.extend((lanes[place], message.offset(), stamp, at))  # type: ignore[arg-type]
                elif error.code() == KafkaError._PARTITION_EOF:
                    if place in unread:
                        unread.discard(place)
                        if not unread:
                            _tell(out, _READY, b"")
                elif not error.retriable() and error.code() >= 0 and error.code() != _NO_GROUP:
                    raise KafkaException(error)
            now = time.monotonic_ns()
            if rows and now - last_note > _NOTE_NS:
                _tell(out, _ROWS, rows.tobytes())
                del rows[:]
                last_note = now
    except KafkaException as error:
        _tell(out, _ERROR, str(error.args[0].str()).encode())
    except BrokenPipeError:
        return  # nobody wants to know any more
    finally:
        consumer.close()


def _wait(consumer: Consumer) -> list[tuple[Message, int]]:
    """What has arrived, each with its time: the first is waited for, the others were there with it."""
    first = consumer.poll(_NOTE_NS / 1e9)
    if first is None:
        return []
    heard = [(first, time.monotonic_ns())]
    more = consumer.consume(_BATCH, 0)
    at = time.monotonic_ns()
    return heard + [(message, at) for message in more]


def _tell(out: IO[bytes], kind: bytes, body: bytes) -> None:
    out.write(_HEAD.pack(kind, len(body)) + body)
    out.flush()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they are for the replay, which ends this process when it is done
    listen(sys.stdin.buffer, sys.stdout.buffer)
