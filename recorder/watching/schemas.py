"""The schemas that arriving records name, asked for when one is first seen, at a cost that has a bound.

A watcher must go on taking captures while a registry hangs: so it waits a few seconds at most, and not again for a
minute. What it did not get by then stays undecoded, for the records of that time.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from recorder.payloads import asking, wire
from recorder.payloads.decoder import Codecs
from recorder.payloads.reasons import Side
from recorder.payloads.registry import Fetched, Registry
from recorder.payloads.schemas import SchemaBook
from recorder.payloads.used import MOST_IDS, Key, in_headers
from recorder.watching.figures import Figures

WAIT_SECONDS = 5.0
AGAIN_SECONDS = 60.0
_SLOW_SECONDS = 1.0
"""Whoever takes longer is not asked at all for a while."""
_MOST_SCHEMAS = 1_000
"""Beyond these, those that are still in use are asked for anew."""


class Schemas:
    """Codecs of what a registry told so far; without a registry there are none."""

    def __init__(self, registry: Registry | None, figures: Figures, tell: Callable[[str], None]) -> None:
        self.codecs = Codecs(SchemaBook())
        self._registry, self._figures, self._tell = registry, figures, tell
        self._quiet_until = 0.0
        self._unknown: defaultdict[tuple[str, Side], dict[Key, float]] = defaultdict(dict)
        """Until when (monotonic seconds) a schema that the registry did not give is not asked for."""
        self._told = ""

    def learn(self, topic: str, side: Side, payloads: pa.Array, headers: pa.ListArray) -> None:
        """Ask for those that these payloads of a topic name and that `codecs` doesn't have. Never raises."""
        if self._registry is None or time.monotonic() < self._quiet_until:
            return
        unknown, now = self._unknown[topic, side], time.monotonic()
        if len(unknown) > MOST_IDS:
            return  # other bytes that look like frames
        named = {key for key in _named(side, payloads, headers) if self.codecs.book.find(key) is None}
        wanted = {key for key in named if unknown.get(key, 0.0) <= now}
        if not wanted:
            return
        if len(wanted) > MOST_IDS:
            unknown.update(dict.fromkeys(wanted, now))
            return
        found = self._ask(self._registry, topic, side, wanted)
        later = dict.fromkeys((*found.unknown, *found.unresolved), time.monotonic() + AGAIN_SECONDS)
        self._unknown[topic, side] = {key: until for key, until in unknown.items() if key not in wanted} | later
        if found.schemas:
            self.codecs = Codecs(SchemaBook(found.schemas))

    def _ask(self, registry: Registry, topic: str, side: Side, wanted: set[Key]) -> Fetched:
        book, began = self.codecs.book, time.monotonic()
        anew = Registry(registry.url, registry.settings)  # a client that hangs is left behind

        def ask() -> Fetched:
            return anew.fetch(
                wanted,
                have=tuple(book) if len(book) < _MOST_SCHEMAS else (),
                named_by=lambda _key: [(topic, side)],
                too_slow=lambda: time.monotonic() - began > 0.8 * WAIT_SECONDS,
            )

        try:
            found = asking.within(WAIT_SECONDS, ask)
        except asking.TooLateError:
            why = f"The schema registry {registry.place} gave no answer in {WAIT_SECONDS:g} s."
            found = Fetched(unresolved=dict.fromkeys(wanted, why))
        if time.monotonic() - began > _SLOW_SECONDS:
            self._quiet_until = time.monotonic() + AGAIN_SECONDS
        if found.unresolved:
            self._failed(next(iter(found.unresolved.values())))
        return found

    def _failed(self, why: str) -> None:
        self._figures.failed(why)
        if why != self._told:
            self._tell(f"{why} Until it answers, conditions don't see what is written with schemas that are new.")
            self._told = why


def _named(side: Side, payloads: pa.Array, headers: pa.ListArray) -> set[Key]:
    ids, _, _ = wire.ids_of(payloads)
    return {*np.unique(ids[ids > 0]).tolist(), *(key for key, _rows in in_headers(headers).get(side, ()))}
