"""The disk that a replay will need on the target, and whether its topics will keep that much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from recorder.capture.reader import Capture

_AS_SENT = ("producer", "uncompressed")


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes in one target topic, over all passes (one, if there is no end of them)."""

    target: str
    bytes: int
    """Before compression, in one copy."""
    replicas: int
    """How many copies there will be of each; 1 where nobody tells."""
    share: float
    """What compression is likely to leave of it, judged by the capture's own files; 1.0: nothing compresses."""

    @property
    def on_disk(self) -> int:
        """On all brokers together."""
        return round(self.bytes * self.replicas * self.share)


def compressed_share(captures: Sequence[Capture]) -> float:
    """How large the captures' files are, compared with what is in them."""
    parts = [partition for capture in captures for _, partition in capture.manifest.topic_partitions()]
    inside = sum(part.payload_bytes for part in parts)
    files = sum(segment.bytes for part in parts for segment in part.segments)
    return min(1.0, files / inside) if inside else 1.0


def compresses(settings: Mapping[str, str] | None, by_producer: str | None) -> bool:
    """Will records lie compressed in a topic with these settings?"""
    kind = (settings or {}).get("compression.type", "producer")
    if kind == "producer":
        return by_producer not in (None, "", "none")
    return kind not in _AS_SENT


def kept_too_little(space: Space, partitions: int, settings: Mapping[str, str]) -> Iterator[str]:
    """How a topic's limit of bytes will have records deleted, as a sentence without its end."""
    limit = int(settings.get("retention.bytes", "-1"))
    each = round(space.bytes * space.share) // max(partitions, 1)
    if 0 <= limit < each and "delete" in settings.get("cleanup.policy", "delete"):
        yield f"retention.bytes keeps {limit:,} bytes a partition, and this brings about {each:,} to each"
