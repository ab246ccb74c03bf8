"""A scalar of a schema's type in bytes, and a rule at work on it: type and range stay the schema's.

A `Cell` reads and writes one type. `edited` makes the remembered function from bytes to bytes that a rule is there;
`check` tries it on samples when the plan is made, so that what can't fit is known before the first record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from desensitizers.errors import PolicyError, Refusal, UnfitError
from desensitizers.leaves import LeafRule
from desensitizers.memos import Beside, Memo
from desensitizers.paths import Steps, show
from desensitizers.rules.base import Scalar

CellKind = Literal["string", "number", "boolean", "bytes"]


@dataclass(frozen=True, slots=True)
class Cell:
    """How one type of a schema spells its values."""

    kind: CellKind
    type: str
    """As people call it: ``int``, ``enum Status``, ``date``."""
    read: Callable[[bytes], Scalar | bytes]
    """Raises UnfitError for a value that stands for nothing (a wild time), UnicodeDecodeError."""
    write: Callable[[Scalar | bytes], bytes]
    """Raises UnfitError when the type can't hold it."""
    blank: bytes
    """What stands in the place of an unknown field that is to be masked."""
    samples: tuple[bytes, ...] = ()
    """Values that a rule must be able to take, and to answer with what the type can hold."""
    check: Callable[[bytes], object] | None = None
    """What a value that stays must stand: for what is a message by itself."""


def edited(leaf: LeafRule, cell: Cell, frame: Callable[[bytes], bytes] = bytes) -> Memo | Beside:
    """The rule as a function of the bytes of such a cell, which `frame` puts a length before, or the like.

    It raises UnfitError and UnicodeDecodeError.
    """
    read, write = cell.read, cell.write

    def string(raw: bytes) -> bytes:
        before = str(read(raw))
        after = leaf.text(before) if before else before
        return raw if after == before else write(after)

    def number(raw: bytes) -> bytes:
        before = read(raw)
        assert not isinstance(before, bytes)
        if not isinstance(before, int) and "number" not in leaf.types:
            raise UnfitError(f"rule '{leaf.name}' works on whole numbers only")
        after = leaf.scalar(before, str(before))
        if isinstance(after, bool) or not isinstance(after, int | float | Decimal):
            raise UnfitError(f"rule '{leaf.name}' does not give a number")
        return raw if after == before else write(after)

    def boolean(raw: bytes) -> bytes:
        before = bool(read(raw))
        after = leaf.scalar(before, "")
        if not isinstance(after, bool):
            raise UnfitError(f"rule '{leaf.name}' does not give true or false")
        return raw if after == before else write(after)

    def binary(raw: bytes) -> bytes:
        before = read(raw)
        assert isinstance(before, bytes)
        text = before.decode("latin-1")
        after = leaf.text(text) if text else text
        return raw if after == text else write(after.encode())

    functions = {"string": string, "number": number, "boolean": boolean, "bytes": binary}
    function = functions[cell.kind]
    return leaf.memo(function if frame is bytes else lambda raw: frame(function(raw)))


def noted(leaf: LeafRule, cell: Cell) -> Memo | Beside:
    """Tells the original and leaves the bytes: for what is dropped or emptied."""

    def note(raw: bytes) -> bytes:
        try:
            before = cell.read(raw)
        except (UnfitError, UnicodeDecodeError):
            before = raw
        if cell.kind != "boolean":
            leaf.note(before.decode("utf-8", "surrogateescape") if isinstance(before, bytes) else str(before))
        return raw

    return leaf.memo(note)


def able(leaf: LeafRule, cell: Cell) -> bool:
    """Whether the rule works on such values at all."""
    if cell.kind == "bytes":
        return leaf.name in ("hash", "token", "replace") and "string" in leaf.types
    if cell.kind == "number":
        return bool(leaf.types & {"number", "integer"})
    return cell.kind in leaf.types


def check(leaf: LeafRule, cell: Cell, steps: Steps, schema: str, file: str) -> None:
    """PolicyError when the rule can't work on this type, or gives what the type can't hold."""
    try:
        if not able(leaf, cell):
            raise UnfitError(f"works on {_list(leaf.types)}")
        for bound in (leaf.least, leaf.greatest):
            if bound is not None:
                cell.write(bound)
        samples: Sequence[bytes] = cell.samples or ((cell.blank,) if leaf.name == "replace" else ())
        if leaf.by:
            samples = ()  # there is no record yet whose other field it could go by
        with leaf.trying():
            function = edited(leaf, cell)
            for sample in samples:
                function[sample]
    except (Refusal, UnfitError) as error:
        raise PolicyError(
            f"rule '{leaf.name}' does not fit {show(steps)}, which is a {cell.type} in {schema}: {error}; "
            "use keep, null or drop, or a rule that gives such a value.",
            file=leaf.spec.file or file,
            line=leaf.spec.line,
        ) from None


def _list(types: frozenset[str]) -> str:
    return " and ".join(sorted(types)) or "nothing"
