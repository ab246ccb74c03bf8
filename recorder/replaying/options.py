"""What a person may choose about a replay, each choice beside its default."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from recorder.capture.selection import Selection
from recorder.errors import UsageError

Timestamps = Literal["original", "shift", "now"]
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@dataclass(frozen=True, slots=True)
class Options:
    """Choices for one replay; the default sends all records in their own rhythm with their own timestamps."""

    selection: Selection = field(default_factory=Selection)
    """Topics, partitions, keys and a window by the records' own timestamps."""
    excludes: Sequence[str] = ()
    """But no topics whose whole name matches one of these regular expressions."""
    remap: Mapping[str, str] = field(default_factory=dict)
    """Recorded topic to target topic, where they differ."""
    rate: float = 1.0
    """2.0: twice as fast."""
    top_speed: bool = False
    """As fast as the target takes them; `rate` and `max_gap_ms` don't count."""
    max_gap_ms: int | None = None
    """The longest idle stretch to keep, in recorded time."""
    timestamps: Timestamps = "original"
    """`original`: as recorded. `shift`: all moved by the same span, so that the first record's is the replay's start;
    distances stay as recorded, whatever the rate. `now`: the time of sending."""
    create_topics: bool = False
    """Create topics that the target lacks, like the recorded ones."""
    allow_source_cluster: bool = False
    """Write even into the cluster that the capture came from."""
    allow_raw: bool = False
    """Send even a capture that was not scrubbed."""

    def __post_init__(self) -> None:
        if not 0.001 <= self.rate <= 1_000_000:
            raise UsageError(f"--rate {self.rate:g} is not a speed: give a factor such as 0.5, 1 or 10.")
        if self.max_gap_ms is not None and self.max_gap_ms < 0:
            raise UsageError("--max-gap can't be negative.")

    @property
    def pace(self) -> float | None:
        """The rate, or None at top speed."""
        return None if self.top_speed else self.rate


def parse_remap(assignments: Sequence[str]) -> dict[str, str]:
    """`a:=b` (rosbag2's form) as a mapping; UsageError when it is none, or a topic is mapped twice."""
    mapping: dict[str, str] = {}
    for text in assignments:
        source, sign, target = (part.strip() for part in text.partition(":="))
        if not sign or not _TOPIC.fullmatch(source) or not _TOPIC.fullmatch(target):
            raise UsageError(f"-m '{text}' is not a mapping of topics: write -m recorded:=target.")
        if source in mapping:
            raise UsageError(
                f"Topic {source} is mapped twice, to {mapping[source]} and to {target}: give one -m for it."
            )
        mapping[source] = target
    return mapping
