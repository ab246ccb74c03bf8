"""Fetching the schemas that records name while the recording goes on, so that its end waits for no registry."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from recorder.capture.manifest import Note, SchemaFile
from recorder.payloads.registry import Fetched, Registry
from recorder.payloads.snapshot import notes_of, some, write_schemas
from recorder.payloads.used import Uses

_LOOK_SECONDS = 0.5
AT_MOST_SECONDS = 60.0
"""For all that is still to be asked when the last record was read."""
_OVER = "the recording ended before the registry had answered."


class SchemaKeeper:
    """Asks `registry` for each schema once, in a thread, as `uses` grows. A context manager around the reading."""

    def __init__(self, registry: Registry, uses: Uses) -> None:
        self._registry, self.uses = registry, uses
        self._fetched = Fetched()
        self._over = threading.Event()
        self._until = float("inf")
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

        Waits for the registry's answers, at most `within_seconds` (None: `AT_MOST_SECONDS`). Schemas that it did not
        give are named in the file's entry, and with the reason in notes of loss.
        """
        seconds = AT_MOST_SECONDS if within_seconds is None else within_seconds
        self._until = time.monotonic() + 0.8 * seconds  # the last question takes its time too
        self._over.set()
        self._thread.join(seconds)
        fetched = self._fetched
        known = {key for schema in fetched.schemas for key in (schema.id, schema.guid)}
        wanted = self.uses.keys()
        unresolved = wanted - known - set(fetched.unknown)
        notes = list(
            notes_of(directory, {key: fetched.unresolved.get(key, _OVER) for key in sorted(unresolved, key=str)})
        )
        if unknown := wanted.intersection(fetched.unknown):
            text = f"records seem to name schemas that the registry does not have: {some(unknown)}"
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
        if not self._over.is_set():  # what was not given is asked for once more, at the end
            wanted -= before.unresolved.keys()
        if not wanted:
            return
        found = self._registry.fetch(
            wanted, have=before.schemas, named_by=self.uses.topics_of, too_slow=lambda: time.monotonic() > self._until
        )
        unresolved = {**before.unresolved, **found.unresolved}
        self._fetched = Fetched(found.schemas, (*before.unknown, *found.unknown), unresolved)
