"""Fetching the schemas that records name while the recording goes on, so that its end waits for no registry."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from recorder.capture.manifest import Note, SchemaFile
from recorder.payloads.registry import Fetched, Registry
from recorder.payloads.snapshot import UNRESOLVED_NOTE, write_schemas
from recorder.payloads.used import Key, Uses

_LOOK_SECONDS = 0.5
_NAMED = 10
_INTERRUPTED = "the recording was interrupted before the registry had answered."


class SchemaKeeper:
    """Asks `registry` for each schema once, in a thread, as `uses` grows. A context manager around the reading."""

    def __init__(self, registry: Registry, uses: Uses) -> None:
        self._registry, self.uses = registry, uses
        self._fetched = Fetched()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schemas", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def finish(
        self, directory: Path, *, within_seconds: float | None
    ) -> tuple[SchemaFile | msgspec.UnsetType, list[Note]]:
        """Write what was found beside the records; call it after all records were seen.

        Waits for the registry's answers, at most `within_seconds`. Schemas that it could not be asked for are named
        in the file's entry and in a note of loss.
        """
        self._over.set()
        self._thread.join(within_seconds)
        fetched = self._fetched
        known = {key for schema in fetched.schemas for key in (schema.id, schema.guid)}
        wanted = self.uses.keys()
        unresolved = wanted - known - set(fetched.unknown)
        notes = []
        if unresolved:
            why = fetched.why or _INTERRUPTED
            notes.append(
                Note(level="loss", text=f"{UNRESOLVED_NOTE} ({_some(unresolved)}): {why} Fetch them later: "
                     f"blackbox schemas {directory} --fetch --schema-registry URL")
            )  # fmt: skip
        if unknown := wanted.intersection(fetched.unknown):
            text = f"records seem to name schemas that the registry does not have: {_some(unknown)}"
            notes.append(Note(level="warning", text=text))
        return write_schemas(directory, fetched.schemas, unresolved), notes

    def _run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._fetch()
        self._fetch()

    def _fetch(self) -> None:
        before = self._fetched
        asked = {key for schema in before.schemas for key in (schema.id, schema.guid)}.union(before.unknown)
        wanted = self.uses.keys() - asked
        # One that is down is asked again at the end, not twice a second.
        if not wanted or (before.why and not self._over.is_set()):
            return
        found = self._registry.fetch(wanted, have=before.schemas, named_by=self.uses.topics_of)
        unknown = (*before.unknown, *found.unknown)
        self._fetched = Fetched(found.schemas or before.schemas, unknown, found.unresolved, found.why)


def _some(keys: set[Key]) -> str:
    shown = sorted(map(str, keys), key=lambda text: (len(text), text))
    return "id " + ", ".join(shown[:_NAMED]) + (f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else "")
