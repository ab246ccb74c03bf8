"""Kafka's protocol as far as fetching in bulk needs it: an authenticated socket, requests and their answers.

Layouts and versions are those of Kafka's protocol guide. What a connection asks for that is not known here (Kerberos,
OAuth, key stores) is refused with `UnsuitableError` before anything is opened: librdkafka knows it all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recorder.kafka.connection import CLIENT_ID, Connection
from recorder.kafka.offsets import Place

_FETCH, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = 1, 17, 36
_FETCH_VERSION = 11  # Kafka 2.3 and later; the last one whose strings are not packed
LARGEST_ANSWER = 256 << 20
_KNOWN = {
    "client.id",
    "security.protocol",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
}
_SCRAM = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
_SCRAM_ROUNDS = range(4096, 1 << 20)
"""RFC 7677 asks for 4,096 at least; without an upper bound a server could keep us busy for hours."""


class UnsuitableError(Exception):
    """For this connection, or this broker, a whole client is needed."""


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


def require_known(connection: Connection) -> None:
    """UnsuitableError when the settings ask for more than is known here."""
    strange = connection.settings.keys() - _KNOWN
    protocol, mechanism = _security(connection.settings)
    if protocol.startswith("SASL") and mechanism not in {"PLAIN", *_SCRAM}:
        strange |= {mechanism}
    if strange or protocol not in {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}:
        raise UnsuitableError(f"settings that a whole client is needed for: {', '.join(sorted(strange)) or protocol}")


class Wire:
    """A connection to one broker, open and logged in. Every failure is an OSError or an UnsuitableError."""

    def __init__(self, connection: Connection, address: str, seconds: float) -> None:
        host, _, port = address.rpartition(":")
        self._client_id = _string(connection.settings.get("client.id", CLIENT_ID))
        self._asked = 0
        settings = connection.settings
        protocol, mechanism = _security(settings)
        self._socket = socket.create_connection((host.strip("[]"), int(port)), seconds)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if protocol.endswith("SSL"):
                self._socket = _tls(settings).wrap_socket(self._socket, server_hostname=host.strip("[]"))
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

    def ask_fetch(
        self, positions: Iterable[tuple[Place, int]], *, committed: bool, wait_ms: int, most: int, most_each: int
    ) -> None:
        """Ask for records from these positions on, in no fetch session: the broker keeps nothing about us."""
        topics: dict[str, list[bytes]] = {}
        for (topic, partition), at in positions:
            topics.setdefault(topic, []).append(struct.pack(">iiqqi", partition, -1, at, -1, most_each))
        body = struct.pack(">iiiibiii", -1, wait_ms, 1, most, committed, 0, -1, len(topics))
        for topic, partitions in topics.items():
            body += _string(topic) + struct.pack(">i", len(partitions)) + b"".join(partitions)
        self._send(_FETCH, _FETCH_VERSION, body + struct.pack(">i", 0) + _string(""))

    def fetched(self) -> tuple[list[Answer], int]:
        """The answer to the oldest request that has none, and its size in bytes."""
        answer = self._receive()
        reader = _Reader(answer)
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
        self._send(_SASL_HANDSHAKE, 1, _string(mechanism))
        (error,) = _Reader(self._receive()).read(">h")
        if error:
            raise UnsuitableError(f"the broker takes no {mechanism}")
        if mechanism == "PLAIN":
            self._authenticate(f"\0{user}\0{password}".encode())
            return
        scram = Scram(_SCRAM[mechanism], user, password)
        final = scram.answer(self._authenticate(scram.first()))
        scram.check(self._authenticate(final))

    def _authenticate(self, message: bytes) -> bytes:
        self._send(_SASL_AUTHENTICATE, 0, struct.pack(">i", len(message)) + message)
        reader = _Reader(self._receive())
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


class Scram:
    """The client's side of SCRAM (RFC 5802) without channel binding, as Kafka uses it."""

    def __init__(self, algorithm: str, user: str, password: str, nonce: str | None = None) -> None:
        self._algorithm, self._password = algorithm, password
        self._nonce = nonce or secrets.token_urlsafe(24)
        self._bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={self._nonce}"
        self._server_signature = b""

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def answer(self, challenge: bytes) -> bytes:
        """The proof that we know the password; UnsuitableError when the challenge is none."""
        text = challenge.decode("utf-8", "replace")
        match = re.fullmatch(r"r=([^,]+),s=([A-Za-z0-9+/=]+),i=(\d{1,9})(?:,.*)?", text)
        if not match or not match[1].startswith(self._nonce) or int(match[3]) not in _SCRAM_ROUNDS:
            raise UnsuitableError("a SCRAM challenge that is none")
        salted = hashlib.pbkdf2_hmac(
            self._algorithm, self._password.encode(), base64.b64decode(match[2]), int(match[3])
        )
        client_key = self._hmac(salted, b"Client Key")
        last = f"c=biws,r={match[1]}"
        signed = f"{self._bare},{text},{last}".encode()
        signature = self._hmac(hashlib.new(self._algorithm, client_key).digest(), signed)
        proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
        self._server_signature = self._hmac(self._hmac(salted, b"Server Key"), signed)
        return f"{last},p={base64.b64encode(proof).decode()}".encode()

    def check(self, verdict: bytes) -> None:
        """UnsuitableError unless the server proves that it knows the password, too."""
        if not hmac.compare_digest(verdict.split(b",")[0], b"v=" + base64.b64encode(self._server_signature)):
            raise UnsuitableError("a server that does not know the password")

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._algorithm)


class _Reader:
    """Takes an answer apart; what is shorter than it says is UnsuitableError."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def read(self, form: str) -> tuple[int, ...]:
        try:
            found = struct.unpack_from(form, self._data, self._at)
        except struct.error:
            raise UnsuitableError("an answer that is cut off") from None
        self._at += struct.calcsize(form)
        return found

    def count(self) -> int:
        (number,) = self.read(">i")
        return max(number, 0)

    def string(self) -> str:
        (size,) = self.read(">h")
        return str(self._take(max(size, 0)), "utf-8")

    def bytes(self) -> memoryview:
        return self._take(self.count())

    def _take(self, size: int) -> memoryview:
        if self._at + size > len(self._data):
            raise UnsuitableError("an answer that is cut off")
        self._at += size
        return self._data[self._at - size : self._at]


def _security(settings: Mapping[str, str]) -> tuple[str, str]:
    mechanism = settings.get("sasl.mechanism") or settings.get("sasl.mechanisms") or "GSSAPI"
    return settings.get("security.protocol", "PLAINTEXT").upper(), mechanism.upper()


def _tls(settings: Mapping[str, str]) -> ssl.SSLContext:
    """As librdkafka has it: certificates are checked, and host names, unless the settings say otherwise."""
    try:
        context = ssl.create_default_context(cafile=_ca_file(settings), cadata=settings.get("ssl.ca.pem"))
        context.check_hostname = settings.get("ssl.endpoint.identification.algorithm", "https") == "https"
        if settings.get("enable.ssl.certificate.verification", "true") != "true":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate := settings.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, settings.get("ssl.key.location"), settings.get("ssl.key.password", ""))
    except (ssl.SSLError, ValueError) as error:
        raise UnsuitableError(f"certificates that can't be read: {error}") from None
    return context


def _ca_file(settings: Mapping[str, str]) -> str | None:
    path = settings.get("ssl.ca.location")
    if path and not Path(path).is_file():
        raise UnsuitableError("certificates in a directory, or to be searched for")
    return path


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">h", len(encoded)) + encoded
