"""What was seen at one place of a capture: counts and hashes of values, in bounded memory, and no value that leaves."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from desensitizers.sink import hash64
from desensitizers.suggesting.features import features, found, near
from desensitizers.suggesting.sketch import Sketch

LOOKED = 1_000
"""Different values of a place that detectors look at."""
_COUNTED = 128
"""Different values that are counted one by one."""
_FAMILIES = 8
_NEAR_MS = 2 * 86_400_000


class Evidence:
    """Adds up the values of one place. Two of them merge into one."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        """string, number (whole ones), decimal, boolean, bytes, null."""
        self.declared: set[tuple[str, str]] = set()
        """(kind, type) by the schemas, whether or not a value was met; kind ``null`` where there may be none."""
        self.tags: set[str] = set()
        self.empty = 0
        self.texts = 0
        """Values that are neither null, boolean nor empty."""
        self.values = Sketch()
        self.forms: Counter[str] = Counter()
        self.families: dict[tuple[str, str], Sketch] = {}
        """(prefix, form) of ids -> their bodies."""
        self.family_counts: Counter[tuple[str, str]] = Counter()
        self.codes = self.persons = self.near = self.as_key = 0
        self.nested: Counter[str] = Counter()
        """Texts that hold something, by its form."""
        self.spaces = 0
        self.widths: Counter[int] = Counter()
        self.dates: Counter[str] = Counter()
        self.looked = 0
        self.whole: Counter[str] = Counter()
        self.inside: Counter[str] = Counter()
        self._seen: set[bytes] = set()
        self._each: Counter[bytes] | None = Counter()

    def add(self, kind: str, value: Any, at_ms: int = 0, key: str | None = None) -> None:
        """`value` is a scalar or bytes; `at_ms` is the record's time, `key` its key as text."""
        if kind == "null" or value is None:
            self.kinds["null"] += 1
            return
        if isinstance(value, Decimal | float):
            kind = "decimal"
        self.kinds[kind] += 1
        if kind == "boolean":
            return
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if not text:
            self.empty += 1
            return
        self.texts += 1
        self.widths[min(len(text), 64)] += 1
        digest = hash64(text)
        self.values.add_hash(int.from_bytes(digest, "big"))
        self._count(digest)
        if kind in ("string", "number"):
            self._look(text, digest, kind, at_ms)
        if key is not None and text == key:
            self.as_key += 1

    def _count(self, digest: bytes) -> None:
        if self._each is not None:
            self._each[digest] += 1
            if len(self._each) > _COUNTED:
                self._each = None

    def _look(self, text: str, digest: bytes, kind: str, at_ms: int) -> None:
        facts = features(text)
        self.forms[facts.form] += 1
        self.spaces += facts.spaces > 0
        self.codes += facts.code
        self.persons += facts.person
        if facts.date is not None:
            self.dates[facts.date] += 1
        if at_ms and (facts.date == "" or facts.form == "digits") and near(text, at_ms, _NEAR_MS):
            self.near += 1
        if facts.body:
            family = facts.family
            self.family_counts[family] += 1
            if family in self.families or len(self.families) < _FAMILIES:
                self.families.setdefault(family, Sketch()).add(facts.body)
        if len(self._seen) < LOOKED or digest in self._seen:
            self._seen.add(digest)
            self.looked += 1
            if kind == "string" or len(text) >= 8:
                said = found(text)
                self.inside.update(said.inside)
                if said.whole:
                    self.whole[said.whole] += 1

    def merge(self, other: Evidence) -> None:
        """Adds what another place saw."""
        self.kinds += other.kinds
        self.declared |= other.declared
        self.tags |= other.tags
        for name in ("empty", "texts", "codes", "persons", "near", "as_key", "nested", "spaces", "looked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.values.merge(other.values)
        for mine, theirs in (
            (self.forms, other.forms), (self.family_counts, other.family_counts), (self.dates, other.dates),
            (self.whole, other.whole), (self.inside, other.inside), (self.widths, other.widths),
        ):  # fmt: skip
            mine.update(theirs)  # type: ignore[arg-type]
        for family, sketch in other.families.items():
            self.families.setdefault(family, Sketch()).merge(sketch)
        if self._each is not None and other._each is not None and len(self._each | other._each) <= _COUNTED:
            self._each.update(other._each)
        else:
            self._each = None

    @property
    def seen(self) -> int:
        """Values that are not null."""
        return self.kinds.total() - self.kinds["null"]

    @property
    def distinct(self) -> int:
        return self.values.distinct

    @property
    def different(self) -> str:
        """`distinct` in words; no estimate is more than there were values."""
        return self.values.about if self.distinct <= self.texts or self.values.exact else f"nearly {self.texts:,}"

    @property
    def smallest_group(self) -> int:
        """How often the rarest value stands here; 0 when there are too many to say."""
        return min(self._each.values(), default=0) if self._each is not None else 0

    @property
    def kind(self) -> str:
        """The one kind of all values; "" when there are several or none. Whole numbers among decimals are decimals."""
        kinds = {kind for kind in self.kinds if kind != "null"}
        if kinds == {"decimal", "number"}:
            return "decimal"
        return kinds.pop() if len(kinds) == 1 else ""

    def all_whole(self, name: str) -> bool:
        """Whether every value that was looked at is, as a whole, what this detector finds."""
        return self.looked > 0 and self.whole[name] == self.looked

    def share(self, count: int) -> float:
        return count / self.texts if self.texts else 0.0
