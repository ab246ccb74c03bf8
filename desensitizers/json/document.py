"""A JSON document as alternating stretches outside and inside of quotes, and as a tree over them.

Splitting at the quotes is one call into C and loses nothing: joining with quotes gives the same bytes again. What
stands outside (brackets, commas, numbers, literals) says which stretches inside are keys. Documents that agree in
all that is neither a string nor a digit have the same *skeleton*, and with the same keys the same tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

from desensitizers.paths import EACH, Steps

_ESCAPED = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_OUTSIDE = re.compile(rb"(?P<space>\s+)|(?P<mark>[{}\[\],:])|(?P<number>-?\d[\d.eE+\-]*)|(?P<literal>true|false|null)")
_ESCAPES = re.compile(r'["\\\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]')
"""What doesn't stand for itself in a JSON string, but for the line feed."""
_NUMERIC = b"0123456789.+-"
_EMPTY_ARRAY = re.compile(rb"\[\s*\]")
_VALIDATE = msgspec.json.Decoder(msgspec.Raw).decode


class NotJsonError(Exception):
    """Bytes that are no JSON document, or one in which a key stands twice."""


def split(document: bytes) -> list[bytes]:
    """The stretches outside (even) and inside (odd) of quotes. Raises NotJsonError."""
    try:
        _VALIDATE(document)
        if not document.isascii():
            document.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotJsonError from None
    return document.split(b'"') if b"\\" not in document else _ESCAPED.split(document)


def skeleton(parts: list[bytes]) -> bytes:
    """What is neither in quotes nor part of a number (an exponent's ``e`` stays)."""
    return b'"'.join(parts[::2]).translate(None, _NUMERIC)


def ambiguous(bones: bytes) -> bool:
    """True when an empty array and an array of one number would look alike in this skeleton."""
    return _EMPTY_ARRAY.search(bones) is not None


def key_places(parts: list[bytes]) -> list[int]:
    """Indexes of the stretches that are keys: a colon follows."""
    return [i for i in range(1, len(parts), 2) if parts[i + 1].lstrip().startswith(b":")]


def unquote(inside: bytes) -> str:
    """The text of a string from its bytes between the quotes."""
    if b"\\" not in inside:
        return inside.decode()
    text: str = msgspec.json.decode(b'"' + inside + b'"', type=str)
    return text


def quote(text: str) -> bytes:
    """The bytes between the quotes for a text."""
    return msgspec.json.encode(text)[1:-1]


def unquote_all(insides: list[bytes]) -> list[str]:
    """`unquote` of each."""
    together = b"\n".join(insides)
    if b"\\" not in together:
        texts = together.decode().split("\n")
        if len(texts) == len(insides):
            return texts
    return list(map(unquote, insides))


def quote_all(texts: list[str]) -> list[bytes]:
    """`quote` of each."""
    together = "\n".join(texts)
    if _ESCAPES.search(together) is None:
        insides = together.encode().split(b"\n")
        if len(insides) == len(texts):
            return insides
    return list(map(quote, texts))


@dataclass(slots=True, eq=False)
class Node:
    """A value in the tree. `start` and `end` are piece indexes of the whole member, key and colon included."""

    kind: str
    """object, array, string, number, true, false or null"""
    steps: Steps
    parent: Node | None
    start: int
    value: int
    """Piece index at which the value itself begins."""
    comma: int | None = None
    """Piece index of the comma before it."""
    end: int = 0
    source: int = -1
    """For a string its stretch's index, for a number its ordinal in the document."""
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Document:
    """A tree in preorder and the pieces its bytes are made of; strings and numbers are empty pieces to fill."""

    nodes: list[Node]
    pieces: list[bytes]


def parse(parts: list[bytes]) -> Document:
    """The tree of a valid document. Raises NotJsonError when an object has a key twice."""
    return _Parser(parts).document


class _Parser:
    def __init__(self, parts: list[bytes]) -> None:
        self.document = Document([], [])
        self._stack: list[tuple[Node, set[str]]] = []
        self._comma: int | None = None
        self._member: tuple[int, str] | None = None
        self._numbers = 0
        for index, part in enumerate(parts):
            if index % 2:
                self._string(index, part, is_key=parts[index + 1].lstrip().startswith(b":"))
            else:
                for match in _OUTSIDE.finditer(part):
                    self._outside(str(match.lastgroup), match[0])

    def _outside(self, kind: str, text: bytes) -> None:
        pieces = self.document.pieces
        if kind == "number":
            node = self._open("number", self._numbers)
            self._numbers += 1
            pieces.append(b"")
            node.end = len(pieces)
        elif kind == "literal":
            node = self._open(text.decode(), -1)
            pieces.append(text)
            node.end = len(pieces)
        elif text in b"{[" and kind == "mark":
            node = self._open("object" if text == b"{" else "array", -1)
            self._stack.append((node, set()))
            pieces.append(text)
        else:
            if text == b"," and kind == "mark":
                self._comma = len(pieces)
            pieces.append(text)
            if text in b"}]" and kind == "mark":
                node, _keys = self._stack.pop()
                node.end = len(pieces)
                self._comma = None

    def _string(self, index: int, inside: bytes, *, is_key: bool) -> None:
        pieces = self.document.pieces
        if is_key:
            name = unquote(inside)
            keys = self._stack[-1][1]
            if name in keys:
                raise NotJsonError
            keys.add(name)
            self._member = (len(pieces), name)
            pieces.append(b'"' + inside + b'"')
            return
        node = self._open("string", index)
        pieces += [b'"', b"", b'"']
        node.end = len(pieces)

    def _open(self, kind: str, source: int) -> Node:
        here = len(self.document.pieces)
        parent = self._stack[-1][0] if self._stack else None
        start, step = here, EACH
        if self._member is not None:
            start, step = self._member
            self._member = None
        steps = (*parent.steps, step) if parent else ()
        node = Node(kind, steps, parent, start, here, self._comma if parent and parent.children else None, 0, source)
        self._comma = None
        if parent:
            parent.children.append(node)
        self.document.nodes.append(node)
        return node
