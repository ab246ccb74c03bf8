"""JSON payloads: what is in doubt (duplicate keys, numbers beyond 64 bits, NaN) is said, and the text stays the text.

A tree keeps neither spelling nor duplicates, so encoding is exact only for compact text as most libraries write it;
`Decoded.exact` tells for one payload.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from recorder.payloads import fields, spread
from recorder.payloads.codec import Column, Format, Read
from recorder.payloads.reasons import PayloadError, Reason
from recorder.payloads.values import Value, plain, special, to_json

SIZE_LIMIT = 128 << 20
_BITS_64 = 1 << 64
_HALF = 1 << 63
_ESCAPED = (b"\\u0022", b"\\u003a", b"\\u003A")
_SPELT_ALIKE = (None, Reason.DUPLICATE_KEYS, Reason.MISMATCH)
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


class JsonCodec:
    """JSON text in UTF-8; its column is JSON text too (`json` metadata)."""

    format: Format = "json"
    exact = False
    fits: Callable[[Any], bool] | None = None
    """What a schema says of a parsed value."""

    def decode(self, body: bytes) -> Read:
        value, doubt = read(body)
        return Read(value, doubt or self._misfit(value))

    def _misfit(self, value: Any) -> Reason | None:
        return Reason.MISMATCH if self.fits is not None and not self.fits(value) else None

    def encode(self, value: Value, like: bytes | None = None) -> bytes:
        """Compact; indented or spaced after separators when `like` is."""
        try:
            text = msgspec.json.encode(plain(value))
        except (TypeError, ValueError, OverflowError, UnicodeEncodeError, RecursionError):
            try:
                text = json.dumps(plain(value), separators=(",", ":"), allow_nan=False).encode()
            except (TypeError, ValueError, RecursionError) as error:
                raise PayloadError(Reason.MISMATCH, f"{error!s:.200}") from error
        if like is not None and b" " in like[:4096] and b"\n" not in like[:4096]:
            spaced = msgspec.json.format(text, indent=0)
            return spaced if msgspec.json.format(like, indent=0) == like else text
        return text

    def field(self) -> pa.Field:
        return fields.json_field("value")

    def column(self, bodies: pa.Array) -> Column:
        return self.text_column(bodies)

    def text_column(self, bodies: pa.Array) -> Column:
        """JSON text, whatever `field` says."""
        decode, encode, fits = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode, self.fits
        careful = spread.bools(pc.match_substring_regex(bodies, "[0-9]{19}").fill_null(True))
        for row, body in enumerate(bodies.to_pylist()):
            if not careful[row]:
                try:
                    value = decode(body)
                    again = encode(value)
                    careful[row] = (again != body and not _whole(body, again)) or not (fits is None or fits(value))
                except (ValueError, RecursionError):
                    careful[row] = True
        odd = pa.array(careful)
        found = [(None, None) if body is None else self.as_text(body) for body in bodies.filter(odd).to_pylist()]
        plain = bodies.filter(pa.array(~careful)).cast(pa.string())
        texts, reasons = zip(*found, strict=True) if found else ((), ())
        return Column(
            spread.merge(plain, pa.array(texts, pa.string()), careful),
            spread.scatter(pa.array(reasons, pa.string()), careful),
        )

    def as_text(self, body: bytes) -> tuple[str | None, Reason | None]:
        """(JSON text, reason): the text as it was sent, except where only another spelling is JSON (NaN)."""
        try:
            value, doubt = self.decode(body)
        except PayloadError as error:
            return None, error.reason
        return (body.decode() if doubt in _SPELT_ALIKE else to_json(value)), doubt


def read(body: bytes) -> tuple[Any, Reason | None]:
    """(tree, doubt). Raises PayloadError."""
    if len(body) > SIZE_LIMIT:
        raise PayloadError(Reason.TOO_LARGE, f"{len(body):,} bytes of JSON")
    try:
        value = msgspec.json.decode(body)
        again = msgspec.json.encode(value)
        same = again == body or _whole(body, again)
    except RecursionError as error:
        raise PayloadError(Reason.TOO_DEEP) from error
    except UnicodeDecodeError as error:
        raise PayloadError(Reason.INVALID_UTF8, f"at byte {error.start}") from error
    except (msgspec.DecodeError, ValueError):
        return _careful(body)
    return (value, None) if same and not _LONG_NUMBER.search(body) else _careful(body)


def _whole(body: bytes, again: bytes) -> bool:
    """Whether no key was lost in between, for texts that differ in spaces and spelling only.

    A quote and a colon are a key's end, or stand so in both texts, unless one of them is escaped by its number.
    """
    compact = msgspec.json.format(body, indent=-1)
    if again == compact:
        return True
    return again.count(b'":') == compact.count(b'":') and not any(escape in body for escape in _ESCAPED)


def _careful(body: bytes) -> tuple[Any, Reason | None]:
    """The same with the standard library, which tells of duplicates and of every number's spelling."""
    doubts: list[Reason] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            doubts.append(Reason.DUPLICATE_KEYS)
        return found

    def whole(text: str) -> int | str:
        if len(text) > 4000:  # Python refuses to parse more digits, and is slow before that
            doubts.append(Reason.BEYOND_64_BITS)
            return text
        number = int(text)
        if not -_HALF <= number < _BITS_64:
            doubts.append(Reason.BEYOND_64_BITS)
        return number

    def real(text: str) -> float | str:
        number = float(text)
        if math.isfinite(number):
            return number
        doubts.append(Reason.BEYOND_64_BITS)
        return text

    def constant(text: str) -> str:
        doubts.append(Reason.NOT_A_NUMBER)
        return special(float(text))

    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=pairs, parse_int=whole, parse_float=real, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise PayloadError(Reason.INVALID_UTF8, f"at byte {error.start}") from error
    except RecursionError as error:
        raise PayloadError(Reason.TOO_DEEP) from error
    except ValueError as error:
        raise PayloadError(Reason.MALFORMED, f"not JSON: {error!s:.100}") from error
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair, escaped
        doubts.append(Reason.INVALID_UTF8)
        value = json.loads(
            json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    except RecursionError as error:
        raise PayloadError(Reason.TOO_DEEP) from error
    order = (Reason.INVALID_UTF8, Reason.NOT_A_NUMBER, Reason.DUPLICATE_KEYS, Reason.BEYOND_64_BITS)
    return value, next((doubt for doubt in order if doubt in doubts), None)
