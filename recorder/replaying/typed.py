"""Choices about a replay as people type them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from recorder.errors import UsageError
from recorder.replaying.options import LONGEST_TRANSACTION_MS, MOST_IN_TRANSACTION, Point, Steps
from recorder.window import parse_duration, parse_time

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_SOURCE = re.compile(r"(?:[^/]+/)?[a-zA-Z0-9._-]{1,249}")
_SIZE = re.compile(r"(?P<number>\d{1,9}(?:\.\d+)?) ?(?P<unit>[kKMG])(?P<binary>i)?B", re.ASCII)
_OFFSET = re.compile(r"(?P<topic>.+)/(?P<partition>\d{1,9}):(?P<offset>\d{1,18})", re.ASCII)


def parse_remap(assignments: Sequence[str]) -> dict[str, str]:
    """`a:=b` (rosbag2's form) as a mapping; UsageError when it is none, or a topic is mapped twice.

    ``capture/a:=b`` maps the topic of one of several captures.
    """
    mapping: dict[str, str] = {}
    for text in assignments:
        source, sign, target = (part.strip() for part in text.partition(":="))
        if not sign or not _SOURCE.fullmatch(source) or not _TOPIC.fullmatch(target):
            raise UsageError(f"-m '{text}' is not a mapping of topics: write -m recorded:=target.")
        if source in mapping:
            raise UsageError(
                f"Topic {source} is mapped twice, to {mapping[source]} and to {target}: give one -m for it."
            )
        mapping[source] = target
    return mapping


def parse_point(text: str, *, tz: str | None = None) -> Point:
    """A moment of the timeline as typed: a time, or ``+30s`` from its first record. Raises UsageError."""
    text = text.strip()
    if text.startswith("+"):
        return Point(parse_duration(text[1:]), relative=True)
    if text == "now" or text.startswith("-"):
        raise UsageError(f"'{text}' is not on the timeline: write a time, or +30s from its first record.")
    return Point(parse_time(text, now_ms=0, tz=tz))


def parse_start_offsets(texts: Sequence[str]) -> dict[tuple[str, int], int]:
    """``orders/3:1042`` as where partition 3 of orders begins; UsageError when it is none, or said twice."""
    found: dict[tuple[str, int], int] = {}
    for text in texts:
        match = _OFFSET.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"--start-offset '{text}' is not a place: write topic/partition:offset.")
        place = (match["topic"], int(match["partition"]))
        if place in found:
            raise UsageError(f"--start-offset says twice where {place[0]}/{place[1]} begins.")
        found[place] = int(match["offset"])
    return found


def parse_steps(text: str) -> Steps:
    """``1000`` records, ``500ms``, or both: ``1000,500ms``. Raises UsageError."""
    steps = Steps(MOST_IN_TRANSACTION, LONGEST_TRANSACTION_MS)
    for part in text.split(","):
        if part.strip().isdecimal():
            steps = replace(steps, records=int(part))
        else:
            steps = replace(steps, milliseconds=parse_duration(part.strip()))
    if not (1 <= steps.records <= MOST_IN_TRANSACTION and 1 <= steps.milliseconds <= LONGEST_TRANSACTION_MS):
        raise UsageError(
            f"--transactional {text}: a transaction holds 1 to {MOST_IN_TRANSACTION:,} records and lasts up to "
            f"{LONGEST_TRANSACTION_MS // 1000} s; write for example 1000 or 500ms or 1000,500ms."
        )
    return steps


def parse_size(text: str) -> int:
    """Bytes in ``64MB`` (10^6), ``64MiB`` (2^20), also with k, K or G; raises UsageError otherwise."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a size: write for example 64MB or 1GiB.")
    base = 1_024 if match["binary"] else 1_000
    power = 1 + "kmg".index(match["unit"].lower())
    return int(float(match["number"]) * float(base**power))
