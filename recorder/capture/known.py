"""What finished ledgers know of a partition's offsets: it explains the holes of a capture that is made from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recorder.capture.ledger import REASONS, Offsets
from recorder.capture.manifest import GapReason, Partition

_TELLING: tuple[GapReason, ...] = (
    "control",
    "aborted",
    "quarantined",
    "filtered",
    "compacted",
    "expired",
    "unread",
    "unexplained",
)
_NOBODY = len(_TELLING)


class Known:
    """What the ledgers of one or several captures of a partition say of the offsets that none of them holds.

    Where they differ, the more telling reason counts: what an offset was, then that a record was seen there, then that
    it was gone, then that nobody knows. What no ledger covers was `unread`.
    """

    def __init__(self, ledgers: Sequence[Partition]) -> None:
        spans = [_spans(ledger) for ledger in ledgers]
        bounds = [np.array([ledger.start_offset, ledger.end_offset], np.int64) for ledger in ledgers]
        self._edges = np.unique(np.concatenate([*bounds, *((span[:, :2] + [0, 1]).ravel() for span in spans)]))
        """Between two neighbours of these, all absent offsets have one reason."""
        ranks = np.full(len(self._edges), _NOBODY)
        for span in spans:
            if len(span):
                at = np.searchsorted(span[:, 0], self._edges, side="right") - 1
                inside = (at >= 0) & (self._edges <= span[at, 1])
                ranks[inside] = np.minimum(ranks[inside], span[at[inside], 2])
        codes = np.array([REASONS.index(reason) for reason in (*_TELLING, "unread")])
        self._codes = codes[ranks]

    def explain(self, first: Offsets, last: Offsets) -> Offsets:
        """Ledger rows (n, 4: first, last, missing, reason code) for holes given by first and last offset, sorted."""
        if not len(first):
            return np.empty((0, 4), np.int64)
        low, high = np.searchsorted(self._edges, (first[0], last[-1]), side="right")
        edges = self._edges[low:high]
        hole = np.searchsorted(first, edges) - 1
        inner = edges[(hole >= 0) & (edges <= last[hole])]
        # Each edge cuts its hole in two; the pieces' sorted starts and ends belong together.
        starts, ends = np.sort(np.concatenate((first, inner))), np.sort(np.concatenate((inner - 1, last)))
        codes = self._codes[np.searchsorted(self._edges, starts, side="right") - 1]
        return np.stack((starts, ends, ends - starts + 1, codes), axis=1).astype(np.int64)


def _spans(ledger: Partition) -> Offsets:
    """(n, 3): first and last offset, rank of the reason."""
    rows = [(gap.first_offset, gap.last_offset, _TELLING.index(gap.reason)) for gap in ledger.gaps]
    return np.array(rows, np.int64).reshape(-1, 3)
