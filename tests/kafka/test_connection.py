"""Reaching a cluster: what is wrong is said within seconds, by name, and without secrets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.errors import ExitCode, KafkaUnavailableError, UsageError
from recorder.kafka import cluster as cluster_module
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka

SECRETS = [
    "sasl.password=hunter2",
    "ssl.key.password=hunter2",
    "sasl.oauthbearer.client.secret=hunter2",
    "ssl.keystore.password=hunter2",
]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up sooner than a person would."""
    monkeypatch.setattr(cluster_module, "ANSWER_SECONDS", 1.5)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def web_server() -> Iterator[int]:
    """A port where something that is no Kafka answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def answer() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(4096)
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def unreachable(bootstrap: str, *properties: str) -> str:
    """What is said about a cluster that can't be reached, and that it is said within seconds."""
    began = time.monotonic()
    with pytest.raises(KafkaUnavailableError) as refused:
        Cluster(connect(bootstrap, properties)).names()
    assert time.monotonic() - began < 45
    message = str(refused.value)
    assert message.startswith(f"Can't reach a broker at {bootstrap}: ")
    assert "\n" not in message
    assert refused.value.exit_code == ExitCode.FAILED
    return message


def test_a_closed_port_is_named() -> None:
    message = unreachable("127.0.0.1:1,127.0.0.1:2")
    assert "127.0.0.1:1" in message.partition(": ")[2]
    assert "127.0.0.1:2" in message.partition(": ")[2]
    assert "Connection refused" in message


@pytest.mark.usefixtures("quick")
def test_an_unknown_host_is_named() -> None:
    assert "Failed to resolve 'no-such-host.invalid:9092'" in unreachable("no-such-host.invalid:9092")


@pytest.mark.usefixtures("quick")
def test_a_port_that_never_answers_is_named(silent_port: int) -> None:
    assert "Check the address" in unreachable(f"127.0.0.1:{silent_port}")


@pytest.mark.usefixtures("quick")
def test_a_port_of_something_else_is_named(web_server: int) -> None:
    assert "It may be no Kafka" in unreachable(f"127.0.0.1:{web_server}")


@pytest.mark.usefixtures("quick")
def test_no_secret_is_in_what_is_said_or_shown(silent_port: int) -> None:
    properties = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=u", *SECRETS]
    assert "hunter2" not in unreachable(f"127.0.0.1:{silent_port}", *properties)
    assert "hunter2" not in repr(connect("h:1", properties))


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        (["no.such.key=hunter2"], '-X no.such.key: No such configuration property: "no.such.key"'),
        (["socket.timeout.ms=soon"], "-X socket.timeout.ms: "),
        (["socket.timeout.ms=1"], "-X socket.timeout.ms: "),
        (["security.protocol=TLS"], "-X security.protocol: "),
        (["security.protocol=SSL", "ssl.key.pem=hunter2"], "-X ssl.key.pem: "),
        (["security.protocol=SASL_SSL", "sasl.mechanism=NONE", *SECRETS], "Unsupported SASL mechanism"),
    ],
)
@pytest.mark.parametrize("kind", ["consumer", "admin", "producer"])
def test_a_setting_that_can_not_be_is_named(properties: list[str], says: str, kind: str) -> None:
    connection = connect("127.0.0.1:1", properties)
    with pytest.raises(UsageError) as refused:
        getattr(connection, kind)()
    message = str(refused.value)
    assert says in message
    assert "hunter2" not in message
    assert "\n" not in message


def test_a_setting_of_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.write_text("security.protocol=PLAINTEXT\nno.such.key=1\n")
    with pytest.raises(UsageError, match=r"client\.properties:2: No such"):
        connect("h:1", [], path).consumer()


@pytest.mark.parametrize("bootstrap", ["", "host", "host:", ":9092", "host:port", "host:0", "host:70000", "a:1,,b:2"])
def test_an_address_that_is_none_is_refused(bootstrap: str) -> None:
    with pytest.raises(UsageError, match=r"HOST:PORT"):
        connect(bootstrap)


@pytest.mark.parametrize("bootstrap", ["host:9092", "[::1]:9092", "a:1,b:2", "a:1, b:2", "10.0.0.1:9092"])
def test_addresses_are_taken_as_kafka_tools_take_them(bootstrap: str) -> None:
    assert connect(bootstrap).bootstrap == bootstrap


def test_flags_win_over_settings_and_settings_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.write_text("bootstrap.servers=file:1\nclient.id=file\nsecurity.protocol=SSL\n")
    assert connect(None, [], path).bootstrap == "file:1"
    connection = connect(None, ["bootstrap.servers=x:1", "client.id=x"], path)
    assert (connection.bootstrap, connection.settings["client.id"]) == ("x:1", "x")
    assert connection.settings["security.protocol"] == "SSL"
    assert connect("flag:1", ["bootstrap.servers=x:1"], path).config()["bootstrap.servers"] == "flag:1"
    assert connect("flag:1", ["metadata.broker.list=x:1"]).settings == {"client.id": "kafka-blackbox"}


def test_nobody_can_make_the_consumer_join_or_commit() -> None:
    connection = connect("h:1", ["enable.auto.commit=true", "enable.auto.offset.store=true", "group.id=theirs"])
    assert "group.id" not in connection.settings
    connection.consumer().close()


@pytest.mark.integration
def test_a_cluster_tells_who_it_is(kafka: LocalKafka) -> None:
    cluster = Cluster(connect(kafka.bootstrap))
    assert cluster.cluster_id == kafka.cluster_id
    assert len(cluster.brokers) >= 1
