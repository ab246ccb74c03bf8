"""Encodings taken off: what a text holds once JSON escapes, URL encoding, base64, hex and compression are undone.

Works on whole blocks of rows at once. Peels again what it peeled, a few layers deep, within bounds. What is written
more rarely than in these ways stands in modules beside it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import numpy.typing as npt

from desensitizers.proof.compressed import HEX_BEGINNINGS, deflated, inflated, payloads_deflated
from desensitizers.proof.escapes import unescaped
from desensitizers.proof.spellings import respelled
from desensitizers.proof.writings import written

DEPTH = 4
_AT_ONCE = 1 << 17
_SHORTEST_RUN, _SHORTEST_HEX = 8, 12
_DOUBLINGS = (1, 2, 4)
"""Which make runs of one byte runs of `_SHORTEST_RUN`."""
_RUN_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_IN_RUN, _CAPITAL, _SMALL, _NO_LETTER, _NO_HEX, _DASH = 1, 2, 4, 8, 16, 32
_ONLY_DIGITS = _IN_RUN | _NO_LETTER
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_ENDS = bytes(8)
_LONGEST_LINE, _SHORTEST_LINE = 76, 56
"""Of base64 that is broken into lines (RFC 2045, 7468)."""
_LINE = re.compile(rb"([A-Za-z0-9+/]{1,76})={0,2}(?:\r?\n|(?![A-Za-z0-9+/=_-]))")
_SHORTEST_DIGITS = 18
_DIGITS_IN_HEX = re.compile(rb"(?:[2-7][0-9]){9,}")

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.intp]
Marks = npt.NDArray[np.bool_]
Stretches = tuple[Places, Places]
"""Where they begin and end."""


def layers(block: bytes, depth: int = DEPTH, taking: Callable[[bytes], bytes] | None = None) -> list[bytes]:
    """`block` and every layer found below it, each to be searched by itself.

    `taking`: gives for each layer what is left of it when something has been taken out.
    """
    rest = taking(block) if taking else block
    out = [rest, *respelled(rest)]
    if depth:
        further = [] if rest is block else inflated(block)
        if depth == DEPTH:
            further += payloads_deflated(block)
        for below in (*_below(rest), *further):
            out += layers(below, depth - 1, taking)
    return out


def below_all(texts: Sequence[bytes]) -> list[bytes]:
    """The layers below some texts; one of several lines is also read as one of spaces."""
    folded = [text.replace(b"\n", b"\\n") for text in texts if b"\n" in text]
    return layers(b"\n".join((b"", *texts, *folded, b"")))[1:]


def _below(block: bytes) -> list[bytes]:
    found: list[bytes] = []
    if b"\\" in block:
        found += _changed(block, b"\\", unescaped)
    if b"%" in block:
        found += _changed(block, b"%", unquote_to_bytes)
        if b"+" in block:
            found += _changed(block, b"%", lambda rows: unquote_to_bytes(rows.replace(b"+", b" ")))
    found += written(block)
    pieces = [*_decoded_runs(block), *inflated(block)]
    if pieces:
        found.append(b"\n" + b"\n".join(pieces) + b"\n")
    return found


def _changed(block: bytes, mark: bytes, decode: Callable[[bytes], bytes]) -> list[bytes]:
    """The decoded rows of the block that carry the mark, when decoding changes them."""
    rows = b"\n".join([b"", *(row for row in block.split(b"\n") if mark in row), b""])
    plain = decode(rows)
    return [plain] if plain != rows else []


def _decoded_runs(block: bytes) -> list[bytes]:
    """Base64 (plain and URL-safe, at every alignment) and hex, where it is not plainly something else."""
    mixed: set[bytes] = set()
    hidden: set[bytes] = set()
    for lines in _by_lines(block):
        in_base64, in_hex = _runs(lines)
        mixed |= in_base64
        hidden |= _in_hex(lines, *in_hex)
    return [*(piece for run in sorted(mixed) for piece in _base64(run)), *sorted(hidden)]


def _by_lines(block: bytes) -> Iterator[bytes]:
    """The block in pieces that end with lines: what is made of one stays in the processor's cache."""
    begin = 0
    while begin < len(block):
        end = block.find(b"\n", begin + _AT_ONCE) + 1 or len(block)
        yield block[begin:end]
        begin = end


