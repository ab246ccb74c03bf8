"""How a topic's records are to be decoded: looked up in a sample, once, when a query first names the topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from recorder.payloads import wire
from recorder.payloads.choices import Choice, Choices
from recorder.payloads.decoder import Codecs
from recorder.payloads.detect import Detected, detect
from recorder.payloads.reasons import PayloadError, Side
from recorder.payloads.samples import Sample
from recorder.payloads.schemas import Schema, SchemaBook
from recorder.payloads.used import Key
from recorder.payloads.wire import Headers
from recorder.query.decoding import SidePlan, TopicPlan
from recorder.query.merging import merge_columns

_PLAIN = ("text", "hex")

Search = Callable[[], Iterable[int]]
"""The schema ids that the values of a topic begin with: reads them all."""


def plan_topic(
    topic: str, sample: Sample, codecs: Codecs, choices: Choices, topics: Sequence[str], search: Search
) -> TopicPlan:
    """`topics` are all of the capture; `search` is asked where these leave open which schemas are used."""
    key = _plan_side(topic, "key", sample.keys, sample.headers, codecs, choices.of(topic, "key"), lambda seen: ())
    more = partial(_others, topic, codecs.book, topics, search)
    value = _plan_side(topic, "value", sample.values, sample.headers, codecs, choices.of(topic, "value"), more)
    return TopicPlan(topic, key, value)


def _others(topic: str, book: SchemaBook, topics: Sequence[str], search: Search, seen: Sequence[Key]) -> Iterable[Key]:
    """Schemas that values of the topic name beside those `seen` in its sample: its rare ones.

    Searched for where there may be some: other versions of a subject that is seen, schemas under the topic's own
    subject or, in a topic with frames, under nobody's. What is under another topic's subject is taken for that one's.
    """
    subjects = {version.subject for key in seen if (schema := book.find(key)) for version in schema.subjects}
    needed = {(reference.subject, reference.version) for schema in book for reference in schema.references}
    framed = any(isinstance(key, int) for key in seen)

    def possible(schema: Schema) -> bool:
        if schema.id is None or schema.id in seen:
            return False
        owners = {_owner(version.subject, topics) for version in schema.subjects}
        if topic in owners or any(version.subject in subjects for version in schema.subjects):
            return True
        inner = any((version.subject, version.version) in needed for version in schema.subjects)
        return framed and not inner and owners <= {None}

    return search() if any(possible(schema) for schema in book) else ()


def _owner(subject: str, topics: Sequence[str]) -> str | None:
    """The topic that a subject is named after (`orders-value`, `orders-com.shop.Order`); "" for a topic's keys."""
    owner = max((topic for topic in topics if subject.startswith(f"{topic}-")), key=len, default=None)
    return "" if owner is not None and subject == f"{owner}-key" else owner


def _plan_side(
    topic: str,
    side: Side,
    payloads: list[bytes | None],
    headers: list[Headers],
    codecs: Codecs,
    choice: Choice | None,
    more: Callable[[Sequence[Key]], Iterable[Key]],
) -> SidePlan:
    found = detect(codecs, topic, side, payloads, headers, choice)
    if found.choice is not None and found.choice.schema is not None:
        kinds: list[tuple[Schema, tuple[int, ...] | None]] = [(found.choice.schema, None)]
    else:
        kinds = _kinds(found, side, payloads, headers, codecs, more(found.schemas))
    columns = []
    for schema, indexes in kinds:
        try:
            columns.append(codecs.of(schema, indexes).field())
        except PayloadError:
            continue  # its records say so themselves: decode_errors
    if not kinds and found.choice is not None and found.choice.format not in (*_PLAIN, "json"):
        columns = [codecs.plain(found.choice.format).field()]
    return SidePlan(side, found.choice, found.format, merge_columns(columns))


def _kinds(
    found: Detected,
    side: Side,
    payloads: list[bytes | None],
    headers: list[Headers],
    codecs: Codecs,
    others: Iterable[Key],
) -> list[tuple[Schema, tuple[int, ...] | None]]:
    """The schemas in use, the newest first; of Protobuf's each message type that the sample holds."""
    messages: dict[tuple[int, ...], None] = {}
    for payload, named in zip(payloads, headers, strict=True):
        if payload:
            messages.update(dict.fromkeys(_message(payload, named, side, codecs)))
    kinds: list[tuple[Schema, tuple[int, ...] | None]] = []
    for key in sorted({*found.schemas, *others}, key=lambda key: (isinstance(key, int), key), reverse=True):
        schema = codecs.book.find(key)
        if schema is None:
            continue
        if schema.kind == "protobuf":
            kinds += [(schema, indexes) for indexes in messages or {(0,): None}]
        else:
            kinds.append((schema, None))
    return kinds


def _message(payload: bytes, headers: Headers, side: Side, codecs: Codecs) -> Sequence[tuple[int, ...]]:
    try:
        frame, body = wire.from_headers(headers, side), payload
        if frame is None:
            frame, body = wire.split(payload)
        schema = None if frame is None else codecs.book.find(frame.key)
        if frame is None or schema is None or schema.kind != "protobuf":
            return ()
        return [wire.read_indexes(wire.take_indexes(frame, body)[0].indexes or b"\0")[0]]
    except PayloadError:
        return ()
