"""A local Kafka that outlives the command that started it: `blackbox local up`, `status` and `down`.

Everything about a cluster is one directory in the cache, so that another shell, or another day, finds it again.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import msgspec

from recorder.errors import UsageError
from recorder.kafka.local import LocalKafka, keep_class_archive, new_cluster_id, start_cluster
from recorder.kafka.local_install import LocalKafkaError, cache_directory, install, locked

_STOP_SECONDS = 30.0
_STATE_FILE = "cluster.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}")


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that `up` started. `pids` are those of its brokers by node id, from 1."""

    name: str
    bootstrap: str
    cluster_id: str
    started_ms: int
    pids: tuple[int, ...]

    @property
    def home(self) -> Path:
        return _homes() / self.name

    def alive(self) -> tuple[int, ...]:
        """The pids that still are brokers of this cluster (a pid may by now be another program's)."""
        return tuple(pid for pid in self.pids if f"{self.home}{os.sep}" in _command_of(pid))


def up(name: str, *, brokers: int) -> tuple[Cluster, bool]:
    """The running cluster of that name, and whether this call started it (with what it held before, if kept).

    Raises `LocalKafkaError` when it can't be started or some of its brokers have died, `UsageError` for a bad name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't name a local cluster: use letters, digits, - and _ (at most 41).")
    installation = install()
    _homes().mkdir(parents=True, exist_ok=True)
    with locked(_homes() / f"{name}.lock"):
        known = _load(_homes() / name)
        if known is not None and (alive := known.alive()):
            if len(alive) < len(known.pids):
                raise LocalKafkaError(
                    f"Of the {len(known.pids)} brokers of the local cluster {name} only {len(alive)} run: "
                    f"end it with 'blackbox local down --name {name}' and start it again."
                )
            return known, False
        if known is not None and len(known.pids) != brokers:
            raise UsageError(
                f"The kept data of the local cluster {name} belong to {len(known.pids)} brokers, not {brokers}: "
                f"say --brokers {len(known.pids)}, or remove them with 'blackbox local down --name {name}'."
            )
        if known is None:
            # Whatever an interrupted start left there belongs to a cluster id that nobody knows.
            shutil.rmtree(_homes() / name, ignore_errors=True)
        started = start_cluster(
            installation,
            _homes() / name,
            brokers=brokers,
            cluster_id=known.cluster_id if known else new_cluster_id(),
            lifetime="detached",
        )
        return _save(name, started), True


def down(name: str, *, keep_data: bool) -> Cluster:
    """Stop the brokers of a cluster and, unless `keep_data`, remove all it held. Raises `UsageError` if unknown."""
    known = _load(_homes() / name)
    if known is None:
        names = ", ".join(cluster.name for cluster in clusters())
        raise UsageError(f"There is no local cluster {name}" + (f"; there is {names}." if names else "."))
    with locked(_homes() / f"{name}.lock"):
        for pid in known.alive():
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while alive := known.alive():
            if time.monotonic() > deadline:
                for pid in alive:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        keep_class_archive(install(), known.home)
        if not keep_data:
            shutil.rmtree(known.home)
    return known


def clusters() -> list[Cluster]:
    """All clusters that were started and not removed, by name; whether they run is `Cluster.alive`."""
    return [cluster for home in sorted(_homes().glob("*/")) if (cluster := _load(home)) is not None]


def _homes() -> Path:
    return cache_directory() / "clusters"


def _load(home: Path) -> Cluster | None:
    try:
        return msgspec.json.decode((home / _STATE_FILE).read_bytes(), type=Cluster)
    except FileNotFoundError:
        return None


def _save(name: str, started: LocalKafka) -> Cluster:
    cluster = Cluster(
        name=name,
        bootstrap=started.bootstrap,
        cluster_id=started.cluster_id,
        started_ms=time.time_ns() // 1_000_000,
        pids=tuple(broker.pid for broker in started.brokers),
    )
    fresh = cluster.home / f"{_STATE_FILE}.new"
    fresh.write_bytes(msgspec.json.encode(cluster))
    fresh.replace(cluster.home / _STATE_FILE)
    return cluster


def _command_of(pid: int) -> str:
    """The command line of a process, empty when there is none of that id."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return ""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout
