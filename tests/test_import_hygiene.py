"""Heavy libraries are loaded when they are used, not to print a help text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.test_help import VERBS

HEAVY = ("textual", "duckdb", "pyarrow", "faker", "confluent_kafka", "numpy")
PROGRAM = """
import sys
sys.argv = ["blackbox", *sys.argv[1:]]
{action}
heavy = [name for name in {heavy} if name in sys.modules]
sys.exit(", ".join(heavy) if heavy else 0)
"""
MAIN = """
from recorder.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
"""


def loads_nothing_heavy(action: str, *arguments: str) -> None:
    program = PROGRAM.format(action=action, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("package", ["recorder", "desensitizers"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    loads_nothing_heavy(f"import {package}")


def test_the_help_of_the_program_loads_nothing_heavy() -> None:
    loads_nothing_heavy(MAIN, "--help")


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_the_help_of_a_verb_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    loads_nothing_heavy(MAIN, *words, "--help")
