"""How far the fields that a policy kept tell records apart: k-anonymity, measured on the finished copy.

A value that stands in one record alone points at it, whatever else was masked. Judged by a sample of each topic's
records, spread over its segments; names paths of the policy, never a value.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from desensitizers.paths import EACH, Matcher, Steps
from desensitizers.policy import Policy
from desensitizers.spec import PayloadSpec, RuleSpec
from recorder.capture.manifest import Manifest, Topic
from recorder.payloads.decoder import Codecs, Decoder
from recorder.payloads.schemas import SchemaBook
from recorder.payloads.snapshot import read_schemas
from recorder.scrubbing.jobs import batches

SAMPLE = 10_000
"""Records of a topic that are looked at."""
K = 5
"""Groups below this size are counted as small."""
_REPEATS = 2
_DEEP = 64
_PLACES = 10_000


class KeptField(msgspec.Struct, frozen=True, kw_only=True):
    """A path whose values were kept: `alone` records are the only ones with their value."""

    path: str
    records: int
    distinct: int
    smallest_group: int
    alone: int


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A topic's kept fields; `k` is the smallest group of records that agree in all of `together`."""

    topic: str
    sampled: int
    records: int
    fields: tuple[KeptField, ...]
    together: tuple[str, ...] = ()
    """Fields whose values mostly repeat: together they may tell a person, where an id of an order need not."""
    k: int = 0
    below: int = 0
    """Records in groups of fewer than K."""


def kept_fields(root: Path, manifest: Manifest, policy: Policy) -> tuple[Kept, ...]:
    """For each topic with records of which the policy keeps fields of the value, in the order of the manifest."""
    plan = policy.plan()
    codecs = Codecs(SchemaBook(read_schemas(root, manifest)))
    found = []
    for topic in manifest.topics:
        if not topic.records or not plan.covers(topic.name):
            continue
        spec = plan.for_topic(topic.name).spec.value
        if spec is None or not _keeping(spec):
            continue
        kept = _kept_paths(spec)
        rows = [_leaves(value, kept) for value in _sampled(root, topic, Decoder(codecs, topic.name, "value"))]
        found.append(_judge(topic.name, topic.records, rows))
    return tuple(found)


def _sampled(root: Path, topic: Topic, decoder: Decoder) -> Iterator[Any]:
    """Decoded values, the same share of each segment."""
    segments = [one for partition in topic.partitions for one in partition.segments]
    share = max(1, SAMPLE // max(1, len(segments)))
    for segment in segments:
        left = share
        for batch in batches(root, segment):
            part = batch.slice(0, left)
            for value, headers in zip(
                part.column("value").to_pylist(), part.column("headers").to_pylist(), strict=True
            ):
                decoded = decoder.decode(value, [(one["key"], one["value"]) for one in headers])
                if decoded.readable:
                    yield json.loads(decoded.json)
            left -= part.num_rows
            if not left:
                break


def _leaves(value: Any, kept: Callable[[Steps], str]) -> dict[str, Any]:
    """The kept leaves of a value by path; of lists, all their values together."""
    found: dict[str, Any] = {}
    stack: list[tuple[Steps, Any]] = [((), value)]
    while stack:
        steps, here = stack.pop()
        if isinstance(here, dict) and len(steps) < _DEEP:
            stack += [((*steps, name), below) for name, below in here.items()]
        elif isinstance(here, list) and len(steps) < _DEEP:
            stack += [((*steps, EACH), below) for below in here]
        elif here is not None and (path := kept(steps)):
            found[path] = (*found.get(path, ()), json.dumps(here))
    return found


def _kept_paths(spec: PayloadSpec) -> Callable[[Steps], str]:
    """`_kept_by` for the steps to a leaf; the records of a topic have the same few."""
    matcher = Matcher([path for path, _leaf in spec.paths])
    return lru_cache(_PLACES)(lambda steps: _kept_by(matcher.all(steps), spec))


def _kept_by(indexes: tuple[int, ...], spec: PayloadSpec) -> str:
    """The policy's path when the first rule there keeps; a rule with a condition may, or may not, be that."""
    for index in indexes:
        path, leaf = spec.paths[index]
        if isinstance(leaf, RuleSpec) and leaf.rule == "keep":
            return path
        if not leaf.when:
            return ""
    return ""


def _keeping(spec: PayloadSpec) -> bool:
    return any(isinstance(leaf, RuleSpec) and leaf.rule == "keep" for _path, leaf in spec.paths)


def _judge(topic: str, records: int, rows: list[dict[str, Any]]) -> Kept:
    fields = []
    for path in sorted({path for row in rows for path in row}):
        groups = Counter(row[path] for row in rows if path in row)
        fields.append(
            KeptField(
                path=path,
                records=groups.total(),
                distinct=len(groups),
                smallest_group=min(groups.values()),
                alone=sum(size == 1 for size in groups.values()),
            )
        )
    together = tuple(one.path for one in fields if one.distinct * _REPEATS <= one.records)
    sizes = Counter(tuple(row.get(path) for path in together) for row in rows) if together else Counter()
    return Kept(
        topic=topic,
        sampled=len(rows),
        records=records,
        fields=tuple(fields),
        together=together,
        k=min(sizes.values(), default=0),
        below=sum(size for size in sizes.values() if size < K),
    )
