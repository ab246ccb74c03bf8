"""Writing other schema ids into records: into the prefixes of keys and values and the headers that name schemas.

Whole columns at a time. All else stays byte for byte, Protobuf's message indexes too; what names a schema that nobody
planned for is left alone and told, for it may be no frame at all, or one that points to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.payloads import spread, wire
from recorder.payloads.naming import NAMELESS, SIDES, Names, Use
from recorder.payloads.reasons import Side
from recorder.payloads.spread import Bools, Ints
from recorder.payloads.used import Key

_TOPIC_SHIFT = 34  # above all that `Names` gives out
_NUMBER = (1 << _TOPIC_SHIFT) - 1


@dataclass(frozen=True, slots=True)
class NewName:
    """What a schema is called in the target; `guid` is None where its registry gives none."""

    id: int
    guid: str | None = None


Done = tuple[Use, Key | None, Bools]
"""Which records named a schema, and what they name now; None: it is not planned, and they name it still."""


class Renamer:
    """Renames the schemas of batches by `planned`: for each topic number, side and schema its new name."""

    def __init__(self, planned: Mapping[Use, NewName]) -> None:
        self._planned = planned
        self._names = Names()
        self._topics = {side: sorted({topic for topic, of, _ in planned if of == side}) for side in SIDES}

    def rename(self, batch: pa.RecordBatch, topics: Ints) -> tuple[pa.RecordBatch, list[Done]]:
        """A batch with keys, values and headers as the target needs them, and what was done to which records.

        `topics` are the records' topic numbers. What was left alone is told where other records of its side are not.
        """
        done: list[Done] = []
        in_headers: dict[Side, list[Done]] = {}
        for side in SIDES:
            concerned = np.isin(topics, self._topics[side])
            if not concerned.any():
                continue
            prefix = np.full(batch.num_rows, NAMELESS, np.int64)
            numbers = np.where(concerned, self._names.of(batch, side), NAMELESS)
            for use, number, rows in _uses(side, topics, numbers, self._names):
                new = self._planned.get(use)
                if new is None:
                    done.append((use, None, rows))
                elif self._names.is_header(number):
                    name: Key = new.guid if isinstance(use[2], str) and new.guid is not None else new.id
                    in_headers.setdefault(side, []).append((use, name, rows))
                else:
                    prefix[rows] = new.id
                    done.append((use, new.id, rows))
            if (prefix != NAMELESS).any():
                batch = _with(batch, side, with_ids(batch.column(side), prefix))
        for side, named in in_headers.items():
            batch = _with(batch, "headers", with_header(batch.column("headers"), side, named))
            done += named
        return batch, done


def _uses(side: Side, topics: Ints, numbers: Ints, names: Names) -> Iterator[tuple[Use, int, Bools]]:
    """Each schema that records of a topic name, its number, and which records these are."""
    named = np.flatnonzero(numbers != NAMELESS)
    pairs, which = np.unique(topics[named] << _TOPIC_SHIFT | numbers[named], return_inverse=True)
    for code, pair in enumerate(pairs.tolist()):
        rows = np.zeros(len(numbers), np.bool_)
        rows[named[which == code]] = True
        number = pair & _NUMBER
        yield (pair >> _TOPIC_SHIFT, side, names.key(number)), number, rows


def with_ids(payloads: pa.Array, ids: Ints) -> pa.Array:
    """A binary column of which some prefixes name other schemas: `ids` by row, NAMELESS where nothing is to change.

    Those rows must have a prefix. One copy of the payloads, whatever the number of rows.
    """
    starts, ends = spread.spans(payloads)
    first, last = int(starts[0]), int(ends[-1])
    content = spread.data_of(payloads)[first:last].copy()
    rows = np.flatnonzero(ids != NAMELESS)
    new = ids[rows].astype(">u4").view(np.uint8).reshape(len(rows), 4)
    content[(starts[rows] - first + 1)[:, None] + np.arange(4)] = new
    wide = pa.types.is_large_binary(payloads.type)
    offsets = (np.append(starts, ends[-1:]) - first).astype(np.int64 if wide else np.int32)
    validity = None if not payloads.null_count else pa.array(spread.valid(payloads)).buffers()[1]
    return pa.Array.from_buffers(
        payloads.type, len(payloads), [validity, pa.py_buffer(offsets), pa.py_buffer(content)], payloads.null_count
    )


def with_header(headers: pa.ListArray, side: Side, named: Sequence[Done]) -> pa.ListArray:
    """Lists of headers in which the one that names this side's schema says what `named` has for its record.

    Of several such headers in one record the last counts and is changed.
    """
    which = np.full(len(headers), -1, np.int64)
    for code, (_, _, rows) in enumerate(named):
        which[rows] = code
    flat = headers.flatten()
    keys, values = flat.field("key"), flat.field("value")
    rows = np.repeat(np.arange(len(headers)), headers.value_lengths().to_numpy())
    ours = np.flatnonzero(spread.bools(pc.equal(keys, wire.HEADER_NAMES[side])))
    ours = ours[np.append(np.diff(rows[ours]) > 0, True)]
    ours = ours[which[rows[ours]] >= 0]
    before = values.take(pa.array(ours)).dictionary_encode()
    pairs, inverse = np.unique(
        which[rows[ours]] * len(before.dictionary) + before.indices.to_numpy(), return_inverse=True
    )
    contents = before.dictionary.to_pylist()
    after = [
        wire.rewrite_header(contents[pair % len(contents)], named[pair // len(contents)][1]) for pair in pairs.tolist()
    ]
    changed = np.zeros(len(flat), np.bool_)
    changed[ours] = True
    values = pc.replace_with_mask(values, pa.array(changed), pa.array(after, values.type).take(pa.array(inverse)))
    fields = [flat.type.field(index) for index in range(flat.type.num_fields)]
    structs = pa.StructArray.from_arrays([keys, values], fields=fields)
    offsets = np.append(0, np.cumsum(headers.value_lengths().to_numpy())).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=headers.type)


def _with(batch: pa.RecordBatch, column: str, content: pa.Array) -> pa.RecordBatch:
    at = batch.schema.get_field_index(column)
    return batch.set_column(at, batch.schema.field(at), content)
