"""Which records are played, and what places them in time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from recorder.capture.sampling import parse_fraction
from recorder.capture.schema import Record
from recorder.errors import UsageError
from recorder.payloads.choices import Choice, Choices
from recorder.query.looking import LookingCondition
from recorder.replaying.options import Options, Point
from recorder.replaying.schedule import NS_PER_MS, Schedule
from recorder.replaying.timeline import Piece
from recorder.replaying.typed import parse_point, parse_size, parse_start_offsets
from tests.builders import T0, make_capture, record
from tests.payloads.framed import FIRST, SECOND, capture_with, framed
from tests.replaying.reading import looked, opened, places, take_all, values

MINUTE = 60_000


def rows(count: int = 100, partitions: int = 2) -> list[Record]:
    return [record("a", at % partitions, T0 + 100 * at, f"k{at % 10}", {"n": at}) for at in range(count)]


def numbers(tmp_path: Path, options: Options, records: list[Record] | None = None) -> list[int]:
    with opened([make_capture(tmp_path / "c", records or rows())], options) as timeline:
        return [json.loads(value)["n"] for value in values(take_all(timeline)) if value]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(start=Point(3_000, relative=True)), range(30, 100)),
        (Options(start=Point(T0 + 3_050)), range(31, 100)),
        (Options(end=Point(2_000, relative=True)), range(20)),
        (Options(start=Point(T0 + 1_000), duration_ms=1_000), range(10, 20)),
        (Options(duration_ms=500), range(5)),
        (Options(start=Point(0, relative=True), end=Point(T0 + 10**9)), range(100)),
    ],
)
def test_a_part_of_the_timeline(tmp_path: Path, options: Options, expected: range) -> None:
    assert numbers(tmp_path, options) == list(expected)


def test_nothing_may_be_left(tmp_path: Path) -> None:
    assert numbers(tmp_path, Options(start=Point(10**6, relative=True))) == []


def test_the_start_is_position_0_and_gaps_before_it_do_not_count(tmp_path: Path) -> None:
    records = [record("a", 0, T0 + at, "k", {"n": at}) for at in (0, 50_000, 50_010, 90_000)]
    options = Options(start=Point(40_000, relative=True), max_gap_ms=1_000)
    capture = make_capture(tmp_path / "c", records)
    with opened([capture], options) as timeline:
        assert [place.position_ns // NS_PER_MS for place in places(take_all(timeline))] == [0, 10, 1_010]
    assert looked([capture], options).collapsed_gaps == 1


def test_by_sql_in_counts_and_in_what_is_sent(tmp_path: Path) -> None:
    options = Options(where=LookingCondition("(value_json->>'$.n')::int % 10 = 3"))
    assert numbers(tmp_path, options) == list(range(3, 100, 10))


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("value_json->>'$.price' = '3.00'", ["k3"]),
        ("try_cast(value_json->>'$.id' as int) >= 6 and topic = 'orders'", ["k6", "k7"]),
        ("value_json->>'$.id.long' = '8'", ["k8"]),
        ("value_reason = 'truncated'", ["k9"]),
        ("key = 'k5'", ["k5"]),
        ("(key_json->>'$')::bigint = 17", ["\0\0\0\0\0\0\0\x11"]),
    ],
)
def test_by_sql_on_payloads_of_every_format_as_a_cut_does(tmp_path: Path, where: str, kept: list[str]) -> None:
    rows = [record("orders", n % 2, T0 + n, f"k{n}", framed(FIRST, {"id": n, "price": Decimal(n)})) for n in range(8)]
    newer = {"id": 8, "placed": T0, "price": Decimal("9.50"), "lines": []}
    rows.append(record("orders", 0, T0 + 8, "k8", framed(SECOND, newer)))
    rows.append(record("orders", 0, T0 + 9, "k9", framed(FIRST, {"id": 9, "price": Decimal(9)})[:-1]))
    rows += [record("events", 0, T0 + n, n.to_bytes(8, "big"), {"n": n}) for n in range(10, 20)]
    capture = capture_with(tmp_path / "c", rows)
    choices = Choices(keys=(("events", Choice("long")),))
    with opened([capture], Options(where=LookingCondition(where, choices))) as timeline:
        assert keys(take_all(timeline)) == kept


def test_of_several_captures_each_is_read_with_its_own_schemas(tmp_path: Path) -> None:
    other = msgspec.structs.replace(SECOND, id=7)
    newer = {"id": 3, "placed": T0, "price": Decimal("9.50"), "lines": []}
    captures = [
        capture_with(tmp_path / "a", [record("a", 0, T0, "old", framed(FIRST, {"id": 3, "price": Decimal(3)}))]),
        capture_with(tmp_path / "b", [record("b", 0, T0 + 1, "new", framed(other, newer))], [other]),
    ]
    where = LookingCondition("coalesce(value_json->>'$.id.long', value_json->>'$.id') = '3'")
    with opened(captures, Options(where=where)) as timeline:
        assert keys(take_all(timeline)) == ["old", "new"]


def keys(pieces: Sequence[Piece]) -> list[str]:
    return [key.decode() for piece in pieces for key in piece.columns.keys if key]


def test_a_sample_keeps_whole_keys_and_is_the_same_every_time(tmp_path: Path) -> None:
    records = [record("a", at % 3, T0 + at, f"k{at % 200}", {"n": at}) for at in range(2_000)]
    options = Options(sample=parse_fraction("25%"))
    found = numbers(tmp_path, options, records)
    keys = {number % 200 for number in found}
    assert len(found) == 10 * len(keys)
    assert 30 <= len(keys) <= 70
    with opened([make_capture(tmp_path / "d", records)], options) as timeline:
        assert len(values(take_all(timeline))) == len(found)


def test_single_partitions_may_begin_later(tmp_path: Path) -> None:
    options = Options(start_offsets=parse_start_offsets(["a/1:40"]))
    assert numbers(tmp_path, options) == sorted([*range(0, 100, 2), *range(81, 100, 2)])
    with pytest.raises(UsageError, match="--start-offset names a/7"):
        opened([make_capture(tmp_path / "d", rows())], Options(start_offsets={("a", 7): 1})).__enter__()


def test_append_times_alone_place_records_when_asked_for(tmp_path: Path) -> None:
    stamped = [
        record("a", 0, T0 + 10 * at, "k", {"n": at}, timestamp_type="create" if at == 2 else "append")
        for at in (0, 1, 9, 2, 3)
    ]
    records = [stamped[0], stamped[1], stamped[3], stamped[4], stamped[2]]
    capture = make_capture(
        tmp_path / "c", [records[0], records[1], stamped[3]._replace(timestamp_ms=T0 + 80), *records[3:]]
    )
    options = Options(time_basis="append")
    with opened([capture], options) as timeline:
        assert [place.position_ns // NS_PER_MS for place in places(take_all(timeline))] == [0, 10, 10, 30, 90]
    assert looked([capture], options).wild == 1


def test_a_topic_without_append_times_is_refused_for_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Topic a holds no append times"):
        looked([make_capture(tmp_path / "c", rows())], Options(time_basis="append"))


def test_by_offset_times_do_not_count_and_partitions_take_turns(tmp_path: Path) -> None:
    records = [record("a", part, T0 - 1_000 * at, "k", {"n": 2 * at + part}) for part in (0, 1) for at in range(20)]
    options = Options(time_basis="offset", records_per_second=100)
    assert options.pace is None
    assert numbers(tmp_path, options, records) == list(range(40))


@pytest.mark.parametrize(
    "options",
    [
        {"time_basis": "offset"},
        {"time_basis": "offset", "step": True, "timestamps": "shift"},
        {"time_basis": "offset", "top_speed": True, "start": Point(0)},
        {"end": Point(1), "duration_ms": 1},
        {"loop": -1},
        {"sample": 0.0},
        {"records_per_second": 0.0},
        {"late_bound_ms": 0},
    ],
)
def test_choices_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Options(**options)  # type: ignore[arg-type]


def test_records_of_one_millisecond_are_spread_over_it_whole(tmp_path: Path) -> None:
    records = [record("a", at % 2, T0 + at // 4, "k", {"n": at}) for at in range(40_000)]
    with opened([make_capture(tmp_path / "c", records)], Options(intra_ms="spread")) as timeline:
        positions = [place.position_ns for place in places(take_all(timeline))]
    assert positions == [at * NS_PER_MS // 4 for at in range(40_000)]


def test_more_records_in_one_millisecond_than_memory_holds_are_spread_in_parts() -> None:
    schedule = Schedule(spread=True)
    positions = np.concatenate([schedule.positions(np.full(100, T0)), schedule.positions(np.full(50, T0 + 1))])
    assert (np.diff(positions) >= 0).all()
    assert positions[100] == NS_PER_MS


def test_moments_offsets_and_sizes_as_typed() -> None:
    assert parse_point("+1m30s") == Point(90_000, relative=True)
    assert parse_point("2026-11-03T14:02:00Z") == Point(T0)
    assert parse_start_offsets(["orders.v2/3:1042"]) == {("orders.v2", 3): 1_042}
    assert (parse_size("64MB"), parse_size("1.5GiB"), parse_size("10kB")) == (64_000_000, 3 << 29, 10_000)
    for wrong in ("now", "-5m", "14:02"):
        with pytest.raises(UsageError):
            parse_point(wrong)
    for wrong in ("orders:5", "orders/1", "orders/x:1"):
        with pytest.raises(UsageError, match="topic/partition:offset"):
            parse_start_offsets([wrong])
    for wrong in ("64", "MB", "-1MB", "64 TB"):
        with pytest.raises(UsageError, match="not a size"):
            parse_size(wrong)
    with pytest.raises(UsageError, match="twice"):
        parse_start_offsets(["a/1:1", "a/1:2"])
