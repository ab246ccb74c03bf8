"""IP addresses, versions 4 and 6. Addresses of documentation, loopback and 'any' are nobody's."""

from __future__ import annotations

import ipaddress
import re

from desensitizers.detectors.base import Detector

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_CANDIDATE = re.compile(
    r"(?<![\w.:])(?<![vV]er )(?<![vV]ersion )(?<![vV]ersion[:=])(?<![rR]elease )(?<![bB]uild )"
    rf"{_OCTET}(?:\.{_OCTET}){{3}}(?!\w|\.\d)"
    rf"|(?<![\w.:])(?:[0-9A-Fa-f]{{1,4}}:|::?){{1,7}}{_OCTET}(?:\.{_OCTET}){{3}}(?!\w|\.\d)"
    r"|(?<![\w.:])(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)[0-9A-Fa-f:]{2,39}(?![\w:])"
)
_NOBODY = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "127.0.0.0/8",
        "0.0.0.0/32",
        "2001:db8::/32",
        "::/127",
    )
]
_CLOCK = re.compile(r"\d{1,2}:\d{2}:\d{2}")


def _valid(text: str) -> bool:
    if _CLOCK.fullmatch(text):
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _reserved(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return any(address.version == net.version and address in net for net in _NOBODY)


DETECTOR = Detector(
    name="ip",
    version=3,
    summary="IPv4 and IPv6 addresses; reserved: documentation, loopback and unspecified addresses",
    kind="ip",
    prefilter=r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]:[0-9A-Fa-f:]*:|::",
    lead=0,
    signs=".:",
    eager=_CANDIDATE,
    strict=_CANDIDATE,
    valid=_valid,
    certain=_valid,
    reserved=_reserved,
)
