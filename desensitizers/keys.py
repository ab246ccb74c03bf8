"""Keys for surrogates: one secret, one HKDF key per domain, function and function version.

Two domains share no key, so their surrogates can't be correlated; a function that changes its output gets a
new version and with it a new key, so that an old and a new surrogate never mix unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping

from desensitizers.errors import SecretError

MIN_SECRET_BYTES = 32


class Keyring:
    """Derives keys from one secret. Never shows it: not in a repr, an error or a report.

    Pickling carries the secret to worker processes of the same job; don't pickle to disk.
    """

    __slots__ = ("_derived", "_secret")

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise SecretError(
                f"The secret has {len(secret)} bytes; at least {MIN_SECRET_BYTES} are needed: "
                "make one with: openssl rand -hex 32"
            )
        self._secret = secret
        self._derived: dict[tuple[str, str, int], bytes] = {}

    @classmethod
    def from_env(cls, name: str, env: Mapping[str, str]) -> Keyring:
        """The secret in the environment variable `name`, as the UTF-8 bytes of its text."""
        text = env.get(name, "")
        if not text:
            raise SecretError(
                f"The secret is missing: set the environment variable {name} to at least "
                f"{MIN_SECRET_BYTES} bytes, for example: export {name}=$(openssl rand -hex 32)"
            )
        try:
            return cls(text.encode("utf-8", "surrogateescape"))
        except SecretError as error:
            raise SecretError(f"Environment variable {name}: {error}") from None

    def derive(self, domain: str, function: str, version: int, length: int = 32) -> bytes:
        """HKDF-SHA256 (RFC 5869) output for one function in one domain."""
        label = (domain, function, version)
        key = self._derived.get(label)
        if key is None or len(key) != length:
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF

            fields = [part.encode() for part in (domain, function, str(version))]
            info = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
            key = HKDF(SHA256(), length, salt=b"kafka-blackbox desensitizers", info=info).derive(self._secret)
            self._derived[label] = key
        return key

    def key_id(self) -> str:
        """Names the secret without telling anything about it: equal secrets, equal ids."""
        return self.derive("", "key-id", 1, 8).hex()

    def __repr__(self) -> str:
        return "Keyring(secret hidden)"

    def __getstate__(self) -> bytes:
        return self._secret

    def __setstate__(self, secret: bytes) -> None:
        self._secret = secret
        self._derived = {}
