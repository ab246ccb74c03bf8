"""Looks at every leaf of a payload, in every format that a policy has paths for, and tells where it stands.

The places are the rewriters' own: what is told here is what a policy can name. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Protocol, Self

import msgspec

from desensitizers.avro.program import Compiler
from desensitizers.documents import Documents, Rewriter
from desensitizers.errors import Refusal
from desensitizers.json.schema import tags_of
from desensitizers.looking import Look, looker
from desensitizers.pathrules import NO_TAGS
from desensitizers.paths import EACH, MAP_KEY, Steps
from desensitizers.protobuf.tables import Tables
from desensitizers.resolving import Answer, Place, Resolver
from desensitizers.suggesting.names import is_name
from desensitizers.suggesting.within import INSIDE, document
from desensitizers.types import Framed, Schemas, Type

_DECODE = msgspec.json.Decoder(float_hook=Decimal).decode
_DEEP = 64
MOST_NAMES = 256
"""Different keys after which an object is a map: its keys are data, whatever they look like."""


class Told(Protocol):
    """Is told of leaves, and of what schemas declare."""

    def leaf(self, steps: Steps, kind: str, value: Any, tags: Iterable[str] = ()) -> None: ...

    def nested(self, steps: Steps, form: str) -> None:
        """The text that was told last here holds something of this form, whose leaves are told next."""
        ...

    def declared(self, steps: Steps, kind: str, type_name: str, tags: Iterable[str]) -> None: ...


class Survey:
    """Looks into payloads of one place; `formats` are those met."""

    def __init__(self, told: Told, schemas: Schemas | None) -> None:
        self._told = told
        self.formats: set[str] = set()
        self._json = _Json(told, lambda: self.formats.add("json"))
        self._documents = Documents("auto", schemas, self._json, self._of)

    def look(self, payload: bytes, header: bytes | None = None) -> None:
        """Raises Refusal for what is no document, or can't be decoded."""
        if header is not None:
            self._documents.rewrite_named(payload, header)
        else:
            self._documents.rewrite(payload)

    def _of(self, framed: Framed) -> Rewriter:
        if framed.format == "json-schema":
            return _Json(self._told, lambda: self.formats.add("json-schema"), tags_of(framed.type()))
        return _Schema(self._told, framed, lambda: self.formats.add(framed.format))


class _Json:
    """JSON documents, and what their texts hold."""

    def __init__(self, told: Told, met: Callable[[], object], tags: Callable[[Steps], Iterable[str]] | None = None):
        self._told = told
        self._met = met
        self._tags = tags or (lambda _steps: NO_TAGS)
        self._names: dict[Steps, set[str]] = {}

    def rewrite(self, body: bytes) -> bytes:
        """`body`. Raises Refusal."""
        try:
            value = _DECODE(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refusal("", "is not JSON", undecodable=True) from None
        self._met()
        self._walk(value, (), 0)
        return body

    def flush_counts(self) -> None:
        """Nothing is counted."""

    def _walk(self, value: Any, steps: Steps, depth: int) -> None:
        if isinstance(value, dict):
            for name, below in value.items():
                step = self._step(steps, name)
                if step == "*":
                    self._told.leaf((*steps, MAP_KEY), "string", name)
                self._walk(below, (*steps, step), depth + 1)
        elif isinstance(value, list):
            for below in value:
                self._walk(below, (*steps, EACH), depth + 1)
        else:
            kind = _kind(value)
            self._told.leaf(steps, kind, value, self._tags(steps))
            inner = document(value) if kind == "string" and depth < _DEEP else None
            if inner is not None:
                self._told.nested(steps, inner[0])
                self._walk(inner[1], (*steps, INSIDE + inner[0]), depth + 1)

    def _step(self, steps: Steps, name: str) -> str:
        known = self._names.setdefault(steps, set())
        if name in known:
            return name
        if not is_name(name) or len(known) >= MOST_NAMES:
            return "*"
        known.add(name)
        return name


def tell_text(told: Told, steps: Steps, text: str) -> None:
    """A text by itself, and what it may hold."""
    told.leaf(steps, "string", text)
    inner = document(text)
    if inner is not None:
        told.nested(steps, inner[0])
        _Json(told, lambda: None)._walk(inner[1], (*steps, INSIDE + inner[0]), 0)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


class _Schema:
    """Avro and Protobuf bodies under one schema."""

    def __init__(self, told: Told, framed: Framed, met: Callable[[], object]) -> None:
        self._met = met
        self._run = looker(
            framed,
            lambda rules, schema: _Avro(rules, schema).telling(told),
            lambda rules, schema: _Protobuf(rules, schema).telling(told),
        )

    def rewrite(self, body: bytes) -> bytes:
        """`body`. Raises Refusal."""
        self._run(body)
        self._met()
        return body

    def flush_counts(self) -> None:
        """Nothing is counted."""


class _Telling(Resolver):
    """Answers every place with a look that tells, and keeps everything."""

    told: Told

    def telling(self, told: Told) -> Self:
        self.told = told
        return self

    def another(self, *, passing: bool) -> Self:
        made = super().another(passing=passing)
        made.told = self.told
        return made

    def removes(self, kind: Type, place: Place, open_types: tuple[Type, ...] = ()) -> None:
        return None

    def map_key(self, name: str, entry: Place) -> str:
        self.told.leaf((*entry.shown[:-1], MAP_KEY), "string", name)
        return name

    def answer(self, kind: Type, place: Place, frame: Callable[[bytes], bytes], *, noting: bool = False) -> Answer:
        tags = place.tags | kind.tags
        if kind.cell is None:
            self.told.declared(place.shown, "null", "null", tags)
            return Answer("", "")
        self.told.declared(place.shown, kind.cell.kind, kind.cell.type, tags)
        steps, shape = place.shown, kind.cell.kind
        if shape == "string":
            return Answer("", "", Look(kind.cell.read, lambda value: self._text(steps, value)))
        return Answer("", "", Look(kind.cell.read, lambda value: self.told.leaf(steps, shape, value)))

    def _text(self, steps: Steps, value: Any) -> None:
        if isinstance(value, str):
            tell_text(self.told, steps, value)
        else:
            self.told.leaf(steps, "string", value)


class _Avro(_Telling, Compiler):
    pass


class _Protobuf(_Telling, Tables):
    passes_unknown = True
