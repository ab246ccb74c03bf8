"""Trap 18: each record goes to its recorded partition, to where Java's hash puts its key, or where a map says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.kafka.partitioner import java_hashes
from recorder.replaying.changes import Change
from recorder.replaying.options import Options
from recorder.replaying.partition_map import parse_partitions
from recorder.replaying.partitions import (
    MOVED,
    MOVED_BY_MAP,
    MOVED_WITHOUT_KEY,
    ODD,
    choose_partitions,
    mark_odd_keys,
    placements,
)
from recorder.replaying.rewriting import Transform, rewritten
from recorder.replaying.routes import plan_routes
from recorder.replaying.streams import Streams
from recorder.replaying.survey import survey
from recorder.replaying.timeline import Piece, Timeline
from tests.builders import T0, make_capture, record
from tests.replaying.reading import take_all
from tests.replaying.test_changes import counted

KEYS = [None if i % 5 == 0 else f"key-{i % 11}" for i in range(100)]


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """Keys where Java's hash puts them among three partitions; some records without one."""
    hashes = java_hashes(pa.array([key and key.encode() for key in KEYS], pa.binary()))
    places = np.where(hashes < 0, np.arange(len(KEYS)), hashes) % 3
    return make_capture(
        tmp_path / "c", [record("orders", int(at), T0 + i, KEYS[i], str(i)) for i, at in enumerate(places)]
    )


def placed(capture: Capture, present: int, options: Options | None = None) -> list[Piece]:
    options = options or Options()
    routes = plan_routes([capture], options)
    streams = Streams(routes, options)
    changes = choose_partitions(placements(routes, options, {"orders": present}), options, streams)
    seen = survey(routes, options, start_ms=T0, streams=streams)
    with Timeline(streams, routes.resized({"orders": present}), seen, changes=changes) as timeline:
        return take_all(timeline)


def rows(pieces: list[Piece]) -> list[tuple[int, bytes | None, int]]:
    """(recorded partition, key, target partition)"""
    return [
        (int(recorded), key, target)
        for piece in pieces
        for recorded, key, target in zip(
            piece.source_partitions, piece.columns.keys, piece.columns.partitions, strict=True
        )
    ]


def test_trap_18_as_many_partitions_keep_every_record_where_it_was(capture: Capture) -> None:
    pieces = placed(capture, 3)
    assert all(recorded == target for recorded, _, target in rows(pieces))
    assert all(piece.changed is None for piece in pieces)


@pytest.mark.parametrize("present", [1, 2, 5])
def test_trap_18_other_counts_go_by_javas_hash_and_null_keys_by_partition_modulo(
    capture: Capture, present: int
) -> None:
    pieces = placed(capture, present)
    found = rows(pieces)
    hashes = java_hashes(pa.array([key for _, key, _ in found], pa.binary())).tolist()
    assert [target for *_, target in found] == [
        (hashed if hashed >= 0 else recorded) % present for (recorded, _, _), hashed in zip(found, hashes, strict=True)
    ]
    assert [lane for piece in pieces for lane in piece.lanes.tolist()] == [target for *_, target in found]
    marked = counted(pieces).counts().marked
    assert marked.get(MOVED, 0) == sum(key is not None and a != b for a, key, b in found)
    assert marked.get(MOVED_WITHOUT_KEY, 0) == sum(key is None and a != b for a, key, b in found)
    assert ODD not in marked


def test_keys_that_no_java_hash_put_there_are_counted(tmp_path: Path) -> None:
    odd = make_capture(
        tmp_path / "c", [record("orders", 1, T0 + i, "same", None) for i in range(4)], topics={"orders": 2}
    )
    right = int(java_hashes(pa.array([b"same"]))[0]) % 2
    assert counted(placed(odd, 3)).counts().marked.get(ODD, 0) == (0 if right == 1 else 4)


def test_keys_that_change_on_the_way_are_judged_as_they_were_recorded(capture: Capture) -> None:
    """Other schema ids, for example, give every key another hash: nobody's producer put it wrong for that."""
    options = Options()
    routes = plan_routes([capture], options)
    streams = Streams(routes, options)
    placed = placements(routes, options, {"orders": 2})
    other = rewritten(Transform("t", lambda one: one._replace(key=b"new" + (one.key or b""))), "t")
    seen = survey(routes, options, start_ms=T0, streams=streams)

    def marked(changes: list[Change]) -> dict[str, int]:
        with Timeline(streams, routes.resized({"orders": 2}), seen, changes=changes) as timeline:
            return counted(take_all(timeline)).counts().marked

    fooled = marked([other, *choose_partitions(placed, options, streams)])
    judged = marked([
        *mark_odd_keys(placed, streams), other, *choose_partitions(placed, options, streams, keys_as_recorded=False)
    ])  # fmt: skip
    assert fooled.pop(ODD) > 0
    assert judged == fooled


def test_a_map_moves_whole_partitions_and_leaves_others(capture: Capture) -> None:
    pieces = placed(capture, 3, Options(partitions="map", partition_map={("orders", 0): 2}))
    assert {(recorded, target) for recorded, _, target in rows(pieces)} == {(0, 2), (1, 1), (2, 2)}
    moved = sum(recorded == 0 for recorded, _, _ in rows(pieces))
    assert counted(pieces).counts().marked == {MOVED_BY_MAP: moved}


@pytest.mark.parametrize(
    "text",
    [
        "# comment\norders/0 -> 2\n\n  orders/10->0  # last\n",
        "orders/0: 2\norders/10: 0\n",
        '{"orders/0": 2, "orders/10": 0}',
    ],
)
def test_maps_are_lines_yaml_or_json(tmp_path: Path, text: str) -> None:
    file = tmp_path / "map"
    file.write_text(text)
    assert parse_partitions(f"map:{file}") == ("map", {("orders", 0): 2, ("orders", 10): 0})
    assert parse_partitions("hash") == ("hash", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("orders/0 -> 1\norders/0 -> 2\n", "line 2: orders/0 stands in line 1 already"),
        ("orders -> 1\n", "line 1: 'orders -> 1' is not"),
        ("orders/0 -> 1\nx\n", "line 2: 'x' is not"),
        ("orders/0: 1\norders/0: 2\n", "'orders/0' stands twice"),
        ("orders/0: one\n", "line 1: 'orders/0: one' is not"),
        ("- a\n", "must be a mapping"),
        ("[\n", "not valid YAML"),
        ("# nothing\n", "maps nothing"),
    ],
)
def test_what_is_wrong_in_a_map_is_named_by_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "map"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        parse_partitions(f"map:{file}")


def test_rules_and_maps_that_fit_nothing_are_refused(capture: Capture, tmp_path: Path) -> None:
    for text in ("crc32", "map:", "map"):
        with pytest.raises(UsageError, match="is no rule"):
            parse_partitions(text)
    with pytest.raises(UsageError, match="can't read this map"):
        parse_partitions(f"map:{tmp_path / 'none'}")
    for place, said in ((("order", 0), "not among what is replayed"), (("orders", 9), "recorded without it")):
        with pytest.raises(UsageError, match=said):
            placed(capture, 3, Options(partitions="map", partition_map={place: 0}))
