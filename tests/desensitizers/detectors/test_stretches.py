from __future__ import annotations

import re

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.detectors.stretches import first_numbers, rows_with

_NUMBER = re.compile(r"[0-9][0-9 ()./-]{5,}[0-9]")


@given(st.lists(st.text(alphabet="01 9(-ab", max_size=20), max_size=12), st.integers(0, 3))
def test_first_long_numbers_are_found_where_they_begin_and_signs_wherever_they_are(
    texts: list[str], skipped: int
) -> None:
    expected = [(row, match.start()) for row, text in enumerate(texts) if (match := _NUMBER.search(text))]
    column = pa.array(["12 345 678"] * skipped + texts, pa.string()).slice(skipped)
    rows, places = first_numbers(column)
    assert list(zip(rows.tolist(), places.tolist(), strict=True)) == expected
    assert rows_with(column, "-").tolist() == [row for row, text in enumerate(texts) if "-" in text]
