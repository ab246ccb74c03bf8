"""Surrogates of many values at once: what FF1 does block by block for one value it does in ten steps for all of them.

They are the very surrogates that `kinds` gives one by one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence

from desensitizers.surrogates.kinds import (
    EMAIL_HOST,
    INT_CEILINGS,
    PHONE_PREFIX,
    Options,
    Surrogate,
    luhn_digit,
)
from desensitizers.surrogates.permutation import Permutation
from desensitizers.surrogates.words import spelled

Surrogates = Callable[[Sequence[str]], list[str]]
_FEW = 16
"""Values for which arrays are not worth it."""
_MOST_DIGITS = 18
"""What numpy's integers hold; longer numbers go one by one."""


def each(surrogate: Surrogate, texts: Sequence[str]) -> list[str]:
    return list(map(surrogate, texts))


def _digits(key: bytes, _options: Options, one: Surrogate) -> Surrogates:
    permutations: dict[int, Permutation] = {}
    most = 10**_MOST_DIGITS
    edges = sorted({0, *(10**width for width in range(1, _MOST_DIGITS)), *INT_CEILINGS, most})
    edges = edges[: edges.index(most) + 1]  # where `decade` cuts

    def surrogates(texts: Sequence[str]) -> list[str]:
        import numpy as np

        if len(texts) < _FEW:
            return each(one, texts)
        out = [one(text) if text.startswith("-") or len(text) > _MOST_DIGITS else "" for text in texts]
        rows = [row for row, text in enumerate(out) if not text]
        numbers = np.array([int(texts[row]) for row in rows], np.int64)
        spaces = np.searchsorted(edges, numbers, "right") - 1
        for space in np.unique(spaces).tolist():
            low, high = edges[space : space + 2]
            if space not in permutations:
                permutations[space] = Permutation(key, high - low)
            mine = np.flatnonzero(spaces == space)
            images = permutations[space].many((numbers[mine] - low).tolist())
            for row, image in zip(mine.tolist(), images, strict=True):
                out[rows[row]] = str(low + image)
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


def _coined(form: str, *, capital: bool) -> Callable[[bytes, Options, Surrogate], Surrogates]:
    """Two words and a code in the place of A, B and C."""
    template = form.encode()
    first, last, code = (slice(form.index(mark), form.rindex(mark) + 1) for mark in "ABC")

    def build(key: bytes, _options: Options, one: Surrogate) -> Surrogates:
        def surrogates(texts: Sequence[str]) -> list[str]:
            import numpy as np

            if len(texts) < _FEW:
                return each(one, texts)
            digests = [hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256") for text in texts]
            bits = np.frombuffer(b"".join(digests), ">u8").reshape(len(texts), -1).astype(np.uint64)
            rows = np.tile(np.frombuffer(template, np.uint8), (len(texts), 1))
            rows[:, first], rows[:, last], rows[:, code] = spelled(bits, code.stop - code.start)
            if capital:
                rows[:, [first.start, last.start]] -= ord("a") - ord("A")
            together, size = rows.tobytes().decode(), len(template)
            return [together[start : start + size] for start in range(0, len(together), size)]

        return surrogates

    return build


MANY: Mapping[str, Callable[[bytes, Options, Surrogate], Surrogates]] = {
    "digits": _digits,
    "email": _coined(f"AAAAAAAAAA.BBBBBBBBBB.CCCC@{EMAIL_HOST}", capital=False),
    "name": _coined("AAAAAAAAAA BBBBBBBBBB CCCC", capital=True),
    "phone": _phone,
    "card": _card,
}
"""By kind, given the function for one value; kinds that aren't here do one after the other."""
