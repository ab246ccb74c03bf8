"""A certificate is kept whole, read again, and never inside a capture."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from recorder.capture.reader import Capture
from recorder.cli import timing
from recorder.cli.output import Format
from recorder.errors import UsageError
from recorder.replaying.certificate import (
    Certificate,
    Inversions,
    check_writable,
    default_path,
    read_certificate,
    write_certificate,
)
from recorder.replaying.course import Choices, Course
from recorder.replaying.figures import timing_rows
from recorder.replaying.judging import judge
from recorder.replaying.objectives import parse_objectives
from recorder.replaying.silence import BY_SILENCE
from recorder.replaying.summary import certificate_facts, refused_in_batches
from tests.builders import T0, make_capture
from tests.replaying.certificates import a_certificate


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    return make_capture(tmp_path / "incident", [("a", 0, T0, None, None)])


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    write_certificate(a_certificate(), path)
    assert read_certificate(path) == a_certificate()
    assert list(tmp_path.iterdir()) == [path]


def test_its_figures_are_those_of_the_run() -> None:
    columns, rows = timing_rows(a_certificate())
    assert columns == ("ms", "p50", "p90", "p99", "p99.9", "max")
    figures = dict(zip(columns, rows[0], strict=True))
    assert figures["ms"] == "dispatch lateness"
    assert figures["max"] == 200.0
    facts = certificate_facts(a_certificate())
    assert facts["records"] == "999 confirmed of 1,000 planned, 1 failed"
    assert facts["end drift"].startswith("+0.000 ms")
    assert "3 behind their partition's time" in facts["schedule"]


def test_it_is_refused_inside_the_sealed_capture(capture: Capture) -> None:
    with pytest.raises(UsageError, match="sealed"):
        check_writable(capture.root / "c.json", capture.root)
    with pytest.raises(UsageError, match="sealed"):
        check_writable(capture.root / "records" / ".." / "c.json", capture.root)


def test_a_place_that_can_not_be_written_is_named_before_the_replay(capture: Capture, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        check_writable(tmp_path / "nowhere" / "c.json", capture.root)
    with pytest.raises(UsageError, match="is a directory"):
        check_writable(tmp_path, capture.root)
    check_writable(tmp_path / "c.json", capture.root)
    assert not (tmp_path / "c.json").exists()


def test_its_default_name_tells_capture_and_time_and_replaces_nothing(
    capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = default_path(capture.root, T0)
    assert str(first) == "incident.replay-20261103T140200Z.json"
    first.touch()
    assert str(default_path(capture.root, T0)) == "incident.replay-20261103T140200Z-2.json"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"certificate_version": 1}', b"\xff"])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"c\.json is not a replay's certificate"):
        read_certificate(path)


def test_one_from_the_future_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b'{"certificate_version": 2}')
    with pytest.raises(UsageError, match="please upgrade"):
        read_certificate(path)
    with pytest.raises(UsageError, match="No such file"):
        read_certificate(tmp_path / "none.json")


def test_one_from_before_rhythm_floor_and_probe_is_still_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.json"
    document = msgspec.to_builtins(a_certificate())
    for later in ("rhythm", "floor", "probed", "objectives", "percentile_error", "course", "further_captures"):
        del document[later]
    del document["inversions"]["timeline"]
    path.write_text(json.dumps(document))
    assert read_certificate(path).rhythm is None
    timing.timing(path)
    assert "dispatch lateness" in capsys.readouterr().out
    timing.timing(path, html=tmp_path / "c.html")
    assert "<svg" in (tmp_path / "c.html").read_text()


def test_timing_shows_it_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.json"
    write_certificate(a_certificate(), path)
    timing.timing(path)
    shown = capsys.readouterr().out
    assert "dispatch lateness" in shown
    assert "orders" in shown
    assert "MSG_SIZE_TOO_LARGE" in shown
    timing.timing(path, form=Format.JSON)
    assert msgspec.convert(json.loads(capsys.readouterr().out), Certificate) == a_certificate()


def test_it_says_when_nobody_looked_at_the_order_and_how_records_were_confirmed() -> None:
    silent = msgspec.structs.replace(
        a_certificate(), inversions=Inversions(partition=None, key=None), confirmed_by=BY_SILENCE
    )
    facts = certificate_facts(silent)
    assert "nobody looked" in facts["order"] and facts["confirmed by"] == BY_SILENCE
    assert "confirmed by" not in certificate_facts(a_certificate())
    assert not judge(silent, parse_objectives("inversions=0"))[0].met


def test_a_certificate_from_before_time_could_be_steered_is_still_read(tmp_path: Path) -> None:
    kept = msgspec.to_builtins(a_certificate())
    del kept["course"], kept["further_captures"]
    (tmp_path / "old.json").write_bytes(msgspec.json.encode(kept))
    read = read_certificate(tmp_path / "old.json")
    assert (read.course.passes, read.course.anchors, read.losses) == (
        1,
        (),
        a_certificate().planned - a_certificate().acked,
    )


def test_what_a_seek_left_out_is_no_loss_and_what_came_again_makes_up_for_none() -> None:
    course = Course(skipped=10, repeated=5, dropped=2)
    certificate = msgspec.structs.replace(a_certificate(), planned=100, acked=93, course=course)
    assert certificate.losses == 2


def test_reading_that_starves_the_schedule_is_told_with_the_number_to_set() -> None:
    course = Course(choices=Choices(read_ahead_bytes=32_000_000))
    starved = msgspec.structs.replace(a_certificate(), rate=1.0, starved_ns=2_500_000_000, course=course)
    assert "give --read-ahead 64MB" in certificate_facts(starved)["reading"]
    assert "reading" not in certificate_facts(msgspec.structs.replace(starved, starved_ns=1_000_000))


def test_failures_are_summed_by_reason_and_advice_is_for_those_that_it_helps() -> None:
    whole_batches = a_certificate()
    assert certificate_facts(whole_batches)["failed"] == "1: MSG_SIZE_TOO_LARGE: Broker: no"
    assert refused_in_batches(whole_batches)
    gone = msgspec.structs.replace(whole_batches, errors={"A: odd": 2, "UNKNOWN_TOPIC_OR_PART: Broker: gone": 2_117})
    assert certificate_facts(gone)["failed"] == "2,117: UNKNOWN_TOPIC_OR_PART: Broker: gone, 2: A: odd"
    assert not refused_in_batches(gone)
    assert "failed" not in certificate_facts(msgspec.structs.replace(gone, errors={}))
