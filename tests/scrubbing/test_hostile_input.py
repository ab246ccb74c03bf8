"""Captures, payloads and policies made to break a scrub end it with a sentence, in time, and without a copy."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder.capture.reader import open_capture
from recorder.capture.verify import failed, verify
from recorder.cli.main import main
from recorder.errors import CaptureError, ExitCode, UsageError
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.suggest import suggest
from tests.builders import T0, make_capture, record
from tests.scrubbing.helpers import POLICY, SECRET, orders, policy


def fifo(segment: Path) -> None:
    segment.unlink()
    os.mkfifo(segment)


def directory(segment: Path) -> None:
    segment.unlink()
    segment.mkdir()


def column(name: str, value: object) -> Callable[[Path], None]:
    def change(segment: Path) -> None:
        table = pq.read_table(segment)
        place = table.schema.get_field_index(name)
        changed = pa.array([value] * len(table), table.schema.field(place).type)
        pq.write_table(table.set_column(place, table.schema.field(place), changed), segment)

    return change


def say_size(root: Path, segment: Path) -> None:
    """In the manifest, too."""
    name, size = segment.relative_to(root).as_posix(), segment.stat().st_size
    alter(root, lambda tree: [one.update(bytes=size) for one in segments(tree) if one["path"] == name])


def alter(root: Path, change: Callable[[Any], object]) -> None:
    """Rewrites the manifest."""
    manifest = root / "manifest.json"
    tree = json.loads(manifest.read_bytes())
    change(tree)
    manifest.write_text(json.dumps(tree))


def segments(tree: Any) -> list[dict[str, Any]]:
    return [one for topic in tree["topics"] for partition in topic["partitions"] for one in partition["segments"]]


CHANGES = {
    "a pipe": (fifo, "no file"),
    "a directory": (directory, "no file"),
    "another topic": (column("topic", "Zoë Müller"), "another topic"),
    "another partition": (column("partition", 77), "another partition"),
    "a type of timestamp that is none": (column("timestamp_type", "Zoë Müller"), "types of timestamps"),
    "columns of something else": (lambda segment: pq.write_table(pa.table({"x": [1]}), segment), "torn or altered"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_segment_that_is(tmp_path: Path, what: str) -> None:
    change, says = CHANGES[what]
    make_capture(tmp_path / "raw", orders(30))
    changed = min((tmp_path / "raw/records/orders").rglob("*.parquet"))
    change(changed)
    if changed.is_file():
        say_size(tmp_path / "raw", changed)
    with pytest.raises(CaptureError, match=says):
        scrub(open_capture(tmp_path / "raw"), policy(tmp_path), tmp_path / "clean")
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}


def link(root: Path) -> None:
    segment = min((root / "records").rglob("*.parquet"))
    segment.rename(root.with_name("elsewhere.parquet"))
    segment.symlink_to(root.with_name("elsewhere.parquet"))


def linked_folder(root: Path) -> None:
    (root / "records").rename(root.with_name("elsewhere"))
    (root / "records").symlink_to(root.with_name("elsewhere"))


def first_segment(**told: object) -> Callable[[Path], None]:
    return lambda root: alter(root, lambda tree: segments(tree)[0].update(told))


def first_partition(**told: object) -> Callable[[Path], None]:
    return lambda root: alter(root, lambda tree: tree["topics"][0]["partitions"][0].update(told))


def twice(*path: str) -> Callable[[Path], None]:
    def change(tree: Any) -> None:
        for name in path[:-1]:
            tree = tree[name][0]
        tree[path[-1]].append(tree[path[-1]][0])

    return lambda root: alter(root, change)


def written(text: str) -> Callable[[Path], None]:
    return lambda root: (root / "manifest.json").write_text(text) and None


MANIFESTS = {
    "torn": (written('{"format_version": 1, "topics": ['), "torn or altered"),
    "nested a hundred thousand times": (written("[" * 100_000 + "]" * 100_000), "torn or altered"),
    "of a later version": (lambda root: alter(root, lambda tree: tree.update(format_version=99)), "please upgrade"),
    "with a partition below zero": (first_partition(partition=-1), "not a valid manifest"),
    "with fewer records than none": (first_partition(records=-1), "not a valid manifest"),
    "with a topic twice": (twice("topics"), "2 times"),
    "with a partition twice": (twice("topics", "partitions"), "2 times"),
    "with a segment twice": (twice("topics", "partitions", "segments"), "2 times"),
    "that leads out of the capture": (first_segment(path="records/../../other"), "outside the capture"),
    "that names a file of the system": (first_segment(path="/etc/hostname"), "outside the capture"),
    "with NUL in a path": (first_segment(path="records/a\0b"), "outside the capture"),
    "with an endless path": (first_segment(path="records/" + "a" * 5_000), "Can't read segment"),
    "with a path that is not there": (first_segment(path="records/none.parquet"), "is missing"),
    "of a segment that is a link": (link, "is a link"),
    "of segments in a linked directory": (linked_folder, "is a link"),
    "with the wrong size of a segment": (first_segment(bytes=5), "the manifest says 5"),
    "with the wrong count of a partition": (first_partition(records=10**15), "its segments"),
}
COMMANDS = {
    "scrub": ["scrub", "raw", "-p", "policy.yaml", "-o", "clean"],
    "suggest": ["suggest", "raw"],
    "policy explain": ["policy", "explain", "policy.yaml", "raw"],
    "replay": ["replay", "raw", "-b", "127.0.0.1:1", "--dry-run"],
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    change, says = MANIFESTS[what]
    make_capture(tmp_path / "raw", orders(30))
    policy(tmp_path)
    change(tmp_path / "raw")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLACKBOX_KEY", SECRET["BLACKBOX_KEY"])
    before = set(tmp_path.iterdir())
    for command in COMMANDS.values():
        with pytest.raises(SystemExit) as ended:
            main(command)
        told = capsys.readouterr().err
        assert ended.value.code == ExitCode.FAILED, told
        assert says in told
        assert told.startswith("blackbox: ")
        assert "raw/" in told or "raw:" in told
        assert set(tmp_path.iterdir()) == before
    assert failed(verify("raw"))
    with pytest.raises(SystemExit) as ended:
        main(["guard", "raw", "--allow-unsigned"])
    assert ended.value.code == ExitCode.REFUSED


@pytest.mark.parametrize("counted", [2, 0, 2**63 - 1])
def test_a_segment_that_holds_another_number_of_records_than_told_is_read_by_nobody(
    tmp_path: Path, counted: int
) -> None:
    def change(tree: Any) -> None:
        partition = tree["topics"][0]["partitions"][0]
        assert len(partition["segments"]) == 1
        partition["records"] = partition["segments"][0]["records"] = counted

    make_capture(tmp_path / "raw", orders(30))
    alter(tmp_path / "raw", change)
    raw = open_capture(tmp_path / "raw")
    with pytest.raises(CaptureError, match=f"records, the manifest says {counted:,}"):
        scrub(raw, policy(tmp_path), tmp_path / "clean")
    with pytest.raises(CaptureError, match=f"records, the manifest says {counted:,}"):
        list(raw.batches(raw.manifest.topics[0].name, 0))
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "policy.yaml"}


def test_suggest_says_that_a_segment_is_something_else(tmp_path: Path) -> None:
    make_capture(tmp_path / "raw", orders(30))
    for segment in (tmp_path / "raw/records/orders").rglob("*.parquet"):
        pq.write_table(pa.table({"x": [1]}), segment)
    with pytest.raises(CaptureError, match="torn or altered"):
        suggest(open_capture(tmp_path / "raw"))


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    value = b'{"customer":{"id":' + b"9" * 5_000 + b"}}"
    raw = make_capture(tmp_path / "raw", [record("orders", 0, T0, "cust-1", value)])
    with pytest.raises(ScrubError, match=r"customer\.id: is a number of more than 4,000 digits"):
        scrub(raw, policy(tmp_path), tmp_path / "clean")


def test_a_pattern_that_takes_for_ever_is_asked_in_another_way(tmp_path: Path) -> None:
    endless = POLICY.replace('"cust-(?P<id>\\\\d+)"', '"(?:[a-z]+-?)+(?P<id>\\\\d+)"')
    assert endless != POLICY
    raw = make_capture(tmp_path / "raw", [record("orders", 0, T0, "a" * 60, {"order": 1})])
    with pytest.raises(ScrubError, match="does not match extract"):
        scrub(raw, policy(tmp_path, endless), tmp_path / "clean")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("x: " + "[" * 50_000 + "]" * 50_000, "nested too deeply"),
        ("x: " + "{a: " * 20_000 + "1" + "}" * 20_000, "nested too deeply"),
        ("      f: keep\n" * 100_000, "longer than 1,000,000 characters"),
    ],
    ids=["lists", "maps", "megabytes"],
)
def test_a_policy_that_is_too_much_is_refused_at_once(tmp_path: Path, more: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        policy(tmp_path, POLICY + more)
