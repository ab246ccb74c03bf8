"""X25519 keys for quarantines: the machine that scrubs needs the public one alone, a person who looks the private one.

Private keys are PKCS#8 PEM, public keys SubjectPublicKeyInfo PEM, as OpenSSL writes and reads them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recorder.errors import UsageError
from recorder.scrubbing.signing import read_key, write_pair

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

_MAKE = "make a pair with 'blackbox keys new --quarantine'"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a quarantine is encrypted for: a public key."""

    key: X25519PublicKey

    @property
    def raw(self) -> bytes:
        """32 bytes."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the raw public key."""
        return hashlib.sha256(self.raw).hexdigest()[:16]


class Opener:
    """Opens quarantines with a private key that it never shows."""

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key

    @property
    def recipient(self) -> Recipient:
        return Recipient(self._key.public_key())

    def shared(self, other: X25519PublicKey) -> bytes:
        """The secret that both sides of an exchange know. Raises ValueError for a key that is no point to trust."""
        return self._key.exchange(other)

    def __repr__(self) -> str:
        return f"Opener({self.recipient.key_id}, key hidden)"


def new_quarantine_pair(private: Path, public: Path) -> str:
    """Write a new pair of keys, the private one readable by its owner alone; its key id. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.generate()
    write_pair(key, private, public)
    return Opener(key).recipient.key_id


def load_recipient(path: Path) -> Recipient:
    """The public key in a file. Raises UsageError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = read_key(path, str(path))
    if b"PRIVATE KEY" in content:
        raise UsageError(f"{path} holds a private key: give the public one here, and keep this one away from scrubs.")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path} holds no public key (PEM): {_MAKE}.") from None
    if not isinstance(key, X25519PublicKey):
        raise UsageError(f"{path} holds a key that can't encrypt a quarantine (it is not X25519): {_MAKE}.")
    return Recipient(key)


def load_opener(path: Path) -> Opener:
    """The private key in a file. Raises UsageError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = read_key(path, str(path))
    if b"PUBLIC KEY" in content:
        raise UsageError(f"{path} holds a public key, which only encrypts: give the private one that belongs to it.")
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{path} holds no private key that can be read (PEM, without a password).") from None
    if not isinstance(key, X25519PrivateKey):
        raise UsageError(f"{path} holds another kind of key than X25519: it opens no quarantine.")
    return Opener(key)
