"""`blackbox inspect` as a person uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.manifest import Note
from recorder.capture.reader import Capture
from recorder.tui.widgets.records import PAGE, PAGES_KEPT, RecordTable
from recorder.window import Window
from tests.builders import T0, make_capture, record
from tests.tui.screen import inspecting

TRACE = ("traceparent", "00-abc-01")


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """A payment every second for five minutes; the one at 14:03:00 fails; one record is late, one wild, one hostile."""
    records = []
    for i in range(300):
        key = f"pay-{i:04d}"
        records.append(
            record("payments.incoming", i % 2, T0 + i * 1_000, key, {"payment": key, "amount": 1.10}, [TRACE])
        )
        if i == 60:
            error = [("error", "Expecting value"), ("retry", None)]
            records.append(record("payments.dlq", 0, T0 + i * 1_000 + 20, key, b'{"broken', error))
        else:
            records.append(record("payments.complete", 0, T0 + i * 1_000 + 50, key, {"payment": key, "status": "ok"}))
    records.append(record("audit", 0, T0 + 250_000, None, b"\x00\xff\x1b[2J"))
    records.append(record("audit", 0, T0 + 100_000, b"", None))
    records.append(record("audit", 0, T0 * 1_000, "wild", "an evil text \x1b]0;title\x07"))
    return make_capture(
        tmp_path_factory.mktemp("tui") / "c", records, topics={"empty": 1}, window=Window(T0, T0 + 300_000)
    )


async def test_it_opens_with_the_capture_at_a_glance(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000", "pay-0003")
        await terminal.sees(
            "incident", "RAW", "2026-11-03 14:02:00.000Z → 14:07:00.000Z (5m 00s)", "603 records in 5 topics"
        )
        await terminal.sees("all topics", "payments.dlq              1", "record 1 of 603")
        # The record under the cursor, with its number as it was spelt.
        await terminal.sees("payments.incoming  0 @ 0", "value · JSON · 35 bytes", '"amount": 1.1', "00-abc-01")
        assert terminal.app.focused is terminal.app.screen.query_one(RecordTable)


async def test_badges_tell_clean_and_loss(tmp_path: Path) -> None:
    loss = Note(level="loss", text="3 offsets unread")
    capture = make_capture(tmp_path / "c", [("t", 0, T0, "k", "v")], clean=True, notes=[loss])
    async with inspecting(capture) as terminal:
        await terminal.sees("CLEAN", "1 LOSS")


async def test_moving_shows_the_record_under_the_cursor(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("down", "down")
        await terminal.sees("payments.incoming  1 @ 0", "record 3 of 603")
        await terminal.press("end")
        await terminal.sees("record 603 of 603", "payments.complete  0 @ 298")
        await terminal.press("home")
        await terminal.sees("record 1 of 603", "payments.incoming  0 @ 0")


async def test_searching_filters_and_escape_brings_all_back_around_the_same_record(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("slash")
        await terminal.write("expecting")
        await terminal.press("enter")
        await terminal.sees("text expecting", "record 1 of 1, of 603 in all", '{"broken', "payments.dlq  0 @ 0")
        await terminal.press("escape")
        await terminal.sees("record 122 of 603", "pay-0061", "payments.dlq  0 @ 0")


async def test_a_search_that_finds_nothing_keeps_the_place(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("e", "slash")
        await terminal.write("k/q?s nowhere")
        await terminal.sees("k/q?s nowhere")
        await terminal.press("enter")
        await terminal.sees("record none, of 603 in all")
        await terminal.press("escape")
        await terminal.sees("record 122 of 603", "payments.dlq  0 @ 0")


async def test_following_a_key_crosses_topics(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("down")
        await terminal.sees("payments.complete  0 @ 0")
        await terminal.press("f")
        await terminal.sees("key is pay-0000", "record 2 of 2")
        await terminal.press("f")
        await terminal.sees("record 2 of 603")


async def test_a_record_without_a_key_can_not_be_followed(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("slash")
        await terminal.write("xff")
        await terminal.press("enter")
        await terminal.sees("audit  0 @ 0")
        await terminal.press("f")
        await terminal.sees("no key to follow")


async def test_key_filter(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("k")
        await terminal.write("0299")
        await terminal.press("enter")
        await terminal.sees("key has 0299", "of 2, of 603 in all")


async def test_a_topic_alone_and_with_another(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("t", "down", "enter")
        await terminal.sees("topic audit", "of 3, of 603 in all")
        await terminal.press("down", "down", "space")
        await terminal.sees("topic audit, payments.complete", "of 302, of 603 in all")
        await terminal.press("up", "up", "up", "enter", "escape")
        await terminal.sees("of 603")
        assert terminal.app.focused is terminal.app.screen.query_one(RecordTable)


async def test_going_to_a_time(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        for typed, landed in (
            ("14:04", "pay-0120"),
            ("+90s", "pay-0090"),
            ("50%", "pay-0150"),
            ("noon", "is not a time"),
        ):
            await terminal.press("g")
            await terminal.write(typed)
            await terminal.press("enter")
            await terminal.sees(landed)


async def test_going_to_dead_letters_and_slices(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("e")
        await terminal.sees("payments.dlq  0 @ 0", "record 122 of 603")
        await terminal.press("right_square_bracket")
        await terminal.sees("record 127 of 603")
        await terminal.press("left_square_bracket", "left_square_bracket")
        await terminal.sees("record 115 of 603")


async def test_a_record_in_full(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("e", "enter")
        await terminal.sees("Expecting value", "retry (null)", '{"broken')
        await terminal.sees_no("all topics")
        await terminal.press("n")
        await terminal.sees("payments.incoming  1 @ 30")
        await terminal.press("escape")
        await terminal.sees("all topics", "record 123 of 603")


async def test_hostile_bytes_stay_text(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("t", "down", "enter", "escape")
        await terminal.sees("0x00ff1b5b324a", r"an evil text \x1b]0;title\x07", "(null)", "(empty)", "(wild)")
        assert "\x1b" not in terminal.text
        await terminal.press("home", "down")
        await terminal.sees("order counts at 14:06:10.000 (+2m 30s)")


async def test_help_tells_the_keys(capture: Capture) -> None:
    async with inspecting(capture) as terminal:
        await terminal.sees("pay-0000")
        await terminal.press("question_mark")
        await terminal.sees("Follow key", "Next dead letter")
        await terminal.press("escape")
        await terminal.sees("record 1 of 603")


async def test_a_capture_without_records(tmp_path: Path) -> None:
    async with inspecting(make_capture(tmp_path / "c", topics={"a": 1, "b": 2})) as terminal:
        await terminal.sees("record none", "0 records in 2 topics")
        await terminal.press(
            "down", "end", "pageup", "enter", "f", "e", "right_square_bracket", "n", "y", "escape", "g"
        )
        await terminal.write("14:00\n")
        await terminal.press("slash")
        await terminal.write("x\n")
        await terminal.sees("text x", "record none")


async def test_a_torn_segment_is_a_line_not_a_crash(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", i, T0 + i, "k", "v" * 50) for i in range(2)])
    path = capture.root / capture.manifest.topics[0].partitions[1].segments[0].path
    async with inspecting(capture) as terminal:
        await terminal.sees("record 1 of 2")
        path.write_bytes(path.read_bytes()[:-20])
        await terminal.press("slash")
        await terminal.write("v\n")
        await terminal.sees("00000000000000000000.parquet")
        await terminal.press("escape", "down")


async def test_no_more_rows_are_kept_than_promised(tmp_path: Path) -> None:
    capture = make_capture(tmp_path / "c", [("t", 0, T0 + i, f"k{i}", "v") for i in range(PAGE * (PAGES_KEPT + 10))])
    async with inspecting(capture) as terminal:
        await terminal.sees("k0")
        table = terminal.app.screen.query_one(RecordTable)
        for page in range(PAGES_KEPT + 10):
            table.go(page * PAGE + 50)
            await terminal.sees(f"k{page * PAGE + 50} ")
            assert len(table._pages) <= PAGES_KEPT


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (20, 6), (300, 100)])
async def test_any_size_of_terminal(capture: Capture, size: tuple[int, int]) -> None:
    async with inspecting(capture, size) as terminal:
        await terminal.until(lambda: terminal.app.screen.query_one(RecordTable).current is not None, "rows")
        await terminal.press("down", "pagedown", "enter", "escape", "t", "down", "enter", "escape", "question_mark")
