"""Where originals stand that a search has found: inside random ids, in what such ids decode to, or anywhere else."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable
from dataclasses import dataclass
from itertools import accumulate

from desensitizers.learned import fold
from desensitizers.proof.peel import layers
from desensitizers.proof.random_ids import apart
from desensitizers.proof.search import Exact

_AROUND = 12
"""Bytes on each side by which text is told from what chance made."""
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"


@dataclass(frozen=True, slots=True)
class Finds:
    """Originals that were found: needles, each place once."""

    inside: frozenset[tuple[int, bytes, int, bytes]] = frozenset()
    """In ids: (kind, id, place in it, needle)."""
    decoded: frozenset[tuple[bytes, bytes]] = frozenset()
    """In bytes, no text, that ids give when they are decoded: (bytes around it, needle)."""
    others: frozenset[bytes] = frozenset()
    """Those that stand anywhere else."""

    @property
    def needles(self) -> frozenset[bytes]:
        return self.others | {found[-1] for found in self.inside} | {found[-1] for found in self.decoded}


def joined(finds: Iterable[Finds]) -> Finds:
    """All of them."""
    known = list(finds)
    return Finds(
        frozenset().union(*(one.inside for one in known)),
        frozenset().union(*(one.decoded for one in known)),
        frozenset().union(*(one.others for one in known)),
    )


def finds_in(block: bytes, kinds: Container[int], wanted: Exact) -> Finds:
    """Where needles stand in a block and the layers below it, `kinds` being those of ids that chance made."""
    ids: set[tuple[int, bytes]] = set()

    def taking(layer: bytes) -> bytes:
        rest, taken = apart(layer, kinds)
        ids.update(taken)
        return rest

    others = {needle for rest in layers(block, taking=taking) for needle in wanted.find(fold(rest))}
    inside, decoded = set(), set()
    order = sorted(ids)
    runs = b"\n".join((b"", *(run for _kind, run in order), b""))
    begins = list(accumulate((len(run) + 1 for _kind, run in order), initial=1))
    for start, _end, needle in wanted.places(runs.lower()):
        number = bisect_right(begins, start) - 1
        kind, run = order[number]
        inside.add((kind, run.lower(), start - begins[number], needle))
    for layer in layers(runs)[1:]:
        folded = fold(layer)
        for start, end, needle in wanted.places(folded):
            around = folded[max(0, start - _AROUND) : end + _AROUND]
            if _is_text(around):
                others.add(needle)
            else:
                decoded.add((around, needle))
    return Finds(frozenset(inside), frozenset(decoded), frozenset(others))


def _is_text(data: bytes) -> bool:
    """Whether it may be a part of a text: letters at its ends may be cut."""
    if data.translate(None, _CONTROL) != data:
        return False
    whole = data.strip(bytes(range(0x80, 0x100)))
    try:
        whole.decode()
    except UnicodeDecodeError:
        return False
    return True
