"""Where the last N records of a partition begin: found by reading backwards, because offsets are no count of records.

Compaction, transaction markers and aborted records leave holes, so nothing but reading tells. Each stretch is read
once, four times as far back as the one before, until enough records were seen or the log begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recorder.kafka.connection import Connection
from recorder.kafka.fetching import Isolation, Message
from recorder.kafka.offsets import Place
from recorder.recording.look import Stretch, look

_SPARE = 64  # offsets beyond N in the first stretch: a few markers should not cost a second one
_FURTHER = 4
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Last:
    """The offset to begin at, and how many records lie from there to the end: fewer than asked when no more exist."""

    start: int
    records: int


def last_records(
    connection: Connection, logs: Mapping[Place, Stretch], wanted: int, isolation: Isolation = "read_committed"
) -> dict[Place, Last]:
    """Find the last `wanted` readable records in each stretch of log. Raises BlackboxError, KafkaUnavailableError."""
    found = {place: Last(end, 0) for place, (_, end) in logs.items()}
    length = wanted + _SPARE
    while stretches := {
        place: (max(begin, found[place].start - length), found[place].start)
        for place, (begin, _) in logs.items()
        if found[place].records < wanted and begin < found[place].start
    }:
        seen: dict[Place, list[npt.NDArray[np.int64]]] = {place: [] for place in stretches}

        def saw(place: Place, messages: list[Message], seen: dict[Place, list[npt.NDArray[np.int64]]] = seen) -> None:
            seen[place].append(np.fromiter(map(Message.offset, messages), np.int64, len(messages)))

        look(connection, stretches, isolation, saw)
        for place, (begin, _) in stretches.items():
            offsets = np.concatenate(seen[place]) if seen[place] else np.empty(0, np.int64)
            missing = wanted - found[place].records
            start = int(offsets[-missing]) if len(offsets) >= missing else begin
            found[place] = Last(start, found[place].records + min(missing, len(offsets)))
        length = max(length, min(length * _FURTHER, _LONGEST))
    return found
