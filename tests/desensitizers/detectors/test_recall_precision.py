"""Recall and precision of the detectors for structured identifiers, against identifiers that others vouch for.

`python -m tests.desensitizers.detectors.test_recall_precision` prints the table for many more of them.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from desensitizers.detectors import detector
from tests.desensitizers.detectors.negatives import hard_negatives
from tests.desensitizers.detectors.positives import MAKERS

Measured = tuple[float, float, Counter[str], list[str]]
POSITIVES, NEGATIVES = 1_500, 8_100


def covered(text: str, identifier: str, spans: list[tuple[int, int]]) -> bool:
    """Whether one find covers the whole identifier."""
    start = text.index(identifier)
    return any(first <= start and start + len(identifier) <= last for first, last in spans)


@lru_cache
def negatives(count: int, seed: int) -> list[tuple[str, str]]:
    return list(hard_negatives(random.Random(seed), count))


def measure(name: str, positives: int, count: int, seed: int) -> dict[str, Measured]:
    """By temper: recall, precision (as many negatives as positives), what was found wrongly, what was missed."""
    one = detector(name)
    made = list(MAKERS[name](random.Random(seed), positives))
    out = {}
    for temper, look in (("eager", one.find), ("strict", one.leaks)):
        missed = [text for text, identifier in made if not covered(text, identifier, list(look(text)))]
        wrong = Counter(kind for kind, text in negatives(count, seed + 1) if list(look(text)))
        recall = 1 - len(missed) / positives
        rate = sum(wrong.values()) / count
        out[temper] = (recall, recall / (recall + rate) if recall else 0.0, wrong, missed)
    return out


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_one_is_found_and_what_is_none_is_not(name: str) -> None:
    for temper, (recall, precision, wrong, missed) in measure(name, POSITIVES, NEGATIVES, 20_26).items():
        assert recall >= 0.999, (temper, missed[:5])
        assert precision >= 0.99, (temper, wrong)


@pytest.mark.parametrize("name", MAKERS)
def test_the_prefilter_lets_through_what_others_vouch_for(name: str) -> None:
    made = [text.encode() for text, _ in MAKERS[name](random.Random(7), 300) if list(detector(name).leaks(text))]
    assert made
    passed = pc.match_substring_regex(pa.array(made, pa.binary()), detector(name).prefilter).to_pylist()
    assert [text for text, seen in zip(made, passed, strict=True) if not seen] == []


if __name__ == "__main__":
    print(f"{'detector':12} {'temper':7} {'recall':>8} {'precision':>10}  found wrongly")
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    for label in MAKERS:
        for temper, (recall, precision, wrong, missed) in measure(label, size, 5 * size, 1).items():
            print(f"{label:12} {temper:7} {recall:8.5f} {precision:10.5f}  {dict(wrong.most_common(4))} {missed[:2]}")
