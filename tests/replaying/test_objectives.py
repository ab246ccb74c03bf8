"""Objectives mean what they say, are judged strictly, and are refused when they can't mean anything."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from recorder.errors import UsageError
from recorder.replaying.certificate import Inversions, write_certificate
from recorder.replaying.judging import judge
from recorder.replaying.objectives import parse_objectives
from tests.cli.running import run
from tests.replaying.certificates import a_certificate


def test_limits_are_read_in_their_units() -> None:
    limits = {
        one.name: one.limit for one in parse_objectives("p99=5ms, drift=250us,rate_error=1.5%,loss=3,ack_p999=2s")
    }
    assert limits == {"p99": 5e6, "drift": 250e3, "rate_error": 0.015, "loss": 3, "ack_p99.9": 2e9}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no objective"),
        ("p99", "is no objective"),
        ("p98=5ms", "knows no 'p98'"),
        ("p99=5", "is a duration"),
        ("loss=5ms", "is a number of records"),
        ("rate_error=5", "is a share"),
        ("p99=5ms,p99=6ms", "twice"),
        ("p99=-5ms", "is a duration"),
    ],
)
def test_what_can_not_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_objectives(text)


def test_each_miss_is_one_sentence() -> None:
    certificate = msgspec.structs.replace(a_certificate(), inversions=Inversions(partition=2, key=0))
    judged = judge(certificate, parse_objectives("max=200ms,p99=1us,drift=1ms,loss=0,inversions=1,key_inversions=0"))
    assert [one.name for one in judged if one.met] == ["max", "drift", "key_inversions"]
    sentences = [one.sentence() for one in judged if not one.met]
    assert sentences[0].startswith("Dispatch lateness p99 was ")
    assert sentences[0].endswith("; the objective p99 is at most 0.001 ms.")
    assert sentences[1:] == [
        "Loss was 1 record; the objective loss is at most 0 records.",
        "Out of order in partitions was 2 records; the objective inversions is at most 1 record.",
    ]


def test_what_was_not_measured_is_missed() -> None:
    top_speed = msgspec.structs.replace(a_certificate(), dispatch_lateness=None, end_drift_ns=None)
    judged = judge(top_speed, parse_objectives("p99=1h,drift=1s".replace("1h", "60m") + ",arrival_p99=60m"))
    assert [one.met for one in judged] == [False, False, False]
    assert "was not measured" in judged[0].sentence()


def test_timing_ends_with_5_when_one_is_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.json"
    write_certificate(a_certificate(), path)
    assert run(capsys, "timing", path, "--slo", "max=1s,drift=1ms").code == 0
    missed = run(capsys, "timing", path, "--slo", "max=1us,loss=0")
    assert missed.code == 5
    assert len(missed.err.splitlines()) == 2
    assert "objectives" in missed.out
    wrong = run(capsys, "timing", path, "--slo", "p99=fast")
    assert wrong.code == 2
    assert "is a duration" in wrong.sentence()
