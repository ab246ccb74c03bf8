"""From plan to consumer: each confirmed record is found again, by partition and offset, among those that arrived.

Both sides wait for each other in columns of bounded size: what finds no partner in a million records is given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import numpy.typing as npt

from recorder.errors import UsageError
from recorder.kafka.arrivals import NO_APPEND_TIME, Listener
from recorder.kafka.cluster import Cluster
from recorder.kafka.offsets import log_ends
from recorder.replaying.clock import PlayerClock
from recorder.replaying.histogram import Distribution, Histogram
from recorder.replaying.routes import Routes

MOST_WAITING = 1 << 20
MOST_LANES = 1 << 15
_OFFSET_BITS = 48
_PATIENCE_NS, _HURRY_NS = 2_000_000_000, 500_000_000
_TURN_NS = 10_000_000

Ints = npt.NDArray[np.int64]


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer of the target saw of the replay."""

    matched: int
    """Confirmed records that were seen to arrive."""
    missing: int
    """Confirmed records that were not, in the time that the probe was given."""
    others: int
    """Arrivals that are not from this replay."""
    append_lateness: Distribution | None
    """The log's append time after the deadline; by the broker's clock, in whole milliseconds (rounded down). None
    where topics keep the creator's time: then nobody knows."""
    append_early: int
    """Records that were appended before their deadline: so much for the agreement of the clocks."""
    arrival_lateness: Distribution | None
    """Arrival at the consumer, after the deadline."""
    transit: Distribution | None
    """Arrival at the consumer, after the hand-over to the producer."""
    error: str | None = None
    """Why the probe heard no more."""


class Matcher:
    """Finds partners and counts."""

    def __init__(self, *, paced: bool) -> None:
        self._paced = paced
        self._confirmed = _Waiting(3)  # place, deadline, hand-over
        self._arrived = _Waiting(3)  # place, append time (ms), arrival
        self._append, self._arrival, self._transit = Histogram(), Histogram(), Histogram()
        self._matched = self._early = 0

    @property
    def waiting(self) -> int:
        """Confirmed records that have not arrived yet."""
        return self._confirmed.count

    @property
    def matched(self) -> int:
        return self._matched

    def confirmed(self, lanes: Ints, offsets: Ints, due: Ints, sent_at: Ints) -> None:
        """Records that the broker has; a deadline far below zero is none."""
        self._confirmed.add(np.stack((lanes << _OFFSET_BITS | offsets, due, sent_at)))

    def arrived(self, rows: Ints) -> None:
        """Rows as a `Listener` gives them."""
        lanes, offsets, append_ms, at = rows.T
        self._arrived.add(np.stack((lanes << _OFFSET_BITS | offsets, append_ms, at)))

    def settle(self, *, steady_minus_wall_ns: int | None = None) -> None:
        """Bring together what waits; the two clocks are compared now unless their difference is given."""
        mine, theirs = self._confirmed.table(), self._arrived.table()
        _, here, there = np.intersect1d(mine[0], theirs[0], assume_unique=True, return_indices=True)
        if not len(here):
            return
        difference = time.monotonic_ns() - time.time_ns() if steady_minus_wall_ns is None else steady_minus_wall_ns
        due, sent_at = mine[1:, here]
        append_ms, at = theirs[1:, there]
        self._matched += len(here)
        self._transit.record(at - sent_at)
        planned = due >= 0
        if self._paced:
            self._arrival.record((at - due)[planned])
            stamped = planned & (append_ms != NO_APPEND_TIME)
            append = append_ms[stamped] * 1_000_000 + difference - due[stamped]
            self._append.record(append)
            self._early += int(np.count_nonzero(append < -1_000_000))
        self._confirmed.remove(here)
        self._arrived.remove(there)

    def probed(self, error: str | None = None, overheard: int = 0) -> Probed:
        """A summary to keep."""
        return Probed(
            matched=self._matched,
            missing=self._confirmed.count + self._confirmed.given_up,
            others=max(0, self._arrived.count + self._arrived.given_up + overheard),
            append_lateness=self._append.distribution(),
            append_early=self._early,
            arrival_lateness=self._arrival.distribution(),
            transit=self._transit.distribution(),
            error=error,
        )


class Probe:
    """A listener and a matcher, together for one replay."""

    def __init__(self, *, paced: bool) -> None:
        self.matcher = Matcher(paced=paced)
        self._listener: Listener | None = None

    @contextmanager
    def listening(self, cluster: Cluster, routes: Routes) -> Iterator[None]:
        """Listen to all target partitions. Raises UsageError for too many, KafkaUnavailableError."""
        with Listener(cluster.connection, _places(cluster, routes)) as self._listener:
            yield

    def hear(self) -> None:
        """Take in what arrived."""
        assert self._listener is not None
        self.matcher.arrived(self._listener.take())
        self.matcher.settle()

    def hear_last(self, wait: Callable[[int], object], clock: PlayerClock, *, hurry: bool) -> None:
        """Return when all that was confirmed has arrived, or nothing came for a while; `wait(ns)` passes the time."""
        assert self._listener is not None
        patience_ns = _HURRY_NS if hurry else _PATIENCE_NS
        seen, since = -1, clock.now()
        while True:
            self.hear()
            if self.matcher.matched != seen:
                seen, since = self.matcher.matched, clock.now()
            if not self.matcher.waiting or self._listener.error or clock.now() - since > patience_ns:
                return
            wait(_TURN_NS)

    def probed(self) -> Probed | None:
        """A summary to keep."""
        if self._listener is None:
            return None
        return self.matcher.probed(self._listener.error, self._listener.overheard)


def _places(cluster: Cluster, routes: Routes) -> dict[tuple[str, int], tuple[int, int]]:
    """Where to listen: every target partition, with its lane and its present end. Raises UsageError for too many."""
    if routes.lanes > MOST_LANES:
        raise UsageError(f"--probe can listen to {MOST_LANES:,} partitions; this replay writes to {routes.lanes:,}.")
    lanes = {place: lane for lane, place in enumerate(routes.places())}
    ends = log_ends(cluster, lanes)
    return {place: (lane, ends[place]) for place, lane in lanes.items()}


class _Waiting:
    """Columns that wait for a partner; the oldest are given up when there are too many."""

    def __init__(self, columns: int) -> None:
        self._parts: list[Ints] = []
        self._empty = np.empty((columns, 0), np.int64)
        self.count = 0
        self.given_up = 0

    def add(self, part: Ints) -> None:
        self._parts.append(part)
        self.count += part.shape[1]
        if self.count > MOST_WAITING:
            self._keep(self.table()[:, self.count - MOST_WAITING :])

    def table(self) -> Ints:
        if len(self._parts) != 1:
            self._parts = [np.concatenate((self._empty, *self._parts), axis=1)]
        return self._parts[0]

    def remove(self, indices: Ints) -> None:
        self._parts = [np.delete(self.table(), indices, axis=1)]
        self.count -= len(indices)

    def _keep(self, table: Ints) -> None:
        self.given_up += self.count - table.shape[1]
        self._parts, self.count = [table], table.shape[1]
