"""Killed anywhere and resumed, a recording ends as one that nobody disturbed: what a few seconds show of it.

`python -m tests.crash --kills 300` shows more.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import pytest

from recorder.kafka.local import LocalKafka
from tests.crash.__main__ import IN_MEMORY
from tests.crash.log import fill
from tests.crash.run import run

pytestmark = pytest.mark.integration

_KILLS, _SECONDS = 15, 10


def test_kill_9_at_many_points_loses_and_doubles_nothing(kafka: LocalKafka) -> None:
    seed = uuid.uuid4().int % 1_000_000
    topics = fill(kafka.bootstrap, seed, uuid.uuid4().hex[:8])
    with tempfile.TemporaryDirectory(prefix="blackbox-crash-", dir=IN_MEMORY) as work:
        tally = run(kafka.bootstrap, topics, Path(work), kills=_KILLS, seconds=_SECONDS, seed=seed)
    assert tally.exact, "\n".join([f"seed {seed}", *tally.lines()])
    assert tally.kills
