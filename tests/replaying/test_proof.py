"""A proof says in one line what holds, and no more than that."""

from __future__ import annotations

import pytest

from recorder.replaying.proof import Proof

HELD = "300 records and 7 keys held against 1 partition of the target's log"


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        (Proof(records=300, keys=7, partitions=1), f"holds: {HELD}: each there once, equal and in the capture's order"),
        (
            Proof(records=300, keys=7, partitions=1, unconfirmed=286),
            f"holds: {HELD}: 14 there once, equal and in the capture's order; 286 unconfirmed ones are not there",
        ),
        (
            Proof(records=300, keys=7, partitions=1, perturbed=True),
            f"holds: {HELD}: each there once, equal and in the order that --chaos meant",
        ),
        (
            Proof(records=1, keys=1, partitions=1, missing=1),
            "FAILED: 1 record and 1 key held against 1 partition of the target's log: 1 missing",
        ),
    ],
)
def test_a_proof_says_what_holds_and_of_how_many(proof: Proof, told: str) -> None:
    assert proof.sentence() == told
