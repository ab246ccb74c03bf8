"""The captures that tests build are real ones."""

from __future__ import annotations

from pathlib import Path

from recorder.capture.verify import verify
from tests.builders import T0, make_capture, record


def test_built_capture_verifies_and_reads_back(tmp_path: Path) -> None:
    capture = make_capture(
        tmp_path / "c",
        [
            ("orders", 0, T0, "k1", {"id": 1}),
            record("orders", 2, T0 + 5, b"\xff", None, [("a", None), ("a", "b")], offset=7),
        ],
        topics={"empty": 2},
    )
    assert not [check for check in verify(capture.root) if check.status == "FAILED"]
    first, second = capture.records()
    assert first.value == b'{"id":1}'
    assert (second.offset, second.value, second.headers) == (7, None, (("a", None), ("a", b"b")))
    assert [(topic.name, len(topic.partitions)) for topic in capture.manifest.topics] == [("empty", 2), ("orders", 3)]
