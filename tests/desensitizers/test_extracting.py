"""Keys that RE2 says stay are those in which no group of the pattern takes part."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.plan import TopicPlan
from tests.desensitizers.helpers import policy

PATTERN = r"acc-(?P<account>\d*)|pay-[a-z0-9]+-\d+|[\d.]{2,3}x?"
KEYS = st.lists(
    st.one_of(
        st.sampled_from([b"acc-1234567", b"acc-", b"pay-a1-77", b"pay-b-1", b"1.5", b"12x", b"acc-77"]),
        st.from_regex(re.compile(rb"pay-[a-z0-9]+-\d+", re.ASCII), fullmatch=True),
    ),
    min_size=1,
    max_size=20,
)


def plan(*, learning: bool = False) -> TopicPlan:
    text = f'key: {{extract: "{PATTERN}", account: {{domain: id}}}}'.replace("\\", "\\\\")
    return policy(text).plan(learning=learning).for_topic("t")


@given(st.lists(KEYS, min_size=1, max_size=4))
def test_keys_become_together_what_they_become_one_by_one(batches: list[list[bytes]]) -> None:
    together, alone = plan(), plan()
    assert together.key is not None
    assert alone.key is not None
    for keys in batches:
        clean = together._keys_column(pa.array(keys, pa.binary()), None, pa).to_pylist()
        assert clean == [alone.key.column([key])[0] for key in keys]
    assert together.sink.counts.total() == len({key for keys in batches for key in keys})


@given(KEYS)
def test_a_pass_that_learns_misses_no_key_with_an_original(keys: list[bytes]) -> None:
    learning = plan(learning=True)
    learning._keys_column(pa.array(keys, pa.binary()), None, pa)
    whole = {key.decode() for key in keys if re.fullmatch(rb"acc-\d+", key)}
    assert {text for _domain, text in learning._rules.findings.originals} >= whole


@pytest.mark.parametrize("key", [b"pay-a-7\n", "pay-a-\u0661".encode(), b"pay-a-", b"xpay-a-7", b"pay-a-\xff"])
def test_what_does_not_match_is_told_from_what_stays(key: bytes) -> None:
    made = plan()
    assert made.key is not None
    assert made.key.stays(pa.array([b"pay-a-7"], pa.binary()))
    assert not made.key.stays(pa.array([b"pay-a-7", key], pa.binary()))
