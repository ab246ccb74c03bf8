"""Any commands in any order: nothing is lost or doubled without a seek, and the position runs on between anchors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.replaying.control import Burst, Command, Pause, Rate, Resume, Seek, Step, Toggle
from recorder.replaying.schedule import Schedule
from tests.replaying.stage import MS, Pieces, play

SEEKS = st.builds(Seek, st.integers(-100, 2_500))
OTHERS = st.one_of(
    st.just(Pause()),
    st.just(Resume()),
    st.just(Toggle()),
    st.builds(Rate, st.sampled_from([0.25, 0.5, 1.0, 3.0, 20.0])),
    st.builds(Step, st.integers(1, 20)),
    st.builds(Burst, st.integers(1, 60)),
)
MOMENTS = st.integers(0, 3_000)
TIMES = st.lists(st.integers(0, 2_000), min_size=1, max_size=120).map(sorted)


def scripts(commands: st.SearchStrategy[Command]) -> st.SearchStrategy[list[tuple[float, Command]]]:
    """Commands at their moments; at the end, whatever stands still runs on."""
    script = st.lists(st.tuples(MOMENTS, commands), max_size=12)
    return script.map(lambda one: [*sorted(one, key=lambda item: item[0]), (5_000.0, Resume())])


@settings(max_examples=150, deadline=None)
@given(TIMES, scripts(OTHERS), st.integers(1, 3), st.sampled_from([1, 7, 64]))
def test_nothing_is_lost_or_doubled_without_a_seek(
    times: Sequence[int], script: list[tuple[float, Command]], laps: int, size: int
) -> None:
    played = play(Pieces(times, size=size, laps=laps, partitions=3), partitions=3, size=256, script=script)
    assert played.ending == "end"
    assert played.numbers == [*range(len(times))] * laps
    coverage = played.player.coverage
    assert (coverage.repeated, coverage.skipped) == (0, 0)
    assert played.tally.acked == len(times) * laps
    assert played.tally.order.partition_inversions == 0


@settings(max_examples=150, deadline=None)
@given(TIMES, scripts(st.one_of(SEEKS, OTHERS)), st.integers(1, 3))
def test_with_seeks_every_record_is_accounted_for_and_each_stretch_is_in_order(
    times: Sequence[int], script: list[tuple[float, Command]], laps: int
) -> None:
    played = play(Pieces(times, size=16, laps=laps), size=256, script=script)
    coverage, sent = played.player.coverage, played.numbers
    assert played.tally.sent == played.tally.acked == len(sent)
    assert len(sent) == coverage.covered + coverage.repeated
    assert coverage.covered + coverage.skipped == len(times) * laps
    breaks = sum(after != before + 1 for before, after in pairwise(sent))
    assert breaks <= played.clock.changes["seek"] + played.clock.changes["loop"] + sum(
        isinstance(command, Seek) for _, command in script
    )


@settings(max_examples=100, deadline=None)
@given(TIMES, scripts(st.one_of(SEEKS, OTHERS)))
def test_the_position_runs_on_between_anchors_and_every_record_is_on_time(
    times: Sequence[int], script: list[tuple[float, Command]]
) -> None:
    played = play(Pieces(times), size=256, script=script)
    anchors = played.clock.anchors
    assert len(anchors) == played.clock.changes.total()
    for before, after in pairwise(anchors):
        if after.why in ("pause", "resume", "rate"):  # these go on from where time is
            ran = (after.after_ns - before.after_ns) * (before.rate or 0.0)
            assert abs(after.position_ns - before.position_ns - ran) <= max(1, ran * 1e-9)
    # Whatever was not sent by command was sent when its anchor said.
    positions = Schedule().positions(np.array(times, np.int64))
    commanded = played.player.commanded
    on_time = 0
    for at_ms, index in zip(played.target.times_ms, played.numbers, strict=True):
        at_ns = round(at_ms * MS)
        anchor = [one for one in anchors if one.after_ns <= at_ns][-1:]
        if anchor and anchor[0].rate:
            planned = anchor[0].after_ns + (int(positions[index]) - anchor[0].position_ns) / anchor[0].rate
            on_time += abs(planned - at_ns) <= 1
    assert on_time >= len(played.numbers) - commanded - played.clock.changes["pause"] - 1
