"""One payload column of one topic (the keys, the values, or one header's values): bytes in, clean bytes out.

Null stays null and empty stays empty. What a policy calls undecodable is decided here, once for all formats.
"""

from __future__ import annotations

import hmac
import math
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from desensitizers.choosing import Choosing
from desensitizers.documents import Documents, rewriting
from desensitizers.errors import PolicyError, Refusal, UnfitError
from desensitizers.explaining import Explanation
from desensitizers.leaves import LeafRule, LeafRules
from desensitizers.memos import Budget, ManyBytes, Memo
from desensitizers.pathrules import PathRules
from desensitizers.paths import Steps, speaks_of_names
from desensitizers.sink import Sink
from desensitizers.spec import WIDTHS, PayloadSpec, RuleSpec, TopicSpec

_INTEGERS = 20_000
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MARKER = b"undecodable:"
"""Starts what replaces an undecodable payload; 32 hex digits of a keyed hash follow, so that equal ones stay equal."""


class PayloadRule:
    """Rewrites the payloads of one place by its spec."""

    def __init__(self, place: str, spec: PayloadSpec, topic: TopicSpec, rules: LeafRules, sink: Sink) -> None:
        """`rules.schemas` read framed payloads. Raises nothing: `check_payload` does."""
        self.place = place
        self._sink = sink
        self._topic = topic
        self._marker_key = rules.context.keyring.derive("default", "undecodable", 1)
        self._rewrite: Callable[[bytes], bytes]
        self.documents: Documents | Choosing | None = None
        """For formats with fields."""
        self.leaves: list[tuple[str, LeafRule]] = []
        self._what = "text"
        self._many: ManyBytes | None = None
        """For texts, all payloads at once."""
        self._form = spec.format
        self._file = topic.file or rules.file
        self._explanation = rules.explanation
        if spec.has_fields:
            self.leaves = [(path, rules.make(leaf, path)) for path, leaf in spec.paths]
            unknown = rules.unknown(topic.unknown_field, topic.line)
            hint = f"under {place} of topic '{topic.match}'"

            def make(leaves: Sequence[tuple[str, LeafRule]]) -> Documents:
                file = topic.file or rules.file
                by_path = PathRules(
                    leaves,
                    unknown,
                    hint,
                    learning=rules.learning,
                    tags=rules.tags(),
                    file=file,
                    explain=_explain(place, rules, topic),
                    unknown_names=rules.unknown_names(topic.unknown_field, topic.line),
                    spelling=[path for path, _leaf in self.leaves],
                )
                return rewriting(place, spec.format, by_path, sink, rules.schemas)

            if any(leaf.spec.when or leaf.by for _path, leaf in self.leaves):
                self.documents = Choosing(spec.format, self.leaves, rules.schemas, rules.beside, make)
            else:
                self.documents = make(self.leaves)
            self._rewrite = self.documents.rewrite
        else:
            assert spec.leaf is not None  # the parser gives every scalar format one
            leaf = rules.make(spec.leaf, place)
            self.leaves = [("$", leaf)]
            self._rewrite = _scalar(spec.format, leaf)
            self._what = leaf.name
            whole = leaf.bytes_text
            if (
                spec.format == "string"
                and leaf.effect == "rewrite"
                and isinstance(whole, Memo)
                and not self._explanation
            ):
                self._many = whole.many
        self.drops = self.leaves[0][1].effect == "drop" if self.documents is None else False
        self.empties = self.leaves[0][1].effect == "null" if self.documents is None else False

    def array(self, values: Any) -> Any:
        """The clean payloads of a binary Arrow array, as one; what can be done by columns is."""
        import pyarrow as pa

        done = list(self.documents.columns(values)) if isinstance(self.documents, Documents) else []
        if not done:
            return pa.array(self.column(values.to_pylist()), values.type)
        import numpy as np

        from desensitizers.columnwise import together

        left = np.ones(len(values), np.bool_)
        for rows, _clean in done:
            left[rows] = False
        if left.any():
            rows = np.flatnonzero(left)
            clean = self.column(values.take(pa.array(rows)).to_pylist(), rows.tolist())
            done.append((rows, pa.array(clean, values.type)))
        return together(values, done)

    def column(
        self,
        payloads: Iterable[bytes | None],
        rows: Sequence[int] | None = None,
        named: Sequence[bytes | None] | None = None,
    ) -> list[bytes | None]:
        """The clean payloads. `rows` are their rows in the batch, for problems; a payload with one becomes null.

        `named` are the headers that say with which schema each payload was written, where they do.
        """
        if self._many is not None and isinstance(payloads, list):
            try:
                return self._all(payloads, self._many)
            except (Refusal, UnfitError, UnicodeDecodeError, PolicyError):
                pass  # one by one the record is found, and the reason
        rewrite = self._rewrite
        out: list[bytes | None] = []
        done = 0
        for number, payload in enumerate(payloads):
            if not payload:
                out.append(payload)
                continue
            done += 1
            try:
                header = named[number] if named else None
                if header is not None and self.documents is not None:
                    out.append(self.documents.rewrite_named(payload, header))
                else:
                    out.append(rewrite(payload))
            except Refusal as refusal:
                out.append(self._refused(payload, refusal, rows[number] if rows else number))
            except UnicodeDecodeError:
                not_text = Refusal("", "is not valid UTF-8", undecodable=True)
                out.append(self._refused(payload, not_text, rows[number] if rows else number))
            except UnfitError as error:
                out.append(self._refused(payload, error.at(""), rows[number] if rows else number))
            except PolicyError as error:
                self._sink.problem(rows[number] if rows else number, self.place, "", str(error))
                out.append(None)
        if self.documents is None:
            self._sink.counts[self.place, "$", self._what] += done
            if done and self._explanation is not None:
                self._explanation.tell(self.place, (), self._form, "$", self.leaves[0][1], self._file)
        return out

    def count(self, payloads: int) -> None:
        """Counts payloads that stay."""
        self._sink.counts[self.place, "$", self._what] += payloads

    def _all(self, payloads: list[bytes | None], many: ManyBytes) -> list[bytes | None]:
        filled = [payload for payload in payloads if payload]
        clean = many(filled)
        self._sink.counts[self.place, "$", self._what] += len(filled)
        if len(filled) == len(payloads):
            return list(clean)
        left = iter(clean)
        return [next(left) if payload else payload for payload in payloads]

    def stays(self, values: Any) -> bool:
        """Whether all payloads of a binary Arrow array are texts that are sure to stay, and to hold no original."""
        return self._many is not None and not values.null_count and self.leaves[0][1].untouched(values)

    def passes(self, values: Any) -> bool:
        """Whether all payloads of a binary Arrow array stay as they are; then they are counted, else nothing is."""
        if self.documents is not None or self._explanation is not None or self.leaves[0][1].effect != "keep":
            return False
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._form == "string":
            try:
                values.cast(pa.string())
            except pa.ArrowInvalid:
                return False
        elif self._form != "bytes":
            return False
        filled = pc.sum(pc.greater(pc.binary_length(values), 0)).as_py()
        self._sink.counts[self.place, "$", self._what] += filled or 0
        return True

    def flush_counts(self) -> None:
        if self.documents is not None:
            self.documents.flush_counts()

    def _refused(self, payload: bytes, refusal: Refusal, row: int) -> bytes | None:
        setting = self._topic.setting(refusal.cause)
        if setting == "replace":
            self._sink.counts[self.place, "", "undecodable replaced"] += 1
            return MARKER + hmac.digest(self._marker_key, payload, "sha256")[:16].hex().encode()
        if setting == "quarantine":
            self._sink.withhold(row, self.place, refusal.path, refusal.cause, refusal.reason)
            return None
        undecodable = refusal.cause == "undecodable"
        cure = "; set undecodable: replace to put a marker in its place" if undecodable else ""
        self._sink.problem(row, self.place, refusal.path, refusal.reason + cure)
        return None


