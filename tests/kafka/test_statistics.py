"""What librdkafka's statistics tell of brokers: who is silent although asked, who leads nothing, what was asked."""

from __future__ import annotations

import json
from typing import Any

from recorder.kafka.statistics import Load, Pulse, parse_statistics


def broker(node: int, **changes: Any) -> dict[str, Any]:
    usual = {"name": f"h:{node}/{node}", "nodeid": node, "nodename": f"h:{node}", "source": "learned", "state": "UP",
             "waitresp_cnt": 1, "rxidle": 300_000, "rxbytes": 100, "connects": 1,
             "req": {"Fetch": 3, "Metadata": 1}}  # fmt: skip
    return usual | changes


def partition(leader: int, **changes: Any) -> dict[str, Any]:
    return {"leader": leader, "desired": True, "fetch_state": "active", "eof_offset": 5} | changes


def pulse(brokers: list[dict[str, Any]], *partitions: dict[str, Any]) -> Pulse:
    named = {str(number): one for number, one in enumerate(partitions)}
    text = {"name": "x", "brokers": {one["name"]: one for one in brokers}, "topics": {"t": {"partitions": named}}}
    return parse_statistics(json.dumps(text))


def test_a_broker_that_answers_within_its_half_second_is_not_silent() -> None:
    assert pulse([broker(1)], partition(1)) == Pulse({1: "h:1"}, {}, 0, Load(100, 3, 1))


def test_a_broker_that_owes_an_answer_is_silent() -> None:
    assert pulse([broker(1, rxidle=7_000_000)], partition(1)).silent == {1: 7.0}


def test_a_broker_that_was_not_asked_may_be_idle() -> None:
    assert pulse([broker(1, rxidle=7_000_000, waitresp_cnt=0)], partition(1)).silent == {}


def test_a_broker_without_a_connection_is_silent() -> None:
    assert pulse([broker(1, state="TRY_CONNECT", waitresp_cnt=0)], partition(1)).silent == {1: 0.0}


def test_brokers_that_lead_nothing_that_is_read_do_not_matter() -> None:
    coordinator = broker(1, name="GroupCoordinator", source="logical", state="INIT")
    assert pulse([broker(1), broker(2, state="DOWN"), coordinator], partition(1)).silent == {}
    assert pulse([broker(1, state="DOWN")], partition(1, desired=False), partition(1, fetch_state="none")).silent == {}


def test_partitions_without_a_leader_are_counted() -> None:
    assert pulse([broker(1)], partition(1), partition(-1), partition(-1)).leaderless == 2


def test_the_load_is_that_of_all_connections() -> None:
    bootstrap = broker(-1, name="h:1/bootstrap", source="configured", state="INIT", rxidle=-1, rxbytes=50)
    assert pulse([broker(1), broker(2), bootstrap], partition(1)).load == Load(250, 9, 3)


def test_statistics_before_anything_happened() -> None:
    assert parse_statistics('{"name": "x"}') == Pulse({}, {}, 0, Load())
