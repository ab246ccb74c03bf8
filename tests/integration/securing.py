"""Certificates, key stores and a locked Kafka: what stands between a client and production, made for each run."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from recorder.kafka.local import LocalKafka, local_kafka
from recorder.kafka.local_security import Security
from tests.conftest import create_topic, wait_until

_VALID = datetime.timedelta(days=30)


@dataclass(frozen=True)
class Identity:
    """A private key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def pem(self, password: str | None = None) -> bytes:
        """Key (PKCS8) and certificate in one file, as Java reads it."""
        return self.key_pem(password) + self.certificate_pem()

    def key_pem(self, password: str | None = None) -> bytes:
        kind = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, kind, _encryption(password))

    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def pkcs12(self, password: str) -> bytes:
        return pkcs12.serialize_key_and_certificates(b"me", self.key, self.certificate, None, _encryption(password))


class Authority:
    """Somebody who signs certificates."""

    def __init__(self, name: str = "Test CA") -> None:
        self.root = _sign(name, None, authority=True)

    def identity(self, name: str) -> Identity:
        """A certificate for the common name `name`, good for a server on 127.0.0.1 too."""
        return _sign(name, self.root, authority=False)

    def truststore(self, password: str) -> bytes:
        """A PKCS12 store that holds only the authority's certificate."""
        trusted = pkcs12.PKCS12Certificate(self.root.certificate, b"ca")
        return pkcs12.serialize_java_truststore([trusted], _encryption(password))


def allow(cluster: LocalKafka, user: str, topic: str, *operations: AclOperation) -> None:
    """Give a user rights on a topic; returns when every broker knows."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    rules = [_rule(AclBinding, user, topic, operation) for operation in operations]
    for future in admin.create_acls(rules).values():
        future.result(timeout=30)

    def known() -> bool:
        asked = _rule(AclBindingFilter, user, topic, AclOperation.ANY)
        return len(admin.describe_acls(asked).result(timeout=10)) >= len(rules)

    wait_until(known, what=f"{user} has rights on {topic}")


def forbid(cluster: LocalKafka, user: str, topic: str) -> None:
    """Take away all rights that a user was given on a topic; returns when the brokers know."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    rules = _rule(AclBindingFilter, user, topic, AclOperation.ANY)
    admin.delete_acls([rules])[rules].result(timeout=30)
    wait_until(lambda: not admin.describe_acls(rules).result(timeout=10), what=f"{user} has no rights on {topic}")


def write_properties(path: Path, settings: Mapping[str, object]) -> Path:
    """A `client.properties` as kafka-console-consumer takes it."""
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return path


def _rule(kind: type[AclBinding], user: str, topic: str, operation: AclOperation) -> AclBinding:
    return kind(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, AclPermissionType.ALLOW
    )


def _sign(name: str, by: Identity | None, *, authority: bool) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    here = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
    )
    return Identity(key, builder.sign(by.key if by else key, hashes.SHA256()))


def _encryption(password: str | None) -> serialization.KeySerializationEncryption:
    return serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()


@dataclass(frozen=True)
class SecureKafka:
    """A locked cluster, and a directory with what its clients need to get in."""

    cluster: LocalKafka
    home: Path
    authority: Authority

    def client(self, login: str, **changes: object) -> Path:
        """A `client.properties` for kafka-console-consumer that lets alice in; `changes` use `_` for `.`, None removes.

        `login` is ``PLAIN``, ``SCRAM-SHA-512``, ``OAUTHBEARER``, or the kind of store for mutual TLS: ``PEM`` or
        ``PKCS12``.
        """
        settings: dict[str, object] = {
            "bootstrap.servers": self.cluster.secured["SSL" if login in _STORES else "SASL_SSL"],
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.home / "ca.pem",
            "group.id": "someone-elses-group",
            "auto.offset.reset": "earliest",
        }
        if login in _STORES:
            settings |= {"security.protocol": "SSL"} | {k: self.home / v for k, v in _STORES[login].items()}
            settings |= _STORE_SETTINGS[login]
        else:
            settings |= {"security.protocol": "SASL_SSL", "sasl.mechanism": login, "sasl.jaas.config": _JAAS[login]}
        settings |= {name.replace("_", "."): value for name, value in changes.items()}
        path = self.home / f"{login}-{abs(hash(tuple(settings.items())))}.properties"
        return write_properties(path, {key: value for key, value in settings.items() if value is not None})


