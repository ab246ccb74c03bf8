"""Other schema ids in records: exactly the planned ones change, and nothing else by a byte."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.reader import to_records
from recorder.payloads import wire
from recorder.payloads.naming import SIDES, Counts, Names
from recorder.payloads.renaming import NewName, Renamer
from tests.builders import Headers, record, to_batch

OLD, NEW = str(uuid.UUID(int=7)), str(uuid.UUID(int=8))


def framed(number: int, body: bytes = b"body") -> bytes:
    return b"\0" + number.to_bytes(4, "big") + body


def batch(rows: Sequence[tuple[bytes | None, bytes | None, Headers]]) -> pa.RecordBatch:
    return to_batch(
        [record("t", 0, 1, key, value, headers, offset=at) for at, (key, value, headers) in enumerate(rows)]
    )


def renamed(rows: pa.RecordBatch, planned: dict, topics: Sequence[int] | None = None):  # type: ignore[no-untyped-def]
    after, done = Renamer(planned).rename(rows, np.array(topics if topics is not None else [0] * rows.num_rows))
    after.validate(full=True)
    told = {(use, new): int(which.sum()) for use, new, which in done}
    return told, [(row.key, row.value, list(row.headers)) for row in to_records(after)]


def test_trap_27_ids_of_keys_and_values_change_and_message_indexes_stay() -> None:
    rows = batch([(framed(3), framed(4, b"\x04\x02\x02x"), ()), (None, framed(3), ()), (framed(3, b""), None, ())])
    told, found = renamed(
        rows, {(0, "key", 3): NewName(70_000), (0, "value", 4): NewName(2), (0, "value", 3): NewName(1)}
    )
    assert found == [
        (framed(70_000), framed(2, b"\x04\x02\x02x"), []),
        (None, framed(1), []),
        (framed(70_000, b""), None, []),
    ]
    assert told == {((0, "key", 3), 70_000): 2, ((0, "value", 4), 2): 1, ((0, "value", 3), 1): 1}


def test_one_id_may_become_different_ones_by_topic_and_side() -> None:
    rows = batch([(framed(3), framed(3), ())] * 2)
    _, found = renamed(
        rows, {(0, "value", 3): NewName(5), (1, "value", 3): NewName(6), (1, "key", 3): NewName(9)}, [0, 1]
    )
    assert [row[:2] for row in found] == [(framed(3), framed(5)), (framed(9), framed(6))]


def test_trap_27_what_only_looks_like_a_frame_is_left_alone_and_counted() -> None:
    odd = [b"\0text that begins with NUL", b"\0\0\0", b"", b"{}", framed(99), None]
    told, found = renamed(batch([(None, value, ()) for value in (*odd, framed(4))]), {(0, "value", 4): NewName(5)})
    assert [row[1] for row in found] == [*odd, framed(5)]
    text = int.from_bytes(b"text", "big")
    assert told == {((0, "value", 4), 5): 1, ((0, "value", 99), None): 1, ((0, "value", text), None): 1}


def test_headers_that_name_a_schema_change_and_others_stay_in_place() -> None:
    named = wire.HEADER_NAMES["value"]
    guid = b"\1" + uuid.UUID(OLD).bytes
    headers: Headers = [("a", None), (named, b"ignored"), ("a", b"1"), (named, guid + b"\x02\x04"), ("b", b"")]
    rows = batch([(None, framed(4), headers), (None, b"bare", [(named, framed(9, b""))]), (None, framed(4), ())])
    told, found = renamed(
        rows, {(0, "value", OLD): NewName(11, NEW), (0, "value", 9): NewName(12, NEW), (0, "value", 4): NewName(13)}
    )
    changed = [*headers]
    changed[3] = (named, b"\1" + uuid.UUID(NEW).bytes + b"\x02\x04")
    assert found == [
        (None, framed(4), changed),  # the header counts, so the payload has no prefix
        (None, b"bare", [(named, framed(12, b""))]),
        (None, framed(13), []),
    ]
    assert told == {((0, "value", OLD), NEW): 1, ((0, "value", 9), 12): 1, ((0, "value", 4), 13): 1}


def test_a_registry_without_guids_gets_the_id_into_the_header() -> None:
    named = wire.HEADER_NAMES["key"]
    rows = batch([(b"bare", None, [(named, b"\1" + uuid.UUID(OLD).bytes)])])
    _, found = renamed(rows, {(0, "key", OLD): NewName(300)})
    assert found == [(b"bare", None, [(named, framed(300, b""))])]


@given(
    st.lists(
        st.tuples(
            st.none() | st.binary(max_size=9) | st.integers(0, 9).map(framed),
            st.none() | st.binary(max_size=9) | st.integers(0, 9).map(framed),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 19),
)
def test_whole_columns_become_what_single_payloads_do(rows: list[tuple[bytes | None, bytes | None]], cut: int) -> None:
    planned = {3: 1_000_000, 5: 6}
    whole = batch([(key, value, ()) for key, value in rows])
    rest = whole.slice(min(cut, len(rows) - 1))  # columns that begin in the middle of their buffers
    expected = [tuple(_by_hand(payload, planned) for payload in row) for row in rows[min(cut, len(rows) - 1) :]]
    plan = {(0, side, old): NewName(new) for old, new in planned.items() for side in ("key", "value")}
    assert [row[:2] for row in renamed(rest, plan)[1]] == expected


def _by_hand(payload: bytes | None, planned: dict[int, int]) -> bytes | None:
    frame = None if payload is None else wire.split(payload)[0]
    if payload is None or frame is None or frame.id not in planned:
        return payload
    return wire.rewrite(payload, planned[frame.id])


def test_names_are_counted_by_topic_and_side_until_they_are_too_many_to_be_schemas() -> None:
    rows = batch([(framed(2), framed(at % 300 + 1), ()) for at in range(600)])
    names, counts = Names(), Counts()
    topics = np.array([0] * 590 + [1] * 10)
    for side in SIDES:
        counts.add(side, topics, names.of(rows, side), names)
    assert counts.unframed == {(0, "value")}
    assert counts.records == {
        (0, "key", 2): 590,
        (1, "key", 2): 10,
        **{(1, "value", at): 1 for at in range(291, 301)},
    }
