"""From what rules removed to what must be searched: distinct originals, words for texts, and needles.

All of it streams through encrypted spills, bucket by bucket, so that millions of originals need little memory; the
buckets are independent and may be worked on by different processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from desensitizers.learned import searchable, spelled
from desensitizers.proof.needles import Thresholds, needles
from desensitizers.proof.repeats import cut
from desensitizers.proof.search import BLOCK_BYTES, Needles
from desensitizers.proof.spill import Spill, SpillWriter
from desensitizers.rules.base import KEEPS_FORM
from desensitizers.sink import PROOF_ONLY

ORIGINALS, DISTINCT, WORDS, NEEDLES, WHOLE = "originals", "distinct", "words", "needles", "whole"
"""The last are needles that only whole payloads have (see `repeats`)."""
_MARK = b"\x00"
_PROOF_ONLY = b"?"
_DIGITS = b"0123456789"
_PASS_BYTES = 64 << 20
"""Bytes of needles that are looked for at a time; packed they take about five times as much."""
_KEEP_BYTES = 96 << 20
"""Bytes of needles that stay packed in memory."""
_MOST_HAYSTACK = 64 << 20


def note(writer: SpillWriter, originals: Iterable[tuple[str, str]]) -> None:
    """Spills (domain, text) pairs into `ORIGINALS`."""
    heads: dict[str, bytes] = {PROOF_ONLY: _PROOF_ONLY + _MARK}
    for domain, text in originals:
        head = heads.get(domain)
        if head is None:
            head = heads[domain] = domain.encode() + _MARK
        data = text.encode("utf-8", "surrogatepass")
        writer.add(head + data, data)


def distil(spill: Spill, bucket: int) -> int:
    """`ORIGINALS` -> `DISTINCT` (texts) and `WORDS` (needle, domain) of one bucket; how many different texts."""
    texts, words = spill.writer(DISTINCT, buckets=1, bucket=bucket), spill.writer(WORDS)
    domains: dict[bytes, bytes] = {}
    for item in spill.distinct(ORIGINALS, bucket):
        domain, _, data = item.partition(_MARK)
        others = domains.get(data)
        domains[data] = domain if others is None else b",".join(sorted([*others.split(b","), domain]))
        if domain == _PROOF_ONLY:
            continue
        for needle in spelled(data.decode("utf-8", "surrogatepass").partition("\0")[0]):
            if searchable(needle):
                words.add(needle + _MARK + domain, by=needle)
    for data, owners in domains.items():
        texts.add(data + _MARK + owners)
    texts.close()
    words.close()
    return len(domains)


def sharpen(spill: Spill, bucket: int, thresholds: Thresholds, keeping_form: frozenset[str]) -> int:
    """`DISTINCT` -> `NEEDLES` and `WHOLE` of one bucket; how many originals can be searched.

    `keeping_form`: domains whose surrogates look like their originals.
    """
    writer, whole = spill.writer(NEEDLES, buckets=1), spill.writer(WHOLE, buckets=1)
    searched = 0
    alike: dict[bytes, bool] = {}
    for block in spill.blocks(DISTINCT, bucket):
        for item in block:
            data, _, owners = item.rpartition(_MARK)
            like = alike.get(owners)
            if like is None:
                like = alike[owners] = any(
                    owner == _PROOF_ONLY.decode() or owner in keeping_form or owner.startswith(KEEPS_FORM)
                    for owner in owners.decode().split(",")
                )
            if like and data.isascii() and len(data) - len(data.translate(None, _DIGITS)) < thresholds.digits:
                continue  # as it would turn out for each of its needles
            text = data.decode("utf-8", "surrogatepass").partition("\0")[0]
            forms = list(needles(text, thresholds, keeps_form=like))
            for form in forms:
                (whole if cut(form) else writer).add(form)
            searched += bool(forms)
    writer.close()
    whole.close()
    return searched


def packed(spill: Spill, bag: str) -> Iterator[Needles]:
    """Every needle of a bag (up to the first NUL of an item), ready to search.

    A process keeps what it packed of a spill when it is small enough: it comes back with every block of haystack.
    """
    if (spill.directory, bag) in _kept:
        yield from _kept[spill.directory, bag]
        return
    if any(directory != spill.directory for directory, _bag in _kept):
        _kept.clear()
    blocks: list[Needles] = []
    weight = 0
    for made in _packed(spill, bag):
        weight += made.weight
        if weight <= _KEEP_BYTES:
            blocks.append(made)
        yield made
    if weight <= _KEEP_BYTES:
        _kept[spill.directory, bag] = blocks


def haystack_bytes(spill: Spill) -> int:
    """How much to search at a time: more where needles can't stay packed in memory."""
    return BLOCK_BYTES if spill.sealed_bytes(NEEDLES) <= _KEEP_BYTES else _MOST_HAYSTACK


_kept: dict[tuple[Path, str], list[Needles]] = {}


def forget() -> None:
    """Frees what this process packed last."""
    _kept.clear()


def _packed(spill: Spill, bag: str) -> Iterator[Needles]:
    """A bag's needles, so many at a time that a pass is worth it."""
    gathered: list[tuple[bytes, Any]] = []
    size = 0
    for data, sizes in spill.packs(bag):
        gathered.append((data, sizes))
        size += len(data)
        if size >= _PASS_BYTES:
            yield _made(gathered)
            gathered, size = [], 0
    if gathered:
        yield _made(gathered)


def _made(blocks: list[tuple[bytes, Any]]) -> Needles:
    data = b"".join(block for block, _sizes in blocks)
    sizes = np.concatenate([sizes for _data, sizes in blocks])
    starts = np.cumsum(sizes) - sizes
    marks = np.flatnonzero(np.frombuffer(data, np.uint8) == _MARK[0])
    if len(marks):
        first = np.searchsorted(marks, starts)
        ends = np.minimum(np.append(marks, len(data))[first], starts + sizes)
        sizes = ends - starts
    return Needles.packed(data, starts, sizes)
