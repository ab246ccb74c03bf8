from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.domains import default_domain
from desensitizers.keys import Keyring
from desensitizers.proof import originals, quoted, uniqueness
from desensitizers.proof.needles import Thresholds, needles
from desensitizers.proof.originals import DISTINCT, NEEDLES, ORIGINALS, WORDS
from desensitizers.proof.spill import BUCKETS, Spill
from desensitizers.sink import PROOF_ONLY, Findings


def test_what_is_spilled_comes_back(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "s")
    items = [b"item %d" % number for number in range(20_000)] + [b"", b"\x00" * 100_000]
    for part in (items[::2], items[1::2]):
        writer = spill.writer("bag")
        writer.extend(part)
        writer.close()
    back = [item for block in spill.blocks("bag") for item in block]
    assert sorted(back) == sorted(items)
    assert sorted(item for bucket in range(BUCKETS) for item in spill.distinct("bag", bucket)) == sorted(items)
    assert list(spill.blocks("other")) == []


def test_nothing_readable_is_left_on_disk(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "s")
    writer = spill.writer("bag")
    writer.extend([b"anna.schmidt@firma.de"] * 1000)
    writer.close()
    assert not any(b"schmidt" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(InvalidTag):
        list(Spill(tmp_path / "s").blocks("bag"))
    assert "key hidden" in repr(spill)
    assert spill.key.hex() not in repr(spill)


def test_originals_become_distinct_needles_and_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spill = Spill(tmp_path / "s")
    for _ in range(3):
        writer = spill.writer(ORIGINALS)
        originals.note(
            writer, [("name", "Anna Schmidt"), ("", "Anna Schmidt"), (PROOF_ONLY, "acc-1234567"), ("id", "42")]
        )
        writer.close()
    assert sum(originals.distil(spill, bucket) for bucket in range(BUCKETS)) == 3
    thresholds = Thresholds.of(3, 100)
    assert sum(originals.sharpen(spill, bucket, thresholds, frozenset({"id"})) for bucket in range(BUCKETS)) == 2
    assert {item for block in spill.blocks(NEEDLES) for item in block} >= {b"anna schmidt", b"acc-1234567"}
    spelled = (b"anna schmidt", b"schmidt anna", b"schmidt, anna")
    words = {item for block in spill.blocks(WORDS) for item in block}
    assert words == {one + b"\x00" + domain for one in spelled for domain in (b"", b"name")}
    assert sum(len(block) for block in spill.blocks(DISTINCT)) == 3
    texts = spill.writer("texts", buckets=1)
    texts.extend([b"nothing", b"call ANNA Schmidt now"])
    texts.close()
    for job in quoted.jobs(spill, [("texts", "quoted-0"), ("none", "nothing")]):
        quoted.find(*job)
        quoted.by_bag(*job)
    assert quoted.learned(spill, "nothing").find("x anna schmidt") == [(2, 14, "name")]  # little goes together
    monkeypatch.setattr(quoted, "_TOGETHER_BYTES", 0)
    assert quoted.learned(spill, "quoted-0").find("x anna schmidt") == [(2, 14, "name")]
    assert not quoted.learned(spill, "nothing").find("x anna schmidt")


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1))
def test_uniqueness_is_counted(pairs: list[tuple[int, int]]) -> None:
    import tempfile

    findings = Findings()
    for before, after in pairs:
        findings.pair("space", str(before), str(after))
    with tempfile.TemporaryDirectory() as directory:
        spill = Spill(Path(directory))
        writer = spill.writer(uniqueness.PAIRS, buckets=1)
        uniqueness.write(writer, findings.pairs)
        uniqueness.write(writer, findings.pairs)
        writer.close()
        tally = uniqueness.tally(spill)["space"]
    assert (tally.originals, tally.results, tally.pairs) == (
        len({before for before, _ in pairs}),
        len({after for _, after in pairs}),
        len(set(pairs)),
    )
    assert tally.one_to_one == (tally.originals == tally.results == tally.pairs)


def test_uniqueness_is_counted_share_by_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uniqueness, "_AT_ONCE", 100)
    domain = default_domain("name", Keyring(b"k" * 32))
    findings = Findings()
    domain.tell = findings.pair
    for number in range(1_000):
        domain.surrogate(f"customer {number}")
    keys = [f"key {number}" for number in range(1_000)]
    findings.pairs_of("kept", keys, keys)
    findings.pairs_of("merged", keys, [f"{number // 2}" for number in range(1_000)])
    spill = Spill(tmp_path)
    writer = spill.writer(uniqueness.PAIRS, buckets=1)
    uniqueness.write(writer, findings.pairs)
    writer.close()
    assert uniqueness.tally(spill) == {
        "kept": uniqueness.Tally(1_000, 1_000, 1_000),
        "merged": uniqueness.Tally(1_000, 500, 1_000),
        "default:name/pseudonym": uniqueness.Tally(1_000, 1_000, 1_000),
    }


@given(st.text("0a1b2 -@.é٣", max_size=12), st.integers(1, 8))
def test_what_keeps_its_form_and_has_few_digits_has_no_needle(text: str, digits: int) -> None:
    few = text.isascii() and sum(char.isdigit() for char in text) < digits
    forms = list(needles(text, Thresholds(9, digits), keeps_form=True))
    assert not (few and forms)
