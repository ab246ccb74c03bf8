"""A black-box recorder for Kafka: capture a window exactly, look at it, clean it, replay it in its own rhythm.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recorder.capture.reader import Capture as Capture
    from recorder.capture.reader import open_capture as open_capture
    from recorder.capture.schema import Record as Record
    from recorder.capture.selection import Selection as Selection
    from recorder.capture.verify import verify as verify
    from recorder.kafka.connection import connect as connect
    from recorder.recording.record import record as record
    from recorder.recording.request import Request as Request
    from recorder.replaying import replay as replay
    from recorder.window import Window as Window

_HOMES = {
    "Capture": "recorder.capture.reader",
    "Record": "recorder.capture.schema",
    "Request": "recorder.recording.request",
    "Selection": "recorder.capture.selection",
    "Window": "recorder.window",
    "connect": "recorder.kafka.connection",
    "open_capture": "recorder.capture.reader",
    "record": "recorder.recording.record",
    "replay": "recorder.replaying",
    "verify": "recorder.capture.verify",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recorder' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
