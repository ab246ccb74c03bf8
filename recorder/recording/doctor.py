"""What a recording would meet and come to, found out before it starts: asks, reads a little, changes nothing.

What can't be known without more rights, or at all, is SKIPPED and says so; nothing is guessed in silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.verify import Check, failed
from recorder.errors import BlackboxError, KafkaUnavailableError
from recorder.kafka.cluster import Cluster, TopicFacts
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import NOTHING_THAT_LATE, Place, at_time, log_ends
from recorder.kafka.probing import ClockBounds, answers, clock_bounds, newest_times, readable_ends, taste
from recorder.recording import checks
from recorder.recording.estimate import Expected, expect, weigh
from recorder.recording.plan import Plan, make_plan, select_topics
from recorder.recording.request import Request

CLOCK_SECONDS = 2.0
TASTE_SECONDS = 1.0
_TASTE_BYTES = 16 << 20
_TASTE_RECORDS = 20_000
_TASTE_PLACES = 64
_PLACES_PER_TOPIC = 4
_LATELY_MS = 60_000
_LATEST_RECORDS = 1_000
_COMMITS = "__consumer_offsets"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks, and what to expect of the recording (None when that can't be said)."""

    checks: list[Check]
    expected: Expected | None = None

    @property
    def failed(self) -> bool:
        return failed(self.checks)


@dataclass(frozen=True, slots=True)
class Extent:
    """A plan in figures: how many offsets of each partition lie in the window, and are to be read for it."""

    ends: dict[Place, int]
    """The high watermarks now."""
    lasts: dict[Place, int]
    """Where the window ends, by look-up; NOTHING_THAT_LATE where it ends with the log."""
    inside: dict[Place, float]
    reading: dict[Place, float]
    window_seconds: float | None
    wait_seconds: float


