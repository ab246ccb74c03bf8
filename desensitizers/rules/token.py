"""token: AES-SIV (RFC 5297); whoever holds the secret can turn it back. ``order_ref: token``"""

from __future__ import annotations

import base64

from desensitizers.domains import Domain, default_domain
from desensitizers.rules.base import TEXT, Action, Context, Options, Rule, Scalar, each

_VERSION = 1


def _build(_options: Options, domain: Domain | None, context: Context) -> Action:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    domain = domain or default_domain("hex", context.keyring, "default:token")
    cipher = AESSIV(domain.key("token", _VERSION, 64))

    def seal(value: Scalar) -> Scalar:
        data = domain.canonical(str(value)).encode("utf-8", "surrogatepass")
        sealed = cipher.encrypt(data or b"\0", None)
        return "tok_" + base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    return Action(each(seal), "injective", TEXT)


RULE = Rule(
    "token",
    _VERSION,
    "becomes a token that the secret can turn back",
    uniqueness="injective",
    types=TEXT,
    domain="optional",
    build=_build,
    example="order_ref: token",
)
