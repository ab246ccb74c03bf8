"""Writes a draft as YAML: one line a place, with what was seen as its comment, and what waits behind ``#?``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from desensitizers.suggesting import joining
from desensitizers.suggesting.choosing import Entry
from desensitizers.suggesting.gathering import Seen
from desensitizers.suggesting.joining import Ids

MARK = "#?"
"""Begins a line that waits for a decision: without it, it is a line of the policy."""
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*")
_WORDS_OF_YAML = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_DOMAINS = {
    "email": "{surrogate: email}",
    "phone": "{surrogate: phone}",
    "card": "{surrogate: card}",
    "iban": "{surrogate: iban}",
    "name": "{surrogate: name}",
    "ip": "{surrogate: ip}",
    "mac": "{surrogate: mac}",
    "address": "{canonical: words}",
    "town": "{canonical: words}",
}
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file, and the entry that it speaks of."""

    text: str
    entry: Entry | None = None


def draft(groups: Sequence[Seen], entries: Sequence[Entry], ids: Ids, looked: str) -> list[Line]:
    """The lines of the policy; `looked` says how much of the capture was looked at."""
    decided = list(_all(entries))
    waiting = sum(not entry.decision.sure for entry in decided)
    records = sum(group.records for group in groups)
    topics = sum(len(group.topics) for group in groups)
    of_topics = f"{topics:,} topics" if topics != 1 else "one topic"
    lines = [
        f"# A draft from {records:,} records of {of_topics}. Each comment is what was seen, never a value.",
        f"# {looked}",
        f"# {len(decided) - waiting:,} places are decided, {waiting:,} wait for you. What stands behind {MARK} is a",
        "# proposal: take the mark away to accept it. Until then a copy fails there, for nothing is kept in doubt. Ask",
        "#   blackbox policy check THIS CAPTURE",
        "# Free text is masked; this leaves the text, but for what detectors find:",
        "#   {rule: scan, detectors: [email, phone, card, iban, national_id, ip, url, jwt, secret, private_key, name, "
        "address, learned]}",
        "# An exact amount may single out a payment: keep it, or {rule: noise, percent: 5}, {rule: bucket, size: 100}.",
        "version: 1",
        "secret: {env: BLACKBOX_KEY}",
        "defaults:",
        "  unknown_field: fail",
    ]
    found = [*map(Line, lines), *map(Line, _domains(decided, ids)), Line("topics:")]
    for number, group in enumerate(groups):
        found += _topic(group, [entry for entry in entries if entry.group == number])
    return found


def text(lines: Iterable[Line], *, accepted: bool = False) -> str:
    """The file; `accepted`: as it is when every proposal is taken."""
    rows = (line.text for line in lines)
    return "\n".join(row.removeprefix(MARK) if accepted else row for row in rows) + "\n"


