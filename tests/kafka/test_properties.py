"""A Java `client.properties` works unchanged; what can't be translated is named by file and line, never by value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import UsageError
from recorder.kafka.properties import Property, hide_secrets, parse_assignment, read_properties, translate

SECRET = "hunter2;\"'\\ä"


def of(text: str, tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "client.properties"
    path.write_text(text)
    return translate(read_properties(path))


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("a.b=c", "a.b", "c"),
        ("  a.b = c d ", "a.b", "c d "),
        ("a.b:c", "a.b", "c"),
        ("a.b c", "a.b", "c"),
        ("a.b\t=\tc", "a.b", "c"),
        ("a.b=x=y:z", "a.b", "x=y:z"),
        ("a.b=", "a.b", ""),
        ("a.b", "a.b", ""),
        ("a.b=c\\\n    d", "a.b", "cd"),
        ("a.b=c\\\\\nx=1", "a.b", "c\\"),
        ("a.b=c\\", "a.b", "c"),
        ("a\\=b=c", "a=b", "c"),
        ("a.b=\\u00e4\\t\\n\\q", "a.b", "ä\t\nq"),
        ("\ufeffa.b=c", "a.b", "c"),
        ("# no\n! no\n\n   # no\r\na.b=c\r\n", "a.b", "c"),
    ],
)
def test_lines_are_read_by_the_rules_of_java(line: str, key: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(line.encode())
    first = read_properties(path)[0]
    assert (first.key, first.value) == (key, value)


@given(st.dictionaries(st.from_regex(r"[a-z]+(\.[a-z]+){0,3}", fullmatch=True), st.text(), max_size=5))
def test_what_java_would_write_is_read_back(settings: dict[str, str]) -> None:
    def escape(text: str) -> str:
        # java.util.Properties.store
        special = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "=": "\\=", ":": "\\:"}
        out = "".join(special.get(c, c if " " < c < "\x7f" else f"\\u{ord(c):04x}") for c in text if ord(c) < 0x10000)
        return out.replace("#", "\\#").replace("!", "\\!")

    def plain(text: str) -> str:
        return "".join(c for c in text if ord(c) < 0x10000)

    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as directory:
        path = Path(directory) / "f"
        path.write_text("".join(f"{key}={escape(value)}\n" for key, value in settings.items()), newline="")
        assert {entry.key: entry.value for entry in read_properties(path)} == {k: plain(v) for k, v in settings.items()}


def test_an_old_file_in_latin_1_is_read_as_java_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes("sasl.password=M\xfcnchen".encode("latin-1"))
    assert read_properties(path)[0].value == "München"


@pytest.mark.parametrize(
    ("module", "options", "expected"),
    [
        (
            "org.apache.kafka.common.security.plain.PlainLoginModule",
            'username="alice" password="se\\"cr;et"',
            {"sasl.username": "alice", "sasl.password": 'se"cr;et'},
        ),
        (
            "org.apache.kafka.common.security.scram.ScramLoginModule",
            "username='bob' password=plain",
            {"sasl.username": "bob", "sasl.password": "plain"},
        ),
        (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
            'clientId="id" clientSecret="s" scope="x y"',
            {
                "sasl.oauthbearer.client.id": "id",
                "sasl.oauthbearer.client.secret": "s",
                "sasl.oauthbearer.scope": "x y",
            },
        ),
        (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
            'unsecuredLoginStringClaim_sub="alice"',
            {"enable.sasl.oauthbearer.unsecure.jwt": "true", "sasl.oauthbearer.config": "principal=alice"},
        ),
    ],
)
def test_jaas_becomes_settings(module: str, options: str, expected: dict[str, str], tmp_path: Path) -> None:
    entry = Property("sasl.jaas.config", f"{module} required {options};", "f:1")
    assert translate([entry]) == expected


def test_a_usual_file_of_a_company_works_unchanged(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    settings = of(
        f"""
        bootstrap.servers=broker-1:9093,broker-2:9093
        security.protocol=SASL_SSL
        sasl.mechanism=SCRAM-SHA-512
        sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\
            username="svc" \\
            password="p";
        ssl.truststore.location={tmp_path}/ca.pem
        ssl.truststore.type=PEM
        ssl.endpoint.identification.algorithm=
        ssl.protocol=TLSv1.3
        key.deserializer=org.apache.kafka.common.serialization.StringDeserializer
        group.id=my-group
        auto.offset.reset=earliest
        max.poll.records=100
        send.buffer.bytes=100000
        schema.registry.url=https://registry:8081
        basic.auth.user.info=user:password
        """,
        tmp_path,
    )
    assert settings == {
        "bootstrap.servers": "broker-1:9093,broker-2:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "svc",
        "sasl.password": "p",
        "ssl.ca.location": f"{tmp_path}/ca.pem",
        "ssl.endpoint.identification.algorithm": "none",
        "socket.send.buffer.bytes": "100000",
    }


def test_the_last_of_two_settings_counts() -> None:
    assert translate([Property("a", "1", "f:1"), Property("a", "2", "-X a")]) == {"a": "2"}


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("ssl.truststore.location", "/x/kafka.jks", "No such file"),
        ("ssl.keystore.location", "/x/kafka.jks", "No such file"),
        ("ssl.ca.location", "/nowhere/ca.pem", "does not exist"),
        ("sasl.jaas.config", f"com.corp.MyLoginModule required password={SECRET};", "com.corp.MyLoginModule"),
        ("sasl.jaas.config", SECRET, "no login module"),
        ("error_cb", SECRET, "takes a function"),
        ("logger", SECRET, "takes a function"),
    ],
)
def test_what_has_no_counterpart_is_named_by_file_and_line(key: str, value: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        of(f"\n# first\n{key}={value.replace(chr(92), chr(92) * 2)}\n", tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path}/client.properties:3: ")
    assert "hunter2" not in message


def test_a_pkcs12_store_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "me.jks").write_bytes(b"\x30\x82")
    settings = of(f"ssl.keystore.location={tmp_path}/me.jks\nssl.keystore.password=p\n", tmp_path)
    assert settings == {"ssl.keystore.location": f"{tmp_path}/me.jks", "ssl.keystore.password": "p"}


def test_a_pem_key_store_is_chain_and_key_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "me.key").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    settings = of(f"ssl.keystore.location={tmp_path}/me.key\nssl.key.password=p\n", tmp_path)
    own = f"{tmp_path}/me.key"
    assert settings == {"ssl.certificate.location": own, "ssl.key.location": own, "ssl.key.password": "p"}


@pytest.mark.parametrize("text", ["", "=x", "sasl.password", f"sasl.password:{SECRET}", f"sasl.password {SECRET}=1"])
def test_an_assignment_without_a_value_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(UsageError, match="is no setting") as refused:
        parse_assignment(text)
    assert "hunter2" not in str(refused.value)


def test_an_assignment_keeps_its_value_as_it_is() -> None:
    assert parse_assignment(" a.b =c= d ").value == "c= d "


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_properties(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="directory"):
        read_properties(tmp_path)
    (tmp_path / "store.jks").write_bytes(b"\xfe\xed\0\0")
    with pytest.raises(UsageError, match="not a text file"):
        read_properties(tmp_path / "store.jks")


def test_a_value_is_never_part_of_a_repr() -> None:
    assert "hunter2" not in repr(Property("sasl.password", SECRET, "f:1"))
    assert "hunter2" not in repr([parse_assignment(f"sasl.password={SECRET}")])


def test_secrets_are_hidden_in_what_a_client_says() -> None:
    settings = {
        "sasl.password": "hunter2",
        "ssl.key.pem": "KEY",
        "sasl.oauthbearer.client.secret": "s3cr",
        "a": "plain",
    }
    said = hide_secrets("hunter2 and KEY and s3cr and plain", settings)
    assert said == "… and … and … and plain"
