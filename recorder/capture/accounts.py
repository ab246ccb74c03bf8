"""The ledger for eyes and programs: what became of every offset of every partition, and whether that is all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recorder.capture.ledger import REASONS
from recorder.capture.manifest import LOSS_REASONS, Gap, Manifest, Partition

HOLES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Account:
    """One partition's offsets `[start_offset, end_offset)`: so many records, and so many missing for each reason."""

    topic: str
    partition: int
    start_offset: int
    end_offset: int
    records: int
    missing: Mapping[str, int]
    """Every reason, 0 where there is nothing."""
    gaps: tuple[Gap, ...]

    @property
    def unaccounted(self) -> int:
        """Offsets that are neither a record nor in a gap: 0, or the manifest contradicts itself."""
        return self.end_offset - self.start_offset - self.records - sum(self.missing.values())

    @property
    def explained(self) -> bool:
        """Every offset is a record, or missing for a known reason."""
        return not self.unaccounted and not self.missing["unexplained"]

    @property
    def lost(self) -> int:
        return abs(self.unaccounted) + sum(self.missing[reason] for reason in LOSS_REASONS)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, every gap included."""
        gaps = [
            {"first_offset": g.first_offset, "last_offset": g.last_offset, "missing": g.missing, "reason": g.reason}
            for g in self.gaps
        ]
        return {
            "topic": self.topic,
            "partition": self.partition,
            "start_offset": self.start_offset,
            "end_offset": self.end_offset,
            "records": self.records,
            **self.missing,
            "explained": self.explained,
            "gaps": gaps,
        }


def accounts(manifest: Manifest) -> list[Account]:
    """One account a partition, in the manifest's order."""
    return [_account(topic.name, partition) for topic, partition in manifest.topic_partitions()]


def account_rows(found: Sequence[Account], *, all_reasons: bool) -> tuple[list[str], list[list[Any]]]:
    """A table: one row an account; without `all_reasons`, only those reasons that something is missing for."""
    shown = [reason for reason in REASONS if all_reasons or any(account.missing[reason] for account in found)]
    columns = ["topic", "partition", "start_offset", "end_offset", "records", *shown, "explained"]
    return columns, [
        [
            account.topic,
            account.partition,
            account.start_offset,
            account.end_offset,
            account.records,
            *(account.missing[reason] for reason in shown),
            account.explained,
        ]
        for account in found
    ]


def hole_lines(found: Sequence[Account], limit: int = HOLES_SHOWN) -> Iterator[str]:
    """The gaps, at most `limit` of them: ``orders/0  120 to 245: 12 aborted (114 records between)``."""
    gaps = [(account, gap) for account in found for gap in account.gaps]
    for account, gap in gaps[:limit]:
        span = f"{gap.first_offset}" + (f" to {gap.last_offset}" if gap.last_offset > gap.first_offset else "")
        between = gap.last_offset - gap.first_offset + 1 - gap.missing
        inside = f" ({between:,} records between)" if between else ""
        yield f"{account.topic}/{account.partition}  {span}: {gap.missing:,} {gap.reason}{inside}"
    if len(gaps) > limit:
        yield f"… and {len(gaps) - limit:,} more: --format json lists all"


def verdict(found: Sequence[Account]) -> str:
    """All partitions in a line: ``1,200 offsets = 1,000 records + 200 control. explained: yes``."""
    offsets = sum(account.end_offset - account.start_offset for account in found)
    terms = [f"{sum(account.records for account in found):,} records"]
    terms += [
        f"{total:,} {reason}" for reason in REASONS if (total := sum(account.missing[reason] for account in found))
    ]
    unexplained = [account for account in found if not account.explained]
    answer = "yes" if not unexplained else f"no, not in {len(unexplained):,} of {len(found):,} partitions"
    return f"{offsets:,} offsets = {' + '.join(terms)}. explained: {answer}"


def _account(topic: str, partition: Partition) -> Account:
    return Account(
        topic=topic,
        partition=partition.partition,
        start_offset=partition.start_offset,
        end_offset=partition.end_offset,
        records=partition.records,
        missing={reason: partition.missing(reason) for reason in REASONS},
        gaps=partition.gaps,
    )
