"""The state before the window as topics of a replay: whose state it is, and what the plan is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.capture.selection import Selection
from recorder.errors import UsageError
from recorder.payloads.naming import Counts
from recorder.replaying.dead_letters import dead_letters
from recorder.replaying.options import Options
from recorder.replaying.prologue import check_prologue, held, prologue_routes, state_before, with_state
from recorder.replaying.routes import plan_routes
from recorder.replaying.survey import survey
from recorder.window import Window
from tests.builders import T0, make_capture, record

DAY = 86_400_000


def capture(root: Path, first: int, *, cluster_id: str | None = "test-cluster") -> Capture:
    """Changes from offset `first` on, behind a state of two keys."""
    state = [record("people", 1, T0 - DAY, f"s{n}", b"\0\0\0\0\x07state", offset=first - 2 + n) for n in range(2)]
    rows = [record("people", 1, T0 + n, "k", "v", offset=first + n) for n in range(5)]
    window = Window(T0, None)
    return make_capture(root, [*rows, ("other", 0, T0, "k", "v")], prologue=state, window=window, cluster_id=cluster_id)


def test_of_captures_that_continue_each_other_only_the_first_ones_state_lies_before(tmp_path: Path) -> None:
    first, second = capture(tmp_path / "a", 10), capture(tmp_path / "b", 20)
    routes = plan_routes([second, first], Options(selection=Selection(topics=("people",))))
    before = prologue_routes(routes)
    assert [topic.name for topic in before.topics] == [topic.name for topic in routes.topics]
    (part,) = before.gathered[0].parts(1)
    assert (part.capture.root, part.partition.segments[0].first_offset) == (first.root, 8)
    assert held(routes, Options()) == 2


def test_topics_that_are_kept_apart_keep_their_own_states(tmp_path: Path) -> None:
    captures = [capture(tmp_path / name, 10, cluster_id=name) for name in ("a", "b")]
    options = Options(
        selection=Selection(topics=("people",)), remap={"a/people": "people.a", "b/people": "people.b"}, prologue=True
    )
    routes = plan_routes(captures, options)
    assert held(routes, options) == 4
    found = state_before(routes, options, start_ms=T0 + DAY, schemas=None).survey
    assert [topic.records for topic in found.topics.values()] == [2, 2]


def test_its_schemas_sizes_and_ages_are_known_before(tmp_path: Path) -> None:
    options, counts = Options(prologue=True, selection=Selection(window=Window(T0, T0 + 3))), Counts()
    routes = plan_routes([capture(tmp_path / "a", 10)], options)
    played = survey(routes, options, start_ms=T0 + DAY)
    before = state_before(routes, options, start_ms=T0 + DAY, schemas=counts)
    people = next(number for number, topic in enumerate(routes.topics) if topic.name == "people")
    assert dict(counts.records) == {(people, "value", 7): 2}
    both = with_state(played, before, options)
    assert (both.topics["people"].records, played.topics["people"].records) == (5, 3)
    assert both.topics["people"].behind_ms == 2 * DAY
    assert both.topics["people"].largest == before.survey.topics["people"].largest > played.topics["people"].largest
    assert with_state(played, None, options) is played


@pytest.mark.parametrize(
    ("records", "options", "said"),
    [
        (2, Options(), ["are not sent"]),
        (0, Options(), []),
        (2, Options(prologue=True), []),
        (0, Options(prologue=True), ["sends nothing"]),
        (2, Options(prologue=True, start_offsets={("people", 1): 12}), ["begins later"]),
        (2, Options(dead_letters=dead_letters(None, (), 3)), []),
    ],
)
def test_what_is_not_as_it_should_be_is_said(records: int, options: Options, said: list[str]) -> None:
    found = [finding.what for finding in check_prologue(records, options)]
    assert len(found) == len(said)
    assert all(words in what for words, what in zip(said, found, strict=True))


def test_dead_letters_have_no_state_before_them() -> None:
    with pytest.raises(UsageError, match="leave out --prologue"):
        Options(prologue=True, dead_letters=dead_letters(None, (), 3))
