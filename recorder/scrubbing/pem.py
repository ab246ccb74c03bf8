"""Files of keys, for whatever they are: made in pairs that are never overwritten, read with the same sentences.

Private keys are PKCS#8 PEM, public keys SubjectPublicKeyInfo PEM, as OpenSSL writes and reads them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorder.errors import UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

BEGIN = "-----BEGIN"


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


def read_key(path: Path, where: str = "") -> bytes:
    """A key file's content; `where` is what errors call it. Raises UsageError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"Can't read the key {where or path}: {error.strerror or 'no such file'}.") from None


def private_key(content: bytes, where: str, kind: type, make: str) -> Any:
    """The private key of this kind in a PEM; `make` is the command that makes such a pair. Raises UsageError."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"PUBLIC KEY" in content:
        raise UsageError(f"{where} holds a public key: give the private one that belongs to it.")
    what = "private key that can be read (PEM, without a password)"
    return _loaded(lambda: load_pem_private_key(content, None), where, kind, what, make)


def public_key(content: bytes, where: str, kind: type, make: str) -> Any:
    """The public key of this kind in a PEM; `make` is the command that makes such a pair. Raises UsageError."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY" in content:
        raise UsageError(f"{where} holds a private key: give the public one, and keep this one where it belongs.")
    return _loaded(lambda: load_pem_public_key(content), where, kind, "public key (PEM)", make)


def _loaded(load: Callable[[], Any], where: str, kind: type, what: str, make: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = load()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{where} holds no {what}: make a pair with '{make}'.") from None
    if not isinstance(key, kind):
        wanted = kind.__name__.removesuffix("PrivateKey").removesuffix("PublicKey")
        raise UsageError(f"{where} holds another kind of key than {wanted}: make a pair with '{make}'.")
    return key


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"Can't write the key {path}: {error.strerror}.") from None
