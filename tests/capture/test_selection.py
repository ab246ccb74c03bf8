"""What a person types to mean some of a capture's records."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.capture.selection import last_moment, select_topics, typed_selection
from recorder.errors import UsageError
from recorder.window import Window
from tests.builders import T0, make_capture


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    records = [
        ("audit.events", 0, T0, "k", "v"),
        ("audit-events", 0, T0 + 60_000, "k", "v"),
        ("payments.dlq", 2, T0, "", "v"),
    ]
    return make_capture(tmp_path / "c", records)


def test_a_literal_name_is_not_a_regular_expression(capture: Capture) -> None:
    selection = typed_selection(capture.manifest, names=["audit.events"])
    assert {row.topic for row in capture.records(selection)} == {"audit.events"}


def test_a_pattern_matches_the_whole_name(capture: Capture) -> None:
    names = [topic.name for topic in select_topics(capture.manifest, [], ["audit.events"])]
    assert names == ["audit-events", "audit.events"]
    with pytest.raises(UsageError, match="No topic of this capture matches"):
        select_topics(capture.manifest, [], ["audit"])


def test_an_unknown_topic_names_those_that_are_near(capture: Capture) -> None:
    with pytest.raises(UsageError, match=r"no topic payment\.dlq .* did you mean payments\.dlq"):
        typed_selection(capture.manifest, names=["payment.dlq"])


def test_a_pattern_that_is_none_is_named(capture: Capture) -> None:
    with pytest.raises(UsageError, match=r"'\(' is not a regular expression"):
        typed_selection(capture.manifest, patterns=["("])


def test_a_partition_that_is_not_there_is_named(capture: Capture) -> None:
    assert typed_selection(capture.manifest, partitions=[2]).partitions == (2,)
    with pytest.raises(UsageError, match="no partition 2"):
        typed_selection(capture.manifest, names=["audit.events"], partitions=[2])
    with pytest.raises(UsageError, match=r"no partition -1 .* 0 to 2"):
        typed_selection(capture.manifest, partitions=[-1])


def test_an_empty_key_is_a_key(capture: Capture) -> None:
    assert [row.topic for row in capture.records(typed_selection(capture.manifest, keys=[""]))] == ["payments.dlq"]


def test_relative_times_count_from_the_last_record(capture: Capture) -> None:
    assert last_moment(capture.manifest) == T0 + 60_001
    selection = typed_selection(capture.manifest, from_text="-30s")
    assert selection.window == Window(T0 + 30_001, None)
    assert {row.topic for row in capture.records(selection)} == {"audit-events"}


def test_a_wild_time_is_not_the_last_moment(tmp_path: Path) -> None:
    records = [("t", 0, T0, "k", "v"), ("t", 0, T0 * 1_000_000, "k", "nanoseconds")]
    capture = make_capture(tmp_path / "c", records, created_at_ms=T0 + 5_000)
    assert last_moment(capture.manifest) == T0 + 5_000
    bounded = make_capture(tmp_path / "d", records, window=Window(T0 - 1, T0 + 100))
    assert last_moment(bounded.manifest) == T0 + 100


def test_a_reversed_window_is_refused(capture: Capture) -> None:
    with pytest.raises(UsageError, match="ends before it starts"):
        typed_selection(capture.manifest, from_text="-10s", to_text="-20s")
