"""Conditions see into every payload that can be decoded; what can't be costs little, is counted and stops nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow as pa
import pytest

from recorder.payloads import wire
from recorder.payloads.choices import Choices, parse_choices
from recorder.payloads.registry import connect_registry
from recorder.payloads.schemas import Schema
from recorder.watching import schemas
from recorder.watching.conditions import Watched
from recorder.watching.figures import Figures
from recorder.watching.payloads import Payloads, condition
from recorder.watching.triggers import OnRecords
from tests.builders import T0, Payload, record, to_batch
from tests.odd_registry import OddRegistry, odd_registry, schema
from tests.query.schemas import avro, framed

PAID = avro(7, "Paid", ("id", "string"), ("cents", "long"))
NEWER = avro(8, "Paid", ("id", "string"), ("cents", "long"), ("note", "string"), version=2)
LARGE = "(value_json->>'$.cents')::bigint > 1000"


@pytest.fixture
def odd() -> Iterator[OddRegistry]:
    with odd_registry({f"/schemas/ids/{one.id}": schema(one.text) for one in (PAID, NEWER)}) as running:
        yield running


class Eyes:
    """Payloads with what they count and tell; `url` None: no registry."""

    def __init__(self, url: str | None, choices: Choices | None = None) -> None:
        self.figures, self.told = Figures(), list[str]()
        self.payloads = Payloads(connect_registry(url), self.figures, self.told.append, choices)

    def holds(self, where: str, *values: Payload) -> list[bool]:
        batch = arrived(*values)
        found: list[bool] = condition(where).holds(batch, self.payloads.of(batch)).tolist()
        return found

    @property
    def undecoded(self) -> int:
        return self.figures.total("undecoded_payloads")


def arrived(*values: Payload) -> pa.RecordBatch:
    return to_batch([record("paid", 0, T0 + at, f"k{at}", value, offset=at) for at, value in enumerate(values)])


def paid(cents: int, of: Schema = PAID) -> bytes:
    return framed(of, {"id": "p", "cents": cents, "note": ""} if of is NEWER else {"id": "p", "cents": cents})


def asked(odd: OddRegistry) -> list[str]:
    return [path for path, _ in odd.asked if path.startswith("/schemas/ids/") and "versions" not in path]


def test_a_condition_sees_avro_and_json_side_by_side_and_asks_for_each_schema_once(odd: OddRegistry) -> None:
    eyes = Eyes(odd.url)
    mixed = (paid(999), paid(1_001), {"cents": 2_000}, paid(5_000, NEWER), None, b"", {"cents": 1})
    for _ in range(3):
        assert eyes.holds(LARGE, *mixed) == [False, True, True, True, False, False, False]
    assert len(asked(odd)) == 2
    assert (eyes.undecoded, eyes.told) == (0, [])


def test_what_was_said_of_a_topic_counts_before_the_look_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "paid.avsc").write_text(PAID.text)
    bare = paid(2_000)[wire.PREFIX_SIZE :]
    said = parse_choices(["other=text", "paid=text"], [f"paid=avro:{tmp_path / 'paid.avsc'}"])
    assert Eyes(None).holds(LARGE, bare) == [False]
    assert Eyes(None, said).holds(LARGE, bare, paid(1)[wire.PREFIX_SIZE :]) == [True, False]
    looks = "json_type(value_json) = 'VARCHAR'"
    assert Eyes(None).holds(looks, b'{"a": 1}') == [False]
    assert Eyes(None, parse_choices([], ["p*=text"])).holds(looks, b'{"a": 1}') == [True]


def test_a_schema_in_a_header_counts_before_the_look_of_the_bytes(odd: OddRegistry) -> None:
    body = framed(PAID, {"id": "p", "cents": 2_000})[wire.PREFIX_SIZE :]
    headers = [(wire.HEADER_NAMES["value"], wire.Frame(7).write())]
    batch = to_batch(
        [record("paid", 0, T0, None, body, headers, offset=0), record("paid", 0, T0, None, b"[]", offset=1)]
    )
    assert condition(LARGE).holds(batch, Eyes(odd.url).payloads.of(batch)).tolist() == [True, False]


def test_a_trigger_fires_at_the_record_that_it_holds_for(odd: OddRegistry) -> None:
    eyes, batch = Eyes(odd.url), arrived(paid(1), paid(2_000), paid(3))
    watched = Watched(OnRecords("large", "paid", where=LARGE))
    assert watched.judge(batch, T0 + 10, eyes.payloads.of(batch)) == [T0 + 1]


def test_what_can_not_be_decoded_is_counted_and_said_once_and_blinds_no_other(odd: OddRegistry) -> None:
    eyes = Eyes(odd.url)
    for _ in range(2):
        assert eyes.holds(LARGE, paid(2_000)[:8], b"\0\0\0\0\x63??", b"{torn", b"\xff\xfe", paid(2_000)) == [
            False
        ] * 4 + [True]
    assert eyes.undecoded == 8
    assert sorted(line.partition(": ")[2].rpartition(": ")[2] for line in eyes.told) == [
        "malformed", "no known format", "truncated", "unknown schema id",
    ]  # fmt: skip
    assert all("conditions can't see into some values of paid" in line for line in eyes.told)


def test_a_condition_that_asks_for_no_payload_decodes_none(odd: OddRegistry) -> None:
    eyes = Eyes(odd.url)
    assert eyes.holds("\"offset\" = 1 and key = 'k1'", paid(1), b"\xff") == [False, True]
    assert (asked(odd), eyes.undecoded) == ([], 0)


def test_two_conditions_on_a_batch_decode_it_once() -> None:
    eyes, batch = Eyes(None), arrived(b"\xff\xfe")
    decoder = eyes.payloads.of(batch)
    for _ in range(2):
        condition(LARGE).holds(batch, decoder)
    assert eyes.undecoded == 1


def test_without_a_registry_it_says_where_to_name_one() -> None:
    eyes = Eyes(None)
    assert eyes.holds(LARGE, paid(2_000), {"cents": 2_000}) == [False, True]
    assert eyes.undecoded == 1
    assert eyes.told[0].endswith("unknown schema id (schemas come from kafka: {schema_registry: URL})")


def test_a_registry_that_is_down_is_asked_again_later_and_said_once(
    odd: OddRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    eyes = Eyes("http://127.0.0.1:9")
    for _ in range(2):
        assert eyes.holds(LARGE, paid(2_000), {"cents": 2_000}) == [False, True]
    assert sum("can't be reached" in line for line in eyes.told) == 1
    assert eyes.figures.total("failures") == 1
    monkeypatch.setattr(schemas, "AGAIN_SECONDS", 0.0)
    eyes = Eyes(odd.url)
    good = odd.answers.pop("/schemas/ids/7")
    assert eyes.holds(LARGE, paid(2_000)) == [False]
    odd.answers["/schemas/ids/7"] = good
    assert eyes.holds(LARGE, paid(2_000)) == [True]


def test_a_registry_that_hangs_is_waited_for_once_and_shortly(
    odd: OddRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemas, "WAIT_SECONDS", 1.1)

    def hang(_request: BaseHTTPRequestHandler) -> None:
        odd.over.wait()

    odd.answers["/schemas/ids/7"] = hang
    eyes, began = Eyes(odd.url), time.monotonic()
    for of in (PAID, NEWER):  # it hangs, so it isn't asked for another one either
        assert eyes.holds(LARGE, paid(2_000, of)) == [False]
    assert time.monotonic() - began < 30
    assert asked(odd) == [asked(odd)[0]]
    assert eyes.undecoded == 2
    odd.over.set()


def test_bytes_that_look_like_frames_are_not_all_asked_for(odd: OddRegistry) -> None:
    eyes = Eyes(odd.url)
    numbers = [wire.Frame(id=1_000 + number).write() + b"xyz" for number in range(2_000)]
    assert not any(eyes.holds(LARGE, *numbers))
    for start in range(0, 600, 50):
        eyes.holds(LARGE, *numbers[start : start + 50])
    assert len(asked(odd)) == 0
    assert threading.active_count() < 20
