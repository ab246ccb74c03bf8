"""How fast a capture is scrubbed, and in how much memory: `python -m tests.benchmarks.scrub --records 2000000`.

Makes a capture (see `tests.benchmarks.payments`), scrubs it by the policy of the example system, and prints a table:
by stage the seconds and the processor time of all processes (for every record, too), and the peak of their memory.
Ten million records take 4 GB of disk.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from recorder.capture.reader import Capture, open_capture
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from recorder.scrubbing.workers import workers
from tests.benchmarks.payments import make

_CLOSELY = 20  # so seldom at what is shared, because the system walks all pages for it: a twentieth of a second each
POLICY = Path(__file__).parents[2] / "examples/policies/kpay.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--customers", type=int, help="one for every 40 records, if not said otherwise")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep (or use again) the capture in this directory")
    arguments = parser.parse_args()
    work = arguments.keep or Path(tempfile.mkdtemp(prefix="bench-scrub-"))
    os.environ.setdefault("BLACKBOX_KEY", "benchmark " * 4)
    try:
        raw, clean = work / "raw", work / "clean"
        if not raw.exists():
            make(raw, arguments.records, arguments.customers or arguments.records // 40, arguments.partitions)
        shutil.rmtree(clean, ignore_errors=True)
        run(open_capture(raw), clean, arguments.jobs)
    finally:
        if arguments.keep is None:
            shutil.rmtree(work)


def run(capture: Capture, clean: Path, jobs: int) -> None:
    rows = []
    watch = Watch()
    policy = load_policy(POLICY)
    size = sum(partition.payload_bytes for _, partition in capture.manifest.topic_partitions())
    stages: dict[str, tuple[float, float]] = {}

    def now() -> tuple[float, float]:
        return time.monotonic(), watch.cpu()

    started = now()
    with workers(1 << 40, jobs) as executor:
        done = scrub(capture, policy, clean, executor=executor, progress=lambda stage, _: stages.update({stage: now()}))
        stages["sign"] = now()
        rows.append(("scrub, proof included", started, stages["sign"]))
        for (stage, end), begin in zip(stages.items(), [started, *stages.values()], strict=False):
            rows.append((f"  {stage}", begin, end))
        started = now()
        verify_clean(clean, executor=executor)
        rows.append(("verify-clean", started, now()))
    watch.stop()
    print(f"{capture.manifest.records:,} records, {size / 1e9:.2f} GB of payload, {done.originals:,} originals")
    records = capture.manifest.records
    print(f"{'':24} {'seconds':>8} {'processor s':>12} {'µs/record':>10} {'records/s':>10}")
    for name, begin, end in rows:
        seconds, spent = end[0] - begin[0], end[1] - begin[1]
        print(f"{name:24} {seconds:8.1f} {spent:12.1f} {spent / records * 1e6:10.1f} {records / seconds:10,.0f}")
    print(
        f"peak resident memory: {watch.shared_once / 1e6:,.0f} MB (shared pages once), "
        f"{watch.peak / 1e6:,.0f} MB summed, {watch.largest / 1e6:,.0f} MB the largest process"
    )


class Watch:
    """Watches memory and processor time of this process and its children, four times a second."""

    def __init__(self) -> None:
        self.peak = self.largest = self.shared_once = 0
        self._spent: dict[int, float] = {}
        self._looked = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def cpu(self) -> float:
        """Processor seconds so far."""
        return sum(self._spent.values())

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        page, ticks = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
        while not self._end.wait(0.25):
            sizes: list[int] = []
            shares: list[int] = []
            self._looked += 1
            closely = self._looked % _CLOSELY == 0
            for process in self._family(os.getpid()):
                try:
                    sizes.append(int(Path(f"/proc/{process}/statm").read_text().split()[1]) * page)
                    if closely:
                        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
                        share = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
                        shares.append(int(share[1]) * 1024 if share else 0)
                    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                self._spent[process] = (int(fields[11]) + int(fields[12])) / ticks
            self.peak = max(self.peak, sum(sizes))
            self.shared_once = max(self.shared_once, sum(shares))
            self.largest = max(self.largest, *sizes)

    def _family(self, process: int) -> Iterator[int]:
        yield process
        try:
            below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        except OSError:
            return
        for child in below:
            yield from self._family(int(child))


if __name__ == "__main__":
    main()
