"""What URLs give away: user and password before the host, and secrets in the query (RFC 3986)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from desensitizers.detectors.base import Detector, Span

_USER = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{1,15}://([^\s/?#@:\"'<>\\]*:[^\s/?#@\"'<>\\]+)@")
_QUERY = re.compile(
    r"[?&;#](?:access_token|id_token|refresh_token|api_?key|apikey|auth|client_secret|code|key|pass(?:word|wd)?|pwd"
    r"|secret|session(?:_?id)?|sig(?:nature)?|token|x-amz-(?:signature|credential|security-token)|x-goog-signature)"
    r"=([^\s&#;\"'<>\\]+)",
    re.IGNORECASE,
)
_SURROGATE = re.compile(r"[0-9a-f]{32}")


def _find(text: str, strict: bool) -> Iterator[Span]:
    for pattern in (_USER, _QUERY):
        for match in pattern.finditer(text):
            if not (strict and _SURROGATE.fullmatch(match[1])):
                yield match.span(1)


DETECTOR = Detector(
    name="url",
    version=1,
    summary="user and password in a URL, and secrets in its query",
    kind="hex",
    prefilter=r"://[^\s/?#@:\"]*:[^\s/?#@\"]+@|(?i:[?&;#](?:[a-z_-]*token|api_?key|auth|client_secret|code|key|pass"
    r"|pwd|secret|session|sig|x-amz-|x-goog-))",
    signs=":?&;#",
    finder=_find,
)
