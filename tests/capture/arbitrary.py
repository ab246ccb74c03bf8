"""Hypothesis strategies: any record that a broker could hand over, any pattern of what happens to offsets."""

from __future__ import annotations

from hypothesis import strategies as st

from recorder.capture.schema import TIMESTAMP_TYPES, Record
from tests.builders import T0

PAYLOADS = st.none() | st.binary(max_size=40)
NAMES = st.text(st.characters(codec="utf-8"), max_size=8)
HEADERS = st.lists(st.tuples(NAMES | st.sampled_from(["", "id", "id"]), PAYLOADS), max_size=4).map(tuple)
WILD_TIMES = st.sampled_from([-(2**63), -1, 0, 1, T0 * 1_000_000, 2**63 - 1])
TIMES = st.integers(T0 - 1_000, T0 + 1_000) | WILD_TIMES | st.integers(-(2**63), 2**63 - 1)


@st.composite
def partitions(draw: st.DrawFn, *, topic: str = "t", partition: int = 0, max_size: int = 30) -> list[Record]:
    """Records of one partition, in offset order, with any holes between their offsets."""
    steps = draw(st.lists(st.integers(1, 5), max_size=max_size))
    offset = draw(st.integers(0, 2**62))
    rows = []
    for step in steps:
        rows.append(
            Record(
                topic,
                partition,
                offset,
                draw(TIMES),
                draw(st.sampled_from(TIMESTAMP_TYPES)),
                draw(PAYLOADS),
                draw(PAYLOADS),
                draw(HEADERS),
                draw(st.none() | st.integers(0, 2**31 - 1)),
            )
        )
        offset += step
    return rows
