"""Packages as pip leaves them, for the tests of plug-ins."""

from __future__ import annotations

from pathlib import Path

from desensitizers import detectors, plugins, rules


def forget() -> None:
    for known in (plugins.installed, rules.rule, detectors.detector):
        known.cache_clear()


def install(directory: Path, name: str, code: str | None, points: dict[str, dict[str, str]]) -> None:
    """What pip leaves behind: a module, and the metadata that says what it brings."""
    if code is not None:
        (directory / f"{name}.py").write_text(code)
    metadata = directory / f"{name}-1.0.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0.0\n")
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in names.items())
        for group, names in points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
