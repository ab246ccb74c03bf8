"""Confirmed totals: how much was paid in each second, aggregated over ten keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

from kpay.events import Event, Record, now_ms, parse, time_text
from kpay.processor import Processor
from kpay.topics import COMPLETE, STATS

BUCKETS = 10


@dataclass
class _Total:
    count: int = 0
    cents: int = 0
    latency_ms: float = 0


class StatsProcessor(Processor):
    """`payments.complete` → `payments.confirmed.stats`: one event per key and second in which payments completed."""

    topics = (COMPLETE,)
    group = "kpay-stats"
    linger = 1.0

    def handle(self, records: Sequence[Record]) -> Iterable[Event]:
        totals: dict[str, _Total] = {}
        for record in records:
            payment = parse(record.value)
            total = totals.setdefault(f"stats-{crc32(payment['payment_id'].encode()) % BUCKETS}", _Total())
            total.count += 1
            total.cents += payment["amount_cents"]
            total.latency_ms = max(total.latency_ms, payment["latency_ms"])
        end = now_ms()
        self.telemetry.metric(self.origin, "throughput", len(records) / self.linger, "payments/s")
        for bucket, total in sorted(totals.items()):
            yield Event(
                topic=STATS,
                key=bucket,
                type="kpay.payments.confirmed",
                subject=bucket,
                value={
                    "bucket": bucket,
                    "window_start": time_text(end - int(self.linger * 1000)),
                    "window_end": time_text(end),
                    "count": total.count,
                    "total_cents": total.cents,
                    "max_latency_ms": total.latency_ms,
                    "currency": "EUR",
                },
            )
