"""What a recording and the processes that read a share of it say to each other, and how the partitions are shared."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from typing import IO

import msgspec

from recorder.capture.manifest import Note
from recorder.kafka.offsets import Place
from recorder.kafka.statistics import Load
from recorder.recording.journal import Sealed
from recorder.recording.tape import Tape

WORTH_OFFSETS = 100_000
"""So many for each process; for fewer, starting one takes longer than it saves."""
STOP = b"stop\n"
_LENGTH = struct.Struct("<I")


class Cuts(msgspec.Struct, frozen=True):
    """Where files and windows are cut: the same in all processes, whatever it is in the first."""

    segment_bytes: int
    row_group_bytes: int
    sure_records: int
    handed_bytes: int


class Order(msgspec.Struct, frozen=True):
    """What a process is to read. It goes through a pipe, because the settings hold secrets."""

    bootstrap: str
    settings: dict[str, str]
    directory: str
    places: tuple[Place, ...]
    standing: tuple[Sealed, ...]
    """How those stand that an earlier recording had begun."""
    cuts: Cuts
    processes: int
    """How many read at once."""


class Lines(msgspec.Struct, frozen=True, tag=True):
    """For the journal: what was sealed."""

    lines: tuple[Sealed, ...]


class Going(msgspec.Struct, frozen=True, tag=True):
    """The reading goes on: offsets passed since the last time, and who keeps it waiting."""

    passed: int
    words: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """The share was read, or the reading was stopped; all is sealed."""

    notes: tuple[Note, ...]
    cut_short: tuple[tuple[str, int, int], ...]
    """Topic, partition and position of those that did not come to their end."""
    load: Load


class Broke(msgspec.Struct, frozen=True, tag=True):
    """The reading failed; `kind` is the name of one of our errors."""

    kind: str
    text: str


Told = Lines | Going | Done | Broke
_DECODER = msgspec.msgpack.Decoder(Told)


def tell(out: IO[bytes], told: Told) -> None:
    """Write one message."""
    body = msgspec.msgpack.encode(told)
    out.write(_LENGTH.pack(len(body)) + body)
    out.flush()


def hear(source: IO[bytes]) -> Told | None:
    """The next message; None when there are no more."""
    head = source.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(head)[0]
    body = source.read(length)
    return _DECODER.decode(body) if len(body) == length else None


def shares(tapes: Mapping[Place, Tape]) -> list[list[Place]]:
    """Partitions by process, the first of which is our own; one share where more would not pay.

    Only windows that are over are shared: what is open is watched for what is added, by one who knows of all.
    """
    left = {place: _left(tape) for place, tape in tapes.items()}
    if any(tape.until_ms is not None for tape in tapes.values()):
        return [list(tapes)]
    reading = sum(size > 0 for size in left.values())
    count = max(1, min(processes(), reading, sum(left.values()) // WORTH_OFFSETS))
    found: list[list[Place]] = [[] for _ in range(count)]
    loads = [0] * count
    for place in sorted(left, key=lambda place: -left[place]):
        least = loads.index(min(loads))
        # A partition of which nothing is to be read needs no other process.
        where = least if left[place] else 0
        found[where].append(place)
        loads[where] += left[place]
    return found


def processes() -> int:
    """How many may read at once: one for every two processors, which it keeps busy with fetching and writing."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, processors // 2)


def _left(tape: Tape) -> int:
    end = tape.end if tape.hint is None or tape.end is None else min(tape.hint, tape.end)
    # The records up to the end may be few or none, but someone must look.
    beyond = tape.end is not None and tape.end > tape.ledger.position
    return max(int(beyond), (end or 0) - tape.ledger.position)


def standing(tapes: Iterable[Tape]) -> tuple[Sealed, ...]:
    """How those tapes stand that were restored."""
    return tuple(tape.standing() for tape in tapes if tape.restored)
