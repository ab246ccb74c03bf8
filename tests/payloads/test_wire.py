"""Frames: ids in prefixes and headers, Protobuf's message indexes, and rewriting that touches nothing else."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pytest
from confluent_kafka.schema_registry.serde import SchemaId
from hypothesis import given
from hypothesis import strategies as st

from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.wire import (
    Frame,
    from_headers,
    ids_of,
    read_indexes,
    rewrite,
    rewrite_header,
    split,
    take_indexes,
    write_indexes,
)

IDS = st.integers(0, 2**32 - 1)
INDEXES = st.lists(st.integers(0, 2**20), min_size=1, max_size=5).map(tuple)


@given(IDS, INDEXES, st.binary())
def test_frames_are_those_of_confluents_serializers(id: int, indexes: tuple[int, ...], rest: bytes) -> None:
    known = str(uuid.uuid4())
    theirs = SchemaId("PROTOBUF", id, known, list(indexes))
    frame, body = take_indexes(*split(theirs.id_to_bytes() + rest))  # type: ignore[arg-type]
    assert (frame.id, read_indexes(frame.indexes)[0], body) == (id, indexes, rest)
    assert frame.write() == theirs.id_to_bytes()
    assert write_indexes(indexes) == frame.indexes

    named = from_headers([("__value_schema_id", theirs.guid_to_bytes())], "value")
    assert named is not None
    assert (named.guid, read_indexes(named.indexes)[0]) == (known, indexes)
    assert named.write() == theirs.guid_to_bytes()


@given(IDS, IDS, st.binary())
def test_rewriting_changes_the_id_and_nothing_else(old: int, new: int, rest: bytes) -> None:
    framed = Frame(old).write() + rest
    assert rewrite(framed, new) == Frame(new).write() + rest
    assert rewrite(rewrite(framed, new), old) == framed


def test_a_header_can_be_rewritten_to_an_id_or_a_guid() -> None:
    guid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    header = b"\1" + uuid.UUID(guid).bytes + b"\4\2\0"
    assert rewrite_header(header, 7) == b"\0\0\0\0\7\4\2\0"
    assert rewrite_header(rewrite_header(header, 7), guid) == header


@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0\0\0", b"\1\0\0\0\7x", b'{"a":1}'])
def test_what_has_no_frame_is_no_frame_and_is_not_rewritten(payload: bytes) -> None:
    assert split(payload) == (None, payload)
    with pytest.raises(PayloadError) as caught:
        rewrite(payload, 1)
    assert caught.value.reason is Reason.TRUNCATED_FRAME


@pytest.mark.parametrize("indexes", [b"", b"\x02", b"\x01", b"\x80", b"\xff" * 9, b"\x02\x01", b"\xfe\x07"])
def test_message_indexes_that_make_no_sense_are_refused(indexes: bytes) -> None:
    with pytest.raises(PayloadError, match="truncated frame"):
        read_indexes(indexes)


@pytest.mark.parametrize("header", [b"", b"\1", b"\1" + b"x" * 15, b"\0\0\0", b"\2" + b"x" * 16])
def test_headers_that_make_no_sense_are_refused(header: bytes) -> None:
    with pytest.raises(PayloadError, match="truncated frame"):
        from_headers([("__key_schema_id", header)], "key")


def test_the_last_header_of_the_name_counts_and_nulls_do_not() -> None:
    headers = [("__key_schema_id", b"\0\0\0\0\1"), ("__key_schema_id", b"\0\0\0\0\2"), ("__key_schema_id", None)]
    assert from_headers(headers, "key") == Frame(2, in_header=True)
    assert from_headers(headers, "value") is None


@given(st.lists(st.none() | st.binary(max_size=9), max_size=9), st.integers(0, 3))
def test_a_columns_ids_are_those_of_its_payloads(payloads: list[bytes | None], skip: int) -> None:
    ids, _, _ = ids_of(pa.array(payloads, pa.binary()).slice(skip))
    expected = [split(payload or b"")[0] for payload in payloads[skip:]]
    assert ids.tolist() == [-1 if frame is None else frame.id for frame in expected]
