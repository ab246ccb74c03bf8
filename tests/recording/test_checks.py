"""The doctor's judgements, one by one: what each finds, and what it tells a person to do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from recorder.capture.verify import Check, Status
from recorder.kafka.cluster import TopicFacts
from recorder.kafka.connection import connect
from recorder.kafka.offsets import Place
from recorder.kafka.probing import Answer, ClockBounds, Taste
from recorder.recording import checks
from recorder.recording.estimate import Expected
from recorder.recording.plan import Plan, Span
from recorder.window import Window
from tests.builders import T0
from tests.cli.running import without_rights

HOUR, DAY = 3_600_000, 86_400_000
NOW = T0 + HOUR
A, B = ("a", 0), ("a", 1)
SINCE_T0 = Window(T0, None)


def plan_of(spans: dict[Place, Span] | None = None, *, window: Window = SINCE_T0, **settings: str | None) -> Plan:
    """A plan of the topic `a` with these spans and settings; `settings` use `_` for `.`."""
    effective = {"cleanup.policy": "delete", **{k.replace("_", "."): v for k, v in settings.items() if v is not None}}
    spans = spans if spans is not None else {A: Span(start=10, end=20, hint=None, log_start=0)}
    facts = TopicFacts("a", "id", tuple(partition for _, partition in spans), {}, effective)
    return Plan({"a": facts}, spans, window, 0)


def judged(found: Iterable[Check] | Check) -> tuple[Status, str]:
    (check,) = [found] if isinstance(found, Check) else list(found)
    return check.status, check.detail


def expected(**figures: float) -> Expected:
    whole = {"partitions": 1, "records": 10, "bytes": 1000, "read_bytes": 1000, "capture_bytes": 500, "seconds": 1.0,
             "records_per_second": None, "bytes_per_second": None} | figures  # fmt: skip
    return Expected(**whole)  # type: ignore[arg-type]


def test_a_broker_that_does_not_answer_fails_and_a_slow_one_warns() -> None:
    found = [Answer(1, "a:1", 0.1, 0.01), Answer(2, "b:1", 0.1, 0.4), Answer(3, "c:1", problem="Can't reach it.")]
    assert [check.status for check in checks.check_brokers(found)] == ["PASSED", "WARNING", "FAILED"]
    assert [check.where for check in checks.check_brokers(found)][2] == "broker 3 (c:1)"


@pytest.mark.parametrize(
    ("settings", "address", "status", "says"),
    [
        ([], "127.0.0.1:9092", "PASSED", "PLAINTEXT"),
        ([], "broker:9092", "WARNING", "unencrypted"),
        (["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN"], "broker:9092", "WARNING", "unencrypted"),
        (["security.protocol=SASL_SSL", "sasl.mechanism=PLAIN"], "broker:9092", "PASSED", "SASL_SSL with PLAIN"),
        (["security.protocol=SSL", "enable.ssl.certificate.verification=false"], "b:1", "WARNING", "nobody checks"),
        (["security.protocol=SSL", "ssl.endpoint.identification.algorithm="], "b:1", "WARNING", "nobody checks"),
    ],
)
def test_an_unprotected_connection_is_a_warning(settings: list[str], address: str, status: str, says: str) -> None:
    found = judged(checks.check_protocol(connect("x:1", settings), {1: address}))
    assert found[0] == status
    assert says in found[1]


@pytest.mark.parametrize(
    ("bounds", "status", "says"),
    [
        (None, "SKIPPED", "Kafka tells no time"),
        (ClockBounds(-20, 80), "PASSED", "30 ms (± 50 ms) behind"),
        (ClockBounds(-900, -850), "PASSED", "ahead of"),
        (ClockBounds(900, 1300), "PASSED", "behind"),
        (ClockBounds(61_000, 61_100), "WARNING", "1m 01s (± 50 ms) behind the brokers': now and -15m mean other"),
    ],
)
def test_clocks_that_surely_differ_are_a_warning(bounds: ClockBounds | None, status: str, says: str) -> None:
    found = judged(checks.check_clock(bounds, "x:1", 2))
    assert found[0] == status
    assert says in found[1]


def test_rights_are_tried_and_what_stays_unknown_is_said() -> None:
    topics = {name: TopicFacts(name, None, (0,), None, {}) for name in ("ok", "denied", "broken", "silent")}
    topics["dark"] = TopicFacts("dark", None, (0,), None, None)
    tasted = Taste(denied={"denied"}, problems={("broken", 0): "leader gone"}, silent={("silent", 0)})
    found = {(check.where, check.name): check for check in checks.check_rights(topics, tasted)}
    assert {where: check.status for (where, name), check in found.items() if name == "rights"} == {
        "ok": "PASSED", "denied": "FAILED", "broken": "FAILED", "silent": "WARNING", "dark": "PASSED",
    }  # fmt: skip
    assert "ask for READ" in found["denied", "rights"].detail
    assert found["dark", "configuration"].status == "WARNING"


@pytest.mark.parametrize(
    ("log_start", "start", "window", "settings", "status", "says"),
    [
        (0, 10, Window(None, None), {}, "SKIPPED", "no start"),
        (0, 10, Window(NOW + HOUR, None), {}, "SKIPPED", "no start in the past"),
        (10, 10, SINCE_T0, {}, "WARNING", "the log of partition 0 begins inside"),
        (0, 0, SINCE_T0, {"retention_ms": "-1"}, "PASSED", "don't expire with age"),
        (0, 10, SINCE_T0, {"cleanup_policy": "compact", "retention_ms": "1"}, "PASSED", "don't expire"),
        (0, 10, SINCE_T0, {"retention_ms": str(7 * DAY)}, "PASSED", "at least 6d 23h; there is no limit by"),
        (0, 10, SINCE_T0, {"retention_ms": str(7 * DAY), "retention_bytes": "5"}, "PASSED", "may go sooner"),
        (0, 10, SINCE_T0, {"retention_ms": str(HOUR + 60_000)}, "WARNING", "may go in 1m 00s: record now"),
        (0, 10, SINCE_T0, {"retention_ms": "1000"}, "WARNING", "at any moment; record now"),
    ],
)
def test_a_start_that_is_gone_or_soon_will_be_is_a_warning(
    log_start: int, start: int, window: Window, settings: dict[str, str], status: str, says: str
) -> None:
    plan = plan_of({A: Span(start, 20, None, log_start)}, window=window, **settings)
    found = judged(checks.check_retention(plan, NOW))
    assert found[0] == status
    assert says in found[1]


@pytest.mark.parametrize(
    ("hint", "readable", "status"),
    [
        (None, {A: 20, B: 20}, "PASSED"),
        (None, {A: 15, B: 20}, "WARNING"),
        (12, {A: 15, B: 20}, "PASSED"),
        (None, {}, "SKIPPED"),
    ],
    ids=["none", "open", "open-beyond-the-window", "unknown"],
)
def test_open_transactions_matter_inside_the_window(
    hint: int | None, readable: dict[Place, int], status: Status
) -> None:
    plan = plan_of({A: Span(10, 20, hint, 0), B: Span(10, 20, hint, 0)})
    found = judged(checks.check_transactions(plan, {A: 20, B: 20}, readable))
    assert found[0] == status
    if status == "WARNING":
        assert "hides partition 0 from offset 15 on" in found[1]


def test_look_ups_that_contradict_each_other_fail_and_a_future_record_warns() -> None:
    plan = plan_of()
    assert judged(checks.check_time_index(plan, {A: 15}, Taste(), {A: NOW}, NOW))[0] == "PASSED"
    assert judged(checks.check_time_index(plan, {A: -1}, Taste(), {}, NOW))[0] == "PASSED"
    assert judged(checks.check_time_index(plan, {A: 5}, Taste(), {}, NOW))[0] == "FAILED"
    found = judged(checks.check_time_index(plan, {A: 15}, Taste(), {A: NOW + DAY}, NOW))
    assert found[0] == "WARNING"
    assert "1d 00h in the future" in found[1]


def test_a_window_of_a_compacted_topic_is_not_its_state() -> None:
    found = checks.check_compaction(plan_of(cleanup_policy="compact,delete").topics)
    assert judged(found)[0] == "WARNING"
    assert judged(checks.check_compaction(plan_of().topics))[0] == "PASSED"


def test_what_to_expect_is_said_in_figures() -> None:
    found = list(checks.check_expected(expected(records_per_second=2.0, bytes_per_second=2000.0), plan_of(), []))
    assert [check.status for check in found] == ["PASSED", "PASSED"]
    assert found[0].detail == "about 10 records, 1.0 kB: 2.0 records/s, 2.0 kB/s in its own time"
    assert found[0].where == "1 topic, 1 partition"


def test_an_empty_window_and_topics_that_were_not_tasted_are_warnings() -> None:
    assert "check --from and --to" in next(checks.check_expected(expected(records=0), plan_of(), [])).detail
    assert "not counted, as no record came: a" in next(checks.check_expected(expected(), plan_of(), ["a"])).detail


def test_the_disk_must_have_room_and_be_ours(tmp_path: Path) -> None:
    new = tmp_path / "deep" / "new"
    assert checks.check_disk(expected(), new).status == "PASSED"
    assert checks.check_disk(expected(capture_bytes=2**60), new).status == "FAILED"
    assert "exists already" in checks.check_disk(expected(), tmp_path).detail
    with without_rights(tmp_path, mode=0o555):
        assert "we may not write" in checks.check_disk(expected(), new).detail
