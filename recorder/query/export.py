"""A capture's records for other tools: Parquet or CSV, one file a topic, or a DuckDB database, a table a topic.

The columns are those of the topics' views, so an export holds what a query shows. What could not be decoded stays: its
bytes, and the reason. The result appears whole or not at all.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from recorder.capture.locations import inside
from recorder.capture.manifest import Topic
from recorder.capture.selection import Selection
from recorder.errors import BlackboxError, UsageError
from recorder.query.export_files import WRITERS, Described, Form, TopicWriter
from recorder.query.session import Result, Session
from recorder.query.views import quoted, topic_view

LISTING = "export.json"

_LEGAL = re.compile(r"[A-Za-z0-9._-]{1,200}")
_JSON = "{side}_json::varchar"
_TEXT = f"coalesce(case when starts_with({_JSON}, '\"') then {{side}}_json->>'$' else {_JSON} end, {{side}})"
_LEFT_OUT = ("key_json", "value_json")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: those of the selection for which `where` (SQL, as in a query) holds."""

    selection: Selection
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: records by topic, and how many payloads could not be decoded by (topic, side, reason)."""

    records: dict[str, int]
    undecoded: dict[tuple[str, str, str], int]

    def sentences(self) -> Iterator[str]:
        """One for each topic and side with what is not decoded."""
        found: dict[str, list[str]] = {}
        for (topic, side, reason), count in sorted(self.undecoded.items()):
            found.setdefault(f"{topic} {side}s", []).append(f"{count:,} {reason}")
        for name, counts in found.items():
            yield f"{name}: {', '.join(counts)}"


def form_of(out: Path, asked: str | None) -> Form:
    """The form that was asked for, or that the name's suffix says; a directory of Parquet otherwise. UsageError."""
    said = next((form for form in WRITERS if out.suffix == f".{form}"), None)
    form = next((form for form in WRITERS if form == asked), None) if asked else said or "parquet"
    if form is None or (said is not None and form != said):
        raise UsageError(f"{out} can't be written as {asked}: the form is one of {', '.join(WRITERS)}.")
    if form == "duckdb" and said is None:
        raise UsageError(f"{out}: the name of a database ends in .duckdb.")
    return form


def export_capture(
    session: Session,
    out: Path,
    form: Form,
    wanted: Wanted,
    *,
    progress: Callable[[int], None] = lambda records: None,
    seal: Callable[[Mapping[str, Path], Path], Path] | None = None,
) -> Exported:
    """Write the `wanted` records to `out`, which must not exist. `progress` is told records written.

    `seal` is given the finished files by name, and writes what vouches for them into the directory, whose path it
    returns: it stays there in a directory, and stands beside a single file, with that one's name before its own.

    Raises UsageError for an `out` or condition that can't be, CaptureError for torn segments, InterruptedQueryError.
    """
    capture = session.capture
    topics = [
        (index, topic)
        for index, topic in enumerate(capture.manifest.topics)
        if not wanted.selection.topics or topic.name in wanted.selection.topics
    ]
    single = out.suffix in (".parquet", ".csv")
    if single and len(topics) != 1:
        raise UsageError(f"{out} would hold one topic, not {len(topics)}: choose one with -t, or name a directory.")
    if inside(out, capture.root):
        raise UsageError(f"{out} lies inside the capture, which must stay as it is: choose a place outside.")
    stems = _stems([topic for _, topic in topics])
    counts: dict[str, int] = {}
    undecoded: Counter[tuple[str, str, str]] = Counter()
    described = Described(capture.manifest.capture_id, capture.manifest.clean is not None)
    with _staged(out) as staging:
        with WRITERS[form](staging, described) as writer:
            for index, topic in topics:
                counts[topic.name] = _write(
                    session, index, topic, wanted, writer, stems[topic.name], undecoded, progress
                )
        if form != "duckdb" and not single:
            files = {name: writer.name_of(stems[name]) for name in counts}
            _list(staging / LISTING, described, files, counts, undecoded)
        made = staging / writer.name_of(stems[topics[0][1].name]) if single or form == "duckdb" else staging
        if seal is not None and made == staging:
            seal({path.name: path for path in staging.iterdir()}, staging)
        elif seal is not None:
            sealed = seal({out.name: made}, staging)
            sealed.rename(_free(out.with_name(f"{out.name}.{sealed.name}")))
        made.rename(out)
    return Exported(counts, dict(undecoded))


