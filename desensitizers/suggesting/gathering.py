"""What was seen of a capture's topics, and which topics are alike enough to be spoken of together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from desensitizers.paths import EACH, MAP_KEY, Steps
from desensitizers.suggesting.evidence import Evidence
from desensitizers.suggesting.names import meaning
from desensitizers.suggesting.survey import MOST_NAMES, tell_text

MOST_PLACES = 5_000
"""Places of a topic that are told apart."""

_FEWEST_KEYS = 12
_RARE = 0.1

Where = tuple[str, Steps]
"""``key``, ``value`` or ``header NAME``; path (empty for a payload without fields)."""


@dataclass(slots=True)
class Seen:
    """A topic, or several that are alike."""

    topics: tuple[str, ...]
    records: int = 0
    looked: int = 0
    """Records that were looked at."""
    forms: dict[str, str] = field(default_factory=dict)
    """By side: the format to write in a policy ("" for documents that say themselves what they are)."""
    payloads: Counter[str] = field(default_factory=Counter)
    """By side: payloads that are neither null nor empty."""
    undecodable: Counter[str] = field(default_factory=Counter)
    places: dict[Where, Evidence] = field(default_factory=dict)
    strange_headers: int = 0
    """Headers whose name looks like data."""
    notes: set[str] = field(default_factory=set)
    """What would stop a copy and stands at no place that a rule could be for."""

    def place(self, where: Where) -> Evidence | None:
        """The evidence to add to; None when there are too many places already."""
        known = self.places.get(where)
        if known is None and len(self.places) < MOST_PLACES:
            known = self.places[where] = Evidence()
        return known

    def fold(self) -> None:
        """Objects whose keys are data are maps: what stands below single keys goes to all of them."""
        objects: dict[Where, dict[str, int]] = {}
        for (side, steps), evidence in self.places.items():
            for depth, step in enumerate(steps):
                if step not in (EACH, MAP_KEY):
                    names = objects.setdefault((side, steps[:depth]), {})
                    names[step] = max(names.get(step, 0), evidence.kinds.total())
        for where, names in sorted(objects.items(), key=lambda item: -len(item[0][1])):
            if self._is_map(where, names):
                self._fold(where)

    def _is_map(self, where: Where, names: dict[str, int]) -> bool:
        """More keys than records have, or many that are rare and of which few mean anything as names of fields."""
        if "*" in names and len(names) > MOST_NAMES:
            return True
        if not where[1] or len(names) < _FEWEST_KEYS:
            return False
        known = sum(bool((said := meaning((name,))).kind or said.is_id) for name in names)
        rare = sum(names.values()) <= _RARE * len(names) * self.looked
        return rare and known <= _RARE * len(names)

    def _fold(self, where: Where) -> None:
        side, above = where
        depth = len(above)
        for one in [one for one in self.places if one[0] == side and one[1][:depth] == above and len(one[1]) > depth]:
            if one[1][depth] not in ("*", MAP_KEY, EACH):
                folded = (side, (*above, "*", *one[1][depth + 1 :]))
                evidence = self.places.pop(one)
                self.places.setdefault(folded, Evidence()).merge(evidence)
        self.places.setdefault((side, (*above, MAP_KEY)), Evidence()).kinds["string"] += 1

    def merge(self, other: Seen) -> None:
        self.topics += other.topics
        self.records += other.records
        self.looked += other.looked
        self.payloads += other.payloads
        self.undecodable += other.undecodable
        self.strange_headers += other.strange_headers
        for where, evidence in other.places.items():
            self.places[where].merge(evidence)

    @property
    def match(self) -> str:
        """The topics as a policy names them."""
        if len(self.topics) == 1:
            return self.topics[0]
        first, last = min(self.topics), max(self.topics)
        same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        shared = first[: 1 + max(first.rfind(sign, 0, same) for sign in ".-_")]
        return f"{shared}{{{','.join(name.removeprefix(shared) for name in self.topics)}}}"


class Teller:
    """Adds what a survey tells of one side of a topic to its evidence; implements `survey.Told`."""

    def __init__(self, seen: Seen, side: str) -> None:
        self._seen = seen
        self._side = side
        self.at_ms = 0
        self.key: str | None = None
        """The record's key as text, and its time: set before each record."""

    def leaf(self, steps: Steps, kind: str, value: Any, tags: Iterable[str] = ()) -> None:
        evidence = self._seen.place((self._side, steps))
        if evidence is not None:
            evidence.add(kind, value, self.at_ms, self.key)
            evidence.tags.update(tags)

    def text(self, steps: Steps, text: str) -> None:
        """A text that may hold something."""
        tell_text(self, steps, text)

    def nested(self, steps: Steps, form: str) -> None:
        evidence = self._seen.place((self._side, steps))
        if evidence is not None:
            evidence.nested[form] += 1

    def declared(self, steps: Steps, kind: str, type_name: str, tags: Iterable[str]) -> None:
        evidence = self._seen.place((self._side, steps))
        if evidence is not None:
            evidence.declared.add((kind, type_name))
            evidence.tags.update(tags)


def grouped(topics: Iterable[Seen]) -> list[Seen]:
    """Topics with the same places, formats and kinds of values become one, in the order of their names."""
    found: dict[Any, Seen] = {}
    for one in sorted(topics, key=lambda seen: seen.topics):
        places = frozenset((where, evidence.kind) for where, evidence in one.places.items() if evidence.seen)
        shape = places, tuple(sorted(one.forms.items())), bool(one.strange_headers)
        known = found.get(shape) if places else None
        if known is None:
            found[shape if places else one.topics] = one
        else:
            for where in one.places:
                known.places.setdefault(where, Evidence())
            for where in known.places:
                one.places.setdefault(where, Evidence())
            known.merge(one)
    return list(found.values())
