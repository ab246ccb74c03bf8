"""Canaries in a segment of their own: written, read back and searched as the records of the copy are.

A proof that can't find what was planted is broken, whatever it says of the copy.
"""

from __future__ import annotations

import base64
import functools
import secrets
from pathlib import Path
from typing import Any

import pyarrow as pa

from desensitizers.learned import normal
from desensitizers.proof.canaries import Canary, canaries
from desensitizers.proof.peel import layers
from desensitizers.proof.search import Haystack, Needles
from desensitizers.varint import write, zigzag
from recorder.capture.schema import RECORD_SCHEMA
from recorder.capture.writer import PartitionWriter
from recorder.payloads.schemas import Schema
from recorder.scrubbing.decoded import DecodedLeaves, lines
from recorder.scrubbing.jobs import batches
from recorder.scrubbing.parts import parts

_AVRO = '{"type": "record", "name": "Canary", "fields": [{"name": "number", "type": "long"}]}'
_PROTOBUF = 'syntax = "proto3"; message Canary { int64 number = 1; fixed64 fixed = 2; }'
_FRAME = b"\0\0\0\0"


def missed_canaries(directory: Path) -> list[Canary]:
    """Plant canaries in every channel and encoding of a segment in `directory`; those that a search does not find."""
    planted = [*canaries(), *_numbers()]
    directory.mkdir(parents=True, exist_ok=True)
    writer = PartitionWriter(directory, "canaries", 0, key_bloom_filter=False)
    writer.append(pa.RecordBatch.from_pylist([_row(*one) for one in enumerate(planted)], schema=RECORD_SCHEMA))
    writer.seal()
    needles = {normal(canary.text): canary for canary in planted}
    decoded = DecodedLeaves(_schemas())
    found: set[bytes] = set()
    for batch in batches(directory, writer.segments[0]):
        for part in parts(batch):
            found |= Haystack(layers(part.lines.data)).find([Needles(list(needles))])
        for _place, rows in decoded.of(batch):
            found |= Haystack([lines(rows)]).find([Needles(list(needles))])
    return [canary for needle, canary in needles.items() if needle not in found]


def _row(offset: int, canary: Canary) -> dict[str, Any]:
    header = {"key": "h", "value": canary.planted if canary.channel == "header" else None}
    if canary.channel == "header name":
        header["key"] = canary.planted.decode()
    return {
        "topic": "canaries",
        "partition": 0,
        "offset": offset,
        "timestamp_ms": 0,
        "timestamp_type": "create",
        "key": canary.planted if canary.channel == "key" else None,
        "value": canary.planted if canary.channel == "value" else None,
        "headers": [header],
        "leader_epoch": None,
    }


@functools.cache
def _schemas() -> tuple[Schema, ...]:
    return Schema("avro", _AVRO, id=1), Schema("protobuf", _PROTOBUF, id=2, descriptor=_descriptor())


def _descriptor() -> str:
    """What a compiler makes of `_PROTOBUF`: a scrub needs none for that."""
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="canary.proto", syntax="proto3")
    message = file.message_type.add(name="Canary")
    kind = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="number", number=1, type=kind.TYPE_INT64, label=kind.LABEL_OPTIONAL)
    message.field.add(name="fixed", number=2, type=kind.TYPE_FIXED64, label=kind.LABEL_OPTIONAL)
    return base64.b64encode(descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()).decode()


def _numbers() -> list[Canary]:
    """Numbers of 18 digits, as Avro and Protobuf have them."""
    found = []
    for side in ("key", "value"):
        for encoding in ("Avro long", "Protobuf int64", "Protobuf fixed64"):
            number = 10**17 + secrets.randbelow(8 * 10**17)
            if encoding == "Avro long":
                payload = _FRAME + b"\x01" + write(zigzag(number))
            elif encoding == "Protobuf int64":
                payload = _FRAME + b"\x02\0\x08" + write(number)
            else:
                payload = _FRAME + b"\x02\0\x11" + number.to_bytes(8, "little")
            found.append(Canary(side, encoding, str(number), payload))
    return found
