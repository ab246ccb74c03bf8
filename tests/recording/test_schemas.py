"""Schemas come beside the records; what a registry does not give is named by reason and waits for nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.capture.manifest import SchemaFile
from recorder.payloads import registry as registries
from recorder.payloads.registry import connect_registry
from recorder.payloads.used import Uses
from recorder.recording import schemas
from recorder.recording.schemas import SchemaKeeper
from tests.builders import record, to_batch
from tests.odd_registry import OddRegistry, odd_registry, said, schema


@pytest.fixture
def odd() -> Iterator[OddRegistry]:
    """It has schema 1, refuses 2 and breaks at 3."""
    answers = {"/schemas/ids/1": schema('"string"')}
    answers |= {f"/schemas/ids/{id}": said(code, {"message": "no"}) for id, code in ((2, 403), (3, 500))}
    with odd_registry(answers) as running:
        yield running


def keeper(odd: OddRegistry, *ids: int) -> SchemaKeeper:
    registry = connect_registry(odd.url)
    assert registry is not None
    uses = Uses()
    uses.saw("t", to_batch([record("t", value=bytes((0, 0, 0, 0, id)) + b"x", offset=id) for id in ids]))
    return SchemaKeeper(registry, uses)


def test_what_is_missing_is_noted_by_reason(odd: OddRegistry, tmp_path: Path) -> None:
    with keeper(odd, 1, 2, 3, 4) as keeping:
        entry, notes = keeping.finish(tmp_path, within_seconds=None)
    assert isinstance(entry, SchemaFile)
    assert (entry.schemas, entry.unresolved) == (1, (2, 3))
    fetch = f"Fetch them later: blackbox schemas {tmp_path} --fetch --schema-registry URL"
    place = f"The schema registry {odd.url}"
    assert [(note.level, note.text) for note in notes] == [
        ("loss", f"schemas are missing (id 2): {place} answers 403 for schema 2. Check the credentials "
         f"(basic.auth.user.info, bearer.auth.token). {fetch}"),
        ("loss", f"schemas are missing (id 3): {place} answers 500 for schema 3. {fetch}"),
        ("warning", "records seem to name schemas that the registry does not have: id 4"),
    ]  # fmt: skip


def test_one_that_is_well_again_at_the_end_is_asked_again(odd: OddRegistry, tmp_path: Path) -> None:
    with keeper(odd, 2) as keeping:
        odd.answers["/schemas/ids/2"] = schema('"long"')
        entry, notes = keeping.finish(tmp_path, within_seconds=None)
    assert isinstance(entry, SchemaFile)
    assert (entry.schemas, entry.unresolved, notes) == (1, (), [])


@pytest.mark.parametrize("interrupted", [False, True])
def test_one_that_hangs_does_not_hold_up_the_end(
    odd: OddRegistry, interrupted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "ANSWER_SECONDS", 60 if interrupted else 0.3)
    monkeypatch.setattr(schemas, "AT_MOST_SECONDS", 60)
    odd.answers["/schemas/ids/2"] = lambda request: (odd.over.wait(60), None)[1]
    begun = time.monotonic()
    with keeper(odd, 1, 2) as keeping:
        entry, (note,) = keeping.finish(tmp_path, within_seconds=0.3 if interrupted else None)
    assert time.monotonic() - begun < 40
    assert isinstance(entry, SchemaFile)
    assert 2 in entry.unresolved
    assert ("before the registry had answered" if interrupted else "no answer in time") in note.text
