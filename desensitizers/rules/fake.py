"""fake: something invented by Faker, keyed. ``company: {rule: fake, kind: company, locale: de_DE}``

Equal originals become equal inventions, but different ones may meet, and a new release of Faker may invent otherwise:
never for identities, and refused on keys. What a detector would take for a real person's (addresses, cards, phones)
is not invented here: a domain's surrogate lies in a reserved range.
"""

from __future__ import annotations

import hmac
import re

from desensitizers.domains import Domain
from desensitizers.rules.base import TEXT, Action, Context, Option, Options, Rule, Scalar, each

_VERSION = 1
_KINDS = (
    "bs", "building_number", "catch_phrase", "city", "color_name", "company", "country", "country_code",
    "currency_code", "current_country", "file_name", "job", "language_name", "month_name", "paragraph", "postcode",
    "sentence", "street_address", "street_name", "text", "user_agent", "word",
)  # fmt: skip
_LOCALE = re.compile(r"[a-z]{2,3}_[A-Z]{2}")


def _build(options: Options, _domain: Domain | None, context: Context) -> Action:
    from faker import Faker

    kind, locale = str(options["kind"]), str(options.get("locale", "en_US"))
    key = context.keyring.derive("default", f"fake/{locale}/{kind}", _VERSION)
    source = Faker(locale)
    invent = getattr(source, kind)

    def fake(value: Scalar) -> Scalar:
        digest = hmac.digest(key, str(value).encode("utf-8", "surrogatepass"), "sha256")
        source.seed_instance(int.from_bytes(digest, "big"))
        return str(invent())

    return Action(each(fake), "merges", TEXT)


def _check(options: Options) -> str:
    locale, kind = str(options.get("locale", "en_US")), str(options["kind"])
    if not _LOCALE.fullmatch(locale):
        return "'locale' is written as in de_DE."
    from faker import Faker

    try:
        getattr(Faker(locale), kind)
    except AttributeError:
        return f"Faker has no '{kind}' in {locale}, or doesn't know that locale."
    return ""


RULE = Rule(
    "fake",
    _VERSION,
    "becomes something invented (Faker); never for identities",
    types=TEXT,
    options={
        "kind": Option("text", "what is invented", _KINDS),
        "locale": Option("text", "language and country, as in de_DE (en_US)"),
    },
    required=frozenset({"kind"}),
    build=_build,
    check=_check,
    searched=False,
    example="company: {rule: fake, kind: company, locale: de_DE}",
)
