"""A cut holds the wanted records, unchanged, and accounts for every offset that its parent answered for."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.manifest import Gap
from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.editing.cut import cut
from recorder.editing.cut_partition import Wanted
from recorder.errors import CaptureError, UsageError
from recorder.window import Window
from tests.builders import T0, make_capture, record
from tests.conftest import examples
from tests.editing.splitting import KEYS, Log, content, ledger_sums, logs, write_log

SELECTIONS = st.builds(
    Selection,
    topics=st.sampled_from([(), ("one",), ("two",), ("one", "two")]),
    partitions=st.sampled_from([(), (0,), (1,)]),
    keys=st.lists(KEYS.filter(lambda key: key is not None), max_size=2).map(tuple),
    window=st.sampled_from([Window(None, None), Window(T0 + 200, None), Window(T0 + 100, T0 + 700)]),
)


def part(capture: Capture, out: Path, selection: Selection | None = None, where: str | None = None) -> Capture:
    cut(capture, out, Wanted(selection or Selection(), where))
    return open_capture(out)


@settings(max_examples=examples(12), deadline=None)
@given(log=logs(), selection=SELECTIONS)
def test_a_cut_holds_the_selected_records_and_the_rest_is_filtered(log: Log, selection: Selection) -> None:
    with tempfile.TemporaryDirectory() as directory:
        capture = write_log(Path(directory) / "c", log)
        before, after = content(capture), content(part(capture, Path(directory) / "cut", selection))
        for (topic, partition), (rows, (start, end, _gaps, _lost)) in before.items():
            if selection.topics and topic not in selection.topics:
                assert (topic, partition) not in after
                continue
            wanted = [
                one
                for one in rows
                if selection.wants(topic, partition)
                and one.timestamp_ms in selection.window
                and (not selection.keys or one.key in selection.keys)
            ]
            kept, (kept_start, kept_end, kept_gaps, _) = after[topic, partition]
            assert kept == wanted
            assert (kept_start, kept_end) == (start, end)
            filtered = sum(gap.missing for gap in kept_gaps if gap.reason == "filtered")
            already = sum(gap.missing for gap in _gaps if gap.reason == "filtered")
            assert filtered == already + len(rows) - len(kept)


@settings(max_examples=examples(6), deadline=None)
@given(log=logs(), one=SELECTIONS, other=SELECTIONS)
def test_a_cut_of_a_cut_is_the_cut_of_both(log: Log, one: Selection, other: Selection) -> None:
    both = Selection(
        topics=tuple(set(one.topics) & set(other.topics)) or one.topics or other.topics,
        partitions=tuple(set(one.partitions) & set(other.partitions)) or one.partitions or other.partitions,
        keys=tuple(set(one.keys) & set(other.keys)) or one.keys or other.keys,
        window=max(one.window, other.window, key=lambda window: window.from_ms or 0),
    )
    for name in ("topics", "partitions", "keys"):
        mine, yours = set(getattr(one, name)), set(getattr(other, name))
        if mine and yours and not mine & yours:
            return
    if {one.window, other.window} == {Window(T0 + 200, None), Window(T0 + 100, T0 + 700)}:
        both = Selection(both.topics, both.partitions, both.keys, Window(T0 + 200, T0 + 700))
    elif {one.window, other.window} == {Window(None, None), Window(T0 + 100, T0 + 700)}:
        both = Selection(both.topics, both.partitions, both.keys, Window(T0 + 100, T0 + 700))
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        capture = write_log(root / "c", log)
        twice = part(part(capture, root / "1", one), root / "2", other)
        once = part(capture, root / "both", both)
        assert content(twice) == content(once)
        assert twice.manifest.window == once.manifest.window


def test_cutting_all_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [("orders", n % 3, T0 + n, f"k{n % 9}", {"n": n, "pad": "x" * 500}) for n in range(3_000)]
    capture = make_capture(tmp_path / "c", rows)
    copy = part(capture, tmp_path / "copy")
    assert [p for _, p in copy.manifest.topic_partitions()] == [p for _, p in capture.manifest.topic_partitions()]


def test_a_condition_in_sql(tmp_path: Path) -> None:
    capture = make_capture(
        tmp_path / "c",
        [("pay", 0, T0 + n, f"k{n}", {"status": "failed" if n % 4 == 0 else "done"}) for n in range(100)],
    )
    failed = part(
        capture, tmp_path / "cut", Selection(keys=(b"k4", b"k5", b"k8")), "value_json->>'$.status' = 'failed'"
    )
    assert [one.key for one in failed.records()] == [b"k4", b"k8"]
    assert failed.manifest.topic("pay").partitions[0].gaps == (
        Gap(first_offset=0, last_offset=99, missing=98, reason="filtered"),
    )


def test_a_condition_that_is_wrong_leaves_nothing(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("pay", 0, T0, "k", "v")])
    with pytest.raises(UsageError, match="no_such"):
        part(capture, tmp_path / "cut", where="no_such = 1")
    assert not (tmp_path / "cut").exists()


def test_losses_stay_named_and_lost_headers_go_with_their_records(tmp_path: Path) -> None:
    capture = write_log(tmp_path / "c", {("one", 0): (5, [(3, None), (2, "unexplained"), (3, None), (1, "unread")])})
    topic = capture.manifest.topics[0]
    marked = msgspec.structs.replace(topic.partitions[0], headers_lost=(5, 12))
    manifest = msgspec.structs.replace(capture.manifest, topics=(msgspec.structs.replace(topic, partitions=(marked,)),))
    made = part(Capture(capture.root, manifest), tmp_path / "cut", where='"offset" > 6').manifest
    assert (ledger_sums(made, "unexplained"), ledger_sums(made, "unread"), ledger_sums(made, "filtered")) == (2, 1, 2)
    assert made.topics[0].partitions[0].headers_lost == (12,)
    assert len(made.losses) == 3


def test_the_window_is_narrowed_and_must_meet_the_parents(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0 + n, "k", "v") for n in range(10)], window=Window(T0, T0 + 10))
    done = cut(
        capture, tmp_path / "cut", Wanted(Selection(window=Window(T0 + 4, T0 + 99))), from_text="-6ms", to_text="+89ms"
    )
    window = done.manifest.window
    assert (window.from_ms, window.to_ms) == (T0 + 4, T0 + 10)
    assert (window.from_text, window.to_text) == ("-6ms", capture.manifest.window.to_text)
    with pytest.raises(UsageError, match="has nothing of"):
        part(capture, tmp_path / "none", Selection(window=Window(T0 + 10, None)))


def test_the_history_names_the_parent_by_its_manifest(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")])
    done = cut(capture, tmp_path / "cut", Wanted(Selection()), command=("blackbox", "cut", "c"))
    step = done.manifest.lineage[-1]
    assert (step.verb, step.parent_id, step.command) == ("cut", capture.manifest.capture_id, ("blackbox", "cut", "c"))
    assert not isinstance(step.parents, msgspec.UnsetType)
    assert step.parents[0].manifest_sha256 == hashlib.sha256((tmp_path / "c/manifest.json").read_bytes()).hexdigest()
    assert done.manifest.lineage[:-1] == capture.manifest.lineage
    assert done.manifest.capture_id != capture.manifest.capture_id


def test_an_altered_segment_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v"), ("u", 0, T0, "k", "v")])
    other = make_capture(tmp_path / "d", [("u", 0, T0, "k", "w")])
    path = other.manifest.topics[0].partitions[0].segments[0].path
    (capture.root / path).write_bytes((other.root / path).read_bytes())
    with pytest.raises(CaptureError, match="altered"):
        part(capture, tmp_path / "cut")
    assert not (tmp_path / "cut").exists()


def test_an_existing_directory_or_one_inside_the_capture_is_refused(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")])
    for out in (capture.root, capture.root / "cut"):
        with pytest.raises(UsageError):
            part(capture, out)
    assert content(open_capture(capture.root))


def test_partitions_that_are_left_out_stay_as_partitions(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [record("t", n % 4, T0, "k", "v") for n in range(8)], topics={"empty": 2})
    made = part(capture, tmp_path / "cut", Selection(partitions=(1,)))
    assert [(t.name, [p.records for p in t.partitions]) for t in made.manifest.topics] == [
        ("empty", [0, 0]),
        ("t", [0, 2, 0, 0]),
    ]


def test_a_ledger_whose_reasons_alternate_stays_small_and_names_every_loss(tmp_path: Path) -> None:
    history = [piece for _ in range(3_000) for piece in [(2, None), (1, "control")]]
    capture = write_log(tmp_path / "c", {("one", 0): (0, [*history, (5, "unexplained"), (1, None), (1, "control")])})
    made = part(capture, tmp_path / "cut", where='"offset" % 3 = 0')
    [partition] = made.manifest.topics[0].partitions
    assert [(gap.missing, gap.reason) for gap in partition.gaps] == [
        (6_000, "filtered"),
        (5, "unexplained"),
        (2, "filtered"),
    ]
    assert [note.topic for note in made.manifest.notes] == ["one"]
    again = part(made, tmp_path / "again")
    assert content(again) == content(made)


def test_a_ledger_that_must_be_coarse_is_still_exact_inside_a_window(tmp_path: Path) -> None:
    history = [piece for _ in range(6_000) for piece in [(2, None), (1, "control")]]
    capture = write_log(tmp_path / "c", {("one", 0): (0, history)})
    window = '"offset" between 6000 and 11998'
    for where, expected in (
        (
            window,
            [(0, 5_998, 5_999, "filtered"), (5_999, 11_999, 2_001, "control"), (12_000, 17_999, 6_000, "filtered")],
        ),
        (f'{window} and "offset" % 3 = 0', [(0, 17_999, 16_000, "filtered")]),
    ):
        made = part(capture, tmp_path / f"cut-{len(expected)}", where=where)
        gaps = made.manifest.topics[0].partitions[0].gaps
        assert [(gap.first_offset, gap.last_offset, gap.missing, gap.reason) for gap in gaps] == expected
        assert content(made)
