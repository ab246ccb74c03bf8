"""A decoded payload for eyes: its value or its bytes; before it how it was written and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from rich.highlighter import JSONHighlighter
from rich.text import Text

from recorder.payloads.codec import Decoded
from recorder.payloads.render import HEX_LIMIT, HEX_ROW, TEXT_LIMIT, Rendered, hex_dump, render, visible

_NAMES = {
    "json": "JSON",
    "avro": "Avro",
    "protobuf": "Protobuf",
    "json-schema": "JSON Schema",
    "hex": "binary",
    "uuid": "UUID",
}
"""Others are called as they are."""
_HIGHLIGHTED = 64 << 10
"""Characters of JSON that get colours; more would make the cursor wait."""


@dataclass(frozen=True, slots=True)
class ShownPayload:
    """`kind` is for a title; `rendered` the payload alone, `text` all there is to see."""

    kind: str
    rendered: Rendered
    text: Text


def show_payload(
    decoded: Decoded, *, raw: bool, hex_row: int = HEX_ROW, text_limit: int = TEXT_LIMIT, hex_limit: int = HEX_LIMIT
) -> ShownPayload:
    """With `raw` its bytes in rows of hexadecimal, frame and all."""
    kind = _NAMES.get(decoded.format, decoded.format)
    if raw and decoded.payload:
        shown = decoded.payload[:hex_limit]
        rendered = Rendered("hex", hex_dump(shown, hex_row), len(decoded.payload) - len(shown), "bytes")
        return ShownPayload(f"{kind}, bytes", rendered, payload_text(rendered))
    rendered = render(_content(decoded), text_limit=text_limit, hex_limit=hex_limit, hex_row=hex_row)
    if not decoded.readable and decoded.payload:
        kind = "not decoded"
    text = Text()
    if written := _written(decoded):
        text.append(f"{visible(written)}\n", "dim")
    if decoded.reason is not None:
        detail = f": {decoded.detail}" if decoded.detail else ""
        text.append(visible(f"{decoded.reason}{detail}\n"), "yellow")
    text.append_text(payload_text(rendered))
    return ShownPayload(kind, rendered, text)


def payload_text(rendered: Rendered) -> Text:
    """A rendered payload with colours where they help."""
    text = Text(rendered.text)
    if rendered.kind == "json" and len(rendered.text) <= _HIGHLIGHTED:
        JSONHighlighter().highlight(text)
    elif rendered.kind in {"null", "empty"}:
        text.stylize("dim italic")
    elif rendered.kind == "hex":
        text.highlight_regex(r"(?m)^[0-9a-f]{8}", "dim")
    if rendered.hidden:
        text.append(f"\n… {rendered.hidden:,} more {rendered.unit}", "dim italic")
    return text


def _content(decoded: Decoded) -> bytes | None:
    """What `render` is to show: text as it is, JSON as it was spelt, other values as JSON."""
    if not decoded.readable or decoded.format in ("text", "uuid", "hex"):
        return decoded.payload
    if decoded.format in ("json", "json-schema"):
        return decoded.body
    return decoded.json.encode()


def _written(decoded: Decoded) -> str:
    frame, schema = decoded.frame, decoded.schema
    if frame is None:
        return "" if schema is None else f"read by {schema.title}"
    where = "in a header" if frame.in_header else "in its first bytes"
    name = f"{'guid' if frame.guid else 'id'} {frame.key}" if schema is None else schema.title
    return f"{name}, named {where}"
