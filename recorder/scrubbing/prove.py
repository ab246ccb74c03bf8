"""Search finished segments for what had to go: originals in every encoding, and whatever still looks real."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from desensitizers.proof.lines import Lines
from desensitizers.proof.needles import ROW
from desensitizers.proof.originals import NEEDLES, haystack_bytes, packed
from desensitizers.proof.peel import layers
from desensitizers.proof.rescan import Rescan
from desensitizers.proof.search import Exact, Haystack
from desensitizers.proof.spill import Spill
from recorder.capture.locations import Location
from recorder.capture.manifest import MANIFEST_NAME, Manifest, Origin, Segment
from recorder.capture.schema import HEADERS_TYPE
from recorder.payloads.schemas import Schema
from recorder.scrubbing.accounts import KINDS, KeyOrder, held
from recorder.scrubbing.decoded import DecodedLeaves, lines
from recorder.scrubbing.hidden import footer, unseen
from recorder.scrubbing.jobs import COLUMN_BYTES, Frame, batches, forget_plans

_SHOWN = 10
HIDDEN = "hidden"


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
        kind = "an original" if self.what == "original" else f"something that looks like a real {self.what}"
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
    decoded = DecodedLeaves(schemas)
    rescan = Rescan(detectors)
    frame, order = Frame(), KeyOrder()
    payloads = np.zeros(len(KINDS), np.int64)
    leaks: list[Leak] = []
    hits: Counter[str] = Counter()
    searched = 0
    at_once = haystack_bytes(spill) if spill is not None else 0
    for segment in segments:
        found: set[bytes] = set()
        names = ROW.join((b"", *segment.path.encode().split(b"/")[1:], footer(root / segment.path), b""))
        for place in unseen(root / segment.path):
            hits[HIDDEN] += 1
            leaks.append(Leak(HIDDEN, segment.path, -1, -1, place))
        haystack = Haystack([names])
        for batch in batches(root, segment, COLUMN_BYTES):
            frame.add(batch)
            order.add(batch.column("key"))
            payloads += held(batch)
            for part in parts(batch):
                searched += part.size
                leaks += _detect(rescan, batch, part, hits)
                below = layers(part.lines.data)
                for name in rescan.texts(below[1:]):
                    hits[name] += 1
                    leaks.append(_leak(name, batch, 0, f"{part.place}, encoded, here or in the records after"))
                if spill is not None:
                    for layer in below:
                        haystack.add(layer)
            for place, rows in decoded.of(batch):
                block = lines(rows)
                for name in rescan.texts([block]):
                    hits[name] += 1
                    leaks.append(_leak(name, batch, 0, f"{place}, decoded, here or in the records after"))
                if spill is not None:
                    haystack.add(block)
            if spill is not None and len(haystack) >= at_once:
                found |= haystack.find(packed(spill, NEEDLES))
                haystack = Haystack()
        if spill is not None:
            found |= haystack.find(packed(spill, NEEDLES))
        if found:
            hits["original"] += len(found)
            leaks += _locate(root, segment, found, decoded)
    pa.default_memory_pool().release_unused()
    return Proven(
        tuple(dict.fromkeys(leaks))[:100],
        tuple(hits.items()),
        frame.digest(),
        searched,
        tuple(payloads.tolist()),
        order.digest(),
    )


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
    if spill is not None and Haystack(below).find(packed(spill, NEEDLES)):
        found.append(Leak("original", where, -1, -1, "text"))
    return found


def _texts(schema: Schema) -> Iterator[str]:
    yield schema.text
    yield schema.descriptor or ""
    yield from (version.subject for version in schema.subjects)
    yield from (text for reference in schema.references for text in (reference.name, reference.subject))


@dataclass(frozen=True, slots=True)
class Part:
    """All payloads of a batch in one kind of place."""

    place: str
    column: Any
    """A binary Arrow array."""
    sought: Any
    """The same without most repeats where there are many, as in headers: what there is to find is in these."""
    lines: Lines
    """Of `sought`."""

    @property
    def size(self) -> int:
        """Bytes of all payloads."""
        return pc.sum(pc.binary_length(self.column)).as_py() or 0


def parts(batch: pa.RecordBatch) -> Iterator[Part]:
    """Everything in a batch that may hold something, place by place."""
    for place, column in _columns(batch).items():
        sought = column.unique() if "header" in place else column
        yield Part(place, column, sought, Lines.of(sought))


def _columns(batch: pa.RecordBatch) -> dict[str, Any]:
    headers = batch.column("headers").cast(HEADERS_TYPE).flatten()
    return {
        "key": batch.column("key"),
        "value": batch.column("value"),
        "header": headers.field("value"),
        "header name": headers.field("key").cast(pa.binary()),
    }


def _detect(rescan: Rescan, batch: pa.RecordBatch, part: Part, hits: Counter[str]) -> Iterator[Leak]:
    if part.sought is part.column:
        found = rescan.rows(part.column, lines=part.lines)
    elif rescan.suspects(part.sought, part.lines):
        names = _columns(batch)["header name"].to_pylist() if part.place == "header" else None
        found = rescan.rows(part.column, names)
    else:
        return
    if not found:
        return
    hits.update(name for _row, name in found)
    lengths = batch.column("headers").value_lengths().to_pylist()
    rows = [row for row, length in enumerate(lengths) for _ in range(length)] if "header" in part.place else None
    for row, name in found[:_SHOWN]:
        yield _leak(name, batch, rows[row] if rows else row, part.place)


def _leak(what: str, batch: pa.RecordBatch, row: int, place: str) -> Leak:
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
        for place, column in _columns(batch).items():
            whole = [payload or b"" for payload in column.to_pylist()]
            if not wanted.any_in(layers(ROW.join((b"", *whole, b"")))):
                continue
            rows = [row for row, length in enumerate(lengths) for _ in range(length)] if "header" in place else None
            for row, payload in enumerate(whole):
                if wanted.any_in(layers(ROW + payload + ROW)):
                    yield _leak("original", batch, rows[row] if rows else row, place + _path(payload, wanted))
                    found += 1
                    if found >= _SHOWN:
                        return
        for place, leaves in decoded.of(batch):
            for row, told in enumerate(leaves):
                if found < _SHOWN and told and wanted.any_in([lines([told])]):
                    yield _leak("original", batch, row, f"{place}, decoded")
                    found += 1
    if not found:
        yield Leak("original", segment.path, -1, -1, "name or footer")


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
