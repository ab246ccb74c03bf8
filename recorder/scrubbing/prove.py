"""Search finished segments for what had to go: originals in every encoding, and whatever still looks real."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from desensitizers.proof.needles import ROW
from desensitizers.proof.originals import NEEDLES, WHOLE, packed
from desensitizers.proof.peel import layers
from desensitizers.proof.repeats import Fresh, Repeats
from desensitizers.proof.rescan import Rescan
from desensitizers.proof.search import Exact, Haystack
from desensitizers.proof.sought import Sought
from desensitizers.proof.spill import Spill
from recorder.capture.locations import Location
from recorder.capture.manifest import MANIFEST_NAME, Manifest, Origin, Segment
from recorder.payloads.schemas import Schema
from recorder.scrubbing.accounts import KINDS, KeyOrder, held
from recorder.scrubbing.decoded import DecodedLeaves, lines
from recorder.scrubbing.hidden import footer, unseen
from recorder.scrubbing.jobs import COLUMN_BYTES, Frame, batches, forget_plans
from recorder.scrubbing.parts import Part, columns, parts

_SHOWN = 10
HIDDEN, ORIGINAL = "hidden", "original"


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that should not be there; never says what, only where it stands first."""

    what: str
    """original, hidden, or the detector's name"""
    topic: str
    partition: int
    offset: int
    place: str

    def __str__(self) -> str:
        kind = "an original" if self.what == ORIGINAL else f"something that looks like a real {self.what}"
        kind = "something that no record has" if self.what == HIDDEN else kind
        where = f"{self.topic}-{self.partition}@{self.offset}" if self.offset >= 0 else self.topic
        return f"{where} {self.place}: {kind}"


@dataclass(frozen=True, slots=True)
class Proven:
    """What the search of some segments gave."""

    leaks: tuple[Leak, ...]
    """At most a few per kind and place."""
    hits: tuple[tuple[str, int], ...]
    """(original or detector, times): how much was found in all."""
    frame: str
    searched_bytes: int
    held: tuple[int, ...] = ()
    """Payloads, by `accounts.KINDS`."""
    key_order: str = ""
    found: frozenset[bytes] = field(default=frozenset(), repr=False)
    """Needles of the originals among the hits."""


def prove(
    root: Location,
    segments: Sequence[Segment],
    detectors: Sequence[str],
    spill: Spill | None,
    schemas: Sequence[Schema] = (),
) -> Proven:
    """Read finished segments (of one partition, in order) back from disk and search all they hold.

    `spill` holds the needles; None searches with detectors alone. `schemas` are the capture's, to read the numbers in
    Avro and Protobuf by. Raises CaptureError on torn data.
    """
    forget_plans()
    rescan = Rescan(detectors)
    repeats = _repeats_of(detectors, spill) if rescan.sees_pieces else None
    proven = _proven(root, segments, rescan, spill, schemas, repeats)
    if proven.hits and repeats is not None:
        # What was remembered may hold what was found: look at everything, and tell all of it.
        _known.clear()
        proven = _proven(root, segments, rescan, spill, schemas, None)
    return proven


