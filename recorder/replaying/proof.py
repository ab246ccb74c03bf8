"""What a replay's target holds, read back from its log and held against what the capture says should be there."""

from __future__ import annotations

from typing import Literal

import msgspec

from recorder.wording import counted

NAMED = 100

What = Literal["missing", "doubled", "foreign", "out of order in its key"]


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """One record that is not as it should be: a missing one by where it was recorded, others by where they lie."""

    what: What
    topic: str
    partition: int
    offset: int


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Every record of the plan, compared with the target's log: content, count and order."""

    why_not: str | None = None
    """Why nothing could be proven; then all figures are 0."""
    records: int = 0
    """Records of the plan, all passes."""
    before: int = 0
    """Records of the timeline that lie before these: an earlier part noted that they were confirmed, and a replay that
    goes on from that note does not read them again."""
    log_records: int = 0
    """Records in the stretch of the log that was read."""
    partitions: int = 0
    """Partitions of the target that were read."""
    keys: int = 0
    """Different keys among the records of the plan."""
    missing: int = 0
    """Records that the target had confirmed and that are not in its log."""
    unconfirmed: int = 0
    """Records that are not there and of which the certificate says so anyway: failed, or too late to be sent."""
    doubled: int = 0
    """Records that lie there once more than they were meant to."""
    foreign: int = 0
    """Records between the ends of the log before and after that are none of the plan's."""
    key_inversions: int = 0
    """Records that lie before the one that precedes them in the capture's order of their key."""
    partition_inversions: int = 0
    """Records that lie before an earlier one of their target partition, by the capture's order."""
    timestamps: bool = True
    """Timestamps were compared everywhere. False: some, or all, are the target's own or the time of sending."""
    perturbed: bool = False
    """Chaos came between: what was meant to be sent is what the log was held against."""
    flaws: tuple[Flaw, ...] = ()
    """The first 100."""

    @property
    def wrong(self) -> int:
        """How many flaws there are."""
        return self.missing + self.doubled + self.foreign + self.key_inversions + self.partition_inversions

    @property
    def holds(self) -> bool:
        """Every confirmed record is there once, unchanged and in order, and nothing else."""
        return self.why_not is None and not self.wrong

    def sentence(self) -> str:
        """For one line of a summary."""
        if self.why_not is not None:
            return f"none: {self.why_not}"
        odd = {
            "missing": self.missing,
            "doubled": self.doubled,
            "of others in between": self.foreign,
            "out of order in their keys": self.key_inversions,
            "out of order in their partitions": self.partition_inversions,
        }
        found = ", ".join(f"{count:,} {what}" for what, count in odd.items() if count)
        gone = f"; {self.unconfirmed:,} unconfirmed ones are not there" if self.unconfirmed else ""
        where = f"{counted(self.partitions, 'partition')} of the target's log"
        rest = f"; {counted(self.before, 'record')} confirmed before, by an earlier part, not read again"
        gone += rest if self.before else ""
        told = f"{counted(self.records, 'record')} and {counted(self.keys, 'key')} held against {where}"
        if self.holds:
            there = f"{self.records - self.unconfirmed:,}" if self.unconfirmed else "each"
            order = "the order that --chaos meant" if self.perturbed else "the capture's order"
            return f"holds: {told}: {there} there once, equal and in {order}{gone}"
        return f"FAILED: {told}: {found}{gone}"
