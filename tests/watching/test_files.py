"""A file in a directory triggers at its own time, once, and goes when the trigger is safely noted."""

from __future__ import annotations

import os
from pathlib import Path

from recorder.watching.files import Basket
from recorder.watching.triggers import Dropped
from tests.builders import T0
from tests.watching.stage import Office


def basket(root: Path, office: Office) -> Basket:
    return Basket(Dropped("handoff", root / "drop"), office.desk, office.told.append)


def drop(root: Path, name: str, at_ms: int) -> Path:
    path = root / "drop" / name
    path.write_text("")
    os.utime(path, ns=(at_ms * 1_000_000, at_ms * 1_000_000))
    return path


def test_files_trigger_at_the_time_they_were_written_and_go(tmp_path: Path) -> None:
    office = Office(tmp_path)
    one = basket(tmp_path, office)
    drop(tmp_path, "b", T0 - 5_000)
    drop(tmp_path, "a", T0 - 60_000)
    one.collect(T0)
    assert [pending.at_ms for pending in office.desk.pending] == [T0 - 60_000, T0 - 5_000]
    assert list((tmp_path / "drop").iterdir()) == []


def test_hidden_files_and_directories_stay(tmp_path: Path) -> None:
    office = Office(tmp_path)
    one = basket(tmp_path, office)
    drop(tmp_path, ".on-its-way", T0)
    (tmp_path / "drop" / "directory").mkdir()
    (tmp_path / "drop" / "link").symlink_to("/etc/passwd")
    one.collect(T0)
    assert office.desk.pending == ()
    assert len(list((tmp_path / "drop").iterdir())) == 3


def test_a_file_that_could_not_be_removed_triggers_once(tmp_path: Path) -> None:
    office = Office(tmp_path)
    drop_directory = basket(tmp_path, office)
    path = drop(tmp_path, "a", T0)
    drop_directory.collect(T0)
    drop(tmp_path, "a", T0)  # as after a crash before the removal
    basket(tmp_path, again := Office(tmp_path)).collect(T0)
    assert len(again.desk.pending) == 1
    assert not path.exists()


def test_a_file_stays_until_its_trigger_can_be_noted(tmp_path: Path) -> None:
    office = Office(tmp_path)
    one = basket(tmp_path, office)
    path = drop(tmp_path, "a", T0)
    blocker = office.settings.state / "state.json.tmp"
    blocker.mkdir()
    one.collect(T0)
    assert path.exists()
    assert office.desk.pending == ()
    blocker.rmdir()
    office.desk.watched([], lambda: _nothing(), T0 + 5_000)
    one.collect(T0 + 5_000)
    assert not path.exists()
    assert len(office.desk.pending) == 1


def test_a_directory_that_went_is_said_once(tmp_path: Path) -> None:
    office = Office(tmp_path)
    one = basket(tmp_path, office)
    (tmp_path / "drop").rmdir()
    one.collect(T0)
    one.collect(T0)
    assert office.told == [f"Can't take the files of {tmp_path / 'drop'}: No such file or directory."]


def _nothing():  # type: ignore[no-untyped-def]
    from recorder.watching.desk import Progress

    return Progress({}, {}, {}, {})
