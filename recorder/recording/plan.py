"""Which offsets a window means: chosen once, before the first record is read.

End offsets are taken before the time look-ups, or records appended between the two would be lost. A time look-up is
exact for the window's start, where all before it is older. For the end it is only a hint, since CreateTime does not
grow with the offset: one record from a clock that runs ahead, long before the window, would end it too early.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from recorder.capture.manifest import Note
from recorder.capture.selection import compile_pattern, require_known
from recorder.errors import UsageError
from recorder.kafka.cluster import Cluster, TopicFacts
from recorder.kafka.offsets import NOTHING_THAT_LATE, Place, at_time, log_ends, log_starts
from recorder.recording.edges import Edge, check_named, check_order
from recorder.recording.last import Last, last_records
from recorder.recording.request import Request
from recorder.window import Window

FOR_EVER_MS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets to read of one partition: `[start, end)`; an end of None is not known yet (the window is open)."""

    start: int
    end: int | None
    hint: int | None
    """The first offset beyond the window's end and slack by time: from here on, reading may stop before `end`."""
    log_start: int
    """Where the log began; what was asked for before it has expired."""
    window: Window = field(default_factory=lambda: Window(None, None))
    """By time; records outside it are left out."""
    until_ms: int | None = None
    """When a window that is open now will be over."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read: topics as they stand, and a span for every partition, empty ones included."""

    topics: dict[str, TopicFacts]
    spans: dict[Place, Span]
    window: Window
    """Holds the windows of all partitions."""
    late_slack_ms: int | None
    notes: tuple[Note, ...] = ()
    """What of the window can't be had."""

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


def make_plan(cluster: Cluster, topics: dict[str, TopicFacts], request: Request, *, now_ms: int) -> Plan:
    """Look up the offsets of what `request` asks for. Ends stay open where windows reach beyond `now_ms`, or are live.

    Raises UsageError where the request contradicts itself or names what is not there.
    """
    places = [(name, partition) for name, facts in topics.items() for partition in facts.partitions]
    from_, to = _edges(request, topics, places)
    windows = {place: Window(from_[place].time_ms, to[place].time_ms) for place in places}
    ends = log_ends(cluster, places)
    lows = log_starts(cluster, places)
    until = _open_windows(to, live=request.live, now_ms=now_ms)
    stops = {place: _stop(to[place], ends[place], open_=place in until) for place in places}
    hints: dict[Place, int] = {}
    notes: list[Note] = []
    if request.last is not None and not request.starts:
        stops |= _exact(cluster, {place: windows[place] for place in places if place not in until})
        logs = {place: (lows[place], _known(stops[place], ends[place])) for place in places}
        found = last_records(cluster.connection, logs, request.last, request.isolation)
        starts = {place: last.start for place, last in found.items()}
        notes += _fewer(found, request.last)
    else:
        starts = _starts(cluster, from_, lows, ends)
        past = {place: window for place, window in windows.items() if place not in until}
        hints = _hints(cluster, past, request.late_slack_ms)
        notes += _unheld(from_, to, lows, ends, until)
    starts |= {place: at for place, at in (request.starts or {}).items() if place in starts}
    spans = {
        place: Span(
            # A log that was cut or recreated between two questions may end before it starts.
            start=min(starts[place], _known(stops[place], ends[place])),
            end=stops[place],
            hint=hints.get(place),
            log_start=lows[place],
            window=windows[place],
            until_ms=until.get(place),
        )
        for place in places
    }
    return Plan(topics, spans, _hull(windows.values()), request.late_slack_ms, tuple(notes))


def _edges(
    request: Request, topics: Mapping[str, TopicFacts], places: Sequence[Place]
) -> tuple[dict[Place, Edge], dict[Place, Edge]]:
    known = {name: facts.partitions for name, facts in topics.items()}
    found: list[dict[Place, Edge]] = []
    for edges, option in zip(request.edges(), ("--from", "--to"), strict=True):
        check_named(edges, option, known)
        found.append({place: edge for place in places if (edge := edges.at(place)) is not None})
    from_, to = found
    for place in places:
        check_order(place, from_[place], to[place])
    return from_, to


