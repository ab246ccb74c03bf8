"""What Confluent's serializers wrote, in every kind and frame, is read from the capture when the registry is gone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import SerializationContext

from recorder.capture.reader import Capture, open_capture
from recorder.capture.verify import failed, verify
from recorder.cli.main import main
from recorder.kafka.local import LocalKafka
from recorder.kafka.local_registry import LocalRegistry
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.snapshot import book_of
from tests.conftest import create_topic
from tests.guid_registry import guid_registry
from tests.integration.recording import rows
from tests.integration.serializing import KINDS, Kind, value

pytestmark = pytest.mark.integration

PLACES = [(kind, in_header) for kind in KINDS for in_header in (False, True)]
COUNT = 5
"""Records of each of two versions, in turns."""


def topic_of(kind: str, in_header: bool) -> str:
    return f"offline-{kind}-{'header' if in_header else 'prefix'}"


@pytest.fixture(scope="module")
def written() -> dict[str, list[tuple[Any, Any]]]:
    """What keys and values must be read as, by topic, as it was written."""
    return {}


@pytest.fixture(scope="module")
def capture(
    kafka: LocalKafka, registry: LocalRegistry, written: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Capture:
    """A topic for each kind of schema and of frame, recorded; the registry that they were written with is gone."""
    root = tmp_path_factory.mktemp("offline") / "c"
    with guid_registry(registry.url) as url:
        client = SchemaRegistryClient({"url": url})
        client.set_compatibility(
            level="NONE"
        )  # this registry can't compare descriptors, which the serializer registers
        producer = Producer({"bootstrap.servers": kafka.bootstrap})
        for kind, in_header in PLACES:
            topic = topic_of(kind, in_header)
            create_topic(kafka.bootstrap, topic)
            sides = [Kind(kind, client, topic, side, in_header=in_header) for side in ("key", "value")]
            serializers = [[side.serializer(version) for side in sides] for version in (1, 2)]
            for number in range(2 * COUNT):
                version = number % 2 + 1
                headers: list[tuple[str, bytes]] = [("other", b"x")]
                key, content = (
                    serializer(
                        side.shaped(value(number, version), version), SerializationContext(topic, side.field, headers)
                    )
                    for side, serializer in zip(sides, serializers[version - 1], strict=True)
                )
                producer.produce(topic, content, key, headers=headers)
                expected = sides[0].expected(value(number, version))
                written.setdefault(topic, []).append((expected, expected))
        client.set_compatibility(level="BACKWARD")
        assert producer.flush(30) == 0
        topics = [word for place in PLACES for word in ("-t", topic_of(*place))]
        with pytest.raises(SystemExit) as ended:
            main(
                [
                    "record",
                    "-b",
                    kafka.bootstrap,
                    *topics,
                    "--from",
                    "beginning",
                    "--schema-registry",
                    url,
                    "-o",
                    str(root),
                ]
            )
        assert ended.value.code == 0
    assert not failed(verify(root))
    return open_capture(root)


@pytest.mark.parametrize(("kind", "in_header"), PLACES)
def test_every_record_decodes_to_what_was_written_and_encodes_to_its_bytes(
    capture: Capture, written: dict[str, Any], kind: str, in_header: bool
) -> None:
    topic = topic_of(kind, in_header)
    codecs = Codecs(book_of(capture))
    sides = [Decoder(codecs, topic, "key"), Decoder(codecs, topic, "value")]
    records = rows(capture, topic)
    assert len(records) == 2 * COUNT
    for record, expected in zip(records, written[topic], strict=True):
        payloads = (record.key, record.value)
        for decoder, payload, known in zip(sides, payloads, expected, strict=True):
            decoded = decoder.decode(payload, record.headers)
            assert (decoded.reason, decoded.frame is not None and decoded.frame.in_header) == (None, in_header)
            assert json.loads(decoded.json) == known
            assert decoded.exact
            changed = {**decoded.value, "id": "other"}  # type: ignore[dict-item]
            assert decoder.decode(decoded.encode(changed), record.headers).value == changed


@pytest.mark.parametrize(("kind", "in_header"), PLACES)
def test_a_query_sees_one_typed_view_of_both_versions(
    capture: Capture, written: dict[str, Any], kind: str, in_header: bool
) -> None:
    topic = topic_of(kind, in_header)
    rows = capture.sql(
        f'SELECT id, key_id, note, price, value_json, value_reason, key_json FROM "{topic}" ORDER BY "offset"'
    ).to_pylist()
    for row, (key, content) in zip(rows, written[topic], strict=True):
        assert (row["id"], row["key_id"], row["note"]) == (content["id"], key["id"], content.get("note"))
        assert {name: str(item) for name, item in row["price"].items()} == {
            name: str(item) for name, item in content["price"].items()
        }
        assert (json.loads(row["value_json"]), json.loads(row["key_json"])) == (content, key)
        assert row["value_reason"] is None


def test_the_schemas_are_listed_with_subjects_and_versions(
    capture: Capture, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["schemas", str(capture.root), "--format", "json"])
    assert ended.value.code == 0
    listed = json.loads(capsys.readouterr().out)
    found = {
        (line["topic"], line["side"], line["subject"], line["version"], line["kind"], line["records"])
        for line in listed
    }
    assert found == {
        (topic_of(kind, in_header), side, f"{topic_of(kind, in_header)}-{side}", version, kind, COUNT)
        for kind, in_header in PLACES
        for side in ("key", "value")
        for version in (1, 2)
    }
