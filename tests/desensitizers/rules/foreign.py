"""Functions that policies of these tests name with ``rule: custom``: one that works, and ones that break a promise."""

from __future__ import annotations

import itertools
import os

_COUNTER = itertools.count()


def reverse(values: list[object]) -> list[object]:
    return [value[::-1] if isinstance(value, str) else value for value in values]


def same(values: list[object]) -> list[object]:
    return ["one"] * len(values)


def fickle(values: list[object]) -> list[object]:
    return [f"{value}{next(_COUNTER)}" for value in values]


def short(values: list[object]) -> list[object]:
    return list(values)[1:]


def numbered(values: list[object]) -> list[object]:
    return [7] * len(values)


def broken(values: list[object]) -> list[object]:
    raise ValueError(f"no good: {values}")


def nothing(values: list[object]) -> None:
    return None


CONSTANT = 1


def only_a(values: list[object]) -> list[object]:
    if set(values) - {"a"}:
        raise RuntimeError(f"did not expect {values}")
    return values


def shorter_for_b(values: list[object]) -> list[object]:
    return [] if "b" in values else values


class Stop(KeyboardInterrupt):
    pass


class Base(BaseException):
    pass


def stops(values: list[object]) -> list[object]:
    raise Stop(values)


def closes(values: list[object]) -> list[object]:
    raise GeneratorExit(values)


def exits(values: list[object]) -> list[object]:
    raise SystemExit(0)


def raises_base(values: list[object]) -> list[object]:
    raise Base(values)


def vanishes(values: list[object]) -> list[object]:
    os._exit(0)


def interrupted(values: list[object]) -> list[object]:
    raise KeyboardInterrupt
