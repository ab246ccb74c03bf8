"""Waiting for the target's confirmations: how long, and what is said when they don't come."""

from __future__ import annotations

from collections.abc import Callable

from recorder.kafka.producer import RecordProducer
from recorder.replaying.clock import PlayerClock
from recorder.replaying.tally import Tally

_GIVE_UP_SECONDS = 2.0  # how long an interrupted replay waits for what is in flight


class Patience:
    """Whether the target still answers. `over`: it has confirmed nothing for longer than anybody waits."""

    def __init__(self, producer: RecordProducer, tally: Tally, clock: PlayerClock) -> None:
        self._producer, self._tally, self._clock = producer, tally, clock
        self.over = False

    def look(self) -> None:
        """See whether a record waits too long, as of now."""
        if self._too_long():  # it may have been confirmed since the last sums
            self._tally.settle(force=self._tally.told)
            self.over = self._too_long()

    def _too_long(self) -> bool:
        since = self._tally.oldest_ns
        return since is not None and self._clock.now() - since > self._producer.patience_seconds * 1e9

    def confirm(self, hurried: Callable[[], bool], tick: Callable[[], None]) -> None:
        """Wait for the reports of what was handed over, as long as the client's user wants to; `tick` must `look`."""
        waited_from = self._clock.now()
        while self._producer.flush(0.1):
            self._tally.settle(force=self._tally.told)
            tick()
            if self.over or (hurried() and self._clock.now() - waited_from > _GIVE_UP_SECONDS * 1e9):
                self._producer.give_up()
                return

    @property
    def sentence(self) -> str:
        """Why a replay ended whose target did not answer."""
        seconds = self._producer.patience_seconds
        return (
            f"a record was not confirmed within {seconds:g} s (message.timeout.ms): are the target's brokers up, and "
            "enough replicas in sync?"
        )
