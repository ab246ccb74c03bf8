"""What a run learns beside the records it rewrites: originals, pairs for the uniqueness check, problems, counts.

Everything here names originals, so it lives in memory (or encrypted, see `proof.spill`) and never in a report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import add

from desensitizers.errors import Cause


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that stops the copy, once per kind and place; `count` records had it."""

    topic: str
    place: str
    """key, value or the header's name."""
    path: str
    reason: str
    count: int = 1
    partition: int = -1
    offset: int = -1
    """Where it was met first."""

    def __str__(self) -> str:
        path = f" {self.path}" if self.path else ""
        times = f"; {self.count} records" if self.count > 1 else ""
        return f"{self.topic}-{self.partition}@{self.offset} {self.place}{path}: {self.reason}{times}"


@dataclass(frozen=True, slots=True)
class Withheld:
    """A record that goes to quarantine, and the first reason why; `row` is its row in the batch."""

    row: int
    place: str
    """key, value or the header's name."""
    path: str
    cause: Cause
    reason: str


PROOF_ONLY = "\x00"
"""Instead of a domain: searched in the finished copy, but not replaced in texts (its parts are)."""


@dataclass(slots=True)
class Findings:
    """What rules tell about values they had not met before (or have forgotten since)."""

    originals: set[tuple[str, str]] = field(default_factory=set)
    """(domain or "", text) of what was removed."""
    pairs: dict[str, list[bytes]] = field(default_factory=dict)
    """By space: hash of what went in, followed by the hash of what came out; the two must be one to one."""
    texts: list[str] | None = None
    """Texts that a rule will search for learned originals; None when nobody asks."""

    def original(self, text: str, domain: str) -> None:
        if text:
            self.originals.add((domain, text))

    def pair(self, space: str, before: str | bytes, after: str | bytes) -> None:
        self.pairs.setdefault(space, []).append(hash64(before) + hash64(after))

    def pairs_of(self, space: str, before: Sequence[str | bytes], after: Sequence[str | bytes]) -> None:
        """`pair` of each."""
        if before and after:
            hashes = _hashes(before)
            others = hashes if before == after else _hashes(after)
            self.pairs.setdefault(space, []).extend(map(add, hashes, others))


@dataclass(slots=True)
class Sink:
    """What happened to the records of one topic."""

    problems: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    """(place, path, reason) -> (records, first row) of the batch at hand."""
    withheld: dict[int, Withheld] = field(default_factory=dict)
    """Records of the batch at hand that go to quarantine, by row."""
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(place, policy path, what was done) -> leaves."""

    def withhold(self, row: int, place: str, path: str, cause: Cause, reason: str) -> None:
        self.withheld.setdefault(row, Withheld(row, place, path, cause, reason))

    def problem(self, row: int, place: str, path: str, reason: str) -> None:
        count, first = self.problems.get((place, path, reason), (0, row))
        self.problems[place, path, reason] = (count + 1, min(first, row))


def hash64(data: str | bytes) -> bytes:
    """Eight bytes; two of ten million different inputs agree with a chance of three in a million."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=8).digest()


def _hashes(many: Sequence[str | bytes]) -> list[bytes]:
    """`hash64` of each."""
    return [
        blake2b(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data, digest_size=8).digest()
        for data in many
    ]
