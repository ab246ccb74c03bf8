"""SQL types for Arrow's, spelled so that no name, whoever chose it, can be anything but a name."""

from __future__ import annotations

import pyarrow as pa

from recorder.payloads import fields
from recorder.query.views import quoted

_PLAIN = {
    pa.bool_(): "BOOLEAN",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
}


def sql_type(field: pa.Field, json: str = "JSON") -> str:
    """The type of a column (times in microseconds); text that is JSON gets the type `json`."""
    kind = field.type
    if fields.is_json(field):
        return json
    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(f'{quoted(member.name)} {sql_type(member, json)}' for member in kind)})"
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_field, json)}[]"
    if pa.types.is_map(kind):
        return f"MAP(VARCHAR, {sql_type(kind.item_field, json)})"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz is None else "TIMESTAMPTZ"
    return _PLAIN[kind]
