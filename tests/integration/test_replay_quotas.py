"""Trap 22: the target's quotas are asked for before the first record, as they stand for us."""

from __future__ import annotations

import struct
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.local import LocalKafka
from recorder.kafka.quotas import Part, ProducerQuota, producer_quota
from recorder.kafka.wire import Wire, packed_string
from recorder.replaying import Options, prepare
from tests.builders import make_capture, record
from tests.conftest import create_topic, wait_until
from tests.integration.securing import SecureKafka

pytestmark = pytest.mark.integration

_ALTER_CLIENT_QUOTAS = 49
ANYONE, ANY_CLIENT = ("user", None), ("client-id", None)


def alter(bootstrap: str, parts: Sequence[Part], rate: float | None) -> None:
    """Set a producer_byte_rate, or remove it."""
    body = struct.pack(">ii", 1, len(parts)) + b"".join(
        packed_string(kind) + packed_string(name) for kind, name in parts
    )
    body += struct.pack(">i", 1) + packed_string("producer_byte_rate") + struct.pack(">d?", rate or 0.0, rate is None)
    wire = Wire(connect(bootstrap), bootstrap, 10.0)
    try:
        answer = wire.call(_ALTER_CLIENT_QUOTAS, 0, body + b"\x00")
        _throttled, entries, error = answer.read(">iih")
        assert (entries, error) == (1, 0), answer.string()
    finally:
        wire.close()


@contextmanager
def limited(bootstrap: str, parts: Sequence[Part], rate: float) -> Iterator[None]:
    alter(bootstrap, parts, rate)
    try:
        yield
    finally:
        alter(bootstrap, parts, None)


def quota(bootstrap: str, client: str) -> ProducerQuota:
    return producer_quota(Cluster(connect(bootstrap, [f"client.id={client}"])))


def test_the_most_particular_quota_holds(target_kafka: LocalKafka) -> None:
    bootstrap, me = target_kafka.bootstrap, f"me-{uuid.uuid4().hex[:8]}"
    mine = ("client-id", me)

    def wait_for(rate: float | None, of: str) -> None:
        wait_until(lambda: quota(bootstrap, me) == ProducerQuota(rate, of), what=f"a quota of {rate} for {of}")

    wait_for(None, "")
    with limited(bootstrap, [ANY_CLIENT], 9e9):
        wait_for(9e9, "--entity-type clients --entity-default")
        with limited(bootstrap, [mine], 8e9):
            wait_for(8e9, f"--entity-type clients --entity-name {me}")
            with limited(bootstrap, [ANYONE, mine], 7e9):
                wait_for(7e9, f"--entity-type users --entity-default --entity-type clients --entity-name {me}")
                with limited(bootstrap, [("user", "ANONYMOUS")], 6e9):
                    wait_for(6e9, "--entity-type users --entity-name ANONYMOUS")
    wait_for(None, "")


def test_trap_22_a_quota_below_the_busiest_second_is_found(target_kafka: LocalKafka, tmp_path: Path) -> None:
    name, me = f"limited-{uuid.uuid4().hex[:8]}", f"me-{uuid.uuid4().hex[:8]}"
    create_topic(target_kafka.bootstrap, name)
    now = time.time_ns() // 1_000_000 - 60_000
    rows = [record(name, 0, now + index, "k", b"x" * 1_000) for index in range(500)]
    recorded = make_capture(tmp_path / "c", rows, clean=True, created_at_ms=now + 60_000)
    target = connect(target_kafka.bootstrap, [f"client.id={me}", "compression.type=lz4"])

    def found(options: Options) -> list[str]:
        return [one.what for one in prepare(recorded, target, options).findings]

    with limited(target_kafka.bootstrap, [("client-id", me)], 300_000):
        wait_until(lambda: quota(target_kafka.bootstrap, me) != ProducerQuota(None), what="the quota")
        (what,) = found(Options())
        assert "lets us write 300,000 bytes a second" in what
        assert "busiest second brings 51" in what
        assert found(Options(rate=0.25)) == []


def test_a_target_that_does_not_tell_its_quotas_may_have_some(secure_kafka: SecureKafka) -> None:
    for login, why in {"PLAIN": "DESCRIBE_CONFIGS", "PEM": "DESCRIBE_CONFIGS", "PKCS12": "ssl.keystore"}.items():
        found = producer_quota(Cluster(connect(None, command_config=secure_kafka.client(login))))
        assert why in (found.unknown or "")
    assert producer_quota(Cluster(connect(secure_kafka.cluster.bootstrap))) == ProducerQuota(None)
