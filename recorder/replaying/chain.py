"""Which changes a replay makes to records on their way, in their order."""

from __future__ import annotations

import numpy as np

from recorder.replaying.changes import Change, Outgoing, each
from recorder.replaying.chaos import Trouble
from recorder.replaying.headers import with_header
from recorder.replaying.homes import bring_home
from recorder.replaying.middleware import Middleware
from recorder.replaying.partitions import choose_partitions, mark_odd_keys
from recorder.replaying.plan import Plan
from recorder.replaying.rewriting import rewritten
from recorder.replaying.streams import Streams

PROVENANCE_HEADER = "blackbox-replay-id"


def chain(
    plan: Plan,
    replay_id: str,
    *,
    middleware: Middleware | None = None,
    trouble: Trouble | None = None,
    streams: Streams | None = None,
) -> list[Change]:
    """The changes that the plan's options ask for, the first to be made first; to records of other `streams` with the
    same topics, when there are some."""
    options, streams = plan.options, streams or plan.streams
    changes: list[Change] = []
    keys_stay = plan.translation is None and options.transform is None and middleware is None
    if not keys_stay:  # what people write, or other schema ids, may give a key another hash than it was recorded by
        changes += mark_odd_keys(plan.placements, streams)
    if (
        plan.translation is not None
    ):  # before the others: what people write, and what hashes keys, meets them as they are there
        changes.append(plan.translation.change(streams))
    if plan.letters is not None:
        changes.append(bring_home(plan.routes, streams, options))
    if options.transform is not None:
        changes.append(rewritten(options.transform, options.transform.name))
    if middleware is not None:
        changes.append(rewritten(middleware, middleware.name))
    changes += choose_partitions(plan.placements, options, streams, keys_as_recorded=keys_stay)
    if options.provenance:
        changes.append(provenance(replay_id))
    if trouble is not None:
        changes += trouble.changes()
    return changes


def provenance(replay_id: str) -> Change:
    """Every record tells, in a last header, which replay sent it."""
    value = replay_id.encode()

    def tell(records: Outgoing) -> Outgoing:
        headers = with_header(records.batch.column("headers"), PROVENANCE_HEADER, value)
        return records.with_columns(headers=headers).marked(
            f"header {PROVENANCE_HEADER} added", np.ones(len(records), np.bool_)
        )

    return each(tell)
