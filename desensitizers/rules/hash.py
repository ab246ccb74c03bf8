"""hash: a keyed hash, 32 hex digits; equal originals stay equal. ``session: hash``"""

from __future__ import annotations

import hmac

from desensitizers.domains import Domain, default_domain
from desensitizers.rules.base import TEXT, Action, Context, Options, Rule, Scalar, each

_VERSION = 1


def _build(_options: Options, domain: Domain | None, context: Context) -> Action:
    domain = domain or default_domain("hex", context.keyring, "default:hash")
    key = domain.key("hash", _VERSION)

    def digest(value: Scalar) -> Scalar:
        data = domain.canonical(str(value)).encode("utf-8", "surrogatepass")
        return hmac.digest(key, data, "sha256")[:16].hex()

    return Action(each(digest), "collision-resistant", TEXT)


RULE = Rule(
    "hash",
    _VERSION,
    "becomes 32 hex digits of a keyed hash",
    uniqueness="collision-resistant",
    types=TEXT,
    domain="optional",
    build=_build,
    example="session: hash",
)
