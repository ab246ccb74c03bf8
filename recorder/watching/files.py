"""Triggers that are files: whoever may write into a directory may trigger, without any tool."""

from __future__ import annotations

import stat

from recorder.capture.writer import reporting_write_errors
from recorder.errors import CaptureError, RefusedError
from recorder.watching.conditions import sane_time
from recorder.watching.desk import Desk, Moment, Told
from recorder.watching.triggers import Dropped


class Basket:
    """The directory of one trigger; made when it is not there. Raises CaptureError where that can't be."""

    def __init__(self, trigger: Dropped, desk: Desk, tell: Told) -> None:
        self._trigger = trigger
        self._desk = desk
        self._tell = tell
        self._trouble = ""
        with reporting_write_errors(trigger.directory):
            trigger.directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def collect(self, now_ms: int) -> None:
        """Every file there triggers at the time it was written, also if that was before the watcher's start.

        It is removed once the trigger is noted, and known by name and time when a crash comes between. Hidden files
        are left alone: they are on their way to another name.
        """
        trouble = ""
        try:
            for path in sorted(self._trigger.directory.iterdir()):
                found = path.lstat()
                if path.name.startswith(".") or not stat.S_ISREG(found.st_mode) or self._desk.unsaved:
                    continue
                at_ms = sane_time(found.st_mtime_ns // 1_000_000, now_ms)
                try:
                    self._desk.take(Moment(self._trigger.name, at_ms, f"{path}@{found.st_mtime_ns}"), now_ms)
                except RefusedError as error:
                    self._tell(str(error))
                path.unlink()
        except CaptureError:
            return  # not noted, so the file stays: the desk said why, and its next turn may succeed
        except OSError as error:
            trouble = f"Can't take the files of {self._trigger.directory}: {error.strerror}."
        if trouble and trouble != self._trouble:
            self._tell(trouble)
        self._trouble = trouble
