"""Who did what to a capture, when and with which version: the steps of its history (FORMAT.md 16)."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Sequence
from importlib.metadata import version

from recorder.capture.manifest import Step
from recorder.capture.object_stores import masked


def tool_version() -> str:
    """This program and its release."""
    return f"kafka-blackbox {version('kafka-blackbox')}"


def new_step(verb: str, capture_id: str, *, parent_id: str | None = None, command: Sequence[str] = ()) -> Step:
    """A step done now by this user on this host; `command` is the command line as typed, secrets included."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run a user id that has no name
        user = None
    return Step(
        verb=verb,
        at_ms=time.time_ns() // 1_000_000,
        tool=tool_version(),
        capture_id=capture_id,
        parent_id=parent_id,
        user=user,
        host=socket.gethostname(),
        command=without_secrets(command),
    )


def without_secrets(command: Sequence[str]) -> tuple[str, ...]:
    """The command line as it may be kept.

    The value of every client setting (`-X key=value`) is replaced, because any may be a secret, and the credentials
    that an object store's URI may hold.
    """
    shown = []
    for before, word in zip(("", *command), command, strict=False):
        if before == "-X":
            word = f"{word.partition('=')[0]}=…"
        elif word.startswith("-X") and word != "-X":
            word = f"-X{word[2:].partition('=')[0]}=…"
        shown.append(masked(word))
    return tuple(shown)
