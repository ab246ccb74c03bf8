"""JSON Web Tokens (RFC 7519), signed or encrypted: they name people, and some still open doors."""

from __future__ import annotations

import base64
import json
import re

from desensitizers.detectors.base import Detector

# The first bytes of a JSON object in base64: a brace, then a quote, a space, a line end or a tab
_TOKEN = re.compile(r"e(?:y[JA]|w[o0k])(?<![\w.-]e\w\w)[\w-]{8,}(?:\.[\w-]*){2,4}(?![\w-])")


def _valid(text: str) -> bool:
    """Whether its first part is a JOSE header."""
    header = text.partition(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "alg" in found


DETECTOR = Detector(
    name="jwt",
    version=2,
    summary="JSON Web Tokens whose header names an algorithm",
    kind="hex",
    prefilter=r"e(?:y[JA]|w[o0k])[\w-]{8,}\.[\w-]*\.",
    signs=".",
    eager=_TOKEN,
    strict=_TOKEN,
    valid=_valid,
    certain=_valid,
)
