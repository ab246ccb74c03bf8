"""Recording from a locked production: with no more than READ, from the file that Kafka's own tools use, and no secret
ever shown. What keeps us out is said in one sentence, and nothing is written then.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from recorder.capture.manifest import CHECKPOINT_NAME
from recorder.capture.reader import open_capture
from recorder.capture.verify import failed, verify
from recorder.errors import ExitCode
from recorder.kafka import cluster as cluster_module
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import LOG, connect
from recorder.recording.record import Progress, record
from recorder.recording.request import Request
from recorder.window import Window
from tests.cli.running import run
from tests.conftest import create_topic, wait_until
from tests.integration.producing import New, produce
from tests.integration.securing import SECRETS, SecureKafka, allow, everything_there, forbid

pytestmark = pytest.mark.integration

LOGINS = ["PLAIN", "SCRAM-SHA-512", "OAUTHBEARER", "PEM", "PKCS12"]
SECONDS = 20.0


def new_topic(secure: SecureKafka, *rights: AclOperation, records: int = 10) -> str:
    """A topic with some records, on which alice has these rights."""
    name = f"orders-{uuid.uuid4().hex[:8]}"
    create_topic(secure.cluster.bootstrap, name)
    produce(secure.cluster.bootstrap, name, [New(b"%d" % number) for number in range(records)])
    if rights:
        allow(secure.cluster, "alice", name, *rights)
    return name


def assert_no_secret(*texts: str | bytes) -> None:
    for text in texts:
        content = text.encode() if isinstance(text, str) else text
        for secret in (*SECRETS, "BEGIN PRIVATE KEY", "BEGIN ENCRYPTED PRIVATE KEY"):
            assert secret.encode() not in content


@pytest.mark.parametrize("login", LOGINS)
def test_read_on_the_topics_is_enough(
    secure_kafka: SecureKafka, login: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = new_topic(secure_kafka, AclOperation.READ)
    before = everything_there(secure_kafka.cluster)
    done = run(capsys, "record", "-F", secure_kafka.client(login), "-t", topic, "--from", "beginning",
               "-o", tmp_path / "c")  # fmt: skip
    assert done.code == ExitCode.OK, done.err
    capture = open_capture(tmp_path / "c")
    assert [record.value for record in capture.records()] == [b"%d" % number for number in range(10)]
    assert not failed(verify(tmp_path / "c"))
    assert everything_there(secure_kafka.cluster) == before


def test_trap_10_what_stayed_unknown_is_said(
    secure_kafka: SecureKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = new_topic(secure_kafka, AclOperation.READ)
    known = new_topic(secure_kafka, AclOperation.READ, AclOperation.DESCRIBE_CONFIGS)
    done = run(capsys, "record", "-F", secure_kafka.client("PLAIN"), "-t", topic, "-t", known, "--from", "beginning",
               "-o", tmp_path / "c")  # fmt: skip
    assert f"{topic}: we may not read its configuration: whether it is compacted is unknown" in done.err
    assert f"{known}: we may not" not in done.err
    manifest = open_capture(tmp_path / "c").manifest
    described = {entry.name: entry for entry in manifest.topics}
    assert described[topic].config is None
    assert described[known].config is not None
    assert described[topic].id is not None
    assert manifest.source.cluster_id == secure_kafka.cluster.cluster_id


@pytest.mark.parametrize("rights", [[AclOperation.DESCRIBE], []], ids=["seen", "unseen"])
def test_a_topic_that_we_may_not_read_is_named_and_nothing_is_written(
    secure_kafka: SecureKafka, rights: list[AclOperation], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readable, denied = new_topic(secure_kafka, AclOperation.READ), new_topic(secure_kafka, *rights)
    before = everything_there(secure_kafka.cluster)
    done = run(capsys, "record", "-F", secure_kafka.client("PLAIN"), "-t", readable, "-t", denied,
               "--from", "beginning", "-o", tmp_path / "c")  # fmt: skip
    assert done.code == (ExitCode.FAILED if rights else ExitCode.USAGE)
    says = f"No right to read topic {denied}" if rights else f"There is no topic {denied} in the cluster (or we may not"
    assert done.sentence().startswith(says)
    assert not (tmp_path / "c").exists()
    assert everything_there(secure_kafka.cluster) == before


def test_a_right_that_is_taken_away_midway_costs_that_topic_alone(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    stays, goes = new_topic(secure_kafka, AclOperation.READ), new_topic(secure_kafka, AclOperation.READ)
    window = Window(None, time.time_ns() // 1_000_000 + 6_000)
    done = threading.Event()

    def take_away(now: Progress) -> None:
        if now.offsets >= 20 and not done.is_set():
            done.set()
            forbid(secure_kafka.cluster, "alice", goes)
            for topic in (stays, goes):
                produce(secure_kafka.cluster.bootstrap, topic, [New(b"later")])

    manifest = record(connect(None, (), secure_kafka.client("PLAIN")), Request(window, names=[stays, goes]),
                      tmp_path / "c", progress=take_away)  # fmt: skip
    counts = {topic.name: topic.records for topic in manifest.topics}
    assert (counts[stays], counts[goes]) == (11, 10)
    assert {loss.topic for loss in manifest.losses} == {goes}
    assert any("the right to read it was taken away" in loss.text for loss in manifest.losses)
    assert not failed(verify(tmp_path / "c"))


def test_a_topic_that_is_not_there_is_not_created(
    secure_kafka: SecureKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = everything_there(secure_kafka.cluster)
    done = run(capsys, "record", "-b", secure_kafka.cluster.bootstrap, "-t", "no-such-topic", "--from", "beginning",
               "-o", tmp_path / "c")  # fmt: skip
    assert done.code == ExitCode.USAGE
    assert everything_there(secure_kafka.cluster) == before


@pytest.mark.parametrize(
    ("login", "changes", "says"),
    [
        ("PLAIN", {"sasl_jaas_config": "x.PlainLoginModule required username=alice password=wrong-hunter2;"},
         "Authentication failed: Invalid username or password. Check the user name and password"),
        ("SCRAM-SHA-512", {"sasl_jaas_config": "x.ScramLoginModule required username=alice password=wrong-hunter2;"},
         "invalid credentials with SASL mechanism SCRAM-SHA-512. Check the user name and password"),
        ("PLAIN", {"sasl_mechanism": "SCRAM-SHA-256"}, "Check sasl.mechanism"),
        ("PLAIN", {"ssl_truststore_location": "stranger-ca.pem"}, "broker certificate could not be verified"),
        ("PEM", {"ssl_keystore_location": "stranger.pem"}, "alert certificate required"),
        ("PEM", {"ssl_keystore_location": None}, "alert certificate required"),
        ("PEM", {"security_protocol": None}, "closed at once. It may be no Kafka, or want another security.protocol"),
        ("PLAIN", {"security_protocol": "SASL_PLAINTEXT"}, "closed at once. It may be no Kafka, or want another"),
        ("PLAIN", {"security_protocol": "SSL"}, "closed at once. It may be no Kafka, or want another"),
        ("PLAIN", {"bootstrap_servers": "plain"}, "The broker speaks no TLS there | Check security.protocol"),
        ("PLAIN", {"bootstrap_servers": "no-such-host.invalid:9092"}, "Failed to resolve 'no-such-host.invalid:9092'"),
    ],
    ids=["password", "scram-password", "mechanism", "untrusted-broker", "untrusted-client", "no-certificate",
         "plaintext", "sasl-plaintext", "no-sasl", "tls-to-plaintext", "unknown-host"],
)  # fmt: skip
def test_what_keeps_us_out_is_one_sentence_within_seconds(
    secure_kafka: SecureKafka,
    login: str,
    changes: dict[str, str | None],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cluster_module, "ANSWER_SECONDS", 2.0)  # sooner than a person would give up
    places = {"plain": secure_kafka.cluster.bootstrap}
    given = {
        key: secure_kafka.home / value if value and value.endswith(".pem") else places.get(value or "", value)
        for key, value in changes.items()
    }
    client = secure_kafka.client(login, **given)
    began = time.monotonic()
    done = run(capsys, "record", "-F", client, "-t", "theirs", "--from", "beginning", "-o", tmp_path / "c")
    assert time.monotonic() - began < SECONDS
    assert done.code == ExitCode.FAILED
    assert done.sentence().startswith("Can't reach a broker at ")
    assert any(one in done.sentence() for one in says.split(" | "))
    assert "hunter2" not in done.err
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("login", "changes"),
    [
        ("PEM", {"ssl_key_password": "wrong-hunter2"}),
        ("PKCS12", {"ssl_keystore_password": "wrong-hunter2"}),
        ("PKCS12", {"ssl_truststore_password": "wrong-hunter2"}),
    ],
)
def test_a_wrong_password_of_a_store_is_said_by_file_and_line(
    secure_kafka: SecureKafka, login: str, changes: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    client = secure_kafka.client(login, **changes)
    done = run(capsys, "record", "-F", client, "-t", "theirs", "--from", "beginning")
    assert done.code == ExitCode.USAGE
    assert done.sentence().startswith((f"{client}:", "The client configuration: "))
    assert "password" in done.sentence()
    assert "hunter2" not in done.err


def command_lines() -> bytes:
    """Of all processes, as anybody on this machine sees them."""
    if not Path("/proc/self/cmdline").exists():
        return subprocess.run(["ps", "-eww", "-o", "command="], capture_output=True, check=True).stdout
    shown = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            shown += path.read_bytes() + b"\n"
    assert b"blackbox" in shown or b"record" in shown
    return shown


@pytest.mark.parametrize("login", ["PLAIN", "PKCS12"])
def test_no_secret_is_in_anything_that_is_written_or_shown(
    secure_kafka: SecureKafka, login: str, tmp_path: Path
) -> None:
    topic = new_topic(secure_kafka, AclOperation.READ)
    typed = ["-X", "ssl.key.password=typed-hunter2"] if login == "PKCS12" else []
    command = [sys.executable, "-c", "from recorder.cli.main import main; main()", "-v", "--debug", "record",
               "-F", str(secure_kafka.client(login)), "-t", topic, "--from", "beginning", "--to", "+1s",
               "-o", str(tmp_path / "c"), *typed]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(
            lambda: (tmp_path / "c" / CHECKPOINT_NAME).exists() or process.poll() is not None, what="a checkpoint"
        )
        checkpoint = (tmp_path / "c" / CHECKPOINT_NAME).read_bytes()
        processes = command_lines()
        out, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.OK, err
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert_no_secret(out, err, checkpoint, processes, *written)
    assert b"typed-hunter2" not in b"".join([out, err, checkpoint, *written])  # though its typist showed it to ps


@pytest.mark.parametrize("login", LOGINS)
def test_no_secret_is_in_the_log_or_in_a_repr(
    secure_kafka: SecureKafka, login: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(LOG, "propagate", True)
    with caplog.at_level(logging.DEBUG, "recorder.kafka"):
        connection = connect(None, ["debug=all"], secure_kafka.client(login))
        cluster = Cluster(connection)
        cluster.names()
        cluster.admin.poll(0.2)
    assert len(caplog.text) > 10_000
    assert_no_secret(caplog.text, repr(connection), repr(cluster), "\n".join(connection.errors))
