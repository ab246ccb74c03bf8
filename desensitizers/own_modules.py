"""What somebody's module imports from where it comes from itself: read, never run, to tell when it changes.

Statically, by the import statements in the sources: from the directory on Python's path that the module stands in, or,
where that is shared by what was installed, from its own package.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ModuleSpec
from pathlib import Path

from desensitizers.errors import DesensitizerError

MOST_FILES = 2_000
MOST_BYTES = 64 << 20
_OURS = ("desensitizers", "recorder")
"""Their version is that of the program, which reports name anyhow."""
_SUFFIXES = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)
_SHARED = {"site-packages", "dist-packages"}


class NoFileError(DesensitizerError):
    """Code that no hash can cover."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class _Home:
    """Where imports count: below these directories, only below the package `only` if it is named."""

    directories: tuple[Path, ...]
    only: str

    def files(self, name: str) -> Iterator[tuple[str, Path]]:
        """(module, file) of a dotted name and of the packages above it, as far as they stand here."""
        steps = name.split(".")
        if steps[0] in _OURS or (self.only and steps[0] != self.only):
            return
        for depth in range(1, len(steps) + 1):
            for directory in self.directories:
                found = _file_at(directory.joinpath(*steps[:depth]))
                if found is not None:
                    yield ".".join(steps[:depth]), found
                    break


def imported(module: str, top: ModuleSpec) -> dict[str, bytes]:
    """SHA-256 by name of the modules that it imports, itself among them, directly or through others; `top` is what its
    first step was loaded by. Raises NoFileError on what can't be read, or is too much."""
    home = _home(module.partition(".")[0], top)
    found: dict[str, bytes] = {}
    size = 0
    waiting = list(home.files(module))
    while waiting:
        name, file = waiting.pop()
        if name in found:
            continue
        try:
            content = file.read_bytes()
            names = list(_imports(content, name, file)) if file.suffix in SOURCE_SUFFIXES else []
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            raise NoFileError(
                f"'{module}' imports '{name}', whose file can't be read ({type(error).__name__}), so nothing could "
                "tell when it changes: mend it, or don't import it."
            ) from None
        found[name] = hashlib.sha256(content).digest()
        size += len(content)
        if len(found) > MOST_FILES or size > MOST_BYTES:
            raise NoFileError(
                f"'{module}' imports more than {MOST_FILES:,} files or {MOST_BYTES >> 20} MiB of its own, too much to "
                "be covered: put what the policy uses into a module that imports less."
            )
        waiting += [one for imported_name in names for one in home.files(imported_name) if one[0] not in found]
    return found


def _home(first: str, top: ModuleSpec) -> _Home:
    places = top.submodule_search_locations
    if places is not None:
        directories = tuple(Path(place).parent for place in places)
    else:
        directories = (Path(top.origin).parent,) if top.origin else ()
    libraries = {os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    shared = any(one.name in _SHARED or os.path.realpath(one) in libraries for one in directories)
    return _Home(directories, first if shared else "")


def _file_at(path: Path) -> Path | None:
    """A package's own file or a module's, in the order in which Python looks for them."""
    packages = (path / f"__init__{suffix}" for suffix in _SUFFIXES)
    modules = (path.with_name(path.name + suffix) for suffix in _SUFFIXES)
    return next((one for one in (*packages, *modules) if one.is_file()), None)


def _imports(content: bytes, name: str, file: Path) -> Iterator[str]:
    """The names that the statements of a source may import, wherever they stand in it."""
    package = name.split(".") if file.stem == "__init__" else name.split(".")[:-1]
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(content)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: max(0, len(package) + 1 - node.level)] if node.level else []
            base = [*above, *(node.module.split(".") if node.module else [])]
            if base:
                yield ".".join(base)
                yield from (".".join((*base, alias.name)) for alias in node.names if alias.name != "*")
