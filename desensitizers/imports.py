"""Policies that share parts: ``imports: [common/people.yaml]``, relative to the file that says so.

What is imported adds its domains, rules by schema tag and topics after those of the file that imports it. The
importing file's secret, defaults and proof count; an imported file needs none. Every part knows the file it is from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from desensitizers.errors import PolicyError
from desensitizers.yamltree import Tree, parse

NAMES = ("version", "secret", "defaults", "domains", "schema_tags", "topics", "proof", "quarantine", "imports")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a policy: its top-level names, and the SHA-256 of its text."""

    file: str
    fields: dict[str, Tree]
    sha256: str


def parts(text: str, file: str) -> list[Part]:
    """The policy in `text` and all that it imports, each once, the importing file first.

    Raises PolicyError for a file that is missing, absolute, no policy, or imports itself.
    """
    found: list[Part] = []
    _add(text, file, (), found, {})
    return found


def sha256(found: list[Part], tables: Sequence[object] = ()) -> str:
    """Of all files, of the `tables` that rules read from beside them, and of foreign code; of one file, its text's."""
    if len(found) == 1 and not tables:
        return found[0].sha256
    read = [hashlib.sha256(json.dumps(table).encode()).hexdigest() for table in tables]
    return hashlib.sha256("\n".join([*(part.sha256 for part in found), *read]).encode()).hexdigest()


def _add(text: str, file: str, above: tuple[Path, ...], found: list[Part], known: dict[Path, Part]) -> None:
    root = parse(text, file)
    fields = root.fields("the policy", NAMES, required=("version",))
    if fields["version"].text("version") != "1":
        fields["version"].fail("this version of blackbox reads policies of version 1.")
    here = Path(file).resolve()
    part = known[here] = Part(file, fields, hashlib.sha256(text.encode()).hexdigest())
    found.append(part)
    for item in fields["imports"].elements("imports") if "imports" in fields else ():
        name = item.text("an import")
        if Path(name).is_absolute():
            item.fail(f"'{name}': write the path of an imported policy relative to this file.")
        path = Path(file).parent / name
        if path.resolve() in (here, *above):
            item.fail(f"'{name}' imports itself, by way of this file.")
        if path.resolve() in known:
            continue
        try:
            content = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            item.fail(f"there is no file '{name}' beside this policy.")
        except (OSError, UnicodeDecodeError) as error:
            item.fail(f"'{name}' can't be read: {error}.")
        _add(content, str(path), (here, *above), found, known)


def required(found: list[Part], name: str) -> Tree:
    """The first that has it. Raises PolicyError when none does."""
    tree = first(found, name)
    if tree is None:
        raise PolicyError(f"the policy needs '{name}'.", file=found[0].file, line=1)
    return tree


def first(found: list[Part], name: str) -> Tree | None:
    """What the first file that has it says."""
    return next((part.fields[name] for part in found if name in part.fields), None)
