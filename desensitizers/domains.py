"""A domain: the set of places that speak of the same thing, and so share one key and one spelling.

`Domain.surrogate` is the one way from an original to what replaces it; whoever finds an original (a rule on a
path, a detector in free text, a group inside a key) comes through here, so the customer stays the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from desensitizers import canonical as canonicals
from desensitizers.errors import UnfitError
from desensitizers.keys import Keyring
from desensitizers.surrogates.kinds import KINDS, Kind, Surrogate
from desensitizers.surrogates.many import MANY, Surrogates, each
from desensitizers.surrogates.partitions import staying

OPTIONS: Mapping[str, type] = {"partitions": int, "key": str}
"""What every domain may say: surrogates keep ``key`` with the value in place of {} in its partition of so many."""


def wrong_options(options: Mapping[str, int | str | bool]) -> str:
    """What is wrong with options that are right one by one; "" when nothing is."""
    if "partitions" not in options:
        return "'key' says how keys look for 'partitions': name their number, too." if "key" in options else ""
    if not 2 <= int(options["partitions"]) <= 10_000:
        return "'partitions' is the topic's number of partitions: 2 to 10000."
    try:
        first, second = (str(options.get("key", "{}")).format(value) for value in ("7", "8"))
    except (IndexError, KeyError, ValueError):
        first = second = ""
    return "" if first != second else "'key' is a key with {} in place of the value, as in 'cust-{}'."


@dataclass(frozen=True, slots=True)
class DomainSpec:
    """A domain as the policy wrote it; `canonical` empty means what its surrogate kind prefers."""

    name: str
    surrogate: str
    canonical: str = ""
    options: Mapping[str, int | str | bool] = field(default_factory=dict)
    line: int = 0


class Domain:
    """A domain with its key: canonicalises, then replaces."""

    __slots__ = ("_canonical", "_surrogate", "_surrogates", "keyring", "kind", "name", "tell", "tell_all")

    def __init__(self, spec: DomainSpec, keyring: Keyring) -> None:
        self.tell: Callable[[str, str, str], None] | None = None
        """Told every pair: (space, canonical original, plain surrogate)."""
        self.tell_all: Callable[[str, Sequence[str], Sequence[str]], None] | None = None
        """Told the pairs of many at once; set together with `tell`."""
        self.name = spec.name
        self.keyring = keyring
        self.kind: Kind = KINDS[spec.surrogate]
        name = spec.canonical or self.kind.canonical
        function: Callable[[str], str] = canonicals.FUNCTIONS[name]
        if name == "phone" and "country" in spec.options:
            function = partial(canonicals.phone, country=str(spec.options["country"]).lstrip("+"))
        self._canonical = function
        key = keyring.derive(spec.name, f"surrogate/{self.kind.name}/{name}", self.kind.version)
        made: Surrogate = self.kind.build(key, spec.options)
        many = MANY.get(self.kind.name)
        if "partitions" in spec.options:
            made = staying(made, str(spec.options.get("key", "{}")), int(spec.options["partitions"]))
            many = None
        self._surrogate = made
        self._surrogates: Surrogates = many(key, spec.options, made) if many else partial(each, made)

    def canonical(self, text: str) -> str:
        """The one spelling of `text` in this domain. Raises UnfitError."""
        return self._canonical(text)

    def surrogate(self, value: str | int) -> str | int:
        """What replaces `value`, in its own type. Raises UnfitError when it doesn't fit the domain."""
        text = str(value)
        canonical = self._canonical(text)
        plain = self._surrogate(canonical)
        if self.tell is not None and self.kind.uniqueness != "merges":
            self.tell(f"{self.name}/pseudonym", canonical, plain)
        result = self.kind.dress(plain, text)
        return int(result) if isinstance(value, int) else result

    def surrogates(self, texts: Sequence[str]) -> list[str]:
        """What replaces each of many texts, which differ. Raises UnfitError when one doesn't fit."""
        canonical = list(map(self._canonical, texts))
        plain = self._surrogates(canonical)
        if self.tell_all is not None and self.kind.uniqueness != "merges":
            self.tell_all(f"{self.name}/pseudonym", canonical, plain)
        return list(map(self.kind.dress, plain, texts))

    def key(self, function: str, version: int, length: int = 32) -> bytes:
        """The key of another function in this domain."""
        return self.keyring.derive(self.name, function, version, length)


def default_domain(kind: str, keyring: Keyring, name: str = "") -> Domain:
    """The domain of places that name none: ``default:email`` and the like."""
    return Domain(DomainSpec(name or f"default:{kind}", kind), keyring)


__all__ = ["Domain", "DomainSpec", "UnfitError", "default_domain"]
