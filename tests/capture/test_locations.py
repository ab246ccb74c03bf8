"""A capture in an object store is read in place, by everything that reads one on disk, and checked as strictly."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import recorder
from recorder.capture.manifest import encode
from recorder.capture.reader import Capture, open_capture
from recorder.capture.verify import failed, verify
from recorder.errors import CaptureError, StoreUnavailableError, UsageError
from recorder.query import Session
from tests.builders import T0, make_capture
from tests.cli.running import run
from tests.object_store import Bucket, bucket, object_store, rights_checked

__all__ = ["bucket", "object_store"]

RECORDS = [("orders", i % 3, T0 + i, f"k{i}", {"id": i, "text": "x" * (i % 100)}) for i in range(3_000)]
FIRST = "records/orders/0/00000000000000000000.parquet"


@pytest.fixture
def local(tmp_path: Path) -> Capture:
    return make_capture(tmp_path / "incident", RECORDS, topics={"orders": 3, "empty": 2}, segment_records=400)


@pytest.fixture
def uri(local: Capture, bucket: Bucket) -> str:
    assert isinstance(local.root, Path)
    return bucket.put(local.root, "a b/incident")


def test_records_are_those_of_the_directory(local: Capture, uri: str) -> None:
    there = recorder.open_capture(uri)
    assert there.manifest == local.manifest
    assert list(there.records()) == list(local.records())
    some = recorder.Selection(keys=(b"k7", b"k8"), window=recorder.Window(T0 + 5, T0 + 8))
    assert [record.key for record in there.records(some)] == [b"k7"]


def test_sql_gives_the_same_answers_and_reads_nothing_else(local: Capture, uri: str, tmp_path: Path) -> None:
    there = open_capture(uri)
    query = (
        "SELECT partition, count(*), min(value), sum(octet_length(value_bytes)) FROM records GROUP BY ALL ORDER BY ALL"
    )
    assert there.sql(query).equals(local.sql(query))
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with Session(there) as session:
        for source in (f"'{secret}'", "'capture://segments/records/../../x.parquet'", f"'{uri}/{FIRST}'"):
            with pytest.raises(UsageError, match="no other files"):
                session.query(f"FROM {source}")


def test_every_verb_takes_the_uri(uri: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (
        ["info", uri],
        ["ls", uri, "--gaps"],
        ["cat", uri, "-n", "2"],
        ["verify", uri],
        ["sql", uri, "SELECT count(*) FROM orders", "-o", tmp_path / "out.csv"],
    ):
        ran = run(capsys, *words)
        assert ran.code == 0, ran.err
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "3000"
    assert run(capsys, "inspect", uri).sentence().startswith("inspect needs a terminal")


def test_a_flipped_byte_a_missing_and_an_added_object_are_found(uri: str, bucket: Bucket) -> None:
    name = f"a b/incident/{FIRST}"
    content = bytearray(bucket.read(name))
    content[len(content) // 2] ^= 1
    bucket.write(name, bytes(content))
    bucket.remove("a b/incident/records/orders/1/00000000000000000000.parquet")
    bucket.write("a b/incident/records/orders/1/note.txt", b"added")
    found = {(check.where, check.detail) for check in verify(uri) if check.status == "FAILED"}
    assert found == {
        (FIRST, "its SHA-256 is not the manifest's: the file was altered"),
        ("records/orders/1/00000000000000000000.parquet", "is missing"),
        ("records/orders/1/note.txt", "is not named in the manifest: it was added later"),
    }
    with pytest.raises(CaptureError, match=r"orders/1/0+\.parquet is missing"):
        open_capture(uri).sql("SELECT count(value) FROM orders WHERE partition = 1")


def test_whole_is_whole(uri: str) -> None:
    assert not failed(verify(uri))


def test_paths_may_not_leave_the_prefix(local: Capture, bucket: Bucket) -> None:
    tree = msgspec.json.decode(encode(local.manifest))
    for path in ("records/../../other/secret.parquet", "../x.parquet", "/etc/passwd", "records//x"):
        tree["topics"][0]["partitions"][0]["segments"] = [
            {**tree["topics"][1]["partitions"][0]["segments"][0], "path": path}
        ]
        bucket.write("evil/manifest.json", msgspec.json.encode(tree))
        with pytest.raises(CaptureError, match="outside the capture"):
            open_capture(f"{bucket.uri}/evil")


def test_what_is_no_capture_there_is_said(bucket: Bucket) -> None:
    bucket.write("begun/checkpoint.json", b"{}")
    bucket.write("other/x", b"x")
    with pytest.raises(UsageError, match="does not exist"):
        open_capture(f"{bucket.uri}/nothing")
    with pytest.raises(UsageError, match="is a file"):
        open_capture(f"{bucket.uri}/other/x")
    with pytest.raises(CaptureError, match="is not a capture"):
        open_capture(f"{bucket.uri}/other")
    with pytest.raises(CaptureError, match="unfinished recording"):
        open_capture(f"{bucket.uri}/begun")
    with pytest.raises(StoreUnavailableError, match="There is no bucket s3://not-there"):
        open_capture("s3://not-there/x")


def test_credentials_that_the_store_does_not_know(uri: str, capsys: pytest.CaptureFixture[str]) -> None:
    with rights_checked():
        ran = run(capsys, "info", uri)
    assert ran.code == 1
    assert f"No right to read {uri}/manifest.json" in ran.sentence()
