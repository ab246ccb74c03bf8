"""Going on with an unfinished replay: is it the same, is the target the one it wrote to, and what is there already."""

from __future__ import annotations

import glob
from array import array
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path

import msgspec

from recorder.capture.locations import Location
from recorder.errors import RefusedError, UsageError
from recorder.kafka.contents import Contents, read_contents
from recorder.kafka.offsets import Place, log_ends
from recorder.kafka.tails import settled_ends
from recorder.replaying.coverage import Coverage, gone_on
from recorder.replaying.findings import Finding
from recorder.replaying.frontier import Frontier
from recorder.replaying.look import Look, Looking
from recorder.replaying.opening import end_earlier_part
from recorder.replaying.plan import Plan
from recorder.replaying.present import Present, find_present, most_compared
from recorder.replaying.retracing import existing_places, retraced
from recorder.replaying.sameness import capture_ids, require_same_replay, require_same_topics, require_whole_logs
from recorder.replaying.state import SUFFIX, Point, State, binding_options
from recorder.replaying.tally import Failure


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a resumed replay that came before this one, as far as the target's log and what they left behind
    tell. Times, latenesses and rates are known of the last part only."""

    parts: int
    started_at_ms: int
    """T0 of the first."""
    found: int
    """Records that are in the target."""
    unconfirmed: int
    """Of these, those that nobody had noted as confirmed: on their way when the replay ended."""
    lost: int
    """Records that had their turn and are not in the target."""
    named: tuple[Failure, ...] = ()
    """The first of those that were lost since the last note: only they have names."""
    foreign: int = 0
    """Records of others in the stretch of the target's log that was compared."""
    turns: int = 0
    """Records of the timeline that had had their turn before the stretch that was compared,"""
    compared: int = 0
    """and in it."""


@dataclass(frozen=True)
class Resumption:
    """Where to go on, and what is known of what came before."""

    state: State
    present: Present
    ends: tuple[int, ...]
    """Of the target's logs, by lane."""
    coverage: Coverage
    earlier: Earlier
    by_topic: tuple[int, ...]
    """Records in the target, by recorded topic."""
    findings: tuple[Finding, ...]

    @property
    def begin(self) -> tuple[int, int]:
        """The pass and the number to read on from; what is there already is passed over."""
        return self.state.base.lap, self.state.base.number

    def frontier(self, committed: Callable[[], int] | None = None) -> Frontier:
        base, present = self.state.base, self.present
        return Frontier(
            base,
            offsets=self.ends,
            acked=present.by_topic + base.acked,
            lost=base.lost + present.missing,
            held=present.until,
            committed=committed,
        )


def first_state(plan: Plan, replay_id: str) -> State:
    """What to leave behind before the first record: where the target's logs end now."""
    routes, survey = plan.routes, plan.survey
    places = routes.places()
    ends = log_ends(plan.cluster, existing_places(plan))
    point = Point(
        lap=0,
        number=survey.first_number,
        offsets=tuple(ends.get(place, 0) for place in places),
        acked=(0,) * len(routes.topics),
    )
    names = sorted({topic for topic, _ in ends})
    ids = plan.cluster.topic_ids(names)
    return State(
        replay_id=replay_id,
        captures=capture_ids(plan),
        options=binding_options(plan.options),
        target_cluster_id=plan.cluster.cluster_id,
        target_topics={name: ids.get(name) for name in names},
        places=tuple(places),
        topics=tuple(topic.name for topic in routes.topics),
        base=point,
        point=point,
        since=(0, survey.first_number),
    )


def state_path(certificate: Path) -> Path:
    """Where the state of a replay is kept: beside its certificate."""
    return certificate.with_suffix(SUFFIX)


def unfinished(capture: Location) -> list[Path]:
    """The states in the current directory that replays of this capture left, the newest last."""
    return sorted(Path().glob(f"{glob.escape(capture.resolve().name)}.replay-*{SUFFIX}"))


def state_to_resume(given: Path | None, certificate: Path | None, capture: Location) -> Path:
    """The state to resume from. Raises UsageError when there is none, or more than one."""
    if given is not None:
        return given
    if certificate is not None and state_path(certificate).exists():
        return state_path(certificate)
    found = unfinished(capture)
    if not found:
        raise UsageError(
            f"No unfinished replay of {capture.resolve().name} in this directory: nothing was sent yet, or all of it. "
            "Give --state if it is kept elsewhere."
        )
    if len(found) > 1:
        names = ", ".join(map(str, found))
        raise UsageError(
            f"Several replays of {capture.resolve().name} are unfinished: name one with --state ({names})."
        )
    return found[0]


