"""Three brokers in trouble while a replay writes to them: it goes on by itself, or leaves what --resume completes."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.kafka.connection import connect
from recorder.kafka.producer import Columns, KafkaError, Limits, RecordProducer
from recorder.replaying import Certificate, Options, Status, prepare, run
from recorder.replaying.resumption import find_place
from recorder.replaying.state import StateFile
from tests.builders import make_capture, record
from tests.conftest import create_topic, wait_until
from tests.faults.site import Site, three_brokers
from tests.replay_crash.check import compare, read_target, recorded
from tests.replay_crash.variants import Variant

pytestmark = pytest.mark.integration

MS = 1_000_000
_RECORDS = 3_000
_SAFE = {"min.insync.replicas": "2"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with three_brokers() as found:
        yield found


@pytest.fixture
def capture(site: Site, tmp_path: Path) -> Capture:
    """Six seconds of records for a topic with a replica on every broker."""
    name, now = f"orders-{uuid.uuid4().hex[:8]}", time.time_ns() // 1_000_000
    create_topic(site.cluster.bootstrap, name, partitions=6, replicas=3, config=_SAFE)
    rows = [record(name, index % 6, now + 2 * index, f"k{index % 50}", f"v{index}") for index in range(_RECORDS)]
    return make_capture(tmp_path / "c", rows, clean=True, created_at_ms=now + 600_000)


def test_the_first_records_wait_for_nothing_but_their_own_requests(site: Site, capture: Capture) -> None:
    """Leaders are connected, topics known and the producer has its id before: what leaves the client is produced."""
    [topic] = [topic.name for topic in capture.manifest.topics]
    producer = RecordProducer(connect(site.cluster.bootstrap), limits=Limits(1_000, 1_000_000), paced=True)
    producer.warm_up([topic])
    before = _traffic(producer)
    confirmed: list[KafkaError | None] = []
    columns = Columns([topic] * 6, list(range(6)), [b"k"] * 6, [b"v"] * 6, [None] * 6, [0] * 6)
    producer.send(columns, [lambda error, message: confirmed.append(error)] * 6, 0, 6)
    wait_until(lambda: producer.serve(MS) or len(confirmed) == 6, what="six confirmations")
    wait_until(lambda: producer.serve(MS) or _traffic(producer)["Produce"] >= 6, what="statistics of these requests")
    after = _traffic(producer)
    assert confirmed == [None] * 6
    assert {name: count - before[name] for name, count in after.items() if count != before[name]} == {"Produce": 6}


def _traffic(producer: RecordProducer) -> Counter[str]:
    """Requests and connections so far, as the client counted them lately."""
    traffic: Counter[str] = Counter()
    for broker in json.loads(producer._statistics)["brokers"].values():
        traffic.update(broker["req"] | {"connects": broker["connects"]})
    return traffic


def play(
    site: Site, capture: Capture, state: Path, trouble: Callable[[], None], *, resume: bool = False, **settings: str
) -> Certificate:
    """Play; when a quarter is confirmed, trouble comes."""
    connection = connect(site.cluster.bootstrap, [f"{name}={value}" for name, value in settings.items()])
    come = threading.Event()
    thread = threading.Thread(target=lambda: (come.wait(), trouble()))

    def progress(now: Status) -> None:
        if now.acked > _RECORDS // 4:
            come.set()

    plan = prepare(capture, connection, Options(calibrate=False))
    thread.start()
    try:
        with StateFile(state) as file:
            resumption = find_place(plan, file.read()) if resume else None
            return run(plan, state=file, resumption=resumption, progress=progress)
    finally:
        come.set()
        thread.join()


def exact(site: Site, capture: Capture) -> bool:
    name = capture.manifest.topics[0].name
    return compare(recorded(capture), read_target(site.cluster.bootstrap, name, Variant("as recorded"), name)).exact


def test_trap_29_a_broker_that_is_killed_costs_no_record_and_no_order_and_is_told_as_lateness(
    site: Site, capture: Capture, tmp_path: Path
) -> None:
    victim = site.leads(capture.manifest.topics[0].name)
    certificate = play(site, capture, tmp_path / "s", victim.kill)
    site.start(victim)
    assert (certificate.ended_by, certificate.acked, certificate.failed) == ("end", _RECORDS, 0)
    assert (certificate.inversions.partition, certificate.inversions.key) == (0, 0)
    assert certificate.ack_lateness is not None
    assert certificate.ack_lateness.max_ns > 500_000_000
    assert exact(site, capture)


def test_trap_19_all_brokers_gone_for_too_long_is_a_sentence_and_a_place_to_go_on_from(
    site: Site, capture: Capture, tmp_path: Path
) -> None:
    def all_gone() -> None:
        for broker in site.brokers:
            broker.kill()

    first = play(site, capture, tmp_path / "s", all_gone, **{"message.timeout.ms": "3000"})
    assert first.ended_by == "error"
    assert first.error is not None
    assert "not confirmed within 3 s" in first.error
    assert 0 < first.acked < _RECORDS
    site.start(*site.brokers)
    second = play(site, capture, tmp_path / "s", lambda: None, resume=True)
    assert second.earlier is not None
    assert (second.ended_by, second.losses, second.acked + second.earlier.found) == ("end", 0, _RECORDS)
    assert exact(site, capture)
