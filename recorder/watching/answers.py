"""What a caller of a trigger is told, over the socket and over HTTP alike."""

from __future__ import annotations

import time
from typing import Any

from recorder.errors import BlackboxError
from recorder.watching.desk import Desk
from recorder.watching.settings import Settings
from recorder.watching.triggers import Way
from recorder.window import format_time


def answer(desk: Desk, settings: Settings, name: str, way: Way) -> dict[str, Any]:
    """Call a trigger. The answer names the capture to come, or holds `error` and its `exit_code`."""
    try:
        taken = desk.call(name, way, time.time_ns() // 1_000_000)
    except BlackboxError as error:
        return {"error": str(error), "exit_code": int(error.exit_code)}
    return {
        "capture": str(settings.out / taken.capture),
        "from": format_time(taken.from_ms),
        "to": format_time(taken.to_ms),
        "taken_after": format_time(taken.to_ms + settings.settle_ms),
    }
