"""The command as a person runs it, without the cost of a new process each time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from recorder.cli.main import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    def sentence(self) -> str:
        """The one line that stderr holds when something is wrong, without the program's name."""
        assert self.out == ""
        (line,) = self.err.splitlines()
        assert line.startswith("blackbox: ")
        assert "Traceback" not in line
        assert "unexpected" not in line
        assert line.endswith((".", ")", "?"))
        return line.removeprefix("blackbox: ")


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Ran:
    """Run `blackbox …` in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return Ran(int(ended.value.code or 0), captured.out, captured.err)


@contextmanager
def without_rights(*paths: Path, mode: int = 0) -> Iterator[None]:
    """Take the rights on `paths` away; from root too, who else may read everything."""
    before = [(path, path.stat().st_mode) for path in paths]
    for path in paths:
        path.chmod(mode)
    root = os.geteuid() == 0
    opened = []
    if root:
        for parent in {parent for path in paths for parent in path.parents}:
            if not parent.stat().st_mode & 0o001:
                opened.append((parent, parent.stat().st_mode))
                parent.chmod(parent.stat().st_mode | 0o055)
        os.seteuid(65_534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, old in [*before, *opened]:
            path.chmod(old)
