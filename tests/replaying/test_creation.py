"""Topics that a replay creates: as recorded, but for what was asked for."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.kafka.target import KAFKA_DEFAULTS, NewTopicPlan, TargetTopic
from recorder.replaying.creation import check_named, parse_partitions_of, parse_topic_config, plan_topic
from recorder.replaying.options import Options
from recorder.replaying.preflight import check_creation, check_space, combine
from recorder.replaying.routes import plan_routes
from recorder.replaying.space import Space, compressed_share, compresses
from recorder.replaying.survey import survey
from tests.builders import T0, make_capture, record


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    return make_capture(tmp_path / "c", [record("orders", i % 2, T0 + i, "k", "v" * 500) for i in range(100)])


def planned(capture: Capture, options: Options, *, brokers: int = 3) -> NewTopicPlan:
    routes = plan_routes([capture], options)
    config = {"cleanup.policy": "compact", "retention.ms": "1000", "segment.bytes": "1048576"}
    routes.topics = (msgspec.structs.replace(routes.topics[0], config=config),)
    found = combine(survey(routes, options, start_ms=T0), routes, "orders")
    return plan_topic("orders", routes, found, options, brokers=brokers, defaults=KAFKA_DEFAULTS)


def test_what_is_asked_for_wins_over_what_was_recorded(capture: Capture) -> None:
    assert (planned(capture, Options()).partitions, planned(capture, Options()).replicas) == (2, 3)
    options = Options(
        create_topics=True,
        topic_config=parse_topic_config(["orders:cleanup.policy=delete", "*:retention.ms=-1", "*:cleanup.policy=x"]),
        partitions_of=parse_partitions_of(["orders=12"]),
        replication_factor=2,
    )
    plan = planned(capture, options)
    assert (plan.partitions, plan.replicas) == (12, 2)
    assert plan.config == {"cleanup.policy": "delete", "retention.ms": "-1", "segment.bytes": "1048576"}
    assert "as asked for: cleanup.policy, retention.ms" in plan.notes


def test_trap_22_what_cannot_be_created_is_found_before(capture: Capture) -> None:
    options = Options(create_topics=True, replication_factor=3, partitions_of={"payments": 4})
    there = TargetTopic(name="payments", partitions=1, settings={}, in_sync=1, may_write=True)
    new = {"orders": planned(capture, options)}
    found = list(check_creation(new, {"payments": there}, options, 1, refused={"orders": ("No", "Ask.")}))
    assert [(finding.severity, finding.topic) for finding in found] == [("error", "orders"), ("warning", "payments")]
    assert "needs as many brokers" in found[0].what and "--replication-factor 1" in found[0].fix
    assert "exists already" in found[1].what
    refused, _ = check_creation(new, {"payments": there}, options, 3, refused={"orders": ("No", "Ask.")})
    assert (refused.severity, refused.what, refused.fix) == ("error", "No", "Ask.")


def test_trap_22_the_disk_and_what_a_topic_keeps_of_it(capture: Capture) -> None:
    assert 0 < compressed_share([capture]) < 0.5
    assert compresses({"compression.type": "zstd"}, None) and compresses({"compression.type": "producer"}, "lz4")
    assert not compresses({"compression.type": "uncompressed"}, "lz4") and not compresses(None, "none")
    space = Space(target="orders", bytes=10_000, replicas=3, share=0.5)
    assert space.on_disk == 15_000
    small = {"orders": {"retention.bytes": "2000"}}
    (finding,) = check_space([space], {"orders": 2}, small)
    assert "retention.bytes keeps 2,000 bytes a partition, and this brings about 2,500" in finding.what
    assert not list(check_space([space], {"orders": 3}, small))


@pytest.mark.parametrize(
    "texts", [["orders"], ["orders:x"], ["or ders:a=b"], ["orders:a=1", "orders:a=2"], ["*:retention.ms=1d"]]
)
def test_settings_that_are_none_are_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="--topic-config"):
        parse_topic_config(texts)


@pytest.mark.parametrize("texts", [["orders"], ["orders=0"], ["orders=x"], ["orders=1", "orders=2"]])
def test_counts_that_are_none_are_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError, match="--partitions-of"):
        parse_partitions_of(texts)


def test_settings_need_a_topic_that_is_written_to_and_the_word_to_create_it() -> None:
    for options in (
        Options(create_topics=True, topic_config={"x": {}}),
        Options(create_topics=True, partitions_of={"x": 1}),
    ):
        with pytest.raises(UsageError, match="names x, which this replay does not write to: orders"):
            check_named(options, ["orders"])
    with pytest.raises(UsageError, match="give --create-topics, too"):
        Options(replication_factor=1)
