"""Confirmations that nobody is told of: at top speed the client speaks of failures only, which saves an object and a
call for every record.

What was handed over, did not fail and is no longer held by the client was confirmed: it drops a record for no other
reason. So accounts are settled when it holds nothing at all, and know then how far every log has come.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from recorder.replaying.options import Options

RING = 1 << 18
"""Records between two rests at which the client is let to run empty: seldom enough to cost a few hundredths."""
_EVERY_NS = 1_000_000_000
BY_REPORTS = "a delivery report for each"
BY_SILENCE = "the client's count: it reports failures only, and held nothing more in the end"
"""How we know that records were confirmed."""
_TOLD_BY = ("round_trip_", "ack_", "inversions", "key_inversions")

Ints = npt.NDArray[np.int64]


def may_be_silent(options: Options) -> bool:
    """Whether nothing in a replay needs single confirmations, or their times and offsets."""
    demanded = any(objective.name.startswith(_TOLD_BY) for objective in options.objectives)
    told = options.probe or options.step or options.transactional or options.calibrate_topic is not None
    return options.pace is None and not told and not demanded


class Silence:
    """What takes the place of single confirmations: how many records the client `holds`, and where the logs end."""

    def __init__(
        self, holds: Callable[[], int], now: Callable[[], int], *, ends: Callable[[], Ints | None] = lambda: None
    ) -> None:
        self.holds, self.ends, self._now = holds, ends, now
        self._settled_ns = self._since_ns = now()
        self._confirmed = -1

    def due(self, records: int) -> bool:
        """Whether settling so many is worth it."""
        return records >= RING // 4 or self._now() - self._settled_ns >= _EVERY_NS

    def settled(self) -> None:
        """The accounts were settled."""
        self._settled_ns = self._now()

    def waiting_since(self, handed_over: int) -> int | None:
        """Since when nothing was confirmed although something should be; to be asked now and then."""
        held = self.holds()
        if handed_over - held != self._confirmed:
            self._confirmed, self._since_ns = handed_over - held, self._now()
        return self._since_ns if held else None
