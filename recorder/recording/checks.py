"""The doctor's judgements: from what was found out about a cluster and a window to checks that say what to do.

Each is a function of plain facts. PASSED checks of single topics are many; who shows them may leave them out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from recorder.capture.summary import format_bytes
from recorder.capture.verify import Check
from recorder.kafka.cluster import TopicFacts
from recorder.kafka.connection import Connection
from recorder.kafka.offsets import NOTHING_THAT_LATE, Place
from recorder.kafka.probing import Answer, ClockBounds, Taste
from recorder.recording.estimate import Expected
from recorder.recording.plan import Plan
from recorder.window import format_duration, format_time
from recorder.wording import counted

PER_TOPIC = frozenset({"rights", "configuration", "time index", "retention", "transactions", "compaction"})
"""Names of checks that come once for each topic."""

_FAR_SECONDS = 0.25
_CLOCK_TOLERANCE_MS = 1_000
_FUTURE_MS = 60_000
_SOON_MS = 3_600_000
_FULL = 0.8
_LOOPBACK = ("127.", "localhost:", "[::1]:")


def check_brokers(found: Sequence[Answer]) -> Iterator[Check]:
    """Does every broker answer, at the address that the cluster advertises?"""
    for answer in found:
        where = f"broker {answer.broker} ({answer.address})"
        if answer.problem:
            advice = "The cluster advertises this address, so it must be reachable from here"
            yield Check("connection", "FAILED", where, f"{answer.problem} {advice}.")
            continue
        connect, reply = format_duration(answer.connect_seconds * 1000), format_duration(answer.answer_seconds * 1000)
        detail = f"answers in {reply}, connected in {connect}"
        if answer.answer_seconds > _FAR_SECONDS:
            yield Check("connection", "WARNING", where, f"{detail}: far away or busy; recording nearer is faster")
        else:
            yield Check("connection", "PASSED", where, detail)


def check_protocol(connection: Connection, brokers: Mapping[int, str]) -> Check:
    """Is what we read protected on its way?"""
    settings = connection.settings
    protocol = settings.get("security.protocol", "PLAINTEXT").upper()
    mechanism = settings.get("sasl.mechanism", settings.get("sasl.mechanisms", "GSSAPI"))
    detail = f"{protocol} with {mechanism}" if "SASL" in protocol else protocol
    unchecked = settings.get("enable.ssl.certificate.verification", "true").lower() == "false"
    if "PLAINTEXT" in protocol and not all(address.startswith(_LOOPBACK) for address in brokers.values()):
        detail += ": records cross the network unencrypted; use SSL or SASL_SSL if the cluster offers it"
    elif "SSL" in protocol and (unchecked or settings.get("ssl.endpoint.identification.algorithm") == "none"):
        detail += ": nobody checks that a broker is who it says; give its authority in ssl.ca.location instead"
    else:
        return Check("security", "PASSED", connection.bootstrap, detail)
    return Check("security", "WARNING", connection.bootstrap, detail)


def check_clock(bounds: ClockBounds | None, where: str, seconds: float) -> Check:
    """Do the brokers' clock and ours agree? Times like -15m and now are ours, timestamps may be theirs."""
    if bounds is None:
        return Check(
            "clock",
            "SKIPPED",
            where,
            "Kafka tells no time, and no record that a broker stamps (LogAppendTime, commits of groups) arrived "
            f"within {seconds:.0f} s: make sure that this machine's clock is right",
        )
    middle, half = bounds.middle_ms, (bounds.high_ms - bounds.low_ms) / 2
    side = "behind" if middle > 0 else "ahead of"
    detail = f"this clock is {format_duration(abs(middle))} (± {format_duration(half)}) {side} the brokers'"
    if abs(middle) - half <= _CLOCK_TOLERANCE_MS:
        return Check("clock", "PASSED", where, detail)
    return Check("clock", "WARNING", where, f"{detail}: now and -15m mean other moments to them; give full times")