def find_place(
    plan: Plan,
    state: State,
    tell: Callable[[str], object] = lambda words: None,
    progress: Looking = lambda done, total: None,
) -> Resumption:
    """Read the target's logs and say where the replay goes on; `progress` hears how much is read and compared.

    Raises UsageError when it is not the same replay, RefusedError when the log can't tell (records of others that are
    like ours, a topic that was created anew, records that retention deleted), and KafkaUnavailableError.
    """
    require_same_replay(plan, state)
    require_same_topics(plan, state)
    end_earlier_part(plan, state.replay_id)
    places = plan.routes.places()
    ends = dict.fromkeys(places, 0) | settled_ends(plan.cluster, existing_places(plan), tell)
    require_whole_logs(plan, state, ends)
    spans = {place: (start, ends[place]) for place, start in zip(places, state.base.offsets, strict=True)}
    records = sum(end - start for start, end in spans.values())
    look = Look(records + min(most_compared(records), _left(plan, state)), progress)
    log, timeless = _read(plan, spans, look.advance)
    begin = state.base.lap, state.base.number
    with ExitStack() as stack:
        pieces = retraced(plan, state.replay_id, stack, begin=begin, shift_ms=state.shifted_by_ms)
        present = find_present(pieces, log, routes=plan.routes, timeless=timeless.__contains__, progress=look.advance)
    _require_the_same_changes(plan, present)
    first, records = plan.survey.first_number, plan.survey.records
    coverage = gone_on(state.covered, state.since, begin, first, records)
    noted = sum(state.point.acked) - sum(state.base.acked)
    found = sum(state.base.acked) + present.found
    earlier = Earlier(
        parts=state.parts,
        started_at_ms=state.started_at_ms,
        found=found,
        unconfirmed=max(0, present.found - noted),
        lost=state.base.lost + present.missing,
        named=present.named,
        foreign=present.foreign,
        turns=coverage.covered + coverage.repeated,
        compared=present.turns,
    )
    return Resumption(
        state=state,
        present=present,
        ends=tuple(ends[place] for place in places),
        coverage=coverage,
        earlier=earlier,
        by_topic=tuple((present.by_topic + state.base.acked).tolist()),
        findings=tuple(_findings(earlier, gone=max(0, noted - present.found))),
    )


def _require_the_same_changes(plan: Plan, present: Present) -> None:
    """People's own code may make something else of a record today: then ours would pass for another's."""
    options = plan.options
    name = "--transform" if options.transform else "--middleware" if options.middleware else None
    if name is not None and present.foreign:
        raise RefusedError(
            f"{present.foreign:,} records in the target's log are none that {name} makes now: others wrote there, or "
            "it makes something else of the same record each time, and nobody can tell what is there already. Replay "
            "anew into new topics, without --resume."
        )


def _left(plan: Plan, state: State) -> float:
    """Records of the plan behind the point from which the log is compared."""
    if plan.records is None:
        return inf
    return plan.records - state.base.lap * plan.survey.records - state.base.number + plan.survey.first_number


def _read(
    plan: Plan, spans: Mapping[Place, tuple[int, int]], progress: Callable[[int], object]
) -> tuple[dict[int, array[int]], set[int]]:
    """The log's records from the base on, by lane, and the lanes whose timestamps are the broker's."""
    places = plan.routes.places()
    lanes = {place: lane for lane, place in enumerate(places)}
    log = {lane: array("q") for lane in range(len(places))}
    timeless = set(range(len(places))) if plan.options.timestamps == "now" else set()

    def note(found: Contents) -> None:
        log[lanes[found.place]].extend(found.digests)
        if found.stamped:
            timeless.add(lanes[found.place])

    options = plan.options
    in_transactions = options.transactional is not None
    read_contents(
        plan.cluster,
        spans,
        note,
        timeless=options.timestamps == "now",
        committed=in_transactions,
        progress=progress,
    )
    return log, timeless


def _findings(earlier: Earlier, gone: int) -> list[Finding]:
    found = []
    if gone:
        found.append(
            Finding(
                severity="warning",
                topic=None,
                what=f"{gone:,} records that the target had confirmed are not in its log any more (an unclean leader "
                "election?)",
                fix="Those with nothing of ours behind them are sent again; look at min.insync.replicas.",
            )
        )
    if earlier.foreign:
        found.append(
            Finding(
                severity="warning",
                topic=None,
                what=f"{earlier.foreign:,} records of others lie among ours in the target's log",
                fix="They were told apart by their content; --provenance makes that sure.",
            )
        )
    return found
