"""Functions of bytes that keep their answers: distinct values are few compared with records.

What is not known yet of a batch is asked for together, so that a rule does for many at once what costs much for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from desensitizers.errors import UnfitError

BESIDE = b"\0"
"""Between a leaf's bytes and the text of the field that its rule's `by` names."""

BytesFunction = Callable[[bytes], bytes]
ManyBytes = Callable[[list[bytes]], list[bytes]]
"""The same for each of some different bytes."""


class Budget:
    """How many answers some memos may keep together. When it is spent, all forget what they did not use since."""

    __slots__ = ("_limit", "_memos", "_spent")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent = 0
        self._memos: list[Memo] = []

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


class Memo(dict[bytes, bytes]):
    """A function of bytes that keeps its last answers. UnfitError passes through and is not remembered."""

    __slots__ = ("_budget", "_function", "_many", "_older")

    def __init__(self, function: BytesFunction, budget: Budget, many: ManyBytes | None = None) -> None:
        self._function = function
        self._many = many or (lambda tokens: list(map(function, tokens)))
        self._budget = budget
        self._older: dict[bytes, bytes] = {}

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

    def many(self, tokens: list[bytes]) -> list[bytes]:
        return [self[token] for token in tokens]
