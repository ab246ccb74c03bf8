"""Settings and desks in a line, for the tests of this room; no Kafka is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recorder.kafka.connection import connect
from recorder.watching.desk import Desk
from recorder.watching.figures import Figures
from recorder.watching.settings import Http, Settings
from recorder.watching.state import State, load_state
from recorder.watching.triggers import Called, Trigger

ONCALL = Called("oncall", frozenset({"command", "http", "signal"}))


def settings(
    root: Path, triggers: Sequence[Trigger] = (ONCALL,), *, daily_cap: int = 20, http: Http | None = None
) -> Settings:
    """Fifteen minutes before, two after; everything below `root`, whose state directory is made."""
    out = root / "captures"
    (out / ".watch").mkdir(parents=True, exist_ok=True)
    return Settings(
        file=root / "watch.yaml", connection=connect("localhost:1"), registry=None, names=("orders",),
        patterns=(), excludes=(),
        before_ms=900_000, after_ms=120_000, settle_ms=5_000, out=out, state=out / ".watch", socket=None,
        daily_cap=daily_cap, max_bytes_per_second=None, triggers=tuple(triggers), scrub=None, http=http,
    )  # fmt: skip


class Office:
    """A desk with what belongs to it; another one over the same `root` is the watcher after a restart."""

    def __init__(self, root: Path, *, daily_cap: int = 20) -> None:
        self.settings = settings(root, daily_cap=daily_cap)
        self.state: State = load_state(self.settings.state)
        self.figures = Figures()
        self.told: list[str] = []
        self.desk = Desk(self.settings, self.state, self.figures, self.told.append)
