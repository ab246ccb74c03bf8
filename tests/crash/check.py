"""A capture that was killed and resumed against the one that nobody disturbed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from recorder.capture.manifest import Manifest, Partition
from recorder.capture.reader import open_capture
from recorder.capture.verify import verify

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with a capture: records, files and ledgers that are not those of the undisturbed one."""

    lost: int = 0
    doubled: int = 0
    files: int = 0
    ledgers: int = 0
    others: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        return self == Found()


def compare(root: Path, undisturbed: Path) -> Found:
    """Read every file of both, whatever the manifests say."""
    wanted, got = _offsets(undisturbed), _offsets(root)
    ours, theirs = open_capture(root).manifest, open_capture(undisturbed).manifest
    mine, other = _partitions(ours), _partitions(theirs)
    places = mine.keys() | other.keys()
    # Reading and hashing every segment takes longest; after this, equal manifests mean equal bytes.
    failed = [f"{check.where}: {check.detail}" for check in verify(root) if check.status in {"FAILED", "WARNING"}]
    others = [text for text in failed if text not in _known(undisturbed)]
    if _notes(ours) != _notes(theirs):
        others.append(f"other notes: {_notes(ours) ^ _notes(theirs)}")
    if ours.finished_by != "end" or [step.verb for step in ours.lineage][:1] != ["record"]:
        others.append("its history is not told")
    return Found(
        lost=(wanted - got).total(),
        doubled=(got - wanted).total(),
        files=sum(mine[place].segments != other[place].segments for place in places),
        ledgers=sum(mine[place] != other[place] for place in places),
        others=tuple(others),
    )


@cache
def _known(undisturbed: Path) -> set[str]:
    return {f"{check.where}: {check.detail}" for check in verify(undisturbed) if check.status == "WARNING"}


def _offsets(root: Path) -> Counter[tuple[str, int, int]]:
    found: Counter[tuple[str, int, int]] = Counter()
    for path in root.glob("records/*/*/*"):
        topic, partition = path.parts[-3], int(path.parts[-2])
        found.update(
            (topic, partition, offset) for offset in pq.read_table(path, columns=["offset"])["offset"].to_pylist()
        )
    return found


def _partitions(manifest: Manifest) -> dict[Place, Partition]:
    return {(topic.name, partition.partition): partition for topic, partition in manifest.topic_partitions()}


def _notes(manifest: Manifest) -> set[str]:
    return {note.sentence() for note in manifest.notes if "before the recording began" not in note.text}
