"""Functions of bytes that keep their answers: distinct values are few compared with records.

What is not known yet of a batch is asked for together, so that a rule does for many at once what costs much for one.
What comes as a column is found again as a column; answers to single values and to columns are kept apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from desensitizers.errors import UnfitError

if TYPE_CHECKING:
    from desensitizers.answered import Answered

BESIDE = b"\0"
"""Between a leaf's bytes and the text of the field that its rule's `by` names."""

BytesFunction = Callable[[bytes], bytes]
ManyBytes = Callable[[list[bytes]], list[bytes]]
"""The same for each of some different bytes."""


_ANSWER_BYTES = 256
"""What an answer may take in a column, on the average, before there are too many of them."""


class Budget:
    """How many answers some memos may keep together. When it is spent, all forget what they did not use since.

    Answers to columns have a limit of their own, in bytes; when it is reached all of them are forgotten.
    """

    __slots__ = ("_bytes", "_columns", "_limit", "_memos", "_spent")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent = 0
        self._memos: list[Memo] = []
        self._bytes = 0
        self._columns: list[Answered] = []

    def memo(self, function: BytesFunction, many: ManyBytes | None = None) -> Memo:
        made = Memo(function, self, many)
        self._memos.append(made)
        return made

    def spend(self, answers: int = 1) -> None:
        self._spent += answers
        if self._spent > self._limit:
            self._spent = 0
            for memo in self._memos:
                memo.age()

    def columns(self, many: ManyBytes) -> Answered:
        from desensitizers.answered import Answered

        made = Answered(many, self._spend_bytes)
        self._columns.append(made)
        return made

    def _spend_bytes(self, more: int) -> None:
        self._bytes += more
        if self._bytes > self._limit * _ANSWER_BYTES:
            self._bytes = 0
            for columns in self._columns:
                columns.forget()


class Memo(dict[bytes, bytes]):
    """A function of bytes that keeps its last answers. UnfitError passes through and is not remembered."""

    __slots__ = ("_budget", "_columns", "_function", "_many", "_older")

    def __init__(self, function: BytesFunction, budget: Budget, many: ManyBytes | None = None) -> None:
        self._function = function
        self._many = many or (lambda tokens: list(map(function, tokens)))
        self._budget = budget
        self._older: dict[bytes, bytes] = {}
        self._columns: Answered | None = None

    def __missing__(self, token: bytes) -> bytes:
        result = self._older.get(token)
        if result is None:
            result = self._function(token)
        self[token] = result
        self._budget.spend()
        return result

    def many(self, tokens: list[bytes]) -> list[bytes]:
        """What it gives for each. Raises what the function raises, and doesn't say for which."""
        answers: list[bytes | None] = list(map(self.get, tokens))
        unknown = {token for token, answer in zip(tokens, answers, strict=True) if answer is None}
        if not unknown:
            return answers  # type: ignore[return-value]
        fresh = {token: self._older[token] for token in unknown if token in self._older}
        new = [token for token in dict.fromkeys(tokens) if token in unknown and token not in fresh]
        fresh.update(zip(new, self._many(new) if new else (), strict=True))
        self.update(fresh)
        self._budget.spend(len(fresh))
        return [fresh[token] if answer is None else answer for token, answer in zip(tokens, answers, strict=True)]

    def column(self, tokens: Any, *, wanted: bool = True) -> Any:
        """The same for a binary Arrow array without nulls, as one; the tokens themselves when only asking counts."""
        if self._columns is None:
            self._columns = self._budget.columns(self._many)
        return self._columns.column(tokens, wanted=wanted)

    def age(self) -> None:
        self._older = dict(self)
        self.clear()


class Beside:
    """A function of bytes and of another field of the record at hand."""

    __slots__ = ("_beside", "_memo", "_path")

    def __init__(self, memo: Memo, beside: Mapping[str, Sequence[str]], path: str) -> None:
        self._memo = memo
        self._beside = beside
        self._path = path

    def __getitem__(self, token: bytes) -> bytes:
        other = self._beside.get(self._path, ())
        if len(set(other)) > 1:
            raise UnfitError(f"'{self._path}', which the rule goes by, has several values in this record")
        return self._memo[token + BESIDE + (other[0] if other else "").encode()]

    def column(self, tokens: Any, *, wanted: bool = True) -> Any:
        import pyarrow as pa

        answers = [self[token] for token in tokens.to_pylist()]
        return pa.array(answers, pa.binary()) if wanted else tokens
