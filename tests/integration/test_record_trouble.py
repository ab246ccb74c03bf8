"""Three brokers in trouble while the command records from them; `python -m tests.faults` is the long version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from recorder.capture.reader import open_capture
from recorder.errors import ExitCode
from recorder.kafka.cluster import Cluster, Patience
from recorder.kafka.connection import connect
from recorder.kafka.fetching import Arrived, Fetcher
from recorder.kafka.offsets import log_ends
from tests.conftest import create_topic, wait_until
from tests.faults import trouble
from tests.faults.check import Recorder
from tests.faults.run import prepare, run
from tests.faults.site import Site, three_brokers
from tests.faults.writing import writing
from tests.integration.producing import New, produce
from tests.integration.recording import notes, partition_of, rows

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with three_brokers() as found:
        yield found


def everything(site: Site) -> int:
    """Connections break, leaders move, partitions leave their brokers; the window ends while a broker is restarting."""
    trouble.close_halves(site)
    trouble.reset_connections(site, 3)
    trouble.move_leaders(site, 1)
    trouble.take_replicas_away(site, 1)
    return trouble.kill_leader(site)


def test_nothing_is_lost_doubled_or_disordered_whatever_happens_to_brokers(site: Site, tmp_path: Path) -> None:
    prepare(site)
    with writing(site.bootstrap, trouble.LIVE, trouble.IN_TRANSACTIONS, partitions=6) as writers:
        live, past = run(site, writers, trouble.Trouble("everything", everything, 8), tmp_path / "captures")
    assert not writers.failed
    assert live.tally.exact, live
    assert past.tally.exact, past
    assert live.tally.recorded > 1_000


def test_a_log_that_is_cut_below_what_was_read_is_named_and_followed_further(site: Site, tmp_path: Path) -> None:
    settings = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}
    create_topic(site.cluster.bootstrap, "cut", replicas=3, config=settings)
    site.reassign("cut", [[1, 2]])
    behind, ahead = site.brokers[1], site.brokers[0]

    def write(name: bytes, count: int) -> None:
        produce(site.bootstrap, "cut", [New(b"%s %d" % (name, number)) for number in range(count)], acks=1)

    def leads() -> bool:
        try:
            return site.leaders("cut") == [behind.node_id]
        except KafkaException:
            return False

    write(b"before", 100)
    recorder = Recorder(site.bootstrap, ["cut"], tmp_path / "c", "--from", "beginning", "--to", "+10m")
    try:
        wait_until(lambda: recorder.records == 100, what="the first records were read")
        behind.kill()
        write(b"gone", 50)
        wait_until(lambda: recorder.records == 150, what="what only one broker has was read")
        ahead.kill()
        behind.start()
        wait_until(leads, what="the one that was behind leads", seconds=60)
        write(b"new", 80)
        site.start(ahead)
        wait_until(lambda: recorder.records == 180, what="what came after was read", seconds=60)
        recorder.interrupt()
        assert recorder.end(30) == ExitCode.INTERRUPTED
    finally:
        recorder.kill()
        site.start(behind, ahead)
    capture = open_capture(tmp_path / "c")
    values = [row.value for row in rows(capture, "cut")]
    assert values == [b"before %d" % n for n in range(100)] + [b"gone %d" % n for n in range(50)] + [
        b"new %d" % n for n in range(50, 80)
    ]
    assert [row.offset for row in rows(capture, "cut")] == list(range(180))
    assert not partition_of(capture, "cut").gaps
    assert [loss.sentence() for loss in capture.manifest.losses] == [
        "cut/0: its log was cut by an unclean leader election: offsets 100 to 149 are recorded as they were before, "
        "not what has their place now"
    ]
    waited = notes(capture.manifest, "info")
    assert any("no answer from broker" in note and "the recording waited" in note for note in waited), waited


def test_trap_9_a_recording_is_one_connection_to_each_broker(site: Site) -> None:
    create_topic(site.cluster.bootstrap, "guest", partitions=9, replicas=3)
    produce(site.bootstrap, "guest", [New(partition=number % 9) for number in range(90)])
    wait_until(lambda: not any(door.connections for door in site.doors), what="no other client is left")
    starts = {("guest", number): 0 for number in range(9)}
    with Fetcher(connect(site.bootstrap), starts, "read_committed") as fetcher:
        seen = 0
        while seen < 90 or fetcher.pulse is None:
            seen += sum(len(event.messages) for event in fetcher.poll() if isinstance(event, Arrived))
        # The one more is that by which the client learns of a coordinator; it never asks it anything.
        assert sum(door.connections for door in site.doors) <= 3 + 1
        # Over time one more: a broker of the bootstrap list may be asked before it is known which one it is.
        assert fetcher.pulse.load.connections <= 3 + 2


def test_the_end_of_a_log_whose_leader_is_silent_is_unknown(site: Site) -> None:
    """The client gives an offset of −1001 and no error: taken for the end, it would end a partition in silence."""
    create_topic(site.cluster.bootstrap, "silent", partitions=3, replicas=3)
    produce(site.bootstrap, "silent", [New(partition=number % 3) for number in range(6)])
    leaders = site.leaders("silent")
    cluster = Cluster(connect(site.bootstrap))
    places = [("silent", number) for number in range(3)]
    assert log_ends(cluster, places) == dict.fromkeys(places, 2)
    with site.paused(site.brokers[leaders[0] - 1]):
        known = log_ends(cluster, places, partial=True, patience=Patience(0))
    assert known == {("silent", number): 2 for number in range(3) if leaders[number] != leaders[0]}
