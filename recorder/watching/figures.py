"""What a watcher counts about itself, and how Prometheus and a health check read it.

The text format is a few lines and its families are fixed, so it is written here rather than by a client library with
a registry of its own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_PREFIX = "blackbox_watch_"
SILENT_SECONDS = 60.0
"""Without a turn of the watcher's loop, or a broker's answer, for so long it is not healthy."""

_COUNTERS = {
    "triggers_seen": "Triggers that fired, by trigger.",
    "triggers_taken": "Triggers that were noted and get a capture, by trigger.",
    "triggers_capped": "Triggers beyond the daily cap, which get no capture, by trigger.",
    "triggers_lost": "Triggers that no capture came of, by trigger.",
    "captures": "Captures written, by trigger.",
    "captured_records": "Records in the captures written.",
    "captured_bytes": "Bytes of the captures written.",
    "withheld_records": "Records that are not in the captures written but in their quarantines, by trigger.",
    "losses": "Losses named in the captures written, and stretches of topics that were gone before they were seen.",
    "failures": "Attempts to take a capture, to read or to note that failed.",
    "watched_records": "Records that conditions looked at.",
    "undecoded_payloads": "Keys and values that a condition asked for and that could not be decoded.",
}


@dataclass
class Figures:
    """Counters and gauges; any thread may count and read."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By counter and trigger (empty where it has none)."""
    pending: int = 0
    recording: bool = False
    lag: dict[tuple[str, int], int] = field(default_factory=dict)
    """By watched partition: records between what was looked at and the log's end."""
    last_error: str = ""
    last_error_at: float = 0.0
    """Epoch seconds."""
    started_at: float = field(default_factory=time.time)
    turned: float = field(default_factory=time.monotonic)
    """When the watcher's loop turned last (monotonic seconds)."""
    heard: float | None = None
    """When a broker answered last (monotonic seconds); None when no broker is asked until a trigger comes."""
    unsaved: str = ""
    """Why the state can't be written at present."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, counter: str, trigger: str = "", by: int = 1) -> None:
        assert counter in _COUNTERS
        with self._lock:
            self.counts[counter, trigger] += by

    def total(self, counter: str) -> int:
        """Over all triggers."""
        with self._lock:
            return sum(number for (name, _), number in self.counts.items() if name == counter)

    def failed(self, error: str) -> None:
        """Count a failure and keep its words."""
        self.count("failures")
        self.last_error, self.last_error_at = error, time.time()

    def sickness(self) -> list[str]:
        """Why the watcher is not healthy; empty when it is."""
        now = time.monotonic()
        found = []
        if now - self.turned > SILENT_SECONDS:
            found.append(f"the watcher stands still for {now - self.turned:.0f} s")
        if self.heard is not None and now - self.heard > SILENT_SECONDS:
            found.append(f"no broker answered for {now - self.heard:.0f} s: conditions are blind")
        if self.unsaved:
            found.append(self.unsaved)
        return found

    def exposition(self) -> str:
        """Everything in Prometheus's text format 0.0.4."""
        with self._lock:
            counts = dict(self.counts)
        lines: list[str] = []
        for counter, help_text in _COUNTERS.items():
            by_trigger = {trigger: number for (name, trigger), number in counts.items() if name == counter}
            samples = [({"trigger": trigger} if trigger else {}, number) for trigger, number in by_trigger.items()]
            lines += _family(f"{counter}_total", "counter", help_text, samples or [({}, 0)])
        gauges: tuple[tuple[str, str, Iterable[tuple[Mapping[str, str], float]]], ...] = (
            ("triggers_pending", "Triggers whose capture is still to be taken.", [({}, self.pending)]),
            ("recording", "1 while a capture is being taken.", [({}, int(self.recording))]),
            ("healthy", "1 while nothing is wrong; /healthz says what is.", [({}, int(not self.sickness()))]),
            ("last_error_timestamp_seconds", "When something failed last; 0 for never.", [({}, self.last_error_at)]),
            ("start_timestamp_seconds", "When the watcher was started.", [({}, self.started_at)]),
            (
                "lag_records",
                "Records not yet looked at, by watched partition.",
                [({"topic": topic, "partition": str(number)}, lag) for (topic, number), lag in self.lag.items()],
            ),
        )
        for name, help_text, gauge in gauges:
            lines += _family(name, "gauge", help_text, gauge)
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, help_text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {help_text}"
    yield f"# TYPE {_PREFIX}{name} {kind}"
    for labels, value in samples:
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{_PREFIX}{name}{{{shown}}} {value}" if shown else f"{_PREFIX}{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
