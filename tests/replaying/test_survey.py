"""What will be sent is known before it is: counts, sizes, durations, peaks, distances of timestamps."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from recorder.capture.manifest import Run
from recorder.capture.reader import Capture
from recorder.capture.selection import Selection
from recorder.errors import CaptureError
from recorder.replaying.clusters import check_clusters
from recorder.replaying.options import Options
from recorder.replaying.routes import plan_routes
from recorder.replaying.survey import Survey, survey
from recorder.window import Window
from tests.builders import T0, make_capture, record

DAY = 86_400_000


def test_counts_sizes_and_the_duration(tmp_path: Path) -> None:
    rows = [record("a", index % 3, T0 + 100 * index, "k", b"x" * index, [("h", b"12")]) for index in range(100)]
    found = _survey(make_capture(tmp_path / "c", rows, topics={"empty": 2}))
    assert (found.records, found.first_ms, found.duration_ms) == (100, T0, 9_900.0)
    assert found.topics["empty"].records == 0
    # Key, value, header (1 + 2 + 10) and the record's own overhead.
    assert found.topics["a"].largest == 1 + 99 + 13 + 30
    assert found.bytes == sum(1 + index + 13 + 30 for index in range(100))
    assert found.peak_per_second == 10


def test_the_busiest_second_is_one_of_the_replay_not_of_the_recording(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("a", 0, T0 + 100 * index) for index in range(100)])
    assert _survey(capture, rate=5.0).peak_per_second == 50
    assert _survey(capture, rate=0.1).peak_per_second == 1


def test_idle_stretches_left_out_shorten_the_plan(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("a", 0, T0), record("a", 0, T0 + 60_000)])
    found = _survey(capture, max_gap_ms=5_000)
    assert (found.duration_ms, found.collapsed_gaps, found.collapsed_ms) == (5_000.0, 1, 55_000)


def test_only_what_is_selected_counts(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [(name, part, T0 + part, None, "v") for name in "ab" for part in (0, 1)])
    found = _survey(capture, selection=Selection(topics=("a",), window=Window(T0 + 1, None)))
    assert (found.records, list(found.topics)) == (1, ["a"])
    assert found.topics["a"].without_key == 1


def test_timestamps_are_compared_with_the_time_of_their_own_sending(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("a", 0, T0), record("a", 0, T0 + DAY)], created_at_ms=T0 + 2 * DAY)
    start = T0 + 10 * DAY
    original = _survey(capture, start_ms=start, rate=24.0).topics["a"]
    assert original.behind_ms == 10 * DAY
    # At 24 times the speed the second record is sent an hour after the first, and its own time is a day later.
    shifted = _survey(capture, start_ms=start, rate=24.0, timestamps="shift").topics["a"]
    assert (shifted.ahead_ms, shifted.behind_ms) == (DAY - DAY / 24, 0)
    assert _survey(capture, start_ms=start, timestamps="now").topics["a"].ahead_ms == float("-inf")


def test_a_torn_segment_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("a", 0, T0 + index, value="v") for index in range(10)])
    segment = capture.root / capture.manifest.topics[0].partitions[0].segments[0].path
    shutil.copy(__file__, segment)
    with pytest.raises(CaptureError, match="torn or altered"):
        _survey(capture)


def _survey(capture: Capture, *, start_ms: int = T0 + DAY, **options: object) -> Survey:
    chosen = Options(**options)  # type: ignore[arg-type]
    return survey(plan_routes([capture], chosen), chosen, start_ms=start_ms)


def test_what_an_aborted_transaction_wrote_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("a", 0, T0 + n, None, "v") for n in range(5)])
    (topic,) = capture.manifest.topics
    marked = msgspec.structs.replace(topic.partitions[0], aborted=(Run(first_offset=1, last_offset=2),))
    manifest = msgspec.structs.replace(capture.manifest, topics=(msgspec.structs.replace(topic, partitions=(marked,)),))
    capture = Capture(capture.root, manifest)
    assert _survey(capture).records == 3
    assert _survey(capture, aborted=True).records == 5
    told = [finding.what for finding in check_clusters(manifest, "other", Options(allow_raw=True))]
    assert told == ["Its records of aborted transactions are left out"]
