"""Detectors find identifiers by what they look like, wherever no path can name them.

`learned` is not in this registry: it is no pattern but the set of originals that the rules replaced elsewhere in
the same capture, and comes with the data (see `desensitizers.learned`).
"""

from __future__ import annotations

from importlib import import_module

from desensitizers.detectors.base import Detector

NAMES = ("email", "phone", "card", "iban", "ip")
LEARNED = "learned"
PROOF_DEFAULT = ("email", "phone", "card", "iban")
"""Looked for in every finished copy unless the policy says otherwise; a version number may look like an address."""


def detector(name: str) -> Detector:
    """The detector of that name; KeyError when there is none."""
    if name not in NAMES:
        raise KeyError(name)
    found: Detector = import_module(f"desensitizers.detectors.{name}").DETECTOR
    return found
