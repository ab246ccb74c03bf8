"""Private keys in PEM (RFC 7468, OpenSSH, OpenPGP), and as SSH2 and PuTTY write them, whole or cut short."""

from __future__ import annotations

import re

from desensitizers.detectors.base import Detector

_WHAT = r"(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY = re.compile(
    rf"-----BEGIN {_WHAT}(?:(?s:(?!-----BEGIN ).){{0,20000}}?-----END {_WHAT}|[A-Za-z0-9+/=\s\\]*)"
    r"|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----(?:[^-]{0,20000}---- END SSH2 ENCRYPTED PRIVATE KEY ----|[^-]*)"
    r"|PuTTY-User-Key-File-\d: (?s:.){0,20000}?(?:Private-MAC: ?[0-9a-f]+|\Z)"
)

DETECTOR = Detector(
    name="private_key",
    version=2,
    summary="private keys in PEM",
    kind="hex",
    prefilter=r"---- ?BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-",
    signs="-",
    eager=_KEY,
    strict=_KEY,
)
