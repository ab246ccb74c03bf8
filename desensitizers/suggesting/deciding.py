"""What a draft says of one place: a rule, whether it stands or waits for a person, and the evidence in words.

Decided as somebody answerable for the data would: what is certainly harmless is kept, what is understood gets the rule
that its kind deserves, and everything else waits. Nothing here holds a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from desensitizers.suggesting.evidence import Evidence
from desensitizers.suggesting.features import TOKENS
from desensitizers.suggesting.names import Meaning

FEW = 24
"""Different values up to which a field may be a choice among fixed ones."""
CROWD = 5
"""Records that must at least share a value that is kept."""
_MANY = 50
"""Records below which a few values under a name that says nothing may be those of a few people."""
_REMOVED = '{rule: replace, with: "[removed]"}'
_NOTHING = ("null", "drop")
_STRUCTURED = ("email", "phone", "card", "iban", "ip", "mac")
_WORDS = {
    "email": "e-mail addresses",
    "phone": "phone numbers",
    "card": "card numbers",
    "iban": "IBANs",
    "national_id": "national identity numbers",
    "ip": "IP addresses",
    "mac": "hardware addresses",
    "jwt": "JSON Web Tokens",
    "secret": "keys or tokens",
    "private_key": "private keys",
    "url": "URLs with credentials",
    "name": "names",
    "address": "postal addresses",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A rule as YAML; `sure` ones stand in the policy, the others wait as a comment. `others` are tried when the rule
    turns out not to fit its type."""

    rule: str
    why: str
    sure: bool = True
    domain: str = ""
    """The structured domain that the rule names."""
    others: tuple[str, ...] = ()


def decide(meaning: Meaning, seen: Evidence) -> Decision:
    """For a place that holds no ids (see `joining`), nor JSON in texts."""
    if not seen.seen:
        return _unseen(seen)
    kind = seen.kind
    if kind == "boolean":
        if meaning.kind in ("special", "gender", "family"):
            return Decision("{rule: replace, with: false}", f"true or false about {_quoted(meaning)}", others=_NOTHING)
        return Decision("keep", "true or false")
    if not kind:
        return _doubt("drop", f"values of several types ({', '.join(sorted(set(seen.kinds) - {'null'}))})", seen)
    if kind == "bytes":
        return _doubt("hash", f"bytes, {seen.different} different", seen)
    if not seen.texts:
        return Decision("mask" if kind == "string" else "keep", "always empty", others=("hash", *_NOTHING))
    by_name = _by_tokens(seen, kind) or _by_name(meaning, seen, kind)
    return by_name or _by_detectors(seen, kind) or _by_values(meaning, seen, kind)


def counted(count: int, total: int) -> str:
    return f"all {total:,}" if count == total else f"{count:,} of {total:,}"


def found_inside(seen: Evidence) -> str:
    """What detectors found somewhere in the values."""
    some = [f"{_WORDS[name]} in {count:,}" for name, count in sorted(seen.inside.items())]
    return "; " + ", ".join(some) if some else ""


def _quoted(meaning: Meaning) -> str:
    return f"'{meaning.phrase}'"


def _unseen(seen: Evidence) -> Decision:
    if seen.kinds["null"] or any(kind == "null" for kind, _type in seen.declared):
        return Decision("null", f"always null in {seen.kinds['null']:,}" if seen.kinds["null"] else "never a value")
    return Decision("drop", "declared by the schema, no value was seen", sure=False)


def _doubt(rule: str, why: str, seen: Evidence, *others: str) -> Decision:
    return Decision(rule, why + found_inside(seen), sure=False, others=(*others, *_NOTHING))


def _by_tokens(seen: Evidence, kind: str) -> Decision | None:
    """When at least half of the values are tokens, with or without a scheme: whatever its name says, this opens doors,
    and what is not one is not worth telling apart."""
    name = max(TOKENS, key=lambda one: seen.whole[one])
    count = sum(seen.whole[one] for one in TOKENS)
    if kind != "string" or not count or count * 2 < seen.looked:
        return None
    why = f"{counted(count, seen.looked)} values are {_WORDS[name if count == seen.whole[name] else 'secret']}"
    return Decision(_REMOVED, why, others=("hash",))


