"""What a log holds is told alike by what comes in bulk and by the client that reads where that fails."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka import Producer

from recorder.errors import RefusedError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.contents import Contents, content_digest, read_contents
from recorder.kafka.local import LocalKafka
from recorder.kafka.offsets import Place, log_ends
from tests.conftest import create_topic
from tests.integration.producing import delete_records

pytestmark = pytest.mark.integration

RECORDS = [
    (b"k", b"v", [("h", b"1"), ("h", None)]),
    (None, b"v", [("h", b"1")]),
    (b"", None, []),
    (b"k", b"", [("trace", b"x" * 300), ("é", b"")]),
    (b"k", b"v" * 100_000, []),
]


@pytest.fixture
def name(target_kafka: LocalKafka) -> str:
    unique = f"contents-{uuid.uuid4().hex[:8]}"
    create_topic(target_kafka.bootstrap, unique, partitions=2)
    return unique


def fill(bootstrap: str, name: str, *, alike: bool = False) -> None:
    """Committed records at first, then aborted ones, then committed ones; `alike` ones have as many headers each."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "compression.type": "lz4"})
    producer.init_transactions(30)
    for ends in (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        for number in range(200):  # and a marker behind them in each partition: 303 offsets
            key, value, headers = RECORDS[0 if alike else number % len(RECORDS)]
            producer.produce(name, value, key, number % 2, timestamp=1_000 + number, headers=headers)
        producer.flush(30)  # else an abort takes back what was not sent yet
        ends(30)


def read(
    bootstrap: str, spans: dict[Place, tuple[int, int]], *, bulk: bool, timeless: bool = False, committed: bool = True
) -> dict[Place, list[tuple[int, bytes | None, int]]]:
    found: dict[Place, list[tuple[int, bytes | None, int]]] = {place: [] for place in spans}

    def note(some: Contents) -> None:
        found[some.place] += zip(some.offsets, some.keys, some.digests, strict=True)

    passed: list[int] = []
    # A setting that bulk reading does not know leaves all to the client.
    connection = connect(bootstrap, [] if bulk else ["socket.nagle.disable=true"])
    read_contents(Cluster(connection), spans, note, timeless=timeless, committed=committed, progress=passed.append)
    assert sum(passed) == sum(end - start for start, end in spans.values())
    return found


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("committed", [False, True])
def test_both_ways_tell_the_same_digests(target_kafka: LocalKafka, name: str, committed: bool, alike: bool) -> None:
    bootstrap = target_kafka.bootstrap
    fill(bootstrap, name, alike=alike)
    ends = log_ends(Cluster(connect(bootstrap)), [(name, 0), (name, 1)])
    spans = {(name, 0): (0, ends[name, 0]), (name, 1): (3, 290)}
    found = read(bootstrap, spans, bulk=True, committed=committed)
    assert found == read(bootstrap, spans, bulk=False, committed=committed)
    assert len(found[name, 0]) == (200 if committed else 300)
    key, value, headers = RECORDS[0]
    assert found[name, 0][0] == (0, key, content_digest(key, value, headers, 1_000))
    assert [offset for offset, *_ in found[name, 1]][:2] == [3, 4]
    assert max(offset for offset, *_ in found[name, 1]) == 289
    timeless = read(bootstrap, spans, bulk=True, timeless=True, committed=committed)
    assert timeless == read(bootstrap, spans, bulk=False, timeless=True, committed=committed)
    assert timeless[name, 0][0][2] == content_digest(key, value, headers, None)


def test_what_the_log_holds_no_more_is_refused(target_kafka: LocalKafka, name: str) -> None:
    fill(target_kafka.bootstrap, name)
    delete_records(target_kafka.bootstrap, name, 5)
    with pytest.raises(RefusedError, match="does not hold offset 0 any more"):
        read(target_kafka.bootstrap, {(name, 0): (0, 100)}, bulk=True)


def test_the_broker_s_own_times_do_not_count(target_kafka: LocalKafka) -> None:
    name = f"contents-{uuid.uuid4().hex[:8]}"
    create_topic(target_kafka.bootstrap, name, config={"message.timestamp.type": "LogAppendTime"})
    producer = Producer({"bootstrap.servers": target_kafka.bootstrap})
    producer.produce(name, b"v", b"k")
    producer.flush(30)
    for bulk in (False, True):
        ((_, _, digest),) = read(target_kafka.bootstrap, {(name, 0): (0, 1)}, bulk=bulk)[name, 0]
        assert digest == content_digest(b"k", b"v", None, None)
