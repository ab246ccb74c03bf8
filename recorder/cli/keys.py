"""A running replay's keys: each one pressed is a command. The terminal is given back as it was, whatever happens."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import threading
import tty
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from recorder.cli.output import VERBOSITY, say
from recorder.errors import BlackboxError

if TYPE_CHECKING:
    from recorder.replaying.control import Command, Control

_FASTER = 1.25
_ENTER, _ESCAPE, _BACKSPACE = ("\r", "\n"), "\x1b", ("\x7f", "\b")


class Keys:
    """Listens to the terminal while the context lasts; does nothing where there is none, or in the background.

    `said` is what the person should see now instead of the progress: a prompt, or why a command was refused.
    """

    def __init__(self, control: Control, tz: str | None) -> None:
        self._control, self._tz = control, tz
        self._typed: str | None = None
        self._error = ""
        self._saved: list[Any] | None = None
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="keys", daemon=True)
        self._previous: Any = None

    @property
    def said(self) -> str:
        return self._error if self._typed is None else f"go to (time, or +30s): {self._typed}_"

    def __enter__(self) -> Self:
        if not VERBOSITY.quiet and sys.stdin.isatty() and sys.stderr.isatty() and _in_foreground():
            self._saved = termios.tcgetattr(sys.stdin)
            self._previous = signal.signal(signal.SIGTSTP, self._suspend)
            tty.setcbreak(sys.stdin)
            say("space pauses, + and - change the rate, n sends the next record, g goes to a time, Ctrl-C ends")
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saved is not None:
            try:
                os.write(self._wake[1], b"x")
                self._thread.join()
                signal.signal(signal.SIGTSTP, self._previous)
            finally:
                self._give_back()
        for end in self._wake:
            os.close(end)

    def _give_back(self) -> None:
        with suppress(termios.error):  # the terminal is gone: there is nothing to give back
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._saved or [])

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: leave the terminal to the shell meanwhile."""
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._suspend)
        if _in_foreground():
            tty.setcbreak(sys.stdin)

    def _listen(self) -> None:
        while True:
            ready, _, _ = select.select([sys.stdin, self._wake[0]], [], [])
            if self._wake[0] in ready:
                return
            if not _in_foreground():
                return
            text = os.read(sys.stdin.fileno(), 64).decode("utf-8", "replace")
            if not text:
                return
            for key in text:
                self._press(key)

    def _press(self, key: str) -> None:
        self._error = ""
        try:
            command = self._typing(key) if self._typed is not None else self._command(key)
            if command is not None:
                self._control.ask(command)
        except BlackboxError as error:
            self._error = str(error)

    def _command(self, key: str) -> Command | None:
        from recorder.replaying import control

        if key == "g":
            self._typed = ""
        commands: dict[str, Command] = {
            " ": control.Toggle(),
            "+": control.Rate(_FASTER, relative=True),
            "=": control.Rate(_FASTER, relative=True),
            "-": control.Rate(1 / _FASTER, relative=True),
            "n": control.Step(),
        }
        return commands.get(key)

    def _typing(self, key: str) -> Command | None:
        from recorder.replaying.control import seek_to
        from recorder.replaying.typed import parse_point

        typed = self._typed or ""
        if key == _ESCAPE:
            self._typed = None
        elif key in _ENTER:
            self._typed = None
            if typed.strip():
                return seek_to(parse_point(typed, tz=self._tz))
        else:
            self._typed = typed[:-1] if key in _BACKSPACE else typed + key
        return None


def _in_foreground() -> bool:
    """May we read the terminal? A background job that does is stopped."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False
