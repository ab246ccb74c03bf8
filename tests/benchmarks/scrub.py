"""How fast a capture is scrubbed, and in how much memory: `python -m tests.benchmarks.scrub --records 2000000`.

Makes a capture of about 1 KB records with the policy of the example system (half of them quote a customer in a
note), scrubs it, and prints a table: seconds, records per second, and the peak resident memory of all processes.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from desensitizers.surrogates.kinds import luhn_digit
from recorder.capture.ledger import Ledger
from recorder.capture.manifest import Topic
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import RECORD_SCHEMA
from recorder.capture.writer import PartitionWriter, finish
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.verify_clean import verify_clean
from recorder.scrubbing.workers import workers
from tests.builders import T0, describe

POLICY = Path(__file__).parents[2] / "examples/policies/kpay.yaml"
_HEADERS = [
    {"key": "ce_specversion", "value": b"1.0"},
    {"key": "ce_source", "value": b"/kpay/generator"},
    {"key": "ce_type", "value": b"kpay.payment.requested"},
    {"key": "content-type", "value": b"application/json"},
    {"key": "release", "value": b"2.3.1"},
]
_FILLER = "The payment was requested by the customer's standing order and will be booked as soon as possible. " * 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="keep (or use again) the capture in this directory")
    arguments = parser.parse_args()
    work = arguments.keep or Path(tempfile.mkdtemp(prefix="bench-scrub-"))
    os.environ.setdefault("BLACKBOX_KEY", "benchmark " * 4)
    try:
        raw, clean = work / "raw", work / "clean"
        if not raw.exists():
            make(raw, arguments.records, arguments.customers, arguments.partitions)
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
        rows.append(("scrub, proof included", started, now()))
        for (stage, end), begin in zip(stages.items(), [started, *stages.values()], strict=False):
            rows.append((f"  {stage}", begin, end))
        started = now()
        verify_clean(clean, executor=executor)
        rows.append(("verify-clean", started, now()))
    watch.stop()
    print(f"{capture.manifest.records:,} records, {size / 1e9:.2f} GB of payload, {done.originals:,} originals")
    print(f"{'':24} {'seconds':>8} {'processor s':>12} {'records/s':>10}")
    for name, begin, end in rows:
        seconds = end[0] - begin[0]
        print(f"{name:24} {seconds:8.1f} {end[1] - begin[1]:12.1f} {capture.manifest.records / seconds:10,.0f}")
    print(
        f"peak resident memory: {watch.shared_once / 1e6:,.0f} MB (shared pages once), "
        f"{watch.peak / 1e6:,.0f} MB summed, {watch.largest / 1e6:,.0f} MB the largest process"
    )


def make(root: Path, records: int, customers: int, partitions: int) -> None:
    """A capture of `payments.incoming`."""
    root.mkdir(parents=True)
    described = []
    for number in range(partitions):
        writer = PartitionWriter(root, "payments.incoming", number)
        ledger = Ledger(0)
        for start in range(0, records // partitions, 2_000):
            count = min(2_000, records // partitions - start)
            batch = make_batch(number, start, count, customers)
            ledger.saw(batch.column("offset").to_numpy(), np.ones(count, np.bool_))
            writer.append(batch)
        writer.seal()
        described.append(writer.describe(ledger))
    topic = Topic(name="payments.incoming", id=None, config={}, partitions=tuple(described))
    finish(root, describe((topic,), None, clean=False, notes=(), cluster_id="bench", at_ms=T0))


def make_batch(partition: int, start: int, count: int, customers: int) -> pa.RecordBatch:
    rng = random.Random(f"{partition}/{start}")
    offsets = range(start, start + count)
    ids = [f"pay-bench-{partition}{offset:09d}" for offset in offsets]
    columns = {
        "topic": ["payments.incoming"] * count,
        "partition": [partition] * count,
        "offset": list(offsets),
        "timestamp_ms": [T0 + offset for offset in offsets],
        "timestamp_type": ["create"] * count,
        "key": [one.encode() for one in ids],
        "value": list(values(ids, rng, customers)),
        "headers": [[{"key": "ce_id", "value": f"{rng.getrandbits(64):016x}".encode()}, *_HEADERS] for _ in offsets],
        "leader_epoch": [0] * count,
    }
    return pa.RecordBatch.from_pydict(columns, schema=RECORD_SCHEMA)


def values(ids: list[str], rng: random.Random, customers: int) -> Iterator[bytes]:
    for number, payment in enumerate(ids):
        payer, payee = person(rng.randrange(customers)), person(rng.randrange(customers))
        note = f"{_FILLER} Please call {payer['name']} at {payer['phone']}." if number % 2 else _FILLER
        yield json.dumps(
            {
                "payment_id": payment,
                "status": "requested",
                "amount_cents": rng.randrange(100, 10_000_000),
                "currency": "EUR",
                "requested_at": "2026-03-01T14:02:11.123Z",
                "customer": {name: payer[name] for name in ("customer_id", "name", "email", "phone")},
                "payer": {"account_id": payer["account_id"], "iban": payer["iban"]},
                "payee": {"account_id": payee["account_id"], "iban": payee["iban"], "name": payee["name"]},
                "card": payer["card"],
                "note": note,
            },
            ensure_ascii=False,
        ).encode()


@functools.lru_cache(maxsize=200_000)
def person(number: int) -> dict[str, str]:
    rng = random.Random(number)
    first, last = (
        "".join(rng.choice("aeioubcdfghlmnrstw") for _ in range(rng.randint(4, 8))).capitalize() for _ in range(2)
    )
    return {
        "customer_id": f"cus-{10_000_000 + number}",
        "account_id": f"acc-{50_000_000 + number * 7}",
        "name": f"{first} {last}",
        "email": f"{first}.{last}{number}@mail.example.org".lower(),
        "phone": f"+49 30 {9_000_000 + number}",
        "iban": f"DE{rng.randrange(10**20):020d}",
        "card": f"4539{number:011d}{luhn_digit(f'4539{number:011d}')}",
    }


class Watch:
    """Watches memory and processor time of this process and its children, four times a second."""

    def __init__(self) -> None:
        self.peak = self.largest = self.shared_once = 0
        self._spent: dict[int, float] = {}
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
            for process in self._family(os.getpid()):
                try:
                    sizes.append(int(Path(f"/proc/{process}/statm").read_text().split()[1]) * page)
                    share = re.search(
                        r"^Pss: +(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE
                    )
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
