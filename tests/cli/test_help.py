"""Help is complete: every verb has an example, every option says what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from recorder.cli.main import app
from tests.cli.running import run


def commands(group: typer.Typer) -> Iterator[tuple[str, ...]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield (command.name or command.callback.__name__.replace("_", "-"),)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        for words in commands(inner.typer_instance):
            yield (str(inner.name), *words)


VERBS = sorted(commands(app))


def test_the_verbs_of_the_first_release_are_there() -> None:
    wanted = {"demo", "record", "info", "ls", "cat", "sql", "verify", "scrub", "verify-clean", "replay"}
    assert wanted <= {words[0] for words in VERBS}


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_verb_shows_an_example_of_itself(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    ran = run(capsys, *words, "--help")
    assert (ran.code, ran.err) == (0, "")
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", ran.out).split())
    assert re.search(rf"Example: (\S+=.* )?blackbox {' '.join(words)}\b", text), text
    assert run(capsys, *words, "-h").out == ran.out


def test_the_program_itself_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "--help")
    assert (ran.code, ran.err) == (0, "")
    for words in VERBS:
        assert re.search(rf"\b{words[0]}\b", ran.out)
    assert run(capsys, "--version").out.startswith("blackbox ")
    assert "Usage" in run(capsys).out + run(capsys).err


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_option_says_what_it_does(words: tuple[str, ...]) -> None:
    command = get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{' '.join(words)}: {parameter.name} has no help"
