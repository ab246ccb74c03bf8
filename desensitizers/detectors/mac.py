"""Hardware addresses (IEEE 802: EUI-48 and EUI-64) with colons, hyphens, or in groups of four."""

from __future__ import annotations

import re

from desensitizers.detectors.base import Detector

_PAIRS = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?:(?::[0-9A-Fa-f]{2}){2})?"
    r"|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}(?:(?:-[0-9A-Fa-f]{2}){2})?"
    r"|(?=[0-9.]*[A-Fa-f])[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![\w:-]|\.\w)"
)
_NOT_HEX = re.compile(r"[^0-9a-f]")
_NOBODY = ("00005e0053", "01005e9010")
"""Documentation addresses (RFC 7042)."""


def _reserved(text: str) -> bool:
    address = _NOT_HEX.sub("", text.lower())
    return address.startswith(_NOBODY) or address in ("0" * 12, "f" * 12)


DETECTOR = Detector(
    name="mac",
    version=2,
    summary="hardware addresses; reserved: 00:00:5E:00:53:xx and 01:00:5E:90:10:xx, which are documentation's",
    kind="mac",
    prefilter=r"[0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2}[:-]|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.",
    signs=":-.",
    eager=_PAIRS,
    strict=_PAIRS,
    reserved=_reserved,
)
