"""Driving the terminal UI in tests: what is on the screen, and waiting until it shows something."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from textual.pilot import Pilot

from recorder.capture.reader import Capture
from recorder.payloads.formats import Formats
from recorder.query import Session
from recorder.tui.app import InspectApp

SIZE = (140, 40)


class Terminal:
    """An app under test, by what a person sees and types."""

    def __init__(self, app: InspectApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def text(self) -> str:
        """All that is on the screen."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    async def press(self, *keys: str) -> None:
        """Press keys by their names."""
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        """Type text into what has the focus."""
        await self.pilot.press(*(_KEYS.get(letter, letter) for letter in text))

    async def sees(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        await self.until(lambda: all(text in self.text for text in texts), f"{texts} on the screen")

    async def sees_no(self, text: str) -> None:
        """Wait until this is not on the screen."""
        await self.until(lambda: text not in self.text, f"no {text!r} on the screen")

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = monotonic() + 60
        await self.pilot.pause()
        while not condition():
            assert monotonic() < deadline, f"no {what}:\n{self.text}"
            await self.pilot.pause(0.01)


_KEYS = {" ": "space", "\n": "enter", "/": "slash"}


@asynccontextmanager
async def inspecting(capture: Capture, size: tuple[int, int] = SIZE) -> AsyncIterator[Terminal]:
    """`blackbox inspect` on a screen of that size."""
    with Session(capture) as session:
        app = InspectApp(session, "incident", Formats(capture))
        async with app.run_test(size=size) as pilot:
            yield Terminal(app, pilot)
