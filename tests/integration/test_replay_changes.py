"""Replays that change records: what arrives, and what the certificate says of it."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

import pytest

from recorder.capture.schema import Record
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.replaying import Options, replay
from recorder.replaying.certificate import read_certificate
from recorder.replaying.rewriting import Transform
from tests.builders import make_capture, record
from tests.cli.running import run
from tests.integration.test_replay import NOW, read_all

pytestmark = pytest.mark.integration


@pytest.fixture
def name() -> str:
    return f"changed-{uuid.uuid4().hex[:8]}"


def capture(root: Path, topic: str) -> Path:
    rows = [record(topic, 0, NOW + i, f"k{i % 7}", str(i)) for i in range(1_000)]
    root.mkdir(exist_ok=True)
    return make_capture(root / "c", rows, clean=True, created_at_ms=NOW + 60_000).root


def test_a_program_and_provenance_change_records_and_the_certificate_counts_it(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "drop_sevens.py"
    program.write_text(
        "import sys, json\nfor line in sys.stdin:\n"
        "    print('null' if json.loads(line)['value'].endswith('7') else line.rstrip('\\n'), flush=True)\n"
    )
    kept = tmp_path / "kept.json"
    ran = run(
        capsys,
        *("replay", capture(tmp_path, name), "-b", target_kafka.bootstrap, "--create-topics", "--certificate", kept),
        *("--topspeed", "--provenance", "--middleware", f"{sys.executable} {program}", "--no-calibration"),
    )
    assert ran.code == 0, ran.err
    certificate = read_certificate(kept)
    assert (certificate.acked, certificate.losses) == (900, 0)
    assert list(certificate.changes.left_out.values()) == [100]
    assert certificate.changes.marked["header blackbox-replay-id added"] == 900
    arrived = read_all(connect(target_kafka.bootstrap), name, 0)
    assert [value for _, value, *_ in arrived] == [b"%d" % i for i in range(1_000) if i % 10 != 7]
    assert {tuple(headers or ()) for _, _, headers, _ in arrived} == {
        (("blackbox-replay-id", certificate.replay_id.encode()),)
    }
    assert "left out, dropped by middleware" in ran.out


def test_a_program_that_dies_ends_the_replay_and_all_before_it_arrived(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "die.py"
    program.write_text(
        "import sys\nfor n, line in enumerate(sys.stdin):\n"
        "    n < 700 or sys.exit(9)\n    print(line, end='', flush=True)\n"
    )
    kept = tmp_path / "kept.json"
    ran = run(
        capsys,
        *("replay", capture(tmp_path, name), "-b", target_kafka.bootstrap, "--create-topics", "--certificate", kept),
        *("--middleware", f"{sys.executable} {program}", "--no-calibration", "--read-ahead", "1kB"),
    )
    assert ran.code == 3
    assert "ended with exit code 9 after 700 answers" in ran.err
    certificate = read_certificate(kept)
    assert certificate.ended_by == "error"
    assert [value for _, value, *_ in read_all(connect(target_kafka.bootstrap), name, 0)] == [
        b"%d" % i for i in range(certificate.acked)
    ]
    assert certificate.losses == 1_000 - certificate.acked


def test_a_function_changes_keys_and_passes_are_counted_each(
    target_kafka: LocalKafka, name: str, tmp_path: Path
) -> None:
    from recorder.capture.reader import open_capture

    def upper(one: Record) -> Record:
        return one._replace(
            key=(one.key or b"").upper(), value=json.dumps({"was": (one.value or b"").decode()}).encode()
        )

    options = Options(create_topics=True, top_speed=True, loop=2, transform=Transform("upper", upper))
    target = connect(target_kafka.bootstrap)
    certificate = replay(open_capture(capture(tmp_path, name)), target, options)
    assert (certificate.acked, certificate.losses) == (2_000, 0)
    assert certificate.changes.marked == {"changed by upper": 2_000, "key changed by upper": 2_000}
    assert {key for key, *_ in read_all(target, name, 0)} == {b"K%d" % i for i in range(7)}


def test_chaos_arrives_as_listed_and_is_no_fault_of_the_replay(
    target_kafka: LocalKafka, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chaos = "seed=7,duplicate=2%,drop=2%,delay=2%:30ms,reorder-keys=5%"
    arrived, listed = [], []
    for number in range(2):
        kept, topic = tmp_path / f"kept{number}.json", f"{name}.{number}"
        words = ("replay", capture(tmp_path / str(number), name), "-m", f"{name}:={topic}", "--certificate", kept)
        more = ("-b", target_kafka.bootstrap, "--create-topics", "--chaos", chaos, "--no-calibration")
        ran = run(capsys, *words, *more, "--slo", "loss=0,inversions=0,key_inversions=0")
        assert ran.code == 0, ran.err
        certificate = read_certificate(kept)
        assert certificate.inversions.timeline == 0 and certificate.chaos == chaos
        counts = certificate.changes
        assert certificate.acked == 1_000 - counts.left_out["dropped by chaos"] + counts.added
        arrived.append([value for _, value, *_ in read_all(connect(target_kafka.bootstrap), topic, 0)])
        listed.append(certificate.perturbations)
    assert arrived[0] == arrived[1] and listed[0] == listed[1] and len(listed[0]) > 50
    twice = {one.offset for one in listed[0] if one.what == "duplicated"}
    gone = {one.offset for one in listed[0] if one.what == "dropped"}
    assert sorted(int(value or b"") for value in arrived[0]) == sorted([*(set(range(1_000)) - gone), *(twice - gone)])
