"""Batches of which some records go to quarantine: the others are cleaned as if those had never been there.

A withheld record still has originals: what the policy's rules would have taken out of it must not stand elsewhere in
the copy, so they are told as if it had been rewritten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from desensitizers.leaves import LeafRules
from desensitizers.sink import Findings, Sink, Withheld
from desensitizers.spec import TopicSpec

Clean = Callable[[Any], Any]
"""Cleans a batch; what it can't clean stands in the sink afterwards."""


class Withholding:
    """Cleans the batches of one topic, and keeps the sink's counts to the records that pass."""

    def __init__(self, sink: Sink, flush_counts: Callable[[], None], glean: Clean) -> None:
        """`glean` tells the originals of a batch and changes nothing."""
        self._sink = sink
        self._flush_counts = flush_counts
        self._glean = glean

    def apply(self, batch: Any, clean: Clean) -> tuple[Any, tuple[Withheld, ...]]:
        """The clean batch without the withheld records, and these by their rows in the batch that came.

        With a problem in the sink the batch is worth nothing.
        """
        import pyarrow as pa

        rows: npt.NDArray[np.int64] = np.arange(batch.num_rows)
        withheld: list[Withheld] = []
        while True:
            self._flush_counts()
            before = Counter(self._sink.counts)
            made = clean(batch)
            found = dict(self._sink.withheld)
            self._sink.withheld.clear()
            if not found or self._sink.problems:
                return made, tuple(sorted(withheld, key=lambda one: one.row))
            self._flush_counts()
            self._sink.counts.clear()
            self._sink.counts.update(before)
            withheld += [replace(one, row=int(rows[row])) for row, one in found.items()]
            gone = np.zeros(len(rows), np.bool_)
            gone[list(found)] = True
            self._glean(batch.filter(pa.array(gone)))
            batch, rows = batch.filter(pa.array(~gone)), rows[~gone]


def only_looking(spec: TopicSpec) -> TopicSpec:
    """A topic's rules for gleaning: what they don't name is no original, and nothing is withheld twice."""
    return replace(spec, unknown_field="drop", undecodable="fail", unknown_schema="fail", plugin_error="fail")


def looking(rules: LeafRules) -> LeafRules:
    """Rules that change nothing, and tell originals to findings of their own."""
    return LeafRules(
        rules.context, Findings(), learning=True, schemas=rules.schemas, file=rules.file, tags=rules.tag_specs
    )
