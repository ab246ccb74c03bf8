"""The schemas that a capture's records were written with, kept inside it, so that it can be read without a registry.

One JSON file, named in the manifest with its SHA-256 (FORMAT.md 22). Its name holds its content's digest: completing
it later writes another file and then the manifest, and at no time does the manifest name what is not there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from recorder.capture.durable import write_atomically
from recorder.capture.locations import Location
from recorder.capture.manifest import MANIFEST_NAME, Manifest, Note, SchemaFile, encode
from recorder.capture.reader import Capture, open_capture
from recorder.capture.writer import reporting_write_errors
from recorder.errors import CaptureError
from recorder.payloads.schemas import Schema, SchemaBook

UNRESOLVED_NOTE = "schemas are missing"
"""How a note begins that names schemas which could not be fetched; it goes when they are."""
_NAMED = 10


def notes_of(directory: Location, unresolved: Mapping[int | str, str]) -> Iterator[Note]:
    """A note of loss for each reason why schemas are missing."""
    for why in dict.fromkeys(unresolved.values()):
        keys = some([key for key, reason in unresolved.items() if reason == why])
        fetch = f"blackbox schemas {directory} --fetch --schema-registry URL"
        yield Note(level="loss", text=f"{UNRESOLVED_NOTE} ({keys}): {why} Fetch them later: {fetch}")


def some(keys: Iterable[int | str]) -> str:
    """The first few of many ids or GUIDs."""
    shown = sorted(map(str, keys), key=lambda text: (len(text), text))
    return "id " + ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else "")


def write_schemas(
    root: Path, schemas: Iterable[Schema], unresolved: Iterable[int | str] = ()
) -> SchemaFile | msgspec.UnsetType:
    """Write the file below `root` and return its entry for the manifest; UNSET when there is nothing to say."""
    kept = sorted(schemas, key=lambda schema: (schema.id is None, schema.id or 0, schema.guid or "", schema.text))
    missing = tuple(sorted(unresolved, key=str))
    if not kept and not missing:
        return msgspec.UNSET
    content = msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"
    digest = hashlib.sha256(content).hexdigest()
    path = root / f"schemas-{digest[:16]}.json"
    with reporting_write_errors(path):
        write_atomically(path, content)
    return SchemaFile(path=path.name, sha256=digest, bytes=len(content), schemas=len(kept), unresolved=missing)


def read_schemas(root: Location, manifest: Manifest) -> tuple[Schema, ...]:
    """The schemas that a capture holds. Raises CaptureError when their file is missing or altered."""
    entry = manifest.schemas
    if not isinstance(entry, SchemaFile):
        return ()
    path = root / entry.path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"Can't read {path}: {error.strerror or error}.") from None
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise CaptureError(f"{path} was altered: its SHA-256 is not the manifest's.")
    try:
        return msgspec.json.decode(content, type=tuple[Schema, ...])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CaptureError(f"{path} holds no list of schemas: {error}.") from None


def book_of(capture: Capture) -> SchemaBook:
    """The capture's schemas, to decode with. Raises CaptureError."""
    entry = capture.manifest.schemas
    unresolved = entry.unresolved if isinstance(entry, SchemaFile) else ()
    return SchemaBook(read_schemas(capture.root, capture.manifest), unresolved)


def carry_schemas(parents: Sequence[Capture], root: Path) -> SchemaFile | msgspec.UnsetType:
    """Give a capture made from `parents` of one registry their schemas. Raises CaptureError (see `joint_book`)."""
    book = joint_book(parents, "share one copy")
    return write_schemas(root, book, book.unresolved)


def joint_book(parents: Sequence[Capture], purpose: str) -> SchemaBook:
    """The schemas of several captures of one registry, each once.

    Raises CaptureError where two of them hold different schemas under one id: those came from two registries and
    can't do what `purpose` says.
    """
    known: dict[int | str, Schema] = {}
    kept: dict[Schema, None] = {}  # one id may stand there several times, under different subjects
    unresolved: set[int | str] = set()
    for parent in parents:
        book = book_of(parent)
        unresolved |= book.unresolved
        for schema in book:
            key = schema.id if schema.id is not None else schema.guid
            first = schema if key is None else known.setdefault(key, schema)
            if first.fingerprint != schema.fingerprint:
                raise CaptureError(
                    f"{parent.root}: schema {schema.title} is not the one that {first.title} is in another of these "
                    f"captures: they were recorded with different schema registries and can't {purpose}."
                )
            kept[schema] = None
    return SchemaBook(kept, unresolved - known.keys())


def replace_schemas(capture: Capture, schemas: Iterable[Schema], unresolved: Mapping[int | str, str]) -> Capture:
    """Complete a capture's schemas: the new file, then the manifest that names it, then the old file goes.

    `unresolved` are those that are still missing, and why.

    Raises CaptureError, also for a capture whose stamp covers the manifest.
    """
    root, before = capture.root, capture.manifest
    if not isinstance(root, Path):
        raise CaptureError(f"{root} is an object store: complete the schemas of a local copy and put that there.")
    if before.clean is not None:
        raise CaptureError(f"{root} is clean, and its stamp says exactly what is in it: complete the raw capture.")
    entry = write_schemas(root, schemas, unresolved)
    kept = [note for note in before.notes if not note.text.startswith(UNRESOLVED_NOTE)]
    manifest = msgspec.structs.replace(before, schemas=entry, notes=(*kept, *notes_of(root, unresolved)))
    with reporting_write_errors(root / MANIFEST_NAME):
        write_atomically(root / MANIFEST_NAME, encode(manifest))
        old = before.schemas
        if isinstance(old, SchemaFile) and isinstance(entry, SchemaFile) and old.path != entry.path:
            (root / old.path).unlink(missing_ok=True)
    return open_capture(root)
