"""The terminal UI: one capture, opened for looking."""

from __future__ import annotations

import asyncio
import signal

from textual.app import App

from recorder.capture.reader import Capture
from recorder.payloads.choices import Choices
from recorder.payloads.formats import Formats
from recorder.query import Session
from recorder.tui.screens.browse import BrowseScreen


class InspectApp(App[None]):
    """Owns nothing but the screens; the session belongs to who opened it."""

    CSS_PATH = "inspect.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "blackbox"

    def __init__(self, session: Session, name: str, formats: Formats) -> None:
        super().__init__()
        self._session = session
        self._formats = formats
        self._capture_name = name

    def on_mount(self) -> None:
        # A terminal that is closed ends the program as q does, so that nothing is left behind.
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self.exit)
        self.push_screen(BrowseScreen(self._session, self._capture_name, self._formats))


def show(capture: Capture, choices: Choices | None = None) -> None:
    """Show a capture until the person quits; CaptureError when it can't be opened."""
    with Session(capture, choices=choices) as session:
        InspectApp(session, capture.root.resolve().name, Formats(capture, choices)).run()
