"""What is replayed, and in which ways: everything that makes it hard to say how much of it is in a log already."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.reader import Capture
from recorder.capture.schema import Record
from tests.builders import make_capture, record

SPAN_MS = 3_000
"""Of recorded time."""
_RECORDS = 12_000
NAMES = ("payments", "audit", "one")


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to replay. `others`: somebody else writes to the same topics meanwhile. `times`: which timestamps count."""

    name: str
    options: tuple[str, ...] = ()
    others: bool = False
    times: bool = True
    joined: bool = False
    """All topics go to one."""


VARIANTS = (
    Variant("as recorded"),
    Variant("three passes", ("--loop", "3", "--loop-delay", "50ms")),
    Variant("a share of the keys", ("--sample", "40%", "--loop", "2")),
    Variant("topics joined", joined=True),
    Variant("a part, shifted", ("--start", "+700ms", "--duration", "1700ms", "--timestamps", "shift")),
    Variant("stamped with now", ("--timestamps", "now", "-t", "payments", "-t", "audit"), times=False),
    Variant("with others", others=True),
    Variant("with others and provenance", ("--provenance",), others=True),
    Variant("by offset", ("--time-basis", "offset", "--topspeed")),
    Variant("with chaos", ("--chaos", "seed=3,duplicate=1%,delay=2%:20ms,reorder-keys", "--loop", "2")),
)


def paces(variant: Variant) -> tuple[tuple[str, ...], ...]:
    """How fast it may be played; each part of a replay may choose another."""
    if "offset" in variant.options:
        return ((), ("--pps", "9000"))
    return (("--rate", "2"), ("--rate", "4"), ("--topspeed",), ("--topspeed", "--pps", "8000"), ("--rate", "1.5"))


STEPS = ("700", "150ms", "3000,400ms", "40ms")
"""Of transactions; each part may choose others."""


def build(root: Path, seed: int) -> Capture:
    """A capture of three topics: equal records in a row, tombstones, no keys, odd times, large values."""
    return make_capture(root, list(_records(random.Random(seed))), clean=True, created_at_ms=_now() + SPAN_MS)


def _records(chance: random.Random) -> Iterator[Record]:
    begin = _now() - 60_000
    times = sorted(begin + chance.randrange(SPAN_MS) for _ in range(_RECORDS))
    for at in times:
        topic, partition = chance.choices([("payments", 6), ("audit", 3), ("one", 1)], [10, 3, 1])[0]
        number = chance.randrange(partition)
        key = chance.choice([None, b"", b"%d" % chance.randrange(200)])
        value = chance.choice([None, b"", b"beat", chance.randbytes(chance.randrange(1, 700))])
        headers = chance.choice([(), (("h", b"1"), ("h", None)), (("trace", chance.randbytes(8)),)])
        stamp = chance.choices([at, at - chance.randrange(2_000), -1, 0], [92, 6, 1, 1])[0]
        one = record(topic, number, stamp, key, value, headers)
        yield from [one] * chance.choices([1, 2, 5], [90, 8, 2])[0]
        if chance.random() < 0.001:
            yield record(topic, number, at, key, chance.randbytes(200_000))


def _now() -> int:
    return time.time_ns() // 1_000_000
