"""What one text looks like by itself: its form, the shape of an id, what detectors find, how a date is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from desensitizers.detectors import detector
from desensitizers.errors import UnfitError
from desensitizers.rules import moments

WHOLE = ("email", "phone", "card", "iban", "ip", "mac", "jwt", "national_id", "secret", "private_key", "url")
"""Detectors in the order in which they have the word on a whole value."""
INSIDE = (*WHOLE, "name", "address")
TOKENS = ("jwt", "secret", "private_key")
"""Those of them that open doors."""
DATE_FORMS = ("", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d")
_ID = re.compile(r"(?P<prefix>(?:[A-Za-z]{1,16}[-_:/#.|])?)(?P<body>[0-9A-Za-z][0-9A-Za-z._~+/=:-]*)")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"[0-9a-fA-F]{16,}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_CODE = re.compile(r"[\w.,:;/+*%=()\[\]<>@#&!?-]{1,64}(?: [\w.,:;/+*=()-]{1,32}){0,2}")
_CAPITALISED = re.compile(r"[^\W\d_a-zß-öø-ÿ][\w'’.-]*(?: [\w'’.-]+){1,4}")
_SCHEME = re.compile(r"(?i)\s*(?:bearer|basic|dpop|token|jwt|api-?key)[ :=]{1,3}")
"""What a header says of the token behind it (RFC 9110), which is all there is to the value."""
_CODE_DIGITS = 4
"""Digits that one of a few fixed values may have; with more it may be the id of somebody."""
_LONG = 4_000
"""Characters of a text that detectors look at."""


@dataclass(frozen=True, slots=True)
class Features:
    """Facts of one text."""

    form: str
    """``digits``, ``uuid``, ``hex``, ``mixed`` (letters and digits without space), ``word``, ``text``."""
    family: tuple[str, str] = ("", "")
    """Of an id: the letters and separator that it begins with, and the form of its body."""
    body: str = ""
    """What is left of the id, as it is compared with others."""
    spaces: int = 0
    code: bool = False
    """Short and plain enough for one of a few fixed values."""
    person: bool = False
    """Two or more words, the first with a capital."""
    date: str | None = None
    """The first of `DATE_FORMS` that it is written in; "" is ISO 8601."""


@dataclass(frozen=True, slots=True)
class Found:
    """What detectors say: what the whole text is, and what is anywhere in it."""

    whole: str = ""
    inside: frozenset[str] = frozenset()


@lru_cache(maxsize=20_000)
def features(text: str) -> Features:
    """The facts that cost little."""
    spaces = text.count(" ")
    match = _ID.fullmatch(text) if len(text) <= 80 else None
    code = _CODE.fullmatch(text) is not None and sum(char.isdigit() for char in text) <= _CODE_DIGITS
    person = _CAPITALISED.fullmatch(text) is not None and not any(char.isdigit() for char in text)
    date = _date(text)
    if match is None:
        return Features("text", spaces=spaces, code=code, person=person, date=date)
    prefix, body = match["prefix"], match["body"]
    if not any(char.isdigit() for char in body):
        return Features("word", spaces=spaces, code=code, person=person, date=date)
    form = _form(body)
    if prefix and form == "mixed" and _form(text) != "mixed":
        prefix, body, form = "", text, _form(text)
    spelled = (body.lstrip("0") or "0") if form == "digits" else body.casefold()
    whole = "mixed" if prefix else form
    return Features(whole, (prefix, form), spelled, spaces, code, person, date)


@lru_cache(maxsize=20_000)
def found(text: str) -> Found:
    """What detectors find; the slow part."""
    text = text[:_LONG]
    end = len(text.rstrip())
    start = len(text) - len(text.lstrip())
    scheme = _SCHEME.match(text)
    whole, inside = "", set()
    for name in INSIDE:
        spans = list(detector(name).find(text))
        if spans:
            inside.add(name)
        first = scheme.end() if scheme and name in TOKENS else start
        if not whole and name in WHOLE and any(low <= first and high >= end for low, high in spans):
            whole = name
    return Found(whole, frozenset(inside))


def near(text: str, at_ms: int, within_ms: int) -> bool:
    """Whether it is a moment that close to a record's own time: ISO 8601, or a number since 1970."""
    if text.isdecimal() and len(text) >= 9:
        number = int(text)
        return abs(number * 86_400_000 // moments.PER_DAY[moments.unit_of(number, "")] - at_ms) <= within_ms
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return False
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    try:
        return abs(when.timestamp() * 1000 - at_ms) <= within_ms
    except (OverflowError, ValueError):
        return False


def _form(body: str) -> str:
    if body.isascii() and body.isdecimal():
        return "digits" if len(body) <= 30 else "mixed"
    if _UUID.fullmatch(body):
        return "uuid"
    return "hex" if _HEX.fullmatch(body) or _ULID.fullmatch(body) else "mixed"


def _date(text: str) -> str | None:
    if not 8 <= len(text) <= 40 or not text[:1].isdigit() or text.isdecimal():
        return None
    for form in DATE_FORMS:
        try:
            moments.later(moments.read(text, moments.form(form) if form else None), 0)
        except UnfitError:
            continue
        return form
    return None
