"""A watcher's conditions see into what Confluent's serializers write, in every kind and frame, as it arrives."""

from __future__ import annotations

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import SerializationContext

from recorder.kafka.local_registry import LocalRegistry
from recorder.payloads.registry import connect_registry
from recorder.watching.figures import Figures
from recorder.watching.payloads import Payloads, condition
from tests.builders import T0, record, to_batch
from tests.guid_registry import guid_registry
from tests.integration.serializing import KINDS, Kind, value

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("in_header", [False, True], ids=["prefix", "header"])
@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_are_seen_in_every_version(registry: LocalRegistry, kind: str, in_header: bool) -> None:
    topic = f"watched-{kind}-{in_header}".lower()
    with guid_registry(registry.url) as url:
        client = SchemaRegistryClient({"url": url})
        client.set_compatibility(level="NONE")  # this registry can't compare descriptors
        sides = [Kind(kind, client, topic, side, in_header=in_header) for side in ("key", "value")]
        rows = []
        for number in range(4):
            version = number % 2 + 1
            headers: list[tuple[str, bytes]] = []
            payloads = [
                side.serializer(version)(
                    side.shaped(value(number, version), version), SerializationContext(topic, side.field, headers)
                )
                for side in sides
            ]
            rows.append(record(topic, 0, T0, *payloads, headers, offset=number))
        client.set_compatibility(level="BACKWARD")
        figures, told = Figures(), list[str]()
        payloads_of = Payloads(connect_registry(url), figures, told.append)
        batch = to_batch(rows)
        where = "value_json->>'$.id' = 'p-3' or key_json->>'$.id' = 'p-2'"
        assert condition(where).holds(batch, payloads_of.of(batch)).tolist() == [False, False, True, True]
        assert (figures.total("undecoded_payloads"), told) == (0, [])
