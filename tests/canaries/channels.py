"""Every channel through which a name could leave: how it is planted there, a rule that removes it, and a broken one."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from desensitizers.varint import write as varint
from recorder.capture.manifest import MANIFEST_NAME, encode
from recorder.capture.reader import Capture, open_capture
from recorder.capture.schema import Record
from recorder.payloads.protobuf_schema import with_descriptor
from recorder.payloads.schemas import Schema
from recorder.payloads.snapshot import write_schemas
from tests.builders import T0, make_capture, record
from tests.desensitizers.schemas import frame
from tests.payloads.avro_schemas import write

MARK = "nary"
"""In every canary, and in nothing else."""
_AVRO = {"type": "record", "name": "Who", "fields": [{"name": "who", "type": "string"}]}
_PROTO = 'syntax = "proto3"; message Who { string who = 1; int64 number = 2; fixed64 fixed = 3; }'
_NUMBER = {"type": "record", "name": "Number", "fields": [{"name": "number", "type": "long"}]}
SCHEMAS = (
    Schema("avro", json.dumps(_AVRO), id=1),
    with_descriptor(Schema("protobuf", _PROTO, id=2), {}),
    Schema("avro", json.dumps(_NUMBER), id=3),
)


@dataclass(frozen=True, slots=True)
class Channel:
    """`plant` makes (key, value, headers) of a text; `rule` and `broken` are what a topic of the policy says."""

    plant: Callable[[str], tuple[Any, Any, list[tuple[str, str]]]]
    rule: str
    broken: str
    name: str = "name"
    """The field of a person's record that a rule learns the original from."""
    original: Callable[[str], Any] = str


def _who(text: str) -> str:
    return json.dumps({"who": text}, ensure_ascii=False)


def _base64(data: str | bytes) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def _token(text: str) -> str:
    parts = ('{"alg":"none"}', _who(text), "signed")
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)


def _protobuf(text: str) -> bytes:
    name = text.encode()
    return frame(b"\0\x0a" + bytes([len(name)]) + name, 2)


def _in_value(make: Callable[[str], Any], rule: str) -> Channel:
    return Channel(lambda text: ("k", make(text), []), f"value: {{{rule}}}", "value: {'**': keep, '**.@key': keep}")


def number_of(text: str) -> int:
    """A canary as a number of 18 digits."""
    return 3 * 10**17 + int(text.rpartition(MARK)[2][:12], 16)


def _numeric(make: Callable[[int], bytes], field: str) -> Channel:
    rule = f"value: {{{field}: {{domain: number}}}}"
    broken = "value: {'**': keep}"
    return Channel(lambda text: ("k", make(number_of(text)), []), rule, broken, "number", number_of)


_NAME = "{domain: name}"
CHANNELS: dict[str, Channel] = {
    "key": Channel(lambda text: (text, {"n": 1}, []), f"key: {_NAME}, value: {{n: keep}}", "value: {n: keep}"),
    "header": Channel(lambda text: ("k", {}, [("user", text)]), f"headers: {{user: {_NAME}}}", "headers: {user: keep}"),
    "header name": Channel(
        lambda text: ("k", {}, [(text, "x")]), "headers: {'*': drop}", "headers: {'*': keep, '@key': keep}"
    ),
    "text value": Channel(
        lambda text: ("k", text, []), "value: {format: string, domain: name}", "value: {format: string, rule: keep}"
    ),
    "nested value": _in_value(lambda text: {"a": [{"b": {"c": text}}]}, f"'a[*].b.c': {_NAME}"),
    "map key": _in_value(lambda text: {"m": {text: 1}}, "'m.*': drop"),
    "JSON escapes": _in_value(lambda text: json.dumps({"who": text}), f"who: {_NAME}"),
    "free text": _in_value(
        lambda text: {"note": f"ask {text.upper()} today"}, "note: {rule: scan, detectors: [learned]}"
    ),
    "JSON in a string": _in_value(lambda text: {"x": _who(text)}, f"x: {{format: json, who: {_NAME}}}"),
    "base64": _in_value(lambda text: {"x": _base64(_who(text))}, f"x: {{format: [base64, json], who: {_NAME}}}"),
    "gzip": _in_value(
        lambda text: {"x": _base64(gzip.compress(_who(text).encode()))},
        f"x: {{format: [base64, gzip, json], who: {_NAME}}}",
    ),
    "JWT": _in_value(lambda text: {"x": _token(text)}, "x: {rule: token}"),
    "URL": _in_value(lambda text: {"x": f"https://shop/?who={quote(text)}"}, "x: {rule: replace, with: gone}"),
    "hex": _in_value(lambda text: {"x": text.encode().hex()}, "x: {rule: replace, with: gone}"),
    "Avro": _in_value(lambda text: frame(write(_AVRO, {"who": text}), 1), f"who: {_NAME}"),
    "Protobuf": _in_value(_protobuf, f"who: {_NAME}"),
    "Avro number": _numeric(lambda number: frame(write(_NUMBER, {"number": number}), 3), "number"),
    "Protobuf number": _numeric(lambda number: frame(b"\0\x10" + varint(number), 2), "number"),
    "Protobuf fixed number": _numeric(lambda number: frame(b"\0\x19" + number.to_bytes(8, "little"), 2), "fixed"),
}
_HEAD = """
version: 1
secret: {env: BLACKBOX_KEY}
domains: {name: {surrogate: name}, number: {surrogate: digits}}
topics:
  - {match: people, value: {name: {domain: name}, number: {domain: number}}}
"""


def topic_of(channel: str) -> str:
    return channel.replace(" ", "-")


def policy_text(broken: str = "") -> str:
    """A policy that removes the canaries of all channels, but for the one whose rule is broken."""
    lines = []
    for name, channel in CHANNELS.items():
        body = channel.broken if name == broken else channel.rule
        body = body if body.startswith("key:") else f"key: keep, {body}"
        body = body if "value:" in body else f"{body}, value: {{'**': keep, '**.@key': keep}}"
        lines.append(f"  - {{match: {topic_of(name)}, {body}}}\n")
    return _HEAD + "".join(lines)


def canary(chance: random.Random) -> str:
    return f"Kä{MARK}{chance.randbytes(6).hex()}x"


def planted(count: int, seed: int) -> dict[str, list[str]]:
    """So many canaries by channel."""
    chance = random.Random(seed)
    names = list(CHANNELS)
    found: dict[str, list[str]] = {name: [] for name in names}
    for number in range(count):
        found[names[number % len(names)]].append(canary(chance))
    return found


def capture_of(root: Path, canaries: dict[str, list[str]]) -> Capture:
    """A capture with every canary in its channel, and in a field of a topic that a rule learns it from."""
    made = make_capture(root, _rows(canaries))
    manifest = msgspec.structs.replace(made.manifest, schemas=write_schemas(root, SCHEMAS))
    (root / MANIFEST_NAME).write_bytes(encode(manifest))
    return open_capture(root)


def _rows(canaries: dict[str, list[str]]) -> Iterable[Record]:
    for name, texts in canaries.items():
        for number, text in enumerate(texts):
            yield record("people", 0, T0 + number, None, {CHANNELS[name].name: CHANNELS[name].original(text)})
            key, value, headers = CHANNELS[name].plant(text)
            yield record(topic_of(name), 0, T0 + number, key, value, headers)
