"""Finding a place for schemas in another registry: looked up under their subjects there, or registered after a check.

Looking writes nothing and finds all that is wrong at once; `register` then writes, in the order of the references. A
schema is the same one there when the registry says so; what it keeps in another spelling is told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from recorder.errors import UsageError
from recorder.payloads.registry import Registry, RegistryError
from recorder.payloads.schemas import REFERENCES_LIMIT, Reference, Schema, SchemaBook

_WRITABLE = "READWRITE"
_DENIED = {401, 403}
_INCOMPATIBLE = 409
_READ_ONLY_CODE = 42205
Named = TypeVar("Named")
_CREDENTIALS = "Give credentials that may (schema.registry.basic.auth.user.info, schema.registry.bearer.auth.token)"


@dataclass(frozen=True, slots=True)
class TargetRegistry:
    """Where schemas go: the registry, what subjects are called there, and whether missing ones may be registered."""

    registry: Registry
    subjects: Mapping[str, str] = field(default_factory=dict)
    register: bool = True
    allow_unknown: bool = False
    """Records that name a schema which the capture does not hold are sent with their ids as they are."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands against a translation, or should be known about it."""

    severity: Literal["error", "warning"]
    what: str
    fix: str


@dataclass(slots=True)
class Place:
    """One schema under one subject of the target registry; without an `id` it is still to be registered there."""

    schema: Schema
    subject: str
    needs: tuple[tuple[str, Place], ...] = ()
    """What it refers to, each by the name it is called by."""
    id: int | None = None
    guid: str | None = None
    version: int | None = None
    registered: bool = False
    """By us."""
    broken: bool = False
    """There is no place for it; why is among the problems."""

    @property
    def references(self) -> tuple[Reference, ...]:
        """As they are called in the target; for a place whose needs all have theirs."""
        return tuple(Reference(name, place.subject, place.version or 0) for name, place in self.needs)


