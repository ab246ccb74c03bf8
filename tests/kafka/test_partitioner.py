"""Trap 18: the same hash as Kafka's Java client."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.kafka.partitioner import java_hashes, murmur2


@pytest.mark.parametrize(
    ("key", "expected"),
    [  # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_trap_18_murmur2_gives_the_values_of_kafkas_own_test(key: bytes, expected: int) -> None:
    assert murmur2(pa.array([key])).astype(np.int32).tolist() == [expected]


@given(st.lists(st.one_of(st.none(), st.binary(max_size=40)), max_size=30), st.integers(0, 5))
def test_trap_18_many_keys_at_once_fall_where_each_alone_does(keys: list[bytes | None], skipped: int) -> None:
    column = pa.array(keys, pa.binary()).slice(skipped)
    assert java_hashes(column).tolist() == [-1 if key is None else _alone(key) for key in keys[skipped:]]


def _alone(key: bytes) -> int:
    """Java's code, line by line."""
    whole, mask, m = len(key) // 4, 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    for i in range(whole):
        k = int.from_bytes(key[4 * i : 4 * i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if tail := key[4 * whole :]:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF
