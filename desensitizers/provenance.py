"""Code that a policy uses and that is not this program's: what brought it, and the SHA-256 of the files it stands in.

What a policy does changes with such code, so its hash covers it, and reports name it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from desensitizers import detectors, rules
from desensitizers.detectors import ner
from desensitizers.own_modules import NoFileError, imported
from desensitizers.plugins import DETECTORS, RULES, installed
from desensitizers.rules.base import Options


@dataclass(frozen=True, slots=True)
class Foreign:
    """A rule, detector or function of others."""

    what: str
    """``rule NAME``, ``detector NAME`` or ``function MODULE:NAME``."""
    origin: str
    """Distribution and version of a plug-in or model; empty for a function."""
    sha256: str
    """Of the file of its module, whatever that is: source, bytecode or a compiled extension; with other modules that it
    imports from the same place, of all of them. Empty for a model."""

    def __str__(self) -> str:
        return ", ".join(part for part in (self.origin, self.sha256 and f"SHA-256 {self.sha256}") if part)


def of_rule(name: str, options: Options) -> list[Foreign]:
    """What a rule that can be loaded brings from outside, with these options. Raises NoFileError."""
    if name == "custom":
        reference = str(options["function"])
        module, _, function = reference.partition(":")
        home = getattr(getattr(import_module(module), function), "__module__", None)
        return [Foreign(f"function {reference}", "", _digest(module, home if isinstance(home, str) else module))]
    if name in rules.NAMES:
        return []
    plugin = installed(RULES)[name]
    return [Foreign(f"rule {name}", plugin.package, _digest(plugin.entry.module))]


def of_detectors(names: Iterable[str]) -> list[Foreign]:
    """The same for detectors. Raises NoFileError."""
    plugins, named = installed(DETECTORS), set(names)
    foreign = sorted(named & plugins.keys() - {*detectors.NAMES, detectors.LEARNED})
    found = [
        Foreign(f"detector {name}", plugins[name].package, _digest(plugins[name].entry.module)) for name in foreign
    ]
    return [*found, Foreign("detector ner", ner.using(), "")] if "ner" in named else found


def _digest(module: str, home: str = "") -> str:
    """Of the file of a module, of the one that really holds what it names, and of what both import from beside them."""
    content = _file(module)
    if content is None:
        raise NoFileError(f"'{module}' stands in no file, so nothing could tell when it changes: write it into one.")
    found = {**_beside(module), module: hashlib.sha256(content).digest()}
    if home and home != module and (there := _file(home)) is not None:
        found |= {**_beside(home), home: hashlib.sha256(there).digest()}
    if len(found) == 1:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha256(b"".join(name.encode() + b"\0" + found[name] for name in sorted(found))).hexdigest()


def _beside(module: str) -> dict[str, bytes]:
    """What a module imports from where it comes from; out of an archive that may be anything in it."""
    top = getattr(sys.modules.get(module.partition(".")[0]), "__spec__", None)
    if top is None:
        return {}
    archive = getattr(top.loader, "archive", None)
    if isinstance(archive, str):
        return {"": hashlib.sha256(Path(archive).read_bytes()).digest()}
    return imported(module, top)


def _file(module: str) -> bytes | None:
    loaded = sys.modules.get(module) or import_module(module)
    spec = loaded.__spec__
    read = getattr(spec.loader, "get_data", None) if spec is not None else None
    if spec is None or read is None or not spec.origin or not spec.has_location:
        return None
    try:
        content: bytes = read(spec.origin)
    except OSError:
        return None
    return content
