"""Triggers become captures of their own: named, counted, noted before the answer, taken when their time is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import CaptureError, RefusedError, UsageError
from recorder.watching.desk import GIVE_UP_MS, Moment, Progress
from tests.builders import T0
from tests.watching.stage import Office

DAY_MS = 86_400_000
NOTHING = Progress({}, {}, {}, {})


def test_a_trigger_names_its_window_and_its_capture(tmp_path: Path) -> None:
    taken = Office(tmp_path).desk.call("oncall", "command", T0)
    assert (taken.from_ms, taken.to_ms) == (T0 - 900_000, T0 + 120_000)
    assert taken.capture == "oncall-20261103T140200.000Z"


def test_overlapping_triggers_give_captures_of_their_own(tmp_path: Path) -> None:
    desk = Office(tmp_path).desk
    taken = [desk.call("oncall", "command", at) for at in (T0, T0 + 1, T0 + 1)]
    assert [one.capture for one in taken] == [
        "oncall-20261103T140200.000Z",
        "oncall-20261103T140200.001Z",
        "oncall-20261103T140200.001Z-2",
    ]


def test_a_name_that_a_capture_on_disk_has_is_not_given_again(tmp_path: Path) -> None:
    office = Office(tmp_path)
    (office.settings.out / "oncall-20261103T140200.000Z").mkdir()
    assert office.desk.call("oncall", "command", T0).capture == "oncall-20261103T140200.000Z-2"


def test_a_capture_is_due_when_its_window_has_settled(tmp_path: Path) -> None:
    desk = Office(tmp_path).desk
    taken = desk.call("oncall", "command", T0)
    assert desk.due(T0 + 124_999) is None
    assert desk.due(T0 + 125_000) == taken
    desk.done(taken, T0 + 126_000)
    assert desk.due(T0 + DAY_MS) is None


def test_what_waits_survives_a_restart(tmp_path: Path) -> None:
    taken = Office(tmp_path).desk.call("oncall", "http", T0)
    again = Office(tmp_path)
    assert again.desk.pending == (taken,)
    assert again.figures.pending == 1
    again.desk.done(taken, T0)
    assert Office(tmp_path).desk.pending == ()


def test_beyond_the_daily_cap_a_trigger_is_refused_until_the_next_day(tmp_path: Path) -> None:
    office = Office(tmp_path, daily_cap=2)
    for at in (T0, T0 + 1):
        office.desk.call("oncall", "command", at)
    with pytest.raises(RefusedError, match="the 2 captures of 2026-11-03"):
        office.desk.call("oncall", "command", T0 + 2)
    with pytest.raises(RefusedError):  # a restart is no way round it
        Office(tmp_path, daily_cap=2).desk.call("oncall", "command", T0 + 3)
    office.desk.call("oncall", "command", T0 + DAY_MS)
    totals = {name: office.figures.total(f"triggers_{name}") for name in ("seen", "taken", "capped", "lost")}
    assert totals == {"seen": 4, "taken": 3, "capped": 1, "lost": 0}


def test_a_name_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No trigger 'onkall' can be called by command: oncall can"):
        Office(tmp_path).desk.call("onkall", "command", T0)


def test_a_file_never_triggers_twice(tmp_path: Path) -> None:
    moment = Moment("oncall", T0, origin="/drop/now@1")
    assert Office(tmp_path).desk.take(moment, T0) is not None
    again = Office(tmp_path).desk
    assert again.take(moment, T0) is None
    assert len(again.pending) == 1


def test_what_conditions_found_is_noted_at_once_with_how_far_they_came(tmp_path: Path) -> None:
    office = Office(tmp_path)
    progress = Progress({"orders": {0: 17}}, {"orders": "id"}, {"dlq": [T0]}, {"dlq": [T0 - 1, T0]})
    office.desk.watched([Moment("dlq", T0), Moment("dlq", T0 + 5)], lambda: progress, T0)
    state = Office(tmp_path).state
    assert [one.at_ms for one in state.pending] == [T0, T0 + 5]
    assert (state.places, state.topic_ids, state.fired, state.times) == (
        progress.places, progress.topic_ids, progress.fired, progress.times,
    )  # fmt: skip


def test_without_finds_the_place_is_noted_every_few_seconds(tmp_path: Path) -> None:
    desk = Office(tmp_path).desk
    asked = []

    def progress() -> Progress:
        asked.append(second)
        return NOTHING

    for second in range(12):
        desk.watched([], progress, T0 + second * 1_000)
    assert asked == [0, 5, 10]


def test_a_capture_that_fails_is_tried_again_later_and_later_and_given_up_after_a_day(tmp_path: Path) -> None:
    office = Office(tmp_path)
    taken = office.desk.call("oncall", "command", T0)
    now, waits = taken.to_ms + 5_000, []
    while one := office.desk.due(now):
        office.desk.failed(one, "No broker.", now)
        if not office.desk.pending:
            break
        waits.append(office.desk.pending[0].not_before_ms - now)
        assert office.desk.due(now + waits[-1] - 1) is None
        now += waits[-1]
    assert waits[:8] == [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]
    assert now - taken.to_ms > GIVE_UP_MS
    assert office.desk.lost == [f"{taken.capture} is lost: for a day it could not be taken: No broker."]
    assert office.figures.total("triggers_lost") == 1


def test_a_trigger_that_can_not_be_noted_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    office = Office(tmp_path)
    _make_unwritable(office)
    with pytest.raises(CaptureError, match="Can't write"):
        office.desk.take(Moment("oncall", T0, origin="x"), T0)
    assert office.desk.pending == ()
    assert office.desk.unsaved
    _make_writable(office)
    assert office.desk.take(Moment("oncall", T0, origin="x"), T0) is not None
    assert not office.desk.unsaved


def test_what_conditions_found_is_kept_in_memory_while_it_can_not_be_noted(tmp_path: Path) -> None:
    office = Office(tmp_path)
    _make_unwritable(office)
    office.desk.watched([Moment("dlq", T0)], lambda: NOTHING, T0)
    assert len(office.desk.pending) == 1
    assert office.figures.sickness() == [office.figures.unsaved]
    _make_writable(office)
    office.desk.watched([], lambda: NOTHING, T0 + 5_000)
    assert len(Office(tmp_path).desk.pending) == 1
    assert office.figures.sickness() == []


def test_in_the_end_what_can_not_be_noted_is_named_as_lost(tmp_path: Path) -> None:
    office = Office(tmp_path)
    _make_unwritable(office)
    office.desk.watched([Moment("dlq", T0)], lambda: NOTHING, T0)
    office.desk.close(NOTHING, T0)
    assert office.desk.pending == ()
    (sentence,) = office.desk.lost
    assert sentence.startswith("dlq-20261103T140200.000Z is lost: it was not taken before the end")


def _make_unwritable(office: Office) -> None:
    """Root may write anywhere, so permissions are no way: a directory stands where the file should go."""
    (office.settings.state / "state.json.tmp").mkdir()


def _make_writable(office: Office) -> None:
    (office.settings.state / "state.json.tmp").rmdir()
