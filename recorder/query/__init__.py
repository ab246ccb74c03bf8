"""SQL over a capture's segments, in place, by DuckDB, where a query can read nothing else and write nothing."""

from __future__ import annotations

import pyarrow as pa

from recorder.capture.reader import Capture
from recorder.query.session import InterruptedQueryError, Result, Session


def query(capture: Capture, sql: str) -> pa.Table:
    """The result of one reading statement over the views `records` and one per topic.

    Raises UsageError for SQL that is wrong or does not only read, CaptureError for torn segments.
    """
    with Session(capture) as session:
        return session.query(sql)


__all__ = ["InterruptedQueryError", "Result", "Session", "query"]
