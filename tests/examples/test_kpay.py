"""The payment system conserves money, obeys its control plane, and breaks as its incident says."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from kpay import clients, topics
from kpay.accounts import AccountProcessor
from kpay.balances import open_accounts
from kpay.check import check
from kpay.control import send
from kpay.customers import invent, note
from kpay.events import SUBJECT, Origin, Record, parse, record
from kpay.generator import Generator, payment
from kpay.inflight import InflightProcessor
from kpay.telemetry import Telemetry
from recorder.kafka.local import LocalKafka, local_kafka
from tests.conftest import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
integration = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalKafka]:
    """Not the one of other tests: the topics have fixed names."""
    with local_kafka() as running:
        yield running


@pytest.fixture
def bank(cluster: LocalKafka) -> Iterator[LocalKafka]:
    """A cluster without the topics and the groups of a run."""
    yield cluster
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    names = [name for name in admin.list_topics(timeout=30).topics if not name.startswith("__")]
    groups = [group.group_id for group in admin.list_consumer_groups().result(30).valid]
    for future in admin.delete_topics(names).values():
        future.result(30)
    wait_until(lambda: not {*names} & {*admin.list_topics(timeout=30).topics}, what="the topics are gone")

    def gone(group: str) -> bool:
        try:
            admin.delete_consumer_groups([group])[group].result(30)
        except KafkaException as error:
            return bool(error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND)
        return True

    for group in groups:
        wait_until(lambda name=group: gone(name), what=f"{group} is gone")  # type: ignore[misc]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kpay", *arguments],
        env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kpay(*arguments: str, code: int = 0) -> str:
    process = start(*arguments)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, out + err
    return out


def happenings(output: str) -> dict[str, dict[str, Any]]:
    """The JSON lines of a run, by event."""
    return {line["event"]: line for line in map(json.loads, output.splitlines())}


def records(cluster: LocalKafka, topic: str) -> list[Record]:
    """All committed records of a topic."""
    admin = clients.reader(cluster.bootstrap, "test")
    partitions = range(topics.PARTITIONS[topic])
    ends = {
        each: admin.get_watermark_offsets(clients.TopicPartition(topic, each), timeout=10)[1] for each in partitions
    }
    admin.close()
    return [record(message) for message in clients.read_to(cluster.bootstrap, "test", topic, ends)]


def test_the_same_seed_invents_the_same_customers() -> None:
    assert invent(50, seed=7) == invent(50, seed=7)
    assert invent(50, seed=7) != invent(50, seed=8)


def test_no_two_customers_share_an_id() -> None:
    customers = invent(500, seed=7)
    assert (
        len({customer.account_id for customer in customers} | {customer.customer_id for customer in customers}) == 1000
    )


def test_the_same_seed_makes_the_same_payments() -> None:
    customers = invent(20, seed=7)
    first, second = (payment(random.Random(3), customers, "pay-1") for _ in range(2))
    assert {**first, "requested_at": ""} == {**second, "requested_at": ""}


def test_notes_quote_customers_or_nothing() -> None:
    payer, payee = invent(2, seed=7)
    chance = random.Random(1)
    notes = {note(chance, payer, payee) for _ in range(500)}
    assert None in notes
    quoted = " ".join(each for each in notes if each)
    assert all(personal in quoted for personal in (payer.name, payer.phone, payer.email, payee.name))


@integration
def test_money_is_conserved_also_by_a_second_run(bank: LocalKafka) -> None:
    for _ in range(2):
        told = happenings(kpay("run", "-b", bank.bootstrap, "--duration", "3s", "--rate", "40"))
        assert told["stopped"]["confirmed"] > 50
    findings = check(bank.bootstrap)
    assert [finding for finding in findings if not finding.passed] == []


@integration
def test_the_bad_release_doubles_credits_and_cannot_be_parsed(bank: LocalKafka) -> None:
    incident = ("--incident-after", "1s", "--incident-for", "4s")
    told = happenings(kpay("run", "-b", bank.bootstrap, "--duration", "6s", "--rate", "60", *incident))
    began, ended = told["incident-start"]["at_ms"], told["incident-end"]["at_ms"]
    assert 3_900 < ended - began < 30_000

    output = kpay("check", "-b", bank.bootstrap, code=1)
    for broken in ("money is conserved", "each payment is credited once", "every event can be parsed"):
        assert f"FAILED  {broken}" in output

    completed = [parse(each.value)["payment_id"] for each in records(bank, topics.COMPLETE)]
    assert len(completed) > len(set(completed))
    dead = records(bank, topics.DLQ)
    reasons = {each.header("error.exception") for each in dead}
    assert "JSONDecodeError" in reasons
    assert all(each.header("error.topic") and each.header("error.message") and each.header(SUBJECT) for each in dead)
    assert {"pause", "resume", "drain"} == {parse(each.value)["command"] for each in records(bank, topics.CONTROL)}


@integration
def test_a_pause_lets_what_is_in_flight_complete_and_nothing_new_in(bank: LocalKafka) -> None:
    system = start("run", "-b", bank.bootstrap, "--duration", "60s", "--rate", "40")
    try:
        assert system.stdout is not None
        assert json.loads(system.stdout.readline())["event"] == "started"
        wait_until(lambda: len(records(bank, topics.COMPLETE)) > 20, what="payments complete")
        kpay("control", "pause", "-b", bank.bootstrap, "--reason", "test")

        def let_in() -> set[str]:
            return {each.header(SUBJECT) for each in records(bank, topics.INFLIGHT)}

        def ended() -> set[str]:
            return {each.header(SUBJECT) for name in (topics.COMPLETE, topics.DLQ) for each in records(bank, name)}

        wait_until(
            lambda: any(parse(each.value)["action"] == "paused" for each in records(bank, topics.AUDIT)),
            what="the inflight processor says that it paused",
        )
        wait_until(lambda: let_in() <= ended(), what="everything that was in flight has ended")
        before = let_in()
        requested = len(records(bank, topics.INCOMING))
        wait_until(lambda: len(records(bank, topics.INCOMING)) > requested + 40, what="a second's worth is requested")
        assert let_in() == before

        kpay("control", "resume", "-b", bank.bootstrap)
        wait_until(lambda: len(let_in()) > len(before), what="payments are taken again")
        system.send_signal(signal.SIGTERM)
        output, errors = system.communicate(timeout=60)
    finally:
        system.kill()
    assert system.returncode == 0, errors
    assert {"drained", "stopped"} <= happenings(output).keys()
    kpay("check", "-b", bank.bootstrap)


@integration
def test_accounts_change_hands_while_payments_flow(bank: LocalKafka) -> None:
    topics.create_topics(bank.bootstrap)
    customers = invent(40, seed=7)
    open_accounts(bank.bootstrap, customers)
    telemetry = Telemetry(bank.bootstrap)
    inflight = InflightProcessor(bank.bootstrap, Origin("inflight"), telemetry)
    first, second, third = (
        AccountProcessor(bank.bootstrap, Origin(f"accounts-{number}"), telemetry) for number in range(3)
    )
    generator = Generator(bank.bootstrap, telemetry, customers, rate=100, seed=7)
    for thread in (inflight, first):
        thread.start()
        wait_until(thread.ready.is_set, what="has partitions")
    generator.start()

    def confirmed_more_than(count: int) -> None:
        wait_until(lambda: inflight.confirmed > count, what=f"{count} payments are confirmed")

    confirmed_more_than(50)
    second.start()
    wait_until(second.ready.is_set, what="the second shares the accounts")
    third.start()
    confirmed_more_than(inflight.confirmed + 50)
    first.stopping.set()
    first.join(20)
    confirmed_more_than(inflight.confirmed + 50)
    generator.stopping.set()
    generator.join(20)
    send(bank.bootstrap, "drain", reason="test", issued_by="test@kpay.example")
    wait_until(inflight.drained.is_set, what="is drained")
    for thread in (inflight, second, third):
        thread.stopping.set()
        thread.join(20)
    assert [thread.failure for thread in (inflight, first, second, third, generator)] == [None] * 5
    # No stats processor ran here.
    failed = [finding.name for finding in check(bank.bootstrap) if not finding.passed]
    assert failed == ["the confirmed totals are right"]


@integration
def test_a_check_without_a_run_fails(bank: LocalKafka) -> None:
    topics.create_topics(bank.bootstrap)
    assert not check(bank.bootstrap)[0].passed