def check_rights(topics: Mapping[str, TopicFacts], tasted: Taste) -> Iterator[Check]:
    """READ is needed, and was tried by reading; knowing a topic's configuration is only welcome."""
    for name, facts in topics.items():
        problems = [text for place, text in tasted.problems.items() if place[0] == name]
        if name in tasted.denied:
            yield Check("rights", "FAILED", name, "we may not read it: ask for READ on the topic, or leave it out")
        elif problems:
            yield Check("rights", "FAILED", name, f"it can't be read: {problems[0]}")
        elif any(place[0] == name for place in tasted.silent):
            yield Check("rights", "WARNING", name, "no record came in time: is a broker down, or the network slow?")
        else:
            yield Check("rights", "PASSED", name, "we may read it")
        if facts.effective is None:
            unknown = "whether it is compacted and how long it keeps records stays unknown"
            yield Check("configuration", "WARNING", name, f"we may not read it: {unknown} (DescribeConfigs would tell)")


def check_time_index(
    plan: Plan, lasts: Mapping[Place, int], tasted: Taste, newest: Mapping[Place, int], now_ms: int
) -> Iterator[Check]:
    """Do the look-ups that a window rests on agree with each other and with the records? `lasts`: of its end."""
    start_ms = plan.window.from_ms
    for name, places in _by_topic(plan):
        problem = None
        for place in places:
            first = next(iter(tasted.messages.get(place, ())), None)
            kind, stamp = first.timestamp() if first is not None else (1, 0)
            last = lasts.get(place, NOTHING_THAT_LATE)
            if last != NOTHING_THAT_LATE and last < plan.spans[place].start:
                problem = f"partition {place[1]}: the look-up of its end gives an offset before that of its start"
            elif first is None or start_ms is None or first.offset() != plan.spans[place].start:
                continue
            elif kind == 0:
                problem = f"partition {place[1]}: its records have no timestamps; use --from beginning"
            elif stamp < start_ms:
                problem = f"partition {place[1]}: the look-up of its start gives a record of {format_time(stamp)}"
        ahead = max((newest[place] for place in places if place in newest), default=now_ms) - now_ms
        if problem:
            yield Check("time index", "FAILED", name, problem)
        elif ahead > _FUTURE_MS:
            detail = (
                f"its newest record is stamped {format_duration(ahead)} in the future: is a producer's clock right?"
            )
            yield Check("time index", "WARNING", name, detail)
        elif start_ms is None:
            yield Check("time index", "SKIPPED", name, "the window has no start to look up")
        else:
            yield Check("time index", "PASSED", name, "look-ups of the window's start and end agree with its records")


def check_retention(plan: Plan, now_ms: int) -> Iterator[Check]:
    """Is the window's start still there, and for how long?"""
    start_ms = plan.window.from_ms
    for name, places in _by_topic(plan):
        settings = plan.topics[name].effective
        cut = [place[1] for place in places if 0 < plan.spans[place].log_start == plan.spans[place].start]
        if start_ms is None or start_ms > now_ms:
            yield Check("retention", "SKIPPED", name, "the window has no start in the past that could expire")
        elif cut:
            which = ", ".join(map(str, cut[:5])) + ("…" if len(cut) > 5 else "")
            detail = f"the log of partition {which} begins inside the window or after its start: older records of it, "
            yield Check("retention", "WARNING", name, f"{detail}if there were any, have been deleted")
        elif settings is None:
            yield Check("retention", "SKIPPED", name, "we may not know how long it keeps records")
        elif "delete" not in settings.get("cleanup.policy", "delete"):
            yield Check("retention", "PASSED", name, "its records don't expire")
        elif int(settings.get("retention.ms", -1)) < 0:
            yield Check("retention", "PASSED", name, f"its records don't expire with age; {_by_size(settings)}")
        else:
            left = start_ms + int(settings["retention.ms"]) - now_ms
            detail = f"the window's start stays for at least {format_duration(left)}; {_by_size(settings)}"
            if left <= 0:
                detail = "the window's start is there, but older than retention.ms: it may go at any moment; record now"
            elif left < _SOON_MS:
                detail = f"the window's start may go in {format_duration(left)}: record now"
            yield Check("retention", "PASSED" if left >= _SOON_MS else "WARNING", name, detail)


