"""Results in every form keep what the query gave."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recorder.capture.reader import Capture
from recorder.errors import BlackboxError, UsageError
from recorder.query import Session
from recorder.query.results import check_output, csv_text, export, first, head, json_text, ndjson_text
from tests.builders import T0, make_capture, record

TORTURE = """
SELECT 1::tinyint AS small, sum(x) AS huge, 1.10::decimal(10, 2) AS exact, 18446744073709551615::ubigint AS unsigned,
  'text' AS text, '' AS empty, NULL AS nothing, true AS yes, 1.5 AS half, 'nan'::double AS nan,
  timestamptz '2026-11-03 14:02:00.123+00' AS ms, timestamptz '2026-11-03 14:02:00.123456+00' AS us,
  timestamp '2026-11-03 14:02:00' AS naive, 'infinity'::timestamp AS forever,
  date '2026-11-03' AS day, time '10:00' AS clock,
  '\\xFF'::blob AS raw, 'ab'::blob AS ascii, {'a': 1, 'b': ['\\xFF'::blob]} AS nested,
  map {'k': timestamptz '2026-11-03 14:02:00+00'} AS m,
  '{ "n": 1.10,\n"big": 123456789012345678901234567890 }'::json AS doc, '{"a": NaN}'::json AS odd
FROM (SELECT unnest([1, 2]) AS x)
"""


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    return make_capture(tmp_path_factory.mktemp("results") / "c", [record("t", 0, T0, "k", '{"a": 1}')])


@pytest.fixture(scope="module")
def session(capture: Capture) -> Iterator[Session]:
    with Session(capture) as opened:
        yield opened


def test_ndjson_is_exact(session: Session) -> None:
    with session.stream(TORTURE) as result:
        [text] = ndjson_text(result)
    assert "\n" not in text
    assert '"exact":1.10,' in text
    assert '"doc":{"n":1.10,"big":123456789012345678901234567890}' in text
    row = json.loads(text)
    del row["exact"], row["doc"]
    assert row == {
        "small": 1,
        "huge": 3,
        "unsigned": 2**64 - 1,
        "text": "text",
        "empty": "",
        "nothing": None,
        "yes": True,
        "half": 1.5,
        "nan": None,
        "ms": "2026-11-03T14:02:00.123Z",
        "us": "2026-11-03T14:02:00.123456Z",
        "naive": "2026-11-03T14:02:00.000",
        "forever": "<value out of range: 9223372036854775807>",
        "day": "2026-11-03",
        "clock": "10:00:00.000000",
        "raw": {"base64": "/w=="},
        "ascii": "ab",
        "nested": {"a": 1, "b": [{"base64": "/w=="}]},
        "m": {"k": "2026-11-03T14:02:00.000Z"},
        "odd": '{"a": NaN}',
    }


@pytest.mark.parametrize("rows", [0, 1, 5_000])
def test_json_is_one_array(session: Session, rows: int) -> None:
    with session.stream(f"FROM range({rows}) t(a)") as result:
        text = "\n".join(json_text(result))
    assert json.loads(text) == [{"a": a} for a in range(rows)]


def test_csv_tells_null_from_empty_and_reads_back(session: Session) -> None:
    with session.stream("SELECT * FROM (VALUES (1, 'a,\"b\"\n', NULL), (NULL, '', 'x')) t(n, s, u)") as result:
        text = "\n".join(csv_text(result))
    assert text.endswith('\n,"","x"')
    assert list(csv.reader(text.splitlines(keepends=True))) == [["n", "s", "u"], ["1", 'a,"b"\n', ""], ["", "", "x"]]


def test_csv_of_anything(session: Session) -> None:
    with session.stream(TORTURE) as result:
        text = "\n".join(csv_text(result))
    [row] = csv.DictReader(text.splitlines(keepends=True))
    assert row["exact"] == "1.10"
    assert row["ms"] == "2026-11-03T14:02:00.123Z"
    assert row["raw"] == "\\xff"
    assert json.loads(row["nested"]) == {"a": 1, "b": [{"base64": "/w=="}]}


def test_head_asks_for_one_more_to_know(session: Session) -> None:
    for rows, cut in ((2, False), (3, False), (4, True), (100_000, True)):
        with session.stream(f"FROM range({rows})") as result:
            shown = head(result, 3)
        assert (len(shown.rows), shown.cut) == (min(rows, 3), cut)


def test_head_of_anything_has_plain_cells(session: Session) -> None:
    with session.stream(TORTURE) as result:
        shown = head(result, None)
    cells = dict(zip(shown.columns, shown.rows[0], strict=True))
    assert cells["huge"] == 3
    assert cells["raw"] == b"\xff"
    assert cells["doc"].startswith('{ "n": 1.10')


def test_parquet_keeps_types(session: Session, tmp_path: Path) -> None:
    with session.stream(TORTURE) as result:
        export(result, tmp_path / "x.parquet")
    schema = pq.read_schema(tmp_path / "x.parquet")
    assert str(schema.field("ms").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("exact").type) == "decimal128(10, 2)"
    assert "json" in str(schema.field("doc").type)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json", ".ndjson"])
def test_exports_are_whole_and_nothing_is_left_beside(session: Session, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    with session.stream("SELECT range AS a FROM range(30_000)") as result:
        assert export(first(result, 20_001), path) == 20_001
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert session.query("SELECT 1 AS a").num_rows == 1


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json", ".ndjson"])
def test_a_query_that_fails_half_way_leaves_nothing(session: Session, tmp_path: Path, suffix: str) -> None:
    sql = "SELECT CASE WHEN range < 500_000 THEN range ELSE error('late') END AS a FROM range(1_000_000)"
    with pytest.raises(BlackboxError, match="late"), session.stream(sql) as result:
        export(result, tmp_path / f"x{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_can_not_be(capture: Capture, tmp_path: Path) -> None:
    (tmp_path / "there.csv").touch()
    for path, message in [
        (tmp_path / "x.xlsx", "extension"),
        (tmp_path / "there.csv", "exists already"),
        (capture.root / "x.csv", "inside the capture"),
        (tmp_path / "no" / "x.csv", "not a directory"),
    ]:
        with pytest.raises(UsageError, match=message):
            check_output(path, capture=capture.root)
