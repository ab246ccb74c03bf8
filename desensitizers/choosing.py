"""Documents under rules with conditions (`when`), or with rules that need another field of the record (`by`).

Each payload is looked into first; the conditions that hold choose among rewriters of the rules that are then in force,
each compiled as if there were no conditions. So all conditions see the record as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from desensitizers.conditions import holds
from desensitizers.documents import Documents
from desensitizers.leaves import LeafRule
from desensitizers.probes import Probe
from desensitizers.types import Framed, Schemas

_VARIANTS = 256
"""Sets of rules that are kept compiled; more than that, and all are forgotten."""


class Choosing:
    """Rewrites as `Documents` do, by the rules whose conditions hold."""

    def __init__(
        self,
        form: str,
        leaves: Sequence[tuple[str, LeafRule]],
        schemas: Schemas | None,
        beside: dict[str, Sequence[str]],
        make: Callable[[Sequence[tuple[str, LeafRule]]], Documents],
    ) -> None:
        """`beside` is told the texts that rules with `by` ask for; `make` compiles some of the leaves."""
        self._leaves = list(leaves)
        self._tests = [holds(rule.spec.when) if rule.spec.when else None for _path, rule in leaves]
        conditions = [condition.path for _path, rule in leaves for condition in rule.spec.when]
        self._probe = Probe(list(dict.fromkeys([*conditions, *(rule.by for _path, rule in leaves if rule.by)])))
        self._look = Documents(form, schemas, self._probe.json(), self._probe.of)
        self._beside = beside
        self._make = make
        self._variants: dict[tuple[bool, ...], Documents] = {}

    def rewrite(self, payload: bytes) -> bytes:
        """The clean payload. Raises Refusal and PolicyError."""
        self._probe.found.clear()
        self._look.rewrite(payload)
        return self._chosen().rewrite(payload)

    def rewrite_named(self, payload: bytes, header: bytes) -> bytes:
        """The same for a payload whose schema a header names."""
        self._probe.found.clear()
        self._look.rewrite_named(payload, header)
        return self._chosen().rewrite_named(payload, header)

    def prepare(self, framed: Framed) -> None:
        """Raises PolicyError for a rule that does not fit the schema, whether or not its conditions would hold."""
        for number, (path, rule) in enumerate(self._leaves):
            others = [leaf for leaf in self._leaves[number + 1 :] if not leaf[1].spec.when]
            if rule.spec.when:
                self._make([(path, rule), *others]).prepare(framed)
        self._variant(tuple(test is None for test in self._tests)).prepare(framed)

    def flush_counts(self) -> None:
        for variant in self._variants.values():
            variant.flush_counts()

    def _chosen(self) -> Documents:
        found = self._probe.found
        self._beside.clear()
        self._beside.update(found)
        return self._variant(tuple(test is None or test(found) for test in self._tests))

    def _variant(self, active: tuple[bool, ...]) -> Documents:
        made = self._variants.get(active)
        if made is None:
            if len(self._variants) >= _VARIANTS:
                self.flush_counts()
                self._variants.clear()
            leaves = [leaf for leaf, on in zip(self._leaves, active, strict=True) if on]
            made = self._variants[active] = self._make(leaves)
        return made
