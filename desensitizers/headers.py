"""The headers of one topic: each name has a rule for its values, and names are data too.

A name passes when a pattern writes it out, or when the rule for ``@key`` says so: no wildcard and no regular expression
lets one pass, as with members of maps. A header that is called so is written ``{@key}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from desensitizers.errors import Refusal, UnfitError
from desensitizers.explaining import seen_name
from desensitizers.leaves import LeafRule, LeafRules
from desensitizers.paths import HEADER_NAMES, MAP_KEY, compile_name, compile_spelled
from desensitizers.payloads import PayloadRule
from desensitizers.sink import Sink
from desensitizers.spec import PayloadSpec, RuleSpec, TopicSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

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
        """The clean headers, which are the column that came when nothing changes.

        What they have against a record is in the sink.
        """
        import numpy as np
        import pyarrow as pa

        flat = column.flatten()
        if not len(flat):
            return column
        names, values = flat.field("key").dictionary_encode(), flat.field("value")
        codes = np.asarray(names.indices)
        rows = np.repeat(np.arange(len(column)), np.asarray(column.value_lengths().fill_null(0)))
        places = {name: np.flatnonzero(codes == code) for code, name in enumerate(names.dictionary.to_pylist())}
        stays = np.ones(len(flat), np.bool_)
        became: dict[str, str] = {}
        parts: list[Any] = []
        same = True
        for name, mine in places.items():
            before = values.take(pa.array(mine))
            after = self._values(name, before, rows[mine])
            called = None if after is None else self._name(name, rows[mine])
            if called is None:
                stays[mine] = False
            else:
                became[name] = called
            same = same and after is before and called == name
            parts.append(before if after is None else after)
        if same:
            return column
        if len(set(became.values())) < len(became):
            self._refuse_merged(became, {name: rows[mine].tolist() for name, mine in places.items()})
        order = np.empty(len(flat), np.int64)
        order[np.concatenate(list(places.values()))] = np.arange(len(flat))
        clean = pa.concat_arrays(parts).take(pa.array(order[stays]))
        table = pa.array([became.get(name, name) for name in places], flat.type.field("key").type)
        entries = pa.StructArray.from_arrays(
            [table.take(pa.array(codes[stays])), clean], fields=[flat.type.field("key"), flat.type.field("value")]
        )
        ends = np.cumsum(np.bincount(rows[stays], minlength=len(column)))
        offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
        mask = column.is_null() if column.null_count else None
        return pa.ListArray.from_arrays(offsets, entries, type=column.type, mask=mask)

    def _values(self, name: str, values: Any, rows: Ints) -> Any:
        """The clean values of one name, which are `values` itself when they all stay; None when the headers go."""
        import pyarrow as pa

        rule = self._rule(name)
        if rule is None:
            return self._unknown(name, values, rows)
        if rule.passes(values):
            return values
        clean = rule.column(values.to_pylist(), rows.tolist())
        if rule.drops:
            return None
        return pa.nulls(len(values), values.type) if rule.empties else pa.array(clean, values.type)

    def _rule(self, name: str) -> PayloadRule | None:
        if name not in self._found:
            if len(self._found) > _REMEMBERED:
                self._found.clear()
            matching = (
                rule for pattern, rule in zip(self._patterns, self.rules, strict=True) if pattern.fullmatch(name)
            )
            self._found[name] = next(matching, None)
        return self._found[name]

    def _unknown(self, name: str, values: Any, rows: Ints) -> Any:
        """The masked values of a header that no pattern matches; None when it goes."""
        import pyarrow as pa

        setting = self._topic.unknown_field
        self._sink.counts["header", "(unknown)", setting] += len(rows)
        if setting == "drop":
            return None
        place = f"header {seen_name(name)}"
        if setting == "mask":
            mask = PayloadSpec("string", self._topic.line, RuleSpec("mask", self._topic.line, learn=False))
            rule = PayloadRule(place, mask, self._topic, self._leaves, self._sink)
            return pa.array(rule.column(values.to_pylist(), rows.tolist()), values.type)
        reason = f'is not named by the policy; add "{seen_name(name)}: drop" (or keep …) under headers'
        reason += f" of topic '{self._topic.match}'"
        self._refuse(Refusal("", reason, cause="unknown_field"), place, rows.tolist())
        return None

    def _name(self, name: str, rows: Ints) -> str | None:
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
            self._refuse(Refusal("@key", reason, cause="unknown_field"), place, rows.tolist())
        if rule is None:
            return name
        self._sink.counts["header", self._path, rule.name] += len(rows)
        if rule.effect == "drop":
            return None
        try:
            return rule.text(name) if rule.effect == "rewrite" else name
        except UnfitError as error:
            self._refuse(error.at("@key"), place, rows.tolist())
            return name

    def _refuse_merged(self, became: dict[str, str], rows: dict[str, list[int]]) -> None:
        """One record's headers of two names must not end up under one."""
        of: dict[str, list[str]] = {}
        for name, after in became.items():
            of.setdefault(after, []).append(name)
        for names in of.values():
            met: set[int] = set()
            for name in names:
                here = set(rows[name])
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
