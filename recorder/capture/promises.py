"""What a manifest says of its files, held against them at the price of a look at each: links, sizes, row counts.

`blackbox verify` reads every byte; this is for whoever is about to read them anyway, and must not work on others.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from recorder.capture.locations import Location
from recorder.capture.manifest import Manifest, Partition, Segment
from recorder.errors import CaptureError

_VERIFY = "Take the capture from its source again; 'blackbox verify' shows what else is wrong."


def check_promises(root: Location, manifest: Manifest) -> None:
    """CaptureError for the first segment that is not a file of this capture, of the size that the manifest says.

    In an object store only what the manifest says of itself is looked at: a request for each segment costs too much.
    """
    for topic, partition in manifest.topic_partitions():
        _check_sums(f"{root}: {topic.name}/{partition.partition}", partition)
    if isinstance(root, Path):
        own: set[Path] = set()
        for _, partition in manifest.topic_partitions():
            for segment in partition.files:
                _check_file(root, segment, own)


def check_rows(rows: int, path: Location, segment: Segment) -> None:
    """CaptureError when a segment's footer counts other records than the manifest."""
    if rows != segment.records:
        raise CaptureError(
            f"Segment {path} is torn or altered: it holds {rows:,} records, the manifest says {segment.records:,}. "
            + _VERIFY
        )


def _check_sums(where: str, partition: Partition) -> None:
    found = sum(segment.records for segment in partition.segments)
    if found != partition.records:
        raise CaptureError(
            f"{where} has {partition.records:,} records by the manifest, and its segments {found:,}: it was altered. "
            + _VERIFY
        )


def _check_file(root: Path, segment: Segment, own: set[Path]) -> None:
    path = root / segment.path
    try:
        for directory in path.relative_to(root).parents:
            folder = root / directory
            if directory.parts and folder not in own:
                if folder.is_symlink():
                    raise CaptureError(f"{folder} is a link: a capture holds only files of its own. {_VERIFY}")
                own.add(folder)
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise CaptureError(f"Segment {path} is missing. Run 'blackbox verify' to see what else is.") from None
    except OSError as error:
        raise CaptureError(f"Can't read segment {path}: {error.strerror}.") from None
    if stat.S_ISLNK(status.st_mode):
        raise CaptureError(f"Segment {path} is a link: a capture holds only files of its own. {_VERIFY}")
    if not stat.S_ISREG(status.st_mode):
        raise CaptureError(f"{path} is no file: it can't be a segment. Run 'blackbox verify' to see what else is.")
    if status.st_size != segment.bytes:
        raise CaptureError(
            f"Segment {path} is torn or altered: it has {status.st_size:,} bytes, the manifest says "
            f"{segment.bytes:,}. {_VERIFY}"
        )
