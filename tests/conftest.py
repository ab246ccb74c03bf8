"""Real Kafka for the tests: two clusters and a schema registry a session, started by the first test that asks."""

from __future__ import annotations

import functools
import gc
import os
import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
import typer.main
from hypothesis import HealthCheck, settings

from recorder.kafka.local import LocalKafka, local_kafka
from recorder.kafka.local_registry import LocalRegistry, local_registry

MakeTopic = Callable[..., str]


def examples(number: int) -> int:
    """How many examples a property test tries: so many, times BLACKBOX_TEST_EXAMPLES."""
    return round(number * float(os.environ.get("BLACKBOX_TEST_EXAMPLES", "1")))


# They are judged by what they find, not by how long a machine takes that runs clusters too.
settings.register_profile(
    "blackbox", deadline=None, max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("blackbox")

LONGEST = ("test_record_trouble.py", "test_demo.py", "test_replay_trouble.py", "test_crash.py", "test_record_live.py")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell's background job: the programs that tests interrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)  # would inherit that, and never end

# The command's tree of verbs is the same each time that a test calls it.
typer.main.get_command = functools.cache(typer.main.get_command)


def _as_soon_as_asked(descriptor: int) -> None:
    """What fsync does, without the wait for a disk: only a power cut would tell the difference."""
    os.fstat(descriptor)


os.fsync = _as_soon_as_asked  # type: ignore[assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, those on real clusters before the others: several processes then end at about the same time."""

    def place(item: pytest.Item) -> tuple[int, bool]:
        name = item.path.name
        long = LONGEST.index(name) if name in LONGEST else len(LONGEST)
        return long, item.path.parent.name not in {"integration", "examples", "kafka"}

    items.sort(key=place)


@pytest.fixture(scope="module", autouse=True)
def nothing_to_collect() -> Iterator[None]:
    """What modules imported stays: the collector need not walk over it each time that the code under test asks it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def kafka() -> Iterator[LocalKafka]:
    """The cluster that tests record from: `BLACKBOX_TEST_BOOTSTRAP` when set, else a local one."""
    with ExitStack() as stack:
        given = os.environ.get("BLACKBOX_TEST_BOOTSTRAP")
        yield _given_cluster(given) if given else stack.enter_context(local_kafka())


@pytest.fixture(scope="session")
def target_kafka() -> Iterator[LocalKafka]:
    """A second cluster, with another cluster id, that tests replay into."""
    with local_kafka() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def registry() -> Iterator[LocalRegistry]:
    """A schema registry, shared: use subjects of your own."""
    with local_registry() as running:
        yield running


@pytest.fixture
def make_topic(kafka: LocalKafka) -> MakeTopic:
    """`make_topic(partitions=1, config={...}, name="orders", cluster=kafka)`: a new topic of a unique name."""

    def make(
        partitions: int = 1,
        *,
        config: Mapping[str, str] | None = None,
        name: str = "topic",
        cluster: LocalKafka = kafka,
    ) -> str:
        unique = f"{name}-{uuid.uuid4().hex[:8]}"
        create_topic(cluster.bootstrap, unique, partitions=partitions, config=config)
        return unique

    return make


@pytest.fixture
def topic(make_topic: MakeTopic) -> str:
    """A topic of one partition."""
    return make_topic()


def create_topic(
    bootstrap: str, name: str, *, partitions: int = 1, config: Mapping[str, str] | None = None, replicas: int = 1
) -> None:
    """Create a topic; returns when each of its partitions has a leader that answers."""
    from confluent_kafka import KafkaException, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

    admin = AdminClient({"bootstrap.servers": bootstrap})
    new = NewTopic(name, num_partitions=partitions, replication_factor=replicas, config=dict(config or {}))
    admin.create_topics([new])[name].result(timeout=30)

    def led() -> bool:
        found: dict[int, Any] = admin.list_topics(name, timeout=10).topics[name].partitions
        return len(found) == partitions and all(partition.leader >= 0 for partition in found.values())

    def answers() -> bool:
        try:
            asked = {TopicPartition(name, number): OffsetSpec.latest() for number in range(partitions)}
            return all(future.result(timeout=10) for future in admin.list_offsets(asked).values())
        except KafkaException:
            return False

    wait_until(led, what=f"{name} has {partitions} partitions with leaders")
    wait_until(answers, what=f"the leaders of {name} know of it")


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = 60.0) -> None:
    """Ask again and again until `condition` holds; an assertion error that names `what` when it never does."""
    import time

    deadline = time.monotonic() + seconds
    pause = 0.005
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(pause)
        pause = min(0.1, pause * 2)


def _given_cluster(bootstrap: str) -> LocalKafka:
    from confluent_kafka.admin import AdminClient

    metadata = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10)
    return LocalKafka(bootstrap=bootstrap, cluster_id=metadata.cluster_id, brokers=())
