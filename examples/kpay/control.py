"""The control plane: commands to the system as events that its components follow."""

from __future__ import annotations

from confluent_kafka import TopicPartition

from kpay.clients import producer, reader
from kpay.events import Event, Origin, headers_of, now_text, parse, record
from kpay.topics import CONTROL

COMMANDS = ("pause", "resume", "drain")


def send(bootstrap: str, command: str, *, reason: str, issued_by: str) -> None:
    """Publish a command; returns when the brokers have it."""
    operations = producer(bootstrap, "operations")
    event = Event(
        topic=CONTROL,
        key="intake",
        type=f"kpay.control.{command}",
        subject="intake",
        value={"command": command, "reason": reason, "issued_by": issued_by, "at": now_text()},
    )
    operations.produce(CONTROL, key=event.key, value=event.payload(), headers=headers_of(event, Origin("operations")))
    operations.flush(10)


class Follower:
    """Reads the commands from now on; every component that obeys has its own, without a group."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = reader(bootstrap, "control-follower")
        _, end = self._consumer.get_watermark_offsets(TopicPartition(CONTROL, 0), timeout=10)
        self._consumer.assign([TopicPartition(CONTROL, 0, end)])

    def commands(self) -> list[str]:
        """Those that came since the last call."""
        return [
            parse(record(message).value)["command"]
            for message in self._consumer.consume(10, 0)
            if message.error() is None
        ]

    def close(self) -> None:
        self._consumer.close()
