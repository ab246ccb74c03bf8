"""Proving a replay from the target's own log: read back, and compared with the records of the plan, made once more.

Nothing that the replay noted of itself is taken on trust but which records were not confirmed.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import repeat
from tempfile import gettempdir

from recorder.errors import BlackboxError
from recorder.kafka.contents import Contents, content_digests, read_contents
from recorder.kafka.offsets import Place, log_ends, log_starts
from recorder.replaying.certificate import Certificate
from recorder.replaying.look import Look, Looking
from recorder.replaying.matching import FOUND, PLANNED, Buckets, Matched, Turns, match
from recorder.replaying.plan import Plan
from recorder.replaying.proof import NAMED, Flaw, Proof, What
from recorder.replaying.resumption import Resumption
from recorder.replaying.retracing import existing_places, retraced, retraced_state
from recorder.replaying.timeline import Piece

_BATCH = 1 << 14


def starting_points(plan: Plan, resumption: Resumption | None) -> dict[Place, int]:
    """Where the target's logs end before the first record: the proof reads on from there."""
    places = plan.routes.places()
    if resumption is not None:
        return dict(zip(places, resumption.state.base.offsets, strict=True))
    return dict.fromkeys(places, 0) | log_ends(plan.cluster, existing_places(plan))


def prove(
    plan: Plan,
    certificate: Certificate,
    starts: Mapping[Place, int],
    resumption: Resumption | None = None,
    *,
    stop: threading.Event | None = None,
    progress: Looking = lambda done, total: None,
) -> Proof:
    """Read the target's log from `starts` to its present end, and compare; `progress` hears how far that is. Doesn't
    raise: what stands in the way of a proof is said in it; so is that `stop` was set meanwhile."""
    if (reason := _unprovable(certificate)) is not None:
        return Proof(why_not=reason)
    lost_before = 0 if resumption is None else resumption.state.base.lost
    stop = threading.Event() if stop is None else stop
    try:
        unconfirmed = certificate.losses - lost_before
        return _Comparison(plan, certificate, starts, resumption, unconfirmed, stop, progress).proof()
    except BlackboxError as error:
        return Proof(why_not=str(error).rstrip("."))
    except OSError as error:
        return Proof(why_not=f"{error.strerror} in {gettempdir()}: set TMPDIR to a place with more room")


def _unprovable(certificate: Certificate) -> str | None:
    course = certificate.course
    if certificate.ended_by != "end":
        return "the replay ended before its end"
    if course.repeated or course.skipped:
        return "a seek led away from the capture's order"
    if course.commanded:
        return "records were sent by command, outside the plan"
    return None


@dataclass
class _Columns:
    """Rows of the log on their way to their buckets."""

    keys: array[int] = field(default_factory=lambda: array("q"))
    keyed: array[int] = field(default_factory=lambda: array("b"))
    digests: array[int] = field(default_factory=lambda: array("q"))
    lanes: array[int] = field(default_factory=lambda: array("i"))
    offsets: array[int] = field(default_factory=lambda: array("q"))


