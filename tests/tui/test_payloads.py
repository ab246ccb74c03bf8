"""The terminal UI shows payloads decoded, with their schema, and says of the others why they are not."""

from __future__ import annotations

import struct
from decimal import Decimal
from pathlib import Path

from tests.builders import T0, record
from tests.payloads.framed import FIRST, capture_with, framed
from tests.tui.screen import inspecting

GOOD = framed(FIRST, {"id": 42, "price": Decimal("0.10")})


async def test_values_are_decoded_in_the_list_and_in_full(tmp_path: Path) -> None:
    rows = [
        record("orders", 0, T0, struct.pack(">q", 7001), GOOD),
        record("orders", 0, T0 + 1, struct.pack(">q", 7002), GOOD[:-1]),
        record("orders", 0, T0 + 2, struct.pack(">q", 7003), b"\0\0\0\0\x63a\x1b[2J"),
    ]
    async with inspecting(capture_with(tmp_path / "c", rows)) as terminal:
        await terminal.sees("7001  ", '{"id":42,"price":"0.10"}', "(truncated) 0x", "(unknown schema id) 0x")
        await terminal.sees(f"value · Avro · {len(GOOD)} bytes", '"price": "0.10"')
        await terminal.sees("orders-value v1 (id 7), named in its first bytes", "key   7001")
        await terminal.press("down")
        await terminal.sees("value · not decoded", "orders-value v1 (id 7), named", "truncated")
        await terminal.press("down")
        await terminal.sees("id 99, named in its first bytes", "unknown schema id: id 99", "....ca.[")
        assert "\x1b" not in terminal.text


async def test_bytes_instead_and_what_is_copied(tmp_path: Path) -> None:
    capture = capture_with(tmp_path / "c", [record("orders", 0, T0, "k", GOOD)])
    async with inspecting(capture) as terminal:
        await terminal.sees('"price": "0.10"')
        await terminal.press("y")
        assert terminal.app.clipboard == '{\n  "id": 42,\n  "price": "0.10"\n}'
        await terminal.press("x")
        await terminal.sees("value · Avro, bytes", "00000000  00 00 00 00 07 54")
        await terminal.press("y")
        assert terminal.app.clipboard.startswith("00000000  00 00 00 00 07 54")
        await terminal.press("x")
        await terminal.sees('"price": "0.10"')


async def test_on_a_small_screen_the_time_takes_two_lines(tmp_path: Path) -> None:
    async with inspecting(capture_with(tmp_path / "c", [record("orders", 0, T0, "k", GOOD)]), (80, 24)) as terminal:
        await terminal.sees("time  2026-11-03 ", "      14:02:00.000Z create", "key   k")