def _open_windows(to: Mapping[Place, Edge], *, live: bool, now_ms: int) -> dict[Place, int]:
    """When the windows that are not over yet will be."""
    future = {place: edge.time_ms for place, edge in to.items() if edge.time_ms is not None and edge.time_ms > now_ms}
    endless = {place: FOR_EVER_MS for place, edge in to.items() if edge.time_ms is None} if live else {}
    return future | endless


def _stop(to: Edge, log_end: int, *, open_: bool) -> int | None:
    """Where reading ends; None: not known yet."""
    if open_:
        return to.offset
    return log_end if to.offset is None else min(to.offset, log_end)


def _known(stop: int | None, log_end: int) -> int:
    return log_end if stop is None else min(stop, log_end)


def _starts(
    cluster: Cluster, from_: Mapping[Place, Edge], lows: Mapping[Place, int], ends: Mapping[Place, int]
) -> dict[Place, int]:
    found = at_time(cluster, {place: edge.time_ms for place, edge in from_.items() if edge.time_ms is not None})
    starts = {place: lows[place] if edge.offset is None else edge.offset for place, edge in from_.items()}
    return starts | {place: ends[place] if at == NOTHING_THAT_LATE else at for place, at in found.items()}


def _hints(cluster: Cluster, windows: Mapping[Place, Window], slack_ms: int | None) -> dict[Place, int]:
    if slack_ms is None:
        return {}
    over = {place: window.to_ms + slack_ms for place, window in windows.items() if window.to_ms is not None}
    return {place: at for place, at in at_time(cluster, over).items() if at != NOTHING_THAT_LATE}


def _exact(cluster: Cluster, windows: Mapping[Place, Window]) -> dict[Place, int]:
    """The last records before a time are those before the first record at or after it: late ones would be more."""
    over = {place: window.to_ms for place, window in windows.items() if window.to_ms is not None}
    return {place: at for place, at in at_time(cluster, over).items() if at != NOTHING_THAT_LATE}


def _fewer(found: Mapping[Place, Last], wanted: int) -> Iterator[Note]:
    for (topic, partition), last in found.items():
        if last.records < wanted:
            text = f"its log holds only {last.records:,} of the {wanted:,} last records that were asked for"
            yield Note(level="info", text=text, topic=topic, partition=partition)


def _unheld(
    from_: Mapping[Place, Edge],
    to: Mapping[Place, Edge],
    lows: Mapping[Place, int],
    ends: Mapping[Place, int],
    until: Mapping[Place, int],
) -> Iterator[Note]:
    """Offsets that were asked for, where the log does not hold them."""
    for place, low in lows.items():
        first, stop, end = from_[place].offset, to[place].offset, ends[place]
        texts = []
        if first is not None and first < low:
            texts.append(f"offset {first} was asked for, but its log begins at {low}: what lay before has expired")
        if first is not None and first > end:
            texts.append(f"offset {first} was asked for, but its log ends at {end}: recording begins there")
        if stop is not None and stop <= low:
            texts.append(f"its log begins at {low}: nothing before offset {stop} is left")
        if stop is not None and stop > end and place not in until:
            texts.append(f"its log ends at {end}, before offset {stop}")
        for text in texts:
            yield Note(level="warning", text=text, topic=place[0], partition=place[1])


def _hull(windows: Iterable[Window]) -> Window:
    """The smallest window that holds all of them."""
    windows = list(windows)
    starts = [window.from_ms for window in windows if window.from_ms is not None]
    ends = [window.to_ms for window in windows if window.to_ms is not None]
    return Window(
        min(starts, default=None) if len(starts) == len(windows) else None,
        max(ends, default=None) if len(ends) == len(windows) else None,
    )
