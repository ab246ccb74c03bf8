"""A quarantine's place on disk: outside of all captures, under a temporary name until the clean copy is ready.

It gets its name a moment before the copy gets its own: whoever is killed in between has a whole quarantine and no copy.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from desensitizers.policy import Policy
from recorder.capture.durable import sync_directory
from recorder.capture.lineage import tool_version
from recorder.capture.locations import Location
from recorder.capture.object_stores import is_uri
from recorder.errors import UsageError
from recorder.payloads.schemas import Schema
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.quarantine.keys import Recipient, load_recipient
from recorder.scrubbing.quarantine.records import Held, Summary, Tally, framed, summary_of
from recorder.scrubbing.quarantine.sealed import SealedWriter

SUFFIX = ".quarantine"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where withheld records go, and whom they are encrypted for. A directory gets a file named by the capture's id."""

    path: Path
    recipient: Recipient


def destination(path: str, key: Path | None, policy: Policy, captures: Iterable[Location]) -> Destination:
    """What a person asked for. `captures` are those that it must not lie in: the source, and the copy.

    Raises UsageError for a path inside of them, one that is taken, and for a key that is missing or can't be read.
    """
    if is_uri(path):
        raise UsageError(f"--quarantine {path}: a quarantine is a local file; give a path outside of the clean copy.")
    place = Path(path)
    for capture in captures:
        if isinstance(capture, Path) and place.resolve().is_relative_to(capture.resolve()):
            raise UsageError(
                f"--quarantine {path} lies in {capture}: choose a path outside of it, where the clean copy won't take "
                "it along."
            )
    if not place.is_dir():
        if os.path.lexists(place):
            raise UsageError(f"{path} exists already, and a quarantine is never overwritten: choose another name.")
        if not place.parent.is_dir():
            raise UsageError(f"--quarantine {path}: there is no directory {place.parent}.")
    if not os.access(place if place.is_dir() else place.parent, os.W_OK | os.X_OK):
        raise UsageError(f"--quarantine {path}: nothing can be written there.")
    if key is None and not policy.spec.quarantine_key:
        raise UsageError(
            "--quarantine needs the public key that it is encrypted for: add --quarantine-key KEY.pub, or "
            "quarantine: {key: KEY.pub} to the policy; 'blackbox keys new --quarantine' makes the pair."
        )
    return Destination(place, load_recipient(key or Path(policy.spec.quarantine_key)))


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished quarantine."""

    path: Path
    recipient: str
    bytes: int
    sha256: str
    summary: Summary


class Quarantine:
    """One scrub's quarantine: written, then published or discarded. Raises ScrubError for what the disk refuses."""

    def __init__(self, to: Destination, parent_id: str) -> None:
        name = f"{parent_id[:12]}-{secrets.token_hex(4)}{SUFFIX}"
        self.path = to.path / name if to.path.is_dir() else to.path
        self._temporary = self.path.with_name(f".{self.path.name}.writing-{secrets.token_hex(4)}")
        self._recipient = to.recipient
        self._parent_id = parent_id
        self._writer: SealedWriter | None = None
        self._published = False

    def write(self, records: Iterable[Held], schemas: Iterable[Schema]) -> Kept:
        """All of it, flushed to disk, still under its temporary name. `schemas` are those that the records name."""
        tally: Tally = Counter()
        encoder = msgspec.msgpack.Encoder()
        try:
            writer = self._writer = SealedWriter(
                self._temporary,
                self._recipient,
                parent_id=self._parent_id,
                made_at_ms=time.time_ns() // 1_000_000,
                tool=tool_version(),
            )
            writer.write(framed(encoder.encode(tuple(schemas))))
            for record in records:
                writer.write(framed(encoder.encode(record)))
                tally[record.counted_as] += 1
            summary = summary_of(tally)
            writer.finish(msgspec.json.encode(summary))
        except OSError as error:
            raise self._refused(error) from error
        return Kept(self.path, self._recipient.key_id, writer.bytes, writer.sha256, summary)

    def publish(self) -> None:
        """Give it its name."""
        if os.path.lexists(self.path):
            raise ScrubError(f"{self.path} appeared meanwhile: nothing was written there. No copy was made.")
        try:
            self._temporary.rename(self.path)
            self._published = True
            sync_directory(self.path.parent)
        except OSError as error:
            raise self._refused(error) from error

    def discard(self) -> None:
        """Remove it, whatever its name is by now."""
        if self._writer is not None:
            self._writer.abandon()
        if self._published:
            self.path.unlink(missing_ok=True)

    def _refused(self, error: OSError) -> ScrubError:
        return ScrubError(f"Can't write the quarantine {self.path}: {error.strerror or error}. No copy was made.")
