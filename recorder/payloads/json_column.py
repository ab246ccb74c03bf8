"""Arrow columns as JSON text, a whole column at a time; the same spelling as `values.to_json` gives one tree."""

from __future__ import annotations

import base64
from collections.abc import Callable

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recorder.payloads import fields, spread

_PLAIN_SCALE = 6
"""Up to so many digits after the point Arrow never writes a decimal with an exponent."""
_NOT_FINITE = {"nan": '"NaN"', "-nan": '"NaN"', "inf": '"Infinity"', "-inf": '"-Infinity"'}


def json_text(values: pa.Array, field: pa.Field) -> pa.Array:
    """A string array of JSON, null where the value is null. `field` is the codec's (its metadata counts)."""
    if fields.is_json(field):
        return values
    kind = field.type  # some of Arrow's functions lose the metadata of inner fields
    if pa.types.is_struct(kind):
        return _struct(values, kind)
    if pa.types.is_map(kind):
        return _map(values, kind)
    if pa.types.is_list(kind):
        return _list(values, kind)
    return _writer(kind)(values)


def _struct(values: pa.Array, kind: pa.StructType) -> pa.Array:
    members = list(kind)
    parts = []
    for place, member in enumerate(members):
        text = json_text(values.field(place), member)
        name = msgspec.json.encode(fields.real_name(member)).decode()
        comma = "," if place or fields.is_omitted(member) else ""
        if fields.is_omitted(member):
            parts.append(pc.binary_join_element_wise(f"{comma}{name}:", text, "").fill_null(""))
        else:
            parts.append(pc.binary_join_element_wise(f"{comma}{name}:", text.fill_null("null"), ""))
    joined = pc.binary_join_element_wise(*parts, "")
    if fields.is_omitted(members[0]):
        joined = pc.replace_substring_regex(joined, "^,", "")
    return spread.keep(_around("{", joined, "}"), spread.valid(values))


def _list(values: pa.Array, kind: pa.ListType) -> pa.Array:
    text = json_text(values.flatten(), kind.value_field).fill_null("null")
    return _joined(values, text, "[", "]")


def _map(values: pa.Array, kind: pa.MapType) -> pa.Array:
    # Arrow's list functions know no maps: the same as a list of pairs.
    pairs = pa.StructArray.from_arrays([values.keys, values.items], ["key", "value"])
    lists = pa.ListArray.from_arrays(pa.array(np.array(values.offsets)), pairs)
    lists = spread.keep(lists, spread.valid(values))
    pairs = lists.flatten()
    text = json_text(pairs.field(1), kind.item_field).fill_null("null")
    return _joined(lists, pc.binary_join_element_wise(_strings(pairs.field(0)), text, ":"), "{", "}")


def _joined(lists: pa.Array, text: pa.Array, start: str, end: str) -> pa.Array:
    """The texts of each list's items between two brackets."""
    lengths = pc.list_value_length(lists).fill_null(0)
    offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths))]).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), text), ",")
    return spread.keep(_around(start, joined, end), spread.valid(lists))


def _around(start: str, text: pa.Array, end: str) -> pa.Array:
    return pc.binary_join_element_wise(start, text, end, "")


def _writer(kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    if pa.types.is_string(kind):
        return _strings
    if pa.types.is_binary(kind):
        return _bytes
    if pa.types.is_floating(kind):
        return _floats
    if pa.types.is_decimal(kind):
        return _decimals
    if pa.types.is_timestamp(kind):
        return _timestamps
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return lambda values: _around('"', values.cast(pa.string()), '"')
    return lambda values: values.cast(pa.string())


def _strings(values: pa.Array) -> pa.Array:
    plain = _around('"', values, '"')
    odd = pc.match_substring_regex(values, r'["\\\x00-\x1f]').fill_null(False)
    if not odd.true_count:
        return plain
    escaped = [msgspec.json.encode(text).decode() for text in values.filter(odd).to_pylist()]
    return pc.replace_with_mask(plain, odd, pa.array(escaped, pa.string()))


def _bytes(values: pa.Array) -> pa.Array:
    encode = base64.b64encode
    texts = [None if raw is None else f'{{"base64":"{encode(raw).decode()}"}}' for raw in values.to_pylist()]
    return pa.array(texts, pa.string())


def _floats(values: pa.Array) -> pa.Array:
    text = values.cast(pa.float64()).cast(pa.string())
    odd = pc.invert(pc.is_finite(values)).fill_null(False)
    if not odd.true_count:
        return text
    return pc.replace_with_mask(text, odd, pa.array([_NOT_FINITE[item] for item in text.filter(odd).to_pylist()]))


def _decimals(values: pa.Array) -> pa.Array:
    if values.type.scale <= _PLAIN_SCALE:
        return _around('"', values.cast(pa.string()), '"')
    return pa.array([None if item is None else f'"{item:f}"' for item in values.to_pylist()], pa.string())


def _timestamps(values: pa.Array) -> pa.Array:
    zone = "Z" if values.type.tz is not None else ""
    text = values.view(pa.timestamp(values.type.unit)).cast(pa.string())
    return _around('"', pc.utf8_replace_slice(text, 10, 11, "T"), f'{zone}"')
