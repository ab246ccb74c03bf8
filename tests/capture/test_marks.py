"""Records that were never committed are told from the others, wherever they are shown."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from recorder.capture.manifest import Run
from recorder.capture.marks import Marks
from recorder.capture.reader import Capture, open_capture
from recorder.capture.writer import finish
from tests.builders import T0, make_capture
from tests.cli.running import run
from tests.tui.screen import inspecting

EXPECTED = [None, "aborted", "aborted", None, "undecided"]


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """Five records of a partition with marks, beside others without."""
    rows = [("orders", 0, T0 + n, f"k{n}", {"n": n}) for n in range(5)]
    made = make_capture(tmp_path / "c", [*rows, ("orders", 1, T0, "k", {"n": 1}), ("other", 0, T0, "k", {"n": 1})])
    orders, other = made.manifest.topics
    runs = {"aborted": (Run(first_offset=1, last_offset=2),), "undecided": (Run(first_offset=4, last_offset=4),)}
    first = msgspec.structs.replace(orders.partitions[0], **runs)
    orders = msgspec.structs.replace(orders, partitions=(first, *orders.partitions[1:]))
    window = msgspec.structs.replace(made.manifest.window, isolation="read_uncommitted")
    finish(made.root, msgspec.structs.replace(made.manifest, topics=(orders, other), window=window))
    return open_capture(made.root)


def test_each_record_of_a_batch_is_told(capture: Capture) -> None:
    marks = Marks(capture.manifest)
    (batch,) = capture.batches("orders", 0)
    assert marks.of(batch).to_pylist() == EXPECTED
    assert [marks.at("orders", 0, offset) for offset in range(5)] == EXPECTED
    assert marks.at("orders", 1, 1) is None
    assert bool(marks)


def test_cat_marks_them_in_every_form(capture: Capture, capsys: pytest.CaptureFixture[str]) -> None:
    found = [json.loads(line) for line in run(capsys, "cat", capture.root, "--format", "ndjson").out.splitlines()]
    marked = {(row["topic"], row["partition"], row["offset"]): row.get("transaction") for row in found}
    assert marked == {**{("orders", 0, n): mark for n, mark in enumerate(EXPECTED)}, ("orders", 1, 0): None,
                      ("other", 0, 0): None}  # fmt: skip
    cells = list(csv.DictReader(io.StringIO(run(capsys, "cat", capture.root, "-p", "0", "--format", "csv").out)))
    assert {row["transaction"] for row in cells} == {"", "aborted", "undecided"}
    table = run(capsys, "cat", capture.root, "--raw").out
    assert 'orders/0@1  k1  (aborted) {"n":1}' in table
    assert 'orders/0@4  k4  (undecided) {"n":4}' in table
    assert 'orders/0@3  k3  {"n":3}' in table


async def test_inspect_marks_them_in_the_list_and_in_full(capture: Capture) -> None:
    async with inspecting(capture, (120, 40)) as terminal:
        await terminal.sees('(aborted) {"n":1}', '(undecided) {"n":4}')
        await terminal.sees_no("state aborted")
        for _ in range(3):
            await terminal.press("down")
        await terminal.sees("k1")
        await terminal.press("end")
        await terminal.sees("state its transaction was open")