class _Comparison:
    def __init__(
        self,
        plan: Plan,
        certificate: Certificate,
        starts: Mapping[Place, int],
        resumption: Resumption | None,
        unconfirmed: int,
        stop: threading.Event,
        progress: Looking,
    ) -> None:
        self._stop, self._tell = stop, progress
        self._plan, self._certificate, self._unconfirmed = plan, certificate, unconfirmed
        self._places = plan.routes.places()
        self._begin = (0, plan.survey.first_number) if resumption is None else resumption.begin
        passes, number = self._begin
        self._before = passes * plan.survey.records + number - plan.survey.first_number
        existing = existing_places(plan)
        firsts, ends = log_starts(plan.cluster, existing), log_ends(plan.cluster, existing)
        # What retention deleted since is not there to be read: it is missing.
        self._spans = {place: (max(starts[place], firsts[place]), ends[place]) for place in existing}
        now = plan.options.timestamps == "now"
        self._timeless = set(range(len(self._places))) if now else set()
        self._flaws: dict[What, list[Flaw]] = {}

    def proof(self) -> Proof:
        records = sum(max(0, end - start) for start, end in self._spans.values())
        due = self._certificate.planned + self._certificate.changes.added
        self._look = Look(records + due, self._tell)
        with ExitStack() as stack:
            theirs = stack.enter_context(Buckets(FOUND, max(records, due)))
            ours = stack.enter_context(Buckets(PLANNED, max(records, due)))
            found = self._read_log(theirs)
            with ExitStack() as reading:
                planned = self._retrace(ours, reading)
            turns = stack.enter_context(Turns(planned, len(self._places)))
            counts = dict.fromkeys(("absent", "doubled", "foreign", "inverted", "keys"), 0)
            for number in range(ours.count):
                one = match(ours.take(number), theirs.take(number))
                turns.note(one)
                counts["absent"] += int((one.offsets < 0).sum())
                counts["doubled"] += len(one.doubled)
                counts["foreign"] += len(one.foreign)
                counts["inverted"] += len(one.inverted)
                counts["keys"] += one.keys
                self._name(one)
            missing = max(0, counts["absent"] - self._unconfirmed)
            if not missing:
                self._flaws.pop("missing", None)
            return Proof(
                records=planned,
                before=self._before,
                log_records=found,
                partitions=len(self._spans),
                keys=counts["keys"],
                missing=missing,
                unconfirmed=counts["absent"] - missing,
                doubled=counts["doubled"],
                foreign=counts["foreign"],
                key_inversions=counts["inverted"],
                partition_inversions=turns.inversions(),
                timestamps=not self._timeless,
                perturbed=self._plan.options.chaos is not None,
                flaws=tuple(flaw for flaws in self._flaws.values() for flaw in flaws)[:NAMED],
            )

    def _read_log(self, buckets: Buckets) -> int:
        """Put the log's records aside; how many there are."""
        lanes = {place: lane for lane, place in enumerate(self._places)}
        seen, rows = 0, _Columns()

        def put_aside() -> None:
            nonlocal seen, rows
            buckets.add((rows.keys, rows.keyed, rows.digests, rows.lanes, rows.offsets))
            seen, rows = seen + len(rows.keys), _Columns()

        def note(found: Contents) -> None:
            lane = lanes[found.place]
            rows.keys.extend(map(hash, found.keys))
            rows.keyed.extend(key is not None for key in found.keys)
            rows.digests.extend(found.digests)
            rows.lanes.extend(repeat(lane, len(found.offsets)))
            rows.offsets.extend(found.offsets)
            if found.stamped:
                self._timeless.add(lane)
            self._heed_stop()
            if len(rows.keys) >= _BATCH:
                put_aside()

        options = self._plan.options
        read_contents(
            self._plan.cluster,
            self._spans,
            note,
            timeless=options.timestamps == "now",
            committed=options.transactional is not None,
            progress=self._look.advance,
        )
        put_aside()
        return seen

    def _retrace(self, buckets: Buckets, stack: ExitStack) -> int:
        """Put the plan's records aside; how many there are."""
        turn = 0
        for piece in self._pieces(stack):
            self._heed_stop()
            columns, lanes = piece.columns, piece.lanes.tolist()
            stamps = [
                None if lane in self._timeless else at for lane, at in zip(lanes, columns.timestamps, strict=True)
            ]
            digests = content_digests(columns.keys, columns.values, columns.headers, stamps)
            turns = range(turn, turn + len(piece))
            where = (piece.topic_numbers, piece.source_partitions, piece.offsets)
            buckets.add((piece.key_hashes, piece.keyed, digests, lanes, turns, *where))
            turn += len(piece)
            self._look.advance(len(piece))
        return turn

    def _pieces(self, stack: ExitStack) -> Iterator[Piece]:
        plan, certificate = self._plan, self._certificate
        state = certificate.prologue
        if state is not None and state.sent == "before":
            yield from retraced_state(plan, certificate.replay_id, stack, shift_ms=state.shifted_by_ms)
        shift_ms = certificate.shifted_by_ms
        yield from retraced(plan, certificate.replay_id, stack, begin=self._begin, shift_ms=shift_ms)

    def _heed_stop(self) -> None:
        if self._stop.is_set():
            raise BlackboxError("it was interrupted")

    def _name(self, one: Matched) -> None:
        """Name some records of each kind that is not as it should be."""
        failed = {(each.topic, each.partition, each.offset) for each in self._certificate.failures}
        missing = ((*self._recorded(row),) for row in one.ours[one.offsets < 0])
        self._add("missing", (place for place in missing if place not in failed))
        self._add("doubled", map(self._lying, one.theirs[one.doubled]))
        self._add("foreign", map(self._lying, one.theirs[one.foreign]))
        self._add("out of order in its key", map(self._recorded, one.ours[one.inverted]))

    def _add(self, what: What, places: Iterator[tuple[str, int, int]]) -> None:
        known = self._flaws.setdefault(what, [])
        for topic, partition, offset in places:
            if len(known) >= NAMED // 4:
                return
            known.append(Flaw(what=what, topic=topic, partition=partition, offset=offset))

    def _recorded(self, row: Mapping[str, int]) -> tuple[str, int, int]:
        return self._plan.routes.topics[int(row["topic"])].name, int(row["partition"]), int(row["offset"])

    def _lying(self, row: Mapping[str, int]) -> tuple[str, int, int]:
        return (*self._places[int(row["lane"])], int(row["offset"]))
