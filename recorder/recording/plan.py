"""Which offsets a window means: chosen once, before the first record is read.

End offsets are taken before the time look-ups, or records appended between the two would be lost. A time look-up is
exact for the window's start, where all before it is older. For the end it is only a hint, since CreateTime does not
grow with the offset: one record from a clock that runs ahead, long before the window, would end it too early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recorder.capture.selection import compile_pattern, require_known
from recorder.errors import UsageError
from recorder.kafka.cluster import Cluster, TopicFacts
from recorder.kafka.offsets import NOTHING_THAT_LATE, Place, at_time, log_ends, log_starts
from recorder.window import Window


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets to read of one partition: `[start, end)`; an end of None is not known yet (the window is open)."""

    start: int
    end: int | None
    hint: int | None
    """The first offset beyond the window's end and slack by time: from here on, reading may stop before `end`."""
    log_start: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read: topics as they stand, and a span for every partition, empty ones included."""

    topics: dict[str, TopicFacts]
    spans: dict[Place, Span]
    window: Window
    late_slack_ms: int | None

    @property
    def offsets(self) -> int | None:
        """About how many offsets there are to read; None when the window is still open."""
        total = 0
        for span in self.spans.values():
            if span.end is None:
                return None
            total += max(0, (span.end if span.hint is None else span.hint) - span.start)
        return total


def select_topics(
    known: Sequence[str], names: Sequence[str], patterns: Sequence[str], excludes: Sequence[str]
) -> list[str]:
    """Topics named literally or matched whole by a pattern; internal ones (`__…`) only when named.

    Raises UsageError for a name that is not there (with those that are near) and for a choice of nothing.
    """
    for name in names:
        require_known(name, known, "the cluster (or we may not see it)")
    include, exclude = [compile_pattern(p) for p in patterns], [compile_pattern(p) for p in excludes]
    chosen = [
        name
        for name in known
        if (name in names or (not name.startswith("__") and any(p.fullmatch(name) for p in include)))
        and not any(p.fullmatch(name) for p in exclude)
    ]
    if not chosen:
        raise UsageError(f"No topic matches: the cluster has {', '.join(known[:20]) or 'no topics'}.")
    return chosen


def make_plan(
    cluster: Cluster,
    topics: dict[str, TopicFacts],
    window: Window,
    late_slack_ms: int | None,
    *,
    now_ms: int,
    starts_at: Mapping[Place, int] | None = None,
    live: bool = False,
) -> Plan:
    """Look up a window's offsets, but for `starts_at`. Ends stay open when it reaches beyond `now_ms`, or is `live`."""
    places = [(name, partition) for name, facts in topics.items() for partition in facts.partitions]
    live = live if window.to_ms is None else window.to_ms > now_ms
    ends = log_ends(cluster, places)
    lows = log_starts(cluster, places)
    starts = dict(lows)
    if window.from_ms is not None:
        found = at_time(cluster, places, window.from_ms)
        starts = {place: ends[place] if at == NOTHING_THAT_LATE else at for place, at in found.items()}
    starts |= {place: at for place, at in (starts_at or {}).items() if place in starts}
    hints: dict[Place, int] = {}
    if window.to_ms is not None and not live and late_slack_ms is not None:
        found = at_time(cluster, places, window.to_ms + late_slack_ms)
        hints = {place: at for place, at in found.items() if at != NOTHING_THAT_LATE}
    spans = {
        place: Span(
            # A log that was cut or recreated between two questions may end before it starts.
            start=min(starts[place], ends[place]),
            end=None if live else ends[place],
            hint=hints.get(place),
            log_start=lows[place],
        )
        for place in places
    }
    return Plan(topics, spans, window, late_slack_ms)
