"""Private keys in PEM (RFC 7468, OpenSSH, OpenPGP), whole or cut short."""

from __future__ import annotations

import re

from desensitizers.detectors.base import Detector

_WHAT = r"(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY = re.compile(rf"-----BEGIN {_WHAT}(?:[^-]{{0,20000}}-----END {_WHAT}|[A-Za-z0-9+/=\s\\]*)")

DETECTOR = Detector(
    name="private_key",
    version=1,
    summary="private keys in PEM",
    kind="hex",
    prefilter=r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
    signs="-",
    eager=_KEY,
    strict=_KEY,
)
