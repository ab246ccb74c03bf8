"""Which format a topic's keys or values are in, from evidence that is said in one sentence.

Frames whose schema is known come first, then what all of a sample has in common. A mixed topic is left to decode each
payload as what it is.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from recorder.payloads import wire
from recorder.payloads.choices import Choice
from recorder.payloads.codec import Decoded, Format
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.facets import Facet, facets
from recorder.payloads.primitives import UUID_TEXT
from recorder.payloads.reasons import Reason, Side
from recorder.payloads.wire import Headers

SAMPLE = 1000
_MOST = 0.9


@dataclass(frozen=True, slots=True)
class Detected:
    """`choice` goes to the `Decoder`: None lets each payload say what it is.

    `format` is None for no payloads at all; `schemas` are the ids or GUIDs that the sample named, known or not.
    """

    format: Format | None
    evidence: str
    choice: Choice | None = None
    schemas: tuple[int | str, ...] = ()
    facets: tuple[Facet, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


def detect(
    codecs: Codecs,
    topic: str,
    side: Side,
    payloads: Sequence[bytes | None],
    headers: Sequence[Headers] = (),
    choice: Choice | None = None,
) -> Detected:
    """Look at a sample (as many payloads as are given; `SAMPLE` is plenty) and its headers, when those are at hand.

    With a `choice` the format is that one; what is counted says how well it fits.
    """
    named = list(headers) or [()] * len(payloads)
    pairs = [(payload, tuple(said)) for payload, said in zip(payloads, named, strict=True) if payload]
    if not pairs:
        nulls = sum(payload is None for payload in payloads)
        why = f"all {nulls:,} are null" if nulls and nulls == len(payloads) else "nothing but empty payloads"
        return Detected(choice.format if choice else None, why if payloads else "no records", choice)
    number = None if choice is not None else _all_alike(codecs, side, pairs)
    decoder = Decoder(codecs, topic, side, choice or (Choice(number[0]) if number else None))
    decoded = [decoder.decode(payload, said) for payload, said in pairs]
    found: tuple[Facet, ...] = tuple(
        facet
        for facet, count in Counter(
            facet
            for item, (_, said) in zip(decoded, pairs, strict=True)
            for facet in facets(item.value if item.readable else None, said if side == "value" else ())
        ).items()
        if count >= _MOST * len(pairs)
    )
    counts = Counter(_kind(item) for item in decoded)
    schemas = tuple(dict.fromkeys(item.frame.key for item in decoded if item.frame is not None))
    if number is not None:
        return Detected(number[0], number[1], Choice(number[0]), (), found, dict(counts))
    best: Format = max(Counter(_format(item) for item in decoded).items(), key=lambda pair: pair[1])[0]
    evidence = _evidence(decoded, counts, schemas, choice)
    return Detected(choice.format if choice else best, evidence, choice, schemas, found, dict(counts))


def _format(decoded: Decoded) -> Format:
    return "hex" if decoded.format == "null" or decoded.format == "empty" else decoded.format


def _kind(decoded: Decoded) -> str:
    return decoded.format if decoded.readable else str(decoded.reason)


def _evidence(
    decoded: Sequence[Decoded], counts: Counter[str], schemas: tuple[int | str, ...], choice: Choice | None
) -> str:
    total = len(decoded)
    if choice is not None:
        readable = sum(item.readable for item in decoded)
        return f"chosen; {_of(readable, total)} can be read so"
    framed = sum(item.frame is not None and item.schema is not None for item in decoded)
    if framed:
        where = "headers" if any(item.frame and item.frame.in_header for item in decoded) else "first bytes"
        return f"{_of(framed, total)} name a known schema in their {where} ({_list(schemas)})" + _rest(counts)
    unknown = sum(item.reason is Reason.UNKNOWN_SCHEMA_ID for item in decoded)
    if unknown >= _MOST * total:
        return f"{_of(unknown, total)} begin with the id of a schema that is not here ({_list(schemas)})"
    best, count = counts.most_common(1)[0]
    said = {"json": "parse as JSON", "text": "are UTF-8 text", "hex": "are neither JSON nor text"}
    return f"{_of(count, total)} {said.get(best, f'are {best}')}" + _rest(counts)


def _rest(counts: Counter[str]) -> str:
    others = counts.most_common()[1:]
    return "".join(f"; {count:,} {name}" for name, count in others)


def _of(count: int, total: int) -> str:
    return f"all {total:,}" if count == total else f"{count:,} of {total:,}"


def _list(keys: tuple[int | str, ...]) -> str:
    shown = ", ".join(map(str, keys[:5]))
    return f"id {shown}" + (f" and {len(keys) - 5:,} more" if len(keys) > 5 else "")


def _all_alike(codecs: Codecs, side: Side, pairs: Sequence[tuple[bytes, Headers]]) -> tuple[Format, str] | None:
    """Numbers and UUIDs: what only the whole sample can tell. Two of a kind at least, for less is chance."""
    sample = [payload for payload, _ in pairs]
    lengths = {len(payload) for payload in sample}
    if (
        len(lengths) != 1
        or len(sample) < 2
        or any(name == wire.HEADER_NAMES[side] for _, said in pairs for name, _ in said)
    ):
        return None
    (length,) = lengths
    if length == 36 and all(UUID_TEXT.fullmatch(payload) for payload in sample):
        return "uuid", f"all {len(sample):,} are UUIDs in text"
    if length not in (2, 4, 8) or all(_printable(payload) for payload in sample):
        return None
    if any((frame := wire.split(payload)[0]) is not None and codecs.book.find(frame.key) for payload in sample):
        return None
    format = _number(length, sample)
    return None if format is None else (format, f"all {len(sample):,} have {length} bytes that make sense as {format}")


def _number(length: int, sample: Sequence[bytes]) -> Format | None:
    if length == 2:
        return "short"
    if length == 4:
        return "float" if _real(">f", sample) and not _small(">i", sample, 1 << 24) else "int"
    if _small(">q", sample, 1 << 53):
        return "long"
    return "double" if _real(">d", sample) else None


def _small(code: str, sample: Sequence[bytes], limit: int) -> bool:
    return all(abs(struct.unpack(code, payload)[0]) < limit for payload in sample)


def _real(code: str, sample: Sequence[bytes]) -> bool:
    """Numbers of sizes that people use."""
    plausible: Callable[[float], bool] = lambda value: value == 0 or 1e-9 < abs(value) < 1e15  # noqa: E731
    return all(plausible(struct.unpack(code, payload)[0]) for payload in sample)


def _printable(payload: bytes) -> bool:
    try:
        return payload.decode().isprintable()
    except UnicodeDecodeError:
        return False
