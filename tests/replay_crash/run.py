"""Replays that are killed again and again until they are done, and what the target holds then."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from recorder.capture.reader import Capture
from recorder.errors import UsageError
from recorder.kafka.cluster import Cluster
from recorder.kafka.connection import connect
from recorder.kafka.offsets import log_ends
from recorder.replaying.certificate import read_certificate
from tests.crash.child import start, to_the_end
from tests.crash.moments import Event, Seen, choose, kill_at, number_of
from tests.replay_crash.check import OTHERS, Content, Found, Lane, aborted_in, compare, read_target, recorded
from tests.replay_crash.variants import NAMES, STEPS, VARIANTS, Variant, build, paces

_PATIENCE_SECONDS = 120.0
_MOST_KILLS = 12
"""Of one replay; then it may go on to its end."""


@dataclass(slots=True)
class Tally:
    """Kills by moment, and what was wrong with the replays that were resumed."""

    kills: Counter[str] = field(default_factory=Counter)
    before_anything: int = 0
    """Kills that left no state: such a replay is begun anew."""
    found: list[tuple[str, Found]] = field(default_factory=list)
    most_kills: int = 0
    unconfirmed: int = 0
    """Records that were in the log although no part had noted a confirmation."""
    aborted: int = 0
    """Records of transactions that were open at a kill."""
    seconds: float = 0.0

    @property
    def exact(self) -> bool:
        return all(one.exact for _, one in self.found)

    def lines(self) -> Iterator[str]:
        for moment, number in self.kills.most_common():
            yield f"{number:>6,}  {moment}"
        total = f"kills in {len(self.found)} replays ({self.most_kills} in one), in {self.seconds:.0f} s"
        yield f"{self.kills.total():>6,}  {total}"
        for name, number in Counter(name for name, _ in self.found).items():
            yield f"{number:>6,}  replays {name}"
        yield f"{self.before_anything:>6,}  kills left no state yet: begun anew"
        yield f"{self.unconfirmed:>6,}  records found in the log that nobody had noted as confirmed"
        yield f"{self.aborted:>6,}  records in the logs of transactions that a kill left open"
        yield f"{sum(one.lost for _, one in self.found):>6,}  records lost"
        yield f"{sum(one.doubled for _, one in self.found):>6,}  records doubled"
        yield f"{sum(one.disordered for _, one in self.found):>6,}  partitions in another order"
        others = [f"{name}: {text}" for name, one in self.found for text in one.others]
        yield f"{len(others):>6,}  other differences"
        yield from others[:10]


def run(bootstrap: str, work: Path, *, kills: int, seconds: float, seed: int, in_transactions: bool = False) -> Tally:
    """Kill replays until there were so many kills, or the time is over and there was one. `in_transactions`: those that
    are killed, not the undisturbed ones that they are compared with."""
    chance, tally = random.Random(seed), Tally()
    capture = build(work / "capture", seed)
    undisturbed: dict[str, dict[Lane, list[Content]]] = {}
    began = time.monotonic()
    order = list(VARIANTS)
    chance.shuffle(order)
    while tally.kills.total() < kills and (time.monotonic() - began < seconds or not tally.kills):
        variant = order[len(tally.found) % len(order)]
        if variant.name not in undisturbed:
            undisturbed[variant.name] = _undisturbed(bootstrap, capture, variant, work)
        wanted = undisturbed[variant.name]
        one = _Replay(bootstrap, capture, variant, work / f"{len(tally.found)}", f"-{seed}-{len(tally.found)}")
        one.records = sum(map(len, wanted.values()))
        one.steps = STEPS if in_transactions else ()
        with ExitStack() as stack:
            if variant.others:
                stack.enter_context(_others_writing(bootstrap, one.topics))
            one.play(chance, tally, most=min(_MOST_KILLS, kills - tally.kills.total()))
        found = compare(wanted, read_target(bootstrap, one.suffix, variant))
        tally.aborted += aborted_in(bootstrap, one.topics) if in_transactions else 0
        tally.found.append((variant.name, Found(found.lost, found.doubled, found.disordered, tuple(one.problems))))
        _delete(bootstrap, one.topics)
    tally.seconds = time.monotonic() - began
    return tally


class _Replay:
    """One replay, from its beginning to its end."""

    def __init__(self, bootstrap: str, capture: Capture, variant: Variant, work: Path, suffix: str) -> None:
        work.mkdir()
        self.suffix, self.topics = suffix, sorted({_target(name, variant) + suffix for name in NAMES})
        self.problems: list[str] = []
        self.records: int | None = None
        """How many an undisturbed replay sends; None: as many as were planned and added to them."""
        self.steps: Sequence[str] = ()
        """Of its transactions, to choose from; none: it sends outside transactions."""
        self._variant, self._work, self._told = variant, work, work / "told"
        self._state, self._certificate = work / "the.state", work / "certificate.json"
        remap = [word for name in NAMES for word in ("-m", f"{name}:={_target(name, variant)}{suffix}")]
        self._asked = [capture.root, "-b", bootstrap, *remap, *variant.options, "--create-topics", "--no-calibration"]
        self._asked += ["--certificate", self._certificate, "--state", self._state]
        self._cluster = Cluster(connect(bootstrap))

    def play(self, chance: random.Random, tally: Tally, *, most: int) -> None:
        """Kill it again and again, and let it come to its end."""
        took = 2.0
        killed = 0
        events = {
            "as the target's log grows": Event(self._arrived(), 12_000, 6),
            "as the state is noted": Event(self._noted, 1, 4),
            "as the certificate is written": Event(number_of("certificate.json*"), 1, 2),
        }
        while killed < most:
            moment = choose(chance, events)
            began = time.monotonic()
            process = start("replay", self._arguments(chance), self._told)
            if not kill_at(moment, process, self._work, chance, took, events):
                took = max(0.5, time.monotonic() - began)
                break
            tally.kills[moment] += 1
            killed += 1
            tally.before_anything += not self._state.exists()
            if self._certificate.exists() and not self._state.exists():
                break
        tally.most_kills = max(tally.most_kills, killed)
        if self._state.exists() or not self._certificate.exists():
            _, code = to_the_end("replay", self._arguments(chance), self._told, _PATIENCE_SECONDS)
            if code:
                self.problems.append(f"ended with {code}: {self._told.read_text()[-3_000:]}")
        self._look_at_the_certificate(tally)

    def _arguments(self, chance: random.Random) -> Sequence[str | Path]:
        resume = ["--resume"] if self._state.exists() else []
        steps = ["--transactional", chance.choice(self.steps)] if self.steps else []
        return [*self._asked, *chance.choice(paces(self._variant)), *steps, *resume]

    def _look_at_the_certificate(self, tally: Tally) -> None:
        try:
            certificate = read_certificate(self._certificate)
        except UsageError as error:
            self.problems.append(str(error))
            return
        earlier = certificate.earlier
        withdrawn = certificate.transactions.withdrawn if certificate.transactions else 0
        there = certificate.acked - withdrawn + (earlier.found if earlier else 0)
        tally.unconfirmed += earlier.unconfirmed if earlier else 0
        wanted = certificate.planned + certificate.changes.added if self.records is None else self.records
        if there != wanted or certificate.losses or certificate.inversions.partition:
            self.problems.append(f"its certificate says {there} of {wanted}, {certificate.losses} lost")
        if sum(one.acked + one.earlier for one in certificate.topics) != wanted:
            self.problems.append(f"its certificate's topics don't add up: {certificate.topics}")

    def _arrived(self) -> Seen:
        known: set[str] = set()

        def ends(_: Path) -> int:
            if len(known) < len(self.topics):
                self._cluster.refresh()
                known.update(name for name in self._cluster.names() if name in self.topics)
            counts = self._cluster.partition_counts()
            places = [(name, number) for name in known for number in range(counts[name])]
            return sum(log_ends(self._cluster, places, partial=True).values()) if places else 0

        return ends

    def _noted(self, _: Path) -> int:
        try:
            return self._state.stat().st_mtime_ns
        except FileNotFoundError:
            return 0


def _undisturbed(bootstrap: str, capture: Capture, variant: Variant, work: Path) -> dict[Lane, list[Content]]:
    """What the target holds after a replay that nobody killed."""
    name = variant.name.replace(" ", "-").replace(",", "")
    one = _Replay(bootstrap, capture, variant, work / name, f"-{name}")
    one.play(random.Random(0), Tally(), most=0)
    assert not one.problems, one.problems
    found = read_target(bootstrap, one.suffix, variant)
    if not variant.options and not variant.joined:
        assert compare(recorded(capture), found).exact, "an undisturbed replay is not the capture"
    _delete(bootstrap, one.topics)
    return found


def _target(name: str, variant: Variant) -> str:
    return "joined" if variant.joined else name


def _delete(bootstrap: str, topics: Sequence[str]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    known = admin.list_topics(timeout=10).topics
    for future in admin.delete_topics([name for name in topics if name in known]).values():
        future.result(30)


@contextmanager
def _others_writing(bootstrap: str, topics: Sequence[str]) -> Iterator[None]:
    """Somebody else writes into the same partitions, as soon as they are there."""
    ended = threading.Event()

    def write() -> None:
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1})
        number, known = 0, producer.list_topics(timeout=5).topics
        while not ended.wait(0.003):
            known = producer.list_topics(timeout=5).topics if not number % 100 else known
            for name in topics:
                if name in known and known[name].partitions:
                    producer.produce(name, b"%d" % number, OTHERS, number % len(known[name].partitions))
            producer.poll(0)
            number += 1
        producer.flush(10)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
