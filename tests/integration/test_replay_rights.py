"""Trap 22: which rights a replay needs, and that missing ones are told before its first record."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from recorder.replaying.certificate import read_certificate
from tests.builders import make_capture, record
from tests.cli.running import run
from tests.conftest import create_topic
from tests.integration.securing import SecureKafka, allow

pytestmark = pytest.mark.integration

NOW = time.time_ns() // 1_000_000 - 60_000


def test_reading_back_takes_read_on_the_topic_no_right_to_groups_and_is_asked_for_before(
    secure_kafka: SecureKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic, kept = f"rights-{uuid.uuid4().hex[:8]}", tmp_path / "kept.json"
    create_topic(secure_kafka.cluster.bootstrap, topic)
    rows = [record(topic, 0, NOW + i, f"k{i}", "v") for i in range(20)]
    root = make_capture(tmp_path / "c", rows, clean=True, created_at_ms=NOW + 60_000).root
    words = ("replay", root, "-F", secure_kafka.client("PLAIN"), "--certificate", kept, "--no-calibration")
    allow(secure_kafka.cluster, "alice", topic, AclOperation.DESCRIBE)
    refused = run(capsys, *words, "--probe", "--prove")
    assert refused.code == 1
    assert "We may not write to it" in refused.err
    assert "We may not read it, as --prove and --probe would. Ask for the right READ" in refused.err
    allow(secure_kafka.cluster, "alice", topic, AclOperation.WRITE)
    assert run(capsys, *words, "--dry-run").code == 0  # nobody asks to read
    allow(secure_kafka.cluster, "alice", topic, AclOperation.READ)
    ran = run(capsys, *words, "--probe", "--prove")
    assert ran.code == 0, ran.err
    certificate = read_certificate(kept)
    assert certificate.probed is not None and certificate.proof is not None
    assert (certificate.probed.matched, certificate.probed.missing) == (20, 0)
    assert certificate.proof.holds


def test_a_topic_that_we_may_not_create_is_told_of_before_anything_is(
    secure_kafka: SecureKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"rights-{uuid.uuid4().hex[:8]}"
    rows = [record(f"{name}.{n}", 0, NOW, "k", "v") for n in (0, 1)]
    root = make_capture(tmp_path / "c", rows, clean=True, created_at_ms=NOW + 60_000).root
    words = (
        "replay",
        root,
        "-F",
        secure_kafka.client("PLAIN"),
        "--create-topics",
        "--certificate",
        tmp_path / "k.json",
    )
    allow(secure_kafka.cluster, "alice", f"{name}.0", AclOperation.CREATE, AclOperation.WRITE)
    refused = run(capsys, *words)
    assert refused.code == 1
    assert f"{name}.1: It can't be created" in refused.sentence() and "right CREATE" in refused.err
    allow(secure_kafka.cluster, "alice", f"{name}.1", AclOperation.CREATE, AclOperation.WRITE)
    ran = run(capsys, *words)
    assert ran.code == 0, ran.err
    assert ran.err.count("creating topic") == 2  # the first was not created in vain
