"""The headers of one topic: each name has a rule for its values, and names are data too.

A name passes when a pattern writes it out, or when the rule for ``@key`` says so: no wildcard and no regular expression
lets one pass, as with members of maps. A header that is called so is written ``{@key}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from desensitizers.errors import Refusal, UnfitError
from desensitizers.explaining import seen_name
from desensitizers.leaves import LeafRule, LeafRules
from desensitizers.paths import HEADER_NAMES, MAP_KEY, compile_name, compile_spelled
from desensitizers.payloads import PayloadRule
from desensitizers.sink import Sink
from desensitizers.spec import PayloadSpec, RuleSpec, TopicSpec

_REMEMBERED = 20_000


class Headers:
    """Cleans columns of headers: list<struct<key string, value binary?>>."""

    def __init__(self, topic: TopicSpec, rules: LeafRules, sink: Sink) -> None:
        self._topic = topic
        self._leaves = rules
        self._sink = sink
        self.rules = [PayloadRule(f"header {name}", spec, topic, rules, sink) for name, spec in topic.headers]
        self._patterns = [compile_name(name) for name, _spec in topic.headers]
        self._found: dict[str, PayloadRule | None] = {}
        spelled = [one for name, _spec in topic.headers if (one := compile_spelled(name))]
        self._spelled = re.compile("|".join(spelled) or "(?!)")
        self._path = "(unknown)"
        self._naming = rules.unknown_names(topic.unknown_field, topic.line)
        if topic.header_names is not None:
            self._path, self._naming = HEADER_NAMES, rules.make(topic.header_names, HEADER_NAMES)

    @property
    def leaves(self) -> Iterator[tuple[str, LeafRule]]:
        """The rules for values, and the one for names."""
        for rule in self.rules:
            yield from rule.leaves
        if self._naming is not None:
            yield self._path, self._naming

    def column(self, column: Any) -> Any:
        """The clean headers; what they have against a record is in the sink."""
        import pyarrow as pa

        lengths = column.value_lengths().to_pylist()
        flat = column.flatten()
        if not len(flat):
            return column
        names = flat.field("key").to_pylist()
        values = flat.field("value").to_pylist()
        rows = [row for row, length in enumerate(lengths) for _ in range(length or 0)]
        gone = self._rewrite(names, values, rows)
        if gone:
            keep = [index for index in range(len(names)) if index not in gone]
            names = [names[index] for index in keep]
            values = [values[index] for index in keep]
            for index in gone:
                lengths[rows[index]] -= 1
        offsets = [0]
        for length in lengths:
            offsets.append(offsets[-1] + (length or 0))
        struct = flat.type
        entries = pa.StructArray.from_arrays(
            [pa.array(names, struct.field("key").type), pa.array(values, struct.field("value").type)],
            fields=[struct.field("key"), struct.field("value")],
        )
        mask = column.is_null() if column.null_count else None
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), entries, type=column.type, mask=mask)

    def _rewrite(self, names: list[str], values: list[bytes | None], rows: Sequence[int]) -> set[int]:
        """Rewrites both in place; returns the indexes of headers that go."""
        places: dict[str, list[int]] = {}
        for index, name in enumerate(names):
            places.setdefault(name, []).append(index)
        gone: set[int] = set()
        became: dict[str, str] = {}
        for name, indexes in places.items():
            rule = self._rule(name)
            if rule is None and not self._unknown(name, indexes, values, rows):
                gone.update(indexes)
                continue
            if rule is not None:
                clean = rule.column([values[index] for index in indexes], [rows[index] for index in indexes])
                for index, value in zip(indexes, clean, strict=True):
                    values[index] = None if rule.empties else value
                if rule.drops:
                    gone.update(indexes)
                    continue
            after = self._name(name, indexes, rows)
            if after is None:
                gone.update(indexes)
            else:
                became[name] = after
        if any(after != name for name, after in became.items()):
            if len(set(became.values())) < len(became):
                self._refuse_merged(became, places, rows)
            names[:] = [became.get(name, name) for name in names]
        return gone

    def _rule(self, name: str) -> PayloadRule | None:
        if name not in self._found:
            if len(self._found) > _REMEMBERED:
                self._found.clear()
            matching = (
                rule for pattern, rule in zip(self._patterns, self.rules, strict=True) if pattern.fullmatch(name)
            )
            self._found[name] = next(matching, None)
        return self._found[name]

    def _unknown(self, name: str, indexes: list[int], values: list[bytes | None], rows: Sequence[int]) -> bool:
        """Whether a header that no pattern matches may stay, its values masked."""
        setting = self._topic.unknown_field
        self._sink.counts["header", "(unknown)", setting] += len(indexes)
        if setting == "drop":
            return False
        place = f"header {seen_name(name)}"
        if setting == "mask":
            mask = PayloadSpec("string", self._topic.line, RuleSpec("mask", self._topic.line, learn=False))
            rule = PayloadRule(place, mask, self._topic, self._leaves, self._sink)
            masked = rule.column([values[index] for index in indexes], [rows[index] for index in indexes])
            for index, value in zip(indexes, masked, strict=True):
                values[index] = value
            return True
        reason = f'is not named by the policy; add "{seen_name(name)}: drop" (or keep …) under headers'
        reason += f" of topic '{self._topic.match}'"
        self._refuse(Refusal("", reason, cause="unknown_field"), place, [rows[index] for index in indexes])
        return False

    def _name(self, name: str, indexes: list[int], rows: Sequence[int]) -> str | None:
        """The name as it shall be; None when the header goes with it."""
        if self._spelled.fullmatch(name):
            return name
        rule, place = self._naming, f"header {seen_name(name)}"
        if self._leaves.explanation is not None:
            file = self._topic.file or self._leaves.file
            unnamed = self._topic.unknown_field if self._topic.unknown_field == "quarantine" else ""
            self._leaves.explanation.tell(place, (MAP_KEY,), "name", self._path, rule, file, unnamed)
        elif rule is None:
            reason = "its name is not written out by any pattern; write it out, "
            reason += f"or add \"@key: keep\" (or a domain, hash …), under headers of topic '{self._topic.match}'"
            self._refuse(Refusal("@key", reason, cause="unknown_field"), place, [rows[index] for index in indexes])
        if rule is None:
            return name
        self._sink.counts["header", self._path, rule.name] += len(indexes)
        if rule.effect == "drop":
            return None
        try:
            return rule.text(name) if rule.effect == "rewrite" else name
        except UnfitError as error:
            self._refuse(error.at("@key"), place, [rows[index] for index in indexes])
            return name

    def _refuse_merged(self, became: dict[str, str], places: dict[str, list[int]], rows: Sequence[int]) -> None:
        """One record's headers of two names must not end up under one."""
        of: dict[str, list[str]] = {}
        for name, after in became.items():
            of.setdefault(after, []).append(name)
        for names in of.values():
            met: set[int] = set()
            for name in names:
                here = {rows[index] for index in places[name]}
                both = sorted(met & here)
                if both:
                    self._refuse(Refusal("@key", "two names of a record's headers became one"), "header", both)
                met |= here

    def _refuse(self, refusal: Refusal, place: str, rows: Iterable[int]) -> None:
        for row in rows:
            if self._topic.setting(refusal.cause) == "quarantine":
                self._sink.withhold(row, place, refusal.path, refusal.cause, refusal.reason)
            else:
                self._sink.problem(row, place, refusal.path, refusal.reason)
