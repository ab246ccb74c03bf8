"""Java's trust and key stores as PEM, which is what librdkafka reads: JKS, PKCS12 and PEM, told apart by their content.

Java itself looks at the content too: since version 9 most files named `….jks` are PKCS12.
"""

from __future__ import annotations

import hashlib
import io
import ssl
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)

Kind = Literal["PEM", "PKCS12", "JKS"]

_JKS_MAGIC = b"\xfe\xed\xfe\xed"
_JKS_KEY, _JKS_CERTIFICATE = 1, 2
_SHA1_BYTES = 20


class StoreError(ValueError):
    """Why a store can't be used, in words that hold nothing of its content."""


@dataclass(frozen=True, slots=True, repr=False)
class Store:
    """The PEM texts in a store: whom to trust, and who we are (empty when it doesn't say)."""

    certificates: str = ""
    chain: str = ""
    key: str = ""


def kind_of(path: Path) -> Kind:
    """The kind of store in a file; StoreError when it is none of ours."""
    head = path.read_bytes()[:4096]
    if head.startswith(_JKS_MAGIC):
        return "JKS"
    if b"-----BEGIN" in head:
        return "PEM"
    if head[:1] == b"\x30":  # any DER sequence; reading it will tell
        return "PKCS12"
    raise StoreError("is neither PEM nor PKCS12 nor JKS")


def read_store(path: Path, password: str, key_password: str | None = None) -> Store:
    """The content of a PKCS12 or JKS store; StoreError when the password is wrong or it is damaged.

    The key of a JKS store may have a password of its own; nothing is left of either in the result.
    """
    content = path.read_bytes()
    if content.startswith(_JKS_MAGIC):
        return _read_jks(content, password, key_password or password)
    return _read_pkcs12(content, password)


def _read_pkcs12(content: bytes, password: str) -> Store:
    try:
        found = pkcs12.load_pkcs12(content, password.encode())
    except ValueError:
        raise _locked() from None
    others = "".join(_certificate(extra.certificate.public_bytes(Encoding.DER)) for extra in found.additional_certs)
    if found.key is None or found.cert is None:
        return Store(certificates=others)
    own = _certificate(found.cert.certificate.public_bytes(Encoding.DER))
    return Store(others, own + others, _private_key(found.key))


def _read_jks(content: bytes, password: str, key_password: str) -> Store:
    """The layout is that of sun.security.provider.JavaKeyStore: entries, and a digest that is keyed by the password."""
    body, digest = content[:-_SHA1_BYTES], content[-_SHA1_BYTES:]
    if hashlib.sha1(_utf16(password) + b"Mighty Aphrodite" + body).digest() != digest:
        raise _locked()
    stream = io.BytesIO(body[len(_JKS_MAGIC) :])
    version, entries = _number(stream), _number(stream)
    store = Store()
    for _ in range(entries):
        tag = _number(stream)
        _block(stream, ">H")  # its alias
        stream.read(8)  # its date
        if tag == _JKS_CERTIFICATE:
            trusted = _jks_certificate(stream, version)
            store = replace(store, certificates=store.certificates + trusted)
        elif tag == _JKS_KEY:
            key = _unlock(_block(stream), key_password)
            chain = "".join(_jks_certificate(stream, version) for _ in range(_number(stream)))
            store = replace(store, chain=chain, key=key)
        else:
            raise StoreError("holds an entry that is neither a certificate nor a private key")
    return store


def _jks_certificate(stream: io.BytesIO, version: int) -> str:
    if version == 2:
        _block(stream, ">H")  # the certificate's type: X.509, always
    return _certificate(_block(stream))


def _number(stream: io.BytesIO, form: str = ">I") -> int:
    return int(struct.unpack(form, stream.read(struct.calcsize(form)))[0])


def _block(stream: io.BytesIO, length_form: str = ">I") -> bytes:
    return stream.read(_number(stream, length_form))


def _unlock(entry: bytes, password: str) -> str:
    """A JKS private key: XORed with a chain of SHA-1 over password and salt (sun.security.provider.KeyProtector)."""
    _, protected = _der_parts(_der_parts(entry)[0])
    salt, locked, check = protected[:_SHA1_BYTES], protected[_SHA1_BYTES:-_SHA1_BYTES], protected[-_SHA1_BYTES:]
    secret, link, pad = _utf16(password), salt, b""
    while len(pad) < len(locked):
        link = hashlib.sha1(secret + link).digest()
        pad += link
    plain = bytes(a ^ b for a, b in zip(locked, pad, strict=False))
    if hashlib.sha1(secret + plain).digest() != check:
        raise StoreError("holds a private key whose password is another")
    return _private_key(load_der_private_key(plain, None))


def _der_parts(content: bytes) -> list[bytes]:
    """The values that stand side by side in DER."""
    stream, parts = io.BytesIO(content), []
    while stream.read(1):
        length = stream.read(1)[0]
        if length & 0x80:
            length = int.from_bytes(stream.read(length & 0x7F))
        parts.append(stream.read(length))
    return parts


def _certificate(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der)


def _private_key(key: PrivateKeyTypes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _utf16(password: str) -> bytes:
    return password.encode("utf-16-be")


def _locked() -> StoreError:
    return StoreError("can't be opened: its password is wrong, or it is damaged")
