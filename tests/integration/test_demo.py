"""The main job from end to end, as `blackbox demo` tells it: on real clusters, with proofs that this test redoes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from desensitizers.policy import Policy
from recorder.capture.reader import Capture, open_capture
from recorder.replaying.certificate import read_certificate
from recorder.scrubbing.scrub import scrub
from recorder.scrubbing.suggest import suggest
from recorder.scrubbing.verify_clean import verify_clean

# The demo with a shorter production.
PROGRAM = """
from recorder.cli.main import main
from recorder.demo import production
production.RUN_SECONDS = 12.0
production._RUN = (
    "--duration", "12s", "--rate", "30", "--seed", "7", "--incident-after", "3s", "--incident-for", "5s",
)
main()
"""
PERSONAL = ("name", "email", "phone", "iban", "card", "customer_id", "account_id")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-c", PROGRAM, "demo", "-o", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return directory, done.stdout


def test_it_says_that_the_replayed_records_are_equal(demo: tuple[Path, str]) -> None:
    directory, said = demo
    records = open_capture(directory / "clean").manifest.records
    assert records > 1_000
    assert f"PROVEN: {records:,} of {records:,} records are equal" in said


def test_the_replay_broke_no_order_and_lost_nothing(demo: tuple[Path, str]) -> None:
    certificate = read_certificate(demo[0] / "certificate.json")
    assert (certificate.losses, certificate.inversions.partition, certificate.inversions.key) == (0, 0, 0)
    assert certificate.source_cluster_id != certificate.target_cluster_id


def test_no_personal_value_of_the_raw_capture_is_in_the_clean_one(demo: tuple[Path, str]) -> None:
    """Looks with its own eyes: every personal leaf of the raw records, in all decoded bytes of the copy."""
    directory, _ = demo
    originals = {leaf for value in values(open_capture(directory / "incident")) for leaf in personal(value)}
    assert len(originals) > 200
    copy = "\n".join(texts(open_capture(directory / "clean")))
    assert [original for original in originals if original in copy] == []


def test_the_same_customer_stays_the_same_customer(demo: tuple[Path, str]) -> None:
    directory, _ = demo
    pairs = set()
    for raw, clean in zip(
        open_capture(directory / "incident").records(), open_capture(directory / "clean").records(), strict=True
    ):
        if raw.topic == "payments.incoming":
            before, after = json.loads(raw.value or b""), json.loads(clean.value or b"")
            pairs.add((before["customer"]["customer_id"], after["customer"]["customer_id"]))
    assert len({before for before, _ in pairs}) == len({after for _, after in pairs}) == len(pairs)


def test_a_draft_whose_proposals_are_taken_makes_a_clean_copy(demo: tuple[Path, str], tmp_path: Path) -> None:
    raw = open_capture(demo[0] / "incident")
    drafted = Policy.parse(suggest(raw).accepted, env={"BLACKBOX_KEY": "a secret of at least thirty-two bytes"})
    scrub(raw, drafted, tmp_path / "clean")
    assert not any(check.status == "FAILED" for check in verify_clean(tmp_path / "clean", parent=raw))
    originals = {leaf for value in values(raw) for leaf in personal(value)}
    copy = "\n".join(texts(open_capture(tmp_path / "clean")))
    assert [original for original in originals if original in copy] == []


def values(capture: Capture) -> Iterator[object]:
    for record in capture.records():
        try:
            yield json.loads(record.value or b"null")
        except ValueError:
            continue


def personal(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, leaf in value.items():
            if name in PERSONAL and isinstance(leaf, str) and len(leaf) >= 6 and value.get("unit") is None:
                yield leaf
            yield from personal(leaf)
    elif isinstance(value, list):
        for item in value:
            yield from personal(item)


def texts(capture: Capture) -> Iterator[str]:
    for record in capture.records():
        for payload in (record.key, record.value, *(value for _, value in record.headers)):
            text = (payload or b"").decode("utf-8", "replace")
            yield text
            try:
                # The same text without JSON's escapes, so that a name can't hide behind \u00e9.
                yield json.dumps(json.loads(text), ensure_ascii=False)
            except ValueError:
                continue
