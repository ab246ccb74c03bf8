"""Replaying against another schema registry: its consumers read the values that were recorded, by its own ids."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from recorder.cli.main import main
from recorder.kafka.local import LocalKafka
from recorder.kafka.local_registry import LocalRegistry, local_registry
from recorder.replaying.certificate import read_certificate
from tests.conftest import MakeTopic, create_topic
from tests.guid_registry import guid_registry
from tests.integration.registry_guard import guarding
from tests.integration.serializing import KINDS, Kind
from tests.integration.serializing import value as value_of

pytestmark = pytest.mark.integration

MONEY = {"type": "record", "name": "Money", "namespace": "pay", "fields": [{"name": "cents", "type": "long"}]}
FIELDS = [{"name": "id", "type": "string"}, {"name": "price", "type": "pay.Money"}]
OLD = {"type": "record", "name": "Paid", "namespace": "pay", "fields": FIELDS}
NEW = {**OLD, "fields": [*FIELDS, {"name": "note", "type": ["null", "string"], "default": None}]}
KEY = {"type": "record", "name": "Key", "namespace": "pay", "fields": [{"name": "id", "type": "string"}]}
CUSTOMER = {"$id": "customer.json", "type": "object", "properties": {"name": {"type": "string"}}}
REFUND = {
    "$id": "refund.json", "title": "Refund", "type": "object",
    "properties": {"id": {"type": "string"}, "customer": {"$ref": "customer.json"}},
}  # fmt: skip
ODD = [b"\0text that begins with NUL", b"\0\0", b"{}", None]


@pytest.fixture(scope="module")
def other_registry() -> Iterator[LocalRegistry]:
    """The target's: it has given its first ids to other schemas."""
    with local_registry() as running:
        client = SchemaRegistryClient({"url": running.url})
        for number in range(7):
            decoy = {"type": "enum", "name": f"Decoy{number}", "symbols": ["A"]}
            client.register_schema(f"decoy-{number}", Schema(json.dumps(decoy), "AVRO"))
        yield running


