"""fpe: other characters of the same alphabet, as many (FF1). ``ref: {rule: fpe, alphabet: base36}``

Characters outside the alphabet stay where they are. ``digits``, the default, is the same function as the surrogate
``digits``: 42 as number and as text are one. Below a million possible texts a shuffled table takes FF1's place.
"""

from __future__ import annotations

import string
from collections.abc import Callable

from desensitizers.domains import Domain, DomainSpec, default_domain
from desensitizers.errors import UnfitError
from desensitizers.rules.base import KEEPS_FORM, TEXT, Action, Context, Option, Options, Rule, Scalar, each
from desensitizers.surrogates.ff1 import FF1, LEAST_DOMAIN
from desensitizers.surrogates.permutation import Permutation

_VERSION = 1
_ALPHABETS = {
    "hex": "0123456789abcdef",
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "base36": string.digits + string.ascii_uppercase,
    "base62": string.digits + string.ascii_uppercase + string.ascii_lowercase,
}
_LONGEST = 40
"""Characters of the alphabet in one text; 240 bits in base 62."""
_SHORTEST = 2


def _build(options: Options, domain: Domain | None, context: Context) -> Action:
    name = str(options.get("alphabet", "digits"))
    domain = domain or default_domain("digits", context.keyring, "default:fpe")
    noted = KEEPS_FORM + domain.name
    if name == "digits":
        if domain.kind.name != "digits":
            domain = Domain(DomainSpec(domain.name, "digits"), context.keyring)
        whole = domain.surrogate
        return Action(each(lambda value: whole(value)), "injective", domain.kind.types, noted_as=noted)  # type: ignore[arg-type]
    key = domain.key(f"fpe/{name}", _VERSION)
    return Action(each(_on_text(key, _ALPHABETS[name])), "injective", TEXT, noted_as=noted)


def _on_text(key: bytes, alphabet: str) -> Callable[[Scalar], Scalar]:
    places = {char: place for place, char in enumerate(alphabet)}
    folds = alphabet == _ALPHABETS["hex"]
    if folds:
        places |= {char.upper(): place for char, place in places.items()}
    ciphers: dict[int, Callable[[int], int]] = {}
    radix = len(alphabet)

    def encrypt(value: Scalar) -> Scalar:
        text = str(value)
        numerals = [places[char] for char in text if char in places]
        size = len(numerals)
        if not _SHORTEST <= size <= _LONGEST:
            raise UnfitError(f"has {size} characters of the alphabet; fpe takes {_SHORTEST} to {_LONGEST}")
        if size not in ciphers:
            small = radix**size < LEAST_DOMAIN
            ciphers[size] = Permutation(key, radix**size) if small else FF1(key, radix, size)
        upper = folds and text != text.lower()
        if upper and text != text.upper():
            raise UnfitError("mixes hex digits in upper and lower case")
        number = 0
        for numeral in numerals:
            number = number * radix + numeral
        number = ciphers[size](number)
        fresh = []
        for _ in range(size):
            number, numeral = divmod(number, radix)
            fresh.append(alphabet[numeral])
        done = "".join(fresh.pop() if char in places else char for char in text)
        return done.upper() if upper else done

    return encrypt


RULE = Rule(
    "fpe",
    _VERSION,
    "other characters of the same alphabet, as many (FF1)",
    uniqueness="injective",
    types=frozenset({"string", "integer"}),
    options={"alphabet": Option("text", "what it is written in (digits)", ("digits", *_ALPHABETS))},
    domain="optional",
    build=_build,
    example="ref: {rule: fpe, alphabet: base36}",
)