def check_transactions(plan: Plan, ends: Mapping[Place, int], readable: Mapping[Place, int]) -> Iterator[Check]:
    """Do open transactions hide records of the window? `ends` are high watermarks, `readable` last stable offsets."""
    for name, places in _by_topic(plan):
        hidden = []
        for place in places:
            hint = plan.spans[place].hint
            end = ends[place] if hint is None else hint
            if place in readable and readable[place] < end:
                hidden.append(f"partition {place[1]} from offset {readable[place]} on")
        if not places or not any(place in readable for place in places):
            yield Check("transactions", "SKIPPED", name, "the last stable offsets are unknown")
        elif hidden:
            which = ", ".join(hidden[:3]) + (f" and {len(hidden) - 3} more" if len(hidden) > 3 else "")
            detail = f"an open transaction hides {which}: wait until it ends; a recording waits only a little"
            yield Check("transactions", "WARNING", name, detail)
        else:
            yield Check("transactions", "PASSED", name, "no open transaction hides records of the window")


def check_compaction(topics: Mapping[str, TopicFacts]) -> Iterator[Check]:
    """Does the log hold all records of the window, or only each key's latest?"""
    for name, facts in topics.items():
        if facts.effective is None:
            yield Check("compaction", "SKIPPED", name, "we may not know whether it is compacted")
        elif facts.compacted:
            detail = "it is compacted: a window of it is not its state, and overwritten records of it may be gone"
            yield Check("compaction", "WARNING", name, detail)
        else:
            yield Check("compaction", "PASSED", name, "it is not compacted")


def check_expected(expected: Expected, plan: Plan, untasted: Sequence[str]) -> Iterator[Check]:
    """What the recording comes to; `untasted` topics have offsets in the window, but none of their records came."""
    where = f"{counted(len(plan.topics), 'topic')}, {counted(expected.partitions, 'partition')}"
    detail = f"about {counted(expected.records, 'record')}, {format_bytes(expected.bytes)}"
    if expected.records_per_second is not None and expected.bytes_per_second is not None:
        rate = f"{expected.records_per_second:,.1f} records/s, {format_bytes(expected.bytes_per_second)}/s"
        detail += f": {rate} in its own time"
    if untasted:
        yield Check("window", "WARNING", where, f"{detail}; not counted, as no record came: {', '.join(untasted[:5])}")
    elif not expected.records:
        yield Check("window", "WARNING", where, "it holds no records: check --from and --to, and their time zone")
    else:
        yield Check("window", "PASSED", where, detail)
    yield Check("time", "PASSED", where, f"recording it takes about {format_duration(expected.seconds * 1000)}")


def check_disk(expected: Expected, directory: Path) -> Check:
    """Is there room, and may we write?"""
    parent = next(path for path in (directory.absolute(), *directory.absolute().parents) if os.access(path, os.F_OK))
    size, free = expected.capture_bytes, shutil.disk_usage(parent).free
    detail = f"the capture takes about {format_bytes(size)}, {format_bytes(free)} are free"
    if parent == directory.absolute():
        return Check("disk", "FAILED", str(directory), "exists already: choose another directory with -o")
    if not os.access(parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return Check("disk", "FAILED", str(directory), f"we may not write to {parent}: choose another place with -o")
    if size > free:
        return Check("disk", "FAILED", str(directory), f"{detail}: choose another place with -o, or a smaller window")
    if size > _FULL * free:
        return Check("disk", "WARNING", str(directory), f"{detail}: that leaves little; others may need some")
    return Check("disk", "PASSED", str(directory), detail)


def _by_size(settings: Mapping[str, str]) -> str:
    limit = int(settings.get("retention.bytes", -1))
    return f"by size (retention.bytes={limit}) it may go sooner" if limit >= 0 else "there is no limit by size"


def _by_topic(plan: Plan) -> Iterator[tuple[str, list[Place]]]:
    for name, facts in plan.topics.items():
        yield name, [(name, partition) for partition in facts.partitions]
