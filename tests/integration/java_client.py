"""Kafka's own Java producer, from the console tool of the same version as the broker."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable

from recorder.kafka.local_install import KAFKA_VERSION, Central, install, locked_cache

_TOOLS = f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}"
_DIGEST = "62f3c5dd7aa3442d4c5bc6a95f86e2502178ea09de8e27f74d9563bf955e253c"
_SEPARATOR = "\t"


def produce_lines(bootstrap: str, topic: str, records: Iterable[tuple[str, str]]) -> None:
    """Send (key, value) pairs; neither may hold a tab or the end of a line. Keys go where Java's producer puts them."""
    installation = install()
    with locked_cache() as cache:
        tools = Central(cache / "tools", "Kafka's tools").fetch(_TOOLS, _DIGEST)
    words = [
        *(str(installation.java), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8"),
        *("-cp", os.pathsep.join((str(tools), installation.class_path)), "org.apache.kafka.tools.ConsoleProducer"),
        *("--bootstrap-server", bootstrap, "--topic", topic),
        *("--reader-property", "parse.key=true", "--reader-property", f"key.separator={_SEPARATOR}"),
    ]
    lines = "".join(f"{key}{_SEPARATOR}{value}\n" for key, value in records)
    ran = subprocess.run(words, input=lines.encode(), capture_output=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr.decode()
