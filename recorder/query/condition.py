"""An expression over records at hand, in SQL: a value for each, or, for a condition, whether it holds.

The expression sees the columns that a query over a capture sees, in a DuckDB that can read nothing else: no file, no
network, no extension, and nothing is ever spilled to disk. With a topic's decoder it sees what that decodes, as the
view `records` does; without one, JSON that the database reads itself.
"""

from __future__ import annotations

import re

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.capture.schema import RECORD_SCHEMA
from recorder.errors import UsageError
from recorder.payloads.render import visible
from recorder.query.decoding import TopicDecoder
from recorder.query.gate import check
from recorder.query.views import COLUMNS, MACROS, decoded_columns, quoted

MEMORY_LIMIT = "256MiB"
_ARRIVED = "arrived"
_DECODED = ("key_json", "key_reason", "value_json", "value_reason")
_ASKS_FOR_ALL = re.compile(r"\*|\bcolumns\b", re.IGNORECASE)


class Expression:
    """An SQL expression over the columns of the view `records`, that gives `kind`; used by one thread at a time.

    `otherwise` is its value, in SQL, where it is NULL or fails. Raises UsageError for an expression that is wrong,
    gives something else or holds a subquery.
    """

    def __init__(self, expression: str, *, kind: str, otherwise: str, decoder: TopicDecoder | None = None) -> None:
        self.expression = expression
        self._kind = kind
        self._decoder = decoder
        self._connection = duckdb.connect(
            config={
                "allow_community_extensions": False,
                "allow_persistent_secrets": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "memory_limit": MEMORY_LIMIT,
                "python_enable_replacements": False,
                "temp_directory": "",
                "threads": 1,
            }
        )
        for statement in ("set timezone = 'UTC'", *MACROS, "set enable_external_access = false"):
            self._connection.execute(statement)
        self._connection.execute("set lock_configuration = true")
        columns = ", ".join(
            f"{sql} as {quoted(name)}" for name, sql in (decoded_columns() if decoder else COLUMNS).items()
        )
        # An expression that fails on one odd record must not blind it for the others of its batch.
        self._query = (
            f"select coalesce(try(({expression}\n)), {otherwise}) as found from (select {columns} from {_ARRIVED} raw)"
        )
        self._check()

    @property
    def decodes(self) -> bool:
        """Whether it asks for anything that a decoder gives."""
        return self._decoder is not None and any(map(self._names, _DECODED))

    def values(self, batch: pa.RecordBatch, decoder: TopicDecoder | None = None) -> pa.Array:
        """The expression's value for each record of a batch (RECORD_SCHEMA), never null.

        An expression that was made with a decoder may be given that of another topic.
        """
        self._connection.register(_ARRIVED, self._decoded(pa.Table.from_batches([batch]), decoder))
        return self._connection.sql(self._query).to_arrow_table().column("found").combine_chunks()

    def close(self) -> None:
        self._connection.close()

    def _decoded(self, records: pa.Table, decoder: TopicDecoder | None = None) -> pa.Table:
        """The records and, of the columns that `views.decoded_columns` needs, those that the expression names."""
        if self._decoder is None:
            return records
        decoder = decoder or self._decoder
        for side in ("key", "value"):
            names = [name for name in _DECODED if name.startswith(side)]
            columns = [pa.nulls(len(records), pa.string())] * 2
            if any(map(self._names, names)):
                found = decoder.side(side, records.column(side), records.column("headers"))
                columns = [found.json, found.reasons]
            for name, column in zip(names, columns, strict=True):
                records = records.append_column(name, column)
        return records

    def _names(self, column: str) -> bool:
        return column in self.expression.lower() or _ASKS_FOR_ALL.search(self.expression) is not None

    def _check(self) -> None:
        try:
            self._connection.register(_ARRIVED, self._decoded(RECORD_SCHEMA.empty_table()))
            check(self._connection, self._query)
            relation = self._connection.sql(self._query)
            kind = str(relation.types[0])
            if kind != self._kind or len(relation.columns) != 1:
                wanted = "true or false" if self._kind == "BOOLEAN" else self._kind
                raise UsageError(f"The condition {self.expression!r} gives {kind}, not {wanted}.")
            relation.to_arrow_table()
        except duckdb.Error as error:
            reason = visible(str(error).strip()).splitlines()[0]
            raise UsageError(f"The condition {self.expression!r} can't be evaluated: {reason}") from None


class Condition(Expression):
    """A boolean expression: NULL and errors mean no."""

    def __init__(self, expression: str, decoder: TopicDecoder | None = None) -> None:
        super().__init__(expression, kind="BOOLEAN", otherwise="false", decoder=decoder)

    def holds(self, batch: pa.RecordBatch, decoder: TopicDecoder | None = None) -> npt.NDArray[np.bool_]:
        """For each record of a batch (RECORD_SCHEMA): does the expression hold? For `decoder` see `values`."""
        return np.asarray(self.values(batch, decoder).to_numpy(zero_copy_only=False), np.bool_)
