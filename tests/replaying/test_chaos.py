"""Trouble on purpose: the same for the same seed, never inside a key unless asked, and all of it accounted for."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.replaying.changes import ChangeCounts
from recorder.replaying.chaos import Trouble, parse_chaos
from recorder.replaying.options import Options
from recorder.replaying.routes import plan_routes
from recorder.replaying.streams import Streams
from recorder.replaying.survey import survey
from recorder.replaying.timeline import Piece, Timeline
from tests.builders import T0, make_capture, record
from tests.replaying.reading import take_all, values
from tests.replaying.test_changes import counted

RECORDS = 3_000


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    rows = [record("orders", i % 3, T0 + 2 * i, None if i % 13 == 0 else f"k{i % 7}", str(i)) for i in range(RECORDS)]
    return make_capture(tmp_path_factory.mktemp("chaos") / "c", rows, segment_records=200)


def troubled(capture: Capture, text: str, *, loop: int = 1) -> tuple[list[Piece], Trouble, ChangeCounts]:
    options = Options(loop=loop)
    routes = plan_routes([capture], options)
    streams = Streams(routes, options)
    trouble = Trouble(parse_chaos(text), streams)
    seen = survey(routes, options, start_ms=T0, streams=streams)
    with Timeline(streams, routes, seen, changes=trouble.changes()) as timeline:
        pieces = take_all(timeline)
    for piece in pieces:
        assert piece.reached(len(piece)) >= piece.first
    assert all(a.reached(len(a)) == b.first for a, b in pairwise(pieces) if a.lap == b.lap)
    return pieces, trouble, counted(pieces).counts()


def positions(pieces: list[Piece]) -> list[int]:
    return [position for piece in pieces for position in piece.positions_ns.tolist()]


def by_key(pieces: list[Piece]) -> dict[bytes | None, list[int]]:
    found = defaultdict(list)
    for piece in pieces:
        for key, value in zip(piece.columns.keys, piece.columns.values, strict=True):
            found[key].append(int(value or b""))
    return found


ALL = "seed=7,duplicate=1%,drop=1%,delay=2%:50ms,reorder-keys=5%"


def test_all_kinds_together_add_up_and_keep_the_order_of_every_key(capture: Capture) -> None:
    pieces, trouble, counts = troubled(capture, ALL)
    sent = values(pieces)
    dropped, doubled = counts.left_out["dropped by chaos"], counts.marked["duplicated by chaos"]
    assert counts.left_out.keys() == {"dropped by chaos"}
    assert len(sent) == RECORDS - dropped + doubled
    assert len(set(sent)) == RECORDS - dropped
    assert counts.added == doubled
    assert positions(pieces) == sorted(positions(pieces))
    for key, numbers in by_key(pieces).items():
        assert key is None or numbers == sorted(numbers)
    assert [int(value or b"") for value in sent] != sorted(int(value or b"") for value in sent)
    listed = Counter(one.what for one in trouble.listed)
    assert (listed["dropped"], listed["duplicated"]) == (dropped, doubled)
    assert listed["delayed"] + doubled >= counts.marked["delayed by chaos"] >= listed["delayed"]


def test_the_same_seed_does_the_same_and_another_seed_and_pass_something_else(capture: Capture) -> None:
    first, again, other = (values(troubled(capture, text)[0]) for text in (ALL, ALL, ALL.replace("=7", "=8")))
    assert first == again != other
    pieces = troubled(capture, "seed=7,drop=10%", loop=2)[0]
    one, two = (values([piece for piece in pieces if piece.lap == lap]) for lap in (0, 1))
    assert one != two


def test_delayed_records_are_late_by_what_was_asked_and_their_key_waits(capture: Capture) -> None:
    pieces, trouble, counts = troubled(capture, "seed=1,delay=2%:70ms")
    at = dict(zip(values(pieces), positions(pieces), strict=True))
    moved = {value: (position - 2_000_000 * int(value or b"")) // 1_000_000 for value, position in at.items()}
    assert max(moved.values()) == 70 and min(moved.values()) == 0
    assert sum(late > 0 for late in moved.values()) == sum(counts.marked.values()) > len(trouble.listed) > 20
    assert counts.left_out == {} and counts.added == 0
    assert len(at) == RECORDS


@pytest.mark.parametrize("text", ["seed=1,reorder-within-keys", "seed=1,delay=5%:200ms,reorder-within-keys"])
def test_inside_a_key_only_when_asked(capture: Capture, text: str) -> None:
    assert any(numbers != sorted(numbers) for key, numbers in by_key(troubled(capture, text)[0]).items() if key)
    calm = text.replace("reorder-within-keys", "reorder-keys")
    assert all(numbers == sorted(numbers) for key, numbers in by_key(troubled(capture, calm)[0]).items() if key)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("duplicate=1%", "needs a seed"),
        ("seed=x,duplicate=1%", "needs a seed"),
        ("seed=1", "lets nothing happen"),
        ("seed=1,delay=1%", "how many records and how long"),
        ("seed=1,delay=1%:soon", "soon"),
        ("seed=1,drop=2", "is not a share"),
        ("seed=1,drop=1%,drop=2%", "says drop twice"),
        ("seed=1,explode", "does not know 'explode'"),
        ("seed=1,reorder-within-keys=1%", "takes no value"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_chaos(text)
