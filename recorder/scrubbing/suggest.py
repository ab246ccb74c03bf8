"""Drafts a policy from a capture: looks at its records, decides, and tries the draft on some of them before it is told.

Small topics are looked at whole; of big ones `MOST` records, evenly spread over their segments. Memory is bounded by
the number of places, not of records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa

from desensitizers.errors import PolicyError, Refusal
from desensitizers.policy import Policy
from desensitizers.suggesting.choosing import Entry, choose
from desensitizers.suggesting.drafting import Line, draft, text
from desensitizers.suggesting.evidence import LOOKED
from desensitizers.suggesting.gathering import Seen, Teller, grouped
from desensitizers.suggesting.names import is_name
from desensitizers.suggesting.survey import Survey
from recorder.capture.manifest import Topic
from recorder.capture.promises import check_promises
from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.payloads import wire
from recorder.payloads.formats import Formats
from recorder.payloads.snapshot import read_schemas
from recorder.scrubbing.explain import AnySecret
from recorder.scrubbing.jobs import Place, batches
from recorder.scrubbing.schemas import CaptureSchemas
from recorder.scrubbing.scrub import places

MOST = 20_000
"""Records of a topic that are looked at."""
TRIED = 200
"""Records of a segment's beginning on which the draft is tried, at most `_TRIED_BYTES` of a topic."""
_TRIED_BYTES = 4 << 20
_FORMATS = {"short": "int16", "int": "int32", "long": "int64", "float": "float", "double": "double", "uuid": "uuid"}
_SOME = 10
_ANY_KEY = r"(?:\\.?[^.\\[\\]]+|\\['[^']*'\\])"
_DOCUMENTS = ("json", "avro", "protobuf", "json-schema")


@dataclass(frozen=True, slots=True)
class Suggested:
    """The draft: its text, and how many places it decides and leaves."""

    text: str
    decided: int
    waiting: int
    accepted: str
    """The text with every proposal taken."""


@dataclass(slots=True)
class _Looked:
    """A topic as it was looked at, and records to try the draft on."""

    seen: Seen
    batches: list[pa.RecordBatch] = field(default_factory=list)
    bytes: int = 0


def suggest(capture: Capture, progress: Callable[[int], None] | None = None, most: int = MOST) -> Suggested:
    """A draft for all topics that hold records; `progress` is told bytes of segments. Raises CaptureError, and
    UsageError for a capture without records.
    """
    formats = Formats(capture)
    schemas = CaptureSchemas(read_schemas(capture.root, capture.manifest))
    held: dict[str, list[Place]] = {}
    check_promises(capture.root, capture.manifest)
    for place in places(capture):
        held.setdefault(place.topic, []).append(place)
    looked = [
        _look(topic, held[topic.name], formats, schemas, progress or (lambda _bytes: None), most)
        for topic in capture.manifest.topics
        if topic.records + topic.prologue_records
    ]
    if not looked:
        raise UsageError(f"{capture.root} holds no records: there is nothing to draft a policy from.")
    groups = grouped([one.seen for one in looked])
    entries, ids = choose(groups)
    words = _how(groups, most)
    lines = draft(groups, entries, ids, words)
    while _misfits(lines, entries, groups, looked, schemas):
        lines = draft(groups, entries, ids, words)
    waiting = sum(line.text.startswith("#?") and line.entry is not None for line in lines)
    decided = len({id(line.entry) for line in lines if line.entry is not None}) - waiting
    return Suggested(text(lines), decided, waiting, text(lines, accepted=True))


