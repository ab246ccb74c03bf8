"""The newest offset of each key, whatever fits into memory."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.recording.newest import NewestPerKey

KEYS = st.sampled_from([b"", b"a", b"b", b"\0", b"\0\0"]) | st.binary(max_size=3)


@settings(deadline=None, max_examples=60)
@given(
    log=st.lists(st.tuples(KEYS, st.booleans(), st.integers(1, 9)), max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=6).map(sorted),
    in_memory=st.sampled_from([4, 16, 1000]),
)
def test_it_keeps_what_compaction_would_keep_and_no_tombstones(
    log: list[tuple[bytes, bool, int]], cuts: list[int], in_memory: int
) -> None:
    offsets = np.cumsum([step for _, _, step in log], dtype=np.int64)
    state: dict[bytes, tuple[int, bool]] = {}
    for (key, deleted, _), offset in zip(log, offsets.tolist(), strict=True):
        state[key] = (offset, deleted)
    with TemporaryDirectory() as directory:
        newest = NewestPerKey(Path(directory) / "keys", in_memory)
        for start, stop in zip([0, *cuts], [*cuts, len(log)], strict=True):
            part = log[start:stop]
            deleted = np.array([deleted for _, deleted, _ in part], np.bool_)
            newest.add([key for key, _, _ in part], offsets[start:stop], deleted)
        kept = newest.offsets().tolist()
    assert kept == sorted(offset for offset, deleted in state.values() if not deleted)


def test_many_keys_go_to_disk(tmp_path: Path) -> None:
    newest = NewestPerKey(tmp_path / "keys", 1_000)
    for round_ in range(4):
        start = round_ * 5_000
        keys = [b"%d" % (number % 7_000) for number in range(start, start + 5_000)]
        newest.add(keys, np.arange(start, start + 5_000), np.zeros(5_000, np.bool_))
    assert any((tmp_path / "keys").iterdir())
    assert newest.offsets().tolist() == list(range(13_000, 20_000))


def test_without_keys_nothing_touches_the_disk(tmp_path: Path) -> None:
    newest = NewestPerKey(tmp_path / "keys")
    newest.add([], np.empty(0, np.int64), np.empty(0, np.bool_))
    assert not len(newest.offsets())
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("in_memory", [2, 100])
def test_only_tombstones_leave_nothing(tmp_path: Path, in_memory: int) -> None:
    newest = NewestPerKey(tmp_path / "keys", in_memory)
    newest.add([b"a", b"b", b"c"], np.arange(3), np.ones(3, np.bool_))
    assert newest.offsets().tolist() == []
