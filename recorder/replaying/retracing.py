"""The records that a replay sent, made once more of its captures: for going on with it, and for proving it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt

from recorder.errors import BlackboxError
from recorder.kafka.offsets import Place, log_ends
from recorder.replaying.chain import chain
from recorder.replaying.chaos import Trouble
from recorder.replaying.middleware import Middleware
from recorder.replaying.plan import Plan
from recorder.replaying.timeline import Piece, Timeline

_PIECE_RECORDS = 2_048

Ints = npt.NDArray[np.int64]


def retraced(plan: Plan, replay_id: str, stack: ExitStack, *, begin: tuple[int, int], shift_ms: int) -> Iterator[Piece]:
    """What the replay would send from the pass and number `begin` on, as long as anybody asks and the stack is open."""
    if plan.translation is not None:
        plan.translation.register()  # what was sent bears the ids that this gave
    middleware = None if plan.options.middleware is None else Middleware(plan.options.middleware)
    if middleware is not None:
        stack.enter_context(middleware)
    trouble = None if plan.options.chaos is None else Trouble(plan.options.chaos, plan.streams)
    timeline = Timeline(
        plan.streams,
        plan.routes,
        plan.survey,
        piece_records=_PIECE_RECORDS,
        changes=chain(plan, replay_id, middleware=middleware, trouble=trouble),
        begin=begin,
    )
    timeline.shift_ms = shift_ms
    stack.enter_context(timeline)
    if middleware is not None:
        stack.callback(middleware.abandon)
    yield from _all(timeline)


def retraced_state(plan: Plan, replay_id: str, stack: ExitStack, *, shift_ms: int) -> Iterator[Piece]:
    """The same for the state before the window, where the plan has one; without middleware."""
    before = plan.before
    if before is None:
        return
    timeline = Timeline(
        before.streams,
        before.routes.resized(plan.routes.sizes),
        before.survey,
        piece_records=_PIECE_RECORDS,
        changes=chain(plan, replay_id, streams=before.streams),
    )
    timeline.shift_ms = shift_ms
    stack.enter_context(timeline)
    yield from _all(timeline)


def _all(timeline: Timeline) -> Iterator[Piece]:
    while True:
        piece = timeline.take()
        if piece is not None:
            yield piece
        elif timeline.finished:
            return
        else:
            timeline.wait()


def existing_places(plan: Plan) -> list[Place]:
    """The target's partitions, but for those that nothing will go to and that are not there."""
    counts = plan.cluster.partition_counts()
    return [place for place in plan.routes.places() if place[1] < counts.get(place[0], 0)]


def ends_by_lane(plan: Plan) -> Callable[[], Ints | None]:
    """Asks where the target's logs end now, by lane; None when there is no answer."""
    places, there = plan.routes.places(), existing_places(plan)

    def ask() -> Ints | None:
        try:
            ends = log_ends(plan.cluster, there)
        except BlackboxError:
            return None
        return np.array([ends.get(place, 0) for place in places], np.int64)

    return ask
