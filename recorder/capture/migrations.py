"""A ladder of pure functions from each format version to the next; a capture from the future is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recorder.capture.schema import FORMAT_VERSION
from recorder.errors import CaptureError

Tree = dict[str, Any]

STEPS: dict[int, Callable[[Tree], Tree]] = {}
"""`STEPS[n]` turns a manifest of version n into one of version n + 1."""


def migrate(tree: object, *, where: str) -> Tree:
    """Bring a decoded manifest to the current version; CaptureError for what is no manifest or too new."""
    if not isinstance(tree, dict) or not isinstance(tree.get("format_version"), int):
        raise CaptureError(f"{where} is not a capture's manifest: it has no integer 'format_version'.")
    version: int = tree["format_version"]
    if version > FORMAT_VERSION:
        raise CaptureError(
            f"{where} has format version {version}, this program reads up to {FORMAT_VERSION}: please upgrade "
            "(pip install -U kafka-blackbox)."
        )
    while version < FORMAT_VERSION:
        if version not in STEPS:
            raise CaptureError(f"{where} has format version {version}, which never existed.")
        tree = STEPS[version](tree)
        version += 1
        tree["format_version"] = version
    return tree
