"""May a replay go on: is it the same, and are the target's topics and logs still those that it wrote to?"""

from __future__ import annotations

from recorder.errors import RefusedError, UsageError
from recorder.kafka.offsets import Place, log_starts
from recorder.replaying.plan import Plan
from recorder.replaying.retracing import existing_places
from recorder.replaying.state import State, binding_options, differing


def capture_ids(plan: Plan) -> tuple[str, ...]:
    return tuple(capture.manifest.capture_id for capture in plan.captures)


def require_same_replay(plan: Plan, state: State) -> None:
    """UsageError for other captures, options that say what is sent, or brokers."""
    if capture_ids(plan) != state.captures:
        raise UsageError(f"Replay {state.replay_id} was of other captures ({', '.join(state.captures)}): give those.")
    other = differing(state.options, binding_options(plan.options))
    if other:
        raise UsageError(
            f"Replay {state.replay_id} was begun with another value of {', '.join(other)}: resume it as it was begun "
            "(rate, caps and what is measured may change)."
        )
    if state.target_cluster_id != plan.cluster.cluster_id:
        raise UsageError(
            f"Replay {state.replay_id} went to cluster {state.target_cluster_id}, and "
            f"{plan.cluster.connection.bootstrap} is {plan.cluster.cluster_id}: give the brokers of the first with -b."
        )


def require_same_topics(plan: Plan, state: State) -> None:
    """RefusedError when topics were deleted, created anew or given other partitions since."""
    names = set(plan.cluster.names())
    ids = plan.cluster.topic_ids([name for name in state.target_topics if name in names])
    for name, known in state.target_topics.items():
        if name not in names:
            raise RefusedError(f"Topic {name} was deleted on the target since: replay anew, without --resume.")
        if known is not None and ids.get(name, known) != known:
            raise RefusedError(
                f"Topic {name} was created anew on the target since, without what was sent before: replay anew, "
                "without --resume."
            )
    if state.places != tuple(plan.routes.places()) or len(state.topics) != len(plan.routes.topics):
        raise RefusedError(
            f"The target's topics have other partitions than when replay {state.replay_id} began, so that records "
            "would go elsewhere now: replay anew into new topics, without --resume."
        )


def require_whole_logs(plan: Plan, state: State, ends: dict[Place, int]) -> None:
    """RefusedError when logs don't hold any more what was noted of them."""
    places = plan.routes.places()
    starts = dict.fromkeys(places, 0) | log_starts(plan.cluster, existing_places(plan))
    for place, noted in zip(places, state.base.offsets, strict=True):
        where = f"{place[0]}/{place[1]}"
        if ends[place] < noted:
            raise RefusedError(
                f"{where}: its log ends at offset {ends[place]:,}, although records up to {noted:,} were confirmed: it "
                "was cut, as an unclean leader election does. Replay anew into a new topic, without --resume."
            )
        if starts[place] > noted:
            raise RefusedError(
                f"{where}: its log begins at offset {starts[place]:,} now, what lay before is deleted (retention?), so "
                f"nobody can tell what was there from offset {noted:,} on. Replay anew into a new topic that keeps "
                "records (retention.ms=-1), without --resume."
            )
