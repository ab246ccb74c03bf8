"""The ledger, shown: every offset is a record or missing for a reason, and loss is never quiet."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.accounts import accounts, hole_lines, verdict
from recorder.capture.ledger import REASONS, Ledger
from recorder.capture.manifest import Gap, Manifest, Partition, Topic
from recorder.capture.writer import finish
from recorder.errors import ExitCode
from tests.builders import T0, describe, make_capture, record
from tests.cli.running import run


def manifest_of(*partitions: Partition) -> Manifest:
    topic = Topic(name="orders", id=None, partitions=partitions)
    return describe((topic,), None, clean=False, notes=(), cluster_id=None, at_ms=T0)


@settings(deadline=None)
@given(runs=st.lists(st.tuples(st.sampled_from(["record", *REASONS]), st.integers(1, 50)), max_size=20))
def test_records_and_reasons_add_up_to_all_offsets(runs: list[tuple[str, int]]) -> None:
    ledger, records = Ledger(7), 0
    for what, length in runs:
        if what == "record":
            offsets = np.arange(ledger.position, ledger.position + length)
            ledger.saw(offsets, np.ones(length, np.bool_))
            records += length
        else:
            ledger.advance(ledger.position + length, None if what == "unexplained" else what)  # type: ignore[arg-type]
    (account,) = accounts(
        manifest_of(
            Partition(partition=0, start_offset=7, end_offset=ledger.position, records=records, gaps=ledger.gaps())
        )
    )
    assert account.unaccounted == 0
    assert account.missing == {reason: sum(n for what, n in runs if what == reason) for reason in REASONS}
    assert account.explained == (account.missing["unexplained"] == 0)
    assert account.lost == account.missing["unread"] + account.missing["unexplained"]


def test_a_manifest_that_contradicts_itself_is_not_explained() -> None:
    (account,) = accounts(manifest_of(Partition(partition=0, start_offset=0, end_offset=10, records=9)))
    assert (account.explained, account.lost) == (False, 1)
    assert verdict([account]) == "10 offsets = 9 records. explained: no, not in 1 of 1 partitions"


def test_holes_are_listed_up_to_a_limit() -> None:
    gaps = tuple(Gap(first_offset=i * 10, last_offset=i * 10 + 4, missing=3, reason="aborted") for i in range(4))
    found = accounts(manifest_of(Partition(partition=0, start_offset=0, end_offset=40, records=28, gaps=gaps)))
    assert list(hole_lines(found, limit=1)) == [
        "orders/0  0 to 4: 3 aborted (2 records between)",
        "… and 3 more: --format json lists all",
    ]


def test_info_shows_the_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_capture(tmp_path / "c", [record("orders", offset=offset) for offset in (0, 1, 5)])
    ran = run(capsys, "info", tmp_path / "c", "--ledger")
    assert (ran.code, ran.err) == (0, "")
    assert "orders/0  2 to 4: 3 compacted" in ran.out
    assert "6 offsets = 3 records + 3 compacted. explained: yes" in ran.out
    told = json.loads(run(capsys, "info", tmp_path / "c", "--ledger", "--format", "json").out)
    assert told["explained"] is True
    (partition,) = told["partitions"]
    assert (partition["records"], partition["compacted"], partition["aborted"]) == (3, 3, 0)
    assert partition["gaps"] == [{"first_offset": 2, "last_offset": 4, "missing": 3, "reason": "compacted"}]
    header, line = run(capsys, "info", tmp_path / "c", "--ledger", "--format", "csv").out.splitlines()
    assert dict(zip(header.split(","), line.split(","), strict=True))["explained"] == "True"


@pytest.mark.parametrize("reason", ["unread", "unexplained"])
def test_loss_in_the_ledger_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str) -> None:
    capture = make_capture(tmp_path / "c", [("orders", 0, T0, "k", "v")])
    (topic,) = capture.manifest.topics
    (partition,) = topic.partitions
    gap = Gap(first_offset=1, last_offset=2, missing=2, reason=reason)  # type: ignore[arg-type]
    short = msgspec.structs.replace(partition, end_offset=3, gaps=(gap,))
    topics = (msgspec.structs.replace(topic, partitions=(short,)),)
    finish(tmp_path / "c", msgspec.structs.replace(capture.manifest, topics=topics))
    ran = run(capsys, "info", tmp_path / "c", "--ledger")
    assert ran.code == ExitCode.LOSS
    assert ran.err == "  loss: orders/0: 2 offsets\n"
    assert f"explained: {'yes' if reason == 'unread' else 'no'}" in ran.out
