"""Several captures on one timeline: what continues, what is kept apart, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.capture.schema import Record
from recorder.errors import UsageError
from recorder.replaying.clusters import check_captures
from recorder.replaying.gathering import gather, together
from recorder.replaying.options import Options
from recorder.replaying.routes import plan_routes
from recorder.replaying.typed import parse_remap
from tests.builders import T0, make_capture, record
from tests.replaying.reading import opened, take_all, values


def orders(first: int, stop: int, *, topic: str = "orders", partition: int = 0) -> list[Record]:
    return [
        record(topic, partition, T0 + 10 * at, f"k{at % 5}", f"{topic}{partition}-{at}", offset=at)
        for at in range(first, stop)
    ]


def capture(tmp_path: Path, name: str, rows: list[Record], *, cluster_id: str | None = "one") -> Capture:
    return make_capture(tmp_path / name, rows, clean=True, cluster_id=cluster_id)


def test_captures_of_different_topics_are_merged_by_time(tmp_path: Path) -> None:
    a = capture(tmp_path, "a", orders(0, 50))
    b = capture(tmp_path, "b", orders(0, 50, topic="payments"), cluster_id="two")
    with opened([a, b]) as timeline:
        found = values(take_all(timeline))
    assert found == [f"{topic}0-{at}".encode() for at in range(50) for topic in ("orders", "payments")]


def test_adjoining_captures_of_a_topic_continue_each_other_however_they_are_given(tmp_path: Path) -> None:
    parts = [
        capture(tmp_path, name, orders(first, stop))
        for name, first, stop in (("c", 60, 90), ("a", 0, 30), ("b", 30, 60))
    ]
    assert len(gather(parts)) == 1
    with opened(parts) as timeline:
        pieces = take_all(timeline)
    assert values(pieces) == [f"orders0-{at}".encode() for at in range(90)]
    assert {lane for piece in pieces for lane in piece.lanes.tolist()} == {0}


def test_overlapping_captures_are_refused_with_a_way_out(tmp_path: Path) -> None:
    parts = [capture(tmp_path, "a", orders(0, 40)), capture(tmp_path, "b", orders(30, 60))]
    with pytest.raises(UsageError, match=r"they overlap: partition 0 has offset 30 .*-m a/orders:=.*blackbox merge"):
        plan_routes(parts, Options())


def test_topics_of_different_clusters_are_kept_apart_by_the_names_of_their_captures(tmp_path: Path) -> None:
    parts = [
        capture(tmp_path, "eu", orders(0, 20), cluster_id="eu"),
        capture(tmp_path, "us", orders(0, 20), cluster_id="us"),
    ]
    with pytest.raises(UsageError, match="they come from different clusters"):
        plan_routes(parts, Options())
    options = Options(remap=parse_remap(["us/orders:=orders.us"]))
    with pytest.raises(UsageError, match="no topic us/order"):
        plan_routes(parts, Options(remap=parse_remap(["us/order:=x"])))
    routes = plan_routes(parts, options)
    assert routes.target_of == {"eu/orders": "orders", "us/orders": "orders.us"}
    with opened(parts, options) as timeline:
        sent = [topic for piece in take_all(timeline) for topic in piece.columns.topics]
    assert sent == ["orders", "orders.us"] * 20


def test_different_topics_may_become_one_when_each_is_mapped_by_its_own_name(tmp_path: Path) -> None:
    parts = [
        capture(tmp_path, "eu", orders(0, 20), cluster_id="eu"),
        capture(tmp_path, "us", orders(0, 20), cluster_id="us"),
    ]
    remap = parse_remap(["us/orders:=orders", "eu/orders:=orders"])
    assert plan_routes(parts, Options(remap=remap)).partitions == {"orders": 1}
    with pytest.raises(UsageError, match="different clusters"):
        plan_routes(parts, Options(remap=parse_remap(["orders:=all"])))


def test_captures_of_nobody_knows_which_cluster_do_not_continue(tmp_path: Path) -> None:
    parts = [capture(tmp_path, name, orders(at, at + 5), cluster_id=None) for name, at in (("a", 0), ("b", 5))]
    with pytest.raises(UsageError, match="different clusters"):
        plan_routes(parts, Options())


def test_captures_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    parts = [
        make_capture(tmp_path / cluster / "incident", orders(0, 5), clean=True, cluster_id=cluster)
        for cluster in ("eu", "us")
    ]
    assert [one.topic.name for one in gather(parts)] == ["incident/orders", "incident-2/orders"]


def test_partitions_that_only_one_of_them_has_are_there(tmp_path: Path) -> None:
    parts = [
        capture(tmp_path, "a", orders(0, 5)),
        capture(tmp_path, "b", [*orders(5, 10), *orders(0, 5, partition=3)]),
    ]
    assert plan_routes(parts, Options()).partitions == {"orders": 4}
    assert [partition.records for partition in together(parts).topic("orders").partitions] == [10, 0, 0, 5]


def test_every_capture_is_checked_and_named(tmp_path: Path) -> None:
    parts = [
        capture(tmp_path, "a", orders(0, 5)),
        make_capture(tmp_path / "b", orders(0, 5, topic="p"), cluster_id="target"),
    ]
    found = list(check_captures(parts, "target", Options()))
    assert [finding.what.split(":")[0] for finding in found if finding.refusal] == ["b", "b"]
