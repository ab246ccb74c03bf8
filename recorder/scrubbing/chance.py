"""Finished segments in which originals were found: whether they stand there by chance, inside random ids.

Looks at everything twice more, which a copy without finds is spared: first for the kinds of ids that it holds, then
for where in them, or elsewhere, the originals stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from desensitizers.learned import fold
from desensitizers.proof.chance import Originals, Verdict, judge, kind_of, may_stand_in_ids
from desensitizers.proof.finds import Finds, finds_in, joined
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
from recorder.scrubbing.parts import parts
from recorder.scrubbing.prove import ORIGINAL, Proven, names_of

RunAll = Callable[..., Any]


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
    finds = joined(run_all(weighed, jobs, lazy=True))
    missing = needles - finds.needles  # found by the proof: whatever hides them here, they are there
    finds = Finds(finds.inside, finds.decoded, finds.others | missing)
    verdict = judge(finds, kinds, Originals(spill.packs(NEEDLES)))
    if not verdict.by_chance:
        return list(proofs), verdict
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
) -> Finds:
    """Where needles stand in finished segments, `kinds` being those of random ids. Raises CaptureError."""
    wanted = Exact(needles)
    decoded = DecodedLeaves(schemas)
    finds: list[Finds] = []
    for segment in segments:
        finds.append(Finds(others=frozenset(wanted.find(fold(names_of(root, segment))))))
        for batch in batches(root, segment, COLUMN_BYTES):
            finds += [finds_in(part.lines.data, kinds, wanted) for part in parts(batch)]
            finds += [Finds(others=frozenset(wanted.find(fold(lines(rows))))) for _place, rows in decoded.of(batch)]
    pa.default_memory_pool().release_unused()
    return joined(finds)
