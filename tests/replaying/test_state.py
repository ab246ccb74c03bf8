"""The file that an unfinished replay leaves: whole at any moment, held by one process, and of one replay only."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from recorder.capture.selection import Selection
from recorder.errors import UsageError
from recorder.payloads.choices import parse_choices
from recorder.query.looking import LookingCondition
from recorder.replaying.coverage import Coverage, Covered, gone_on
from recorder.replaying.options import Options
from recorder.replaying.options import Point as Moment
from recorder.replaying.state import Point, State, StateFile, binding_options, decode_state, differing

POINT = Point(lap=0, number=0, offsets=(0,), acked=(0,))
STATE = State(
    replay_id="r",
    captures=("c",),
    options={},
    target_cluster_id="t",
    target_topics={"orders": None},
    places=(("orders", 0),),
    topics=("orders",),
    base=POINT,
    point=POINT,
)


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    with StateFile(path) as file:
        file.begin(STATE)
        later = msgspec.structs.replace(STATE, point=msgspec.structs.replace(POINT, number=7))
        file.write(later)
    with StateFile(path) as file:
        assert file.read() == later
        file.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_replay_that_runs_holds_its_state(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    with StateFile(path) as running:
        running.begin(STATE)
        running.write(STATE)
        with StateFile(path) as second, pytest.raises(UsageError, match="belongs to a replay that runs"):
            second.read()
    with StateFile(path) as second:
        assert second.read() == STATE


def test_no_state_is_a_sentence(tmp_path: Path) -> None:
    with StateFile(tmp_path / "none") as file, pytest.raises(UsageError, match=r"There is no .*none to resume from"):
        file.read()
    (tmp_path / "other").write_text('{"state_version": 99}')
    with pytest.raises(UsageError, match="newer version"):
        decode_state(tmp_path / "other")
    (tmp_path / "other").write_text("{")
    with pytest.raises(UsageError, match="not the state of a replay"):
        decode_state(tmp_path / "other")


def test_options_that_say_what_is_sent_are_bound_and_others_are_free() -> None:
    before = binding_options(Options(sample=0.5, rate=3.0, selection=Selection(topics=("a",))))
    assert (
        differing(before, binding_options(Options(sample=0.5, top_speed=True, selection=Selection(topics=("a",)))))
        == []
    )
    now = binding_options(Options(sample=0.25, duration_ms=5, start=Moment(3), excludes=["x"]))
    assert differing(before, now) == ["the selection", "--exclude", "--start", "--duration", "--sample"]


def test_a_condition_that_reads_payloads_otherwise_is_another_one() -> None:
    one, same = (binding_options(Options(where=LookingCondition("key = 'a'"))) for _ in range(2))
    other = binding_options(Options(where=LookingCondition("key = 'a'", parse_choices(values=["orders=text"]))))
    assert differing(one, same) == []
    assert differing(one, other) == ["--where"]


def test_a_coverage_goes_on_over_passes() -> None:
    coverage = gone_on(Covered(spans=((0, 10),)), since=(0, 30), to=(2, 5), first=0, records=40)
    assert (coverage.skipped, coverage.repeated, coverage.covered) == (20, 0, 20 + 40 + 5)
    assert Coverage(coverage.known).known == coverage.known
