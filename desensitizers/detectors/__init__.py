"""Detectors find identifiers by what they look like, wherever no path can name them.

`learned` is not in this registry: it is no pattern but the set of originals that the rules replaced elsewhere in
the same capture, and comes with the data (see `desensitizers.learned`). Other packages bring detectors through the
entry-point group ``blackbox.detectors``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from importlib import import_module

from desensitizers.detectors.base import Detector
from desensitizers.plugins import BUILT_IN, DETECTORS, PluginError, installed
from desensitizers.surrogates.kinds import KINDS

NAMES = (
    "email", "phone", "card", "iban", "national_id", "ip", "mac", "url", "jwt", "secret", "private_key", "name",
    "address", "ner",
)  # fmt: skip
"""Our own."""
LEARNED = "learned"
PROOF_DEFAULT = ("email", "phone", "card", "iban", "jwt", "secret", "private_key")
"""Looked for in every finished copy unless the policy says otherwise; a version number may look like an address."""


def names() -> tuple[str, ...]:
    """The names of all detectors, those of plug-ins last."""
    return (*NAMES, *sorted(installed(DETECTORS).keys() - {*NAMES, LEARNED}))


def origin(name: str) -> str:
    """``built in``, or the package that brought the detector."""
    return BUILT_IN if name in NAMES else installed(DETECTORS)[name].package


@lru_cache(maxsize=64)
def detector(name: str) -> Detector:
    """The detector of that name; KeyError when there is none. Raises PluginError for a plug-in that is none."""
    if name in NAMES:
        found: Detector = import_module(f"desensitizers.detectors.{name}").DETECTOR
        return found
    plugin = installed(DETECTORS)[name]
    brought = plugin.load(Detector)
    assert isinstance(brought, Detector)
    if (brought.eager is None or brought.strict is None) and brought.finder is None:
        raise PluginError(f"plug-in '{name}' of {plugin.package} needs a finder, or the patterns eager and strict.")
    if brought.kind not in KINDS:
        raise PluginError(f"plug-in '{name}' of {plugin.package} names a surrogate '{brought.kind}' that is none.")
    return replace(brought, trusted=False)
