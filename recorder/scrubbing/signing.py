"""Ed25519 keys for reports: whoever scrubs holds the private one, a CI job needs the public one alone.

Private keys are PKCS#8 PEM, public keys SubjectPublicKeyInfo PEM, as OpenSSL writes and reads them.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recorder.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

SIGNING_KEY = "BLACKBOX_SIGNING_KEY"
"""The environment variable: the private key itself, or the path of its file."""
_PEM = "-----BEGIN"


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
    write_pair(key, private, public)
    return Verifier(key.public_key()).key_id


def write_pair(key: Ed25519PrivateKey | X25519PrivateKey, private: Path, public: Path) -> None:
    """Two new files: the private key with mode 0600, the public key with mode 0644. Raises UsageError."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    for path in (private, public):
        if os.path.lexists(path):
            raise UsageError(f"{path} exists already, and a key is never overwritten: choose another name.")
    _write_new(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    try:
        _write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    except UsageError:
        private.unlink()
        raise


def load_signer(path: Path | None, env: Mapping[str, str] | None = None) -> Signer | None:
    """The private key in the file, or else in BLACKBOX_SIGNING_KEY; None when there is neither. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    given = "" if path else (os.environ if env is None else env).get(SIGNING_KEY, "").strip()
    if not path and not given:
        return None
    where = str(path) if path else SIGNING_KEY
    content = given.encode() if given.startswith(_PEM) else read_key(path or Path(given), where)
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError):
        raise UsageError(
            f"{where} holds no private key that can be read (PEM, without a password): "
            "make a pair with 'blackbox keys new'."
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{where} holds another kind of key than Ed25519: make a pair with 'blackbox keys new'.")
    return Signer(key)


def load_verifier(path: Path) -> Verifier:
    """The public key in a file. Raises UsageError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = read_key(path, str(path))
    if b"PRIVATE KEY" in content:
        raise UsageError(f"{path} holds a private key: give the public one, and keep this one where copies are made.")
    try:
        key = load_pem_public_key(content)
    except ValueError:
        raise UsageError(
            f"{path} holds no public key (PEM): 'blackbox keys new' writes one beside the private."
        ) from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} holds another kind of key than Ed25519.")
    return Verifier(key)


def read_key(path: Path, where: str) -> bytes:
    """A key file's content; `where` is what errors call it. Raises UsageError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"Can't read the key {where}: {error.strerror or 'no such file'}.") from None


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"Can't write the key {path}: {error.strerror}.") from None