def _look(
    topic: Topic,
    held: list[Place],
    formats: Formats,
    schemas: CaptureSchemas,
    progress: Callable[[int], None],
    most: int,
) -> _Looked:
    seen = Seen((topic.name,), topic.records + topic.prologue_records)
    looked = _Looked(seen)
    detected = formats.detected(topic.name)
    for side in ("key", "value"):
        found, counts = detected[side].format, detected[side].counts
        readable = sum(counts.get(name, 0) for name in _DOCUMENTS)
        documents = found in _DOCUMENTS or readable * _SOME >= sum(counts.values()) > 0  # the rest may be cut short
        seen.forms[side] = "auto" if documents else _FORMATS.get(str(found), "bytes" if found == "hex" else "string")
    eyes = _Eyes(seen, schemas)
    share = min(1.0, most / max(1, seen.records))
    for place in held:
        left = -(-int(place.segment.records * share * 1000) // 1000) if share < 1 else place.segment.records
        for batch in _spread(place, max(1, left)):
            if looked.bytes < _TRIED_BYTES:
                some = batch.slice(0, TRIED)
                looked.batches.append(pa.RecordBatch.from_pydict(some.to_pydict(), schema=some.schema))
                looked.bytes += some.nbytes
            eyes.see(batch)
        progress(place.segment.bytes)
    eyes.close()
    seen.fold()
    return looked


def _spread(place: Place, wanted: int) -> Iterator[pa.RecordBatch]:
    """All records of a segment, or some of each of its batches, evenly."""
    total = place.segment.records
    done = 0
    for batch in batches(place.root, place.segment):
        if wanted >= total:
            yield batch
            continue
        first, done = done, done + batch.num_rows
        take = done * wanted // total - first * wanted // total
        if take:
            rows = [step * batch.num_rows // take for step in range(take)]
            yield batch.take(pa.array(rows))


class _Eyes:
    """Looks at keys, headers and values of one topic."""

    def __init__(self, seen: Seen, schemas: CaptureSchemas) -> None:
        self._seen = seen
        self._schemas = schemas
        self._tellers: dict[str, Teller] = {}
        self._surveys: dict[str, Survey] = {}

    def see(self, batch: pa.RecordBatch) -> None:
        columns = (batch.column(name).to_pylist() for name in ("timestamp_ms", "key", "value", "headers"))
        self._seen.looked += batch.num_rows
        for at_ms, key, value, headers in zip(*columns, strict=True):
            plain = self._text(key)
            named = {header["key"]: header["value"] for header in headers}
            self._payload("key", key, at_ms, None, named.get(wire.HEADER_NAMES["key"]))
            self._payload("value", value, at_ms, plain, named.get(wire.HEADER_NAMES["value"]))
            for header in headers:
                if is_name(header["key"]) and not set("{}*/") & set(header["key"]):
                    self._header(f"header {header['key']}", header["value"], at_ms, plain)
                else:
                    self._seen.strange_headers += 1

    def close(self) -> None:
        """Says which formats the documents were in, where a policy must name them."""
        survey = self._surveys.get("key")
        if self._seen.forms["key"] == "auto" and survey is not None:
            self._seen.forms["key"] = survey.formats.pop() if len(survey.formats) == 1 else "json"

    def _payload(self, side: str, payload: bytes | None, at_ms: int, key: str | None, header: bytes | None) -> None:
        teller = self._teller(side, at_ms, key)
        if not payload:
            return
        self._seen.payloads[side] += 1
        form = self._seen.forms[side]
        if form == "auto":
            survey = self._surveys.setdefault(side, Survey(teller, self._schemas))
            try:
                survey.look(payload, header)
            except Refusal:
                self._seen.undecodable[side] += 1
            return
        self._scalar(teller, form, payload)

    def _scalar(self, teller: Teller, form: str, payload: bytes) -> None:
        if form in ("int16", "int32", "int64"):
            teller.leaf((), "number", int.from_bytes(payload, "big", signed=True))
            return
        plain = self._text(payload) if form != "bytes" else None
        if plain is None:
            teller.leaf((), "bytes", payload)
        else:
            teller.text((), plain)

    def _header(self, side: str, value: bytes | None, at_ms: int, key: str | None) -> None:
        teller = self._teller(side, at_ms, key)
        if value is None:
            teller.leaf((), "null", None)
        else:
            self._scalar(teller, "string", value)

    def _teller(self, side: str, at_ms: int, key: str | None) -> Teller:
        teller = self._tellers.get(side)
        if teller is None:
            teller = self._tellers[side] = Teller(self._seen, side)
        teller.at_ms, teller.key = at_ms, key
        return teller

    def _text(self, payload: bytes | None) -> str | None:
        try:
            return payload.decode() if payload else None
        except UnicodeDecodeError:
            return None


def _misfits(
    lines: list[Line], entries: list[Entry], groups: list[Seen], looked: list[_Looked], schemas: CaptureSchemas
) -> bool:
    """Tries the draft with all proposals taken; entries whose rule doesn't fit take their next. Whether any did."""
    try:
        policy = Policy.parse(text(lines, accepted=True), file="draft", env=AnySecret())
        plan = policy.plan(schemas=schemas)
        problems = set()
        group_of = {topic: number for number, group in enumerate(groups) for topic in group.topics}
        for one in looked:
            (topic,) = one.seen.topics[:1]
            made = plan.for_topic(topic)
            for side, rule in (("key", made.key), ("value", made.value)):
                for framed in schemas.of_topic(topic, side):
                    if rule is not None and rule.documents is not None:
                        try:
                            rule.documents.prepare(framed)
                        except Refusal:
                            continue
            for batch in one.batches:
                problems |= {
                    (group_of[topic], found.place, found.path, found.reason) for found in made.apply(batch).problems
                }
    except PolicyError as error:
        entry = lines[error.line - 1].entry if error.line else None
        if entry is None:
            raise
        entry.next()
        return True
    changed, moved = False, set()
    for group, place, path, reason in sorted(problems):
        entry = next((one for one in entries if _is_at(one, group, place, path)), None)
        if entry is None:
            if place in ("key", "value") and path in ("", "$") and '"' not in reason:  # else it may quote a map's key
                note = f"{place}: {reason}"
                changed |= note not in groups[group].notes
                groups[group].notes.add(note)
        elif (group, place, entry.label) not in moved and (entry.decision.rule or entry.inner):
            moved.add((group, place, entry.label))
            entry.next()
            changed = True
    return changed


def _is_at(entry: Entry, group: int, place: str, path: str) -> bool:
    """Whether a problem is told of this entry, or of something within its text."""
    if (entry.group, entry.where[0]) != (group, place):
        return False
    if not path:
        return not entry.where[1]
    return path.startswith(f"{entry.label} (") or _pattern(entry.label).fullmatch(path) is not None


@lru_cache(maxsize=MOST)
def _pattern(label: str) -> re.Pattern[str]:
    """Of paths as problems tell them: with the keys of maps where the draft has ``*``."""
    return re.compile(re.sub(r"(^|\\\.)\\\*", _ANY_KEY, re.escape(label)))


def _how(groups: list[Seen], most: int) -> str:
    part = sorted(topic for group in groups for topic in group.topics if group.looked < group.records)
    detectors = f"detectors looked at up to {LOOKED:,} different values of a place"
    if not part:
        return f"All records were looked at; {detectors}."
    return f"Looked at {most:,} records, evenly spread, of {', '.join(part)}, and at all of the others; {detectors}."