def _runs(block: bytes) -> tuple[set[bytes], Stretches]:
    """Stretches of base64's letters that could hold six bytes, and where those of hex begin and end.

    What base64 makes is told from words by mixed case (after the first letter), else by digits among letters in whole
    groups of four. What looks like one word, one number or hex stays unpeeled as base64: six bytes do once in 1,500.
    """
    classes = np.frombuffer(block.translate(_CLASSES) + _ENDS, np.uint8)
    starts, ends = _stretches(classes)
    if not len(starts):
        return set(), (starts, ends)
    whole = _in_all(classes, starts, ends)
    broken = _broken(block, classes, starts, ends, whole)
    digits = np.flatnonzero(whole == _ONLY_DIGITS)
    in_digits = starts[digits], ends[digits]
    chosen = np.flatnonzero(_WORTH_A_LOOK[whole])  # hardly any: words and ids with dashes are not
    starts, ends, whole = starts[chosen], ends[chosen], whole[chosen]
    all_hex = ~_has(whole, _NO_HEX)
    mixed = _has(whole, _CAPITAL) & _has(whole, _SMALL)
    if mixed.any():
        mixed &= _has(_in_all(classes, starts + 1, ends), _CAPITAL)
    others = np.flatnonzero(_has(whole, _NO_LETTER) & ~_has(whole, _DASH) & ~all_hex & ~mixed)
    mixed[others] = _grouped(block, starts[others], ends[others])
    in_base64 = _slices(block, starts[mixed], ends[mixed]) | broken
    in_hex = starts[all_hex], ends[all_hex]
    marked = np.flatnonzero(_marked(block, starts))
    if len(marked):
        starts, ends = starts[marked] + 2, ends[marked]
        whole = _in_all(classes, starts, ends)
        all_hex, only_digits = ~_has(whole, _NO_HEX) & _has(whole, _CAPITAL | _SMALL), whole == _ONLY_DIGITS
        in_hex = np.append(in_hex[0], starts[all_hex]), np.append(in_hex[1], ends[all_hex])
        in_digits = np.append(in_digits[0], starts[only_digits]), np.append(in_digits[1], ends[only_digits])
    return in_base64, _hexadecimal(block, in_hex, in_digits)


def _in_all(classes: Bytes, starts: Places, ends: Places) -> Bytes:
    """What is anywhere in each of some stretches."""
    bounds = np.empty(2 * len(starts), np.intp)
    bounds[::2], bounds[1::2] = starts, ends
    found: Bytes = np.bitwise_or.reduceat(classes, bounds)[::2] if len(bounds) else classes[:0]
    return found


def _hexadecimal(block: bytes, in_hex: Stretches, in_digits: Stretches) -> Stretches:
    """Which stretches of hex digits, and of decimal digits alone, could be hex."""
    long = in_hex[1] - in_hex[0] >= _SHORTEST_HEX
    starts, ends = in_digits
    digits = np.flatnonzero(ends - starts >= _SHORTEST_DIGITS)
    spans = zip(starts[digits].tolist(), ends[digits].tolist(), strict=True)
    digits = digits[[_DIGITS_IN_HEX.fullmatch(block, *span) is not None for span in spans]]
    return np.append(in_hex[0][long], starts[digits]), np.append(in_hex[1][long], ends[digits])


def _marked(block: bytes, starts: Places) -> Marks:
    """Which stretches begin with ``0x``: what follows may be hex, and they base64 all the same."""
    data = np.frombuffer(block, np.uint8)
    marked: Marks = (data[starts] == ord("0")) & (data[starts + 1] | 32 == ord("x"))
    return marked


def _broken(block: bytes, classes: Bytes, starts: Places, ends: Places, whole: Bytes) -> set[bytes]:
    """Base64 that is broken into lines of one length, each whole again."""
    sizes = ends - starts
    long = np.flatnonzero((sizes >= _SHORTEST_LINE) & (sizes <= _LONGEST_LINE))
    starts, ends, sizes, whole = starts[long], ends[long], sizes[long], whole[long]
    line = (sizes % 4 == 0) & _has(whole, _CAPITAL) & _has(whole, _SMALL)
    line &= (classes[ends] == 0) & (ends < len(block))
    found: set[bytes] = set()
    done = 0
    for number in np.flatnonzero(line).tolist():
        start, size = int(starts[number]), int(sizes[number])
        if start < done:
            continue
        pieces, end = [], start
        while match := _LINE.match(block, end):
            pieces.append(match[1])
            end = match.end()
            if len(match[1]) != size:
                break
        done = end
        if len(pieces) > 1:
            found.add(b"".join(pieces))
    return found


