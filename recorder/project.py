"""What a project says for everybody who works in it: `blackbox.yaml`, here or in a directory above.

replay:
  allow_targets: [MkU3OEVBNTcwNTJENDM2Qk, …]    # cluster ids: replays go nowhere else
guard:
  public_key: keys/reports.pub                  # only what its owner signed may leave; beside this file
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from desensitizers.errors import PolicyError
from desensitizers.yamltree import Tree, parse
from recorder.errors import UsageError

PROJECT_FILE = "blackbox.yaml"


@dataclass(frozen=True, slots=True)
class Project:
    """What stands in it; empty without such a file."""

    allow_targets: tuple[str, ...] = ()
    public_key: Path | None = None


def project_of(directory: Path) -> Project:
    """The nearest project file in or above `directory`. Raises UsageError naming file and line."""
    here = directory.resolve()
    for place in (here, *here.parents):
        if (file := place / PROJECT_FILE).is_file():
            return _read(file)
    return Project()


def _read(file: Path) -> Project:
    try:
        root = parse(file.read_text(encoding="utf-8"), str(file)).fields("the project", ["replay", "guard"])
        targets = _targets(root["replay"]) if "replay" in root else ()
        key = file.parent / _key(root["guard"]) if "guard" in root else None
    except PolicyError as error:
        raise UsageError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: can't read this project file: {error}.") from None
    return Project(targets, key)


def _targets(tree: Tree) -> tuple[str, ...]:
    said = tree.fields("replay", ["allow_targets"], required=["allow_targets"])["allow_targets"]
    found = tuple(entry.text("a cluster id") for entry in said.elements("allow_targets"))
    if not found:
        said.fail("allow_targets allows no cluster: name one, or remove it.")
    return found


def _key(tree: Tree) -> str:
    return tree.fields("guard", ["public_key"], required=["public_key"])["public_key"].text("public_key")
