"""A certificate as a person reads it: facts, and tables of figures. Durations in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recorder.replaying.certificate import Certificate, Inversions
from recorder.replaying.changes import ChangeCounts
from recorder.replaying.course import Course
from recorder.replaying.figures import Rows
from recorder.replaying.objectives import Judgement, show
from recorder.replaying.partitions import Placement
from recorder.replaying.read_ahead import advice
from recorder.replaying.selected import selected
from recorder.replaying.silence import BY_REPORTS
from recorder.window import format_duration, format_time

_AT_FAULT = ("MSG_SIZE_TOO_LARGE", "INVALID_MSG_SIZE", "INVALID_TIMESTAMP", "INVALID_RECORD", "INVALID_MSG")


def certificate_facts(certificate: Certificate) -> dict[str, str]:
    """The certificate's single figures, named."""
    seconds = certificate.sending_ns / 1e9
    speed = f", {certificate.sent / seconds:,.0f}/s" if seconds > 0 and certificate.sent > 1 else ""
    facts = {
        "replay": f"{certificate.replay_id} of capture {certificate.capture_id}",
        "target": f"cluster {certificate.target_cluster_id or '(unknown)'}",
        "began": f"{format_time(certificate.started_at_ms)}, {_pace(certificate)}",
        "ended by": certificate.ended_by + (f": {certificate.error}" if certificate.error else ""),
        **_earlier(certificate),
        **({} if (part := selected(certificate)) is None else {"selected": part}),
        "records": f"{certificate.acked:,} confirmed of {certificate.planned:,} planned, {certificate.failed:,} failed",
        **({"failed": _failed(certificate.errors)} if certificate.errors else {}),
        **({} if certificate.confirmed_by == BY_REPORTS else {"confirmed by": certificate.confirmed_by}),
        "took": f"{format_duration(certificate.sending_ns / 1e6)}{_planned(certificate)}{speed}",
    }
    facts |= _drift(certificate)
    facts["order"] = _order(certificate.inversions)
    facts |= _state(certificate)
    if certificate.proof is not None:
        facts["proof"] = certificate.proof.sentence()
    facts |= _measured(certificate)
    facts["timestamps"] = _timestamps(certificate)
    if certificate.stamped_by_target:
        facts["timestamps"] += f"; the target's own time of arrival in {', '.join(certificate.stamped_by_target)}"
    if certificate.remap:
        facts["renamed"] = ", ".join(f"{topic} to {target}" for topic, target in certificate.remap.items())
    facts |= _placed(certificate.placements)
    if (txn := certificate.transactions) is not None:
        lost = f", {txn.withdrawn:,} confirmed records withdrawn with them" if txn.withdrawn else ""
        facts["transactions"] = f"{txn.committed:,} committed, {txn.aborted:,} aborted{lost}"
    if certificate.chaos is not None:
        facts["chaos"] = f"{certificate.chaos} (order is judged against what was meant to be sent)"
    facts |= _changes(certificate.changes)
    if left := certificate.letters_left:
        facts["letters left"] = ", ".join(f"{count:,}: {why}" for why, count in left.items())
    if certificate.registered_schemas:
        facts["registered"] = ", ".join(certificate.registered_schemas)
    odd = {
        "behind their partition's time": certificate.clamped,
        "without a usable time": certificate.wild,
        "idle stretches shortened": certificate.collapsed_gaps,
        "timestamps of 0 sent as 1 ms": certificate.timestamp_0_sent_as_1,
    }
    if any(odd.values()):
        facts["schedule"] = ", ".join(f"{count:,} {what}" for what, count in odd.items() if count)
    facts |= _course(certificate.course)
    trouble = {"client queue full": certificate.queue_full, "requests retried": certificate.retries}
    if any(trouble.values()):
        facts["target's pace"] = ", ".join(f"{what} {count:,} times" for what, count in trouble.items() if count)
    if advice := reading_advice(certificate):
        facts["reading"] = advice
    return facts


def reading_advice(certificate: Certificate) -> str | None:
    """What to do when reading could not keep up with the schedule; None when it could."""
    if certificate.rate is None:
        return None
    return advice(certificate.starved_ns, certificate.course.choices.read_ahead_bytes)


