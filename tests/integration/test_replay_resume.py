"""A replay that ended early goes on where the target's log ends, whatever had been confirmed or noted by then."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from recorder.capture.reader import Capture
from recorder.errors import RefusedError, UsageError
from recorder.kafka.connection import Connection, connect
from recorder.kafka.local import LocalKafka
from recorder.replaying import Certificate, Control, Options, Status, prepare, run
from recorder.replaying.control import Seek
from recorder.replaying.resumption import find_place
from recorder.replaying.state import State, StateFile, decode_state
from tests import builders
from tests.builders import record
from tests.conftest import create_topic
from tests.integration.producing import New, delete_records, delete_topic, produce
from tests.integration.test_replay import read_all

pytestmark = pytest.mark.integration

NOW = time.time_ns() // 1_000_000 - 600_000
FAST = Options(top_speed=True, calibrate=False)


@pytest.fixture
def target(target_kafka: LocalKafka) -> Connection:
    return connect(target_kafka.bootstrap)


@pytest.fixture
def name(target_kafka: LocalKafka) -> str:
    unique = f"resumed-{uuid.uuid4().hex[:8]}"
    create_topic(target_kafka.bootstrap, unique, partitions=2)
    return unique


@pytest.fixture
def capture(tmp_path: Path, name: str) -> Capture:
    rows = [record(name, index % 2, NOW + index, f"k{index % 5}", f"v{index}") for index in range(400)]
    return builders.make_capture(tmp_path / "c", rows, clean=True, created_at_ms=NOW + 600_000)


def values(target: Connection, name: str, partition: int = 0) -> list[int]:
    return [int(value[1:]) for _, value, *_ in read_all(target, name, partition) if value and value[:1] == b"v"]


def begin(
    capture: Capture, target: Connection, state: Path, *, after: int, script: Callable[[Control], None] | None = None
) -> Certificate:
    """Play until so many records are confirmed, then stop."""
    stop, control = threading.Event(), Control()

    def progress(now: Status) -> None:
        if now.acked >= after:
            stop.set()

    if script is not None:
        threading.Thread(target=script, args=(control,), daemon=True).start()
    plan = prepare(capture, target, Options(rate=0.5, calibrate=False))
    with StateFile(state) as file:
        return run(plan, state=file, stop=stop, progress=progress, control=control)


def go_on(capture: Capture, target: Connection, state: Path, options: Options = FAST) -> Certificate:
    plan = prepare(capture, target, options)
    with StateFile(state) as file:
        looked: list[tuple[int, int]] = []
        resumption = find_place(plan, file.read(), progress=lambda *now: looked.append(now))
        assert looked == sorted(looked)
        return run(plan, state=file, resumption=resumption)


def forget(state: Path) -> State:
    """As a kill would have left it: nothing was noted but the beginning."""
    left = decode_state(state)
    zero = msgspec.structs.replace(left.base, number=0, offsets=(0,) * len(left.places), acked=(0,), lost=0)
    first = msgspec.structs.replace(left, base=zero, point=zero)
    state.write_bytes(msgspec.json.encode(first))
    return first


def test_trap_20_it_goes_on_from_the_log_and_not_from_a_count(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    first = begin(capture, target, state, after=100)
    assert first.ended_by == "interrupt"
    forget(state)
    second = go_on(capture, target, state)
    assert values(target, name, 0) == list(range(0, 400, 2))
    assert values(target, name, 1) == list(range(1, 400, 2))
    assert second.earlier is not None
    assert (second.earlier.found, second.earlier.unconfirmed) == (first.acked, first.acked)
    assert (second.acked, second.losses, second.replay_id) == (400 - first.acked, 0, first.replay_id)
    assert [anchor.why for anchor in second.course.anchors] == ["resumed"]
    assert [(one.acked + one.earlier, one.planned) for one in second.topics] == [(400, 400)]


def test_what_was_noted_need_not_be_read_again(capture: Capture, target: Connection, name: str, tmp_path: Path) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=100)
    left = decode_state(state)
    assert left.point.number >= 100
    state.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, base=left.point)))
    delete_records(target.bootstrap, name, left.point.offsets[0])
    go_on(capture, target, state)
    assert values(target, name, 1) == list(range(1, 400, 2))
    assert values(target, name, 0) == list(range(left.point.number + left.point.number % 2, 400, 2))


def test_trap_20_records_of_others_in_between_do_not_confuse_it(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=100)
    forget(state)
    produce(target.bootstrap, name, [New(b"other", b"k", partition=index % 2) for index in range(30)])
    second = go_on(capture, target, state)
    assert values(target, name, 0) == list(range(0, 400, 2))
    assert second.earlier is not None
    assert second.earlier.foreign == 30
    assert any("30 records of others" in finding.what for finding in second.findings)


def test_trap_20_what_cannot_be_told_from_ours_is_refused(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=100)
    forget(state)
    produce(target.bootstrap, name, [New(b"v0", b"k0", timestamp_ms=NOW)])
    before = values(target, name, 0)
    with pytest.raises(RefusedError, match="records that are like ours"):
        go_on(capture, target, state)
    assert values(target, name, 0) == before


def test_a_second_interruption_goes_on_from_both(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=60)
    forget(state)
    plan = prepare(capture, target, Options(rate=0.5, calibrate=False))
    stop = threading.Event()
    with StateFile(state) as file:
        resumption = find_place(plan, file.read())
        run(plan, state=file, resumption=resumption, stop=stop, progress=lambda now: now.acked > 40 and stop.set())  # type: ignore[func-returns-value]
    third = go_on(capture, target, state)
    assert third.earlier is not None
    assert third.earlier.parts == 2
    assert values(target, name, 0) == list(range(0, 400, 2))
    assert third.losses == 0


def test_after_a_seek_it_goes_on_from_where_that_led(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"

    def seek(control: Control) -> None:
        control.ask(Seek(200, relative=True))

    first = begin(capture, target, state, after=40, script=seek)
    sent = values(target, name, 0)
    second = go_on(capture, target, state)
    assert values(target, name, 0)[: len(sent)] == sent
    assert values(target, name, 0)[len(sent) :] == list(range(sent[-1] + 2, 400, 2))
    assert second.course.skipped == 400 - second.acked - first.acked
    assert second.losses == 0


def test_nothing_is_left_to_send_when_all_was_there(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    with StateFile(state) as file:
        run(prepare(capture, target, FAST), state=file)
    second = go_on(capture, target, state)
    assert (second.ended_by, second.acked, second.losses) == ("end", 0, 0)
    assert len(values(target, name, 0)) == 200


def test_another_replay_is_not_gone_on_with(capture: Capture, target: Connection, tmp_path: Path) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=40)
    with pytest.raises(UsageError, match="another value of --sample: resume it as it was begun"):
        go_on(capture, target, state, Options(sample=0.5))
    left = decode_state(state)
    state.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, captures=("another",))))
    with pytest.raises(UsageError, match="was of other captures"):
        go_on(capture, target, state)
    state.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, target_cluster_id="elsewhere")))
    with pytest.raises(UsageError, match="went to cluster elsewhere"):
        go_on(capture, target, state)


def test_a_topic_that_was_created_anew_is_refused(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=40)
    delete_topic(target.bootstrap, name)
    create_topic(target.bootstrap, name, partitions=2)
    with pytest.raises(RefusedError, match="created anew on the target since"):
        go_on(capture, target, state)


def test_a_log_that_retention_cut_is_refused(capture: Capture, target: Connection, name: str, tmp_path: Path) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=40)
    forget(state)
    delete_records(target.bootstrap, name, 5)
    with pytest.raises(RefusedError, match=f"{name}/0: its log begins at offset 5 now"):
        go_on(capture, target, state)


def test_a_log_that_is_shorter_than_it_was_is_refused(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=40)
    left = decode_state(state)
    longer = msgspec.structs.replace(left.base, offsets=(100_000, *left.base.offsets[1:]))
    state.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, base=longer)))
    with pytest.raises(RefusedError, match="unclean leader election"):
        go_on(capture, target, state)


def test_confirmed_records_that_are_gone_are_sent_again_and_named(
    capture: Capture, target: Connection, name: str, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    begin(capture, target, state, after=40)
    left = forget(state)
    noted = msgspec.structs.replace(left.base, number=399, acked=(399,))
    state.write_bytes(msgspec.json.encode(msgspec.structs.replace(left, point=noted)))
    second = go_on(capture, target, state)
    assert any("confirmed are not in its log any more" in finding.what for finding in second.findings)
    assert values(target, name, 0) == list(range(0, 400, 2))
