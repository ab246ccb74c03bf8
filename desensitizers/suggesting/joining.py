"""Which places hold ids of the same things: proven by the values that they share, and only named by their names.

An id is a prefix and a body (``cust-4711``). Ids are joined into one domain when their bodies are the same values to
a good part; two that are called alike and share nothing stay apart, and two things with small numbers for ids do, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from desensitizers import rules
from desensitizers.paths import EACH, MAP_KEY
from desensitizers.suggesting.evidence import Evidence
from desensitizers.suggesting.names import Meaning, words
from desensitizers.suggesting.sketch import Sketch
from desensitizers.suggesting.vocabulary import PEOPLE, SAME_PEOPLE

FEWEST = 5
"""Values that two places must share to be one without a name that says so; all of them, when they are fewer."""
SHARE = 0.3
_FAMILIES = 4
_LONG = 6
"""Characters of values, on the average, that don't agree by chance."""
_SURROGATES = {"digits": "digits", "uuid": "uuid"}
TAKEN = frozenset({"email", "phone", "card", "iban", "name", "ip", "mac", "address", "town"})
"""Names of domains that are not for ids."""

Spot = tuple[int, str, tuple[str, ...]]
"""Group of topics; ``key``, ``value`` or ``header NAME``; path."""
Family = tuple[str, str]


@dataclass(slots=True)
class Joined:
    """A domain of ids and the places that hold them."""

    name: str
    form: str
    bodies: Sketch
    entities: set[str]
    places: int = 0
    apart_from: str = ""
    """A domain of the same name with which it shares no value."""


@dataclass(slots=True)
class Ids:
    """The domains, and that of each family of ids at each place."""

    domains: list[Joined] = field(default_factory=list)
    of: dict[tuple[Spot, Family], Joined] = field(default_factory=dict)
    families: dict[Spot, tuple[Family, ...]] = field(default_factory=dict)


def families(seen: Evidence) -> tuple[Family, ...]:
    """The families that all values of a place fall into; () when they are no ids, or of too many kinds."""
    if not seen.texts or seen.family_counts.total() != seen.texts:
        return ()
    found = sorted(seen.family_counts)
    if len(found) == 1 or (len(found) <= _FAMILIES and all(prefix for prefix, _form in found)):
        return tuple(found)
    return (("", "mixed"),) if all(not prefix for prefix, _form in found) else ()


def bodies(seen: Evidence, family: Family) -> Sketch:
    """The different ids of a family."""
    known = seen.families.get(family)
    if known is not None and len(seen.family_counts) == len(families(seen)):
        return known
    merged = Sketch()
    for one in seen.families.values():
        merged.merge(one)
    return merged


def join(candidates: Mapping[Spot, tuple[Meaning, Evidence]], known: frozenset[str]) -> Ids:
    """Domains for places that hold ids; those whose names say whose they are come first, and give the names.

    `known` are words that are no data: a prefix that begins none of them is told to nobody.
    """
    ids = Ids()
    rows = []
    for spot, (meaning, seen) in candidates.items():
        ids.families[spot] = families(seen)
        several = len(ids.families[spot]) > 1
        rows += [(spot, family, meaning, bodies(seen, family), several) for family in ids.families[spot]]
    rows.sort(key=lambda row: (row[4], not row[2].is_id, row[2].entity not in PEOPLE, -row[3].distinct, row[0], row[1]))
    for spot, family, meaning, sketch, several in rows:
        entity = "" if several or not meaning.is_id else meaning.entity
        domain = _best(ids.domains, family, sketch, entity)
        if domain is None:
            names = {one.name for one in ids.domains}
            wanted = _called(spot, family, meaning, entity, known)
            domain = Joined(_free(wanted, names), family[1], Sketch(), set())
            domain.apart_from = wanted if domain.name != wanted else ""
            ids.domains.append(domain)
        domain.bodies.merge(sketch)
        domain.places += 1
        if entity:
            domain.entities.add(entity)
        ids.of[spot, family] = domain
    return ids


def attach(ids: Ids, candidates: Mapping[Spot, tuple[Meaning, Evidence]]) -> None:
    """Adds places that only their values show to hold ids which are known from elsewhere."""
    for spot, (meaning, seen) in candidates.items():
        of = {}
        for family in families(seen):
            domain = _best(ids.domains, family, bodies(seen, family), meaning.entity if meaning.is_id else "")
            if domain is not None and sum(width * count for width, count in seen.widths.items()) >= _LONG * seen.texts:
                of[family] = domain
        if of and len(of) == len(families(seen)):
            ids.families[spot] = families(seen)
            for family, domain in of.items():
                ids.of[spot, family] = domain
                domain.places += 1


def _best(domains: Iterable[Joined], family: Family, sketch: Sketch, entity: str) -> Joined | None:
    """The domain that shares most with these ids, when that is enough."""
    best: tuple[float, Joined] | None = None
    for domain in domains:
        if domain.form != family[1]:
            continue
        common, share = domain.bodies.shared(sketch)
        if entity and entity in domain.entities:
            enough = common > 0
        elif entity and domain.entities and not (entity in PEOPLE and domain.entities & PEOPLE):
            enough = False  # an order and a customer with the same number are two things
        else:
            enough = (common >= FEWEST or common == sketch.distinct > 0) and share >= SHARE
        if enough and (best is None or share > best[0]):
            best = share, domain
    return best[1] if best else None


def surrogate(domain: Joined) -> str:
    """The kind of surrogate that keeps the form of these ids."""
    return _SURROGATES.get(domain.form, "hex")


def extract(found: Iterable[tuple[Family, Joined]], known: frozenset[str]) -> str | None:
    """The YAML of a rule for ids with prefixes; None when a prefix may be data itself."""
    parts: list[str] = []
    groups: list[tuple[str, str]] = []
    for (prefix, form), domain in found:
        if prefix and not _is_word(prefix, known):
            return None
        group = re.sub(r"\W", "_", domain.name)
        while group in dict(groups):
            group += "_"
        parts.append(f"{re.escape(prefix).replace(_DASH, '-')}(?P<{group}>{_PATTERNS[form]})")
        groups.append((group, domain.name))
    listed = ", ".join(f"{group}: {{domain: {name}}}" for group, name in groups)
    return f"{{extract: {json.dumps('|'.join(parts))}, {listed}}}"


_DASH = r"\-"
_PATTERNS = {"digits": r"\d+", "uuid": "[0-9a-fA-F-]+", "hex": r"\S+", "mixed": r"\S+"}


def _is_word(prefix: str, known: frozenset[str]) -> bool:
    word = re.sub(r"[^a-z]", "", prefix.lower())
    return len(word) > 1 and any(one.startswith(word) for one in known)


def _called(spot: Spot, family: Family, meaning: Meaning, entity: str, known: frozenset[str]) -> str:
    _group, side, steps = spot
    if entity:
        return entity
    if family[0] and _is_word(family[0], known):
        word = re.sub(r"[^a-z]", "", family[0].lower())
        return SAME_PEOPLE.get(word, word)
    named = [step for step in steps if step not in (EACH, MAP_KEY, "*")]
    own = words(named[-1]) if named else words(side.removeprefix("header ")) if side.startswith("header") else ()
    return "_".join(word for word in own if word.isalpha()) or meaning.entity or side.split()[0]


def _free(wanted: str, names: set[str]) -> str:
    """A name that a domain may have and none has yet."""
    plain = re.sub(r"\W", "_", wanted)
    taken = {*names, *rules.names(), *TAKEN}
    if plain in rules.names() or plain in TAKEN:
        plain += "_id"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    return name
