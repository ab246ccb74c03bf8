"""Is a canary left? Looked for with other means than the proof's: the very bytes that were planted, and the mark."""

from __future__ import annotations

import json
from pathlib import Path

from desensitizers.proof.peel import layers
from recorder.capture.reader import open_capture
from tests.canaries.channels import CHANNELS, MARK, number_of, topic_of


def left(clean: Path, canaries: dict[str, list[str]]) -> dict[str, int]:
    """By channel, how many canaries a copy still holds; under "files", in how many files the mark stands."""
    rows: dict[str, list[bytes]] = {}
    for one in open_capture(clean).records():
        pieces = [
            one.key or b"",
            one.value or b"",
            *(part for name, value in one.headers for part in (name.encode(), value or b"")),
        ]
        rows.setdefault(one.topic, []).append(b"\n".join(pieces))
    found = {}
    for name, texts in canaries.items():
        hay = b"\n".join(rows.get(topic_of(name), []))
        forms = {text: _forms(name, text) for text in texts}
        found[name] = sum(any(form in hay for form in one) for one in forms.values())
        found[name] += sum(layer.lower().count(MARK.encode()) for layer in layers(hay))
    files = [path.read_bytes().lower() for path in clean.rglob("*") if path.is_file()]
    found["files"] = sum(MARK.encode() in content for content in files)
    return found


def _forms(channel: str, text: str) -> list[bytes]:
    _key, value, _headers = CHANNELS[channel].plant(text)
    if CHANNELS[channel].name == "number":
        return [value[6:], str(number_of(text)).encode()]
    inner = value.get("x") if isinstance(value, dict) else None
    forms = [text.encode(), json.dumps(text)[1:-1].encode()]
    return [*forms, inner.encode()] if isinstance(inner, str) else forms
