"""Goes through all places of all topics and decides: ids that belong together first, then each place by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from desensitizers.paths import EACH, MAP_KEY, Steps, show
from desensitizers.suggesting import joining
from desensitizers.suggesting.deciding import Decision, counted, decide, is_choice
from desensitizers.suggesting.evidence import Evidence
from desensitizers.suggesting.gathering import Seen, Where
from desensitizers.suggesting.joining import Family, Ids, Joined, Spot
from desensitizers.suggesting.names import Meaning, meaning, words
from desensitizers.suggesting.vocabulary import ID_WORDS, PEOPLE, PHRASES, SAME_PEOPLE
from desensitizers.suggesting.within import form_of, is_inside

_IDS = frozenset({"", "technical_id", "username", "device", "bank_account", "maybe_name", "time", "choice", "measure"})
"""Meanings under which ids may stand."""
_PERSONAL_TAGS = ("pii", "personal", "sensitive", "private", "confidential", "gdpr", "phi", "pci", "restricted")
_REMOVING = ("hash", "mask")
_STANDARD = frozenset(
    {
        "traceparent", "tracestate", "content-type", "ce_specversion", "ce_id", "ce_type", "ce_time",
        "ce_datacontenttype", "ce_dataschema", "__key_schema_id", "__value_schema_id", "__typeid__",
        "contenttype", "spring_json_header_types", "kafka_correlationid",
    }
)  # fmt: skip
"""Headers that standards define, and that say nothing of people."""
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "baggage"})
_REASONS = {"traceparent": "a trace's id (W3C)", "tracestate": "a trace's state (W3C)"}


@dataclass(slots=True)
class Entry:
    """A line of the draft: a place and what was decided; `tried` are rules that did not fit its type."""

    group: int
    where: Where
    seen: Evidence
    decision: Decision
    tried: list[str] = field(default_factory=list)
    inner: list[Entry] = field(default_factory=list)
    """The fields of what this text holds."""
    form: str = ""
    """What that is, as in ``base64 json``."""

    @property
    def path(self) -> str:
        """As a policy writes it, within its document."""
        steps = self.where[1]
        last = max((number for number, step in enumerate(steps) if is_inside(step)), default=-1)
        return show(steps[last + 1 :])

    @property
    def label(self) -> str:
        """As problems of a run name it."""
        out = ""
        part: Steps = ()
        for step in self.where[1]:
            if is_inside(step):
                out, part = f"{out}{show(part)} ({form_of(step)}) ", ()
            else:
                part = (*part, step)
        return out + show(part)

    def next(self) -> None:
        """Takes the next rule, for this one does not fit; in the end there is none."""
        self.tried.append(self.decision.rule)
        others = [rule for rule in self.decision.others if rule not in self.tried]
        last = "keep" if "keep" not in self.tried and not self.seen.inside else ""
        rule = others[0] if others else last
        self.decision = replace(
            self.decision, rule=rule, others=tuple(others[1:]), sure=self.decision.sure and rule not in ("keep", ""),
            domain="",
        )  # fmt: skip
        self.inner = []


def choose(groups: Sequence[Seen]) -> tuple[list[Entry], Ids]:
    """All entries, group by group in the order of sides and paths, and the domains of ids."""
    known = _known_words(groups)
    meanings: dict[Spot, Meaning] = {}
    for number, group in enumerate(groups):
        for side, steps in group.places:
            meanings[number, side, steps] = _meaning(group, side, steps)
    _lend_to_keys(groups, meanings)
    spots = {
        (number, side, steps): evidence
        for number, group in enumerate(groups)
        for (side, steps), evidence in sorted(group.places.items(), key=lambda item: _order(item[0]))
    }
    sure = {
        spot: (meanings[spot], seen)
        for spot, seen in spots.items()
        if _is_id(spot, meanings[spot], seen) and _header_name(spot) not in _STANDARD
    }
    maybe = {
        spot: (meanings[spot], seen)
        for spot, seen in spots.items()
        if spot not in sure and _may_be_id(meanings[spot], seen)
    }
    ids = joining.join(sure, known)
    joining.attach(ids, maybe)
    entries = []
    for spot, seen in spots.items():
        if not any(map(is_inside, spot[2])):  # those are told with the text that holds them
            entries.append(_entry(spot, seen, meanings, spots, ids, known))
    _reconcile(entries, groups)
    return entries, ids


def _reconcile(entries: Sequence[Entry], groups: Sequence[Seen]) -> None:
    """A value can't go here and stay there: the proof would find it. Proposals follow what stays, else a keep waits."""
    kept = [entry for entry in entries if entry.decision.rule == "keep" and entry.seen.texts]
    for entry in entries:
        if entry.decision.rule not in _REMOVING or not entry.seen.texts or entry.where[1][-1:] == (MAP_KEY,):
            continue
        for other in kept:
            common, share = entry.seen.values.shared(other.seen.values)
            place = f"{groups[other.group].topics[0]} {other.where[0]} {other.path}".removesuffix(" $")
            if common and share == 1 and common == entry.seen.distinct and not entry.decision.sure:
                why = f"{entry.decision.why.partition(';')[0]}; all of them stand at {place}, too"
                entry.decision = replace(entry.decision, rule="keep", why=why)
                break
            if common and entry.decision.sure and other.decision.sure and other.seen.kind == "string":
                mine = f"{groups[entry.group].topics[0]} {entry.where[0]} {entry.path}".removesuffix(" $")
                why = f"{other.decision.why}; but {common:,} of them stand at {mine}, where they go"
                other.decision = replace(other.decision, sure=False, why=why)


