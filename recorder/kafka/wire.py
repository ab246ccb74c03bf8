"""Kafka's protocol as far as the client library leaves us to it: an authenticated socket, requests and their answers.

Layouts and versions are those of Kafka's protocol guide.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from recorder.kafka.connection import CLIENT_ID, Connection
from recorder.kafka.login import SCRAM, Scram, UnsuitableError, security_of, tls_of
from recorder.kafka.offsets import Place

_FETCH, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = 1, 17, 36
_FETCH_VERSION = 11  # Kafka 2.3 and later; the last one whose strings are not packed
LARGEST_ANSWER = 256 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a broker sent of one partition."""

    place: Place
    error: int
    log_end: int
    """The end of what is readable under the isolation that was asked for."""
    aborted: list[tuple[int, int]]
    """Producer and first offset of aborted transactions."""
    preferred_replica: int
    records: memoryview


class Wire:
    """A connection to one broker, open and logged in. Every failure is an OSError or an UnsuitableError."""

    def __init__(self, connection: Connection, address: str, seconds: float) -> None:
        host, _, port = address.rpartition(":")
        self._client_id = packed_string(connection.settings.get("client.id", CLIENT_ID))
        self._asked = 0
        settings = connection.settings
        protocol, mechanism = security_of(settings)
        self._socket = socket.create_connection((host.strip("[]"), int(port)), seconds)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if protocol.endswith("SSL"):
                self._socket = tls_of(settings).wrap_socket(self._socket, server_hostname=host.strip("[]"))
            if protocol.startswith("SASL"):
                self._log_in(mechanism, settings.get("sasl.username", ""), settings.get("sasl.password", ""))
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """End it; who waits for an answer in another thread gets an OSError."""
        with suppress(OSError):  # the broker may have been first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def call(self, kind: int, version: int, body: bytes) -> Reader:
        """A request that is no fetch, and its answer. Only while no other request waits for its answer."""
        self._send(kind, version, body)
        return Reader(self._receive())

    def ask_fetch(
        self, positions: Iterable[tuple[Place, int]], *, committed: bool, wait_ms: int, most: int, most_each: int
    ) -> None:
        """Ask for records from these positions on, in no fetch session: the broker keeps nothing about us."""
        topics: dict[str, list[bytes]] = {}
        for (topic, partition), at in positions:
            topics.setdefault(topic, []).append(struct.pack(">iiqqi", partition, -1, at, -1, most_each))
        body = struct.pack(">iiiibiii", -1, wait_ms, 1, most, committed, 0, -1, len(topics))
        for topic, partitions in topics.items():
            body += packed_string(topic) + struct.pack(">i", len(partitions)) + b"".join(partitions)
        self._send(_FETCH, _FETCH_VERSION, body + struct.pack(">i", 0) + packed_string(""))

    def fetched(self) -> tuple[list[Answer], int]:
        """The answer to the oldest request that has none, and its size in bytes."""
        answer = self._receive()
        reader = Reader(answer)
        _throttled, error, _session = reader.read(">ihi")
        if error:
            raise UnsuitableError(f"the broker's error {error}")
        found = []
        for _ in range(reader.count()):
            topic = reader.string()
            for _ in range(reader.count()):
                partition, error, high, stable, _start = reader.read(">ihqqq")
                aborted = [(producer, first) for producer, first in (reader.read(">qq") for _ in range(reader.count()))]
                (preferred,) = reader.read(">i")
                records = reader.bytes()
                end = stable if stable >= 0 else high
                found.append(Answer((topic, partition), error, end, aborted, preferred, records))
        return found, len(answer)

    def _log_in(self, mechanism: str, user: str, password: str) -> None:
        self._send(_SASL_HANDSHAKE, 1, packed_string(mechanism))
        (error,) = Reader(self._receive()).read(">h")
        if error:
            raise UnsuitableError(f"the broker takes no {mechanism}")
        if mechanism == "PLAIN":
            self._authenticate(f"\0{user}\0{password}".encode())
            return
        scram = Scram(SCRAM[mechanism], user, password)
        final = scram.answer(self._authenticate(scram.first()))
        scram.check(self._authenticate(final))

    def _authenticate(self, message: bytes) -> bytes:
        self._send(_SASL_AUTHENTICATE, 0, struct.pack(">i", len(message)) + message)
        reader = Reader(self._receive())
        (error,) = reader.read(">h")
        if error:
            raise UnsuitableError("the broker does not let us in")  # the whole client hears and tells why
        reader.string()
        return bytes(reader.bytes())

    def _send(self, kind: int, version: int, body: bytes) -> None:
        self._asked += 1
        request = struct.pack(">hhi", kind, version, self._asked) + self._client_id + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)

    def _receive(self) -> memoryview:
        """An answer without its correlation id; they come in the order of the requests."""
        (size,) = struct.unpack(">i", self._receive_exactly(4))
        if not 4 <= size <= LARGEST_ANSWER:
            raise UnsuitableError(f"an answer of {size} bytes")
        return self._receive_exactly(size)[4:]

    def _receive_exactly(self, size: int) -> memoryview:
        found = memoryview(bytearray(size))
        filled = 0
        while filled < size:
            received = self._socket.recv_into(found[filled:])
            if not received:
                raise ConnectionResetError("the broker closed the connection")
            filled += received
        return found


class Reader:
    """Takes an answer apart (layouts without packed fields); what is shorter than it says is UnsuitableError."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def read(self, form: str) -> tuple[Any, ...]:
        try:
            found = struct.unpack_from(form, self._data, self._at)
        except struct.error:
            raise UnsuitableError("an answer that is cut off") from None
        self._at += struct.calcsize(form)
        return found

    def count(self) -> int:
        (number,) = self.read(">i")
        return max(int(number), 0)

    def string(self) -> str:
        """Empty for null."""
        (size,) = self.read(">h")
        return str(self._take(max(size, 0)), "utf-8")

    def bytes(self) -> memoryview:
        return self._take(self.count())

    def _take(self, size: int) -> memoryview:
        if self._at + size > len(self._data):
            raise UnsuitableError("an answer that is cut off")
        self._at += size
        return self._data[self._at - size : self._at]


def packed_string(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">h", -1)
    encoded = text.encode()
    return struct.pack(">h", len(encoded)) + encoded
