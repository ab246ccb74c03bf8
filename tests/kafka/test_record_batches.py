"""Record batches are read as they were written, whatever is in them; what is damaged is refused, never half read."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.kafka.record_batches import BatchError, Records, committed, read_batches, split
from tests.kafka.encoding import CODECS, Raw, encode_batch, marker, seal, varint

TIMES = st.one_of(st.just(-1), st.integers(-(2**62), 2**62))
PAYLOADS = st.one_of(st.none(), st.binary(max_size=300))
HEADERS = st.lists(st.tuples(st.binary(max_size=20), st.one_of(st.none(), st.binary(max_size=40))), max_size=4)
RAWS = st.builds(Raw, PAYLOADS, PAYLOADS, HEADERS, TIMES)
BATCHES = st.lists(st.lists(RAWS, min_size=1, max_size=8), max_size=4)
SOME = [Raw(b"value %d" % i, b"key", [(b"name", b"v" * i)], 1_000 + i) for i in range(40)]


def read(data: bytes, at: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> Records:
    view = memoryview(data)
    batches = split(view)
    return read_batches(list(committed(batches, view, aborted)), view, at)


def rows(records: Records) -> list[tuple[int, Raw]]:
    names, values = records.header_names.to_pylist(), records.header_values.to_pylist()
    ends = records.header_ends.tolist()
    return [
        (offset, Raw(value, key, list(zip(names[begin:end], values[begin:end], strict=True)), timestamp))
        for offset, value, key, timestamp, begin, end in zip(
            records.offsets.tolist(),
            records.values.to_pylist(),
            records.keys.to_pylist(),
            records.timestamps.tolist(),
            ends[:-1],
            ends[1:],
            strict=True,
        )
    ]


@settings(deadline=None)
@given(BATCHES, st.sampled_from(sorted(CODECS)), st.integers(0, 30))
def test_batches_are_read_as_they_were_written(batches: list[list[Raw]], codec: int, at: int) -> None:
    data, truth, offset = b"", [], 0
    for batch in batches:
        data += encode_batch(batch, base_offset=offset, attributes=codec)
        truth += list(enumerate(batch, offset))
        offset += len(batch) + 3
    assert rows(read(data, at)) == [one for one in truth if one[0] >= at]


def test_offsets_that_compaction_took_out_are_not_there() -> None:
    data = encode_batch(SOME[:3], base_offset=100, deltas=[0, 7, 90], last_delta=99)
    assert read(data).offsets.tolist() == [100, 107, 190]
    assert split(memoryview(data))[-1].next_offset == 200


def test_an_empty_batch_that_compaction_kept_holds_nothing() -> None:
    data = encode_batch([], base_offset=5, last_delta=4)
    assert read(data).offsets.tolist() == []
    assert split(memoryview(data))[-1].next_offset == 10


def test_a_batch_whose_time_the_broker_set_has_it_for_all_records() -> None:
    records = read(encode_batch(SOME[:3], attributes=0x08) + encode_batch(SOME[3:5], base_offset=3))
    assert records.timestamps.tolist() == [1_002, 1_002, 1_002, 1_003, 1_004]
    assert records.timestamp_types.tolist() == [2, 2, 2, 1, 1]


def test_snappy_without_javas_frame_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CODECS, 2, lambda body: bytes(pa.compress(body, codec="snappy", asbytes=True)))
    assert [raw for _, raw in rows(read(encode_batch(SOME, attributes=2)))] == SOME


def test_gzip_in_several_members_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    one = CODECS[1]
    monkeypatch.setitem(CODECS, 1, lambda body: one(body[:50]) + one(body[50:]))
    assert [raw for _, raw in rows(read(encode_batch(SOME, attributes=1)))] == SOME


def test_a_batch_that_the_answer_cuts_off_is_left_for_the_next_one() -> None:
    data = encode_batch(SOME[:2]) + encode_batch(SOME[2:4], base_offset=2)
    assert [batch.next_offset for batch in split(memoryview(data[:-1]))] == [2]
    assert split(memoryview(data[:60])) == []


def test_what_an_aborted_transaction_wrote_is_left_out_until_its_marker() -> None:
    data = b"".join(
        [
            encode_batch(SOME[:1], base_offset=0, attributes=0x10, producer=7),  # before the aborted one: committed
            encode_batch(SOME[1:3], base_offset=1, attributes=0x10, producer=7),
            encode_batch(SOME[3:4], base_offset=3, attributes=0x10, producer=8),  # another's, committed
            encode_batch(SOME[4:5], base_offset=4),  # in no transaction
            marker(0, 7, 5),
            encode_batch(SOME[6:7], base_offset=6, attributes=0x10, producer=7),  # its next one
            marker(1, 7, 7),
            marker(1, 8, 8),
        ]
    )
    assert read(data, aborted=[(7, 1)]).offsets.tolist() == [0, 3, 4, 6]
    assert read(data).offsets.tolist() == [0, 1, 2, 3, 4, 6]


def test_two_transactions_of_one_producer_may_both_be_aborted() -> None:
    data = b"".join(
        [
            encode_batch(SOME[:1], base_offset=0, attributes=0x10, producer=7),
            marker(0, 7, 1),
            encode_batch(SOME[2:3], base_offset=2, attributes=0x10, producer=7),
            marker(0, 7, 3),
            encode_batch(SOME[4:5], base_offset=4, attributes=0x10, producer=7),
        ]
    )
    assert read(data, aborted=[(7, 2), (7, 0)]).offsets.tolist() == [4]


@pytest.mark.parametrize("magic", [0, 1, 3])
def test_other_formats_are_refused(magic: int) -> None:
    batch = bytearray(encode_batch(SOME))
    batch[16] = magic
    with pytest.raises(BatchError, match=f"format {magic}"):
        read(bytes(batch))


def test_a_wrong_checksum_is_refused() -> None:
    batch = bytearray(encode_batch(SOME))
    batch[-1] ^= 1
    with pytest.raises(BatchError, match="checksum"):
        read(bytes(batch))


def test_an_unknown_compression_is_refused() -> None:
    batch = encode_batch(SOME)
    with pytest.raises(BatchError, match="unknown way"):
        read(seal(batch[:21] + struct.pack(">h", 5) + batch[23:]))


def test_a_number_that_does_not_end_is_refused() -> None:
    """A record's timestamp of eleven bytes."""
    content = b"\0" + b"\xff" * 11 + b"\0" * 8
    batch = encode_batch(SOME[:1])[:61] + varint(len(content)) + content
    with pytest.raises(BatchError):
        read(seal(batch))


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_damage_behind_a_true_checksum_is_read_as_something_or_refused(codec: int) -> None:
    """Whatever else it is, it ends neither in another error nor in records beyond their batch."""
    chance = random.Random(codec)
    whole = encode_batch(SOME, attributes=codec)
    refused = 0
    for _ in range(400):
        batch = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            batch[chance.randrange(57, len(batch))] = chance.randrange(256)
        if chance.random() < 0.3:
            del batch[chance.randrange(61, len(batch)) :]
        try:
            records = read(seal(bytes(batch)))
        except BatchError:
            refused += 1
        else:
            assert sum(len(value or b"") for value in records.values.to_pylist()) <= 1 << 20
    assert refused > 100


def test_headers_may_be_many_in_one_record_and_none_in_the_next() -> None:
    batch = [
        Raw(b"1", None, [(b"n%d" % i, None if i % 3 else b"x" * i) for i in range(2_000)], 5),
        Raw(None, b"", [], 5),
        Raw(b"", None, [(b"", b"")], 5),
    ]
    assert [raw for _, raw in rows(read(encode_batch(batch)))] == batch
