"""May these files leave? Refuses captures, and stray pieces of them, that no valid clean stamp vouches for.

Looks at what files are, not at what they are called, and into archives. A file inside a capture is judged with all
of it, so that a hook which is given single files misses nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from recorder.capture.locations import names_below
from recorder.capture.manifest import (
    CHECKPOINT_NAME,
    JOURNAL_NAME,
    MANIFEST_NAME,
    REPORT_NAME,
    REPORT_PAGE_NAME,
    WAITING_NAME,
    SchemaFile,
)
from recorder.capture.reader import open_capture
from recorder.errors import BlackboxError, UsageError
from recorder.scrubbing.report import check_report
from recorder.scrubbing.signing import Verifier
from recorder.scrubbing.stamp import is_intact
from recorder.scrubbing.strays import stray
from recorder.scrubbing.unpacking import TooMuchError, unpacked

_DEPTH = 3
_OWN_WORDS = frozenset({"capture_id", "topics", "facts"})
_UNFINISHED = (CHECKPOINT_NAME, WAITING_NAME, JOURNAL_NAME)


_NO_KEY = (
    "has a clean stamp, which anybody can make: only --public-key, or public_key under guard in blackbox.yaml, "
    "can tell whether it is signed by whom you trust (--allow-unsigned goes by the stamp alone)"
)


@dataclass(frozen=True, slots=True)
class _Trust:
    verifier: Verifier | None
    allow_unsigned: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that may not leave: where it stands (`archive!member` in an archive), and why."""

    where: str
    why: str


@dataclass(slots=True)
class Guarded:
    """What was found."""

    refused: list[Refused] = field(default_factory=list)
    clean: list[str] = field(default_factory=list)
    """Captures that may leave."""
    files: int = 0


def guard(paths: Sequence[Path], verifier: Verifier | None = None, *, allow_unsigned: bool = False) -> Guarded:
    """Looks at files and directories: only what the private counterpart of `verifier` signed may leave.

    Without one nothing may, as anybody can make a stamp; `allow_unsigned` then lets captures leave whose stamp fits
    all of their bytes. An export says less of itself, and needs the signature in any case.

    Raises UsageError for a path that does not exist or can't be read.
    """
    found = Guarded()
    judged: set[Path] = set()
    trust = _Trust(verifier, allow_unsigned)
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"{path} does not exist: give the files or directories that are to leave.")
        _look(path, found, judged, trust, depth=_DEPTH)
    return found


def _look(path: Path, found: Guarded, judged: set[Path], trust: _Trust, *, depth: int) -> None:
    for file in _files(path):
        root = _capture_of(file)
        if root is not None:
            if root.resolve() not in judged:
                judged.add(root.resolve())
                _judge(root, found, trust)
            continue
        found.files += 1
        try:
            why = stray(file, trust.verifier)
            if why:
                found.refused.append(Refused(str(file), why))
            elif depth:
                _look_inside(file, found, trust, depth)
        except OSError as error:
            raise UsageError(f"Can't read {file}: {error.strerror or error}.") from None


def _look_inside(file: Path, found: Guarded, trust: _Trust, depth: int) -> None:
    inside = Guarded()
    try:
        with unpacked(file) as directory:
            if directory is None:
                return
            _look(directory, inside, set(), trust, depth=depth - 1)
            prefix = f"{directory}{os.sep}"
    except TooMuchError as error:
        found.refused.append(Refused(str(file), str(error)))
        return
    found.files += inside.files
    found.clean += [f"{file}!{_within(place, prefix)}" for place in inside.clean]
    found.refused += [Refused(f"{file}!{_within(one.where, prefix)}", one.why) for one in inside.refused]


def _within(place: str, prefix: str) -> str:
    return place.removeprefix(prefix) if place.startswith(prefix) else "/"


def _files(path: Path) -> Iterator[Path]:
    """Regular files; what a link leads to is not what leaves."""
    if path.is_symlink():
        return
    if path.is_dir():
        for directory, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name != ".git")
            for name in sorted(names):
                file = Path(directory, name)
                if not file.is_symlink() and file.is_file():
                    yield file
    elif path.is_file():
        yield path


def _capture_of(file: Path) -> Path | None:
    """The nearest directory above that is a capture, or a recording that is not finished."""
    for directory in file.resolve().parents:
        if any(_is_ours(directory / name) for name in (MANIFEST_NAME, *_UNFINISHED)):
            return _as_given(directory, file)
    return None


def _as_given(directory: Path, file: Path) -> Path:
    """The directory in the words in which the file was named."""
    return next((one for one in file.parents if one.resolve() == directory), directory)


def _is_ours(file: Path) -> bool:
    """Whether a file of that name is one of a capture: other programs have manifests too."""
    if file.name == JOURNAL_NAME or not file.is_file():
        return False
    try:
        tree = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return (file.parent / "records").is_dir()
    return isinstance(tree, dict) and "format_version" in tree and not _OWN_WORDS.isdisjoint(tree)


def _judge(root: Path, found: Guarded, trust: _Trust) -> None:
    why = _not_clean(root, trust)
    if why:
        found.refused.append(Refused(str(root), why))
    else:
        found.clean.append(str(root))


def _not_clean(root: Path, trust: _Trust) -> str:
    """Why a capture may not leave; empty when it may."""
    if not (root / MANIFEST_NAME).is_file():
        return "is a recording that is not finished, and not scrubbed"
    try:
        manifest = open_capture(root).manifest
    except BlackboxError as error:
        return f"is a capture that can't be judged: {error}"
    if manifest.clean is None:
        return "is a raw capture: scrub it first"
    if not is_intact(manifest):
        return "has a clean stamp that does not fit: its manifest was altered"
    sums = {
        segment.path: segment.sha256 for _topic, partition in manifest.topic_partitions() for segment in partition.files
    }
    if isinstance(manifest.schemas, SchemaFile):
        sums[manifest.schemas.path] = manifest.schemas.sha256
    there = {name for name, _link in names_below(root)} - {MANIFEST_NAME, REPORT_NAME, REPORT_PAGE_NAME}
    for name in sorted(sums.keys() | there):
        if name not in sums:
            return f"is not as it was stamped: {name} was added"
        if name not in there:
            return f"is not as it was stamped: {name} is missing"
        with (root / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sums[name]:
                return f"is not as it was stamped: {name} was altered"
    failures = [check for check in check_report(root, trust.verifier) if check.status == "FAILED"]
    if failures:
        return f"has a report that does not hold: {failures[0].where} {failures[0].detail}"
    return "" if trust.verifier or trust.allow_unsigned else _NO_KEY
