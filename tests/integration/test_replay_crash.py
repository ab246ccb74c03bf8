"""Killed anywhere and resumed, a replay leaves in the target what one leaves that nobody disturbed.

`python -m tests.replay_crash --kills 200` shows more.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import pytest

from recorder.kafka.local import LocalKafka
from tests.crash.__main__ import IN_MEMORY
from tests.replay_crash.run import run

pytestmark = pytest.mark.integration

_KILLS, _SECONDS = 10, 6


@pytest.mark.parametrize("in_transactions", [False, True], ids=["plain", "transactional"])
def test_trap_20_kill_9_at_many_points_loses_and_doubles_nothing(
    target_kafka: LocalKafka, in_transactions: bool
) -> None:
    seed = uuid.uuid4().int % 1_000_000
    with tempfile.TemporaryDirectory(prefix="blackbox-crash-", dir=IN_MEMORY) as work:
        tally = run(
            target_kafka.bootstrap,
            Path(work),
            kills=_KILLS,
            seconds=_SECONDS,
            seed=seed,
            in_transactions=in_transactions,
        )
    assert tally.exact, "\n".join([f"seed {seed}", *tally.lines()])
    assert tally.kills
