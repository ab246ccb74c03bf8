"""Records from three brokers while they are in trouble: `python -m tests.faults --seed 1 --minutes 5`.

For each trouble two recordings run: of a live window, and of a window in the past, read slowly enough to last. Writers
never stop meanwhile. Each capture is held against the log and against what was confirmed to the writers; the table
says what is missing, and how long the recording stood still.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import trouble
from tests.faults.run import HEADINGS, Row, prepare, run
from tests.faults.site import three_brokers
from tests.faults.writing import writing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the order of troubles, and of their choices")
    parser.add_argument("--minutes", type=float, default=0, help="go on with troubles at random until then")
    parser.add_argument("--only", default="", metavar="TEXT", help="only troubles whose name holds this")
    arguments = parser.parse_args()
    chosen = [one for one in trouble.ALL if arguments.only in one.name]
    work = Path(tempfile.mkdtemp(prefix="blackbox-faults-"))
    rows: list[Row] = []
    began = time.monotonic()
    try:
        with three_brokers(arguments.seed) as site:
            prepare(site)
            print(HEADINGS, flush=True)
            with writing(site.bootstrap, trouble.LIVE, trouble.IN_TRANSACTIONS, partitions=6) as writers:
                while not rows or time.monotonic() - began < arguments.minutes * 60:
                    for one in chosen if not rows else [site.chance.choice(chosen)]:
                        found = run(site, writers, one, work / f"{len(rows)}")
                        rows += found
                        print("\n".join(map(str, found)), flush=True)
            if writers.failed:
                print(f"{len(writers.failed)} records could not be written: {writers.failed[0]}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    wrong = [row for row in rows if not row.tally.exact]
    print(f"{len(rows)} recordings, {len(wrong)} of them not exact; {time.monotonic() - began:,.0f} s")
    sys.exit(bool(wrong or writers.failed))


if __name__ == "__main__":
    main()
