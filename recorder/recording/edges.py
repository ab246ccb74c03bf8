"""Where a window starts and ends, as typed: for all topics, for one, or for one partition; by time or by offset.

`--from -15m --from payments.audit=beginning --from payments.audit/3=offset:1200`: the nearest one counts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from recorder.errors import UsageError
from recorder.kafka.offsets import Place
from recorder.window import TIME_FORMS, format_time, parse_time

FORMS = f"{TIME_FORMS}, or offset:N"
_NAMED = re.compile(r"(?P<topic>[a-zA-Z0-9._-]+)(?:/(?P<partition>\d{1,9}))?=(?P<edge>.*)", re.ASCII)
_OPEN = {"--from": ("beginning", "earliest"), "--to": ("end", "latest")}


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of a window: at a time (ms), at an offset, or, with neither, where the log begins or ends."""

    time_ms: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        return f"offset {self.offset}" if self.offset is not None else format_time(self.time_ms or 0)


@dataclass(frozen=True, slots=True)
class Edges:
    """The same end of every partition's window; `default` is None when only named topics have one."""

    default: Edge | None = field(default_factory=Edge)
    named: Mapping[tuple[str, int | None], Edge] = field(default_factory=dict)
    """By topic and partition; None: all its partitions."""

    def at(self, place: Place) -> Edge | None:
        """The edge of one partition: its own, its topic's, or the default."""
        return self.named.get(place) or self.named.get((place[0], None)) or self.default


def parse_edges(texts: Sequence[str], option: str, tz: str | None, *, now_ms: int | None = None) -> Edges:
    """The edges of all `--from`, or of all `--to`, that were typed. Raises UsageError."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    default: Edge | None = None
    named: dict[tuple[str, int | None], Edge] = {}
    for text in texts:
        match = _NAMED.fullmatch(text)
        edge = _parse(match["edge"] if match else text, option, tz, now_ms)
        if match is None:
            if default is not None:
                raise UsageError(f"{option} is given twice for all topics: name one of them ({option} TOPIC={text}).")
            default = edge
            continue
        where = (match["topic"], int(match["partition"]) if match["partition"] else None)
        if where in named:
            raise UsageError(f"{option} is given twice for {text.partition('=')[0]}: give it once.")
        named[where] = edge
    return Edges(default, named)


def check_named(edges: Edges, option: str, partitions: Mapping[str, Collection[int]]) -> None:
    """UsageError when an edge is of a topic or partition that is not recorded, or a topic has none."""
    for topic, partition in edges.named:
        if topic not in partitions:
            raise UsageError(f"{option} names {topic}, which is not among the topics to record: add -t {topic}.")
        if partition is not None and partition not in partitions[topic]:
            raise UsageError(f"{option} names {topic}/{partition}, but there are only {len(partitions[topic])}.")
    without = [
        name
        for name, numbers in partitions.items()
        if edges.default is None and any(edges.at((name, number)) is None for number in numbers)
    ]
    if without:
        shown = ", ".join(without[:5]) + ("…" if len(without) > 5 else "")
        raise UsageError(f"{option} says nothing of {shown}: add one without a topic, which counts for all others.")


def check_order(place: Place, start: Edge, end: Edge) -> None:
    """UsageError when a window by offsets is empty or ends before it starts; `Window` does so for times."""
    if start.offset is not None and end.offset is not None and end.offset <= start.offset:
        what = "is empty" if end.offset == start.offset else "ends before it starts"
        raise UsageError(
            f"The window {start} to {end} of {place[0]}/{place[1]} {what}: give a --to that is larger than --from."
        )


def _parse(text: str, option: str, tz: str | None, now_ms: int) -> Edge:
    if text in _OPEN[option]:
        return Edge()
    if text.startswith("offset:"):
        number = text.removeprefix("offset:")
        if not re.fullmatch(r"\d{1,19}", number, re.ASCII) or int(number) >= 2**63:
            raise UsageError(f"'{text}' is not an offset: write for example {option} offset:1200.")
        return Edge(offset=int(number))
    try:
        return Edge(time_ms=parse_time(text, now_ms=now_ms, tz=tz))
    except UsageError:
        if not text or text in {*_OPEN["--from"], *_OPEN["--to"]}:
            raise UsageError(f"{option} can't be '{text}': write {_OPEN[option][0]}, {FORMS}.") from None
        raise
