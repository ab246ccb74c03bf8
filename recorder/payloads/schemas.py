"""Schemas as plain data, and the book that finds them by registry id, GUID or subject, without any registry.

Schema text comes from captures and may be hostile: nothing here reads a file or imports anything that a schema names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from recorder.errors import UsageError
from recorder.payloads.reasons import PayloadError, Reason

SchemaKind = Literal["avro", "json", "protobuf"]

TEXT_LIMIT = 4 << 20
REFERENCES_LIMIT = 1000

_KIND_OF_SUFFIX: dict[str, SchemaKind] = {".avsc": "avro", ".proto": "protobuf", ".json": "json"}
_DESCRIPTOR_SUFFIXES = (".desc", ".binpb", ".pb", ".fds", ".protoset")


class Reference(msgspec.Struct, frozen=True):
    """`name` is what the text calls it: a full name in Avro, an import's path in Protobuf, a `$ref` in JSON Schema."""

    name: str
    subject: str
    version: int


class SubjectVersion(msgspec.Struct, frozen=True, order=True):
    subject: str
    version: int


class Schema(msgspec.Struct, frozen=True, omit_defaults=True):
    """A schema as a registry knows it; `id` is None for one that came from a file.

    `descriptor` is a serialized FileDescriptorSet in base64 (Protobuf only): with it nothing has to be compiled.
    `message` names the Protobuf message to read when no message indexes do.
    """

    kind: SchemaKind
    text: str
    id: int | None = None
    guid: str | None = None
    subjects: tuple[SubjectVersion, ...] = ()
    references: tuple[Reference, ...] = ()
    descriptor: str | None = None
    message: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 (32 hexadecimal digits) of what decides how bytes are read, references by name included."""
        parts = msgspec.json.encode((self.kind, self.text, self.references, self.descriptor, self.message))
        return hashlib.sha256(parts).hexdigest()[:32]

    @property
    def title(self) -> str:
        """For messages: ``payments-value v3 (id 7)``, ``id 7`` or the kind alone."""
        number = f"id {self.id}" if self.id is not None else (self.guid or "")
        if self.subjects:
            newest = max(self.subjects)
            return f"{newest.subject} v{newest.version}" + (f" ({number})" if number else "")
        return number or self.kind


class SchemaBook:
    """Schemas by id, by GUID and by (subject, version). Knows `unresolved` ids, so that they can be fetched later.

    Ids of one book belong to one registry; a schema under several ids stands in it once per id.
    """

    def __init__(self, schemas: Iterable[Schema] = (), unresolved: Iterable[int | str] = ()) -> None:
        self._by_id: dict[int, Schema] = {}
        self._by_guid: dict[str, Schema] = {}
        self._by_subject: dict[SubjectVersion, Schema] = {}
        self._all: list[Schema] = []
        self.unresolved: set[int | str] = set(unresolved)
        for schema in schemas:
            self.add(schema)

    def add(self, schema: Schema) -> None:
        """Add or, for an id, GUID or version that is already here, replace."""
        self._all.append(schema)
        if schema.id is not None:
            self._by_id[schema.id] = schema
            self.unresolved.discard(schema.id)
        if schema.guid is not None:
            self._by_guid[schema.guid.lower()] = schema
            self.unresolved.discard(schema.guid.lower())
        for version in schema.subjects:
            self._by_subject[version] = schema

    def find(self, key: int | str) -> Schema | None:
        """By id (int) or by GUID (text, any case)."""
        return self._by_id.get(key) if isinstance(key, int) else self._by_guid.get(key.lower())

    def version(self, subject: str, version: int) -> Schema | None:
        return self._by_subject.get(SubjectVersion(subject, version))

    def referenced(self, schema: Schema) -> dict[str, Schema]:
        """All schemas that `schema` needs, by the name each is called by, the deepest first.

        Raises PayloadError (missing schema reference, too large).
        """
        found: dict[str, Schema] = {}
        self._collect(schema, found, ())
        return found

    def _collect(self, schema: Schema, found: dict[str, Schema], above: tuple[str, ...]) -> None:
        for reference in schema.references:
            if reference.name in found or reference.name in above:
                continue
            if len(found) >= REFERENCES_LIMIT or len(above) >= 100:
                raise PayloadError(Reason.TOO_LARGE, f"{schema.title} refers to more than {REFERENCES_LIMIT} schemas")
            target = self.version(reference.subject, reference.version)
            if target is None:
                raise PayloadError(
                    Reason.MISSING_REFERENCE, f"{reference.name} = {reference.subject} v{reference.version}"
                )
            self._collect(target, found, (*above, reference.name))
            found[reference.name] = target

    def __iter__(self) -> Iterator[Schema]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def schema_from_file(path: Path, message: str | None = None) -> Schema:
    """A schema without a registry: `.avsc`, `.proto`, JSON Schema (`.json`) or a Protobuf descriptor set.

    `message` is the Protobuf message to read (default: the only or the first one of the file).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: can't read this schema: {error.strerror}.") from error
    suffix = path.suffix.lower()
    if suffix in _DESCRIPTOR_SUFFIXES:
        return Schema("protobuf", "", descriptor=base64.b64encode(content).decode(), message=message)
    kind = _KIND_OF_SUFFIX.get(suffix)
    if kind is None:
        known = ", ".join((*_KIND_OF_SUFFIX, *_DESCRIPTOR_SUFFIXES))
        raise UsageError(f"{path}: don't know what schema this is; its name must end in one of {known}.")
    try:
        return Schema(kind, content.decode("utf-8-sig"), message=message)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: this schema is not UTF-8 text.") from error