PASSWORDS = {"alice": "alice-hunter2", "bob": "bob-hunter2"}
KEY_PASSWORD, STORE_PASSWORD, TRUST_PASSWORD = "key-hunter2", "store-hunter2", "trust-hunter2"
SECRETS = (*PASSWORDS.values(), KEY_PASSWORD, STORE_PASSWORD, TRUST_PASSWORD)

_MODULE = "org.apache.kafka.common.security"
_WHO = f'username="alice" password="{PASSWORDS["alice"]}"'
_JAAS = {
    "PLAIN": f"{_MODULE}.plain.PlainLoginModule required {_WHO};",
    "SCRAM-SHA-512": f"{_MODULE}.scram.ScramLoginModule required {_WHO};",
    "OAUTHBEARER": f'{_MODULE}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="alice";',
}
_STORES = {
    "PEM": {"ssl.keystore.location": "alice.pem"},
    "PKCS12": {"ssl.keystore.location": "alice.p12", "ssl.truststore.location": "trust.p12"},
}
_STORE_SETTINGS = {
    "PEM": {"ssl.keystore.type": "PEM", "ssl.key.password": KEY_PASSWORD},
    "PKCS12": {
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.password": STORE_PASSWORD,
        "ssl.truststore.type": "PKCS12",
        "ssl.truststore.password": TRUST_PASSWORD,
    },
}


@contextmanager
def secure_kafka(home: Path) -> Iterator[SecureKafka]:
    """Run a locked cluster whose users are those of PASSWORDS; other groups are in use there, as in production."""
    authority = Authority()
    alice = authority.identity("alice")
    for name, content in {
        "ca.pem": authority.root.certificate_pem(),
        "broker.pem": authority.identity("broker").pem(),
        "alice.pem": alice.pem(KEY_PASSWORD),
        "alice.p12": alice.pkcs12(STORE_PASSWORD),
        "trust.p12": authority.truststore(TRUST_PASSWORD),
        "stranger.pem": Authority("Somebody else").identity("alice").pem(),
        "stranger-ca.pem": Authority("Somebody else").root.certificate_pem(),
    }.items():
        (home / name).write_bytes(content)
    # A careless client would create what it asks for.
    careless = {"auto.create.topics.enable": "true"}
    security = Security(home / "broker.pem", home / "ca.pem", PASSWORDS, careless)
    with local_kafka(security=security) as cluster:
        create_topic(cluster.bootstrap, "theirs")
        consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": "theirs"})
        consumer.commit(offsets=[TopicPartition("theirs", 0, 0)], asynchronous=False)
        consumer.close()
        yield SecureKafka(cluster, home, authority)


def everything_there(cluster: LocalKafka) -> dict[str, object]:
    """All that a guest could have changed: topics, partitions and where they end, groups and what they committed."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    topics = admin.list_topics(timeout=10).topics
    places = [TopicPartition(name, number) for name in sorted(topics) for number in topics[name].partitions]
    ends = admin.list_offsets({place: OffsetSpec.latest() for place in places})
    groups = sorted(group.group_id for group in admin.list_consumer_groups().result(timeout=10).valid)
    return {
        "ends": {(place.topic, place.partition): future.result(timeout=10).offset for place, future in ends.items()},
        "groups": groups,
        "acls": len(admin.describe_acls(_EVERY_RULE).result(timeout=10)),
    }


_EVERY_RULE = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)
