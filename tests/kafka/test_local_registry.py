"""The local schema registry: answers as Confluent's, and goes with who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from recorder.kafka.local_registry import LocalRegistry
from tests.conftest import wait_until


def test_registers_and_finds_a_schema(registry: LocalRegistry) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    text = '{"type":"record","name":"Paid","fields":[{"name":"amount","type":"long"}]}'
    number = client.register_schema("local-registry-test-value", Schema(text, "AVRO"))
    assert client.get_schema(number).schema_type == "AVRO"
    assert client.register_schema("local-registry-test-value", Schema(text, "AVRO")) == number


def test_ends_when_the_program_that_started_it_is_killed() -> None:
    program = (
        "from recorder.kafka.local_registry import local_registry\n"
        "import sys, signal\n"
        "with local_registry() as registry:\n"
        "    print(registry.process.pid, registry.process.home, flush=True)\n"
        "    signal.pause()\n"
    )
    started = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    pid, home = started.stdout.readline().split()
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stdout.close()
    wait_until(lambda: not _exists(int(pid)) and not Path(home).exists(), what="registry and its files are gone")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
