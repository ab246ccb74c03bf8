"""A compiled policy: for each topic, what happens to key, headers and value, batch by batch.

`Plan.findings` collects what must be proven gone (originals) and what must be one to one (pairs), over all topics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from desensitizers.domains import Domain
from desensitizers.errors import PolicyError
from desensitizers.explaining import Explanation
from desensitizers.headers import Headers
from desensitizers.keys import Keyring
from desensitizers.learned import Learned
from desensitizers.leaves import LeafRules
from desensitizers.paths import compile_name, speaks_of_names
from desensitizers.payloads import PayloadRule, check_names, check_payload
from desensitizers.rules.base import Context
from desensitizers.sink import Findings, Problem, Sink, Withheld
from desensitizers.spec import PayloadSpec, PolicySpec, TopicSpec
from desensitizers.types import Schemas
from desensitizers.withholding import Withholding, looking, only_looking

_REMEMBERED_KEYS = 20_000
_SCHEMA_HEADERS = {"key": "__key_schema_id", "value": "__value_schema_id"}
"""Where serializers name a schema outside of the payload."""


@dataclass(frozen=True, slots=True)
class ScrubbedBatch:
    """The clean batch, or the problems that forbid one; never both."""

    batch: Any | None
    """A pyarrow.RecordBatch with the columns, types and rows of the one that went in, but for the withheld."""
    problems: tuple[Problem, ...]
    withheld: tuple[Withheld, ...] = ()
    """What goes to quarantine, by row of the batch that went in."""


class Plan:
    """Finds the plan of a topic by name."""

    def __init__(
        self,
        spec: PolicySpec,
        keyring: Keyring,
        domains: Mapping[str, Domain],
        *,
        learning: bool = False,
        schemas: Schemas | None = None,
        explanation: Explanation | None = None,
    ) -> None:
        """With an `explanation` nothing that comes of it is clean: it lets pass what no rule names."""
        self.spec = spec
        self.findings = Findings()
        self.learned: Learned | None = None
        """What `scan` rules with the detector `learned` search for; set it before `for_topic`."""
        context = Context(keyring, domains, find_learned=self._find_learned, found=self.findings.original)
        for domain in domains.values():
            domain.tell, domain.tell_all = self.findings.pair, self.findings.pairs_of
        self._rules = LeafRules(
            context,
            self.findings,
            learning=learning,
            schemas=schemas,
            file=spec.file,
            tags=spec.schema_tags,
            explanation=explanation,
        )
        self._matches = [(compile_name(topic.match), topic) for topic in spec.topics]

    def covers(self, topic: str) -> bool:
        """Whether the policy names this topic at all; a topic that it doesn't name can't be copied."""
        return self._find(topic) is not None

    def for_topic(self, topic: str) -> TopicPlan:
        """A topic's plan, for one thread. KeyError for a topic that the policy doesn't cover.

        It has its own counts and texts; what rules remember is shared by all topics of this plan.
        """
        spec = self._find(topic)
        if spec is None:
            raise KeyError(topic)
        return self.for_spec(topic, spec)

    def for_spec(self, topic: str, spec: TopicSpec) -> TopicPlan:
        return TopicPlan(topic, spec, self._rules)

    def _find_learned(self, texts: Sequence[str]) -> Iterable[tuple[int, int, int, str]]:
        return self.learned.find_all(texts) if self.learned else ()

    def _find(self, topic: str) -> TopicSpec | None:
        return next((spec for pattern, spec in self._matches if pattern.fullmatch(topic)), None)


class TopicPlan:
    """What happens to one topic; `sink` counts over all batches."""

    def __init__(self, topic: str, spec: TopicSpec, rules: LeafRules) -> None:
        self.topic = topic
        self.spec = spec
        self.sink = Sink()
        self._rules = rules
        self.key = self._payload("key", spec.key)
        self.value = self._payload("value", spec.value)
        self.headers = Headers(spec, rules, self.sink)
        self._keys: dict[bytes | None, bytes | None] = {}
        self._withheld_keys: dict[bytes | None, Withheld] = {}
        self._withholding = Withholding(self.sink, self.flush_counts, self._glean) if spec.withholds else None
        self._gleaner: TopicPlan | None = None

    @property
    def wants_learned(self) -> bool:
        """Whether any rule searches texts for originals that other rules replace."""
        rules = [rule for rule in (self.key, self.value, self.headers) if rule]
        return any(leaf.wants_learned for rule in rules for _path, leaf in rule.leaves)

    def apply(self, batch: Any) -> ScrubbedBatch:
        """Clean one pyarrow.RecordBatch with at least partition, offset, key, value and headers.

        Rows, order, types and all other columns stay, but for records that go to quarantine: these are left out. A
        batch with a problem yields none of its records.
        """
        withheld: tuple[Withheld, ...] = ()
        if self._withholding is None:
            clean = self._clean(batch)
        else:
            clean, withheld = self._withholding.apply(batch, self._clean)
        problems = self._problems(batch)
        return ScrubbedBatch(None, problems) if problems else ScrubbedBatch(clean, (), withheld)

    def _clean(self, batch: Any) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        columns["key"] = self._keys_column(columns["key"], _naming(columns["headers"], "key", pc), pa)
        columns["value"] = self._values_column(columns["value"], _naming(columns["headers"], "value", pc), pa)
        columns["headers"] = self.headers.column(columns["headers"])
        if self._rules.learning or self.sink.problems or self.sink.withheld:
            return batch
        return pa.RecordBatch.from_arrays(list(columns.values()), schema=batch.schema)

    def _glean(self, batch: Any) -> None:
        """Tells the originals of records that are withheld."""
        if self._gleaner is None:
            self._gleaner = TopicPlan(self.topic, only_looking(self.spec), looking(self._rules))
        self._gleaner.apply(batch)
        found = self._gleaner._rules.findings
        self._rules.findings.originals |= found.originals
        found.originals.clear()
        found.pairs.clear()

    def flush_counts(self) -> None:
        """Brings the sink's counts up to date."""
        for rule in (self.key, self.value, *self.headers.rules):
            if rule:
                rule.flush_counts()

    def _payload(self, place: str, spec: PayloadSpec | None) -> PayloadRule | None:
        return PayloadRule(place, spec, self.spec, self._rules, self.sink) if spec else None

    def _keys_column(self, column: Any, named: list[bytes | None] | None, pa: Any) -> Any:
        if named is not None and self.key is not None:
            return self._named_keys(column, column.to_pylist(), named, pa)
        stay = self.key is not None and not self._withheld_keys and self.key.stays(column)
        if stay and self._rules.learning:
            return column
        encoded = column.dictionary_encode()
        keys = encoded.dictionary.to_pylist()
        if self.key is None:
            self._unnamed("key", _first_rows(encoded.indices).tolist())
            return column
        known = self._keys
        new = [code for code, key in enumerate(keys) if key not in known]
        if new:
            if len(known) >= _REMEMBERED_KEYS:
                known = self._keys = {}
                self._withheld_keys.clear()
                new = list(range(len(keys)))
            if stay:
                self._meet_keys(keys if len(new) == len(keys) else [keys[code] for code in new])
            else:
                self._learn_keys([keys[code] for code in new], _first_rows(encoded.indices)[new].tolist())
        if stay:
            return column
        if self._withheld_keys:
            self._withhold_keys(column.to_pylist())
        clean = [known[key] for key in keys]
        return column if clean == keys else pa.array(clean, column.type).take(encoded.indices)

    def _meet_keys(self, keys: list[bytes]) -> None:
        """Remembers keys that stay, and tells their pairs."""
        assert self.key is not None
        self._keys.update(zip(keys, keys, strict=True))
        self.key.count(sum(map(bool, keys)))
        filled = keys if all(keys) else [key for key in keys if key]
        self._rules.findings.pairs_of(f"key of {self.topic}", filled, filled)

    def _learn_keys(self, keys: list[bytes], rows: list[int]) -> None:
        """Cleans keys that were not met before, and remembers them; each is the key of that row of the batch."""
        assert self.key is not None
        clean = self.key.column(keys, rows)
        self._keys.update(zip(keys, clean, strict=True))
        if self.sink.withheld:
            held = ((key, self.sink.withheld.get(row)) for key, row in zip(keys, rows, strict=True))
            self._withheld_keys.update((key, why) for key, why in held if why is not None)
        if not self._rules.learning:
            pairs = [(key, after) for key, after in zip(keys, clean, strict=True) if key and after is not None]
            before, after = ([pair[side] for pair in pairs] for side in (0, 1))
            self._rules.findings.pairs_of(f"key of {self.topic}", before, after)

    def _withhold_keys(self, keys: list[bytes | None]) -> None:
        """Every record of a key that can't be cleaned, not only the first."""
        for row, key in enumerate(keys):
            why = self._withheld_keys.get(key)
            if why is not None:
                self.sink.withhold(row, why.place, why.path, why.cause, why.reason)

    def _named_keys(self, column: Any, keys: list[bytes | None], named: list[bytes | None], pa: Any) -> Any:
        """Keys whose schema a header names: the same bytes may be another key under another schema."""
        assert self.key is not None
        clean = self.key.column(keys, named=named)
        for before, after in zip(keys, clean, strict=True):
            if before and after is not None:
                self._rules.findings.pair(f"key of {self.topic}", before, after)
        return pa.array(clean, column.type)

    def _values_column(self, column: Any, named: list[bytes | None] | None, pa: Any) -> Any:
        if self.value is None:
            self._unnamed("value", [row for row, value in enumerate(column.to_pylist()) if value is not None])
            return column
        if named is None:
            return self.value.array(column)
        return pa.array(self.value.column(column.to_pylist(), named=named), column.type)

    def _unnamed(self, place: str, rows: list[int]) -> None:
        for row in rows:
            reason = f"is not named by the policy; add \"{place}: …\" to topic '{self.spec.match}'"
            self.sink.problem(row, place, "", reason)

    def _problems(self, batch: Any) -> tuple[Problem, ...]:
        found = tuple(
            Problem(
                self.topic,
                place,
                path,
                reason,
                count,
                batch.column("partition")[row].as_py(),
                batch.column("offset")[row].as_py(),
            )
            for (place, path, reason), (count, row) in self.sink.problems.items()
        )
        self.sink.problems.clear()
        return found


