"""Which records of a capture are meant: topics, partitions, keys and a window, as typed or as exact values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from recorder.capture.manifest import Manifest, Topic
from recorder.errors import UsageError
from recorder.window import Window, parse_time


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records of a capture are meant; the default is all of them.

    `topics` are exact names, `keys` exact bytes; the window is by the records' own timestamps.
    """

    topics: tuple[str, ...] = ()
    partitions: tuple[int, ...] = ()
    keys: tuple[bytes, ...] = ()
    window: Window = field(default_factory=lambda: Window(None, None))
    aborted: bool = True
    """Also records that are marked as those of aborted transactions (FORMAT.md 24)."""

    def wants(self, topic: str, partition: int) -> bool:
        return (not self.topics or topic in self.topics) and (not self.partitions or partition in self.partitions)


def typed_selection(
    manifest: Manifest,
    *,
    names: Sequence[str] = (),
    patterns: Sequence[str] = (),
    excludes: Sequence[str] = (),
    partitions: Sequence[int] = (),
    keys: Sequence[str | bytes] = (),
    from_text: str | None = None,
    to_text: str | None = None,
    tz: str | None = None,
) -> Selection:
    """A selection from what was typed; relative times count from the capture's last moment. Raises UsageError."""
    some = bool(names or patterns or excludes)
    topics = select_topics(manifest, names, patterns, excludes) if some else manifest.topics
    known = {partition.partition for topic in topics for partition in topic.partitions}
    for number in partitions:
        if number not in known:
            raise UsageError(f"There is no partition {number} in these topics: they have {_ranges(known)}.")
    end_ms = last_moment(manifest)
    times = [None if text is None else parse_time(text, now_ms=end_ms, tz=tz) for text in (from_text, to_text)]
    return Selection(
        topics=tuple(topic.name for topic in topics) if some else (),
        partitions=tuple(partitions),
        keys=tuple(key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape") for key in keys),
        window=Window(*times),
    )


def select_topics(
    manifest: Manifest, names: Sequence[str], patterns: Sequence[str], excludes: Sequence[str] = ()
) -> tuple[Topic, ...]:
    """Topics named literally or matched whole by a pattern, all when neither is given, but not those that an exclude
    matches whole. Raises UsageError for none.
    """
    known = [topic.name for topic in manifest.topics]
    for name in names:
        require_known(name, known, "this capture")
    expressions = [compile_pattern(pattern) for pattern in patterns]
    unwanted = [compile_pattern(pattern) for pattern in excludes]
    chosen = tuple(
        topic
        for topic in manifest.topics
        if (not (names or patterns) or topic.name in names or any(e.fullmatch(topic.name) for e in expressions))
        and not any(e.fullmatch(topic.name) for e in unwanted)
    )
    if not chosen and (patterns or excludes):
        raise UsageError(f"No topic of this capture matches: it holds {', '.join(known) or 'no topics'}.")
    return chosen


def last_moment(manifest: Manifest) -> int:
    """Epoch ms just after the capture's last record; what `now` and `-15m` mean when looking at a capture.

    Timestamps beyond the end of the window or of the recording are a producer's mistake and don't count.
    """
    window = manifest.window
    limit = min(manifest.created_at_ms, window.to_ms if window.to_ms is not None else manifest.created_at_ms)
    newest = [p.max_timestamp_ms for _, p in manifest.topic_partitions() if p.max_timestamp_ms is not None]
    return min(max(newest) + 1, limit) if newest else limit


def require_known(name: str, known: Sequence[str], where: str) -> None:
    """UsageError when `name` is not among `known`, with the names that are near."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known[:20]) or 'no topics'}."
        raise UsageError(f"There is no topic {name} in {where}: {hint}")


def _ranges(numbers: Collection[int]) -> str:
    """``0 to 11``, or a list when there are holes."""
    if len(numbers) > 2 and max(numbers) - min(numbers) + 1 == len(numbers):
        return f"{min(numbers)} to {max(numbers)}"
    return ", ".join(map(str, sorted(numbers)[:20])) or "none"


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression as typed; UsageError when it isn't one."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UsageError(f"'{pattern}' is not a regular expression: {error}.") from None
