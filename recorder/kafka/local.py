"""A real Apache Kafka for demos, tests and a developer's laptop: one or three brokers on 127.0.0.1, in seconds.

Each broker is a process of its own that combines broker and controller, so that tests can kill one as a machine
would die; a keeper beside each ends it when the program that started it is gone (see `local_keeper`).
"""

from __future__ import annotations

import base64
import errno
import logging
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from recorder.kafka.local_config import LOG4J, server_properties
from recorder.kafka.local_install import Installation, LocalKafkaError, check_space, install, no_space
from recorder.kafka.local_process import JAVA_OPTIONS, Lifetime, LocalProcess, free_ports, telling_lines
from recorder.kafka.local_security import PROTOCOLS, Security

_START_SECONDS = 90.0
_PORT_ATTEMPTS = 5


class PortTakenError(LocalKafkaError):
    """Somebody else took a port between our choosing it and the broker's listening on it."""


@dataclass(kw_only=True)
class Broker(LocalProcess):
    """One broker (and controller); `LocalKafka.wait_ready` waits until it answers after a start."""

    node_id: int
    data_dir: Path


@dataclass(frozen=True)
class LocalKafka:
    """A running cluster: what a client needs to know of it, and its brokers."""

    bootstrap: str
    cluster_id: str
    brokers: tuple[Broker, ...]
    secured: Mapping[str, str] = field(default_factory=dict)
    """With `Security`: the brokers' addresses by security protocol (SASL_SSL, SSL); `bootstrap` is the plain one.

    With doors: DOOR, where each door leads to.
    """

    def wait_ready(self, seconds: float = _START_SECONDS) -> None:
        """Return once every broker that was started answers a metadata request and is known to the others.

        Raises `LocalKafkaError` with the end of a broker's log when one died, or when the time is over.
        """
        deadline = time.monotonic() + seconds
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100},
            logger=_silent(),
        )
        wanted = [broker for broker in self.brokers if broker.pid >= 0]
        while True:
            for broker in wanted:
                if not broker.running:
                    raise _died(broker)
            try:
                metadata = admin.list_topics(timeout=0.5)
            except KafkaException:
                known: set[int] = set()
            else:
                known = set(metadata.brokers) if metadata.controller_id >= 0 else set()
            missing = [broker for broker in wanted if broker.node_id not in known]
            if not missing:
                return
            if time.monotonic() > deadline:
                raise LocalKafkaError(
                    f"Broker {missing[0].node_id} on 127.0.0.1:{missing[0].port} was not ready after {seconds:.0f} s; "
                    f"{missing[0].log_end()}"
                )


@contextmanager
def local_kafka(
    *,
    brokers: int = 1,
    directory: Path | None = None,
    cluster_id: str | None = None,
    security: Security | None = None,
    doors: Sequence[int] = (),
) -> Iterator[LocalKafka]:
    """Run a cluster of `brokers` combined brokers and controllers for the length of the `with` block.

    `doors` are ports, one for each broker, at which the caller passes connections on to another listener of it (at
    `secured["DOOR"]`): clients that come in by a door are sent to doors only.

    Logs and data go to `directory`, which is kept and can be started from again; without one, to a temporary
    directory that is removed at the end, also when this process is killed. Raises `LocalKafkaError`.
    """
    installation = install()
    lifetime: Lifetime = "temporary" if directory is None else "program"
    home = Path(tempfile.mkdtemp(prefix="blackbox-kafka-")) if directory is None else directory.absolute()
    try:
        cluster = start_cluster(
            installation,
            home,
            brokers=brokers,
            cluster_id=cluster_id or new_cluster_id(),
            lifetime=lifetime,
            security=security,
            doors=doors,
        )
        try:
            yield cluster
        finally:
            for broker in cluster.brokers:
                # Nobody misses the data of a temporary cluster, but the first broker's classes are worth a wait.
                if directory is None and not _archives_classes(broker):
                    broker.kill()
                else:
                    broker.stop()
            keep_class_archive(installation, home)
    finally:
        if directory is None:
            shutil.rmtree(home, ignore_errors=True)


def new_cluster_id() -> str:
    """22 characters as Kafka makes them; it takes one that begins with a dash for an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def start_cluster(
    installation: Installation,
    home: Path,
    *,
    brokers: int,
    cluster_id: str,
    lifetime: Lifetime,
    security: Security | None = None,
    doors: Sequence[int] = (),
) -> LocalKafka:
    """Format and start brokers under `home` and wait until they are ready; tries other ports when one was taken."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        check_space(home)
        for _ in range(_PORT_ATTEMPTS - 1):
            try:
                return _start_once(installation, home, brokers, cluster_id, lifetime, security, doors)
            except PortTakenError:
                continue
        return _start_once(installation, home, brokers, cluster_id, lifetime, security, doors)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise no_space(home) from error
        raise LocalKafkaError(
            f"A local Kafka can't be started in {home}: {error.strerror or error}. Choose a directory that you own."
        ) from error


def keep_class_archive(installation: Installation, home: Path) -> None:
    """Publish the archive that the first broker under `home` wrote when it ended: later ones start faster with it."""
    archive = _new_archive(installation, home)
    if archive.exists():
        archive.replace(installation.class_archive)


