"""E-mail addresses as RFC 5321 has them, with a host that has a top-level domain, or an address of the internet."""

from __future__ import annotations

import re

from desensitizers.detectors.base import Detector, other_than
from desensitizers.surrogates.kinds import EMAIL_HOST

_LOCAL = r"(?<![\w.+%-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
_QUOTED = r"\"(?:[^\"\\\r\n]|\\[^\r\n]){1,64}\""
_HOST = (
    r"(?:(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?:[^\W\d_]{2,63}|xn--[A-Za-z0-9-]{1,58}[A-Za-z0-9])(?![\w-])"
    r"|\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\])"
)
_ADDRESS = re.compile(f"{_LOCAL}@{_HOST}")
_ANY_ADDRESS = re.compile(f"(?:{_LOCAL}|{_QUOTED})@{_HOST}")
"""In JSON a quote before an @ is hardly ever the end of a local part, so only texts are searched for these."""
_RESERVED_TLDS = (".test", ".example", ".invalid", ".localhost")
_RESERVED_HOSTS = ("example.com", "example.net", "example.org")


def _reserved(address: str) -> bool:
    host = address.rpartition("@")[2].lower()
    return host.endswith(_RESERVED_TLDS) or any(host == name or host.endswith("." + name) for name in _RESERVED_HOSTS)


def _has_domain(address: str) -> bool:
    """Whether its host ends as top-level domains are spelled: in ASCII, without any, or in a long mixture."""
    name, _dot, label = address.rpartition("@")[2].rpartition(".")
    if address.endswith("]"):
        return True
    return bool(name) and len(label) > 1 and (label.isascii() or len(label) > 4 or not any(map(str.isascii, label)))


DETECTOR = Detector(
    name="email",
    version=2,
    summary="e-mail addresses; reserved: .test, .example, .invalid, example.com/.net/.org",
    kind="email",
    prefilter=rf"[^\s\"]@(?:{other_than(EMAIL_HOST)}|{re.escape(EMAIL_HOST)}\.?[A-Za-z0-9-])",
    lead=0,
    signs="@",
    hint="@",
    eager=_ANY_ADDRESS,
    strict=_ADDRESS,
    valid=lambda _text: True,
    certain=_has_domain,
    reserved=_reserved,
)
