"""What the schema ids in a replay's records become in the target's registry, planned before anything is sent.

An id belongs to one registry (Confluent's wire format names nothing else), so a record that goes to consumers of
another one must be given the id that its schema has there. Subjects follow the topics: what was registered as
`orders-value` belongs to `orders.ci-value` when orders is replayed into orders.ci. Payloads that name no known schema
stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recorder.capture.selection import require_known
from recorder.errors import BlackboxError
from recorder.payloads.naming import Counts, Use
from recorder.payloads.reasons import Side
from recorder.payloads.registering import Place, Places, TargetRegistry, in_order
from recorder.payloads.renaming import NewName, Renamer
from recorder.payloads.schemas import Schema, SchemaBook
from recorder.payloads.snapshot import joint_book, some
from recorder.payloads.used import Key
from recorder.replaying.changes import Change, Outgoing, each
from recorder.replaying.findings import Finding
from recorder.replaying.routes import Routes
from recorder.replaying.streams import STREAM, Streams

_FETCH = "Fetch them (blackbox schemas CAPTURE --fetch --schema-registry URL)"


@dataclass(frozen=True)
class Translation:
    """The plan: the places of all schemas in the target, and which of them each topic's records name."""

    routes: Routes
    places: Places
    uses: Mapping[Use, tuple[Place, ...]]
    """The place that gives the id comes first; the schema belongs under the others' subjects, too."""
    counts: Counts

    def register(self) -> None:
        """Register what the target lacks. Raises BlackboxError with all that was refused."""
        if refused := self.places.register():
            sentences = [f"{problem.what}. {problem.fix}" for problem in refused]
            raise BlackboxError("\n  ".join(["Nothing was sent.", *sentences]))

    @property
    def registered(self) -> tuple[str, ...]:
        """What `register` wrote: subject, version and id of each."""
        return tuple(f"{place.subject} v{place.version} (id {place.id})" for place in self.places if place.registered)

    def change(self, streams: Streams) -> Change:
        """What gives records their new ids on their way, once all places have theirs."""
        renamer = Renamer({
            use: NewName(places[0].id, places[0].guid) for use, places in self.uses.items() if places[0].id is not None
        })  # fmt: skip

        def translate(stretch: Outgoing) -> Outgoing:
            batch, done = renamer.rename(stretch.batch, streams.topic_numbers[stretch.batch.column(STREAM).to_numpy()])
            marks = {self._mark(use, new): rows for use, new, rows in done}
            return replace(stretch, batch=batch, marks={**stretch.marks, **marks})

        return each(translate)

    def rows(self) -> tuple[Sequence[str], list[list[Any]]]:
        """The translation table: one row a topic, side, schema and subject."""
        rows: list[list[Any]] = []
        for (topic, side, key), places in sorted(self.uses.items(), key=lambda item: (*item[0][:2], str(item[0][2]))):
            for place in places:
                what = "refused" if place.broken else "as it is there" if place.id is not None else "to be registered"
                rows.append(
                    [self.routes.topics[topic].name, side, key, place.schema.title, place.subject,
                     place.id, what, self.counts.records[topic, side, key]]
                )  # fmt: skip
        return ("topic", "side", "source_id", "schema", "target_subject", "target_id", "schema_is", "records"), rows

    def _mark(self, use: Use, new: Key | None) -> str:
        topic, side, old = use
        name = f"{self.routes.topics[topic].name}: {side}s' schema id {old}"
        return f"{name} became {new}" if new is not None else f"{name} is unknown and was left as it is"


def books_of(routes: Routes) -> dict[int, SchemaBook]:
    """The schemas of each topic's captures, by topic number; topics of captures without any are left out.

    Raises CaptureError.
    """
    made: dict[tuple[int, ...], SchemaBook] = {}
    found = {}
    for number, one in enumerate(routes.gathered):
        captures = tuple(id(capture) for capture in one.captures)
        if captures not in made:
            made[captures] = joint_book(one.captures, "be replayed as one topic's")
        if len(made[captures]) or made[captures].unresolved:
            found[number] = made[captures]
    return found


