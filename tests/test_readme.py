"""The README works as typed: its verbs and flags exist, all verbs are in it, and what needs no broker is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from recorder.cli.main import app, main
from tests.builders import T0, make_capture

README = Path(__file__).parent.parent / "README.md"
OFFLINE = {"info", "ls", "cat", "formats", "sql", "export", "cut", "merge", "verify"}


def commands() -> Iterator[list[str]]:
    """Every `blackbox …` line of the README's code blocks, split as a shell splits it, without its comment."""
    for block in re.findall(r"```(?:\w*)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        for words in re.findall(r"(?:^|&& )blackbox (.*)$", block, re.MULTILINE):
            yield shlex.split(words, comments=True)


ALL = list(commands())


def test_every_verb_is_in_the_readme() -> None:
    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert verbs <= {words[0] for words in ALL}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_command_in_the_readme_exists_with_its_flags(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    verb = words[:2] if words[0] in {"ctl", "keys", "local", "policy"} else words[:1]
    with pytest.raises(SystemExit) as end:
        main([*verb, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    for word in words[len(verb) :]:
        if re.fullmatch(r"--?[a-zA-Z][\w-]*", word):
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", shown), f"{word} is no flag of {verb[0]}"


@pytest.mark.parametrize("words", [words for words in ALL if words[0] in OFFLINE], ids=" ".join)
def test_a_command_that_needs_no_broker_runs(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_capture(
        tmp_path / "incident",
        [
            ("payments.complete", 0, T0, "pay-1", {"status": "confirmed"}),
            ("payments.dlq", 0, T0 + 5, "pay-2", "{cut", [("error.exception", "JSONDecodeError")]),
        ],
    )
    for name, offsets, cluster in (("before", 4, "eu"), ("during", 6, "eu"), ("eu", 1, "eu"), ("us", 1, "us")):
        rows = [("payments", 0, T0 + n, f"pay-{n}", {"n": n}) for n in range(offsets)]
        make_capture(tmp_path / name, rows, cluster_id=cluster)
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr()
    # A letter in the dead letter topic is cut short, as they are: an export says so.
    assert end.value.code == (3 if words[0] == "export" and "not decoded: payments.dlq" in said.err else 0), said.err
    assert said.out or said.err