def _entry(
    spot: Spot,
    seen: Evidence,
    meanings: dict[Spot, Meaning],
    spots: dict[Spot, Evidence],
    ids: Ids,
    known: frozenset[str],
) -> Entry:
    group, side, steps = spot
    entry = Entry(group, (side, steps), seen, _decision(spot, meanings[spot], seen, ids, known))
    entry.form = _all_nested(meanings[spot], seen)
    if entry.form:
        inside = [
            other
            for other in spots
            if other[:2] == spot[:2] and any(map(is_inside, other[2])) and _holder(other[2]) == steps
        ]  # fmt: skip
        entry.inner = [_entry(other, spots[other], meanings, spots, ids, known) for other in inside]
        what = "fields" if entry.form == "query" else " in ".join(["JSON", *reversed(entry.form.split()[:-1])])
        why = f"{counted(seen.texts, seen.texts)} hold {what}"
        entry.decision = Decision("", why, sure=True, others=("mask", "hash"))
    elif any(step == MAP_KEY or step == "*" for step in steps) and side == "value":
        entry.decision = _of_map(entry.decision, steps, seen)
    return entry


def _decision(spot: Spot, said: Meaning, seen: Evidence, ids: Ids, known: frozenset[str]) -> Decision:
    side, name = spot[1], _header_name(spot)
    people = any(seen.inside[kind] * 2 > seen.looked for kind in ("email", "phone", "iban", "name"))
    tokens = seen.inside["jwt"] or seen.inside["private_key"] or seen.inside["secret"] * 2 > seen.looked
    if name in _STANDARD and not people and not tokens and spot not in ids.families:
        return Decision("keep", _REASONS.get(name, "a header of a standard"))
    if name in _SECRET_HEADERS or (name and said.kind == "secret"):
        return Decision("drop", "holds secrets, or what is sent along with them")
    decided = _as_id(spot, said, seen, ids, known) if spot in ids.families else decide(said, seen)
    if side == "key" and not spot[2] and decided.rule.startswith(("mask", "{rule", "drop", "null")):
        decided = replace(decided, rule="hash", others=())
    if side == "key" and not spot[2] and decided.rule == "keep" and not said.kind and seen.forms["word"] < seen.texts:
        decided = replace(decided, sure=False, why=f"{decided.why}; but a key is somebody's or something's id")
    if side == "key" and decided.domain in ("ip", "mac"):
        decided = replace(decided, rule="hash", domain="", others=())
    tags = sorted(tag for tag in seen.tags if any(word in tag.lower() for word in _PERSONAL_TAGS))
    if tags:
        why = f"tagged {', '.join(tags)}; {decided.why}"
        text = seen.kind in ("string", "bytes")
        safe = "hash" if text else "{rule: replace, with: false}" if seen.kind == "boolean" else _ZERO
        decided = replace(decided, why=why, **({"rule": safe, "sure": True} if decided.rule == "keep" else {}))  # type: ignore[arg-type]
    return decided


_ZERO = "{rule: replace, with: 0}"


def _header_name(spot: Spot) -> str:
    """In lower case; "" for keys and values."""
    return spot[1].removeprefix("header ").lower() if spot[1].startswith("header ") else ""


