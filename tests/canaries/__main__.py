"""Plants canaries in every channel and scrubs them: `python -m tests.canaries --count 10000 --seed 1`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.canaries.run import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="blackbox-canaries-") as work:
        for line in run(Path(work), arguments.count, arguments.seed):
            print(line, flush=True)


if __name__ == "__main__":
    main()
