"""A sample keeps whole keys, the same ones in every topic, and enough of every type of event."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recorder.capture.reader import Capture, open_capture
from recorder.capture.selection import Selection
from recorder.editing.cut import Cut, cut
from recorder.editing.cut_partition import Wanted
from recorder.editing.sample import Sample, parse_fraction, record_hashes, sampled
from recorder.errors import UsageError
from tests.builders import T0, make_capture, record, to_batch


def sample(capture: Capture, out: Path, how: Sample) -> tuple[Cut, Capture]:
    return cut(capture, out, Wanted(Selection(), None, how)), open_capture(out)


def keys_of(capture: Capture) -> dict[str, Counter[bytes | None]]:
    found: dict[str, Counter[bytes | None]] = {}
    for one in capture.records():
        found.setdefault(one.topic, Counter())[one.key] += 1
    return found


@pytest.fixture
def payments(tmp_path: Path) -> Capture:
    rows = []
    for n in range(2_000):
        kind = "refund" if n == 1_234 else "chargeback" if n % 400 == 7 else "payment"
        rows.append(record("incoming", n % 4, T0 + n, f"pay-{n}", {"type": kind}))
        rows.append(record("complete", n % 3, T0 + n + 5, f"pay-{n}", b"\xff", [("ce_type", "done")]))
    return make_capture(tmp_path / "payments", rows)


def test_keys_stay_together_across_topics(payments: Capture, tmp_path: Path) -> None:
    _, made = sample(payments, tmp_path / "s", Sample(0.1, rare=0))
    keys = keys_of(made)
    assert keys["incoming"].keys() == keys["complete"].keys()
    assert 130 < len(keys["incoming"]) < 270


def test_a_sample_is_stable_and_part_of_a_larger_one(payments: Capture, tmp_path: Path) -> None:
    few, again, more, others = (
        set(keys_of(sample(payments, tmp_path / f"{n}", how)[1])["incoming"])
        for n, how in enumerate(
            [Sample(0.05, rare=0), Sample(0.05, rare=0), Sample(0.2, rare=0), Sample(0.05, seed=1, rare=0)]
        )
    )
    assert few == again
    assert few < more
    assert not few <= others


def test_rare_types_are_kept_with_their_keys_and_counted(payments: Capture, tmp_path: Path) -> None:
    done, made = sample(payments, tmp_path / "s", Sample(0.01, rare=3))
    counts = {(one.topic, one.type): (one.records, one.kept) for one in done.types}
    assert counts["incoming", "refund"] == (1, 1)
    assert counts["incoming", "chargeback"][0] == 5
    assert counts["incoming", "chargeback"][1] >= 3
    assert counts["complete", "done"][0] == 2_000
    keys = keys_of(made)
    assert b"pay-1234" in keys["incoming"]
    assert keys["incoming"].keys() == keys["complete"].keys()
    assert sum(kept for _, kept in counts.values()) == made.manifest.records
    assert [note.text for note in made.manifest.notes] == [
        "a sample: 1 % of all keys by hash with seed 0, and at least 3 records of every event type"
    ]


def test_records_without_a_type_are_a_type_and_another_field_may_hold_it(tmp_path: Path) -> None:
    rows = [record("t", 0, T0, f"k{n}", {"kind.of": f"x{n % 2}", "type": "same"}) for n in range(50)]
    rows += [record("t", 0, T0, f"z{n}", None) for n in range(20)]
    capture = make_capture(tmp_path / "c", rows)
    done, _ = sample(capture, tmp_path / "s", Sample(0.0001, rare=2, type_field="kind.of"))
    assert {(one.type, one.records) for one in done.types} == {("x0", 25), ("x1", 25), ("", 20)}
    assert all(one.kept >= 2 for one in done.types)


def test_records_without_a_key_are_sampled_one_by_one() -> None:
    batch = to_batch([record("t", 0, T0, None, "v", offset=n) for n in range(10_000)])
    hashes = record_hashes(batch, "t", 0, 0)
    assert len(np.unique(hashes)) == 10_000
    assert 800 < sampled(hashes, Sample(0.1).limit, np.empty(0, np.uint64)).sum() < 1_200
    assert sampled(hashes, Sample(1.0).limit, np.empty(0, np.uint64)).all()


def test_an_empty_key_is_a_key() -> None:
    batch = to_batch([record("t", n, T0, key, "v", offset=n) for n, key in enumerate([b"", None, b""])])
    hashes = record_hashes(batch, "t", 0, 0)
    assert hashes[0] == hashes[2] != hashes[1]


@pytest.mark.parametrize(("text", "fraction"), [("10%", 0.1), ("0.5 %", 0.005), ("100%", 1.0)])
def test_a_share_is_a_percentage(text: str, fraction: float) -> None:
    assert parse_fraction(text) == pytest.approx(fraction)


@pytest.mark.parametrize("text", ["10", "0%", "101%", "-1%", "all", "1/10"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="for example 10%"):
        parse_fraction(text)