def _as_id(spot: Spot, said: Meaning, seen: Evidence, ids: Ids, known: frozenset[str]) -> Decision:
    found: list[tuple[Family, Joined]] = [(family, ids.of[spot, family]) for family in ids.families[spot]]
    several = f"{seen.different} different id{'s' if seen.distinct > 1 else ''} in {seen.texts:,}"
    if seen.as_key == seen.texts:
        several += ", the same as the key in all of them"
    names = sorted({domain.name for _family, domain in found})
    if any(prefix for (prefix, _form), _domain in found):
        rule = joining.extract(found, known)
        if rule is not None:
            return Decision(rule, several, others=("hash",))
        return Decision("hash", several)
    number = seen.kind == "number"
    return Decision(f"{{domain: {names[0]}}}", several, others=("hash",) if not number else (_ZERO,))


def _of_map(decided: Decision, steps: Steps, seen: Evidence) -> Decision:
    """Keys of maps are data: what stands below them waits for a person who looks at them."""
    if steps[-1] == MAP_KEY:
        rule = decided.rule if decided.rule.startswith("{domain") else "hash"
        return Decision(rule, f"the keys of a map, {seen.different} different: data, not names", sure=False)
    return replace(decided, sure=decided.sure and decided.rule != "keep", why=f"below a map's keys: {decided.why}")


def _meaning(group: Seen, side: str, steps: Steps) -> Meaning:
    context: Steps = tuple(step for step in steps if not is_inside(step))
    if side.startswith("header "):
        context = (side.removeprefix("header ").removeprefix("ce_"), *context)
    elif not context:
        topic = _thing(group)
        return Meaning(entity=topic if side == "key" else "")
    named = [step for step in context if step not in (EACH, MAP_KEY, "*")]
    if len(named) == 1 and all(word in ID_WORDS for word in words(named[0])) and not side.startswith("header "):
        thing = _thing(group)
        context = (thing, *context) if thing else context
    return meaning(context)


def _thing(group: Seen) -> str:
    """What a topic is full of, by its name: ``eu.orders`` of an order."""
    topic = [word for word in words(group.topics[0]) if word.isalpha()]
    singular = topic[-1].removesuffix("s") if topic else ""
    return SAME_PEOPLE.get(singular, singular)


def _lend_to_keys(groups: Sequence[Seen], meanings: dict[Spot, Meaning]) -> None:
    """A key means what the field means that it equals in every record."""
    for number, group in enumerate(groups):
        key = group.places.get(("key", ()))
        for (side, steps), seen in sorted(group.places.items()):
            same = side == "value" and seen.texts and seen.as_key == seen.texts
            if key is not None and same and seen.texts == key.texts and not meanings[number, "key", ()].is_id:
                meanings[number, "key", ()] = meanings[number, side, steps]


def _is_id(spot: Spot, said: Meaning, seen: Evidence) -> bool:
    if not _may_be_id(said, seen) or said.kind in ("technical_id", "time", "choice", "measure"):
        return False
    if seen.kind == "number":
        return said.is_id or (spot[1] == "key" and not spot[2])
    return said.is_id or not is_choice(said, seen)


def _may_be_id(said: Meaning, seen: Evidence) -> bool:
    if seen.kind not in ("string", "number") or said.kind not in _IDS or not joining.families(seen):
        return False
    if seen.near == seen.texts or seen.nested or seen.dates.total() == seen.texts:
        return False
    if seen.forms["word"] or seen.forms["text"]:
        return False
    return not any(seen.all_whole(name) and not (name == "phone" and said.is_id) for name in seen.whole)


def _all_nested(said: Meaning, seen: Evidence) -> str:
    """The one form in which all the texts hold something; a secret is none that anybody needs the fields of."""
    (form, count), *_others = (*seen.nested.most_common(1), ("", 0))
    return form if count and count == seen.texts and (form == "json" or said.kind != "secret") else ""


def _holder(steps: Steps) -> Steps:
    """The path of the text that holds a field."""
    return steps[: max(number for number, step in enumerate(steps) if is_inside(step))]


def _known_words(groups: Sequence[Seen]) -> frozenset[str]:
    """Words that are no data: of topics, of fields, of the vocabulary."""
    found = {*PEOPLE, *SAME_PEOPLE.values()}
    for phrases in PHRASES.values():
        found.update(phrases.replace(",", " ").split())
    for group in groups:
        for topic in group.topics:
            found.update(words(topic))
        for side, steps in group.places:
            for step in (side, *steps):
                found.update(words(step))
    return frozenset(word for word in found if word.isalpha())


def _order(where: Where) -> tuple[int, str, bool, Steps]:
    """Key, headers, value; names before wildcards, which would take their place."""
    side, steps = where
    rank = 0 if side == "key" else 2 if side == "value" else 1
    return rank, side, "*" in steps, steps