def _by_detectors(seen: Evidence, kind: str) -> Decision | None:
    """When every value is, as a whole, one kind of identifier."""
    name = max(seen.whole, key=lambda one: (seen.whole[one], one), default="")
    if not name or not seen.all_whole(name):
        return None
    why = f"{seen.looked:,} of {seen.looked:,} values are {_WORDS[name]}"
    if name in _STRUCTURED and not (kind == "number" and name != "card"):
        return Decision(f"{{domain: {name}}}", why, domain=name, others=("hash",))
    if name == "national_id" and kind == "string":
        return Decision("hash", why)
    return Decision(_REMOVED, why, others=("hash",)) if kind == "string" else None


def _by_name(meaning: Meaning, seen: Evidence, kind: str) -> Decision | None:
    """What the name says, as far as the values don't say otherwise."""
    said = meaning.kind
    called = f"called {_quoted(meaning)}"
    text = kind == "string"
    if said in _STRUCTURED:
        return _structured(said, called, seen, text)
    if said == "name" or (said == "maybe_name" and text and _names(meaning, seen)):
        why = f"{called}, {seen.different} different"
        return Decision("{domain: name}", why, domain="name", others=("hash",)) if text else None
    if said in ("address", "town") and text:
        return Decision(f"{{domain: {said}}}", f"{called}, {seen.different} different", domain=said, others=("hash",))
    if said in ("username", "bank_account", "national_id", "device", "plate") and text and not _whole(seen):
        return Decision("hash", f"{called}, {seen.different} different")
    if said in ("national_id", "bank_account", "plate", "device"):
        return Decision("{rule: replace, with: 0}", f"{called}, as a number", others=_NOTHING) if not text else None
    if said == "secret":
        with_what = _REMOVED if text else "{rule: replace, with: 0}"
        return Decision(with_what, called, others=("hash", *_NOTHING) if text else _NOTHING)
    if said in ("postcode", "born", "age", "gender", "special", "family", "income", "position"):
        return _quasi(said, called, seen, kind)
    if said == "address" and not text:
        return Decision("{rule: bucket, size: 10}", f"{called}, as a number", others=_NOTHING)
    if said == "country" and text and not seen.inside:
        if _crowded(seen):
            return Decision("keep", f"{called}, {_few(seen)}")
        return _doubt("keep", f"{called}, but {_few(seen)}", seen)
    if said == "text" and text and not (_plain_choice(seen) and not seen.spaces):
        return Decision("mask", f"{called}: free text{found_inside(seen)}", others=("hash",))
    return None


def _whole(seen: Evidence) -> bool:
    return any(seen.all_whole(name) for name in seen.whole)


def _structured(said: str, called: str, seen: Evidence, text: bool) -> Decision | None:
    if seen.all_whole(said) or (said == "phone" and text and seen.whole[said] * 2 > seen.looked):
        why = f"{seen.whole[said]:,} of {seen.looked:,} values are {_WORDS[said]}"
        return Decision(f"{{domain: {said}}}", why, domain=said, others=("hash",) if text else _NOTHING)
    why = f"{called}, but {seen.whole[said]:,} of {seen.looked:,} values are {_WORDS[said]}"
    if not text:
        return _doubt("{rule: replace, with: 0}", why, seen)
    return Decision("hash", why + found_inside(seen), others=("mask",))


def _names(meaning: Meaning, seen: Evidence) -> bool:
    return meaning.of_person or seen.share(seen.persons) > 0.5 or seen.inside["name"] * 2 > seen.looked


def _quasi(said: str, called: str, seen: Evidence, kind: str) -> Decision | None:
    """What tells a person apart only together with other fields keeps a coarse part; the special kinds keep none."""
    text = kind == "string"
    why = f"{called}: tells people apart together with other fields"
    digits = seen.forms["digits"] == seen.texts
    if said == "born":
        form = next((form for form, count in seen.dates.items() if count == seen.texts), None)
        if form is not None:
            rule = f'{{rule: time_part, keep: year, format: "{form}"}}' if form else "{rule: time_part, keep: year}"
            return Decision(rule, why, others=("mask",))
        if kind == "number":
            return Decision("{rule: time_part, keep: year}", why, others=("{rule: replace, with: 0}", *_NOTHING))
        return Decision("mask", f"{called}, written in several forms", others=("hash",))
    if said == "special" or said == "gender":
        what = "a special category of personal data" if said == "special" else "tells people apart"
        constant = "undisclosed" if text else "0"
        return Decision(f"{{rule: replace, with: {constant}}}", f"{called}: {what}", others=_NOTHING)
    if said == "postcode" and text:
        return Decision("{rule: mask, keep_first: 2}", why, others=("mask",))
    size = {"postcode": "1000", "age": "10", "family": "10", "income": "10000", "position": "0.1"}[said]
    if said == "position" and text:
        return Decision("mask", why)
    if not text or digits:
        zero = ("{rule: replace, with: 0}",) if not text else ("mask",)
        return Decision(f"{{rule: bucket, size: {size}}}", why, others=(*zero, *_NOTHING))
    if said == "family":
        return Decision("{rule: replace, with: undisclosed}", why, others=_NOTHING)
    return Decision("mask", why)