def _start_once(
    installation: Installation,
    home: Path,
    brokers: int,
    cluster_id: str,
    lifetime: Lifetime,
    security: Security | None,
    doors: Sequence[int],
) -> LocalKafka:
    protocols = (*(PROTOCOLS if security else ()), *(("DOOR",) if doors else ()))
    ports = free_ports((2 + len(protocols)) * brokers)
    pairs = list(zip(ports[:brokers], ports[brokers : 2 * brokers], strict=True))
    secured = [dict(zip(protocols, ports[2 * brokers + node :: brokers], strict=True)) for node in range(brokers)]
    started = [
        _broker(
            installation,
            home,
            node_id=node,
            properties=server_properties(
                node_id=node,
                ports=pairs,
                data_dir=_own(home, node) / "data",
                security=security,
                secured=secured[node - 1],
                door=doors[node - 1] if doors else None,
            ),
            port=pairs[node - 1][0],
            lifetime=lifetime,
        )
        for node in range(1, brokers + 1)
    ]
    _format(installation, home, started, cluster_id, security.format_options() if security else [])
    cluster = LocalKafka(
        bootstrap=_addresses(port for port, _ in pairs),
        cluster_id=cluster_id,
        brokers=tuple(started),
        secured={protocol: _addresses(ports[protocol] for ports in secured) for protocol in protocols},
    )
    try:
        for broker in started:
            broker.start()
        cluster.wait_ready()
    except BaseException:
        for broker in started:
            broker.kill()
        raise
    return cluster


def _own(home: Path, node_id: int) -> Path:
    return home / f"broker-{node_id}"


def _addresses(ports: Iterable[int]) -> str:
    return ",".join(f"127.0.0.1:{port}" for port in ports)


def _broker(
    installation: Installation, home: Path, *, node_id: int, properties: str, port: int, lifetime: Lifetime
) -> Broker:
    """Write the files of one broker; nothing is started yet."""
    own = _own(home, node_id)
    own.mkdir(exist_ok=True)
    (own / "broker.log").unlink(missing_ok=True)
    (own / "log4j2.properties").write_text(LOG4J)
    (own / "server.properties").write_text(properties)
    return Broker(
        node_id=node_id,
        port=port,
        log_path=own / "broker.log",
        data_dir=own / "data",
        command=[
            *_java(installation, own, archive=node_id == 1),
            "kafka.Kafka",
            str(own / "server.properties"),
        ],
        lifetime=lifetime,
        home=home,
    )


def _java(installation: Installation, own: Path, *, archive: bool = False) -> list[str]:
    """The command up to the main class; with `archive`, one that leaves a class archive when there is none yet."""
    options = list(JAVA_OPTIONS)
    if installation.class_archive.exists():
        options.append(f"-XX:SharedArchiveFile={installation.base_archive}:{installation.class_archive}")
    elif installation.base_archive.exists():
        options.append(f"-XX:SharedArchiveFile={installation.base_archive}")
        if archive:
            options.append(f"-XX:ArchiveClassesAtExit={_new_archive(installation, own.parent)}")
    log4j = f"-Dlog4j2.configurationFile={own / 'log4j2.properties'}"
    return [str(installation.java), *options, log4j, "-cp", installation.class_path]


def _archives_classes(broker: Broker) -> bool:
    return any(word.startswith("-XX:ArchiveClassesAtExit=") for word in broker.command)


def _new_archive(installation: Installation, home: Path) -> Path:
    return installation.class_archive.with_name(f"{home.name}.new")


def _format(
    installation: Installation, home: Path, brokers: Sequence[Broker], cluster_id: str, options: Sequence[str]
) -> None:
    """Give each new data directory the cluster id; one that has been used already must have the same."""
    running = []
    for broker in brokers:
        meta = broker.data_dir / "meta.properties"
        if meta.exists():
            _check_cluster_id(meta, cluster_id)
            continue
        own = broker.log_path.parent
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(own / "server.properties"), *options]
        command = [*_java(installation, own), *tool]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    for process in running:
        output, _ = process.communicate()
        if process.returncode != 0:
            said = "\n".join(telling_lines(output)[-4:])
            raise LocalKafkaError(f"The storage of a local Kafka can't be formatted in {home}: {said}")


def _check_cluster_id(meta: Path, cluster_id: str) -> None:
    found = dict(line.split("=", 1) for line in meta.read_text().splitlines() if "=" in line)["cluster.id"]
    if found != cluster_id:
        raise LocalKafkaError(f"{meta.parent} holds a cluster with the id {found}, not {cluster_id}: choose another.")


def _died(broker: Broker) -> LocalKafkaError:
    text = broker.log_path.read_text(errors="replace") if broker.log_path.exists() else ""
    if "Address already in use" in text:
        return PortTakenError(
            f"The ports of a local Kafka were taken {_PORT_ATTEMPTS} times in a row (last 127.0.0.1:{broker.port}): "
            "see what listens there and try again."
        )
    if "No space left on device" in text:
        return no_space(broker.data_dir)
    return LocalKafkaError(f"Broker {broker.node_id} on 127.0.0.1:{broker.port} died at start; {broker.log_end()}")


def _silent() -> logging.Logger:
    """librdkafka tells of every refused connection while a broker starts: nobody needs to read that."""
    logger = logging.getLogger("recorder.kafka.local")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