def failure_rows(certificate: Certificate) -> Rows:
    return ("topic", "partition", "offset", "error"), [
        [failure.topic, failure.partition, failure.offset, failure.error]
        for failure in (*(certificate.prologue.failures if certificate.prologue else ()), *certificate.failures)
    ]


def refused_in_batches(certificate: Certificate) -> bool:
    """Did some records fail that nothing was wrong with, as brokers refuse a batch for one of its records?"""
    return any(error.startswith(_AT_FAULT) for error in certificate.errors)


def _failed(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,}: {error}" for error, count in sorted(errors.items(), key=lambda item: -item[1]))


def drop_rows(certificate: Certificate) -> Rows:
    """Records that were too late to be sent; the certificate holds the first 1,000."""
    return ("dropped", "topic", "partition", "offset"), [
        [drop.error, drop.topic, drop.partition, drop.offset] for drop in certificate.course.drops
    ]


def flaw_rows(certificate: Certificate) -> Rows:
    """What the proof found wrong."""
    flaws = () if certificate.proof is None else certificate.proof.flaws
    return ("flaw", "topic", "partition", "offset"), [
        [flaw.what, flaw.topic, flaw.partition, flaw.offset] for flaw in flaws
    ]


def _drift(certificate: Certificate) -> dict[str, str]:
    """How far the rhythm as a whole had moved, and how late the very last record was."""
    drift, last = certificate.end_drift_ns, certificate.last_lateness_ns
    if drift is None:
        return {}
    if last is None:  # as it was told before the two were told apart
        return {"end drift": f"{drift / 1e6:+.3f} ms (the last record, against the plan)"}
    return {
        "end drift": f"{drift / 1e6:+.3f} ms (median lateness: the last second's less the first one's)",
        "last record": f"{last / 1e6:.3f} ms late",
    }


def _measured(certificate: Certificate) -> dict[str, str]:
    """Rates, the probe, the floor and the objectives, where there are any."""
    facts = {}
    if certificate.rhythm is not None:
        rates = certificate.rhythm.rates
        facts["rate error"] = (
            f"{rates.error_share:.2%} ({rates.mean_error:,.1f}/s in the mean second, {rates.max_error:,.0f}/s in the "
            "worst)"
        )
    if certificate.probed is not None:
        probed = certificate.probed
        known = ", append times unknown" if certificate.rate is not None and probed.append_lateness is None else ""
        ended = f", until it ended: {probed.error}" if probed.error else ""
        facts["probe"] = f"{probed.matched:,} records seen to arrive, {probed.missing:,} not{known}{ended}"
    if certificate.floor is not None:
        floor = certificate.floor
        by = f"small produces to {floor.ack_topic}" if floor.ack_topic else "metadata requests, nothing was written"
        facts["floor"] = f"measured just before, in {format_duration(floor.took_ns / 1e6)}; the broker by {by}"
    if certificate.objectives:
        facts["objectives"] = ", ".join(map(_judged, certificate.objectives))
    return facts


def _order(inversions: Inversions) -> str:
    if inversions.partition is None or inversions.key is None:
        return "kept by the brokers (sequence numbers); nobody looked at offsets, --prove and --slo inversions=0 do"
    timeline = "" if inversions.timeline is None else f"; {inversions.timeline:,} on the timeline (by hand-over)"
    return (
        f"{inversions.partition:,} inversions in partitions, {inversions.key:,} in keys "
        f"(by {inversions.source}){timeline}"
    )


def _earlier(certificate: Certificate) -> dict[str, str]:
    """What came before, of a replay that was resumed."""
    earlier = certificate.earlier
    if earlier is None:
        return {}
    where = next((anchor.position_ns for anchor in certificate.course.anchors if anchor.why == "resumed"), 0)
    unconfirmed = f", {earlier.unconfirmed:,} of them unconfirmed until then" if earlier.unconfirmed else ""
    lost = f", {earlier.lost:,} lost" if earlier.lost else ""
    parts = "1 earlier part" if earlier.parts == 1 else f"{earlier.parts:,} earlier parts"
    return {
        "resumed": f"after {parts} from {format_time(earlier.started_at_ms)} on: {earlier.found:,} records found in "
        f"the target{unconfirmed}{lost}; a new anchor at +{format_duration(where / 1e6)}. All figures below but those "
        "planned are of this part alone."
    }


