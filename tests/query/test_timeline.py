"""The timeline's order is the capture's, and any slice of it can be had directly."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recorder.query.timeline import Place, read_timeline
from tests.builders import T0, make_capture
from tests.conftest import examples

# Few distinct times, some wild: ties and disorder everywhere.
TIMES = st.one_of(st.integers(0, 5).map(lambda i: T0 + i), st.sampled_from([-1, 0, 2**62, T0 * 1000]))
RECORDS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 1), TIMES), max_size=40)


@given(RECORDS, st.integers(-2, 45), st.integers(0, 45))
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_slice_is_that_of_the_merged_timeline(
    tmp_path_factory: pytest.TempPathFactory, given_records: list[tuple[str, int, int]], start: int, count: int
) -> None:
    capture = make_capture(
        tmp_path_factory.mktemp("timeline") / "c",
        [(*record, None, None) for record in given_records],
        segment_records=4,
    )
    timeline = read_timeline(capture)
    expected = [(record.topic, record.partition, record.offset) for record in capture.records()]

    def named(place: Place) -> tuple[str, int, int]:
        stream = timeline.streams[place.stream]
        return stream.topic, stream.partition, place.offset

    everything = timeline.places(0, len(timeline))
    assert [named(place) for place in everything] == expected
    assert [named(place) for place in timeline.places(start, count)] == expected[max(0, start) : max(0, start + count)]
    assert [timeline.position_of(place) for place in everything] == list(range(len(expected)))


def test_positions_by_time(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("a", 0, T0 + i * 10, None, None) for i in range(10)])
    timeline = read_timeline(capture)
    assert [timeline.position_at(T0 + t) for t in (-5, 0, 1, 90, 91)] == [0, 0, 1, 9, 10]
    assert timeline.span == (T0, T0 + 90)
    assert timeline.counts([T0, T0 + 25, T0 + 50, T0 + 91]) == [3, 2, 5]


def test_a_filter_keeps_places_comparable(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [(topic, 0, T0 + i, None, None) for i in range(5) for topic in ("a", "b")])
    timeline = read_timeline(capture)
    only_b = timeline.only(lambda stream: stream.topic == "b")
    assert len(only_b) == 5
    third_b = only_b.places(2, 1)[0]
    assert timeline.position_of(third_b) == 5
    dropped = timeline.places(4, 1)[0]  # the third "a"
    assert only_b.position_of(dropped) == 2


def test_nothing_has_no_places(tmp_path: Path) -> None:
    timeline = read_timeline(make_capture(tmp_path / "c", topics={"a": 2}))
    assert (len(timeline), timeline.span, timeline.places(0, 10), timeline.position_at(T0)) == (0, None, [], 0)
