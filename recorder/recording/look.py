"""Looking at given stretches of partitions once, beside the recording itself: to count, to compare, to collect."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from recorder.errors import BlackboxError
from recorder.kafka.connection import Connection
from recorder.kafka.fetching import Arrived, Failed, Fetcher, Isolation, Message, OutOfRange, ReachedEnd, is_denied
from recorder.kafka.offsets import Place

STALLED_SECONDS = 120.0

Stretch = tuple[int, int]
"""Offsets `[begin, end)`."""


def look(
    connection: Connection,
    stretches: Mapping[Place, Stretch],
    isolation: Isolation,
    saw: Callable[[Place, list[Message]], None],
    *,
    stopped: Callable[[], bool] = lambda: False,
    within_seconds: float | None = None,
) -> dict[Place, int]:
    """Hand the messages of each stretch to `saw`, in offset order, and return up to where each was looked at.

    Less than the stretch's end means: no more is readable now (an open transaction, the log's end, a deleted topic),
    nobody answers, or `stopped`. Raises BlackboxError where we may not read, KafkaUnavailableError.
    """
    positions = {place: begin for place, (begin, _) in stretches.items()}
    waiting = {place for place, (begin, end) in stretches.items() if begin < end}
    if not waiting:
        return positions
    with Fetcher(connection, {place: positions[place] for place in waiting}, isolation) as fetcher:
        begun = heard = time.monotonic()
        while waiting and not stopped():
            for event in fetcher.poll():
                heard = time.monotonic()
                place = event.place
                if isinstance(event, Failed) and place is None:
                    raise connection.unavailable(event.error, "read")
                if place is None or place not in waiting:
                    continue
                end, over = stretches[place][1], False
                match event:
                    case Arrived(_, messages):
                        if event.next_offset > end:
                            messages = [message for message in messages if (message.offset() or 0) < end]
                        saw(place, messages)
                        positions[place] = event.next_offset
                    case ReachedEnd(_, offset):
                        positions[place], over = offset, True
                    case Failed(_, error) if is_denied(error):
                        raise BlackboxError(f"No right to read topic {place[0]}: ask for READ on it.")
                    case OutOfRange() | Failed():
                        over = True
                if over or positions[place] >= end:
                    waiting.discard(place)
                    fetcher.drop(place)
            now = time.monotonic()
            if now - heard > STALLED_SECONDS or (within_seconds is not None and now - begun > within_seconds):
                break
    return {place: min(position, stretches[place][1]) for place, position in positions.items()}
