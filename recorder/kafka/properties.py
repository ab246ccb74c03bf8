"""A Java-style `client.properties` in librdkafka's words; what can't be translated is named by file and line.

Teams have one such file that works with Kafka's own tools; it must work here unchanged. Values are never part of a
message: they may be secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.errors import UsageError

REGISTRY_PREFIXES = ("schema.registry.", "basic.auth.", "bearer.auth.")
"""Keys that belong to the schema registry's client, not to Kafka's."""

_IGNORED = {
    # They choose how a Java program decodes, joins a group, polls or reports; this program does none of it that way.
    "key.deserializer",
    "value.deserializer",
    "key.serializer",
    "value.serializer",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "partition.assignment.strategy",
    "auto.offset.reset",
    "enable.auto.commit",
    "auto.commit.interval.ms",
    "max.poll.records",
    "default.api.timeout.ms",
    "exclude.internal.topics",
    "partitioner.class",
    "interceptor.classes",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "auto.include.jmx.reporter",
    "enable.metrics.push",
    "sasl.login.callback.handler.class",
    "sasl.client.callback.handler.class",
    "ssl.protocol",
    "ssl.enabled.protocols",
    "ssl.keymanager.algorithm",
    "ssl.trustmanager.algorithm",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "sasl.oauthbearer.jwt.retriever.class",
    "sasl.oauthbearer.jwt.validator.class",
    "security.providers",
}
_RENAMED = {
    "metadata.broker.list": "bootstrap.servers",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "fetch.max.wait.ms": "fetch.wait.max.ms",
}
_FOR_PROGRAMS = {"default.topic.config", "logger", "on_commit", "on_delivery"}
_SECRET = re.compile(r"password|secret|token|jaas|\.key\b|pem|username|user\.info")
_STORE_PASSWORDS = {
    "ssl.truststore.location": "ssl.truststore.password",
    "ssl.keystore.location": "ssl.keystore.password",
}
_FILES = {
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.crl.location",
    "sasl.kerberos.keytab",
}
_PEM_TEXTS = {
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.key": "ssl.key.pem",
}
_JAAS_OPTION = re.compile(r"""([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;]+))""")
_JAAS_NAMES = {
    "username": "sasl.username",
    "password": "sasl.password",
    "clientId": "sasl.oauthbearer.client.id",
    "clientSecret": "sasl.oauthbearer.client.secret",
    "scope": "sasl.oauthbearer.scope",
}
_UNSECURED_NAME = "unsecuredLoginStringClaim_sub"
"""Who one is to a broker that takes tokens without a signature: development only, in Java as here."""


@dataclass(frozen=True, slots=True)
class Property:
    """One setting and where it was written; its repr holds no value."""

    key: str
    value: str
    where: str

    def __repr__(self) -> str:
        return f"Property({self.key}, {self.where})"


def read_properties(path: Path) -> list[Property]:
    """The settings of a Java properties file, in order; UsageError when it can't be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"Can't read the client configuration {path}: {error.strerror}.") from None
    if b"\0" in raw:
        raise UsageError(f"The client configuration {path} is not a text file.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # what Java takes it for
    return list(_parse(text, path))


def parse_assignment(text: str) -> Property:
    """A `-X key=value` of the command line."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not re.fullmatch(r"[\w.-]+", key):
        name = re.match(r"[a-z.]*", key)
        raise UsageError(
            f"-X {name[0] if name else ''}… is no setting: write -X key=value, for example -X security.protocol=SSL."
        )
    return Property(key, value, f"-X {key}")


def hide_secrets(text: str, settings: dict[str, str]) -> str:
    """`text` without the values of settings that may be secret."""
    for key, value in settings.items():
        if len(value) > 2 and _SECRET.search(key):
            text = text.replace(value, "…")
    return text


def translate(properties: list[Property]) -> dict[str, str]:
    """librdkafka's settings for Java's; UsageError names what has no counterpart, and where it stands."""
    given = {entry.key: entry for entry in properties}
    result: dict[str, str] = {}
    for entry in given.values():
        key = entry.key
        if key in _IGNORED or key.startswith(REGISTRY_PREFIXES):
            continue
        if key == "sasl.jaas.config":
            result.update(_jaas(entry))
        elif key in _PEM_TEXTS:
            result[_PEM_TEXTS[key]] = entry.value
        elif key in _STORE_PASSWORDS:
            result.update(_store(entry, given))
        elif key in {"ssl.truststore.type", "ssl.keystore.type"}:
            continue
        elif key == "ssl.truststore.password":
            continue  # used where the store is read
        elif key == "ssl.endpoint.identification.algorithm":
            result[key] = entry.value or "none"
        elif key.endswith("_cb") or key in _FOR_PROGRAMS:
            raise UsageError(f"{entry.where}: {key} takes a function, which only a program can give: remove it.")
        else:
            result[_RENAMED.get(key, key)] = entry.value
    if "sasl.oauthbearer.token.endpoint.url" in result:
        result.setdefault("sasl.oauthbearer.method", "oidc")
    for key, path in result.items():
        if key in _FILES and path != "probe" and not Path(path).exists():
            where = next((entry.where for entry in given.values() if entry.value == path), "The client configuration")
            raise UsageError(f"{where}: {key} names the file {path}, which does not exist.")
    return result


def _store(entry: Property, given: dict[str, Property]) -> dict[str, str]:
    """librdkafka reads PEM, and of PKCS12 only key stores; whatever else a Java store may be becomes PEM texts."""
    from recorder.kafka.stores import StoreError, kind_of, read_store

    trust = entry.key == "ssl.truststore.location"
    path = Path(entry.value)
    passwords = [given[key].value if key in given else "" for key in (_STORE_PASSWORDS[entry.key], "ssl.key.password")]
    try:
        kind = kind_of(path)
        if kind == "PEM" and trust:
            return {"ssl.ca.location": entry.value}
        if kind == "PEM":  # Java keeps chain and key in one file
            return {"ssl.certificate.location": entry.value, "ssl.key.location": entry.value}
        if kind == "PKCS12" and not trust:
            return {entry.key: entry.value}
        store = read_store(path, *passwords)
    except OSError as error:
        raise UsageError(f"{entry.where}: {entry.key} names {path}: {error.strerror}.") from None
    except StoreError as error:
        raise UsageError(
            f"{entry.where}: {path} {error}. Check {_STORE_PASSWORDS[entry.key]}, or convert the store to PKCS12 "
            "(keytool -importkeystore … -deststoretype PKCS12)."
        ) from None
    own = {"ssl.certificate.pem": store.chain, "ssl.key.pem": store.key}
    found = {"ssl.ca.pem": store.certificates} if trust else own
    if not all(found.values()):
        what = "trusted certificate" if trust else "private key with its certificate"
        raise UsageError(f"{entry.where}: {path} holds no {what}: is it the right store?")
    return found


def _jaas(entry: Property) -> Iterator[tuple[str, str]]:
    module = entry.value.split(None, 1)[0] if entry.value.strip() else ""
    if not module.endswith(("PlainLoginModule", "ScramLoginModule", "OAuthBearerLoginModule")):
        # What stands there is shown only if it is the name of a module, for it could be anything.
        named = f"names the login module {module}" if module.endswith("LoginModule") else "names no login module"
        raise UsageError(
            f"{entry.where}: sasl.jaas.config {named} that has a counterpart here: "
            "use PLAIN, SCRAM or OAUTHBEARER, or give librdkafka's own sasl.* settings with -X."
        )
    for name, double, single, bare in _JAAS_OPTION.findall(entry.value):
        value = re.sub(r"\\(.)", r"\1", double) or single or bare
        if name in _JAAS_NAMES:
            yield _JAAS_NAMES[name], value
        elif name == _UNSECURED_NAME:
            yield "enable.sasl.oauthbearer.unsecure.jwt", "true"
            yield "sasl.oauthbearer.config", f"principal={value}"


def _parse(text: str, path: Path) -> Iterator[Property]:
    """Java's rules: # and ! start comments, `=`, `:` or space divides, a trailing backslash continues the line."""
    lines = iter(enumerate(re.split(r"\r\n|\r|\n", text), start=1))
    for number, line in lines:
        logical = line.lstrip()
        if not logical or logical[0] in "#!":
            continue
        while (len(logical) - len(logical.rstrip("\\"))) % 2:
            _, following = next(lines, (number, ""))
            logical = logical[:-1] + following.lstrip()
        match = re.match(r"((?:[^\\:=\s]|\\.)+)\s*[:=\s]\s*(.*)", logical) or re.match(r"(\S+)()", logical)
        if match:
            key, value = (re.sub(r"\\(u[0-9a-fA-F]{4}|.)", _unescape, part) for part in match.groups())
            yield Property(key, value, f"{path}:{number}")


def _unescape(match: re.Match[str]) -> str:
    if len(match[1]) > 1:
        return chr(int(match[1][1:], 16))
    return {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}.get(match[1], match[1])
