"""What a project says: where replays may go, and whose signature lets a copy leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.project import Project, project_of
from recorder.replaying.clusters import check_captures
from recorder.replaying.options import Options
from tests.builders import T0, make_capture


def test_the_nearest_project_file_above_counts(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert project_of(inner) == Project()
    (tmp_path / "blackbox.yaml").write_text("replay:\n  allow_targets: [ci, staging]\n")
    assert project_of(inner).allow_targets == ("ci", "staging")
    (tmp_path / "a" / "blackbox.yaml").write_text("replay:\n  allow_targets:\n    - laptop\n")
    assert project_of(inner) == Project(("laptop",))
    (tmp_path / "a" / "blackbox.yaml").write_text("guard: {public_key: ../k.pub}\n")
    assert project_of(inner) == Project(public_key=tmp_path / "a" / "../k.pub")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("replay:\n  allow_target: [ci]\n", r"blackbox.yaml:2: unknown name 'allow_target'.*allow_targets"),
        ("replays: {}\n", "unknown name 'replays'"),
        ("replay:\n  allow_targets: ci\n", "blackbox.yaml:2: allow_targets must be a list"),
        ("replay:\n  allow_targets: []\n", "allows no cluster"),
        ("replay: [\n", "not valid YAML"),
        ("guard: {public_keys: a}\n", "blackbox.yaml:1: unknown name 'public_keys'.*public_key"),
        ("guard: {}\n", "public_key"),
    ],
)
def test_what_is_wrong_in_it_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "blackbox.yaml").write_text(text)
    with pytest.raises(UsageError, match=said):
        project_of(tmp_path)


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    return make_capture(tmp_path / "c", [("a", 0, T0, None, None)], cluster_id="prod", clean=True)


@pytest.mark.parametrize("target", ["staging", "prod", None])
def test_other_targets_are_refused_and_the_source_even_when_it_is_listed(capture: Capture, target: str | None) -> None:
    found = list(check_captures([capture], target, Options(allow_targets=("ci", "prod"))))
    refused = [finding for finding in found if finding.refusal]
    assert len(refused) == 1
    assert ("replays may only go to ci, prod" if target != "prod" else "this very cluster") in refused[0].what
    assert not list(check_captures([capture], "ci", Options(allow_targets=("ci",))))
