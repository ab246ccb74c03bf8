"""The replay's accounts: every record from hand-over to confirmation, without an object of its own for any of them.

Records in flight live in a ring of preallocated columns. Each slot owns one delivery callback for the whole replay, so
a report tells exactly which record it is about, in whatever order reports come. Callbacks and the send loop only note
times; the sums are done for many at once: part by part between two deadlines, or all of them where none is near.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, repeat

import msgspec
import numpy as np
import numpy.typing as npt

from recorder.capture.manifest import Topic
from recorder.kafka.producer import MOST_IN_FLIGHT, KafkaError, Message, Report, describe
from recorder.replaying.drift import DriftWatch
from recorder.replaying.frontier import Frontier
from recorder.replaying.histogram import Histogram
from recorder.replaying.order import OrderWatch
from recorder.replaying.probe import Matcher
from recorder.replaying.rhythm import RhythmWatch
from recorder.replaying.silence import RING, Silence
from recorder.replaying.timeline import Piece

NAMED_FAILURES = 1_000
_ENOUGH = 4_096  # records worth a round of sums
_ENOUGH_PACED = 256  # each part of which fits between two deadlines: 0.3 ms
_OUGHT = 4  # times that: they ought to be done although records are due
_STALE_NS = 500_000_000  # sums are done after this time, however little there is to do
_UNPLANNED = -(1 << 62)  # instead of a deadline: sent by command

Ints = npt.NDArray[np.int64]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A record that did not arrive, by where it was recorded, and the broker's or client's reason.

    A broker refuses a batch as a whole, so the reason may be a neighbour's; nothing is sent again (order comes first).
    """

    topic: str
    partition: int
    offset: int
    error: str