def diagnose(
    connection: Connection,
    request: Request | None,
    directory: Path,
    *,
    cap_bytes_per_second: float | None = None,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Diagnosis:
    """Look at a cluster and, with a `request`, at the recording that it asks for, to be written to `directory`.

    What is wrong becomes a FAILED check; only settings that no client can take raise UsageError.
    """
    try:
        cluster = Cluster(connection)
        cluster.names()
    except KafkaUnavailableError as error:
        return Diagnosis([Check("connection", "FAILED", connection.bootstrap, str(error))])
    found = [*checks.check_brokers(answers(cluster)), checks.check_protocol(connection, cluster.brokers)]
    if request is None:
        clock = checks.check_clock(_compare_clocks(cluster, {}, now_ms), connection.bootstrap, CLOCK_SECONDS)
        return Diagnosis([*found, clock])
    try:
        chosen = select_topics(cluster.names(), request.names, request.patterns, request.excludes)
        topics = cluster.topics(chosen)
        plan = make_plan(cluster, topics, request, now_ms=now_ms())
        extent = measure(cluster, plan, now_ms())
    except BlackboxError as error:
        return Diagnosis([*found, Check("topics", "FAILED", connection.bootstrap, str(error))])
    tasted = taste(
        connection,
        choose_places(plan, extent),
        records=max(20, _TASTE_RECORDS // max(1, len(plan.spans))),
        max_bytes=_TASTE_BYTES,
        seconds=TASTE_SECONDS,
    )
    weights = weigh(tasted.messages)
    expected = expect(
        extent.inside,
        extent.reading,
        weights,
        read_bytes_per_second=tasted.bytes_per_second,
        cap_bytes_per_second=cap_bytes_per_second,
        window_seconds=extent.window_seconds,
        wait_seconds=extent.wait_seconds,
    )
    untasted = sorted({topic for (topic, _), count in extent.inside.items() if count and topic not in weights})
    clock = checks.check_clock(_compare_clocks(cluster, topics, now_ms), connection.bootstrap, CLOCK_SECONDS)
    newest = newest_times(cluster, plan.spans)
    found += [
        clock,
        *checks.check_rights(topics, tasted),
        *checks.check_time_index(plan, extent.lasts, tasted, newest, now_ms()),
        *checks.check_retention(plan, now_ms()),
        *checks.check_transactions(plan, extent.ends, readable_ends(cluster, plan.spans)),
        *checks.check_compaction(topics),
        *checks.check_expected(expected, plan, untasted),
        checks.check_disk(expected, directory),
    ]
    return Diagnosis(found, expected)


def measure(cluster: Cluster, plan: Plan, now_ms: int) -> Extent:
    """Count offsets; what a window that reaches into the future will hold is guessed from the last minute."""
    window = plan.window
    ends = log_ends(cluster, plan.spans)
    live = window.to_ms is not None and window.to_ms > now_ms
    lasts = dict.fromkeys(plan.spans, NOTHING_THAT_LATE)
    if window.to_ms is not None and not live:
        lasts = at_time(cluster, dict.fromkeys(plan.spans, window.to_ms))
    coming = dict.fromkeys(plan.spans, 0.0)
    if live and window.to_ms is not None:
        share = (window.to_ms - max(now_ms, window.from_ms or now_ms)) / _LATELY_MS
        lately = at_time(cluster, dict.fromkeys(plan.spans, now_ms - _LATELY_MS))
        coming = {place: share * (ends[place] - at) for place, at in lately.items() if at != NOTHING_THAT_LATE}
    inside, reading = {}, {}
    for place, span in plan.spans.items():
        end = ends[place] if span.end is None else span.end
        last = end if lasts[place] == NOTHING_THAT_LATE else lasts[place]
        more = coming.get(place, 0.0)
        inside[place] = max(0, last - span.start) + more
        reading[place] = max(0, (end if span.hint is None else span.hint) - span.start) + more
    to_ms = now_ms if window.to_ms is None else window.to_ms
    return Extent(
        ends=ends,
        lasts=lasts,
        inside=inside,
        reading=reading,
        window_seconds=None if window.from_ms is None else (to_ms - window.from_ms) / 1000,
        wait_seconds=max(0, to_ms - now_ms) / 1000,
    )


def choose_places(plan: Plan, extent: Extent) -> dict[Place, tuple[int, int]]:
    """Which offsets to taste: of each topic its fullest partitions, the first from the start, others from further in.

    A topic without records there is read at its end, which shows whether we may; of a window that is still open, what
    came last stands for what will come.
    """
    each = max(1, min(_PLACES_PER_TOPIC, _TASTE_PLACES // max(1, len(plan.topics))))
    spans: dict[Place, tuple[int, int]] = {}
    for name, facts in plan.topics.items():
        places = [(name, partition) for partition in facts.partitions]
        full = sorted((place for place in places if extent.inside[place] >= 1), key=lambda place: -extent.inside[place])
        for index, place in enumerate(full[:each] or places[:1]):
            span, end = plan.spans[place], extent.ends[place]
            start = span.start if span.end is not None else max(span.log_start, end - _LATEST_RECORDS)
            length = min(int(extent.inside[place]), end - start) if span.end is not None else end - start
            spans[place] = (start + length * index // each, start + length)
    return spans


def _compare_clocks(
    cluster: Cluster, topics: Mapping[str, TopicFacts], now_ms: Callable[[], int]
) -> ClockBounds | None:
    stamped = [facts for facts in topics.values() if _stamped_by_brokers(facts)]
    if _COMMITS not in topics:
        stamped += cluster.topics([_COMMITS]).values()  # brokers stamp what groups commit
    places = [(facts.name, partition) for facts in stamped for partition in facts.partitions]
    return clock_bounds(cluster, places, CLOCK_SECONDS, now_ms) if places else None


def _stamped_by_brokers(facts: TopicFacts) -> bool:
    return facts.name == _COMMITS or (facts.effective or {}).get("message.timestamp.type") == "LogAppendTime"
