"""Where schemas belong in another registry: under subjects that follow the topics, in the order of their versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.capture.reader import Capture, open_capture
from recorder.errors import CaptureError, UsageError
from recorder.payloads.naming import Counts
from recorder.payloads.registering import in_order, parse_subjects, same_text
from recorder.payloads.schemas import Reference, Schema, SubjectVersion
from recorder.payloads.snapshot import joint_book, replace_schemas
from recorder.replaying.options import Options, Point
from recorder.replaying.routes import plan_routes
from recorder.replaying.schema_ids import books_of, target_subjects, warn_of_ids
from recorder.replaying.survey import survey
from tests.builders import T0, make_capture, record


def under(*subjects: str, text: str = '"int"', id: int = 1, references: tuple[Reference, ...] = ()) -> Schema:
    versions = tuple(SubjectVersion(subject, number + 1) for number, subject in enumerate(subjects))
    return Schema("avro", text, id=id, subjects=versions, references=references)


@pytest.mark.parametrize(
    ("subjects", "there"),
    [
        (["orders-value", "other-value", "acme.Order"], ["ci-value"]),  # TopicNameStrategy
        (["orders-acme.Order", "orders-eu-value"], ["ci-acme.Order"]),  # TopicRecordNameStrategy
        (["acme.Order", "other-value"], ["acme.Order"]),  # RecordNameStrategy
        (["orders-eu-value"], ["ci-value"]),  # of another topic
        ([], ["ci-value"]),
    ],
)
def test_subjects_follow_the_topic(subjects: list[str], there: list[str]) -> None:
    assert target_subjects(under(*subjects), "orders", "ci", "value", {}) == there


def test_a_mapped_subject_goes_before_the_topic() -> None:
    schema = under("orders-value", "acme.Order")
    assert target_subjects(schema, "orders", "ci", "value", {"orders-value": "x"}) == ["x"]
    assert target_subjects(under(), "orders", "ci", "key", {"orders-key": "y"}) == ["y"]


def test_versions_of_a_subject_come_in_their_order() -> None:
    new = Schema("avro", "2", id=3, subjects=(SubjectVersion("s", 2),))
    old = Schema("avro", "1", id=9, subjects=(SubjectVersion("s", 1),))
    assert in_order([("new", new, "s"), ("old", old, "s")]) == [("old", "s"), ("new", "s")]


def test_spelling_is_more_than_white_space() -> None:
    assert same_text(Schema("avro", '{"type": "int"}'), '{ "type":"int" }')
    assert not same_text(Schema("avro", '{"type": "int"}'), '{"type": "int", "doc": "x"}')
    assert same_text(Schema("protobuf", "message A {\n}"), "message A { }")
    assert not same_text(Schema("json", "{"), "{}")


@pytest.mark.parametrize("text", ["a=b", ":=b", "a:=", "a"])
def test_what_is_no_mapping_of_subjects_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="recorded:=target"):
        parse_subjects([text])
    with pytest.raises(UsageError, match="mapped twice"):
        parse_subjects(["a:=b", "a:=c"])


def capture_with(root: Path, *schemas: Schema, value: bytes = b"\0\0\0\0\x01x") -> Capture:
    replace_schemas(make_capture(root, [record("orders", 0, T0 + at, "k", value) for at in range(10)]), schemas, {})
    return open_capture(root)


def test_one_schema_under_two_subjects_stays_under_both_in_a_joint_book(tmp_path: Path) -> None:
    one = capture_with(tmp_path / "a", under("money"), under("price"))
    book = joint_book([one, one], "meet")
    assert book.version("money", 1) and book.version("price", 1) and len(book) == 2
    other = capture_with(tmp_path / "b", under("money", text='"string"'))
    with pytest.raises(CaptureError, match="different schema registries and can't meet"):
        joint_book([one, other], "meet")


def test_without_a_target_registry_ids_are_warned_of_where_records_that_go_name_schemas(tmp_path: Path) -> None:
    capture = capture_with(tmp_path / "c", under("orders-value"))
    for first, severities in ((5, ["warning"]), (10, [])):
        options = Options(start=Point(T0 + first))
        routes, counts = plan_routes([capture], options), Counts()
        survey(routes, options, start_ms=T0, schemas=counts)
        assert counts.records[0, "value", 1] == 10 - first
        assert [finding.severity for finding in warn_of_ids(routes, books_of(routes), counts)] == severities
