"""Canaries through a scrub: none may be left, and with one rule broken all those of its channel must be found."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from recorder.capture.reader import Capture
from recorder.scrubbing.errors import ScrubError
from recorder.scrubbing.policy import load_policy
from recorder.scrubbing.scrub import scrub
from tests.canaries.channels import CHANNELS, capture_of, planted, policy_text
from tests.canaries.search import left
from tests.scrubbing.helpers import SECRET


def found_when_broken(raw: Capture, work: Path, channel: str) -> int:
    """How many canaries the proof finds when the rule of one channel keeps what it should not; nothing is published."""
    (work / "broken.yaml").write_text(policy_text(broken=channel))
    try:
        scrub(raw, load_policy(work / "broken.yaml", SECRET), work / "broken")
    except ScrubError as error:
        said = str(error)
    else:
        raise AssertionError(f"a copy was published though the rule for {channel} was broken")
    assert not (work / "broken").exists()
    assert "nary" not in said.lower()
    counted = re.search(r"([\d,]+) × original", said)
    assert counted, said
    return int(counted[1].replace(",", ""))


def clean_copy(raw: Capture, work: Path) -> Path:
    (work / "policy.yaml").write_text(policy_text())
    return scrub(raw, load_policy(work / "policy.yaml", SECRET), work / "clean").path


def run(work: Path, count: int, seed: int) -> Iterator[str]:
    """A table of what was planted, left and found. Raises AssertionError when a canary is left or not found."""
    canaries = planted(count, seed)
    raw = capture_of(work / "raw", canaries)
    began = time.monotonic()
    remaining = left(clean_copy(raw, work), canaries)
    yield f"{count:,} canaries in {len(CHANNELS)} channels; a clean copy in {time.monotonic() - began:.1f} s"
    yield f"{'channel':<20}{'planted':>10}{'left':>8}{'found when broken':>20}"
    for name, texts in canaries.items():
        found = found_when_broken(raw, work, name)
        yield f"{name:<20}{len(texts):>10,}{remaining[name]:>8,}{found:>20,}"
        assert (remaining[name], found) == (0, len(texts)), name
    yield f"{'(all files)':<20}{count:>10,}{remaining['files']:>8,}"
    yield f"{'(dictionaries)':<20}{count:>10,}{remaining['pages']:>8,}"
    assert (remaining["files"], remaining["pages"]) == (0, 0)
