"""Who keeps a recording waiting is said while it lasts, and noted afterwards."""

from __future__ import annotations

from recorder.kafka.statistics import Load, Pulse
from recorder.recording.outages import Outages
from tests.builders import T0

ADDRESSES = {1: "a:9092", 2: "b:9092"}


class Story:
    """Outages with a clock of their own."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.outages = Outages(lambda: self.now, lambda: T0 + round((self.now - 1_000) * 1_000))

    def pulse(self, after: float, *, leaderless: int = 0, **silent: float) -> str:
        self.now += after
        found = {int(name.removeprefix("broker")): seconds for name, seconds in silent.items()}
        self.outages.hear(Pulse(ADDRESSES, found, leaderless, Load()))
        return self.outages.words

    def notes(self) -> list[str]:
        return [note.sentence() for note in self.outages.notes()]


def test_nothing_is_said_while_all_answer_or_one_takes_a_breath() -> None:
    story = Story()
    assert story.pulse(1) == ""
    assert story.pulse(1, broker2=1.6) == ""
    assert story.pulse(1) == ""
    assert story.notes() == []


def test_a_broker_that_owes_an_answer_is_named_with_its_time() -> None:
    story = Story()
    story.pulse(5, broker2=2.0)
    assert story.pulse(10, broker2=12.0) == "no answer from broker 2 (b:9092) for 12 s"
    assert story.pulse(1) == ""
    assert story.notes() == [
        "no answer from broker 2 (b:9092) for 13.0 s, from 2026-11-03T14:02:03.000Z on: the recording waited"
    ]


def test_a_broker_that_can_not_be_reached_counts_from_when_that_was_seen() -> None:
    story = Story()
    story.pulse(0, broker1=0.0)
    assert story.pulse(4, broker1=0.0) == "no answer from broker 1 (a:9092) for 4 s"


def test_several_silent_brokers_and_all_of_them() -> None:
    story = Story()
    story.pulse(0, broker1=0.0, broker2=0.0)
    assert story.pulse(5, broker1=0.0, broker2=0.0) == "no answer from any broker for 5 s"


def test_partitions_without_a_leader_are_told_of() -> None:
    story = Story()
    story.pulse(0, leaderless=3)
    assert story.pulse(4, leaderless=3) == "partitions without a leader for 4 s"
    story.pulse(1)
    (note,) = story.notes()
    assert note.startswith("partitions had no leader for 5.0 s")


def test_silences_of_one_broker_are_one_note() -> None:
    story = Story()
    for seconds in (4, 20):
        story.pulse(1, broker1=0.0)
        story.pulse(seconds)
    (note,) = story.notes()
    assert note.startswith("no answer from broker 1 (a:9092) for 24.0 s in all (2 times, the longest 20.0 s), from")


def test_one_that_lasts_until_the_end_is_noted_too() -> None:
    story = Story()
    story.pulse(0, broker1=0.0)
    story.now += 7
    (note,) = story.notes()
    assert note.startswith("no answer from broker 1 (a:9092) for 7.0 s")
