"""Kills recordings at hundreds of points and resumes them: `python -m tests.crash --kills 300 --seed 1`.

Each capture is killed with SIGKILL several times, at random times and as soon as something is seen to happen in its
directory, and resumed until it is done. Then it must be the one that nobody disturbed: the same bytes in every file,
the same ledger, the same counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from pathlib import Path

from recorder.kafka.local import local_kafka
from tests.crash.log import fill
from tests.crash.run import run

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""A kill -9 takes nothing from a disk's cache; waiting for the disk would only make it slow."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so many, whatever was killed")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blackbox-crash-", dir=IN_MEMORY) as work, local_kafka() as kafka:
        topics = fill(kafka.bootstrap, arguments.seed, uuid.uuid4().hex[:8])
        tally = run(
            kafka.bootstrap, topics, Path(work), kills=arguments.kills, seconds=arguments.seconds, seed=arguments.seed
        )
    print("\n".join(tally.lines()))
    sys.exit(not tally.exact)


if __name__ == "__main__":
    main()