def _proven(
    root: Location,
    segments: Sequence[Segment],
    rescan: Rescan,
    spill: Spill | None,
    schemas: Sequence[Schema],
    repeats: Repeats | None,
) -> Proven:
    decoded = DecodedLeaves(schemas)
    frame, order = Frame(), KeyOrder()
    payloads = np.zeros(len(KINDS), np.int64)
    leaks: list[Leak] = []
    hits: Counter[str] = Counter()
    searched = 0
    sought = Sought(spill)
    originals: set[bytes] = set()
    for segment in segments:
        found: set[bytes] = set()
        for place in unseen(root / segment.path):
            hits[HIDDEN] += 1
            leaks.append(Leak(HIDDEN, segment.path, -1, -1, place))
        sought.add([names_of(root, segment)])
        for batch in batches(root, segment, COLUMN_BYTES):
            frame.add(batch)
            order.add(batch.column("key"))
            payloads += held(batch)
            whole = list(parts(batch))
            searched += sum(part.size for part in whole)
            if repeats is not None:
                whole = _not_in_pieces(whole, repeats, rescan, sought)
            for part in whole:
                leaks += _detect(rescan, batch, part, hits)
                below = layers(part.lines.data)
                for name in rescan.texts(below[1:]):
                    hits[name] += 1
                    leaks.append(leak_at(name, batch, 0, f"{part.place}, encoded, here or in the records after"))
                sought.add(below)
            for place, rows in decoded.of(batch):
                block = lines(rows)
                for name in rescan.texts([block]):
                    hits[name] += 1
                    leaks.append(leak_at(name, batch, 0, f"{place}, decoded, here or in the records after"))
                sought.add([block])
            found |= sought.found(when_full=True)
        found |= sought.found()
        if found:
            originals |= found
            hits[ORIGINAL] += len(found)
            leaks += _locate(root, segment, found, decoded)
    pa.default_memory_pool().release_unused()
    return Proven(
        tuple(dict.fromkeys(leaks))[:100],
        tuple(hits.items()),
        frame.digest(),
        searched,
        tuple(payloads.tolist()),
        order.digest(),
        frozenset(originals),
    )


def _not_in_pieces(whole: Sequence[Part], repeats: Repeats, rescan: Rescan, sought: Sought) -> list[Part]:
    """The parts of a batch that must be looked at as a whole; of the others what is new is searched, all at once."""
    found = [(part, repeats.fresh(part.sought, part.place)) for part in whole]
    left = [part for part, fresh in found if fresh is None]
    in_pieces = [(part, fresh) for part, fresh in found if fresh is not None]
    groups = [in_pieces] if in_pieces else []
    while groups:
        group = groups.pop()
        fresh = Fresh.together([fresh for _part, fresh in group])
        below = layers(fresh.lines.data)
        suspected = rescan.suspected(fresh.column, fresh.lines, fresh.payload)
        if suspected is not None and not rescan.finds_in_texts(below[1:]):
            sought.add(below, partial(_lines_of, [part for part, _fresh in group]))
            repeats.remember(fresh, but=suspected)
        elif len(group) > 1:
            groups += [[one] for one in group]
        else:
            left.append(group[0][0])
    return left


def _lines_of(whole: Sequence[Part]) -> bytes:
    return b"".join(part.lines.data for part in whole)


def names_of(root: Location, segment: Segment) -> bytes:
    """What a segment's name and footer say, one a line."""
    return ROW.join((b"", *segment.path.encode().split(b"/")[1:], footer(root / segment.path), b""))


_known: dict[tuple[Any, ...], Repeats] = {}
"""What this process proved last of pieces, for the same detectors and originals."""


def forget() -> None:
    """Frees what this process remembers of its last proof."""
    _known.clear()


def _repeats_of(detectors: Sequence[str], spill: Spill | None) -> Repeats:
    what = (*detectors, spill.key if spill is not None else None)
    if what not in _known:
        _known.clear()
        _known[what] = Repeats()
    return _known[what]


def prove_manifest(
    manifest: Manifest, schemas: Sequence[Schema], detectors: Sequence[str], spill: Spill | None
) -> list[Leak]:
    """The same for what the manifest and the file of schemas hold beside their own words and numbers."""
    texts = [manifest.window.from_text, manifest.window.to_text, manifest.source.cluster_id or ""]
    texts += [note.sentence() for note in manifest.notes]
    texts += [text for pair in manifest.tags.items() for text in pair]
    for topic in manifest.topics:
        texts += [topic.origin.cluster_id or "", topic.origin.name] if isinstance(topic.origin, Origin) else []
        texts += [topic.name, *(text for pair in (topic.config or {}).items() for text in pair)]
    for step in manifest.lineage:
        texts += [step.user or "", step.host or "", *step.command]
    return [
        *prove_texts(texts, MANIFEST_NAME, detectors, spill),
        *prove_texts([text for schema in schemas for text in _texts(schema)], "schemas", detectors, spill),
    ]