class _Explain:
    """Tells an explanation of the places of one payload."""

    def __init__(self, place: str, explanation: Explanation, keep: LeafRule, unnamed: str) -> None:
        self._place = place
        self._unnamed = unnamed
        self._explanation = explanation
        self.keep = keep

    def tell(self, steps: Steps, kind: str, path: str, rule: LeafRule | None, file: str) -> None:
        self._explanation.tell(self._place, steps, kind, path, rule, file, self._unnamed)


def _explain(place: str, rules: LeafRules, topic: TopicSpec) -> _Explain | None:
    if rules.explanation is None:
        return None
    unnamed = topic.unknown_field if topic.unknown_field == "quarantine" else ""
    return _Explain(place, rules.explanation, rules.make(RuleSpec("keep", 0), "$"), unnamed)


def _scalar(form: str, leaf: LeafRule) -> Callable[[bytes], bytes]:
    if leaf.effect in ("drop", "null"):
        return leaf.note_bytes.__getitem__
    if form == "bytes":
        return leaf.bytes_raw.__getitem__
    if form == "string":
        return leaf.bytes_text.__getitem__ if leaf.effect == "rewrite" else _text
    if form == "uuid":
        return leaf.memo(lambda payload: _uuid(leaf.text(_uuid(payload.decode()))).encode()).__getitem__
    width = WIDTHS[form]
    if form in ("float", "double"):
        return leaf.memo(_real(form, leaf)).__getitem__

    def integer(payload: bytes) -> bytes:
        if len(payload) != width:
            raise Refusal("", f"is not an {form} ({width} bytes)", undecodable=True)
        try:
            return leaf.integer(int.from_bytes(payload, "big", signed=True)).to_bytes(width, "big", signed=True)
        except OverflowError:
            raise UnfitError(f"rule '{leaf.name}' gives a number that doesn't fit {form}") from None

    return Budget(_INTEGERS).memo(integer).__getitem__


