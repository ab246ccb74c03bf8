"""The troubles that a recording is put through: each is done to a site and is over when the function returns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.faults.site import Site

TOPICS = LIVE, IN_TRANSACTIONS, PAST = ("live", "transactions", "past")
_SOME_TIME = threading.Event()  # never set: trouble lasts for a time by its nature


@dataclass(frozen=True, slots=True)
class Trouble:
    """`do` takes about `seconds` and returns how many times it struck."""

    name: str
    do: Callable[[Site], int]
    seconds: float
    at_end: bool = False
    """It begins just before the window's end, rather than when the recording is under way."""


def kill_each(site: Site) -> int:
    for broker in site.brokers:
        broker.kill()
        site.wait_for_others(broker)
        site.start(broker)
    return len(site.brokers)


def kill_leader(site: Site) -> int:
    broker = site.leads(LIVE)
    broker.kill()
    site.wait_for_others(broker)
    site.start(broker)
    return 1


def roll(site: Site) -> int:
    for broker in site.brokers:
        broker.stop()
        site.start(broker)
    return len(site.brokers)


def move_leaders(site: Site, times: int = 5) -> int:
    for _ in range(times):
        for topic in TOPICS:
            orders = [site.chance.sample((1, 2, 3), 3) for _ in site.leaders(topic)]
            site.reassign(topic, orders)
    return times


def take_replicas_away(site: Site, times: int = 2) -> int:
    """Each partition leaves the broker that leads it altogether, and comes back to it later."""
    for _ in range(times):
        for topic in TOPICS:
            leaders = site.leaders(topic)
            site.reassign(topic, [[node for node in (1, 2, 3) if node != leader] for leader in leaders])
        for topic in TOPICS:
            site.reassign(topic, [site.chance.sample((1, 2, 3), 3) for _ in site.leaders(topic)])
    return times


def pause(seconds: float) -> Callable[[Site], int]:
    def do(site: Site) -> int:
        with site.paused(site.leads(LIVE)):
            _SOME_TIME.wait(seconds)
        site.wait_whole()
        return 1

    return do


def reset_connections(site: Site, times: int = 20) -> int:
    for _ in range(times):
        site.chance.choice(site.doors).reset()
        _SOME_TIME.wait(0.3)
    return times


def close_halves(site: Site) -> int:
    for door in site.doors:
        door.close_half()
        _SOME_TIME.wait(1)
    return len(site.doors)


def forget_connections(site: Site) -> int:
    door = site.doors[site.leads(LIVE).node_id - 1]
    door.forget()
    _SOME_TIME.wait(1)
    return 1


def shut_doors(seconds: float) -> Callable[[Site], int]:
    """One broker can't be reached from where the recorder is, though the cluster finds nothing wrong with it."""

    def do(site: Site) -> int:
        with site.doors[site.leads(LIVE).node_id - 1].refused():
            _SOME_TIME.wait(seconds)
        return 1

    return do


def all_gone(seconds: float) -> Callable[[Site], int]:
    def do(site: Site) -> int:
        for broker in site.brokers:
            broker.kill()
        _SOME_TIME.wait(seconds)
        site.start(*site.brokers)
        return 1

    return do


ALL: Sequence[Trouble] = (
    Trouble("kill -9 and restart, each broker in turn", kill_each, 45),
    Trouble("rolling restart (SIGTERM)", roll, 40),
    Trouble("leaders move (new order of replicas, election)", move_leaders, 10),
    Trouble("leaders lose their replicas (reassignment)", take_replicas_away, 15),
    Trouble("paused for 4 s, below the session timeout", pause(4), 5),
    Trouble("paused for 20 s, beyond it", pause(20), 22),
    Trouble("connections reset", reset_connections, 6),
    Trouble("connections closed in one direction", close_halves, 3),
    Trouble("connections forgotten by the network", forget_connections, 40),
    Trouble("a leader out of reach for 10 s", shut_doors(10), 11),
    Trouble("all brokers gone for 20 s", all_gone(20), 35),
    Trouble("a leader killed at the window's end", kill_leader, 15, at_end=True),
    Trouble("all brokers gone for 10 s at the window's end", all_gone(10), 25, at_end=True),
)
