"""Reading Avro and Protobuf bodies with the rewriters' own programs: each leaf is told, and none is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from desensitizers.avro.program import Compiler
from desensitizers.avro.rewriter import run_avro
from desensitizers.errors import Refusal, UnfitError
from desensitizers.pathrules import PathRules
from desensitizers.protobuf.rewriter import run_protobuf
from desensitizers.protobuf.tables import Tables
from desensitizers.types import Framed


class Look:
    """In the place of a rule's memory: tells the value and leaves its bytes. What can't be read is not told."""

    def __init__(self, read: Callable[[bytes], Any], see: Callable[[Any], None]) -> None:
        self._read = read
        self._see = see

    def __getitem__(self, raw: bytes) -> bytes:
        try:
            value = self._read(raw)
        except (UnfitError, UnicodeDecodeError, Refusal):
            return raw
        self._see(value)
        return raw


def looker(
    framed: Framed, avro: Callable[[PathRules, Any], Compiler], protobuf: Callable[[PathRules, Any], Tables]
) -> Callable[[bytes], object]:
    """Goes through a body under this schema, with what `avro` or `protobuf` makes of it; raises Refusal then."""
    nothing = PathRules((), None, "")
    if framed.format == "avro":
        program = avro(nothing, framed.schema).whole(framed.type())
        return lambda body: run_avro(program, body)
    message = protobuf(nothing, framed.schema).whole(framed.type())
    return lambda body: run_protobuf(message, body)
