"""What a recording would meet, looked at before it starts: checks that say where and what to do, and what to expect.

Read only. What can't be known without more rights, or at all, is SKIPPED and says so; nothing is guessed in silence.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.verify import Check
from recorder.errors import BlackboxError, KafkaUnavailableError
from recorder.kafka.cluster import Cluster, TopicFacts
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import NOTHING_THAT_LATE, Place, at_time, log_ends
from recorder.kafka.probing import Answer, Taste, answers, clock_bounds, newest_times, readable_ends, taste
from recorder.recording.estimate import Expected, expect, weigh
from recorder.recording.plan import Plan, make_plan, select_topics
from recorder.recording.request import Request
from recorder.window import format_duration, format_time

CLOCK_SECONDS = 2.0
TASTE_SECONDS = 1.0
_TASTE_BYTES = 16 << 20
_TASTE_RECORDS = 20_000
_TASTE_PLACES = 64
_PLACES_PER_TOPIC = 4
_FAR_SECONDS = 0.25
_CLOCK_TOLERANCE_MS = 1_000
_RATE_MS = 60_000
_SOON_MS = 3_600_000
_FULL = 0.8
_LOOPBACK = ("127.", "localhost:", "[::1]:")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks, and what to expect of the recording (None when that can't be said)."""

    checks: list[Check]
    expected: Expected | None = None


def diagnose(
    connection: Connection,
    request: Request | None,
    directory: Path,
    *,
    cap_bytes_per_second: float | None = None,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Diagnosis:
    """Look at a cluster and, with a `request`, at the recording that it asks for, to be written to `directory`.

    What is wrong is a FAILED check, not an exception; only settings that no client takes raise UsageError.
    """
    checks: list[Check] = []
    try:
        cluster = Cluster(connection)
        cluster.names()
    except KafkaUnavailableError as error:
        return Diagnosis([Check("connection", "FAILED", connection.bootstrap, str(error))])
    checks += check_brokers(answers(cluster))
    checks.append(check_protocol(connection, cluster.brokers))
    if request is None:
        checks.append(_check_clock(cluster, {}, now_ms))
        return Diagnosis(checks)
    try:
        chosen = select_topics(cluster.names(), request.names, request.patterns, request.excludes)
        topics = cluster.topics(chosen)
        plan = make_plan(cluster, topics, request.window, request.late_slack_ms, now_ms=now_ms())
        window = _Window.of(cluster, plan, now_ms())
    except BlackboxError as error:
        return Diagnosis([*checks, Check("topics", "FAILED", connection.bootstrap, str(error))])
    tasted = _taste(connection, plan, window.ends)
    checks += check_rights(topics, tasted)
    checks.append(_check_clock(cluster, topics, now_ms))
    checks += check_time_index(plan, tasted, newest_times(cluster, plan.spans), now_ms())
    checks += check_retention(plan, now_ms())
    checks += check_transactions(plan, window.ends, readable_ends(cluster, plan.spans))
    checks += check_compaction(topics)
    expected = window.expect(tasted, cap_bytes_per_second)
    checks += check_expected(expected, plan, tasted)
    checks.append(check_disk(expected, directory))
    return Diagnosis(checks, expected)


def check_brokers(found: list[Answer]) -> Iterator[Check]:
    """One check for each broker."""
    for answer in found:
        where = f"broker {answer.broker} ({answer.address})"
        if answer.problem:
            advice = "The cluster advertises this address: it must be reachable from here, too"
            yield Check("connection", "FAILED", where, f"{answer.problem} {advice}.")
            continue
        connect, reply = format_duration(answer.connect_seconds * 1000), format_duration(answer.answer_seconds * 1000)
        detail = f"answers in {reply}, connected in {connect}"
        if answer.answer_seconds > _FAR_SECONDS:
            yield Check("connection", "WARNING", where, f"{detail}: far away or busy; recording nearer is faster")
        else:
            yield Check("connection", "PASSED", where, detail)


def check_protocol(connection: Connection, brokers: Mapping[int, str]) -> Check:
    """Is what we read protected on its way?"""
    settings = connection.settings
    protocol = settings.get("security.protocol", "PLAINTEXT").upper()
    mechanism = settings.get("sasl.mechanism", settings.get("sasl.mechanisms", "GSSAPI"))
    detail = f"{protocol} with {mechanism}" if "SASL" in protocol else protocol
    unchecked = settings.get("enable.ssl.certificate.verification", "true").lower() == "false"
    if "PLAINTEXT" in protocol and not all(address.startswith(_LOOPBACK) for address in brokers.values()):
        detail += ": records cross the network unencrypted; use SSL or SASL_SSL if the cluster offers it"
    elif unchecked or settings.get("ssl.endpoint.identification.algorithm") == "none":
        detail += ": nobody checks that the broker is who it says; give its authority in ssl.ca.location instead"
    else:
        return Check("security", "PASSED", connection.bootstrap, detail)
    return Check("security", "WARNING", connection.bootstrap, detail)


def check_rights(topics: Mapping[str, TopicFacts], tasted: Taste) -> Iterator[Check]:
    """READ is needed, tried by reading; knowing a topic's configuration is only welcome."""
    for name, facts in topics.items():
        problems = [text for place, text in tasted.problems.items() if place[0] == name]
        if name in tasted.denied:
            yield Check("rights", "FAILED", name, "we may not read it: ask for READ on the topic, or leave it out")
        elif problems:
            yield Check("rights", "FAILED", name, f"reading it failed: {problems[0]}")
        elif any(place[0] == name for place in tasted.silent):
            yield Check("rights", "WARNING", name, "no record came in time: is a broker down, or the network slow?")
        else:
            yield Check("rights", "PASSED", name, "we may read it")
        if facts.effective is None:
            unknown = "we may not read its configuration: whether it is compacted and how long it keeps records is "
            yield Check("rights", "WARNING", name, f"{unknown}unknown (DescribeConfigs would tell)")


def _check_clock(cluster: Cluster, topics: Mapping[str, TopicFacts], now_ms: Callable[[], int]) -> Check:
    where = cluster.connection.bootstrap
    stamped = [(name, partition) for name, facts in topics.items() if _stamped(facts) for partition in facts.partitions]
    # The brokers themselves stamp what groups commit.
    stamped += [place for place in cluster.places("__consumer_offsets") if place not in stamped]
    bounds = clock_bounds(cluster, stamped, CLOCK_SECONDS, now_ms) if stamped else None
    if bounds is None:
        return Check(
            "clock",
            "SKIPPED",
            where,
            "Kafka tells no time, and no record that a broker stamps (LogAppendTime, commits of groups) arrived "
            f"within {CLOCK_SECONDS:.0f} s: make sure that this machine's clock is right",
        )
    middle, half = bounds.middle_ms, (bounds.high_ms - bounds.low_ms) / 2
    side = "behind" if middle > 0 else "ahead of"
    detail = f"this clock is {format_duration(abs(middle))} (± {format_duration(half)}) {side} the brokers'"
    if abs(middle) - half <= _CLOCK_TOLERANCE_MS:
        return Check("clock", "PASSED", where, detail)
    return Check("clock", "WARNING", where, f"{detail}: -15m and now mean other moments there; give times as they are")


def _stamped(facts: TopicFacts) -> bool:
    return (facts.effective or {}).get("message.timestamp.type") == "LogAppendTime"
