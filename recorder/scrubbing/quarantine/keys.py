"""X25519 keys for quarantines: whoever scrubs needs the public one alone, a person who looks the private one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recorder.scrubbing import pem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

_MAKE = "blackbox keys new --quarantine"


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
    pem.write_pair(key, private, public)
    return Opener(key).recipient.key_id


def load_recipient(path: Path) -> Recipient:
    """The public key in a file. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    return Recipient(pem.public_key(pem.read_key(path), str(path), X25519PublicKey, _MAKE))


def load_opener(path: Path) -> Opener:
    """The private key in a file. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return Opener(pem.private_key(pem.read_key(path), str(path), X25519PrivateKey, _MAKE))
