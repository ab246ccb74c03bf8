"""Ed25519 keys for reports: whoever scrubs holds the private one, a CI job needs the public one alone."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recorder.scrubbing import pem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNING_KEY = "BLACKBOX_SIGNING_KEY"
"""The environment variable: the private key itself, or the path of its file."""
_MAKE = "blackbox keys new"


class Signer:
    """Signs with a private key that it never shows."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def key_id(self) -> str:
        return self.verifier.key_id

    @property
    def verifier(self) -> Verifier:
        """The public counterpart."""
        return Verifier(self._key.public_key())

    def sign(self, message: bytes) -> str:
        """The signature in base64."""
        return base64.b64encode(self._key.sign(message)).decode()

    def __repr__(self) -> str:
        return f"Signer({self.key_id}, key hidden)"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key."""

    key: Ed25519PublicKey

    @property
    def key_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the raw public key."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        raw = self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return hashlib.sha256(raw).hexdigest()[:16]

    def signed(self, message: bytes, signature: str) -> bool:
        """Whether the private counterpart signed this very message."""
        from cryptography.exceptions import InvalidSignature

        try:
            self.key.verify(base64.b64decode(signature, validate=True), message)
        except (InvalidSignature, ValueError):
            return False
        return True


def new_pair(private: Path, public: Path) -> str:
    """Write a new pair of keys, the private one readable by its owner alone; its key id.

    Raises UsageError when one of the files exists, or can't be written: a key is never overwritten.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem.write_pair(key, private, public)
    return Verifier(key.public_key()).key_id


def load_signer(path: Path | None, env: Mapping[str, str] | None = None) -> Signer | None:
    """The private key in the file, or else in BLACKBOX_SIGNING_KEY; None when there is neither. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    given = "" if path else (os.environ if env is None else env).get(SIGNING_KEY, "").strip()
    if not path and not given:
        return None
    where = str(path) if path else SIGNING_KEY
    content = given.encode() if given.startswith(pem.BEGIN) else pem.read_key(path or Path(given), where)
    return Signer(pem.private_key(content, where, Ed25519PrivateKey, _MAKE))


def load_verifier(path: Path) -> Verifier:
    """The public key in a file. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Verifier(pem.public_key(pem.read_key(path), str(path), Ed25519PublicKey, _MAKE))
