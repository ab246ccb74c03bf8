"""Payload bytes as text for human eyes: pretty JSON, text, or a hex dump, never anything that steers a terminal.

What is shown is what is there: JSON keeps the spelling of its numbers, its duplicate keys and its order; null and
empty look different; control characters and invisible ones appear as escapes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

import msgspec

Kind = Literal["json", "text", "hex", "null", "empty"]

NULL = "(null)"
EMPTY = "(empty)"

TEXT_LIMIT = 256 << 10
HEX_LIMIT = 16 << 10
HEX_ROW = 16
_JSON_STARTS = (b"{", b"[")
_WHITE = b" \t\r\n"
_BREAK = re.compile(r"\s*\n\s*")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A payload for eyes: `text` may have many lines; `hidden` counts what the cap left out, in `unit`s."""

    kind: Kind
    text: str
    hidden: int = 0
    unit: Literal["bytes", "characters"] = "bytes"


def render(
    payload: bytes | None, *, text_limit: int = TEXT_LIMIT, hex_limit: int = HEX_LIMIT, hex_row: int = HEX_ROW
) -> Rendered:
    """What kind of payload this is and how to show it: JSON indented, other text as it is, the rest as a hex dump.

    `text_limit` caps characters, `hex_limit` payload bytes; `hex_row` bytes make a row of the dump.
    """
    if payload is None:
        return Rendered("null", NULL)
    if not payload:
        return Rendered("empty", EMPTY)
    kind, text = _classify(payload)
    if kind == "hex":
        shown = payload[:hex_limit]
        return Rendered("hex", hex_dump(shown, hex_row), len(payload) - len(shown), "bytes")
    hidden = max(0, len(text) - text_limit)
    # JSON has its own escapes for what can't be shown; they keep the text valid JSON.
    return Rendered(kind, visible(text[:text_limit], json=kind == "json"), hidden, "characters")


def pretty(payload: bytes | None) -> str:
    """A payload over as many lines as it needs; a last line tells how much a cap left out."""
    rendered = render(payload)
    if not rendered.hidden:
        return rendered.text
    return f"{rendered.text}\n… {rendered.hidden:,} more {rendered.unit}"


def one_line(payload: bytes | None, width: int) -> str:
    """A payload in at most `width` terminal cells; what was cut ends in ``…``."""
    if payload is None:
        return fit(NULL, width)
    if not payload:
        return fit(EMPTY, width)
    head = payload[: width * 8 + 64]  # enough even when every character takes four bytes and indentation goes
    text = _text(head, cut=len(head) < len(payload))
    if text is None:
        shown = payload[: width // 2 + 1]
        return fit("0x" + shown.hex(), width, more=len(shown) < len(payload))
    as_json = head.lstrip(_WHITE)[:1] in _JSON_STARTS
    flat = _BREAK.sub(" ", text) if as_json else text.replace("\r\n", "\n").replace("\n", "↵")
    return fit(visible(flat.replace("\t", " "), json=as_json), width, more=len(head) < len(payload))


def fit(text: str, width: int, *, more: bool = False) -> str:
    """Cut `text` to `width` terminal cells; `more` says that it goes on beyond what is given."""
    if text.isascii():
        if len(text) <= width and not more:
            return text
        return text[: max(width - 1, 0)] + "…" if width > 0 else ""
    used, last = 0, 0
    for index, character in enumerate(text):
        used += cells(character)
        if used <= width - 1:
            last = index + 1
    if used <= width and not more:
        return text
    return text[:last] + "…" if width > 0 else ""


def cells(character: str) -> int:
    """Terminal cells that a character takes: 0, 1 or 2."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def visible(text: str, *, json: bool = False) -> str:
    """Escape what a terminal would obey or hide (controls, bidirectional marks, unassigned); keeps newlines and tabs.

    With `json` the escapes are JSON's (``\\u009b``), else Python's (``\\x9b``).
    """
    if text.isprintable():
        return text
    return "".join(character if _shows(character) else _escape(character, json) for character in text)


def hex_dump(payload: bytes, row: int = HEX_ROW) -> str:
    """Rows of offset, hexadecimal in groups of eight bytes, and ASCII; as `hexdump -C` writes them."""
    rows = []
    for start in range(0, len(payload), row):
        part = payload[start : start + row]
        groups = "  ".join(f"{part[at : at + 8].hex(' '):<23}" for at in range(0, row, 8))
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        rows.append(f"{start:08x}  {groups}  {letters}")
    return "\n".join(rows)


def _classify(payload: bytes) -> tuple[Literal["json", "text", "hex"], str]:
    if payload.lstrip(_WHITE)[:1] in _JSON_STARTS:
        try:
            return "json", msgspec.json.format(payload, indent=2).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # looked like JSON, isn't: text or bytes then
    text = _text(payload, cut=False)
    return ("hex", "") if text is None else ("text", text)


def _text(payload: bytes, *, cut: bool) -> str | None:
    """The payload as text, or None when it is not: not UTF-8, a NUL, or many controls (a number, a frame)."""
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        if not (cut and len(payload) - error.start < 4 and error.reason == "unexpected end of data"):
            return None
        text = payload[: error.start].decode()
    controls = sum(text.count(control) for control in _CONTROLS if control in text)
    return None if "\0" in text or controls * 8 > len(text) else text


_CONTROLS = [chr(code) for code in range(32) if chr(code) not in "\t\n\r"] + ["\x7f"]


def _shows(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"


def _escape(character: str, json: bool) -> str:
    if not json or ord(character) > 0xFFFF:
        return character.encode("unicode_escape").decode()
    return f"\\u{ord(character):04x}"
