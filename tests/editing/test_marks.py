"""Marks of aborted records survive cuts and merges, or these are refused; states before windows are left out, aloud."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from recorder.capture.manifest import Run
from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.capture.verify import failed, verify
from recorder.capture.writer import finish
from recorder.editing.cut import cut
from recorder.editing.cut_partition import Wanted
from recorder.editing.merge import merge
from recorder.errors import UsageError
from recorder.window import Window
from tests.builders import T0, make_capture, record


def marked(root: Path, topic: str = "orders") -> Capture:
    """Four records, of which those at 1 and 2 are aborted, and a state before them."""
    state = [record(topic, 0, T0 - 9, "a", "0", offset=0)]
    capture = make_capture(root, [(topic, 0, T0 + n, "k", f"{n}") for n in range(1, 5)], prologue=state)
    (before,) = capture.manifest.topics
    partition = msgspec.structs.replace(before.partitions[0], aborted=(Run(first_offset=2, last_offset=3),))
    window = msgspec.structs.replace(capture.manifest.window, isolation="read_uncommitted")
    topics = (msgspec.structs.replace(before, partitions=(partition,)),)
    finish(root, msgspec.structs.replace(capture.manifest, topics=topics, window=window))
    return open_capture(root)


def committed(capture: Capture) -> list[int]:
    assert not failed(verify(capture.root))
    return [row.offset for row in capture.records(Selection(aborted=False))]


def test_a_cut_keeps_the_marks(tmp_path: Path) -> None:
    capture = marked(tmp_path / "c")
    assert committed(capture) == [1, 4]
    cut(capture, tmp_path / "cut", Wanted(Selection(window=Window(T0 + 3, None))))
    made = open_capture(tmp_path / "cut")
    assert [row.offset for row in made.records()] == [3, 4]
    assert committed(made) == [4]
    assert list(made.prologue()) == []
    assert any("(the prologue) is not in this cut" in note.text for note in made.manifest.notes)


def test_a_merge_keeps_the_marks_of_what_one_capture_holds(tmp_path: Path) -> None:
    merge([marked(tmp_path / "a"), marked(tmp_path / "b", "audit")], tmp_path / "ab")
    made = open_capture(tmp_path / "ab")
    assert committed(made) == [1, 1, 4, 4]
    assert made.manifest.window.isolation == "read_uncommitted"
    assert any("prologues" in note.text for note in made.manifest.notes)


def test_a_merge_that_would_have_to_guess_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="orders/0 holds records of aborted transactions"):
        merge([marked(tmp_path / "a"), marked(tmp_path / "b")], tmp_path / "ab")
    assert not (tmp_path / "ab").exists()
