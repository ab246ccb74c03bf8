"""A replay is proven from the target's own log, and a proof fails where the log is not what the capture says."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.kafka.connection import Connection, connect
from recorder.kafka.local import LocalKafka
from recorder.replaying import Control, Options, prepare, run, session
from recorder.replaying.certificate import read_certificate
from recorder.replaying.chaos import parse_chaos
from recorder.replaying.control import Seek
from recorder.replaying.options import Steps
from recorder.replaying.proof import Proof
from recorder.replaying.proving import prove, starting_points
from recorder.replaying.resumption import find_place
from recorder.replaying.state import StateFile, decode_state
from tests.builders import make_capture, record
from tests.cli import running as cli
from tests.conftest import create_topic
from tests.integration.producing import New, delete_records, produce
from tests.integration.test_replay import HEADERS, NOW

pytestmark = pytest.mark.integration

FAST = Options(top_speed=True, calibrate=False, prove=True)


@pytest.fixture
def target(target_kafka: LocalKafka) -> Connection:
    return connect(target_kafka.bootstrap)


@pytest.fixture
def name(target_kafka: LocalKafka) -> str:
    unique = f"proven-{uuid.uuid4().hex[:8]}"
    create_topic(target_kafka.bootstrap, unique, partitions=5)
    return unique


@pytest.fixture
def capture(tmp_path: Path, name: str) -> Capture:
    """Three partitions; keys, none, equal records, a tombstone, a timestamp of 0."""
    rows = [record(name, i % 3, NOW + i // 2, f"k{i % 21}" if i % 7 else None, f"v{i}", HEADERS) for i in range(900)]
    rows += [record(name, 1, NOW + 500, "same", "same")] * 3 + [record(name, 1, NOW + 501, "same", None)]
    rows += [record(name, 2, 0, "zero", "v")]
    return make_capture(tmp_path / "c", rows, clean=True, created_at_ms=NOW + 60_000)


@pytest.mark.parametrize(
    "options",
    [
        FAST,
        replace(FAST, partitions="keep"),
        replace(FAST, timestamps="shift", provenance=True),
        replace(FAST, timestamps="now"),
        replace(FAST, loop=3),
        replace(FAST, chaos=parse_chaos("seed=7,duplicate=5%,delay=1%:5ms,reorder-keys")),
        replace(FAST, transactional=Steps(records=200, milliseconds=30_000)),
    ],
    ids=["hash", "keep", "shift", "now", "loop", "chaos", "transactional"],
)
def test_trap_18_a_proof_holds_whatever_became_of_the_records(
    capture: Capture, target: Connection, name: str, options: Options
) -> None:
    produce(target.bootstrap, name, [New(b"before", b"k1")])  # lies before what is read
    looked: list[tuple[int, int]] = []
    certificate = run(prepare(capture, target, options), proving=lambda *now: looked.append(now))
    proof = certificate.proof
    assert proof is not None
    assert looked == sorted(looked)
    assert {total for _, total in looked} == {looked[-1][0]}
    assert proof.holds, proof.sentence()
    assert proof.records == proof.log_records == 905 * options.loop + certificate.changes.added
    assert (proof.partitions, proof.keys, proof.unconfirmed) == (5, 20, 0)
    assert proof.timestamps == (options.timestamps != "now")


def after(capture: Capture, target: Connection, meddle: Callable[[], object]) -> Proof:
    """The proof of a replay after which somebody did something before the log was read."""
    plan = prepare(capture, target, replace(FAST, prove=False, partitions="keep"))
    starts = starting_points(plan, None)
    certificate = run(plan)
    assert (certificate.acked, certificate.proof) == (905, None)
    meddle()
    return prove(plan, certificate, starts)


def test_a_record_of_others_in_between_is_named(capture: Capture, target: Connection, name: str) -> None:
    at = 300 + 4
    proof = after(capture, target, lambda: produce(target.bootstrap, name, [New(b"another's", b"k1", partition=1)]))
    assert not proof.holds
    assert (proof.foreign, proof.missing, proof.doubled, proof.key_inversions, proof.partition_inversions) == (
        *(1, 0, 0, 0, 0),
    )
    assert [(flaw.what, flaw.partition, flaw.offset) for flaw in proof.flaws] == [("foreign", 1, at)]


def test_records_that_were_deleted_are_missing_and_named_by_where_they_were_recorded(
    capture: Capture, target: Connection, name: str
) -> None:
    proof = after(capture, target, lambda: delete_records(target.bootstrap, name, 4, partition=0))
    assert (proof.missing, proof.foreign, proof.doubled, proof.key_inversions) == (4, 0, 0, 0)
    assert [(flaw.what, flaw.topic, flaw.partition, flaw.offset) for flaw in proof.flaws] == [
        ("missing", name, 0, offset) for offset in range(4)
    ]


def test_a_record_that_somebody_sent_again_is_doubled(capture: Capture, target: Connection, name: str) -> None:
    again = New(b"v3", b"k3", HEADERS, NOW + 1, partition=0)
    proof = after(capture, target, lambda: produce(target.bootstrap, name, [again]))
    assert (proof.doubled, proof.foreign, proof.missing) == (1, 0, 0)
    assert [(flaw.what, flaw.partition, flaw.offset) for flaw in proof.flaws] == [("doubled", 0, 300)]


def test_a_record_that_lies_behind_a_later_one_of_its_key_is_out_of_order(
    capture: Capture, target: Connection, name: str
) -> None:
    def move_the_first_to_the_end() -> None:
        delete_records(target.bootstrap, name, 2, partition=0)  # the first has no key, the second the key k3
        produce(target.bootstrap, name, [New(b"v3", b"k3", HEADERS, NOW + 1)])

    proof = after(capture, target, move_the_first_to_the_end)
    assert (proof.missing, proof.doubled, proof.foreign, proof.key_inversions) == (1, 0, 0, 1)
    assert {(flaw.what, flaw.partition) for flaw in proof.flaws} == {("missing", 0), ("out of order in its key", 0)}
    assert proof.partition_inversions == 298


def test_a_resumed_replay_is_proven_from_its_note_on(capture: Capture, target: Connection, tmp_path: Path) -> None:
    state, stop = tmp_path / "s", threading.Event()
    paced = Options(rate=0.3, calibrate=False, prove=True)
    with StateFile(state) as file:
        first = run(
            prepare(capture, target, paced), state=file, stop=stop, progress=lambda now: now.acked > 99 and stop.set()
        )  # type: ignore[func-returns-value]
    assert first.proof == Proof(why_not="the replay ended before its end")
    left = decode_state(state)
    state.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, base=left.point)))  # noted a moment later
    plan = prepare(capture, target, FAST)
    with StateFile(state) as file:
        second = run(plan, state=file, resumption=find_place(plan, file.read()))
    proof = second.proof
    assert proof is not None
    assert proof.holds, proof.sentence()
    assert proof.records >= second.acked
    # What lies before the note is not proven, and that is said.
    assert proof.before == left.point.number >= 100
    assert proof.before + proof.records == second.planned
    told = f"; {proof.before:,} records confirmed before, by an earlier part, not read again"
    assert proof.sentence().endswith(told)


def test_what_can_not_be_proven_says_why(capture: Capture, target: Connection) -> None:
    with pytest.raises(UsageError, match="--middleware makes of it may differ"):
        replace(FAST, middleware="cat")
    control = Control()
    threading.Thread(target=control.ask, args=(Seek(200, relative=True),), daemon=True).start()
    certificate = run(prepare(capture, target, replace(FAST, top_speed=False, rate=0.5)), control=control)
    assert certificate.proof == Proof(why_not="a seek led away from the capture's order")


def test_the_command_shows_the_proof_and_ends_with_3_where_it_fails(
    capture: Capture,
    target: Connection,
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = tmp_path / "kept.json"
    words = ("replay", capture.root, "-b", target.bootstrap, "--certificate", kept, "--prove", "--no-calibration")
    ran = cli.run(capsys, *words, "--topspeed")
    assert ran.code == 0, ran.err
    assert "905 records and 20 keys held against 5 partitions of the target's log" in " ".join(ran.out.split())

    def meddled(*given: Any, **more: Any) -> Proof:
        produce(target.bootstrap, name, [New(b"another's", b"k1")])
        return prove(*given, **more)

    monkeypatch.setattr(session, "prove", meddled)
    ran = cli.run(capsys, *words, "--topspeed")
    assert ran.code == 3, ran.err
    assert "Proof FAILED: 905 records and 20 keys held against 5 partitions" in ran.err
    assert "1 of others in between" in ran.err
    certificate = read_certificate(kept)
    assert certificate.proof is not None
    assert [flaw.what for flaw in certificate.proof.flaws] == ["foreign"]
