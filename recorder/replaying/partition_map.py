"""What a person says about partitions: a word, or a file that maps recorded partitions to those of the target."""

from __future__ import annotations

import re
from pathlib import Path

from desensitizers.errors import PolicyError
from desensitizers.yamltree import parse
from recorder.errors import UsageError
from recorder.replaying.options import Partitions

_LINE = re.compile(r"(?P<topic>\S+)/(?P<partition>\d{1,9})\s*->\s*(?P<target>\d{1,9})", re.ASCII)
_PLACE = re.compile(r"(?P<topic>\S+)/(?P<partition>\d{1,9})", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_WORDS: tuple[Partitions, ...] = ("auto", "keep", "hash")

Said = tuple[int, tuple[str, int], int]


def parse_partitions(text: str) -> tuple[Partitions, dict[tuple[str, int], int]]:
    """`keep`, `hash`, `auto`, or `map:FILE` with what the file says. Raises UsageError."""
    for word in _WORDS:
        if text == word:
            return word, {}
    kind, _, path = text.partition(":")
    if kind != "map" or not path:
        raise UsageError(f"--partitions {text} is no rule: give auto, keep, hash or map:FILE.")
    return "map", load_map(Path(path))


def load_map(path: Path) -> dict[tuple[str, int], int]:
    """Lines ``topic/partition -> partition`` (``#`` begins a comment), or a YAML or JSON mapping of the same.

    Raises UsageError naming file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: can't read this map of partitions: {error}.") from None
    lines = [(at, line.partition("#")[0].strip()) for at, line in enumerate(text.splitlines(), 1)]
    if not any(line for _, line in lines):
        raise UsageError(f"{path} maps nothing: write lines like orders/3 -> 0.")
    said = list(_arrows(path, lines)) if any("->" in line for _, line in lines) else list(_tree(path, text))
    found: dict[tuple[str, int], int] = {}
    where: dict[tuple[str, int], int] = {}
    for at, place, target in said:
        if place in found:
            raise UsageError(
                f"{path}, line {at}: {place[0]}/{place[1]} stands in line {where[place]} already: remove one."
            )
        found[place], where[place] = target, at
    return found


def _arrows(path: Path, lines: list[tuple[int, str]]) -> list[Said]:
    said = []
    for at, line in lines:
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise UsageError(f"{path}, line {at}: '{line}' is not 'topic/partition -> partition'.")
        said.append((at, (match["topic"], int(match["partition"])), int(match["target"])))
    return said


def _tree(path: Path, text: str) -> list[Said]:
    said = []
    try:
        for name, key, value in parse(text, str(path)).items("the map"):
            match, target = _PLACE.fullmatch(name), value.text("a partition")
            if match is None or not _NUMBER.fullmatch(target):
                raise UsageError(f"{path}, line {key.line}: '{name}: {target}' is not 'topic/partition: partition'.")
            said.append((key.line, (match["topic"], int(match["partition"])), int(target)))
    except PolicyError as error:
        raise UsageError(str(error)) from None
    return said