def _naming(headers: Any, side: str, pc: Any) -> list[bytes | None] | None:
    """For each row the header that names its key's or value's schema; None when no row has one."""
    flat = headers.flatten()
    if not len(flat) or not pc.any(pc.equal(flat.field("key"), _SCHEMA_HEADERS[side])).as_py():
        return None
    found: list[bytes | None] = []
    for row in headers.to_pylist():
        values = [one["value"] for one in row or () if one["key"] == _SCHEMA_HEADERS[side] and one["value"] is not None]
        found.append(values[-1] if values else None)
    return found


def _first_rows(codes: Any) -> Any:
    """The row of each code's first appearance; codes are numbered in that order, and null where there is no key."""
    import numpy as np

    highest = np.maximum.accumulate(np.asarray(codes.fill_null(-1)))
    return np.flatnonzero(np.diff(highest, prepend=-1))


def check_plan(plan: Plan, spec: PolicySpec) -> None:
    """Builds every topic's plan once, so that what can't work fails at load. Raises PolicyError."""
    for topic in spec.topics:
        built = plan.for_spec(topic.match, topic)
        named = [(built.key, topic.key), (built.value, topic.value)]
        named += [(rule, body) for rule, (_text, body) in zip(built.headers.rules, topic.headers, strict=True)]
        for rule, payload in named:
            if rule is not None and payload is not None:
                check_payload(rule, payload, topic, topic.file or spec.file)
        for path, leaf in built.headers.leaves:
            if speaks_of_names(path):
                check_names(path, leaf, topic.file or spec.file)
        if built.key is None and topic.key is not None:
            raise PolicyError("key is empty.", file=topic.file or spec.file, line=topic.line)
