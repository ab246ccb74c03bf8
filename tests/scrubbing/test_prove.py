"""The proof knows pieces again that it looked at; what it finds must be what a proof without a memory finds."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desensitizers.detectors import PROOF_DEFAULT
from desensitizers.learned import normal
from desensitizers.proof.needles import Thresholds, needles
from desensitizers.proof.originals import NEEDLES, WHOLE
from desensitizers.proof.repeats import cut
from desensitizers.proof.rescan import Rescan
from desensitizers.proof.spill import Spill
from recorder.capture.manifest import Segment
from recorder.capture.schema import Record
from recorder.capture.writer import PartitionWriter
from recorder.scrubbing import prove as proving
from recorder.scrubbing.prove import Proven, prove
from tests.builders import record, to_batch
from tests.conftest import examples

ORIGINALS = ("Anna Schmidt", 'Meyer, "Jack" Paul', "Zoë", "Bob", "4711 0815 2342", "acc-12345678")
CLEAN = ("fill", "Nobody at all", "a@example.test", "00ff00ff00ff00ff", "x", "12")
FOUND = (*ORIGINALS, "real@firma.de", "4539578763621486", "AKIAIOSFODNN7EXAMPLE")
LEAF = st.sampled_from([*CLEAN, *CLEAN, *CLEAN, *FOUND])


def document(leaves: list[str]) -> bytes:
    return json.dumps(
        {f"f{number}": leaf for number, leaf in enumerate(leaves)}, ensure_ascii=len(leaves) % 2 > 0
    ).encode()


VALUE = st.one_of(
    st.lists(LEAF, min_size=1, max_size=5).map(document),
    st.lists(LEAF, min_size=1, max_size=3).map(lambda leaves: json.dumps([document(leaves).decode(), "x"]).encode()),
    LEAF.map(lambda leaf: b'{"a":"x","b":"' + base64.b64encode(leaf.encode()) + b'","c": 1}'),
    LEAF.map(str.encode),
)


def spilled(directory: Path) -> Spill:
    spill = Spill(directory / "spill")
    for bag, whole in (NEEDLES, False), (WHOLE, True):
        writer = spill.writer(bag)
        for text in ORIGINALS:
            forms = needles(text, Thresholds(9, 4), keeps_form=False)
            writer.extend(form for form in forms if cut(form) is whole)
        writer.close()
    return spill


def segments(root: Path, values: list[bytes]) -> list[Segment]:
    """Two with the same values."""
    made = []
    for partition in (0, 1):
        writer = PartitionWriter(root, "orders", partition, key_bloom_filter=False)
        rows: list[Record] = [
            record("orders", partition, value=value, offset=offset) for offset, value in enumerate(values)
        ]
        writer.append(to_batch(rows))
        writer.seal()
        made += writer.segments
    return made


def proofs(root: Path, of: list[Segment], spill: Spill, *, remembering: bool) -> list[Proven]:
    proving.forget()
    with patch.object(Rescan, "sees_pieces", remembering):
        return [prove(root, [one], PROOF_DEFAULT, spill) for one in of]


@settings(max_examples=examples(8), deadline=None)  # each makes two segments and proves them twice
@given(st.lists(VALUE, min_size=1, max_size=8))
def test_a_proof_that_remembers_finds_what_one_without_memory_finds(values: list[bytes]) -> None:
    with TemporaryDirectory() as directory:
        spill = spilled(Path(directory))
        made = segments(Path(directory), values)
        assert proofs(Path(directory), made, spill, remembering=True) == proofs(
            Path(directory), made, spill, remembering=False
        )


@pytest.mark.parametrize("leaf", FOUND)
def test_what_is_found_once_is_found_wherever_it_is(leaf: str, tmp_path: Path) -> None:
    made = segments(tmp_path, [document(["x", leaf, "y"])] * 3)
    found = proofs(tmp_path, made, spilled(tmp_path), remembering=True)
    assert [one.leaks[0].partition for one in found] == [0, 1]
    assert found[0].hits == found[1].hits
    assert normal(leaf)
