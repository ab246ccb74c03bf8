"""The protocol by hand: known answers of SCRAM, brokers that answer nonsense, settings that are left to the client."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from recorder.kafka.connection import connect
from recorder.kafka.login import Scram, UnsuitableError, require_known
from recorder.kafka.wire import Wire

SECONDS = 10.0


def test_scram_as_rfc_7677_shows_it() -> None:
    scram = Scram("sha256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO")
    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert scram.answer(challenge).endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    scram.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(UnsuitableError, match="does not know the password"):
        scram.check(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"e=other-error",
        b"r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",  # not our nonce
        b"r=ours+theirs,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",  # the password would lie open
        b"r=ours+theirs,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=999999999",  # it would take for ever
        b"\xff\xfe",
    ],
)
def test_a_scram_challenge_that_is_none_is_refused(challenge: bytes) -> None:
    with pytest.raises(UnsuitableError):
        Scram("sha512", "user", "secret", "ours").answer(challenge)


def test_names_with_commas_are_escaped_for_scram() -> None:
    assert Scram("sha256", "a=b,c", "x", "n").first() == b"n,,n=a=3Db=2Cc,r=n"


@pytest.mark.parametrize(
    "properties",
    [
        [],
        ["security.protocol=SSL"],
        ["security.protocol=SASL_SSL", "sasl.mechanism=SCRAM-SHA-512", "sasl.username=u", "sasl.password=p"],
        ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=u", "sasl.password=p"],
    ],
)
def test_common_settings_are_known(properties: list[str]) -> None:
    require_known(connect("localhost:1", properties))


@pytest.mark.parametrize(
    "properties",
    [
        ["security.protocol=SASL_SSL"],  # Kerberos
        ["security.protocol=SASL_SSL", "sasl.mechanism=OAUTHBEARER"],
        ["ssl.keystore.password=x"],
        ["client.rack=b"],
        ["socket.timeout.ms=60000"],
        ["security.protocol=NEW"],
    ],
)
def test_what_only_a_whole_client_knows_is_left_to_it(properties: list[str]) -> None:
    with pytest.raises(UnsuitableError):
        require_known(connect("localhost:1", properties))


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """A broker that gives these answers to one client, whatever it asks, and hangs up; its address."""

    def serve() -> None:
        client, _ = server.accept()
        with client, client.makefile("rb") as asked:
            for answer in answers:
                asked.read(struct.unpack(">i", asked.read(4))[0])
                client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(SECONDS)


def fetch(address: str) -> object:
    wire = Wire(connect(address), address, SECONDS)
    try:
        wire.ask_fetch([(("t", 0), 0)], committed=True, wait_ms=0, most=1, most_each=1)
        return wire.fetched()
    finally:
        wire.close()


def sized(answer: bytes) -> bytes:
    return struct.pack(">i", len(answer)) + answer


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",  # not Kafka: its letters are a size of 1.2 GB
        struct.pack(">i", -5),
        struct.pack(">i", 3) + b"abc",
        sized(struct.pack(">iihi", 1, 0, 35, 0)),  # unsupported version
        sized(struct.pack(">iihii", 1, 0, 0, 0, 2**31 - 1)),  # two thousand million topics
        sized(struct.pack(">iihii", 1, 0, 0, 0, 1) + b"\0\x09t"),
    ],
)
def test_a_broker_that_answers_nonsense_is_left(answer: bytes) -> None:
    with answering(answer) as address, pytest.raises((UnsuitableError, OSError)):
        fetch(address)


def test_no_answer_however_odd_ends_in_another_error() -> None:
    chance = random.Random(3)
    head = struct.pack(">iihii", 1, 0, 0, 0, 1) + b"\0\1t" + struct.pack(">i", 1)
    for _ in range(60):
        body = bytes(chance.choice((0, 0, 0, 1, 255, chance.randrange(256))) for _ in range(chance.randrange(80)))
        with answering(sized(head + body)) as address:
            try:
                fetch(address)
            except (UnsuitableError, OSError):
                continue


def test_a_broker_that_does_not_let_us_in_is_left() -> None:
    settings = ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=u", "sasl.password=p"]
    refusal = struct.pack(">ih", 2, 58) + b"\0\x02no" + struct.pack(">i", 0)
    with (
        answering(sized(struct.pack(">ihi", 1, 0, 0)), sized(refusal)) as address,
        pytest.raises(UnsuitableError, match="does not let us in"),
    ):
        Wire(connect(address, settings), address, SECONDS)
