"""Payloads with fields, each rewritten as what it is: JSON, or what its frame says (Avro, Protobuf, JSON Schema).

One rewriter per schema, made when the schema is first met and found again by the payload's first bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from desensitizers.avro.rewriter import AvroRewriter
from desensitizers.errors import PolicyError, Refusal
from desensitizers.json.rewriter import JsonRewriter
from desensitizers.json.schema import check, names_of, tags_of
from desensitizers.pathrules import PathRules
from desensitizers.protobuf.rewriter import ProtobufRewriter
from desensitizers.sink import Sink
from desensitizers.types import Framed, Schemas

_HEAD = 5
"""Bytes of a frame that name a schema: zero and an id."""
_REMEMBERED = 10_000
_FRAMED = {"auto": ("avro", "protobuf", "json-schema"), "json": ("json-schema",)}


class Rewriter(Protocol):
    """Cleans bodies of one kind."""

    def rewrite(self, body: bytes) -> bytes:
        """The clean body. Raises Refusal."""
        ...

    def flush_counts(self) -> None:
        """Adds what was done since the last call to the sink's counts."""
        ...


class Documents:
    """Finds the rewriter of each payload; `form` says which formats may come (auto: any)."""

    def __init__(self, form: str, schemas: Schemas | None, json: Rewriter, make: Callable[[Framed], Rewriter]) -> None:
        """`json` is for what has no frame; `make` gives the rewriter of bodies framed so."""
        self._schemas = schemas
        self._formats = _FRAMED.get(form, (form,))
        self._json = json if form in ("auto", "json", "json-schema") else None
        self._make = make
        self._made: dict[tuple[str, str], Rewriter] = {}
        self._known: dict[bytes, Callable[[bytes], bytes]] = {}
        self._lengths: dict[bytes, set[int]] = {}
        self._named: dict[bytes, Callable[[bytes], bytes]] = {}

    def rewrite(self, payload: bytes) -> bytes:
        """The clean payload. Raises Refusal, and PolicyError for a rule that does not fit its schema."""
        if payload[0]:
            if self._json is None:
                raise Refusal("", f"is not framed as {self._formats[0]}", undecodable=True)
            return self._json.rewrite(payload)
        for length in self._lengths.get(payload[:_HEAD], ()):
            known = self._known.get(payload[:length])
            if known is not None:
                return known(payload)
        return self._meet(payload)(payload)

    def rewrite_named(self, payload: bytes, header: bytes) -> bytes:
        """The same for a payload whose schema a header names."""
        known = self._named.get(header)
        if known is None:
            if len(self._named) >= _REMEMBERED:
                self._named.clear()
            framed = self._framed(payload, header)
            known = self._named[header] = self.prepare(framed)
        return known(payload)

    def columns(self, values: Any) -> Iterator[tuple[Any, Any]]:
        """Those payloads of a binary Arrow array that can be done many at once: (rows, the clean ones).

        The rows are numpy arrays, ascending. What is not among them is for `rewrite`.
        """
        from desensitizers import columnwise

        yield from columnwise.documents(values, self._json, self._rewriter_behind)

    def _rewriter_behind(self, payload: bytes) -> tuple[Rewriter, int] | None:
        """The rewriter of a framed payload, and how many bytes are before its body; None for what is refused."""
        try:
            framed = self._framed(payload, None)
            return (self._rewriter(framed), framed.prefix) if framed.format in self._formats else None
        except (Refusal, PolicyError):
            return None

    def prepare(self, framed: Framed) -> Callable[[bytes], bytes]:
        """The function for payloads framed so. Raises PolicyError for a rule that does not fit the schema."""
        if framed.format not in self._formats:
            raise Refusal("", f"is framed as {framed.format}, not as {' or '.join(self._formats)}", undecodable=True)
        rewrite = self._rewriter(framed).rewrite
        prefix = framed.prefix
        return rewrite if not prefix else lambda payload: payload[:prefix] + rewrite(payload[prefix:])

    def flush_counts(self) -> None:
        for rewriter in (self._json, *self._made.values()):
            if rewriter is not None:
                rewriter.flush_counts()

    def _meet(self, payload: bytes) -> Callable[[bytes], bytes]:
        framed = self._framed(payload, None)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
            self._lengths.clear()
        made = self._known[payload[: framed.prefix]] = self.prepare(framed)
        self._lengths.setdefault(payload[:_HEAD], set()).add(framed.prefix)
        return made

    def _framed(self, payload: bytes, header: bytes | None) -> Framed:
        framed = self._schemas.framed(payload, header) if self._schemas is not None else None
        if framed is None:
            raise Refusal("", "is neither JSON nor framed with the id of a schema", undecodable=True)
        return framed

    def _rewriter(self, framed: Framed) -> Rewriter:
        key = framed.format, framed.schema
        if key not in self._made:
            self._made[key] = self._make(framed)
        return self._made[key]


def rewriting(place: str, form: str, rules: PathRules, sink: Sink, schemas: Schemas | None) -> Documents:
    """Documents that are rewritten by rules, their leaves counted in `sink` for `place`."""

    def make(framed: Framed) -> Rewriter:
        if framed.format == "avro":
            return AvroRewriter(place, rules, sink, framed.type(), framed.schema)
        if framed.format == "protobuf":
            return ProtobufRewriter(place, rules, sink, framed.type(), framed.schema)
        kind = framed.type()
        check(rules, kind, framed.schema)
        return JsonRewriter(place, rules.described(tags_of(kind), names_of(kind)), sink)

    return Documents(form, schemas, JsonRewriter(place, rules, sink), make)