@dataclass
class Places:
    """The places of all schemas of some captures in `registry`.

    `mapped` says what a subject is called there; `may_register` whether what is missing may be registered.
    """

    registry: Registry
    mapped: Mapping[str, str] = field(default_factory=dict)
    may_register: bool = True
    problems: list[Problem] = field(default_factory=list)
    _found: dict[tuple[SchemaBook, str, str], Place] = field(default_factory=dict)
    _order: list[Place] = field(default_factory=list)
    _checked: set[str] = field(default_factory=set)
    _down: bool = False

    def find(self, schema: Schema, subject: str, book: SchemaBook) -> Place:
        """The schema's place under a subject of the target, and those of all that it refers to. Writes nothing.

        Doesn't raise: what is wrong is among the `problems`, all at once.
        """
        return self._find(schema, subject, book, ())

    @property
    def pending(self) -> tuple[Place, ...]:
        """What `register` will write, in that order."""
        return tuple(place for place in self._order if place.id is None and not place.broken)

    def __iter__(self) -> Iterator[Place]:
        """All places, what is referred to before what refers to it."""
        return iter(self._order)

    def register(self) -> list[Problem]:
        """Register what is pending; answers all that the registry refused (what it took stays)."""
        refused = len(self.problems)
        for place in self.pending:
            if any(need.id is None for _, need in place.needs):
                place.broken = True
                self._error(f"{_title(place)} refers to a schema that could not be registered", "See there.")
                continue
            written = self.registry.written(place.schema, place.references)
            try:
                self.registry.ask("register_schema_full_response", place.subject, written)
                self._take(place, self.registry.ask("lookup_schema", place.subject, written))
                place.registered = True
            except RegistryError as error:
                place.broken = True
                self._refused(place, error)
        return self.problems[refused:]

    def _find(self, schema: Schema, subject: str, book: SchemaBook, above: tuple[str, ...]) -> Place:
        key = (book, schema.fingerprint, subject)
        if (known := self._found.get(key)) is not None:
            return known
        place = self._found[key] = Place(schema, subject)
        needs = []
        for reference in schema.references:
            target = book.version(reference.subject, reference.version)
            called = f"{reference.subject} v{reference.version}"
            if target is None or len(above) > 50 or len(self._found) > REFERENCES_LIMIT:
                place.broken = True
                self._error(
                    f"{_title(place)} refers to {called}, which the capture does not hold",
                    "Fetch it: blackbox schemas CAPTURE --fetch --schema-registry URL (of the source)",
                )
                continue
            needed = self._find(target, self.mapped.get(reference.subject, reference.subject), book, (*above, subject))
            needs.append((reference.name, needed))
            place.broken |= needed.broken
        place.needs = tuple(needs)
        self._order.append(place)
        if self._down:
            place.broken = True
        elif not place.broken:
            self._look_up(place)
        elif not self.may_register:
            self._missing(place)
        return place

    def _look_up(self, place: Place) -> None:
        try:
            if all(need.version for _, need in place.needs):
                written = self.registry.written(place.schema, place.references)
                for normalize in (False, True):
                    if (found := self._asked("lookup_schema", place.subject, written, normalize)) is not None:
                        self._take(place, found)
                        self._compare(place)
                        return
            if self.may_register:
                self._check(place)
            else:
                self._missing(place)
        except RegistryError as error:
            place.broken = True
            self._down = error.down
            self._refused(place, error)

    def _check(self, place: Place) -> None:
        """May it be registered? Of several new versions of a subject the registry can judge only the first now."""
        if place.subject in self._checked:
            return
        self._checked.add(place.subject)
        mode = self._mode(place.subject)
        if mode is not None and mode != _WRITABLE:
            place.broken = True
            self._error(
                f"Subject {place.subject} takes no schemas: the registry's mode is {mode}",
                "Set it to READWRITE, or register the schemas there by its own means and give --no-register",
            )
        elif all(need.version for _, need in place.needs):
            written = self.registry.written(place.schema, place.references)
            if self._asked("test_compatibility", place.subject, written) is False:
                place.broken = True
                self._incompatible(place, "")

    def _mode(self, subject: str) -> str | None:
        """READWRITE, READONLY, IMPORT …; None where the registry knows no modes."""
        for question, what in (("get_mode", (subject,)), ("get_global_mode", ())):
            try:
                if (mode := self.registry.ask(question, *what)) is not None:
                    return str(mode)
            except RegistryError as error:
                if error.status in _DENIED:  # reading a mode is a right of its own; registering will tell
                    return None
        return None

    def _asked(self, question: str, *what: object) -> object | None:
        """None when the registry answers that it has no such subject or schema."""
        try:
            return self.registry.ask(question, *what)  # type: ignore[no-any-return]
        except RegistryError as error:
            if error.status == 404:
                return None
            raise

    def _take(self, place: Place, found: object) -> None:
        place.id, place.guid, place.version = (getattr(found, name) for name in ("schema_id", "guid", "version"))

    def _compare(self, place: Place) -> None:
        """Say when the target keeps what it takes for the same schema in another spelling."""
        self.registry.ask("clear_caches")  # the client remembers what it asked with, not what the registry keeps
        kept = self._asked("get_version", place.subject, place.version)
        text = getattr(getattr(kept, "schema", None), "schema_str", None)
        if isinstance(text, str) and not same_text(place.schema, text):
            self.problems.append(
                Problem(
                    "warning",
                    f"{_title(place)} is id {place.id} in the target registry, which keeps it in another spelling "
                    "(documentation, defaults, order or line breaks may differ)",
                    "Compare them if consumers use more than names and types",
                )
            )

    def _missing(self, place: Place) -> None:
        place.broken = True
        self._error(
            f"{_title(place)} is not in the target registry",
            "Register it there, or let the replay do it (without --no-register)",
        )

    def _refused(self, place: Place, error: RegistryError) -> None:
        if error.status in _DENIED:
            self._error(f"The target registry does not let us look up or register {_title(place)}", _CREDENTIALS)
        elif error.status == _INCOMPATIBLE:
            self._incompatible(place, error.reason)
        elif error.code == _READ_ONLY_CODE:
            self._error(f"Subject {place.subject} is read-only in the target registry", "Set its mode to READWRITE")
        elif error.down:
            self._error(str(error).rstrip("."), "Check --target-registry, and that it runs")
        else:
            said = f": {error.reason}" if error.reason else ""
            self._error(
                f"The target registry answers {error.status} for {_title(place)}{said}",
                "Register it there by hand, or map its subject elsewhere with --subject-map",
            )

    def _incompatible(self, place: Place, reason: str) -> None:
        said = f": {reason}" if reason else ""
        self._error(
            f"{_title(place)} is not compatible with what the target registry has under that subject{said}",
            f"Map it to another subject (--subject-map {place.subject}:=…), or loosen its compatibility there",
        )

    def _error(self, what: str, fix: str) -> None:
        self.problems.append(Problem("error", what, fix if fix.endswith(".") else f"{fix}."))


def parse_subjects(assignments: Iterable[str]) -> dict[str, str]:
    """``a:=b`` as a mapping of subjects; UsageError when it is none, or a subject is mapped twice."""
    mapping: dict[str, str] = {}
    for text in assignments:
        source, sign, target = (part.strip() for part in text.partition(":="))
        if not (source and sign and target):
            raise UsageError(f"--subject-map '{text}' is not a mapping of subjects: write recorded:=target.")
        if source in mapping:
            raise UsageError(f"Subject {source} is mapped twice: give one --subject-map for it.")
        mapping[source] = target
    return mapping


def in_order(wanted: Iterable[tuple[Named, Schema, str]]) -> list[tuple[Named, str]]:
    """What needs schemas under subjects, in the order in which these were registered once: a registry checks each new
    version against the one before it.
    """

    def age(item: tuple[Named, Schema, str]) -> tuple[str, int, int]:
        _, schema, subject = item
        return subject, max((entry.version for entry in schema.subjects), default=0), schema.id or 0

    return [(named, subject) for named, _, subject in sorted(wanted, key=age)]


def same_text(schema: Schema, other: str) -> bool:
    """Is it the same schema, white space and the order of JSON's members aside?"""
    if schema.text == other:
        return True
    if schema.kind == "protobuf":
        return schema.text.split() == other.split()
    try:
        parse: Callable[[str], object] = json.loads
        return bool(parse(schema.text) == parse(other))
    except ValueError:
        return False


def _title(place: Place) -> str:
    source = f" (source id {place.schema.id})" if place.schema.id is not None else ""
    return f"{place.subject}: {place.schema.kind} schema{source}"
