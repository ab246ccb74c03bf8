"""Questions to a server that may hang, trickle or never stop talking: bounded answers in bounded time.

The client's own timeout is for each read: a server that sends a byte now and then never runs into it. So every question
is asked in a thread that is left behind when its time is over, and an answer is cut off where it grows too large.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

ANSWER_BYTES = 32 << 20
_Answer = TypeVar("_Answer")


class TooLateError(Exception):
    """No answer in time."""


class TooLargeError(Exception):
    """An answer of more than `ANSWER_BYTES`, or one that hides its size behind a compression nobody asked for."""


def within(seconds: float, ask: Callable[[], _Answer]) -> _Answer:
    """What `ask` returns or raises, unless it takes longer: then TooLateError, and it goes on unheard."""
    answers: list[_Answer] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # noqa: BLE001 - raised where it was asked
            errors.append(error)

    thread = threading.Thread(target=run, name="question", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TooLateError
    return answers[0]


def bound(session: Any) -> None:
    """Make an httpx client raise TooLargeError for answers that are too large."""
    session.headers["Accept-Encoding"] = "identity"
    session.event_hooks = {"response": [_bounded]}


def _bounded(response: Any) -> None:
    import httpx2

    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise TooLargeError
    original = response.stream

    class Stream(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            left = ANSWER_BYTES
            for chunk in original:
                left -= len(chunk)
                if left < 0:
                    raise TooLargeError
                yield chunk

        def close(self) -> None:
            original.close()

    response.stream = Stream()
