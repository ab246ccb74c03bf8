"""Recording with a schema registry: what Confluent's own serializers wrote is read back without any registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from recorder.capture.reader import open_capture
from recorder.capture.verify import failed, verify
from recorder.cli.main import main
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.local_registry import LocalRegistry
from recorder.payloads import registry as registries
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.snapshot import book_of
from tests.conftest import MakeTopic
from tests.integration.recording import rows
from tests.odd_registry import odd_registry, said

pytestmark = pytest.mark.integration

MONEY = {"type": "record", "name": "Money", "namespace": "pay", "fields": [
    {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
    {"name": "currency", "type": "string"}]}  # fmt: skip
FIELDS = [{"name": "id", "type": "string"}, {"name": "price", "type": "pay.Money"}]
OLD = {"type": "record", "name": "Paid", "namespace": "pay", "fields": FIELDS}
NEW = {**OLD, "fields": [*FIELDS, {"name": "note", "type": ["null", "string"], "default": None}]}
PLAIN = {"type": "object", "title": "Refund", "properties": {"id": {"type": "string"}, "cents": {"type": "integer"}}}

Written = list[tuple[str, Any]]


@pytest.fixture
def paid(kafka: LocalKafka, registry: LocalRegistry, make_topic: MakeTopic) -> tuple[str, str, Written]:
    """A topic of Avro in two versions with a reference, one of JSON Schema, and what was written to both."""
    client = SchemaRegistryClient({"url": registry.url})
    avro, plain = make_topic(name="paid"), make_topic(name="refunds")
    money = f"{avro}-money"
    client.register_schema(money, Schema(json.dumps(MONEY), "AVRO"))
    refers = [SchemaReference("pay.Money", money, 1)]
    written: Written = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap})

    def send(topic: str, serializer: Callable[..., bytes | None], value: dict[str, Any]) -> None:
        producer.produce(topic, serializer(value, SerializationContext(topic, MessageField.VALUE)), key=value["id"])
        written.append((topic, value))

    from decimal import Decimal

    price = {"amount": Decimal("12.50"), "currency": "EUR"}
    for schema, extra in ((OLD, {}), (NEW, {"note": "späť"})):
        serializer = AvroSerializer(client, Schema(json.dumps(schema), "AVRO", references=refers))
        for number in range(3):
            send(avro, serializer, {"id": f"p-{number}", "price": price, **extra})
    send(plain, JSONSerializer(json.dumps(PLAIN), client), {"id": "r-1", "cents": 1250})
    assert producer.flush(30) == 0
    return avro, plain, written


def test_what_serializers_wrote_is_read_back_offline(
    kafka: LocalKafka, registry: LocalRegistry, paid: tuple[str, str, Written], tmp_path: Path
) -> None:
    avro, plain, written = paid
    capture = tmp_path / "c"
    assert _record(kafka, capture, avro, plain, "--schema-registry", registry.url) == 0
    opened = open_capture(capture)
    assert not failed(verify(capture))
    asked = opened.sql(f'SELECT id, price.amount AS amount, note FROM "{avro}" ORDER BY "offset"').to_pylist()
    assert [(row["id"], str(row["amount"]), row["note"]) for row in asked] == [
        (value["id"], str(value["price"]["amount"]), value.get("note")) for topic, value in written if topic == avro
    ]
    assert opened.sql(f'SELECT id, cents FROM "{plain}"').to_pylist() == [{"id": "r-1", "cents": 1250}]
    assert opened.sql("SELECT count(*) AS n FROM records WHERE value_json IS NULL").to_pylist() == [{"n": 0}]
    codecs = Codecs(book_of(opened))
    for topic in (avro, plain):
        decoder = Decoder(codecs, topic, "value")
        found = [decoder.decode(record.value, record.headers) for record in rows(opened, topic)]
        assert [decoded.reason for decoded in found] == [None] * len(found)
        assert all(decoded.exact for decoded in found)
        expected = [value for to, value in written if to == topic]
        assert [json.loads(decoded.json)["id"] for decoded in found] == [value["id"] for value in expected]
    versions = {(schema.kind, version.version) for schema in book_of(opened) for version in schema.subjects}
    assert versions == {("avro", 1), ("avro", 2), ("json", 1)}


def test_a_registry_that_is_down_costs_schemas_and_no_records(
    kafka: LocalKafka, registry: LocalRegistry, paid: tuple[str, str, Written], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    avro, plain, written = paid
    capture = tmp_path / "c"
    assert _record(kafka, capture, avro, plain, "--schema-registry", "http://127.0.0.1:9") == 3
    assert "schemas are missing" in capsys.readouterr().err
    assert open_capture(capture).manifest.records == len(written)
    assert _run("schemas", str(capture)) == 3
    assert "missing" in capsys.readouterr().out
    assert _run("schemas", str(capture), "--fetch", "--schema-registry", registry.url) == 0
    shown = capsys.readouterr().out
    assert f"{avro}-value" in shown and f"{avro}-money" in shown
    assert not failed(verify(capture))
    assert open_capture(capture).manifest.losses == ()
    assert _run("schemas", str(capture)) == 0


def test_a_registry_that_hangs_or_refuses_costs_no_record_and_little_time_and_is_asked_later(
    kafka: LocalKafka, registry: LocalRegistry, paid: tuple[str, str, Written], tmp_path: Path,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    avro, plain, written = paid
    capture, settings = tmp_path / "c", tmp_path / "client.properties"
    settings.write_text("basic.auth.credentials.source=USER_INFO\nbasic.auth.user.info=someone:s3cr3t-word\n")
    monkeypatch.setattr(registries, "ANSWER_SECONDS", 1)
    with odd_registry({}) as odd:
        odd.answers["/"] = lambda request: (odd.over.wait(60), None)[1]
        assert _record(kafka, capture, avro, plain, "--schema-registry", odd.url, f"--command-config={settings}") == 3
        opened = open_capture(capture)
        assert opened.manifest.records == len(written)
        assert [loss.text.partition(":")[2] for loss in opened.manifest.losses if "schemas" in loss.text] == [
            f" The schema registry {odd.url} gave no answer in time. Fetch them later: "
            f"blackbox schemas {capture} --fetch --schema-registry URL"
        ]
        odd.answers["/"] = said(401, {"error_code": 40101, "message": "s3cr3t-word"})
        fetch = ("schemas", str(capture), "--fetch", f"--command-config={settings}", "--schema-registry")
        assert _run(*fetch, odd.url) == 3
        assert "answers 401" in open_capture(capture).manifest.losses[0].text
        assert not failed(verify(capture))
    assert _run(*fetch, registry.url) == 0
    assert open_capture(capture).manifest.losses == ()
    said_all = "".join(capfd.readouterr())
    assert "s3cr3t-word" not in said_all
    kept = b"".join(path.read_bytes() for path in capture.rglob("*") if path.is_file())
    assert b"s3cr3t-word" not in kept


def test_credentials_of_a_registry_are_kept_nowhere(
    kafka: LocalKafka, registry: LocalRegistry, paid: tuple[str, str, Written], tmp_path: Path
) -> None:
    avro, plain, _ = paid
    url = registry.url.replace("//", "//someone:s3cr3t-word@")
    assert _record(kafka, tmp_path / "c", avro, plain, "--schema-registry", url) == 0
    assert b"s3cr3t-word" not in (tmp_path / "c" / "manifest.json").read_bytes()


def test_java_numbers_are_not_taken_for_schemas(
    kafka: LocalKafka, registry: LocalRegistry, topic: str, tmp_path: Path
) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for number in range(2_000):
        producer.produce(topic, (number << 24).to_bytes(8, "big"))
    assert producer.flush(30) == 0
    assert _record(kafka, tmp_path / "c", topic, "--schema-registry", registry.url) == 0


def test_a_connection_without_a_registry_asks_for_none(kafka: LocalKafka) -> None:
    assert connect(kafka.bootstrap, ["basic.auth.user.info=a:b"]).settings.keys() == {"client.id"}


def _record(kafka: LocalKafka, capture: Path, *arguments: str) -> int:
    topics = [word for topic in arguments if not topic.startswith(("-", "http")) for word in ("-t", topic)]
    rest = [word for word in arguments if word.startswith(("-", "http"))]
    return _run("record", "-b", kafka.bootstrap, *topics, "--from", "beginning", "-o", str(capture), *rest)


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)