def _state(certificate: Certificate) -> dict[str, str]:
    """The state before the window, of captures that hold it."""
    state = certificate.prologue
    if state is None:
        return {}
    if state.sent == "before":
        changed = f", {state.left_out:,} left out" if state.left_out else ""
        changed += f", {state.added:,} added" if state.added else ""
        missing = f", {state.missing:,} not" if state.missing else ""
        how = f"{state.acked:,} confirmed before T0{missing}{changed}, in {format_duration(state.took_ns / 1e6)}"
        return {"state before the window": f"{state.records:,} records: {how}"}
    how = "not sent" if state.sent == "no" else "sent by the first part"
    return {"state before the window": f"{state.records:,} records, {how}"}


def _judged(one: Judgement) -> str:
    measured = "not measured" if one.measured is None else show(one.measured, one.unit)
    return f"{one.name} {'met' if one.met else 'MISSED'} ({measured} of {show(one.limit, one.unit)})"


def _placed(placements: Sequence[Placement]) -> dict[str, str]:
    """How records found their partitions, where that is not as they were recorded."""
    told = []
    for one in placements:
        if one.by == "hash":
            order = "" if one.recorded == one.partitions else ", order kept within each key, not between keys"
            told.append(f"{one.topic} by Java's hash ({one.recorded} recorded, {one.partitions} now{order})")
        elif one.by == "map":
            told.append(f"{one.topic} by map")
    return {"partitions": "; ".join(told)} if told else {}


def _changes(changes: ChangeCounts) -> dict[str, str]:
    """What was done to records on their way."""
    done = [f"{what}: {count:,}" for what, count in changes.marked.items()]
    done += [f"left out, {why}: {count:,}" for why, count in changes.left_out.items()]
    done += [f"added: {changes.added:,}"] if changes.added else []
    return {"changed": ", ".join(done)} if done else {}


def _course(course: Course) -> dict[str, str]:
    """What made time run otherwise than straight on."""
    facts = {}
    changes = {why: count for why, count in course.changes.items() if why != "start"}
    if changes:
        facts["anchors"] = ", ".join(f"{count:,} by {why}" for why, count in changes.items())
    passes = course.choices.passes
    if passes != 1:
        facts["passes"] = (
            f"{course.passes:,} begun of {passes:,}" if passes else f"{course.passes:,} begun, without end"
        )
    turns = {
        "sent again after a seek back": course.repeated,
        "jumped over": course.skipped,
        "sent by command": course.commanded,
        "too late and dropped": course.dropped,
    }
    if any(turns.values()):
        facts["turns"] = ", ".join(f"{count:,} {what}" for what, count in turns.items() if count)
    if course.slowed_ns:
        facts["slowed"] = f"the plan was put off by {format_duration(course.slowed_ns / 1e6)} as records were late"
    return facts


def _pace(certificate: Certificate) -> str:
    capped = _capped(certificate.course)
    if certificate.rate is None:
        offsets = certificate.course.choices.time_basis == "offset"
        return ("by offsets, without a rhythm" if offsets else "at top speed") + capped
    gap = "" if certificate.max_gap_ms is None else f", idle stretches up to {format_duration(certificate.max_gap_ms)}"
    return f"at rate {certificate.rate:g}{gap}{capped}"


def _capped(course: Course) -> str:
    """What was the most a second, and whether that held records back."""
    records, megabits = course.choices.records_per_second, course.choices.megabits_per_second
    caps = [f"{records:g} records/s"] if records else []
    caps += [f"{megabits:g} Mbit/s"] if megabits else []
    if not caps:
        return ""
    waits = "which held records back" if course.capped else "which held nothing back"
    return f", at most {' and '.join(caps)} ({waits})"


def _planned(certificate: Certificate) -> str:
    if certificate.planned_ns is None:
        return ""
    return f" (planned {format_duration(certificate.planned_ns / 1e6)})"


def _timestamps(certificate: Certificate) -> str:
    if certificate.timestamps == "shift":
        return f"shifted by {format_duration(certificate.shifted_by_ms)}"
    return {"original": "as recorded", "now": "the time of sending"}[certificate.timestamps]
