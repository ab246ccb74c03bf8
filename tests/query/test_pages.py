"""Pages, whole records and searches over the timeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.payloads.formats import Formats
from recorder.query import Session
from recorder.query.pages import PREVIEW_BYTES, Filter, read_record, read_rows, search
from recorder.query.timeline import Timeline, read_timeline
from tests.builders import T0, make_capture, record

RECORDS = [
    record("orders", 0, T0, "k-1", {"name": "Ada"}, [("trace", "abc"), ("raw", b"\xff\x00x")]),
    record("orders", 1, T0 + 1, "K-2", {"name": "bob 100%"}),
    record("payments.dlq", 0, T0 + 2, "k-1", b"\xffbroken\x00", [("error", "parse"), ("error", None)]),
    record("orders", 0, T0 + 3, None, None),
    record("orders", 0, T0 + 4, b"", b"x" * 5_000),
    record("Orders", 0, T0 + 5, b"\x00\x01", "(.*"),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    capture = make_capture(tmp_path_factory.mktemp("pages") / "c", RECORDS, segment_records=1)
    with Session(capture) as opened:
        yield opened


@pytest.fixture(scope="module")
def timeline(session: Session) -> Timeline:
    return read_timeline(session.capture)


def test_a_page_has_previews_in_order(session: Session, timeline: Timeline) -> None:
    rows = read_rows(session, timeline, timeline.places(0, 10), Formats(session.capture))
    assert [(row.topic, row.partition, row.place.offset, row.timestamp_ms) for row in rows] == [
        ("orders", 0, 0, T0),
        ("orders", 1, 0, T0 + 1),
        ("payments.dlq", 0, 0, T0 + 2),
        ("orders", 0, 1, T0 + 3),
        ("orders", 0, 2, T0 + 4),
        ("Orders", 0, 0, T0 + 5),
    ]
    assert [row.key for row in rows] == [b"k-1", b"K-2", b"k-1", None, b"", b"\x00\x01"]
    assert rows[4].value == b"x" * PREVIEW_BYTES


def test_a_record_is_whole(session: Session, timeline: Timeline) -> None:
    whole = [read_record(session, timeline, place) for place in timeline.places(0, 10)]
    assert whole == list(session.capture.records())


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (Filter(), [0, 1, 2, 3, 4, 5]),
        (Filter(topics=frozenset({"orders"})), [0, 1, 3, 4]),
        (Filter(topics=frozenset({"orders"}), key=b"k-1"), [0]),
        (Filter(key=b"k-1"), [0, 2]),
        (Filter(key=b""), [4]),
        (Filter(key=b"\x00\x01"), [5]),
        (Filter(key_text="k-"), [0, 1, 2]),
        (Filter(key_text="K-"), [1]),
        (Filter(text="ada"), [0]),
        (Filter(text="ADA"), []),
        (Filter(text="100%"), [1]),
        (Filter(text="(.*"), [5]),
        (Filter(text="broken"), [2]),
        (Filter(text="trace"), [0]),
        (Filter(text="error"), [2]),
        (Filter(text="abc"), [0]),
        (Filter(text="2"), [1]),
        (Filter(text="k-2", key_text="k"), [1]),
        (Filter(text="'; --"), []),
    ],
)
def test_search_finds_what_holds_it(session: Session, timeline: Timeline, wanted: Filter, places: list[int]) -> None:
    everything = timeline.places(0, 10)
    told: list[int] = []
    found = search(session, timeline, wanted, told.append)
    assert found.places(0, 10) == [everything[place] for place in places]
    assert not told or told[-1] == len(places)


def test_filtered_pages_read_scattered_rows(tmp_path: Path) -> None:
    records = [("t", i % 3, T0 + i, f"k{i % 7}", f"v{i}") for i in range(500)]
    with Session(make_capture(tmp_path / "c", records, segment_records=20)) as session:
        timeline = read_timeline(session.capture)
        found = search(session, timeline, Filter(key=b"k3"))
        rows = read_rows(session, found, found.places(10, 20), Formats(session.capture))
        assert [row.value for row in rows] == [f"v{i}".encode() for i in range(500) if i % 7 == 3][10:30]
