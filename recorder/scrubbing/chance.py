"""Finished segments in which originals were found: whether they stand there by chance, inside random ids.

Looks at everything twice more, which a copy without finds is spared: first for the kinds of ids that it holds, then
for where in them, or elsewhere, the originals stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import pyarrow as pa

from desensitizers.learned import fold
from desensitizers.proof.chance import Originals, Verdict, judge, kind_of, may_stand_in_ids
from desensitizers.proof.finds import Finds, finds_in, joined
from desensitizers.proof.needles import ROW
from desensitizers.proof.originals import NEEDLES
from desensitizers.proof.peel import layers
from desensitizers.proof.random_ids import Survey
from desensitizers.proof.search import Exact
from desensitizers.proof.spill import Spill
from recorder.capture.locations import Location
from recorder.capture.manifest import Segment
from recorder.payloads.schemas import Schema
from recorder.scrubbing.decoded import DecodedLeaves, lines
from recorder.scrubbing.jobs import COLUMN_BYTES, batches
from recorder.scrubbing.parts import Part, parts
from recorder.scrubbing.prove import ORIGINAL, Leak, Proven, leak_at, names_of

RunAll = Callable[..., Any]
_SHOWN = 3


def told_from_chance(
    root: Location,
    segments: Sequence[Sequence[Segment]],
    proofs: Sequence[Proven],
    spill: Spill,
    schemas: Sequence[Schema],
    run_all: RunAll,
) -> tuple[list[Proven], Verdict | None]:
    """The proofs of some segments without the originals that are there by chance, and what that was judged by.

    They stay as they are when anything else was found, too, or chance does not explain it: then there is no verdict,
    or one that says so.
    """
    needles = frozenset(needle for proof in proofs for needle in proof.found)
    others = any(what != ORIGINAL for proof in proofs for what, _times in proof.hits)
    if others or not needles or not all(map(may_stand_in_ids, needles)):
        return list(proofs), None
    survey = Survey()
    for part in run_all(surveyed, [(root, some) for some in segments], lazy=True):
        survey.merge(part)
    kinds = {number: kind for number, one in survey.samples.items() if (kind := kind_of(one)) is not None}
    numbers = frozenset(kinds)
    jobs = [(root, some, numbers, needles, schemas) for some in segments]
    looked = list(run_all(weighed, jobs, lazy=True))
    finds = joined(one for one, _leaks in looked)
    missing = needles - finds.needles  # found by the proof: whatever hides them here, they are there
    finds = Finds(finds.inside, finds.decoded, finds.others | missing)
    if not finds.inside and not finds.decoded:
        return list(proofs), None
    verdict = judge(finds, kinds, Originals(spill.packs(NEEDLES)))
    if not verdict.by_chance:
        elsewhere = (leaks or proof.leaks for proof, (_finds, leaks) in zip(proofs, looked, strict=True))
        return [replace(proof, leaks=leaks) for proof, leaks in zip(proofs, elsewhere, strict=True)], verdict
    return [replace(proof, leaks=(), hits=(), found=frozenset()) for proof in proofs], verdict


def surveyed(root: Location, segments: Sequence[Segment]) -> Survey:
    """The kinds of ids that finished segments hold, in every encoding. Raises CaptureError."""
    survey = Survey()
    for segment in segments:
        for batch in batches(root, segment, COLUMN_BYTES):
            for part in parts(batch):
                layers(part.lines.data, taking=survey.add)
    pa.default_memory_pool().release_unused()
    return survey


def weighed(
    root: Location,
    segments: Sequence[Segment],
    kinds: frozenset[int],
    needles: frozenset[bytes],
    schemas: Sequence[Schema],
) -> tuple[Finds, tuple[Leak, ...]]:
    """Where needles stand in finished segments, `kinds` being those of random ids; first places of those elsewhere.

    Raises CaptureError.
    """
    wanted = Exact(needles)
    decoded = DecodedLeaves(schemas)
    finds: list[Finds] = []
    leaks: list[Leak] = []
    for segment in segments:
        finds.append(Finds(others=frozenset(wanted.find(fold(names_of(root, segment))))))
        for batch in batches(root, segment, COLUMN_BYTES):
            for part in parts(batch):
                finds.append(finds_in(part.lines.data, kinds, wanted))
                if finds[-1].others and len(leaks) < _SHOWN:
                    leaks += islice(_elsewhere(batch, part, kinds, wanted), _SHOWN)
            finds += [Finds(others=frozenset(wanted.find(fold(lines(rows))))) for _place, rows in decoded.of(batch)]
    pa.default_memory_pool().release_unused()
    return joined(finds), tuple(leaks)


def _elsewhere(batch: pa.RecordBatch, part: Part, kinds: frozenset[int], wanted: Exact) -> Iterator[Leak]:
    lengths = batch.column("headers").value_lengths().to_pylist()
    rows = [row for row, length in enumerate(lengths) for _ in range(length)] if "header" in part.place else None
    for row, payload in enumerate(part.column.to_pylist()):
        if payload and finds_in(ROW + payload + ROW, kinds, wanted).others:
            yield leak_at(ORIGINAL, batch, rows[row] if rows else row, f"{part.place}, outside of random ids")