def _by_values(meaning: Meaning, seen: Evidence, kind: str) -> Decision:
    """What is left: times, choices, measures; and what nobody understands."""
    said = meaning.kind
    text = kind == "string"
    if seen.near == seen.texts:
        return Decision("keep", f"{counted(seen.near, seen.texts)} lie within two days of their record's own time")
    if said == "time":
        if seen.texts in (sum(seen.dates.values()), seen.forms["digits"]) and len(seen.dates) < 2:
            form = next(iter(seen.dates), "")
            option = f', format: "{form}"' if form else ""
            why = f"called {_quoted(meaning)}, but not the time of the record"
            return _doubt(f"{{rule: time_part, keep: month{option}}}", why, seen)
        return _doubt("drop" if not text else "mask", f"called {_quoted(meaning)}", seen)
    if said == "amount" and not text:
        return _doubt("keep", f"called {_quoted(meaning)}: an amount", seen)
    if (
        (said == "measure" or (meaning.phrase == "version" and not text))
        and (not text or seen.forms["digits"] == seen.texts)
        and not seen.inside
    ):
        return Decision("keep", f"called {_quoted(meaning)}: counts or measures")
    if said == "technical_id":
        random = seen.forms["uuid"] + seen.forms["hex"] == seen.texts
        why = f"called {_quoted(meaning)}, {seen.different} different"
        return Decision("keep", why) if random and not seen.inside else _doubt("hash", why + "; or keep", seen)
    if _plain_choice(seen):
        named = said in ("choice", "maybe_name", "text")
        crowd = seen.distinct > 1 and seen.texts >= _MANY and not meaning.of_person
        usual = said == "choice" and seen.distinct * 4 <= seen.texts and not meaning.of_person
        if (_crowded(seen) and (named or crowd)) or usual:
            return Decision("keep", _few(seen))
        if named or _crowded(seen):
            called = f"called {_quoted(meaning)}, but " if said else ""
            return _doubt("keep", called + _few(seen), seen)
    if not text:
        why = f"a number, {seen.different} different in {seen.texts:,}"
        return _doubt("{rule: replace, with: 0}", f"{why}; or keep, {{rule: bucket, size: …}}", seen)
    names = seen.inside["name"]
    if (seen.share(seen.persons) > 0.5 and names * 3 > seen.looked) or names * 10 >= seen.looked * 9 > 0 == seen.spaces:
        why = f"names in {names:,} of {seen.looked:,}"
        return Decision("{domain: name}", why, domain="name", others=("hash",))
    if seen.share(seen.spaces) > 0.3 or seen.inside:
        return Decision("mask", f"free text{found_inside(seen)}", others=("hash",))
    return _doubt("hash", f"not understood: {seen.different} different in {seen.texts:,}; or drop, keep", seen)


def is_choice(meaning: Meaning, seen: Evidence) -> bool:
    """Whether ids that come again and again are rather names of few things (a component, a region)."""
    few = _plain_choice(seen) and _crowded(seen) and seen.distinct * 10 <= seen.texts
    return (few and not meaning.is_id and not meaning.of_person) or (
        meaning.kind in ("choice", "measure") and not meaning.is_id
    )


def _plain_choice(seen: Evidence) -> bool:
    """Few values, each short and plain, and none of which a detector finds anything in."""
    return seen.values.exact and seen.distinct <= FEW and seen.codes == seen.texts and not seen.inside


def _crowded(seen: Evidence) -> bool:
    return seen.values.exact and seen.distinct <= FEW and seen.smallest_group >= CROWD


def _few(seen: Evidence) -> str:
    if seen.distinct == 1:
        return f"always the same value, {seen.texts:,} times"
    times = f", each at least {seen.smallest_group:,} times" if seen.smallest_group > 1 else ", some only once"
    return f"{seen.distinct:,} distinct values in {seen.texts:,}{times}"
