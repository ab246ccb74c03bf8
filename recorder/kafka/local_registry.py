"""A real schema registry for demos and tests: Apicurio Registry, which speaks Confluent's API, on the local Java.

It keeps everything in memory and goes with the program that started it.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recorder.kafka.local_install import Central, LocalKafkaError, find_java, locked_cache, publishing
from recorder.kafka.local_process import LocalProcess, free_ports

REGISTRY_VERSION = "3.0.9"
_COORDINATES = f"io.apicurio:apicurio-registry-app:{REGISTRY_VERSION}:all:tar.gz"
_SHA256 = "2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43"
_JAVA_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_SETTINGS = (
    "-Dquarkus.http.host=127.0.0.1",
    # As Confluent's registry does: two spellings of one schema have one id.
    "-Dapicurio.ccompat.use-canonical-hash=true",
    "-Dapicurio.ccompat.max-subjects=100000",
)
_START_SECONDS = 60.0


@dataclass(frozen=True)
class LocalRegistry:
    """A running registry: the URL for clients, and its process to kill and start again (it forgets all then)."""

    url: str
    process: LocalProcess

    def wait_ready(self, seconds: float = _START_SECONDS) -> None:
        """Return once it answers. Raises `LocalKafkaError` with the end of its log when it died or the time is over."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            if not self.process.running:
                raise LocalKafkaError(f"The local schema registry died at start; {self.process.log_end()}")
            if time.monotonic() > deadline:
                raise LocalKafkaError(
                    f"No answer from the schema registry after {seconds:.0f} s; {self.process.log_end()}"
                )
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def local_registry() -> Iterator[LocalRegistry]:
    """Run a schema registry for the length of the `with` block, checking new versions for BACKWARD compatibility."""
    java, jars = find_java(), _install()
    home = Path(tempfile.mkdtemp(prefix="blackbox-registry-"))
    (port,) = free_ports(1)
    runner = jars / f"apicurio-registry-app-{REGISTRY_VERSION}-runner.jar"
    process = LocalProcess(
        port=port,
        log_path=home / "registry.log",
        command=[str(java), *_JAVA_OPTIONS, *_SETTINGS, f"-Dquarkus.http.port={port}", "-jar", str(runner)],
        lifetime="temporary",
        home=home,
    )
    registry = LocalRegistry(f"http://127.0.0.1:{port}/apis/ccompat/v7", process)
    try:
        process.start()
        registry.wait_ready()
        _put(f"{registry.url}/config", b'{"compatibility":"BACKWARD"}')
        yield registry
    finally:
        process.kill()
        shutil.rmtree(home, ignore_errors=True)


def _install() -> Path:
    """Where the registry's jars lie, downloaded first (109 MB) when this is the first time."""
    with locked_cache() as cache:
        target = cache / f"registry-{REGISTRY_VERSION}"
        if not target.is_dir():
            print(f"downloading Apicurio Registry {REGISTRY_VERSION} (109 MB, once) …", file=sys.stderr)  # noqa: T201
            with publishing(target) as staging:
                archive = Central(staging / "repository", f"Apicurio Registry {REGISTRY_VERSION}").fetch(
                    _COORDINATES, _SHA256
                )
                with tarfile.open(archive) as packed:
                    packed.extractall(staging / "whole", filter="data")
    return target


def _put(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        pass
