"""Where windows start and end, as typed: for all topics, for one, for one partition."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.errors import UsageError
from recorder.recording.edges import Edge, check_named, check_order, parse_edges
from recorder.recording.request import Request
from recorder.window import Window, format_time
from tests.builders import T0


def test_the_nearest_edge_counts() -> None:
    edges = parse_edges(["-15m", "audit=beginning", "audit/3=offset:1200"], "--from", None, now_ms=T0)
    assert edges.at(("orders", 0)) == Edge(time_ms=T0 - 900_000)
    assert edges.at(("audit", 0)) == Edge()
    assert edges.at(("audit", 3)) == Edge(offset=1200)


@settings(deadline=None)
@given(
    topic=st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True),
    partition=st.none() | st.integers(0, 10**6),
    edge=st.builds(Edge, time_ms=st.integers(10**11, 10**14)) | st.builds(Edge, offset=st.integers(0, 2**63 - 1)),
)
def test_what_is_typed_is_understood(topic: str, partition: int | None, edge: Edge) -> None:
    where = topic if partition is None else f"{topic}/{partition}"
    what = f"offset:{edge.offset}" if edge.offset is not None else format_time(edge.time_ms or 0)
    edges = parse_edges([f"{where}={what}"], "--to", None)
    assert edges.at((topic, partition or 0)) == edge
    assert edges.default is None


@pytest.mark.parametrize(
    ("starts", "ends", "says"),
    [
        (["audit=-1h"], [], "--from says nothing of orders"),
        (["-1h", "other=-2h"], [], "--from names other, which is not among the topics"),
        (["-1h", "audit/7=-2h"], [], "--from names audit/7, but there are only 2"),
        (["-1h"], ["audit/2=now"], "--to names audit/2"),
    ],
)
def test_edges_must_be_of_what_is_recorded(starts: list[str], ends: list[str], says: str) -> None:
    from_, to = Request.typed(starts, ends, tz=None, names=["x"]).edges()
    with pytest.raises(UsageError, match=says):
        for edges, option in ((from_, "--from"), (to, "--to")):
            check_named(edges, option, {"orders": [0], "audit": [0, 1]})


def test_a_window_by_offsets_must_not_be_empty_or_reversed() -> None:
    check_order(("t", 0), Edge(offset=5), Edge(offset=6))
    check_order(("t", 0), Edge(offset=5), Edge(time_ms=1))
    for end, says in ((5, "is empty"), (4, "ends before it starts")):
        with pytest.raises(UsageError, match=f"offset 5 to offset {end} of t/0 {says}"):
            check_order(("t", 0), Edge(offset=5), Edge(offset=end))


def test_the_default_end_is_the_end_and_the_window_is_that_of_the_defaults() -> None:
    request = Request.typed(["offset:7", "a=2026-11-03T14:02Z"], ["a=2026-11-03T14:09Z"], tz=None, names=["a", "b"])
    assert request.window == Window(None, None)
    assert [edges.at(("b", 0)) for edges in request.edges()] == [Edge(offset=7), Edge()]
    assert (request.from_text, request.to_text) == ("offset:7, a=2026-11-03T14:02Z", "a=2026-11-03T14:09Z")
