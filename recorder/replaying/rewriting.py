"""Records changed by somebody's own code: what it may do, and what it did.

It sees each record as it was recorded and answers with what to send instead: one record, none, or several. Key, value,
headers and timestamp may differ; where a record comes from may not (-m maps topics, --partitions maps partitions).
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recorder.capture.reader import to_records
from recorder.capture.schema import RECORD_SCHEMA, Record
from recorder.errors import UsageError
from recorder.replaying.changes import Change, ChangeError, Outgoing, each

_INT64 = 1 << 63
_MAY_DIFFER = ("key", "value", "headers", "timestamp_ms")
_ROWS = 500

Rewriter = Callable[[Sequence[Record]], Iterable[Sequence[Record]]]
"""For each of some records, what to send instead."""


@dataclass(frozen=True, slots=True)
class Transform:
    """A person's function from a record to what is sent instead: a record, None, or several."""

    name: str
    function: Callable[[Record], Any]

    def __call__(self, records: Sequence[Record]) -> Iterable[Sequence[Record]]:
        return map(self._answer, records)

    def _answer(self, record: Record) -> Sequence[Record]:
        try:
            answer = self.function(record)
            answers = [answer] if isinstance(answer, Record) else [] if answer is None else list(answer)
        except Exception as error:
            raise ChangeError(f"{self.name} failed for {place(record)} ({type(error).__name__}: {error})") from error
        for one in answers:
            if not isinstance(one, Record) or not _is_sendable(one):
                raise ChangeError(
                    f"{self.name} answered for {place(record)} with something that can't be sent ({_shown(one)}): "
                    "return the record (record._replace(value=…)), None, or a list of records"
                )
        return answers


def load_transform(text: str) -> Transform:
    """The function that ``module:function`` names, also of a module in this directory. Raises UsageError."""
    module, colon, name = text.partition(":")
    if not module or not colon or not name:
        raise UsageError(f"--transform {text} names no function: write module:function.")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise UsageError(f"--transform {text} can't be loaded: {type(error).__name__}: {error}.") from error
    if not callable(found):
        raise UsageError(f"--transform {text} is no function.")
    return Transform(f"transform {text}", found)


def rewritten(rewriter: Rewriter, name: str) -> Change:
    """The change that somebody's code makes; one stretch at a time, whatever reads ahead."""
    turn = threading.Lock()

    def rewrite(records: Outgoing) -> Outgoing:
        recorded = list(to_records(records.batch.select(RECORD_SCHEMA.names)))
        answers: list[Sequence[Record]] = []
        with turn:
            for start in range(0, len(recorded), _ROWS):
                answers.extend(rewriter(recorded[start : start + _ROWS]))
        if all(len(one) == 1 and one[0] == was for was, one in zip(recorded, answers, strict=True)):
            return records
        return _with_answers(records, recorded, answers, name)

    return each(rewrite)


def place(record: Record) -> str:
    """Where a record comes from, for sentences."""
    return f"{record.topic}/{record.partition}@{record.offset}"


def _with_answers(
    records: Outgoing, recorded: Sequence[Record], answers: Sequence[Sequence[Record]], name: str
) -> Outgoing:
    for was, several in zip(recorded, answers, strict=True):
        for one in several:
            if (one.topic, one.partition, one.offset) != (was.topic, was.partition, was.offset):
                raise ChangeError(
                    f"{name} answered for {place(was)} with a record of {place(one)}: leave topic, partition and "
                    "offset as they are; -m maps topics, --partitions maps partitions"
                )
    counts = np.array([len(several) for several in answers])
    out = records.without(counts == 0, f"dropped by {name}")
    counts = counts[counts > 0]
    sources = np.repeat(np.arange(len(counts)), counts)
    again = np.zeros(len(sources), np.bool_)
    again[1:] = sources[1:] == sources[:-1]
    out = out.taken(sources)
    out = replace(out, added=out.added | again)
    sent = [one for several in answers for one in several]
    firsts = [was for was, several in zip(recorded, answers, strict=True) for _ in several]
    columns = {field: [getattr(one, field) for one in sent] for field in _MAY_DIFFER}
    columns["headers"] = [[{"key": key, "value": value} for key, value in pairs] for pairs in columns["headers"]]
    out = out.with_columns(
        **{field: pa.array(values, RECORD_SCHEMA.field(field).type) for field, values in columns.items()}
    )
    differs = np.array([one != was for one, was in zip(sent, firsts, strict=True)], np.bool_) & ~again
    other_key = np.array([one.key != was.key for one, was in zip(sent, firsts, strict=True)], np.bool_) & ~again
    for what, rows in (("changed", differs), ("key changed", other_key), ("added", again)):
        if rows.any():
            out = out.marked(f"{what} by {name}", rows)
    return out


def _is_sendable(record: Record) -> bool:
    def payload(value: object) -> bool:
        return value is None or isinstance(value, bytes)

    try:
        headers = all(isinstance(key, str) and payload(value) for key, value in record.headers)
    except (TypeError, ValueError):
        return False
    stamp = record.timestamp_ms
    in_range = isinstance(stamp, int) and -_INT64 <= stamp < _INT64
    return headers and payload(record.key) and payload(record.value) and in_range


def _shown(answer: object) -> str:
    """What kind of thing it is; its content is the records' own business."""
    if isinstance(answer, Record):
        return f"key {type(answer.key).__name__}, value {type(answer.value).__name__}"
    return type(answer).__name__
