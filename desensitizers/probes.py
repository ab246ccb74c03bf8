"""Looks at some fields of a payload without changing it: what conditions, and rules that need another field, ask for.

A probe is a rewriter that rewrites nothing and leaves the texts it found in `found`. Costs a pass over the payload.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Self

import msgspec

from desensitizers.avro.program import Compiler
from desensitizers.conditions import as_text
from desensitizers.looking import Look, looker
from desensitizers.paths import EACH, Matcher, Steps, literal
from desensitizers.protobuf.tables import Tables
from desensitizers.resolving import Answer, Place, Resolver
from desensitizers.types import Framed, Type

_DECODE = msgspec.json.Decoder(float_hook=Decimal).decode


class Probe:
    """Texts by path, of the last payload that a probe looked at."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)
        self.matcher = Matcher(self.paths)
        self.found: dict[str, list[str]] = {}

    def see(self, numbers: Sequence[int], value: Any) -> None:
        for number in numbers:
            self.found.setdefault(self.paths[number], []).append(as_text(value))

    def json(self) -> JsonProbe:
        return JsonProbe(self)

    def of(self, framed: Framed) -> SchemaProbe | JsonProbe:
        """For bodies framed so. Raises Refusal for a schema that can't be read."""
        return JsonProbe(self) if framed.format == "json-schema" else SchemaProbe(self, framed)


class JsonProbe:
    """Looks into JSON documents."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._literal = [
            (number, steps) for number, path in enumerate(probe.paths) if (steps := literal(path)) is not None
        ]
        self._walks = len(self._literal) < len(probe.paths)

    def rewrite(self, body: bytes) -> bytes:
        """`body`; what is no JSON is left to the rewriter to refuse."""
        try:
            value = _DECODE(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return body
        if self._walks:
            self._walk(value, ())
            return body
        for number, steps in self._literal:
            here = value
            for step in steps:
                here = here.get(step) if isinstance(here, dict) else None
            if here is not None and not isinstance(here, dict | list):
                self._probe.see((number,), here)
        return body

    def flush_counts(self) -> None:
        """Nothing is counted."""

    def _walk(self, value: Any, steps: Steps) -> None:
        if isinstance(value, dict):
            for name, below in value.items():
                self._walk(below, (*steps, name))
        elif isinstance(value, list):
            for below in value:
                self._walk(below, (*steps, EACH))
        elif value is not None and (numbers := self._probe.matcher.all(steps)):
            self._probe.see(numbers, value)


class SchemaProbe:
    """Looks into Avro and Protobuf bodies."""

    def __init__(self, probe: Probe, framed: Framed) -> None:
        self._run = looker(
            framed,
            lambda rules, schema: _AvroLook(rules, schema).looking(probe),
            lambda rules, schema: _ProtobufLook(rules, schema).looking(probe),
        )

    def rewrite(self, body: bytes) -> bytes:
        """`body`. Raises Refusal for what can't be decoded."""
        self._run(body)
        return body

    def flush_counts(self) -> None:
        """Nothing is counted."""


class _Look(Resolver):
    """Answers with a look where a path asks for it, and keeps everything."""

    probe: Probe

    def looking(self, probe: Probe) -> Self:
        self.probe = probe
        return self

    def another(self, *, passing: bool) -> Self:
        return super().another(passing=passing).looking(self.probe)

    def covered(self, kind: Type, place: Place) -> Place:
        return place

    def removes(self, kind: Type, place: Place, open_types: tuple[Type, ...] = ()) -> None:
        return None

    def map_key(self, name: str, entry: Place) -> str:
        return name

    def answer(self, kind: Type, place: Place, frame: Callable[[bytes], bytes], *, noting: bool = False) -> Answer:
        numbers = sorted({*self.probe.matcher.all(place.steps), *self.probe.matcher.all(place.labelled)})
        if kind.cell is None or not numbers:
            return Answer("", "")
        return Answer("", "", Look(kind.cell.read, lambda value: self._see(numbers, value)))

    def _see(self, numbers: Sequence[int], value: Any) -> None:
        self.probe.see(numbers, value.decode("latin-1") if isinstance(value, bytes) else value)


class _AvroLook(_Look, Compiler):
    pass


class _ProtobufLook(_Look, Tables):
    passes_unknown = True
