"""Trouble on purpose, for testing consumers: records doubled, delayed, dropped or out of order, by a seed.

Whether something befalls a record is decided by a hash of seed, pass and where it was recorded, so the same replay with
the same seed suffers the same. Records of one key (in one target topic) keep their order unless it is asked otherwise;
records without a key have no such order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa

from recorder.capture.sampling import hash_limit, mixed, parse_fraction, within
from recorder.errors import UsageError
from recorder.replaying.changes import LATER, RETURNED, Bools, Change, Ints, Outgoing, each
from recorder.replaying.options import Chaos
from recorder.replaying.streams import STREAM, Streams
from recorder.window import parse_duration

LISTED = 1_000
_WORDS = "seed=N, duplicate=PERCENT, drop=PERCENT, delay=PERCENT:DURATION, reorder-keys[=PERCENT], reorder-within-keys"
_FURTHEST = 10  # places that a record is put back by when keys are reordered
_REORDERED = 0.1
_SEED = re.compile(r"\d{1,18}", re.ASCII)
_NS_PER_MS = 1_000_000


class Perturbation(msgspec.Struct, frozen=True, kw_only=True):
    """What befell a record, by where it was recorded."""

    topic: str
    partition: int
    offset: int
    lap: int
    what: str


def parse_chaos(text: str) -> Chaos:
    """``seed=7,duplicate=0.1%,delay=1%:50ms,reorder-keys``; UsageError when it is not so."""
    said: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name in said:
            raise UsageError(f"--chaos says {name} twice: leave one out.")
        said[name] = value.strip()
    known = {"seed", "duplicate", "drop", "delay", "reorder-keys", "reorder-within-keys"}
    if unknown := [name for name in said if name not in known]:
        raise UsageError(f"--chaos does not know {unknown[0]!r}: write {_WORDS}.")
    if not _SEED.fullmatch(said.get("seed", "")):
        raise UsageError("--chaos needs a seed, so that it can be had again: seed=7.")
    share, _, duration = said.get("delay", "").partition(":")
    if "delay" in said and not duration:
        raise UsageError("--chaos delay says how many records and how long: delay=1%:50ms.")
    if said.get("reorder-within-keys"):
        raise UsageError("--chaos reorder-within-keys takes no value: it lets the rest forget the order of keys.")
    within_keys = "reorder-within-keys" in said
    reorder = parse_fraction(said["reorder-keys"]) if said.get("reorder-keys") else _REORDERED
    chaos = Chaos(
        seed=int(said["seed"]),
        duplicate=parse_fraction(said["duplicate"]) if "duplicate" in said else 0.0,
        drop=parse_fraction(said["drop"]) if "drop" in said else 0.0,
        delay=parse_fraction(share) if "delay" in said else 0.0,
        delay_ms=parse_duration(duration) if "delay" in said else 0,
        reorder=reorder if "reorder-keys" in said or within_keys else 0.0,
        within_keys=within_keys,
        text=text,
    )
    if not (chaos.duplicate or chaos.drop or chaos.delay or chaos.reorder):
        raise UsageError(f"--chaos {text} lets nothing happen: write {_WORDS}.")
    return chaos


class Trouble:
    """Chaos for one replay: its changes, and the first 1,000 things that they did, as records were read."""

    def __init__(self, chaos: Chaos, streams: Streams) -> None:
        self._chaos, self._streams = chaos, streams
        self.listed: list[Perturbation] = []

    def changes(self) -> list[Change]:
        chaos = self._chaos
        steps: list[tuple[float, Change]] = [
            (chaos.drop, each(self._drop)),
            (chaos.duplicate, each(self._duplicate)),
            (chaos.reorder, each(self._reorder)),
            (chaos.delay, self._delay),
        ]
        return [change for share, change in steps if share]

    def _drop(self, records: Outgoing) -> Outgoing:
        chosen = self._chosen(records, "drop", self._chaos.drop)
        self._list(records, chosen, "dropped")
        return records.without(chosen, "dropped by chaos")

    def _duplicate(self, records: Outgoing) -> Outgoing:
        chosen = self._chosen(records, "duplicate", self._chaos.duplicate)
        if not chosen.any():
            return records
        self._list(records, chosen, "duplicated")
        sources = np.repeat(np.arange(len(records)), 1 + chosen)
        again = np.zeros(len(sources), np.bool_)
        again[1:] = sources[1:] == sources[:-1]
        out = records.taken(sources)
        return replace(out, added=out.added | again).marked("duplicated by chaos", again)

    def _reorder(self, records: Outgoing) -> Outgoing:
        """Some records change places with those that follow; the times at which something is sent stay."""
        chosen = self._chosen(records, "reorder", self._chaos.reorder)
        if not chosen.any():
            return records
        far = self._hashes(records, "how far") % np.uint64(_FURTHEST)
        ranks = np.arange(len(records), dtype=np.float64)
        ranks[chosen] += far[chosen].astype(np.float64) + 1.5
        if not self._chaos.within_keys:
            ranks = _behind(ranks, _identities(records), {})
        order = np.argsort(ranks, kind="stable")
        put_back = np.argsort(order) > np.arange(len(order))
        if not put_back.any():
            return records
        self._list(records, put_back, "put back")
        out = records.marked("put back by chaos", put_back).taken(order)
        return replace(out, positions_ns=records.positions_ns, numbers=records.numbers)

    def _delay(self, stretches: Iterator[Outgoing]) -> Iterator[Outgoing]:
        """Some records are sent later; those of the same key that would overtake them wait behind them."""
        delay_ns, held = self._chaos.delay_ms * _NS_PER_MS, None
        floors: dict[tuple[int, bytes], float] = {}
        last: Outgoing | None = None
        for records in stretches:
            last = records
            chosen = self._chosen(records, "delay", self._chaos.delay)
            positions = records.positions_ns + chosen * delay_ns
            if not self._chaos.within_keys and (floors or chosen.any()):
                positions = _behind(positions.astype(np.int64), _identities(records), floors)
            self._list(records, chosen, "delayed")
            behind = ~chosen & (positions > records.positions_ns)
            moved = replace(records, positions_ns=positions)
            for what, rows in (("delayed by chaos", chosen), ("kept behind their key by chaos", behind)):
                moved = moved.marked(what, rows) if rows.any() else moved
            horizon = int(records.positions_ns[-1]) if len(records) else None
            out, held = _released(records, moved, held, horizon)
            floors = {key: floor for key, floor in floors.items() if horizon is None or floor > horizon}
            yield out
        if held is not None and last is not None:
            nothing = replace(last.taken(np.zeros(0, np.int64)), first=last.stop, left_out={})
            yield _released(nothing, nothing, held, None)[0]

    def _chosen(self, records: Outgoing, kind: str, share: float) -> Bools:
        return within(self._hashes(records, kind), hash_limit(share))

    def _hashes(self, records: Outgoing, kind: str) -> np.ndarray:
        salts = np.array(
            [
                int.from_bytes(
                    hashlib.blake2b(
                        f"{self._chaos.seed}/{kind}/{records.lap}/{stream.label}/{stream.partition}".encode(),
                        digest_size=8,
                    ).digest(),
                    "big",
                )
                for stream in self._streams.streams
            ],
            np.uint64,
        )
        places = salts[records.batch.column(STREAM).to_numpy()]
        return mixed(records.batch.column("offset").to_numpy().astype(np.uint64) ^ places)

    def _list(self, records: Outgoing, rows: Bools, what: str) -> None:
        for row in np.flatnonzero(rows)[: LISTED - len(self.listed)].tolist():
            stream = self._streams.streams[records.batch.column(STREAM)[row].as_py()]
            offset = records.batch.column("offset")[row].as_py()
            self.listed.append(
                Perturbation(topic=stream.label, partition=stream.partition, offset=offset, lap=records.lap, what=what)
            )


Identity = tuple[int, bytes]


def _identities(records: Outgoing) -> list[Identity | None]:
    """What must keep its order: target topic and key; None where there is no key."""
    keys = records.batch.column("key").to_pylist()
    return [None if key is None else (target, key) for target, key in zip(records.targets.tolist(), keys, strict=True)]


def _behind(places: np.ndarray, identities: list[Identity | None], floors: dict[Identity, float]) -> np.ndarray:
    """Places such that none lies before an earlier one of the same identity; `floors` are those from before."""
    out = places.copy()
    for row, identity in enumerate(identities):
        if identity is not None:
            floor = floors.get(identity)
            if floor is not None and floor > out[row]:
                out[row] = floor
            floors[identity] = out[row]
    return out


def _released(
    records: Outgoing, moved: Outgoing, held: Outgoing | None, horizon: int | None
) -> tuple[Outgoing, Outgoing | None]:
    """What can be sent now, in order, and what is held back for later; without a `horizon`, all is sent."""
    if horizon is None:
        late = np.zeros(len(moved), np.bool_)
    else:
        late = moved.positions_ns > horizon
    out = moved.without(late, LATER) if late.any() else moved
    kept = [_kept(moved, late)] if late.any() else []
    back: list[Outgoing] = []
    if held is not None:
        due = np.ones(len(held), np.bool_) if horizon is None else held.positions_ns <= horizon
        back = [held.taken(np.flatnonzero(due))] if due.any() else []
        kept = ([held.taken(np.flatnonzero(~due))] if not due.all() else []) + kept
    whole = _in_order([*back, out], records) if back or len(out) else out
    return whole, _joined(kept) if kept else None


def _kept(moved: Outgoing, rows: Bools) -> Outgoing:
    """Records that come back later, beyond those that are on their turn then."""
    kept = moved.taken(np.flatnonzero(rows))
    already = kept.added
    kept = replace(kept, added=np.ones(len(kept), np.bool_), left_out={})
    return kept.marked(RETURNED, ~already)


def _in_order(parts: list[Outgoing], records: Outgoing) -> Outgoing:
    """By position; numbers are those of the timeline's own records, rising."""
    joined = _joined(parts)
    order = np.argsort(joined.positions_ns, kind="stable")
    out = joined.taken(order)
    own = np.concatenate([np.full(len(part), part is parts[-1]) for part in parts])[order]
    numbers = np.full(len(out), records.first - 1)
    numbers[own] = np.sort(parts[-1].numbers)
    last = parts[-1]
    return replace(
        out,
        numbers=np.maximum.accumulate(numbers),
        first=last.first,
        stop=last.stop,
        lap=last.lap,
        left_out=last.left_out,
    )


def _joined(parts: list[Outgoing]) -> Outgoing:
    if len(parts) == 1:
        return parts[0]

    def glued(pick: Callable[[Outgoing], Ints]) -> Ints:
        return np.concatenate([pick(part) for part in parts])

    names = dict.fromkeys(name for part in parts for name in part.marks)
    marks: Mapping[str, Bools] = {
        name: np.concatenate([part.marks.get(name, np.zeros(len(part), np.bool_)) for part in parts]) for name in names
    }
    return replace(
        parts[-1],
        batch=pa.concat_batches([part.batch for part in parts]),
        positions_ns=glued(lambda part: part.positions_ns),
        targets=glued(lambda part: part.targets),
        partitions=glued(lambda part: part.partitions),
        numbers=glued(lambda part: part.numbers),
        added=np.concatenate([part.added for part in parts]),
        marks=marks,
    )