def _write(
    session: Session,
    index: int,
    topic: Topic,
    wanted: Wanted,
    writer: TopicWriter,
    stem: str,
    undecoded: Counter[tuple[str, str, str]],
    progress: Callable[[int], None],
) -> int:
    view = _view(session, index, topic)
    with session.stream(f"from {view} limit 0") as probe:
        columns = probe.schema.names
    total = 0
    sql = f"select {', '.join(_columns(columns, writer.as_text))} from {view} where {_condition(wanted)}"

    def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal total
        for batch in batches:
            for side in ("key", "value"):
                reasons = batch.column(f"{side}_reason")
                for item in pc.value_counts(reasons.drop_null()).to_pylist():
                    undecoded[topic.name, side, item["values"]] += item["counts"]
            total += batch.num_rows
            progress(batch.num_rows)
            yield batch

    with session.stream(sql, batch_rows=8_192) as result:
        writer.write(stem, topic.name, Result(result.schema, counted(result.batches)))
    return total


def _view(session: Session, index: int, topic: Topic) -> str:
    """The topic's view; of topics whose names SQL can't tell apart, the one without types."""
    lowered = topic.name.lower()
    alone = sum(other.name.lower() == lowered for other in session.capture.manifest.topics) == 1
    return f"topics.{quoted(topic.name)}" if alone else topic_view(index)


def _columns(names: Sequence[str], as_text: bool) -> Iterator[str]:
    """The view's columns; payloads once, as text (JSON, or the text itself); bytes only of what is not decoded."""
    encode, ending = ("to_base64({})", "base64") if as_text else ("{}", "bytes")
    for name in names:
        if name in ("key", "value"):
            yield f"{_TEXT.format(side=name)} as {name}"
        elif name in ("key_bytes", "value_bytes"):
            side = name.removesuffix("_bytes")
            yield f"case when {side}_reason is not null then {encode.format(name)} end as {side}_{ending}"
        elif name not in _LEFT_OUT:
            yield quoted(name)


def _condition(wanted: Wanted) -> str:
    selection = wanted.selection
    parts = ["true"]
    if selection.window.from_ms is not None:
        parts.append(f"timestamp_ms >= {selection.window.from_ms}")
    if selection.window.to_ms is not None:
        parts.append(f"timestamp_ms < {selection.window.to_ms}")
    if selection.partitions:
        parts.append(f"partition in ({', '.join(map(str, selection.partitions))})")
    if selection.keys:
        keys = ", ".join(f"from_hex('{key.hex()}')" for key in selection.keys)
        parts.append(f"key_bytes in ({keys})")
    if wanted.where is not None:
        parts.append(f"({wanted.where}\n)")
    return " and ".join(parts)


def _stems(topics: Sequence[Topic]) -> dict[str, str]:
    """A name for each topic's file or table: its own, where that is one and no other's but for upper and lower case."""
    spellings = Counter(topic.name.lower() for topic in topics)
    return {
        topic.name: topic.name
        if _LEGAL.fullmatch(topic.name) and topic.name.strip(".") and spellings[topic.name.lower()] == 1
        else f"topic-{number}"
        for number, topic in enumerate(topics)
    }


def _list(
    path: Path,
    described: Described,
    files: dict[str, str],
    counts: dict[str, int],
    undecoded: Counter[tuple[str, str, str]],
) -> None:
    topics = [
        {
            "topic": name,
            "file": file,
            "records": counts[name],
            "undecoded": sum(count for (topic, _, _), count in undecoded.items() if topic == name),
        }
        for name, file in files.items()
    ]
    listing = {"capture_id": described.capture_id, "clean": described.clean, "topics": topics}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(listing), indent=1) + b"\n")


def _free(out: Path) -> Path:
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists already: choose another name with -o, or remove it first.")
    return out


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """A directory beside `out` to write in, which is gone afterwards unless it was renamed."""
    _free(out)
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{out.absolute().parent} is not a directory: create it first.")
    staging = out.with_name(out.name + ".tmp")
    try:
        staging.mkdir()
    except FileExistsError:
        raise UsageError(f"{staging} is in the way (another export, or one that was killed): remove it.") from None
    except OSError as error:
        raise BlackboxError(f"Can't write {staging}: {error.strerror or error}.") from error
    try:
        yield staging
    except OSError as error:
        raise BlackboxError(f"Can't write {out}: {error.strerror or error}. Nothing was kept.") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
