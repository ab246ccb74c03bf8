"""Telling where a replay stands while it runs, and what a person could do something about."""

from __future__ import annotations

import os
from collections.abc import Callable

from recorder.replaying.clock import PlayerClock
from recorder.replaying.control import Status
from recorder.replaying.plan import Plan
from recorder.replaying.player import Player
from recorder.replaying.read_ahead import advice
from recorder.replaying.tally import Tally


class Showing:
    """Shows `progress`, and has words for `tell`. `earlier` is how many records an earlier part sent."""

    def __init__(
        self,
        plan: Plan,
        replay_id: str,
        clock: PlayerClock,
        tally: Tally,
        player: Player,
        earlier: int,
        progress: Callable[[Status], None],
        tell: Callable[[str], object],
    ) -> None:
        self._plan, self._id, self._clock, self._tally, self._player = plan, replay_id, clock, tally, player
        self._earlier, self._progress, self._tell = earlier, progress, tell
        self._told_ns = 0
        self.over = False
        """All is sent; what is missing is confirmations."""

    def show(self) -> None:
        self._warn_of_starvation()
        self._progress(self.status())

    def _warn_of_starvation(self) -> None:
        starved_ns, options = self._player.starved_ns, self._plan.options
        if options.pace is not None and starved_ns > self._told_ns:
            words = advice(starved_ns, options.read_ahead_bytes)
            if words is not None:
                self._told_ns = 4 * starved_ns  # a few lines, however long it goes on
                self._tell(words)

    def status(self) -> Status:
        """From any thread: figures that were true a moment ago."""
        plan, clock, tally, player = self._plan, self._clock, self._tally, self._player
        survey, options = plan.survey, plan.options
        planned_ms = (clock.position() if clock.rate is not None else player.at_position_ns) / 1e6
        played_ms = min(max(planned_ms, 0.0), survey.duration_ms)
        since_last_ms = played_ms - player.at_position_ns / 1e6
        last_ms = player.at_ms if player.at_ms is not None else survey.first_ms
        return Status(
            replay_id=self._id,
            capture=plan.name,
            target=plan.cluster.cluster_id or plan.cluster.connection.bootstrap,
            pid=os.getpid(),
            state="confirming" if self.over else "paused" if clock.paused else "playing",
            position_ms=None if last_ms is None else last_ms + round(since_last_ms),
            played_ms=played_ms,
            duration_ms=survey.duration_ms,
            first_ms=survey.first_ms,
            last_ms=survey.last_ms,
            rate=clock.rate,
            lap=player.lap + 1,
            laps=options.loop,
            planned=plan.records,
            sent=tally.sent,
            acked=tally.acked,
            earlier=self._earlier,
            failed=tally.failed,
            dropped=tally.dropped,
            lateness_ns=tally.last_lateness_ns,
            eta_ms=self._eta_ms(played_ms),
        )

    def _eta_ms(self, played_ms: float) -> float | None:
        plan, rate, lap = self._plan, self._clock.rate, self._player.lap
        if not plan.options.loop:
            return None
        if rate is None:
            left = (plan.records or 0) - self._earlier - self._tally.sent
            elapsed = (self._clock.now() - self._clock.started_ns) / 1e6
            return left * elapsed / self._tally.sent if self._tally.sent else None
        laps_left = plan.options.loop - lap - 1
        playing_ms = plan.survey.duration_ms * (laps_left + 1) - played_ms
        return playing_ms / rate + plan.options.loop_delay_ms * laps_left
