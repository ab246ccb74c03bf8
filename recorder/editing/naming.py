"""Which topics of several captures are one, and what each is called in the capture that they are merged into.

Two are one when they have the same id in the same cluster. Topics that only share a name are never mixed: the person
who merges says how to tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recorder.capture.manifest import Manifest, Origin, Topic
from recorder.capture.reader import Capture
from recorder.errors import UsageError

_LEGAL = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LONGEST = 249
_Identity = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Named:
    """A topic of a capture, with its name in the merged capture and where it came from."""

    name: str
    capture: Capture
    topic: Topic
    origin: Origin


def name_topics(captures: Sequence[Capture], prefixes: Mapping[int, str]) -> dict[str, list[Named]]:
    """All topics by their name in the merged capture, sorted; the captures numbered in `prefixes` get theirs in front.

    Raises UsageError where two topics would share a name, or one would get two.
    """
    named: dict[str, list[Named]] = {}
    identities: dict[str, dict[_Identity, Named]] = {}
    names: dict[_Identity, str] = {}
    for number, capture in enumerate(captures):
        for topic in capture.manifest.topics:
            name = f"{_prefix(prefixes[number])}.{topic.name}" if number in prefixes else topic.name
            if len(name) > _LONGEST:
                raise UsageError(f"{name} is too long for a topic's name: choose a shorter one with --as.")
            one = Named(name, capture, topic, origin_of(capture.manifest, topic))
            named.setdefault(name, []).append(one)
            identity = _identity(one)
            identities.setdefault(name, {}).setdefault(identity, one)
            if names.setdefault(identity, name) != name:
                raise UsageError(
                    f"{names[identity]} and {name} would be the same topic twice: give all captures of its cluster "
                    "the same name with --as, or none."
                )
    _refuse_mixing(identities)
    return dict(sorted(named.items()))


def origin_of(manifest: Manifest, topic: Topic) -> Origin:
    """A topic's cluster, and its name there."""
    if isinstance(topic.origin, Origin):
        return topic.origin
    return Origin(cluster_id=manifest.source.cluster_id, name=topic.name)


def _identity(one: Named) -> _Identity:
    if one.origin.cluster_id is not None:
        return one.origin.cluster_id, one.topic.id or f"name {one.origin.name}"
    # Of an unknown cluster, only parts of one recording are surely of the same topic.
    recording = one.capture.manifest.lineage[0].capture_id if one.capture.manifest.lineage else ""
    return f"recording {recording}", one.topic.id or f"name {one.topic.name}"


def _prefix(text: str) -> str:
    if not _LEGAL.fullmatch(text):
        raise UsageError(f"'{text}' can't stand before a topic's name: use letters, digits, '.', '_' and '-'.")
    return text


def _refuse_mixing(identities: Mapping[str, Mapping[_Identity, Named]]) -> None:
    for name, found in identities.items():
        if len(found) > 1:
            clusters = {one.origin.cluster_id for one in found.values()}
            again = len(clusters) == 1 and None not in clusters
            places = [
                f"{one.capture.root} (cluster {one.origin.cluster_id or 'unknown'}"
                f"{f', topic id {one.topic.id}' if again else ''})"
                for one in found.values()
            ]
            raise UsageError(
                f"{name} is not the same topic in {' and '.join(places)}: tell them apart with --as NAME=CAPTURE, "
                "which puts NAME. before the names of a capture's topics."
            )
