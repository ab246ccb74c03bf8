"""Phone numbers: E.164 with a plus (strict), and with 00 or a national 0 and visible grouping (eager)."""

from __future__ import annotations

import re

from desensitizers.detectors.base import Detector

_REST = r"(?:[ ./-]{0,2}\(?\d{1,5}\)?){1,6}"
_ALONE = r"(?<![\w+.][+0(])"
_STRICT = re.compile(rf"[+]{_ALONE}[1-9]\d{{0,3}}{_REST}(?![\w+])")
_EAGER = re.compile(
    rf"[+0(]{_ALONE}(?:(?<=\+)[1-9]\d{{0,3}}{_REST}|(?<=0)0[1-9]\d{{0,3}}{_REST}"
    r"|(?:(?<=\()0\d{1,5}\)|(?<=0)\d{1,5})[ /-]{1,3}\d{2,}(?:[ /-]?\d{2,}){0,4}|(?<=0)\d{9,12})(?![\w+])"
)
_NOT_DIGIT = re.compile(r"\D")


def _valid(text: str) -> bool:
    return 8 <= len(_NOT_DIGIT.sub("", text).removeprefix("00")) <= 15


def _reserved(text: str) -> bool:
    number = _NOT_DIGIT.sub("", text).removeprefix("00")
    return number.startswith(("999", "447700900")) or bool(re.fullmatch(r"1\d{3}55501\d\d", number))


DETECTOR = Detector(
    name="phone",
    version=1,
    summary="phone numbers of 8 to 15 digits; reserved: +999, +44 7700 900xxx, +1 xxx 555 01xx",
    kind="phone",
    prefilter=r"\+(?:[1-8]|9[^9]|99[^9])[ ./()-]{0,3}[0-9]",
    lead=0,
    signs="0+",
    eager=_EAGER,
    strict=_STRICT,
    valid=_valid,
    certain=_valid,
    reserved=_reserved,
)
