"""How to reach a cluster: settings from flags, a file and the environment, as clients of confluent-kafka.

Secrets live in one place, the settings of a `Connection`, whose repr hides them. Client logs go to Python's logging
(`recorder.kafka`), never to the terminal.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from recorder.errors import KafkaUnavailableError, UsageError
from recorder.kafka.properties import Property, hide_secrets, parse_assignment, read_properties, translate

CLIENT_ID = "kafka-blackbox"
Client = TypeVar("Client")
LOG = logging.getLogger("recorder.kafka")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False
_HUNG_UP = re.compile(
    r"([^\s/]+)/(?:bootstrap|-?\d+): Disconnected.* \(after \d{1,3}ms in state (?:APIVERSION_QUERY|UP)"
)


@dataclass(frozen=True)
class Connection:
    """A cluster's address and client settings; makes clients that say who they are."""

    bootstrap: str
    settings: dict[str, str] = field(repr=False)
    origins: dict[str, str] = field(repr=False, default_factory=dict)
    """Where each setting was written, for error messages."""
    errors: list[str] = field(repr=False, default_factory=list, compare=False)
    """What the clients heard from brokers lately, newest last."""
    _refused_by: set[str] = field(repr=False, default_factory=set, compare=False)
    _lock: threading.Lock = field(repr=False, default_factory=threading.Lock, compare=False)

    def config(self, **overrides: Any) -> dict[str, Any]:
        """Settings for one client; `overrides` use `_` for `.` (``linger_ms=1``; not in ``stats_cb``)."""
        return {
            "client.id": CLIENT_ID,
            **self.settings,
            "bootstrap.servers": self.bootstrap,
            "error_cb": self._heard,
            **{_librdkafka_name(name): value for name, value in overrides.items()},
        }

    def consumer(self, **overrides: Any) -> Consumer:
        """A consumer for `assign`; it has no group to join and nothing to commit."""
        # librdkafka asks for a group id even where no group is used; none is ever joined or committed to.
        own = {"group.id": CLIENT_ID, "enable.auto.commit": False, "enable.auto.offset.store": False}
        config = self.config(**overrides) | own
        return self._make(lambda: Consumer(config, logger=_Ear(self)))

    def producer(self, **overrides: Any) -> Producer:
        config = self.config(**overrides)
        return self._make(lambda: Producer(config, logger=_Ear(self)))

    def admin(self, **overrides: Any) -> AdminClient:
        config = self.config(**overrides)
        return self._make(lambda: AdminClient(config, logger=_Ear(self)))

    @property
    def refused(self) -> bool:
        """Every broker of the bootstrap list refused our credentials, or showed a certificate that we can't trust.

        Trying again would not help, and may lock the account.
        """
        with self._lock:
            return len(self._refused_by) >= len(self.bootstrap.split(","))

    def unavailable(self, error: KafkaException | KafkaError, doing: str) -> KafkaUnavailableError:
        """A sentence for an error of a client: what was being done, where, why as the brokers told it."""
        kafka_error = error.args[0] if isinstance(error, KafkaException) else error
        with self._lock:
            latest = {text.partition(": ")[0]: text for text in self.errors[-5:]}
        heard = "; ".join(latest.values()).removeprefix(f"{self.bootstrap}: ")
        reason = heard or str(kafka_error.str())
        return KafkaUnavailableError(f"Can't {doing} at {self.bootstrap}: {reason}.{_advice(kafka_error, reason)}")

    def _make(self, build: Callable[[], Client]) -> Client:
        try:
            return build()
        except KafkaException as error:
            text = " ".join(hide_secrets(error.args[0].str(), self.settings).split())
            text = re.sub(r"^Failed to create [a-z ]+: ", "", text).rstrip(".")
            key = max((key for key in self.settings if key in text), key=len, default="")
            where = self.origins.get(key, "The client configuration")
            locked = re.search("mac verify failure|PEM lib|bad decrypt|bad password", text)
            advice = "Check the file and its password" if locked else "Correct or remove the setting"
            raise UsageError(f"{where}: {_readable(text)}. {advice}.") from None

    def _heard(self, error: KafkaError) -> None:
        LOG.info("%s", error)
        # "All brokers down" only repeats what the single brokers' errors said better.
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            hopeless = error.code() in {KafkaError._AUTHENTICATION, KafkaError._SSL} or "SSL alert" in error.str()
            self._remember(_readable(error.str()), hopeless=hopeless)

    def _remember(self, text: str, *, hopeless: bool = False) -> None:
        with self._lock:
            self.errors.append(text)
            del self.errors[:-20]
            if hopeless:
                self._refused_by.add(text.partition(": ")[0])


class _Ear:
    """The logger of a client: passes on to Python's logging, and remembers what no error tells.

    A broker that wants another security protocol just hangs up, which the client takes for a small thing.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def log(self, level: int, form: str, *words: Any) -> None:
        LOG.log(level, form, *words)
        if match := _HUNG_UP.search(str(words[-1:])):
            self._connection._remember(f"{match[1]}: the connection was closed at once")


def gather(properties: Sequence[str] = (), command_config: Path | None = None) -> list[Property]:
    """All settings as given, those for other clients included: the file's first, then `-X`. Raises UsageError."""
    entries = read_properties(command_config) if command_config else []
    return [*entries, *map(parse_assignment, properties)]


def connect(bootstrap: str | None, properties: Sequence[str] = (), command_config: Path | None = None) -> Connection:
    """Gather settings: the file first, `-X` over it, `-b` over both. Opens no connection; UsageError when unusable."""
    entries = gather(properties, command_config)
    settings = translate(entries)
    servers = bootstrap or settings.get("bootstrap.servers")
    if not servers:
        raise UsageError("No cluster given: use -b HOST:PORT, or set KAFKA_BOOTSTRAP_SERVERS.")
    for server in servers.split(","):
        host, colon, port = server.strip().rpartition(":")
        if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise UsageError(
                f"'{server.strip()}' is not a broker's address: write HOST:PORT, for example localhost:9092."
            )
    settings.pop("bootstrap.servers", None)
    settings.setdefault("client.id", CLIENT_ID)
    return Connection(servers, settings, {entry.key: entry.where for entry in entries})


def _librdkafka_name(keyword: str) -> str:
    return keyword if keyword.endswith("_cb") else keyword.replace("_", ".")


def _readable(text: str) -> str:
    """librdkafka's message without its bookkeeping: `ssl://HOST:PORT/bootstrap: … (after 0ms in state CONNECT, …)`."""
    text = re.sub(r"^(?:\w+://)?(\S+?)/(?:bootstrap|-?\d+): ", r"\1: ", text.split(" (after ")[0])
    return re.sub(r"error:[0-9A-F]+:SSL routines::", "", text).strip().rstrip("?.")


def _advice(error: KafkaError, reason: str) -> str:
    if "SASL mechanism" in reason and "nsupported" in reason:
        return " Check sasl.mechanism."
    if error.code() == KafkaError._AUTHENTICATION or "uthentication" in reason:
        return " Check the user name and password (sasl.*)."
    if "PLAINTEXT" in reason:
        return " The broker speaks no TLS there: check the port and security.protocol."
    if "SSL" in reason or "certificate" in reason:
        return " Check security.protocol and the certificates (ssl.*)."
    if "Invalid response size" in reason or "closed at once" in reason:
        return " It may be no Kafka, or want another security.protocol (SSL, SASL_SSL)."
    if error.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}:
        return " Ask for the READ right on the topic."
    if error.code() in {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
    }:
        return " Check the address, and that the broker is up and reachable from here."
    return ""
