"""The journal of an unfinished recording: what was added is there, what is torn is not, and nobody else may add."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture.manifest import JOURNAL_NAME
from recorder.errors import UsageError
from recorder.recording.journal import Journal, Sealed, pack_rows, unpack_rows

INT64 = st.integers(0, 2**63 - 1)
LINES = [Sealed(topic="t", partition=i, position=10 * i, rows=bytes(range(i)), done=i == 2) for i in range(4)]


@given(st.lists(st.tuples(INT64, INT64, INT64, st.integers(-1, 6)), max_size=20))
def test_rows_of_a_ledger_survive_being_packed(rows: list[tuple[int, int, int, int]]) -> None:
    matrix = np.array(rows, np.int64).reshape(-1, 4)
    assert (unpack_rows(pack_rows(matrix)) == matrix).all()


def test_a_million_holes_take_a_byte_each(tmp_path: Path) -> None:
    first = np.arange(1_000_000) * 3
    rows = np.stack((first, first + 1, np.full(len(first), 2), np.full(len(first), -1)), axis=1)
    assert len(pack_rows(rows)) < 1_000_000


def test_what_was_added_is_read_in_order_and_added_to(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add(LINES[:2])
        journal.add(LINES[2:3])
    with Journal(tmp_path) as journal:
        assert list(journal.lines()) == LINES[:3]
        journal.add(LINES[3:])
    with Journal(tmp_path) as journal:
        assert list(journal.lines()) == LINES


def test_a_torn_line_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL_NAME
    with Journal(tmp_path) as journal:
        journal.add(LINES[:2])
        whole = path.stat().st_size
        journal.add(LINES[2:])
    content = path.read_bytes()
    end = whole + content[whole:].index(b"\n") + 1
    for size in range(whole + 1, end - 1):
        for tail in (b"", b"\0" * 100, b"\n", content[end:]):
            path.write_bytes(content[:size] + tail)
            with Journal(tmp_path) as journal:
                assert list(journal.lines()) == LINES[:2]
                journal.add(LINES[3:])
            with Journal(tmp_path) as journal:
                assert list(journal.lines()) == [*LINES[:2], LINES[3]]


def test_a_flipped_bit_ends_the_journal_there(tmp_path: Path) -> None:
    path = tmp_path / JOURNAL_NAME
    with Journal(tmp_path) as journal:
        journal.add(LINES)
    content = bytearray(path.read_bytes())
    content[content.index(b'"partition":1') + 12] ^= 1
    path.write_bytes(content)
    with Journal(tmp_path) as journal:
        assert list(journal.lines()) == LINES[:1]


def test_a_second_recorder_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(UsageError, match="is being recorded by another process"):
        Journal(tmp_path)
    with Journal(tmp_path):
        pass
