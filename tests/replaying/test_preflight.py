"""Trap 22: everything that would go wrong, all at once, each with what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from recorder.capture.reader import Capture
from recorder.kafka.target import KAFKA_DEFAULTS, TargetTopic
from recorder.replaying.clusters import check_clusters
from recorder.replaying.creation import plan_topic
from recorder.replaying.findings import Finding
from recorder.replaying.objectives import parse_objectives
from recorder.replaying.options import Options
from recorder.replaying.preflight import check_objectives, check_topics, check_transactions, combine
from recorder.replaying.routes import plan_routes
from recorder.replaying.survey import survey
from tests.builders import T0, make_capture, record

HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """Two partitions and a record of 2,000 bytes, an hour before the replay."""
    rows = [record("orders", 0, T0, "k", b"x" * 2_000), record("orders", 1, T0 + 1_000, None, "v")]
    return make_capture(tmp_path / "c", rows, clean=True)


def test_a_topic_that_suits_gives_no_findings(capture: Capture) -> None:
    assert _check(capture) == []


def test_trap_22_all_findings_come_at_once(capture: Capture) -> None:
    keep = Options(partitions="keep")
    settings = {"max.message.bytes": "1000", "retention.ms": "60000"}
    found = _check(capture, keep, partitions=1, may_write=False, **settings)
    assert [finding.severity for finding in found] == ["error", "error", "error", "warning"]
    assert all(finding.topic == "orders" and finding.fix for finding in found)


@pytest.mark.parametrize(
    ("settings", "severity", "what"),
    [
        ({"max.message.bytes": "1500"}, "error", r"2,031 bytes before compression, max.message.bytes is 1,500"),
        ({"message.timestamp.before.max.ms": "60000"}, "error", r"1h 00m before .* allows 1m 00s"),
        ({"message.timestamp.type": "LogAppendTime"}, "warning", "ours are replaced"),
        ({"retention.ms": "60000"}, "warning", r"1h 00m old, and retention.ms keeps 1m 00s"),
        ({"cleanup.policy": "compact"}, "error", "takes no records without a key; there are 1"),
        ({"min.insync.replicas": "2"}, "error", "1 replica in sync"),
    ],
)
def test_trap_22_each_setting_that_would_hurt_is_found(
    capture: Capture, settings: dict[str, str], severity: str, what: str
) -> None:
    finding = _check(capture, **settings)[0]
    assert finding.severity == severity
    assert _matches(what, finding.what)


def test_trap_22_a_timestamp_in_the_future_is_found(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("orders", 0, T0), record("orders", 0, T0 + 3 * HOUR)], clean=True)
    assert _matches(r"2h 00m after the time of sending", _check(capture)[0].what)
    wild = make_capture(tmp_path / "d", [record("orders", 0, T0), record("orders", 0, T0 * 1_000_000)], clean=True)
    assert _matches(r"more than 1000 years after", _check(wild)[0].what)
    assert _check(wild, Options(timestamps="now")) == []


def test_replaced_timestamps_are_not_judged(capture: Capture) -> None:
    settings = {"message.timestamp.type": "LogAppendTime", "message.timestamp.before.max.ms": "1", "retention.ms": "1"}
    assert [finding.severity for finding in _check(capture, **settings)] == ["warning"]


def test_trap_18_other_partition_counts_are_told_by_what_they_do_to_the_records(capture: Capture) -> None:
    for present in (1, 5):
        (hashed,) = _check(capture, partitions=present)
        assert hashed.severity == "warning" and "Java's hash" in hashed.what
    keep = Options(partitions="keep")
    (fewer,), (more,) = _check(capture, keep, partitions=1), _check(capture, keep, partitions=5)
    assert (fewer.severity, more.severity) == ("error", "warning")
    assert "--partitions 2" in fewer.fix
    assert _check(capture, keep, partitions=2) == _check(capture, Options(partitions="hash"), partitions=2) == []


def test_a_map_that_leads_nowhere_is_an_error(capture: Capture) -> None:
    mapped = Options(partitions="map", partition_map={("orders", 0): 1})
    assert _check(capture, mapped, partitions=2) == []
    beyond, unmapped = _check(capture, mapped, partitions=1)
    assert "orders/0 -> 1" in beyond.what and "does not map 1" in unmapped.what
    assert {beyond.severity, unmapped.severity} == {"error"}


def test_a_missing_topic_is_an_error_only_when_it_would_get_records(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("orders", 0, T0, None, "v")], topics={"empty": 1}, clean=True)
    found = _check(capture, existing={})
    assert {finding.topic: finding.severity for finding in found} == {"orders": "error", "empty": "warning"}
    assert all("--create-topics" in finding.fix for finding in found)


def test_settings_that_may_not_be_read_are_a_warning(capture: Capture) -> None:
    unknown = TargetTopic(name="orders", partitions=2, settings=None, in_sync=None, may_write=None)
    assert [finding.severity for finding in _check(capture, existing={"orders": unknown})] == ["warning"]


def test_an_empty_selection_is_a_warning(tmp_path: Path) -> None:
    found = _check(make_capture(tmp_path / "c", topics={"orders": 2}, clean=True))
    assert _matches("no records", found[0].what)


def test_the_source_cluster_and_raw_captures_are_refused_unless_allowed(tmp_path: Path) -> None:
    raw = make_capture(tmp_path / "raw", [("a", 0, T0, None, None)], cluster_id="prod")
    found = list(check_clusters(raw.manifest, "prod", Options()))
    assert [(finding.severity, finding.refusal) for finding in found] == [("error", True), ("error", True)]
    assert [f.split()[0] for f in (found[0].fix.split("or ")[1], found[1].fix.split("give ")[1])] == [
        "--allow-source-cluster",
        "--allow-raw",
    ]
    assert list(check_clusters(raw.manifest, "prod", Options(allow_source_cluster=True, allow_raw=True))) == []
    clean = make_capture(tmp_path / "clean", [("a", 0, T0, None, None)], cluster_id="prod", clean=True)
    assert list(check_clusters(clean.manifest, "ci", Options())) == []


@pytest.mark.parametrize(("source", "target"), [(None, "ci"), ("prod", None)])
def test_clusters_that_do_not_say_who_they_are_give_a_warning(
    tmp_path: Path, source: str | None, target: str | None
) -> None:
    capture = make_capture(tmp_path / "c", [("a", 0, T0, None, None)], cluster_id=source, clean=True)
    assert [finding.severity for finding in check_clusters(capture.manifest, target, Options())] == ["warning"]


def test_a_created_topic_is_like_the_recorded_one_and_lets_every_record_in(tmp_path: Path) -> None:
    rows = [record("orders", 1, T0, b"k", b"x" * 2_000_000), record("orders", 1, T0 * 1_000_000, b"k", None)]
    capture = make_capture(tmp_path / "c", rows, clean=True)
    topic = capture.manifest.topics[0]
    config = {"retention.ms": "1000", "min.insync.replicas": "2", "segment.bytes": "1048576", "confluent.tier": "x"}
    routes = plan_routes([capture], Options())
    routes.topics = (msgspec.structs.replace(topic, config=config),)
    found = survey(routes, Options(), start_ms=T0 + HOUR)
    plan = plan_topic("orders", routes, combine(found, routes, "orders"), Options(), brokers=1, defaults=KAFKA_DEFAULTS)
    assert (plan.partitions, plan.replicas) == (2, 1)
    assert plan.config == {
        "segment.bytes": "1048576",
        "retention.ms": "-1",
        "min.insync.replicas": "1",
        "max.message.bytes": str(2_000_001 + 30 + 61),
        "message.timestamp.after.max.ms": "9223372036854775807",
    }
    assert "not copied: confluent.tier" in plan.notes
    assert list(check_topics(routes, found, Options(), {}, {"orders": plan}, KAFKA_DEFAULTS)) == []


def test_records_that_no_timestamp_places_are_told_of_before_they_all_go_at_once(tmp_path: Path) -> None:
    after = T0 + 600_000 + 2 * HOUR  # the capture was made long before
    rows = [record("orders", 0, after + second * 1_000, "k", "v") for second in range(3)]
    capture = make_capture(tmp_path / "c", rows, clean=True)
    told = next(finding for finding in _check(capture, Options(timestamps="now")) if finding.topic is None)
    assert told.severity == "warning" and _matches("3 of 3 records have no usable timestamp", told.what)
    assert "--time-basis offset" in told.fix
    assert _check(capture, Options(timestamps="now", top_speed=True)) == []


def test_few_replicas_are_an_error_only_where_some_are_missing(capture: Capture) -> None:
    def found(in_sync: int, replicas: int) -> list[str]:
        settings = {**KAFKA_DEFAULTS, "min.insync.replicas": "2"}
        topic = TargetTopic(
            name="orders", partitions=2, settings=settings, in_sync=in_sync, may_write=True, replicas=replicas
        )
        return [finding.severity for finding in _check(capture, existing={"orders": topic})]

    assert found(in_sync=2, replicas=3) == []
    assert found(in_sync=1, replicas=3) == ["error"]
    assert found(in_sync=1, replicas=1) == ["warning"]  # brokers of today ask for no more copies than there are


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options(objectives=parse_objectives("p99=5ms,drift=1ms,loss=0")), None),
        (Options(objectives=parse_objectives("arrival_p99=5ms,loss=0")), ("arrival_p99", "--probe")),
        (
            Options(objectives=parse_objectives("p99=5ms,round_trip_p50=1s,loss=0,inversions=0"), top_speed=True),
            ("p99", "--rate"),
        ),
    ],
)
def test_an_objective_that_nothing_will_measure_is_told_before_the_replay(
    options: Options, told: tuple[str, str] | None
) -> None:
    found = list(check_objectives(options))
    assert len(found) == (told is not None)
    for finding in found:
        assert told is not None and f"measure {told[0]}," in finding.what and told[1] in finding.fix


def _check(
    capture: Capture,
    options: Options | None = None,
    *,
    existing: Mapping[str, TargetTopic] | None = None,
    partitions: int | None = None,
    may_write: bool | None = True,
    **settings: str,
) -> list[Finding]:
    options = options or Options()
    routes = plan_routes([capture], options)
    found = survey(routes, options, start_ms=T0 + HOUR)
    if existing is None:
        topic = TargetTopic(
            name="orders",
            partitions=routes.partitions["orders"] if partitions is None else partitions,
            settings={**KAFKA_DEFAULTS, **settings},
            in_sync=1,
            may_write=may_write,
        )
        existing = {"orders": topic}
    return list(check_topics(routes, found, options, existing, {}, KAFKA_DEFAULTS))


def _matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None


def test_brokers_that_allow_no_transactions_as_long_as_ours_are_found() -> None:
    (found,) = check_transactions(30_000)
    assert found.severity == "error"
    assert "transaction.max.timeout.ms allows 30,000 ms" in found.sentence()
    assert [*check_transactions(60_000), *check_transactions(None)] == []
