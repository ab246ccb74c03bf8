"""Does the target's quota let the replay keep its rhythm? Brokers hold back who brings more, and records come late."""

from __future__ import annotations

from collections.abc import Iterator

from recorder.kafka.cluster import Cluster
from recorder.kafka.quotas import ProducerQuota, producer_quota
from recorder.replaying.findings import Finding, warning
from recorder.replaying.options import Options
from recorder.replaying.routes import Routes
from recorder.replaying.survey import Survey


def check_quota(cluster: Cluster, routes: Routes, survey: Survey, options: Options) -> Iterator[Finding]:
    """Ask for the quota, and hold the replay's busiest second against it."""
    if survey.records:
        yield from judge_quota(producer_quota(cluster), _brokers(cluster, routes), survey, options)


def judge_quota(quota: ProducerQuota, brokers: int, survey: Survey, options: Options) -> Iterator[Finding]:
    """`brokers` is how many the records are spread over."""
    if quota.unknown is not None:
        yield warning(
            None,
            f"Whether a quota (producer_byte_rate) would hold the replay back is unknown: {quota.unknown}",
            "Ask who runs the cluster, if its rhythm matters.",
        )
        return
    limit = quota.bytes_per_second
    if limit is None:
        return
    allowed = f"Its quota lets us write {limit:,.0f} bytes a second to each broker ({quota.of}, producer_byte_rate)"
    need = _need(survey, options)
    if need is None:
        yield warning(
            None,
            f"{allowed}: top speed will be no more than that",
            f"Raise it, or give --mbps {limit * brokers * 8 / 1e6:.3g}: then it is we who wait.",
        )
    elif need > limit * brokers:
        slower = "" if options.pace is None else f", or give --rate {options.pace * limit * brokers / need:.2g}"
        over = "" if brokers == 1 else f" to {brokers} brokers"
        yield warning(
            None,
            f"{allowed}, and the busiest second brings {need:,.0f}{over} before compression: records will be late",
            f"Raise it to {need / brokers:,.0f} or more{slower}.",
        )
    elif need > limit:
        yield warning(
            None,
            f"{allowed}, and the busiest second brings {need:,.0f} before compression: enough only while it goes to "
            f"all {brokers} brokers alike",
            f"Raise it to {need:,.0f} to be sure.",
        )


def _need(survey: Survey, options: Options) -> float | None:
    """Bytes in the busiest second; None: as many as can be."""
    caps = [] if options.pace is None else [float(survey.peak_bytes_per_second)]
    if options.bytes_per_second is not None:
        caps.append(options.bytes_per_second)
    if options.records_per_second is not None:
        caps.append(options.records_per_second * survey.bytes / survey.records)
    return min(caps, default=None)


def _brokers(cluster: Cluster, routes: Routes) -> int:
    """How many brokers lead the partitions that are written to; all, where topics are still to be created."""
    counts, leaders = cluster.partition_counts(), cluster.leaders()
    if any(name not in counts for name in routes.partitions):
        return len(cluster.brokers)
    return len({leader for (name, _), leader in leaders.items() if name in routes.partitions}) or 1
