"""Surrogates of many values at once: what FF1 does block by block for one value it does in ten steps for all of them.

They are the very surrogates that `kinds` gives one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from desensitizers.surrogates.kinds import (
    PHONE_PREFIX,
    Options,
    Surrogate,
    decade,
    luhn_digit,
)
from desensitizers.surrogates.permutation import Permutation

Surrogates = Callable[[Sequence[str]], list[str]]
_MOST_DIGITS = 18
"""What numpy's integers hold; longer numbers go one by one."""


def each(surrogate: Surrogate, texts: Sequence[str]) -> list[str]:
    return list(map(surrogate, texts))


def _digits(key: bytes, _options: Options, one: Surrogate) -> Surrogates:
    permutations: dict[tuple[int, int], Permutation] = {}

    def surrogates(texts: Sequence[str]) -> list[str]:
        spaces: dict[tuple[int, int], list[int]] = {}
        out = [""] * len(texts)
        for row, text in enumerate(texts):
            if text.startswith("-") or len(text) > _MOST_DIGITS:
                out[row] = one(text)
            else:
                spaces.setdefault(decade(int(text)), []).append(row)
        for (low, high), rows in spaces.items():
            if (low, high) not in permutations:
                permutations[low, high] = Permutation(key, high - low)
            images = permutations[low, high].many([int(texts[row]) - low for row in rows])
            for row, image in zip(rows, images, strict=True):
                out[row] = str(low + image)
        return out

    return surrogates


def _phone(key: bytes, _options: Options, one: Surrogate) -> Surrogates:
    permutation = Permutation(key, 10**12)

    def surrogates(texts: Sequence[str]) -> list[str]:
        out = [""] * len(texts)
        rows = []
        for row, text in enumerate(texts):
            if text.startswith("+") and len(text.lstrip("+")) <= 12:
                rows.append(row)
            else:
                out[row] = one(text)
        images = permutation.many([int(texts[row].lstrip("+") or "0") for row in rows])
        for row, image in zip(rows, images, strict=True):
            out[row] = f"{PHONE_PREFIX}{image:012d}"
        return out

    return surrogates


def _card(key: bytes, options: Options, one: Surrogate) -> Surrogates:
    keep = int(options.get("keep_prefix", 0))
    permutations: dict[int, Permutation] = {}

    def surrogates(texts: Sequence[str]) -> list[str]:
        sizes: dict[int, list[int]] = {}
        out = [""] * len(texts)
        for row, text in enumerate(texts):
            size = len(text) - keep - 1
            if keep and 12 <= len(text) <= 19 and size > 0 and luhn_digit(text[:-1]) == int(text[-1]):
                sizes.setdefault(size, []).append(row)
            else:
                out[row] = one(text)
        for size, rows in sizes.items():
            if size not in permutations:
                permutations[size] = Permutation(key, 10**size)
            images = permutations[size].many([int(texts[row][keep:-1]) for row in rows])
            for row, image in zip(rows, images, strict=True):
                body = f"{texts[row][:keep]}{image:0{size}d}"
                out[row] = f"{body}{(luhn_digit(body) + 1) % 10}"
        return out

    return surrogates


MANY: Mapping[str, Callable[[bytes, Options, Surrogate], Surrogates]] = {
    "digits": _digits,
    "phone": _phone,
    "card": _card,
}
"""By kind, given the function for one value; kinds that aren't here do one after the other."""
