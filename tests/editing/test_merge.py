"""A merge holds each record once and unites the ledgers, however captures overlap and in whatever order they come."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.capture.manifest import Gap, Origin
from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.editing.cut import cut
from recorder.editing.cut_partition import Wanted
from recorder.editing.merge import Merged, merge
from recorder.errors import CaptureError, UsageError
from recorder.replaying.clusters import check_clusters
from recorder.replaying.options import Options
from recorder.window import Window
from tests.builders import T0, make_capture, record
from tests.conftest import examples
from tests.editing.splitting import Log, content, logs, write_log

SPLITS = st.sampled_from(
    [
        [Wanted(Selection(topics=("one",))), Wanted(Selection(topics=("two",)))],
        [Wanted(Selection(partitions=(0,))), Wanted(Selection(partitions=(1,)))],
        [Wanted(Selection(window=Window(None, T0 + 400))), Wanted(Selection(window=Window(T0 + 300, None)))],
        [Wanted(Selection(), "key = 'a'"), Wanted(Selection(), "key is distinct from 'a'")],
        [Wanted(Selection(), '"offset" % 3 <> 1'), Wanted(Selection(), '"offset" % 2 = 1'), Wanted(Selection())],
    ]
)


def joined(out: Path, *captures: Capture, **options: object) -> tuple[Merged, Capture]:
    return merge(captures, out, **options), open_capture(out)  # type: ignore[arg-type]


def refilled(history: list, lost: int | None) -> list:
    """The history with its piece number `lost`, if that is of records, as a loss."""
    return [(count, "unexplained" if n == lost and why is None else why) for n, (count, why) in enumerate(history)]


@settings(max_examples=examples(10), deadline=None)
@given(log=logs(), split=SPLITS)
def test_the_parts_of_a_capture_merge_to_the_capture(log: Log, split: list[Wanted]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        capture = write_log(root / "c", log)
        parts = []
        for number, wanted in enumerate(split):
            cut(capture, root / f"{number}", wanted)
            parts.append(open_capture(root / f"{number}"))
        _, whole = joined(root / "whole", *parts)
        assert content(whole) == content(capture)
        assert whole.manifest.window == capture.manifest.window
        assert whole.manifest.source == capture.manifest.source
        assert whole.manifest.clean is None


@settings(max_examples=examples(6), deadline=None)
@given(log=logs(), one=st.integers(0, 8), other=st.integers(0, 8))
def test_a_merge_fills_gaps_and_is_the_same_in_any_order_and_again(log: Log, one: int, other: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        mine, yours = (
            write_log(root / name, {place: (start, refilled(history, lost)) for place, (start, history) in log.items()})
            for name, lost in (("mine", one), ("yours", other))
        )
        _, there = joined(root / "there", mine, yours)
        _, back = joined(root / "back", yours, mine)
        _, again = joined(root / "again", there, mine, back)
        assert content(there) == content(back) == content(again)
        if one != other:
            assert content(there) == content(write_log(root / "whole", log))
        segments = [
            [segment.sha256 for _, p in c.manifest.topic_partitions() for segment in p.segments]
            for c in (there, back, again)
        ]
        assert segments[0] == segments[1] == segments[2]


def test_captures_that_adjoin_become_one(tmp_path: Path) -> None:
    row = [
        write_log(tmp_path / f"{start}", {("one", 0): (start, [(3, None), (1, "control"), (2, None)])})
        for start in (0, 6, 12)
    ]
    done, whole = joined(tmp_path / "whole", *row)
    [partition] = whole.manifest.topics[0].partitions
    assert (partition.start_offset, partition.end_offset, partition.records) == (0, 18, 15)
    assert partition.gaps == (Gap(first_offset=3, last_offset=15, missing=3, reason="control"),)
    assert done.uncovered == 0
    assert not whole.manifest.losses
    assert content(whole)


def test_what_lies_between_captures_is_named_as_unread(tmp_path: Path) -> None:
    row = [write_log(tmp_path / f"{start}", {("one", 0): (start, [(3, None)])}) for start in (20, 0)]
    done, whole = joined(tmp_path / "whole", *row)
    assert whole.manifest.topics[0].partitions[0].gaps == (
        Gap(first_offset=3, last_offset=19, missing=17, reason="unread"),
    )
    assert done.uncovered == 17
    assert [note.sentence() for note in whole.manifest.notes] == [
        "one: 17 offsets lie between the merged captures, in none of them"
    ]
    assert content(whole)


def test_a_capture_that_covers_nothing_of_a_partition_widens_nothing(tmp_path: Path) -> None:
    row = [write_log(tmp_path / "a", {("one", 0): (0, [])}), write_log(tmp_path / "b", {("one", 0): (9, [(3, None)])})]
    done, whole = joined(tmp_path / "whole", *row)
    assert (whole.manifest.topics[0].partitions[0].start_offset, done.uncovered) == (9, 0)


def test_records_that_differ_are_an_error_that_names_the_offset(tmp_path: Path) -> None:
    rows = [("t", 0, T0 + n, f"k{n}", "v") for n in range(9)]
    one = make_capture(tmp_path / "one", rows)
    other = make_capture(tmp_path / "other", [*rows[:5], ("t", 0, T0 + 5, "k5", "w"), *rows[6:]])
    with pytest.raises(CaptureError, match=r"t/0 offset 5 has another value in .*one than in .*other"):
        joined(tmp_path / "whole", one, other)
    assert not (tmp_path / "whole").exists()


def test_headers_that_one_capture_lost_come_from_the_other(tmp_path: Path) -> None:
    def written(name: str, lost: tuple[int, ...]) -> Capture:
        rows = [record("t", 0, T0, "k", "v", [] if n in lost else [("h", "x")]) for n in range(4)]
        capture = make_capture(tmp_path / name, rows)
        [topic] = capture.manifest.topics
        marked = msgspec.structs.replace(topic.partitions[0], headers_lost=lost)
        changed = msgspec.structs.replace(topic, partitions=(marked,))
        return Capture(capture.root, msgspec.structs.replace(capture.manifest, topics=(changed,)))

    _, whole = joined(tmp_path / "whole", written("a", (1, 2)), written("b", (2, 3)))
    assert [bool(one.headers) for one in whole.records()] == [True, True, False, True]
    assert whole.manifest.topics[0].partitions[0].headers_lost == (2,)


def test_topics_of_different_clusters_are_never_mixed(tmp_path: Path) -> None:
    here = make_capture(tmp_path / "here", [("t", 0, T0, "k", "here")], cluster_id="cluster-a")
    there = make_capture(
        tmp_path / "there", [("t", 0, T0, "k", "there"), ("u", 0, T0, "k", "u")], cluster_id="cluster-b"
    )
    with pytest.raises(UsageError, match=r"cluster cluster-a.*cluster cluster-b.*--as"):
        joined(tmp_path / "whole", here, there)
    assert not (tmp_path / "whole").exists()
    _, whole = joined(tmp_path / "whole", here, there, prefixes={1: "b"})
    assert {(one.topic, one.value) for one in whole.records()} == {("t", b"here"), ("b.t", b"there"), ("b.u", b"u")}
    assert [topic.origin for topic in whole.manifest.topics] == [
        Origin(cluster_id="cluster-b", name="t"),
        Origin(cluster_id="cluster-b", name="u"),
        Origin(cluster_id="cluster-a", name="t"),
    ]
    assert whole.manifest.source.cluster_id is None
    assert content(whole)
    _, again = joined(tmp_path / "again", whole, there, here, prefixes={1: "b"})
    assert content(again) == content(whole)


def test_a_replay_into_any_of_its_clusters_is_refused(tmp_path: Path) -> None:
    here = make_capture(tmp_path / "here", [("t", 0, T0, "k", "v")], cluster_id="cluster-a")
    there = make_capture(tmp_path / "there", [("u", 0, T0, "k", "v")], cluster_id="cluster-b")
    _, whole = joined(tmp_path / "whole", here, there)
    options = Options(allow_raw=True)
    for cluster, refused in (("cluster-a", True), ("cluster-b", True), ("ci", False)):
        assert any(found.refusal for found in check_clusters(whole.manifest, cluster, options)) is refused
    assert not list(check_clusters(whole.manifest, "ci", options))


def test_a_topic_that_was_created_anew_is_another_topic(tmp_path: Path) -> None:
    old, new = (write_log(tmp_path / name, {("one", 0): (0, [(2, None)])}) for name in ("old", "new"))
    [topic] = new.manifest.topics
    changed = msgspec.structs.replace(new.manifest, topics=(msgspec.structs.replace(topic, id="another"),))
    with pytest.raises(UsageError, match=r"topic id id-one.*topic id another"):
        joined(tmp_path / "whole", old, Capture(new.root, changed))


def test_captures_of_unknown_clusters_are_one_only_within_a_recording(tmp_path: Path) -> None:
    one, other = (make_capture(tmp_path / name, [("t", 0, T0, "k", "v")], cluster_id=None) for name in ("one", "other"))
    cut(one, tmp_path / "cut", Wanted(Selection()))
    _, whole = joined(tmp_path / "whole", one, open_capture(tmp_path / "cut"))
    assert whole.manifest.records == 1
    with pytest.raises(UsageError, match="cluster unknown"):
        joined(tmp_path / "mixed", one, other)


def test_one_topic_can_not_get_two_names(tmp_path: Path) -> None:
    one = make_capture(tmp_path / "one", [("t", 0, T0, "k", "v")])
    with pytest.raises(UsageError, match="the same topic twice"):
        joined(tmp_path / "whole", one, one, prefixes={0: "a"})
    with pytest.raises(UsageError, match="can't stand before"):
        joined(tmp_path / "whole", one, prefixes={0: "a/b"})


def test_window_history_and_notes_are_those_of_all(tmp_path: Path) -> None:
    one = make_capture(tmp_path / "one", [("t", 0, T0, "k", "v")], window=Window(T0, T0 + 10), created_at_ms=T0 + 20)
    other = make_capture(tmp_path / "other", [("t", 0, T0, "k", "v")], window=Window(T0 - 5, T0 + 5))
    made = joined(tmp_path / "whole", one, other)[1].manifest
    assert (made.window.from_ms, made.window.to_ms) == (T0 - 5, T0 + 10)
    assert [step.capture_id for step in made.lineage] == [
        one.manifest.capture_id,
        other.manifest.capture_id,
        made.capture_id,
    ]
    step = made.lineage[-1]
    assert not isinstance(step.parents, msgspec.UnsetType)
    assert {parent.capture_id for parent in step.parents} == {one.manifest.capture_id, other.manifest.capture_id}
