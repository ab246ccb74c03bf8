"""Which part of its captures a replay sent, in words: what is whole of a part must not look like the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recorder.replaying.certificate import Certificate
from recorder.replaying.course import Choices
from recorder.window import format_time

_NAMED = 5


def selected(certificate: Certificate) -> str | None:
    """``22 of the 300 records that the capture holds: keys k1, k2; where …``; None when it was all of them."""
    choices = certificate.course.choices
    passes = choices.passes or certificate.course.passes
    records = certificate.planned // passes
    how = [*_topics(certificate), *_records(choices), *_times(choices)]
    if choices.held is None or (records == choices.held and not how):
        return None
    holding = "captures hold" if certificate.further_captures else "capture holds"
    return f"{records:,} of the {choices.held:,} records that the {holding}" + (f": {'; '.join(how)}" if how else "")


def _topics(certificate: Certificate) -> Iterator[str]:
    choices = certificate.course.choices
    names = [topic.topic for topic in certificate.topics]
    if choices.dead_letters:
        yield "dead letters alone"
    elif len(names) < choices.topics_held:
        yield f"{len(names):,} of {choices.topics_held:,} topics ({_some(names)})"
    if choices.partitions:
        yield f"partitions {_some([str(number) for number in choices.partitions])}"
    if choices.start_offsets:
        yield _some([f"{place} from offset {offset:,}" for place, offset in choices.start_offsets.items()])


def _records(choices: Choices) -> Iterator[str]:
    if choices.keys:
        yield f"keys {_some(choices.keys)}"
    if choices.where is not None:
        yield f"where {choices.where}"
    if choices.sample is not None:
        yield f"{choices.sample * 100:.6g}% of all keys"


def _times(choices: Choices) -> Iterator[str]:
    for what, start, end in (
        ("timestamps", choices.window_from_ms, choices.window_to_ms),
        ("the timeline", choices.from_ms, choices.to_ms),
    ):
        edges = [f"{word} {format_time(ms)}" for word, ms in (("from", start), ("to", end)) if ms is not None]
        if edges:
            yield f"{what} {' '.join(edges)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
