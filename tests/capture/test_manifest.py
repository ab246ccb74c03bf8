"""Manifests are read strictly: torn, foreign, hostile or too new ones are refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.capture import migrations
from recorder.capture.lineage import new_step, without_secrets
from recorder.capture.manifest import Gap, Manifest, Note, Partition, decode, encode, new_capture_id
from recorder.capture.migrations import migrate
from recorder.capture.schema import FORMAT_VERSION
from recorder.errors import CaptureError, ExitCode
from tests.builders import T0, make_capture

Tree = dict[str, Any]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v"), ("t", 1, T0, "k", "v")], topics={"u": 2})
    return json.loads((capture.root / "manifest.json").read_text())  # type: ignore[no-any-return]


def read(tree: Tree) -> Manifest:
    return decode(json.dumps(tree).encode(), where="manifest.json")


def segment(tree: Tree) -> Tree:
    return tree["topics"][0]["partitions"][0]["segments"][0]  # type: ignore[no-any-return]


def test_it_reads_back_as_it_was_written_and_the_same_each_time(tree: Tree) -> None:
    manifest = read(tree)
    assert decode(encode(manifest), where="") == manifest
    assert encode(manifest) == encode(read(tree))
    assert encode(manifest).endswith(b"}\n")


def test_fields_of_later_releases_are_ignored(tree: Tree) -> None:
    manifest = read(tree)
    tree["later"] = {"a": 1}
    tree["topics"][0]["partitions"][0]["later"] = True
    assert read(tree) == manifest


@pytest.mark.parametrize("version", [2, 3, 10**6, 2**70])
def test_a_capture_from_the_future_asks_for_an_upgrade(tree: Tree, version: int) -> None:
    tree["format_version"] = version
    with pytest.raises(CaptureError, match="please upgrade"):
        read(tree)


@pytest.mark.parametrize("version", [None, "1", 1.5, True, [], 0, -1])
def test_what_is_no_version_is_refused(tree: Tree, version: object) -> None:
    tree["format_version"] = version
    with pytest.raises(CaptureError):
        read(tree)


def test_migrations_are_a_ladder(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "FORMAT_VERSION", FORMAT_VERSION + 2)
    monkeypatch.setitem(migrations.STEPS, FORMAT_VERSION, lambda tree: {**tree, "one": 1})
    monkeypatch.setitem(migrations.STEPS, FORMAT_VERSION + 1, lambda tree: {**tree, "two": tree["one"] + 1})
    climbed = migrate(tree, where="")
    assert (climbed["format_version"], climbed["two"]) == (FORMAT_VERSION + 2, 2)
    assert tree["format_version"] == FORMAT_VERSION


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "records/../../x.parquet",
        "records/t/0/../../../../x",
        "records/./t/0/x.parquet",
        "records//t/0/x.parquet",
        "records/t/0/x.parquet/",
        "records\\t\\0\\x.parquet",
        "records/t\0/x",
        "records",
        "manifest.json",
        "C:/records/x",
        "",
    ],
)
def test_a_path_that_leaves_the_capture_is_refused(tree: Tree, path: str) -> None:
    segment(tree)["path"] = path
    with pytest.raises(CaptureError, match="outside the capture"):
        read(tree)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "a\nb", "é", "a\0", "x" * 250, "\x1b[2Jhi"])
@pytest.mark.parametrize("with_partitions", [True, False])
def test_a_name_that_no_topic_can_have_is_refused(tree: Tree, name: str, with_partitions: bool) -> None:
    tree["topics"][1]["name"] = name
    if not with_partitions:
        tree["topics"][1]["partitions"] = []
    with pytest.raises(CaptureError, match="no Kafka topic") as refused:
        read(tree)
    assert str(refused.value).isprintable()


def _same_topic(tree: Tree) -> None:
    tree["topics"][1]["name"] = "t"


def _same_partition(tree: Tree) -> None:
    tree["topics"][0]["partitions"][1]["partition"] = 0


def _same_file(tree: Tree) -> None:
    tree["topics"][0]["partitions"][1]["segments"] = tree["topics"][0]["partitions"][0]["segments"]


@pytest.mark.parametrize("change", [_same_topic, _same_partition, _same_file])
def test_what_is_named_twice_is_refused(tree: Tree, change: Any) -> None:
    change(tree)
    with pytest.raises(CaptureError, match="2 times"):
        read(tree)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bytes", -1),
        ("records", 2**63),
        ("first_offset", -1),
        ("first_offset", 1e400),
        ("last_offset", "5"),
        ("min_timestamp_ms", 2**63),
        ("min_timestamp_ms", -(2**63) - 1),
        ("sha256", None),
        ("path", 5),
    ],
)
def test_a_number_that_can_not_be_is_refused_with_its_place(tree: Tree, field: str, value: object) -> None:
    segment(tree)[field] = value
    with pytest.raises(CaptureError, match=r"segments\[0\]|torn or altered"):
        read(tree)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"format_version": 1}', b"[" * 200_000])
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(CaptureError):
        decode(raw, where="manifest.json")


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_fail_otherwise(raw: bytes) -> None:
    with pytest.raises(CaptureError):
        decode(raw, where="manifest.json")


def test_losses_are_named_by_place_and_reason(tree: Tree) -> None:
    partition = Partition(
        partition=3,
        start_offset=0,
        end_offset=10,
        gaps=(
            Gap(first_offset=0, last_offset=1, missing=2, reason="expired"),
            Gap(first_offset=2, last_offset=5, missing=4, reason="unread"),
            Gap(first_offset=7, last_offset=7, missing=1, reason="unexplained"),
        ),
        headers_lost=(6,),
    )
    manifest = read(tree)
    topic = manifest.topics[0].__class__(name="t", id=None, partitions=(partition,))
    lossy = manifest.__class__(
        **{name: getattr(manifest, name) for name in manifest.__struct_fields__}
        | {"topics": (topic,), "notes": (Note(level="info", text="x"), Note(level="loss", text="y"))}
    )
    assert [loss.sentence() for loss in lossy.losses] == [
        "y",
        "t/3: 4 offsets unread",
        "t/3: 1 offsets unexplained",
        "t/3: headers of 1 records could not be read",
    ]
    assert manifest.losses == ()
    assert ExitCode.LOSS == 3


def test_a_capture_id_is_new_each_time() -> None:
    assert len({new_capture_id() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (["-X", "sasl.password=hunter2", "-t", "x"], ["-X", "sasl.password=…", "-t", "x"]),
        (["-Xsasl.password=hunter2"], ["-Xsasl.password=…"]),
        (["-X", "a=b=hunter2"], ["-X", "a=…"]),
        (["-X", "a=1", "-X", "b=2", "-o", "x=y"], ["-X", "a=…", "-X", "b=…", "-o", "x=y"]),
    ],
)
def test_a_step_keeps_the_command_without_its_secrets(typed: list[str], kept: list[str]) -> None:
    assert list(without_secrets(typed)) == kept


def test_a_step_says_who_when_where_and_with_what() -> None:
    step = new_step("record", "id", command=["blackbox", "record", "-X", "ssl.key.password=hunter2"])
    assert step.tool.startswith("kafka-blackbox ")
    assert step.at_ms > T0 - 10**12
    assert "hunter2" not in repr(step)
