"""An S3-compatible server on this machine, and captures in it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own for a test, and the client that a test looks into it with."""

    endpoint: str
    name: str
    files: Any

    @property
    def uri(self) -> str:
        return f"s3://{self.name}"

    def names(self, prefix: str = "") -> list[str]:
        """All objects below a prefix, relative to it."""
        from pyarrow import fs

        below = f"{self.name}/{prefix}".rstrip("/")
        found = self.files.get_file_info(fs.FileSelector(below, recursive=True, allow_not_found=True))
        return sorted(info.path.removeprefix(f"{below}/") for info in found if info.type == fs.FileType.File)

    def read(self, name: str) -> bytes:
        with self.files.open_input_file(f"{self.name}/{name}") as file:
            content: bytes = file.read()
        return content

    def write(self, name: str, content: bytes) -> None:
        with self.files.open_output_stream(f"{self.name}/{name}") as file:
            file.write(content)

    def remove(self, name: str) -> None:
        self.files.delete_file(f"{self.name}/{name}")

    def put(self, directory: Path, prefix: str) -> str:
        """Copy a directory there; its URI."""
        from pyarrow import fs

        fs.copy_files(
            str(directory), f"{self.name}/{prefix}", source_filesystem=fs.LocalFileSystem(),
            destination_filesystem=self.files,
        )  # fmt: skip
        return f"{self.uri}/{prefix}"

    def get(self, prefix: str, directory: Path) -> Path:
        """Copy a prefix down, byte for byte."""
        for name in self.names(prefix):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(self.read(f"{prefix}/{name}"))
        return directory


@pytest.fixture(scope="session")
def object_store() -> Iterator[Any]:
    """The server, with nothing in it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(object_store: Any, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket; the environment says how to get there, as a person's would."""
    from pyarrow import fs

    host, port = object_store.get_host_and_port()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    files = fs.S3FileSystem(
        endpoint_override=f"{host}:{port}", scheme="http", region="us-east-1", access_key="AKIATEST",
        secret_key="secret", allow_bucket_creation=True,
    )  # fmt: skip
    name = f"test-{uuid.uuid4().hex}"
    files.create_dir(name)
    return Bucket(f"http://{host}:{port}", name, files)


@contextmanager
def rights_checked() -> Iterator[None]:
    """Meanwhile the server asks whether a key is known, and none is."""
    from moto import settings

    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    try:
        yield
    finally:
        settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
