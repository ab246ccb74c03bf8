"""The watcher's one small file: whole or refused, and owned by one watcher at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import CaptureError, UsageError
from recorder.watching.state import Pending, State, load_state, locked, save_state
from tests.builders import T0

PENDING = Pending(capture="oncall-1", trigger="oncall", at_ms=T0, from_ms=T0 - 1, to_ms=T0 + 1)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = State(
        cluster_id="c", places={"t": {0: 5}, "none": {}}, topic_ids={"t": "id"}, pending=[PENDING], day="2026-11-03",
        taken=1, recent=["x"], fired={"a": [T0]}, times={"a": [T0]},
    )  # fmt: skip
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_without_a_file_there_is_nothing_to_know(tmp_path: Path) -> None:
    assert load_state(tmp_path) == State()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"pending": [{}]}', b'{"places": {"t": {"0": "x"}}}', b"\xff"])
def test_a_torn_file_is_refused_with_what_to_do(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "state.json").write_bytes(raw)
    with pytest.raises(CaptureError, match=r"Move .* away to begin anew"):
        load_state(tmp_path)


def test_a_file_from_the_future_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(b'{"version": 2}')
    with pytest.raises(CaptureError, match="another version"):
        load_state(tmp_path)


def test_two_watchers_never_own_the_same_place(tmp_path: Path) -> None:
    with locked(tmp_path / "state"):
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
        with pytest.raises(UsageError, match="Another watcher works with"), locked(tmp_path / "state"):
            pass
    with locked(tmp_path / "state"):
        pass