def prove_texts(texts: Sequence[str], where: str, detectors: Sequence[str], spill: Spill | None) -> list[Leak]:
    """The same for some texts of a file beside the records."""
    below = layers(ROW.join((b"", *(text.encode() for text in texts if text), b"")))
    found = [Leak(one, where, -1, -1, "text") for one in Rescan(detectors).texts(below)]
    if spill is not None and Haystack(below).find(chain(packed(spill, NEEDLES), packed(spill, WHOLE))):
        found.append(Leak(ORIGINAL, where, -1, -1, "text"))
    return found


def _texts(schema: Schema) -> Iterator[str]:
    yield schema.text
    yield schema.descriptor or ""
    yield from (version.subject for version in schema.subjects)
    yield from (text for reference in schema.references for text in (reference.name, reference.subject))


def _detect(rescan: Rescan, batch: pa.RecordBatch, part: Part, hits: Counter[str]) -> Iterator[Leak]:
    if part.sought is part.column:
        found = rescan.rows(part.column, lines=part.lines)
    elif rescan.suspected(part.sought, part.lines) is None:
        names = columns(batch)["header name"].to_pylist() if part.place == "header" else None
        found = rescan.rows(part.column, names)
    else:
        return
    if not found:
        return
    hits.update(name for _row, name in found)
    lengths = batch.column("headers").value_lengths().to_pylist()
    rows = [row for row, length in enumerate(lengths) for _ in range(length)] if "header" in part.place else None
    for row, name in found[:_SHOWN]:
        yield leak_at(name, batch, rows[row] if rows else row, part.place)


def leak_at(what: str, batch: pa.RecordBatch, row: int, place: str) -> Leak:
    """In a row of a batch."""
    return Leak(
        what,
        batch.column("topic")[row].as_py(),
        batch.column("partition")[row].as_py(),
        batch.column("offset")[row].as_py(),
        place,
    )


def _locate(root: Location, segment: Segment, needles: Iterable[bytes], decoded: DecodedLeaves) -> Iterator[Leak]:
    """Where some of the needles stand, the first few times."""
    wanted = Exact(needles)
    found = 0
    for batch in batches(root, segment):
        lengths = batch.column("headers").value_lengths().to_pylist()
        for place, column in columns(batch).items():
            whole = [payload or b"" for payload in column.to_pylist()]
            if not wanted.any_in(layers(ROW.join((b"", *whole, b"")))):
                continue
            rows = [row for row, length in enumerate(lengths) for _ in range(length)] if "header" in place else None
            for row, payload in enumerate(whole):
                if wanted.any_in(layers(ROW + payload + ROW)):
                    yield leak_at(ORIGINAL, batch, rows[row] if rows else row, place + _path(payload, wanted))
                    found += 1
                    if found >= _SHOWN:
                        return
        for place, leaves in decoded.of(batch):
            for row, told in enumerate(leaves):
                if found < _SHOWN and told and wanted.any_in([lines([told])]):
                    yield leak_at(ORIGINAL, batch, row, f"{place}, decoded")
                    found += 1
    if not found:
        yield Leak(ORIGINAL, segment.path, -1, -1, "name or footer")


def _path(payload: bytes, wanted: Exact) -> str:
    """`` customer.note``: the first leaf of a JSON payload that holds one of the needles."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return ""
    stack: list[tuple[str, Any]] = [("", document)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack += [(f"{path}.{name}" if path else name, below) for name, below in value.items()]
        elif isinstance(value, list):
            stack += [(f"{path}[*]", below) for below in value]
        elif wanted.any_in(layers(ROW + json.dumps(value, ensure_ascii=False).encode() + ROW)):
            return " (a key holds it)" if wanted.any_in(layers(path.encode())) else f" {path}"
    return " (a key)"