class Tally:
    """Accounts of one replay. `paced` says whether deadlines mean anything; `matcher` hears of what was confirmed,
    `frontier` of what is settled. With `silence`, only failures are reported."""

    def __init__(
        self,
        topics: tuple[Topic, ...],
        lanes: int,
        *,
        paced: bool,
        now: Callable[[], int],
        size: int | None = None,
        matcher: Matcher | None = None,
        frontier: Frontier | None = None,
        silence: Silence | None = None,
    ) -> None:
        self._topics, self._paced, self._now = topics, paced, now
        self._enough = _ENOUGH_PACED if paced else _ENOUGH
        self._matcher, self._frontier, self._silence = matcher, frontier, silence
        self._size = size = size or (MOST_IN_FLIGHT if silence is None else RING)
        self._admitted = self._dispatched = self._watched = 0  # sequence numbers; slot = number modulo size
        self._due, self._sent_at = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._offset, self._target_offset = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._topic, self._partition = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._lap, self._number = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._lane, self._key = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self._keyed, self._done = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        self._reports: list[Report] = []  # by slot, as far as slots were used
        self._sends = (array("q"), array("q"))  # how many, and when
        self._acks = (array("q"), array("q"), array("q"))  # slot, target offset, when
        self._errors: list[tuple[int, str]] = []
        self._sums: Iterator[None] | None = None
        """Those that were begun, if not all of their parts are done."""
        self._summed_ns = now()
        self._order = OrderWatch(lanes)
        self.rhythm, self.drift = RhythmWatch(), DriftWatch()
        self.dispatch_lateness, self.ack_lateness, self.round_trip = Histogram(), Histogram(), Histogram()
        self._acked = 0
        self.acked_by_topic = np.zeros(len(topics), np.int64)
        self.failed = 0
        self.failures: list[Failure] = []
        """The first failures; `failed` counts all."""
        self.errors: Counter[str] = Counter()
        self.dropped = 0
        self.drops: list[Failure] = []
        """The first records that were too late to be sent; `dropped` counts all."""
        self.unplanned = 0
        """Records sent by command, which no lateness is told of."""
        self.last_lateness_ns = 0
        """Lateness of the record sent last by the plan."""
        self.first_sent_ns: int | None = None
        self.last_sent_ns: int | None = None

    @property
    def sent(self) -> int:
        """Records handed to the producer, or refused by it."""
        return self._dispatched - self.dropped

    @property
    def told(self) -> bool:
        """Whether each confirmation is."""
        return self._silence is None

    @property
    def acked(self) -> int:
        if self._silence is None:
            return self._acked
        return max(self._acked, self.sent - self.failed - len(self._errors) - self._silence.holds())

    @property
    def in_flight(self) -> int:
        if self._silence is not None:
            return self._silence.holds()
        return self.sent - self.acked - self.failed - len(self._acks[0]) - len(self._errors)

    @property
    def oldest_ns(self) -> int | None:
        """When the record was handed over that waits longest for its confirmation, as of the last `settle`."""
        if self._silence is not None:
            return self._silence.waiting_since(self.sent)
        return int(self._sent_at[self._watched % self._size]) if self._watched < self._dispatched else None

    @property
    def order(self) -> OrderWatch:
        """Knows nothing unless each confirmation is `told`."""
        return self._order

    def fits(self, records: int) -> bool:
        """There is room for their accounts."""
        return self._admitted - self._watched + records <= self._size

    def has_room(self, records: int) -> bool:
        """The same, if need be after the sums are done."""
        if not self.fits(records):
            self.settle(force=True)
        return self.fits(records)

    def admit(self, piece: Piece, due: Ints) -> list[Report]:
        """Open accounts for records about to be sent (there must be room), and answer their delivery callbacks."""
        slots = np.arange(self._admitted, self._admitted + len(piece)) % self._size
        self._admitted += len(piece)
        self._due[slots] = due
        self._offset[slots], self._target_offset[slots] = piece.offsets, -1
        self._topic[slots], self._partition[slots] = piece.topic_numbers, piece.source_partitions
        self._lane[slots] = piece.lanes
        if self._silence is None:
            self._key[slots], self._keyed[slots] = piece.key_hashes, piece.keyed
        self._lap[slots], self._number[slots] = piece.lap, piece.numbers
        first, last = int(slots[0]), int(slots[-1])
        used = len(self._reports)
        if used < self._size and (last < first or last >= used):
            self._reports.extend(
                map(partial, repeat(self._report), range(used, self._size if last < first else last + 1))
            )
        if first <= last:
            return self._reports[first : last + 1]
        return self._reports[first:] + self._reports[: last + 1]

    def plan_again(self, due: Ints) -> None:
        """New deadlines for the next admitted records that were not handed over yet."""
        self._due[np.arange(self._dispatched, self._dispatched + len(due)) % self._size] = due

    def unplan(self, records: int) -> None:
        """The next `records` admitted ones are sent by command: they have no deadline."""
        self._due[np.arange(self._dispatched, self._dispatched + records) % self._size] = _UNPLANNED

    def drop(self, records: int, now_ns: int) -> None:
        """The next `records` admitted ones are too late: they are not sent."""
        self.settle(force=True)  # sums count back from the last one
        slots = np.arange(self._dispatched, self._dispatched + records) % self._size
        self._target_offset[slots], self._done[slots] = -1, True
        for slot in slots[: max(0, NAMED_FAILURES - len(self.drops))].tolist():
            late_ms = (now_ns - int(self._due[slot])) / 1e6
            self.drops.append(self._failure(slot, f"{late_ms:.0f} ms late"))
        self.rhythm.dropped(self._due[slots])
        self.dropped += records
        self._dispatched += records

    def dispatched(self, records: int, at_ns: int) -> None:
        """The next `records` admitted ones were handed over, the last of them at `at_ns`."""
        self._dispatched += records
        if self._silence is not None:
            self.first_sent_ns, self.last_sent_ns = self.first_sent_ns or at_ns, at_ns
            return
        self._sends[0].append(records)
        self._sends[1].append(at_ns)

    def refused(self, error: str, at_ns: int) -> None:
        """The producer would not take the next admitted record."""
        slot = self._dispatched % self._size
        self.dispatched(1, at_ns)
        self._errors.append((slot, error))

    def withdraw(self) -> None:
        """Forget what was admitted but will not be sent."""
        self._admitted = self._dispatched

    def settle(self, *, force: bool = False) -> None:
        """Do the sums for all that happened since the last time; without `force`, only when that is a lot."""
        if self._silence is not None:
            self._settle_errors()
            if force or self._silence.due(self._dispatched - self._watched):
                self._settle_silence(self._silence)
        elif force or self._waiting >= _OUGHT * self._enough:
            deque(chain(self._sums or (), self._parts()), maxlen=0)
            self._sums = None

    def step(self, now_ns: int) -> bool:
        """Do a part of the sums, about 0.2 ms of work, when it is worth it; False: there is nothing to do."""
        if self._silence is not None:
            self.settle()
            return False
        if self._sums is None:
            if self._waiting < (self._enough if now_ns - self._summed_ns < _STALE_NS else 1):
                return False
            self._summed_ns, self._sums = now_ns, self._parts()
        if next(self._sums, self) is self:
            self._sums = None
        return True

    @property
    def pressing(self) -> bool:
        """So much has come together that a `step` can't wait for a pause."""
        return self._sums is not None or self._waiting >= 2 * self._enough

    @property
    def _waiting(self) -> int:
        """Records that were handed over, or were confirmed, since the last sums."""
        return max(len(self._acks[0]), len(self._sends[0]))

    def _parts(self) -> Iterator[None]:
        heard = len(self._acks[0])  # of records that were handed over before
        due, at = self._settle_sends()
        yield
        if len(due):
            self.rhythm.sent(due, at)
            self.drift.sent(due, at - due)
        yield
        self._settle_acks(heard)
        self._settle_errors()
        yield
        self._watch_order()

    def _report(self, slot: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            slots, offsets, times = self._acks
            slots.append(slot)
            offsets.append(message.offset())  # type: ignore[arg-type]  # a confirmed record has one
            times.append(self._now())
        else:
            self._errors.append((slot, describe(error)))
            if self._frontier is not None and (error.code() < 0 or error.fatal()):
                self._frontier.freeze()  # the client's own word, not a broker's: it may have arrived all the same

    def _settle_sends(self) -> tuple[Ints, Ints]:
        """Answers the deadlines of those that had one, and when they were handed over."""
        counts, times = (np.array(column, np.int64) for column in self._sends)
        if not len(counts):
            return counts, times
        for column in self._sends:
            del column[:]
        at = np.repeat(times, counts)
        slots = np.arange(self._dispatched - len(at), self._dispatched) % self._size
        self._sent_at[slots] = at
        if self.first_sent_ns is None:
            self.first_sent_ns = int(at[0])
        self.last_sent_ns = int(at[-1])
        due = self._due[slots]
        planned = due != _UNPLANNED if self._paced else np.zeros(len(due), np.bool_)
        if not planned.all():
            due, at = due[planned], at[planned]
        if self._paced:
            self.unplanned += len(slots) - len(due)
            if len(due):
                self.dispatch_lateness.record(at - due)
                self.last_lateness_ns = int(at[-1] - due[-1])
        return due, at

    def _settle_acks(self, heard: int) -> None:
        """Take in so many of the confirmations."""
        slots, offsets, times = (np.array(column[:heard], np.int64) for column in self._acks)
        if not heard:
            return
        for column in self._acks:
            del column[:heard]
        self._target_offset[slots], self._done[slots] = offsets, True
        self._acked += len(slots)
        self.acked_by_topic += np.bincount(self._topic[slots], minlength=len(self._topics))
        self.round_trip.record(times - self._sent_at[slots])
        if self._matcher is not None:
            self._matcher.confirmed(self._lane[slots], offsets, self._due[slots], self._sent_at[slots])
        if self._paced:
            due = self._due[slots]
            planned = due != _UNPLANNED
            self.ack_lateness.record(times[planned] - due[planned])

    def _settle_errors(self) -> None:
        for slot, error in self._errors:
            self._done[slot] = True
            self.errors[error] += 1
            if len(self.failures) < NAMED_FAILURES:
                self.failures.append(self._failure(slot, error))
        self.failed += len(self._errors)
        self._errors.clear()

    def _failure(self, slot: int, error: str) -> Failure:
        return Failure(
            topic=self._topics[int(self._topic[slot])].name,
            partition=int(self._partition[slot]),
            offset=int(self._offset[slot]),
            error=error,
        )

    def _settle_silence(self, silence: Silence) -> None:
        """Book all that was handed over, if the client holds nothing of it any more."""
        if self._watched == self._dispatched or silence.holds():
            return
        slots = np.arange(self._watched, self._dispatched) % self._size
        confirmed = ~self._done[slots]
        self._done[slots], self._watched = False, self._dispatched
        self._acked += int(np.count_nonzero(confirmed))
        self.acked_by_topic += np.bincount(self._topic[slots[confirmed]], minlength=len(self._topics))
        silence.settled()
        if self._frontier is not None:
            last = (int(self._lap[slots[-1]]), int(self._number[slots[-1]]))
            self._frontier.emptied(last, self._topic[slots], self._lane[slots], confirmed, silence.ends)

    def _watch_order(self) -> None:
        """Look at the order of all records up to the first that is still in flight, and free their slots."""
        slots = np.arange(self._watched, self._dispatched) % self._size
        done = self._done[slots]
        ended = len(done) if done.all() else int(np.argmin(done))
        slots = slots[:ended]
        self._watched += ended
        self._done[slots] = False
        if self._frontier is not None:
            following = self._watched % self._size if self._watched < self._dispatched else None
            self._frontier.settled(
                self._lap[slots],
                self._number[slots],
                self._topic[slots],
                self._lane[slots],
                self._target_offset[slots],
                None if following is None else (int(self._lap[following]), int(self._number[following])),
            )
        slots = slots[self._target_offset[slots] >= 0]
        if len(slots):
            self._order.feed(self._lane[slots], self._key[slots], self._keyed[slots], self._target_offset[slots])
