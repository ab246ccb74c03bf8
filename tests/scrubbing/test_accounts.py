"""The ledger of headers: what became of each, also where names go or become others."""

from __future__ import annotations

import pytest

from desensitizers.policy import Policy
from recorder.scrubbing.accounts import Account, Accounts
from tests.desensitizers.helpers import batch, policy

ROWS = [
    [("user", b"1"), ("anna@firma.de", b"2"), ("noise", b"3"), ("noise", None)],
    [("user", b"4"), ("eva@firma.de", None), ("anna@firma.de", b"5")],
    [],
]
NAMES = "'@key': {domain: email}"


@pytest.mark.parametrize(
    ("headers", "kept", "masked", "dropped"),
    [
        ("'{user,noise}': keep, '*@*': drop", 4, 0, 3),
        ("user: {rule: mask}, noise: keep, '*@*': drop", 2, 2, 3),
        (f"'{{user,noise}}': keep, '*': keep, {NAMES}", 4, 3, 0),
        (f"user: keep, noise: drop, '*': keep, {NAMES}", 2, 3, 2),
        (f"user: {{rule: mask}}, noise: drop, '*': keep, {NAMES}", 0, 5, 2),
        ("'*': drop", 0, 0, 7),
    ],
)
def test_each_header_is_kept_masked_or_dropped(headers: str, kept: int, masked: int, dropped: int) -> None:
    loaded: Policy = policy(f"headers: {{{headers}}}")
    before = batch(headers=ROWS)
    after = loaded.plan().for_topic("t").apply(before)
    assert after.batch is not None, after.problems
    accounts = Accounts()
    accounts.add(before, after.batch)
    found = accounts.closed()[2]
    assert found == Account(7, kept, masked, dropped)
    assert found.balanced
