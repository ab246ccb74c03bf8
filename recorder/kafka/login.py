"""What a connection's settings ask of a plain socket: TLS, and the logins that need no more than a password.

What is not known here (Kerberos, OAuth, key stores) is refused with `UnsuitableError` before anything is opened:
librdkafka knows it all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import ssl
from collections.abc import Mapping
from pathlib import Path

from recorder.kafka.connection import Connection

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
    # Of producers: they change nothing for who reads.
    "acks",
    "batch.num.messages",
    "batch.size",
    "compression.codec",
    "compression.level",
    "compression.type",
    "delivery.timeout.ms",
    "linger.ms",
    "max.request.size",
    "message.max.bytes",
    "message.timeout.ms",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "request.timeout.ms",
}
SCRAM = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
_SCRAM_ROUNDS = range(4096, 1 << 20)
"""RFC 7677 asks for 4,096 at least; without an upper bound a server could keep us busy for hours."""


class UnsuitableError(Exception):
    """For this connection, or this broker, a whole client is needed."""


def user_of(connection: Connection) -> str | None:
    """The name that brokers know us by; None where they make it of a certificate."""
    settings = connection.settings
    protocol, _ = security_of(settings)
    if protocol.startswith("SASL"):
        return settings.get("sasl.username")
    return "ANONYMOUS" if protocol == "PLAINTEXT" or "ssl.certificate.location" not in settings else None


def require_known(connection: Connection) -> None:
    """UnsuitableError when the settings ask for more than is known here."""
    strange = connection.settings.keys() - _KNOWN
    protocol, mechanism = security_of(connection.settings)
    if protocol.startswith("SASL") and mechanism not in {"PLAIN", *SCRAM}:
        strange |= {mechanism}
    if strange or protocol not in {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}:
        raise UnsuitableError(f"settings that a whole client is needed for: {', '.join(sorted(strange)) or protocol}")


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


def security_of(settings: Mapping[str, str]) -> tuple[str, str]:
    mechanism = settings.get("sasl.mechanism") or settings.get("sasl.mechanisms") or "GSSAPI"
    return settings.get("security.protocol", "PLAINTEXT").upper(), mechanism.upper()


def tls_of(settings: Mapping[str, str]) -> ssl.SSLContext:
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