def _uuid(text: str) -> str:
    """The text as it is when it is a UUID. Raises Refusal and UnfitError."""
    if not _UUID.fullmatch(text):
        raise UnfitError("is not a UUID, before or after its rule")
    return text


def _real(form: str, leaf: LeafRule) -> Callable[[bytes], bytes]:
    code = struct.Struct(">f" if form == "float" else ">d")

    def number(payload: bytes) -> bytes:
        if len(payload) != code.size:
            raise Refusal("", f"is not a {form} ({code.size} bytes)", undecodable=True)
        if leaf.effect == "keep":
            return payload
        value = code.unpack(payload)[0]
        if not math.isfinite(value):
            raise UnfitError("is not a number that a rule can work on")
        before = Decimal(f"{value:.9g}" if code.size == 4 else repr(value))
        after = leaf.scalar(before, str(before))
        if isinstance(after, bool | str):
            raise UnfitError(f"rule '{leaf.name}' does not give a number")
        try:
            return payload if after == before else code.pack(float(after))
        except OverflowError:
            raise UnfitError(f"rule '{leaf.name}' gives a number that doesn't fit {form}") from None

    return number


def _text(payload: bytes) -> bytes:
    if not payload.isascii():
        payload.decode()
    return payload


def check_names(path: str, leaf: LeafRule, file: str) -> None:
    """Raises PolicyError for a rule that gives no names."""
    if leaf.effect == "rewrite" and "string" not in leaf.types:
        raise PolicyError(
            f"rule '{leaf.name}' does not fit '{path}', which are names and so texts: use a domain, hash or mask.",
            file=leaf.spec.file or file,
            line=leaf.spec.line,
        )


def check_payload(rule: PayloadRule, spec: PayloadSpec, topic: TopicSpec, file: str) -> None:
    """What can be known to be wrong before the first record. Raises PolicyError."""
    whole = rule.place in ("key", "value")
    for path, leaf in rule.leaves:
        line = leaf.spec.line
        if whole and path == "$" and leaf.effect in ("drop", "null"):
            raise PolicyError(
                f"rule '{leaf.name}' on a whole {rule.place} would turn records into "
                f"{'tombstones' if rule.place == 'value' else 'records without a key'}: "
                "replace or hash it, or name its fields.",
                file=file,
                line=line,
            )
        for bound in (leaf.least, leaf.greatest):
            if (
                spec.format.startswith("int")
                and bound is not None
                and not -(1 << 8 * WIDTHS[spec.format] - 1) <= bound < 1 << 8 * WIDTHS[spec.format] - 1
            ):
                raise PolicyError(
                    f"rule '{leaf.name}' can give {bound}, which doesn't fit {spec.format}.", file=file, line=line
                )
        if speaks_of_names(path):
            check_names(path, leaf, file)
        if leaf.by and not spec.has_fields:
            raise PolicyError(f"'by' names another field, but a {spec.format} has none.", file=file, line=line)
        if rule.place == "key" and leaf.merges:
            raise PolicyError(
                f"rule '{leaf.name}' can turn two keys into one: use a domain, hash or token on a key.",
                file=file,
                line=line,
            )
    if rule.place == "key" and spec.has_fields and topic.unknown_field in ("drop", "mask"):
        raise PolicyError(
            f"unknown_field: {topic.unknown_field} can turn two keys into one: "
            "write unknown_field: fail or quarantine for a topic whose keys have fields.",
            file=file,
            line=spec.line,
        )
