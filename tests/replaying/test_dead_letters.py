"""What headers say of a dead letter: whose convention it is, where it came from, why, how often, what to take off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import UsageError
from recorder.replaying.dead_letters import ATTEMPTS_HEADER, dead_letters, headers_home, read_letter

KNOWN = dead_letters()
CONNECT = [
    ("__connect.errors.topic", b"orders"), ("__connect.errors.partition", b"7"), ("__connect.errors.offset", b"12"),
    ("__connect.errors.connector.name", b"sink"), ("__connect.errors.exception.class.name", b"DataException"),
    ("__connect.errors.exception.stacktrace", b"at \xff"),
]  # fmt: skip
SPRING = [
    ("kafka_dlt-original-topic", b"orders"), ("kafka_dlt-original-partition", (7).to_bytes(4, "big")),
    ("kafka_dlt-original-offset", (12).to_bytes(8, "big")),
    ("kafka_dlt-original-timestamp", (1_700_000_000_000).to_bytes(8, "big")),
    ("kafka_dlt-original-timestamp-type", b"CREATE_TIME"), ("kafka_dlt-exception-fqcn", b"ListenerFailed"),
    ("kafka_dlt-exception-cause-fqcn", b"DataException"), ("springDeserializerExceptionValue", b"\xac\xed"),
]  # fmt: skip
RETRY = [
    ("kafka_original-topic", b"orders"), ("kafka_original-partition", (7).to_bytes(4, "big")),
    ("kafka_exception-fqcn", b"DataException"), ("retry_topic-attempts", (4).to_bytes(4, "big")),
    ("kafka_dlt-original-consumer-group", b"g"),
]  # fmt: skip
STREAMS = [
    ("__streams.errors.exception", b"DataException"), ("__streams.errors.message", None),
    ("__streams.errors.topic", b"orders"), ("__streams.errors.partition", b"7"), ("__streams.errors.offset", b"12"),
]  # fmt: skip
SHARE = [
    ("__dlq.errors.topic", b"orders"),
    ("__dlq.errors.partition", b"7"),
    ("__dlq.errors.message", b"DataException"),
]
KPAY = [
    ("error.exception", b"DataException"), ("error.message", b"no"), ("error.topic", b"orders"),
    ("error.partition", b"7"), ("error.offset", b"12"), ("error.at", b"2026-11-03T14:02:00Z"),
]  # fmt: skip
OWN = [("trace", b"1"), ("trace", None), ("error", b"mine"), ("kafka", b"")]


@pytest.mark.parametrize("theirs", [CONNECT, SPRING, RETRY, STREAMS, SHARE, KPAY])
def test_each_convention_is_read_and_taken_off_and_nothing_else(theirs: list[tuple[str, bytes | None]]) -> None:
    headers = [*OWN[:2], *theirs, *OWN[2:]]
    letter = read_letter(headers, KNOWN)
    assert (letter.home, letter.partition, letter.reason, letter.attempts) == ("orders", 7, "DataException", 0)
    assert letter.timestamp_ms == (1_700_000_000_000 if theirs is SPRING else None)
    assert headers_home(headers, letter, KNOWN) == [*OWN, (ATTEMPTS_HEADER, b"1")]


def test_attempts_are_counted_on() -> None:
    headers = [(ATTEMPTS_HEADER, b"2"), *KPAY, (ATTEMPTS_HEADER, b"x")]
    letter = read_letter(headers, KNOWN)
    assert letter.attempts == 2
    assert headers_home(headers, letter, KNOWN) == [(ATTEMPTS_HEADER, b"3")]


def test_headers_that_only_look_like_another_systems_errors_stay() -> None:
    headers = [*CONNECT, ("error.message", b"of the business")]
    assert headers_home(headers, read_letter(headers, KNOWN), KNOWN)[:-1] == [("error.message", b"of the business")]


def test_of_several_homes_the_last_counts_but_no_dead_letter_topic() -> None:
    later = [("kafka_dlt-original-topic", b"orders.dlt"), ("kafka_dlt-original-partition", (1).to_bytes(4, "big"))]
    assert read_letter([*SPRING, *later], KNOWN).home == "orders.dlt"
    letter = read_letter([*SPRING, *later], KNOWN, frozenset({"orders.dlt"}))
    assert (letter.home, letter.partition) == ("orders", 7)
    assert read_letter([*CONNECT, ("error.topic", b"payments")], KNOWN).home == "payments"
    assert headers_home([*SPRING, *later, *KPAY], letter, KNOWN)[:-1] == KPAY  # that letter was not kpay's


def test_a_header_of_ones_own_is_the_only_one_that_counts() -> None:
    how = dead_letters("x-from", ["x-"], 1)
    headers = [("x-from", b"orders"), ("x-why", b"no"), *KPAY]
    letter = read_letter(headers, how)
    assert (letter.home, letter.partition, letter.reason) == ("orders", None, "")
    assert headers_home(headers, letter, how) == [*KPAY, (ATTEMPTS_HEADER, b"1")]


@pytest.mark.parametrize("value", [None, b"", b"-1", b"1.5", b"9" * 30, (-1).to_bytes(4, "big", signed=True)])
def test_what_is_no_number_is_none(value: bytes | None) -> None:
    for topic, partition in (("error.topic", "error.partition"), (SPRING[0][0], SPRING[1][0])):
        letter = read_letter([(topic, b"orders"), (partition, value)], KNOWN)
        assert (letter.home, letter.partition) == ("orders", None)


def test_spring_numbers_may_be_digits_where_somebody_wrote_them_so() -> None:
    headers = [("kafka_dlt-original-topic", b"orders"), ("kafka_dlt-original-partition", b"12")]
    assert read_letter(headers, KNOWN).partition == 12


@given(st.lists(st.tuples(st.sampled_from([n for n, _ in [*CONNECT, *SPRING, *KPAY]]), st.none() | st.binary())))
def test_no_headers_break_it(headers: list[tuple[str, bytes | None]]) -> None:
    letter = read_letter(headers, KNOWN)
    assert len(headers_home(headers, letter, KNOWN)) <= len(headers) + 1


def test_what_can_mean_nothing_is_refused() -> None:
    for wrong in (lambda: dead_letters(max_attempts=0), lambda: dead_letters(""), lambda: dead_letters(None, [""])):
        with pytest.raises(UsageError):
            wrong()
