"""The SQL pane."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.reader import Capture
from tests.builders import T0, make_capture
from tests.tui.screen import Terminal, inspecting


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    records = [("orders", i % 2, T0 + i * 1_000, f"k{i}", {"i": i}) for i in range(50)]
    return make_capture(tmp_path_factory.mktemp("sql-screen") / "c", records)


async def ask(terminal: Terminal, sql: str) -> None:
    await terminal.press("ctrl+a")
    await terminal.press("ctrl+shift+k", "ctrl+u", "ctrl+k")
    editor = terminal.app.screen.query_one("Editor")
    editor.text = sql  # type: ignore[attr-defined]
    await terminal.press("f5")


async def test_it_opens_with_an_answer(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("k0")
        await terminal.press("s")
        await terminal.sees("FROM records GROUP BY topic", "orders", "1 row in")


async def test_enter_after_a_semicolon_runs(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("k0")
        await terminal.press("s")
        await terminal.sees("1 row in")
        await terminal.press("backspace")
        await terminal.write(" limit 0;")
        await terminal.press("enter")
        await terminal.sees("0 rows in")


async def test_a_row_that_names_a_record_leads_to_it(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("k0")
        await terminal.press("s")
        await terminal.sees("1 row in")
        await ask(terminal, "SELECT topic, partition, \"offset\" FROM records WHERE key = 'k37'")
        await terminal.sees("Enter on a row shows that record")
        await terminal.press("tab", "enter")
        await terminal.sees("record 38 of 50", "orders  1 @ 18")


async def test_errors_are_lines_and_the_statement_stays(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("k0")
        await terminal.press("s")
        await terminal.sees("1 row in")
        await ask(terminal, "SELEC 1")
        await terminal.sees('syntax error at or near "SELEC"')
        await ask(terminal, "COPY records TO 'x'")
        await terminal.sees("COPY is refused")
        await terminal.press("escape")
        await terminal.sees("record 1 of 50")
        await terminal.press("s")
        await terminal.sees("COPY records TO")


async def test_escape_stops_a_query(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("k0")
        await terminal.press("s")
        await terminal.sees("1 row in")
        editor = terminal.app.screen.query_one("Editor")
        editor.text = "SELECT count(*) FROM range(100000000000) a, range(1000) b"  # type: ignore[attr-defined]
        await terminal.press("f5", "escape")
        await terminal.sees("was interrupted")


async def test_a_long_result_says_that_it_is_cut_and_any_value_shows(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("k0")
        await terminal.press("s")
        await terminal.sees("1 row in")
        await ask(
            terminal, "SELECT range AS n, NULL AS nothing, '[b]x' AS markup, '\\xFF\\x1B'::blob AS raw FROM range(5000)"
        )
        await terminal.sees("the first 1,000 rows, there are more", "NULL", "[b]x", "0xff1b")


async def test_no_file_is_reachable(capture: Capture, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    async with inspecting(capture) as terminal:
        await terminal.sees("k0")
        await terminal.press("s")
        await terminal.sees("1 row in")
        await ask(terminal, f"FROM read_text('{tmp_path}/secret')")
        await terminal.sees("no other files")
        await terminal.sees_no("s3cret")