def _classes() -> bytes:
    """For every byte what it is, as bits; 0 when it can't be in a run."""
    found = bytearray(256)
    for char in _RUN_CHARS:
        one = bytes((char,))
        found[char] = _IN_RUN | _CAPITAL * one.isupper() | _SMALL * one.islower() | _NO_LETTER * (not one.isalpha())
        found[char] |= _NO_HEX * (one not in b"0123456789abcdefABCDEF") | _DASH * (one in b"-_")
    return bytes(found)


def _worth_a_look() -> Marks:
    """For the classes that a run has, together: whether it could be base64 or hex."""
    classes = np.arange(256, dtype=np.uint8)
    lettered, in_both_cases = _has(classes, _CAPITAL | _SMALL), _has(classes, _CAPITAL) & _has(classes, _SMALL)
    return in_both_cases | (lettered & ((_has(classes, _NO_LETTER) & ~_has(classes, _DASH)) | ~_has(classes, _NO_HEX)))


def _stretches(classes: Bytes) -> Stretches:
    """Where `_SHORTEST_RUN` bytes and more in a row are in a run: the first places, and those after the last."""
    begins = classes != 0
    for step in _DOUBLINGS:
        begins = begins[:-step] & begins[step:]
    edges = np.flatnonzero(begins[1:] != begins[:-1]) + 1
    if begins[:1].any():
        edges = np.insert(edges, 0, 0)
    return edges[::2], edges[1::2] + (_SHORTEST_RUN - 1)


def _has(classes: Bytes, what: int) -> Marks:
    found: Marks = (classes & np.uint8(what)) != 0
    return found


_CLASSES, _WORTH_A_LOOK = _classes(), _worth_a_look()


def _grouped(block: bytes, starts: Places, ends: Places) -> Marks:
    """Which stretches are whole groups of four with their padding."""
    after = np.frombuffer(block + _ENDS, np.uint8) == ord("=")
    padding = after[ends].astype(np.intp) * (1 + after[ends + 1])
    grouped: Marks = (ends - starts + padding) % 4 == 0
    return grouped


def _in_hex(block: bytes, starts: Places, ends: Places) -> set[bytes]:
    """What hex stands for where that is text, or compressed: hashes and ids hardly ever are.

    What begins in the middle of a character, has bytes that no text has, or first bytes and continuation bytes that
    don't match in number, is no UTF-8: that is nearly all of them, found at once.
    """
    even = np.flatnonzero((ends - starts) % 2 == 0)
    starts, sizes = starts[even], (ends - starts)[even] // 2
    if not len(starts):
        return set()
    begins = np.cumsum(sizes) - sizes
    places = np.repeat(starts - 2 * begins, sizes) + 2 * np.arange(int(sizes.sum()))
    digits = np.frombuffer(block, np.uint8)
    plain = _HEX[digits[places]] << np.uint8(4) | _HEX[digits[places + 1]]
    more = _CONTINUES[plain]
    texts = np.flatnonzero((np.add.reduceat(more, begins) == 0) & (more[begins] >= 0))
    streams = np.flatnonzero(_STREAMS[plain[begins].astype(np.intp) << 8 | plain[begins + 1]])
    found = {piece for piece in _slices(plain.tobytes(), begins[texts], (begins + sizes)[texts]) if _is_text(piece)}
    for stream in _slices(plain.tobytes(), begins[streams], (begins + sizes)[streams]):
        found.update(inflated(stream))
    return found


_HEX = np.zeros(256, np.uint8)
_HEX[np.frombuffer(b"0123456789abcdefABCDEF", np.uint8)] = [*range(16), *range(10, 16)]
_STREAMS = np.zeros(1 << 16, np.bool_)
_STREAMS[[int(beginning, 16) for beginning in HEX_BEGINNINGS]] = True
_NEVER = 1 << 40
_CONTINUES = np.repeat(np.array([0, -1, _NEVER, 1, 2, 3, _NEVER], np.int64), [128, 64, 2, 30, 16, 5, 11])
"""For a byte of UTF-8 how many more are to come; -1 for one of those, very many for one that there is none of."""


def _slices(block: bytes, starts: Any, ends: Any) -> set[bytes]:
    return {block[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)}


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _base64(run: bytes) -> list[bytes]:
    run = run.translate(_URLSAFE)
    out = []
    for skip in range(4):
        text = run[skip:]
        text = text[: len(text) - (len(text) % 4 == 1)]
        plain = base64.b64decode(text + b"=" * (-len(text) % 4))
        out.append(plain)
        if skip == 0:
            out += inflated(plain) or deflated(plain)
    return out
