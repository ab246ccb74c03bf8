"""The lock file: which paths and types a capture holds, so that a field that is new shows before anybody keeps it.

Made of names and types alone. Keys of objects that look like data (an address, a number) are shown as ``*``; what was
always null has no type yet, and is new when it first has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any

import yaml

from desensitizers.explaining import seen, seen_name
from desensitizers.paths import EACH, Steps
from recorder.capture.promises import check_promises
from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.schemas import SchemaBook
from recorder.payloads.snapshot import read_schemas
from recorder.scrubbing.jobs import batches
from recorder.scrubbing.scrub import places

Entry = tuple[str, str, str]
"""Topic; ``key``, ``value`` or ``header NAME``; path (empty for the whole payload)."""
Shape = dict[Entry, set[str]]
"""The types met at each place: string, number, boolean, object and array (empty ones), bytes."""

_VERSION = 1
_DEEP = 128
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "number"),
    (float, "number"),
    (str, "string"),
    (dict, "object"),
    (list, "array"),
)


def shape_of(capture: Capture, progress: Callable[[int], None] | None = None) -> Shape:
    """Reads all records; `progress` is told bytes of segments. Raises CaptureError on torn data."""
    codecs = Codecs(SchemaBook(read_schemas(capture.root, capture.manifest)))
    found: Shape = {}
    check_promises(capture.root, capture.manifest)
    for place in places(capture):
        key, value = (Decoder(codecs, place.topic, side) for side in ("key", "value"))
        for batch in batches(place.root, place.segment):
            columns = (batch.column(name).to_pylist() for name in ("key", "value", "headers"))
            for one_key, one_value, headers in zip(*columns, strict=True):
                pairs = [(header["key"], header["value"]) for header in headers]
                _add(found, place.topic, "key", key, one_key, pairs)
                _add(found, place.topic, "value", value, one_value, pairs)
                for name, _value in pairs:
                    found.setdefault((place.topic, f"header {seen_name(name)}", ""), set()).add("bytes")
        if progress:
            progress(place.segment.bytes)
    return found


def written(shape: Shape) -> str:
    """The lock file: YAML, a line a place, sorted, so that a change is a line in a diff."""
    lines = ["# Paths and types of a capture; blackbox policy check POLICY CAPTURE --lock THIS tells what is new.", ""]
    lines += [f"version: {_VERSION}", "topics:" if shape else "topics: {}"]
    topic = place = ""
    for (one, where, path), types in sorted(shape.items()):
        if one != topic:
            lines.append(f"  {json.dumps(one)}:")
            topic, place = one, ""
        if where != place:
            lines.append(f"    {json.dumps(where, ensure_ascii=False)}:")
            place = where
        lines.append(f"      {json.dumps(path, ensure_ascii=False)}: [{', '.join(sorted(types))}]")
    return "\n".join(lines) + "\n"


def read_lock(path: Path) -> Shape:
    """Raises UsageError for a file that is no lock."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            f"Can't read the lock {path}: {getattr(error, 'strerror', None) or 'it is no YAML'}."
        ) from None
    try:
        if tree["version"] != _VERSION:
            raise UsageError(f"The lock {path} is of version {tree['version']}: make it anew (blackbox policy lock).")
        return {
            (topic, place, where): set(types)
            for topic, held in tree["topics"].items()
            for place, paths in held.items()
            for where, types in paths.items()
        }
    except (KeyError, TypeError, AttributeError):
        raise UsageError(f"{path} is no lock: make one with 'blackbox policy lock CAPTURE -o {path}'.") from None


def drift(lock: Mapping[Entry, set[str]], now: Shape) -> Shape:
    """Places that the lock doesn't know, and types that it doesn't know there."""
    return {
        entry: types - lock.get(entry, set()) for entry, types in sorted(now.items()) if types - lock.get(entry, set())
    }


def lines_to_add(new: Shape, lock: Mapping[Entry, set[str]]) -> Iterator[str]:
    """For a person: each new place as a line of a policy that drops it, or the type that is new there."""
    for (topic, place, path), types in new.items():
        kinds = ", ".join(sorted(types))
        if (topic, place, path) in lock:
            yield f"{topic}: {place} {path}: was {', '.join(sorted(lock[topic, place, path]))}, is also {kinds}"
        elif place.startswith("header "):
            yield f"{topic}: under headers add  {json.dumps(place.removeprefix('header '))}: drop"
        elif path:
            yield f"{topic}: under {place} add  {json.dumps(path, ensure_ascii=False)}: drop   # {kinds}"
        else:
            yield f"{topic}: {place} is new as a whole ({kinds}): add  {place}: drop"


def lock_change(path: Path, known: Shape, new: Shape) -> str:
    """What makes the lock name what is new, as a diff of the file: patch -p0 takes it, and so does a person."""
    named = {entry: known.get(entry, set()) | new.get(entry, set()) for entry in known.keys() | new.keys()}
    before = path.read_text(encoding="utf-8").splitlines(keepends=True)
    after = written(named).splitlines(keepends=True)
    return "".join(unified_diff(before, after, str(path), str(path)))


def _add(
    found: Shape, topic: str, place: str, decoder: Decoder, payload: bytes | None, headers: list[tuple[str, Any]]
) -> None:
    if not payload:
        return
    decoded = decoder.decode(payload, headers)
    value = json.loads(decoded.json) if decoded.readable else None
    if value is None:
        found.setdefault((topic, place, ""), set()).add("bytes")
        return
    stack: list[tuple[Steps, Any]] = [((), value)]
    while stack:
        steps, here = stack.pop()
        if isinstance(here, dict) and here and len(steps) < _DEEP:
            stack += [((*steps, name), below) for name, below in here.items()]
        elif isinstance(here, list) and here and len(steps) < _DEEP:
            stack += [((*steps, EACH), below) for below in here]
        elif here is not None:
            kind = next(name for one, name in _TYPES if isinstance(here, one))
            found.setdefault((topic, place, seen(steps) if steps else ""), set()).add(kind)