def plan_translation(
    routes: Routes, books: Mapping[int, SchemaBook], counts: Counts, target: TargetRegistry
) -> tuple[Translation, list[Finding]]:
    """Find the place of every schema that records name in the target's registry, and all that stands against it.

    Asks the registry and writes nothing. Raises UsageError for a mapped subject that no schema has.
    """
    places = Places(target.registry, target.subjects, target.register)
    wanted: dict[Use, tuple[Schema, list[str]]] = {}
    for use in counts.records:
        topic, side, key = use
        schema = books[topic].find(key) if topic in books else None
        if schema is not None:
            name, to = routes.gathered[topic].belongs, routes.target_of[routes.topics[topic].name]
            wanted[use] = schema, target_subjects(schema, name, to, side, target.subjects)
    _require_known_subjects(target.subjects, books, routes)
    subjects = [(use, schema, subject) for use, (schema, all_) in wanted.items() for subject in all_]
    for use, subject in in_order(subjects):
        places.find(wanted[use][0], subject, books[use[0]])
    uses = {
        use: tuple(places.find(schema, subject, books[use[0]]) for subject in all_)
        for use, (schema, all_) in wanted.items()
    }
    findings = [
        Finding(severity=problem.severity, topic=None, what=problem.what, fix=problem.fix)
        for problem in places.problems
    ]
    return Translation(routes, places, uses, counts), [*findings, *_unknown(routes, books, counts, target)]


def warn_of_ids(routes: Routes, books: Mapping[int, SchemaBook], counts: Counts) -> Iterator[Finding]:
    """Without a target registry: which topics' records name schemas of the source's."""
    named = {topic: 0 for topic, _, key in counts.records if topic in books and books[topic].find(key) is not None}
    if named:
        topics = ", ".join(routes.topics[topic].name for topic in named)
        yield Finding(
            severity="warning",
            topic=None,
            what=f"Records name schemas by the ids of the registry that they were recorded with ({topics}): "
            "consumers that ask another registry would find other schemas, or none",
            fix="Give --target-registry URL to have the ids translated.",
        )


def target_subjects(schema: Schema, topic: str, target: str, side: Side, mapped: Mapping[str, str]) -> list[str]:
    """The subjects that a schema belongs under in the target, for the records of one topic and side there.

    By how it is known at the source: the topic's own subject (TopicNameStrategy), those of the topic and a record's
    name (TopicRecordNameStrategy), those of a record's name alone (RecordNameStrategy, which no topic changes); when
    none of these is known, the topic's own. `mapped` goes before all of that.
    """
    known = sorted({version.subject for version in schema.subjects})
    own = f"{topic}-{side}"
    elsewhere = ("-key", "-value")
    found = (
        [subject for subject in known if subject == own]
        or [subject for subject in known if subject.startswith(f"{topic}-") and not subject.endswith(elsewhere)]
        or [subject for subject in known if subject in mapped or not subject.endswith(elsewhere)]
        or [own]
    )

    def there(subject: str) -> str:
        if subject in mapped:
            return mapped[subject]
        return target + subject[len(topic) :] if subject.startswith(f"{topic}-") else subject

    return list(dict.fromkeys(map(there, found)))


def _require_known_subjects(subjects: Mapping[str, str], books: Mapping[int, SchemaBook], routes: Routes) -> None:
    known = {version.subject for book in books.values() for schema in book for version in schema.subjects}
    known |= {f"{one.belongs}-{side}" for one in routes.gathered for side in ("key", "value")}
    for subject in subjects:
        require_known(subject, sorted(known), "the subjects of this capture's schemas")


def _unknown(
    routes: Routes, books: Mapping[int, SchemaBook], counts: Counts, target: TargetRegistry
) -> Iterator[Finding]:
    """Records that name a schema which the capture does not hold, side by side."""
    sides: dict[tuple[int, Side], list[Key]] = {}
    framed: set[tuple[int, Side]] = set()
    for topic, side, key in counts.records:
        if topic in books and books[topic].find(key) is not None:
            framed.add((topic, side))
        else:
            sides.setdefault((topic, side), []).append(key)
    for (topic, side), keys in sorted(sides.items()):
        name, book = routes.topics[topic].name, books.get(topic)
        unresolved = [key for key in keys if book is not None and key in book.unresolved]
        records = sum(counts.records[topic, side, key] for key in keys)
        what = f"{records:,} {side}s name schemas that the capture does not hold ({some(keys)})"
        if target.allow_unknown:
            yield Finding(severity="warning", topic=name, what=f"{what}: they keep them", fix="See the certificate.")
        elif unresolved or (topic, side) in framed:
            yield Finding(
                severity="error",
                topic=name,
                what=f"{what}: they would name other schemas in the target, or none",
                fix=f"{_FETCH}, or give --allow-unknown-schemas to send such records as they are.",
                refusal=not unresolved,
            )
        else:
            yield Finding(
                severity="warning",
                topic=name,
                what=f"{records:,} {side}s begin like framed ones, but the capture holds no schema for them "
                f"({some(keys)}): they are sent as they are",
                fix=f"If they are framed: {_FETCH[0].lower()}{_FETCH[1:]}.",
            )
    for topic, side in sorted(counts.unframed):
        yield Finding(
            severity="warning",
            topic=routes.topics[topic].name,
            what=f"Its {side}s begin like framed ones, with too many different ids for that: they are sent as they are",
            fix="Nothing is to be done if they are numbers or other bytes.",
        )