def _all(entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        yield from _all(entry.inner)


def _domains(decided: Sequence[Entry], ids: Ids) -> Iterator[str]:
    used = [entry.decision.rule for entry in decided]
    simple = [name for name in _DOMAINS if any(f"domain: {name}}}" in rule for rule in used)]
    joined = [one for one in ids.domains if any(f"domain: {one.name}}}" in rule for rule in used)]
    if simple or joined:
        yield "domains:"
    for name in simple:
        comment = 'say the country of national numbers: country: "49"' if name == "phone" else ""
        yield _commented(f"  {name}: {_DOMAINS[name]}", comment)
    for one in sorted(joined, key=lambda domain: domain.name):
        ids_of = f"{one.bodies.about} different id{'s' if one.bodies.distinct > 1 else ''}"
        where = f"{ids_of}, in {one.places:,} places" if one.places > 1 else ""
        if one.apart_from:
            where = f"{where}; " if where else ""
            where += f"shares no value with '{one.apart_from}': write that one here if they are the same"
        yield _commented(f"  {one.name}: {{surrogate: {joining.surrogate(one)}}}", where)


def _topic(group: Seen, entries: Sequence[Entry]) -> Iterator[Line]:
    yield Line(_commented(f"  - match: {_word(group.match)}", f"{group.records:,} records"))
    undecodable = sum(group.undecodable.values())
    if undecodable:
        total = sum(group.payloads.values())
        yield Line(_commented("    undecodable: replace", f"{undecodable:,} of {total:,} payloads can't be read"))
    yield from (Line(f"    # {note}") for note in sorted(group.notes))
    for side in ("key", "value"):
        if side == "value":
            yield from _headers(group, [entry for entry in entries if entry.where[0].startswith("header ")])
        yield from _payload(side, group.forms.get(side, ""), [one for one in entries if one.where[0] == side])


def _headers(group: Seen, entries: Sequence[Entry]) -> Iterator[Line]:
    if group.strange_headers:
        yield Line(
            f"    # {group.strange_headers:,} headers have names that look like data: write a pattern for them, "
            "and a rule for their names, as @key"
        )
    names = list(dict.fromkeys(entry.where[0] for entry in entries))
    if not names:
        return
    sure = any(map(_stands, entries))
    yield Line(("" if sure else MARK) + "    headers:")
    for name in names:
        one = [entry for entry in entries if entry.where[0] == name]
        yield from _payload(name.removeprefix("header "), "", one, indent=6)


def _payload(name: str, form: str, entries: Sequence[Entry], indent: int = 4) -> Iterator[Line]:
    """A scalar on one line, a document as its paths."""
    if not entries:
        return
    pad = " " * indent
    whole = [entry for entry in entries if not entry.where[1]]
    if whole and len(entries) == 1 and form not in ("json", "avro", "protobuf", "json-schema", "auto"):
        (entry,) = whole
        if entry.inner:
            yield from _nested(pad, _word(name), entry)
        else:
            yield _line(pad, _word(name), _with_format(entry.decision.rule, form), entry)
        return
    sure = any(map(_stands, entries))
    mark = "" if sure else MARK
    yield Line(f"{mark}{pad}{_word(name)}:")
    if form and form != "auto":
        yield Line(f"{mark}{pad}  format: {form}")
    for entry in entries:
        if entry.inner:
            yield from _nested(pad + "  ", _word(entry.path), entry)
        else:
            yield _line(pad + "  ", _word(entry.path), entry.decision.rule, entry)


def _nested(pad: str, name: str, entry: Entry) -> Iterator[Line]:
    """What a text holds: its fields below it; it waits as a whole when all of them do."""
    mark = "" if _stands(entry) else MARK
    words = entry.form.split()
    form = words[0] if len(words) == 1 else f"[{', '.join(words)}]"
    yield Line(mark + _commented(f"{pad}{name}:", entry.decision.why), entry)
    yield Line(f"{mark}{pad}  format: {form}", entry)
    for inner in entry.inner:
        if inner.inner:
            yield from _nested(pad + "  ", _word(inner.path), inner)
        else:
            yield _line(pad + "  ", _word(inner.path), inner.decision.rule, inner)


def _stands(entry: Entry) -> bool:
    """Whether there is a rule for it in the policy, or for something that it holds."""
    if entry.inner:
        return any(map(_stands, entry.inner))
    return entry.decision.sure and bool(entry.decision.rule)


def _line(pad: str, name: str, rule: str, entry: Entry) -> Line:
    why = entry.decision.why
    if not rule:
        return Line(f"{pad}# {name}: no rule fits its type: drop what holds it ({why})", entry)
    if entry.tried:
        why += "; no rule that would remove it fits its type" if rule == "keep" else ""
    mark = "" if entry.decision.sure else MARK
    return Line(mark + _commented(f"{pad}{name}: {rule}", why), entry)


def _with_format(rule: str, form: str) -> str:
    if not form or form == "string" or not rule:
        return rule
    return f"{{format: {form}, {rule[1:]}" if rule.startswith("{") else f"{{format: {form}, rule: {rule}}}"


def _commented(line: str, comment: str) -> str:
    return f"{line.ljust(_WIDTH)}  # {comment}" if comment else line


def _word(name: str) -> str:
    """A name as YAML writes it."""
    if _PLAIN.fullmatch(name) and name.lower() not in _WORDS_OF_YAML and not name.endswith("."):
        return name
    return json.dumps(name, ensure_ascii=False)