@pytest.fixture
def messages() -> tuple[type[Any], type[Any]]:
    """Protobuf's Paid, the second message of its file, and the Money of another file."""
    field = descriptor_pb2.FieldDescriptorProto
    package = f"pay{uuid.uuid4().hex[:8]}"
    money = descriptor_pb2.FileDescriptorProto(name=f"{package}/money.proto", package=package, syntax="proto3")
    money.message_type.add(name="Money").field.add(name="cents", number=1, type=field.TYPE_INT64, label=1)
    paid = descriptor_pb2.FileDescriptorProto(
        name=f"{package}/paid.proto", package=package, syntax="proto3", dependency=[money.name]
    )
    paid.message_type.add(name="Other").field.add(name="x", number=1, type=field.TYPE_STRING, label=1)
    message = paid.message_type.add(name="Paid")
    message.field.add(name="id", number=1, type=field.TYPE_STRING, label=1)
    message.field.add(name="price", number=2, type=field.TYPE_MESSAGE, type_name=f".{package}.Money", label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(money)
    pool.Add(paid)
    found = [pool.FindMessageTypeByName(f"{package}.{name}") for name in ("Paid", "Money")]
    return message_factory.GetMessageClass(found[0]), message_factory.GetMessageClass(found[1])


@pytest.fixture
def recorded(
    kafka: LocalKafka, registry: LocalRegistry, make_topic: MakeTopic, messages: tuple[type[Any], type[Any]],
    tmp_path: Path,
) -> tuple[Path, dict[str, str]]:  # fmt: skip
    """A capture of three topics in three formats, each with a reference, and what they are called."""
    paid, money = messages
    client = SchemaRegistryClient({"url": registry.url})
    topics = {what: make_topic(name=what) for what in ("avro", "json", "protobuf")}
    for subject, text, kind in (
        (f"{topics['avro']}-money", MONEY, "AVRO"),
        (f"{topics['json']}-customer", CUSTOMER, "JSON"),
    ):
        client.register_schema(subject, Schema(json.dumps(text), kind))
    producer = Producer({"bootstrap.servers": kafka.bootstrap})

    def send(what: str, serializer: Callable[..., bytes | None], value: object, key: bytes | None = b"k") -> None:
        context = SerializationContext(topics[what], MessageField.VALUE)
        producer.produce(topics[what], serializer(value, context), key=key, headers=[("a", b"1")])

    refers = [SchemaReference("pay.Money", f"{topics['avro']}-money", 1)]
    keys = AvroSerializer(client, Schema(json.dumps(KEY), "AVRO"))
    for schema, extra in ((OLD, {}), (NEW, {"note": "späť"})):
        values = AvroSerializer(client, Schema(json.dumps(schema), "AVRO", references=refers))
        for number in range(3):
            key = keys({"id": f"p-{number}"}, SerializationContext(topics["avro"], MessageField.KEY))
            send("avro", values, {"id": f"p-{number}", "price": {"cents": number}, **extra}, key)
    refers = [SchemaReference("customer.json", f"{topics['json']}-customer", 1)]
    send("json", JSONSerializer(Schema(json.dumps(REFUND), "JSON", references=refers), client),
         {"id": "r", "customer": {"name": "Zoë"}})  # fmt: skip
    send("protobuf", ProtobufSerializer(paid, client, {"use.deprecated.format": False}),
         paid(id="x", price=money(cents=5)))  # fmt: skip
    assert producer.flush(30) == 0
    return record(kafka, registry.url, tmp_path / "c", list(topics.values())), topics


def test_trap_27_deserializers_at_the_target_read_what_was_recorded(
    kafka: LocalKafka, registry: LocalRegistry, target_kafka: LocalKafka, other_registry: LocalRegistry,
    recorded: tuple[Path, dict[str, str]], messages: tuple[type[Any], type[Any]], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    capture, topics = recorded
    words = [str(capture), "-m", f"{topics['avro']}:={topics['avro']}.ci", "--create-topics", "--allow-raw"]
    assert replay(target_kafka, *words, "--dry-run") == 0
    assert "consumers that ask another registry would find other schemas" in capsys.readouterr().out
    words += ["--target-registry", other_registry.url]
    assert replay(target_kafka, *words, "--dry-run", "--format", "json") == 0
    planned = json.loads(capsys.readouterr().out)["schemas"]
    assert {row["schema_is"] for row in planned} == {"to be registered"}
    there = SchemaRegistryClient({"url": other_registry.url})
    assert f"{topics['avro']}.ci-value" not in there.get_subjects()

    assert replay(target_kafka, *words, "--certificate", str(tmp_path / "k.json")) == 0
    here = SchemaRegistryClient({"url": registry.url})
    for what, target in ((what, topic + (".ci" if what == "avro" else "")) for what, topic in topics.items()):
        before, after = read_all(kafka, topics[what]), read_all(target_kafka, target)
        assert len(before) == len(after) > 0
        assert [message.headers() for message in before] == [message.headers() for message in after]
        old, new = (deserializer(what, client, messages[0]) for client in (here, there))
        assert [value(old, message) for message in before] == [value(new, message) for message in after]
        assert all(one.value()[:5] != other.value()[:5] for one, other in zip(before, after, strict=True))
        assert [one.value()[5:] for one in before] == [other.value()[5:] for other in after]
        if what == "avro":
            old_key, new_key = AvroDeserializer(here), AvroDeserializer(there)
            context = SerializationContext(target, MessageField.KEY)
            assert [old_key(one.key(), context) for one in before] == [new_key(one.key(), context) for one in after]

    certificate = read_certificate(tmp_path / "k.json")
    translated = {what: count for what, count in certificate.changes.marked.items() if "schema id" in what}
    assert sorted(translated.values()) == [1, 1, 3, 3, 6]
    assert len(certificate.registered_schemas) == 8  # five that records name, and what three of them refer to
    # Again, now that all of them are there: nothing is registered, and looking up is enough.
    assert replay(target_kafka, *words, "--no-register", "--certificate", str(tmp_path / "again.json")) == 0
    again = read_certificate(tmp_path / "again.json")
    assert again.registered_schemas == ()
    assert again.changes.marked == certificate.changes.marked


@pytest.mark.parametrize("kind", KINDS)
def test_trap_27_headers_that_name_schemas_by_guid_name_the_targets(
    kafka: LocalKafka, registry: LocalRegistry, target_kafka: LocalKafka, other_registry: LocalRegistry,
    make_topic: MakeTopic, tmp_path: Path, kind: str,
) -> None:  # fmt: skip
    topic = make_topic(name=f"headed-{kind}")
    with guid_registry(registry.url) as source, guid_registry(other_registry.url) as target:
        here, there = (SchemaRegistryClient({"url": url}) for url in (source, target))
        producer = Producer({"bootstrap.servers": kafka.bootstrap})
        by_side = {side: Kind(kind, here, topic, side, in_header=True) for side in ("key", "value")}
        for number, version in enumerate((1, 1)):
            headers: list[tuple[str, bytes | None]] = [("a", b"1")]
            sides = {}
            for side, written in by_side.items():
                context = SerializationContext(topic, written.field, headers)
                serialize = written.serializer(version)
                sides[side] = serialize(written.shaped(value_of(number, version), version), context)
            producer.produce(topic, **sides, headers=headers)
        assert producer.flush(30) == 0
        capture = record(kafka, source, tmp_path / "c", [topic])
        words = [str(capture), "--create-topics", "--allow-raw", "--target-registry", target]
        assert replay(target_kafka, *words) == 0
        before, after = read_all(kafka, topic), read_all(target_kafka, topic)
        assert [(one.key(), one.value()) for one in before] == [(one.key(), one.value()) for one in after]
        for one, other in zip(before, after, strict=True):
            old, new = dict(one.headers() or []), dict(other.headers() or [])
            assert list(old) == list(new)
            for side in by_side:
                name = f"__{side}_schema_id"
                assert old[name] != new[name]
                assert old[name][17:] == new[name][17:]  # Protobuf's message indexes
                found = [
                    client.get_schema_by_guid(str(uuid.UUID(bytes=content[name][1:17])))
                    for client, content in ((here, old), (there, new))
                ]
                assert found[0].schema_str == found[1].schema_str


def test_everything_that_stands_against_a_translation_is_said_at_once(
    target_kafka: LocalKafka, other_registry: LocalRegistry, recorded: tuple[Path, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    capture, topics = recorded
    there = SchemaRegistryClient({"url": other_registry.url})
    clash = {**OLD, "fields": [{"name": "other", "type": "int"}]}
    there.register_schema(f"{topics['avro']}-key", Schema(json.dumps(clash), "AVRO"))
    there.register_schema(f"{topics['json']}-customer", Schema(json.dumps({**CUSTOMER, "description": "x"}), "JSON"))
    there.register_schema(f"{topics['avro']}-money", Schema(json.dumps({**MONEY, "doc": "in cents"}), "AVRO"))
    words = [str(capture), "--create-topics", "--allow-raw", "--dry-run", "--target-registry", other_registry.url]
    assert replay(target_kafka, *words) == 1
    said = told(capsys)
    assert "is not compatible with" in said and "which keeps it in another spelling" in said
    assert replay(target_kafka, *words, "--no-register", "--subject-map", f"{topics['avro']}-key:=elsewhere") == 1
    assert told(capsys).count("is not in the target registry") == 5 + 2
    assert replay(target_kafka, *words, "--subject-map", "nobody:=x") == 2
    with guarding(other_registry.url) as guard:
        words[-1] = guard.url
        guard.mode = "READONLY"
        assert replay(target_kafka, *words) == 1
        assert "mode is READONLY" in told(capsys)
        guard.denied = True
        assert replay(target_kafka, *words) == 1
        assert "does not let us look up or register" in told(capsys)
        assert topics["avro"] not in guard.written
    assert replay(target_kafka, *words) == 1
    assert "can't be reached" in told(capsys)


def test_what_the_registry_refuses_only_when_written_stops_the_replay_before_its_first_record(
    target_kafka: LocalKafka, other_registry: LocalRegistry, recorded: tuple[Path, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    capture, topics = recorded
    with guarding(other_registry.url) as guard:
        guard.may_register = False
        words = [str(capture), "--create-topics", "--allow-raw", "--target-registry", guard.url]
        assert replay(target_kafka, *words) == 1
    said = told(capsys)
    assert "Nothing was sent." in said and "Give credentials that may" in said
    with pytest.raises(AssertionError):
        read_all(target_kafka, topics["avro"])


def test_trap_27_payloads_that_only_look_framed_are_never_rewritten_and_always_counted(
    kafka: LocalKafka, registry: LocalRegistry, target_kafka: LocalKafka, other_registry: LocalRegistry, topic: str,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    client = SchemaRegistryClient({"url": registry.url})
    framed = AvroSerializer(client, Schema(json.dumps(KEY), "AVRO"))(
        {"id": "1"}, SerializationContext(topic, MessageField.VALUE)
    )
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for payload in (*ODD, framed):
        producer.produce(topic, payload)
    assert producer.flush(30) == 0
    capture = record(kafka, registry.url, tmp_path / "c", [topic])
    create_topic(target_kafka.bootstrap, topic)
    kept = tmp_path / "k.json"
    words = [str(capture), "--allow-raw", "--target-registry", other_registry.url, "--certificate", str(kept)]
    assert replay(target_kafka, *words) == 7
    assert "--allow-unknown-schemas" in capsys.readouterr().err
    assert replay(target_kafka, *words, "--allow-unknown-schemas") == 0
    arrived = [message.value() for message in read_all(target_kafka, topic)]
    assert arrived[:-1] == ODD
    assert arrived[-1][:5] != framed[:5] and arrived[-1][5:] == framed[5:]
    marked = read_certificate(kept).changes.marked
    text = int.from_bytes(b"text", "big")
    assert marked[f"{topic}: values' schema id {text} is unknown and was left as it is"] == 1
    assert sum(marked.values()) == 2


def deserializer(what: str, client: SchemaRegistryClient, paid: type[Any]) -> Callable[..., Any]:
    if what == "avro":
        return AvroDeserializer(client)
    if what == "json":
        return JSONDeserializer(None, schema_registry_client=client)
    return ProtobufDeserializer(paid, {"use.deprecated.format": False}, client)


def value(read: Callable[..., Any], message: Message) -> Any:
    return read(message.value(), SerializationContext(message.topic(), MessageField.VALUE))


def record(kafka: LocalKafka, registry: str, capture: Path, topics: list[str]) -> Path:
    words = [word for topic in topics for word in ("-t", topic)]
    assert (
        run("record", "-b", kafka.bootstrap, *words, "--from", "beginning", "-o", str(capture),
            "--schema-registry", registry) == 0
    )  # fmt: skip
    return capture


def replay(kafka: LocalKafka, capture: str, *words: str) -> int:
    kept = [] if "--certificate" in words else ["--certificate", f"{capture}.json"]
    return run("replay", capture, "-b", kafka.bootstrap, "--topspeed", "--no-calibration", *words, *kept)


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """Output without line breaks."""
    captured = capsys.readouterr()
    return " ".join(" ".join(line.strip(" │") for line in (captured.out + captured.err).splitlines()).split())


def read_all(kafka: LocalKafka, topic: str) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "x", "enable.partition.eof": True})
    assert topic in consumer.list_topics(timeout=10).topics
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found: list[Message] = []
    while (message := consumer.poll(10)) is not None and message.error() is None:
        found.append(message)
    consumer.close()
    return found
