"""Kills replays at hundreds of points and resumes them: `python -m tests.replay_crash --kills 200 --seed 1`.

Each replay is killed with SIGKILL several times, at random times and as soon as something is seen to happen, and
resumed until it is done. Then the target must hold what an undisturbed replay put there: every record once, in the same
order in each partition, with the same bytes, headers and timestamps. With `--transactional` they are sent inside
transactions, and what was committed is compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from recorder.kafka.local import local_kafka
from tests.crash.__main__ import IN_MEMORY
from tests.replay_crash.run import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so many, whatever was killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transactional", action="store_true", help="send inside transactions")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blackbox-crash-", dir=IN_MEMORY) as work, local_kafka() as kafka:
        tally = run(
            kafka.bootstrap,
            Path(work),
            kills=arguments.kills,
            seconds=arguments.seconds,
            seed=arguments.seed,
            in_transactions=arguments.transactional,
        )
    print("\n".join(tally.lines()))
    sys.exit(not tally.exact)


if __name__ == "__main__":
    main()
