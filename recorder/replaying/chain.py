"""Which changes a replay makes to records on their way, in their order."""

from __future__ import annotations

import numpy as np

from recorder.replaying.changes import Change, Outgoing, each
from recorder.replaying.headers import with_header
from recorder.replaying.partitions import choose_partitions
from recorder.replaying.plan import Plan

PROVENANCE_HEADER = "blackbox-replay-id"


def chain(plan: Plan, replay_id: str) -> list[Change]:
    """The changes that the plan's options ask for, the first to be made first."""
    changes = choose_partitions(plan.placements, plan.options, plan.streams)
    if plan.options.provenance:
        changes.append(provenance(replay_id))
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
