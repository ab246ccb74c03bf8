"""E-mail addresses as RFC 5321 allows them without quoting, with a host that has a top-level domain."""

from __future__ import annotations

import re

from desensitizers.detectors.base import Detector, other_than
from desensitizers.surrogates.kinds import EMAIL_HOST

_ADDRESS = re.compile(
    r"(?<![\w.+%-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,63}(?![\w-])"
)
_RESERVED_TLDS = (".test", ".example", ".invalid", ".localhost")
_RESERVED_HOSTS = ("example.com", "example.net", "example.org")


def _reserved(address: str) -> bool:
    host = address.rpartition("@")[2].lower()
    return host.endswith(_RESERVED_TLDS) or any(host == name or host.endswith("." + name) for name in _RESERVED_HOSTS)


DETECTOR = Detector(
    name="email",
    version=1,
    summary="e-mail addresses; reserved: .test, .example, .invalid, example.com/.net/.org",
    kind="email",
    prefilter=rf"[^\s\"]@(?:{other_than(EMAIL_HOST)}|{re.escape(EMAIL_HOST)}\.?[A-Za-z0-9-])",
    lead=0,
    signs="@",
    hint="@",
    eager=_ADDRESS,
    strict=_ADDRESS,
    valid=lambda _text: True,
    certain=lambda _text: True,
    reserved=_reserved,
)
