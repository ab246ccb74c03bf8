"""A certificate says which part of its captures was sent, so that a part is never taken for the whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from recorder.capture.selection import Selection
from recorder.replaying.course import Course, choices
from recorder.replaying.figures import differences
from recorder.replaying.options import Options, Point
from recorder.replaying.routes import plan_routes
from recorder.replaying.selected import selected
from recorder.replaying.summary import certificate_facts, drop_rows
from recorder.replaying.survey import survey
from recorder.replaying.tally import Failure
from recorder.window import Window
from tests.builders import T0, make_capture, record
from tests.replaying.certificates import a_certificate


def _selected(root: Path, options: Options) -> str | None:
    rows = [record(f"orders.{n % 2}", n % 3, T0 + n * 1_000, f"k{n}", "v") for n in range(12)]
    capture = make_capture(root, rows, clean=True)
    routes = plan_routes([capture], options)
    found = survey(routes, options, start_ms=T0)
    certificate = msgspec.structs.replace(
        a_certificate(),
        planned=found.records,
        topics=tuple(msgspec.structs.replace(a_certificate().topics[0], topic=topic.name) for topic in routes.topics),
        course=Course(choices=choices(options, found, [capture])),
    )
    return selected(certificate)


def test_all_of_a_capture_needs_no_words(tmp_path: Path) -> None:
    assert _selected(tmp_path / "c", Options()) is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options(selection=Selection(topics=("orders.1",))), "6 of the 12 records …: 1 of 2 topics (orders.1)"),
        (Options(excludes=[r".*0"]), "6 of the 12 records …: 1 of 2 topics (orders.1)"),
        (Options(selection=Selection(partitions=(2,))), "4 of the 12 records …: partitions 2"),
        (Options(selection=Selection(keys=(b"k1", b"\xff"))), r"1 of the 12 records …: keys k1, \xff"),
        (Options(start_offsets={("orders.0", 0): 1}), "11 of the 12 records …: orders.0/0 from offset 1"),
        (
            Options(selection=Selection(window=Window(T0 + 3_000, None))),
            "9 of the 12 records …: timestamps from 2026-11-03T14:02:03.000Z",
        ),
        (
            Options(start=Point(2_000, relative=True), duration_ms=5_000),
            "5 of the 12 records …: the timeline from 2026-11-03T14:02:02.000Z to 2026-11-03T14:02:07.000Z",
        ),
    ],
)  # fmt: skip
def test_a_part_is_told_by_its_size_and_by_what_chose_it(tmp_path: Path, options: Options, told: str) -> None:
    assert _selected(tmp_path / "c", options) == told.replace("…", "that the capture holds")


def test_a_sample_says_so_even_when_it_happens_to_hold_all(tmp_path: Path) -> None:
    told = _selected(tmp_path / "c", Options(sample=0.999999))
    assert told is not None and told.endswith("99.9999% of all keys")


def test_the_summary_says_it_beside_the_records_and_old_certificates_say_nothing() -> None:
    old = a_certificate()
    assert "selected" not in certificate_facts(old)
    part = msgspec.structs.replace(old.course.choices, held=5_000, topics_held=1)
    part = msgspec.structs.replace(old, course=Course(choices=part))
    facts = certificate_facts(part)
    assert facts["selected"] == "1,000 of the 5,000 records that the capture holds"
    assert list(facts).index("selected") == list(facts).index("records") - 1


def test_a_cap_is_told_with_what_it_did() -> None:
    plain = a_certificate()
    capped = msgspec.structs.replace(plain.course.choices, records_per_second=50.0)
    held = msgspec.structs.replace(plain, course=Course(choices=capped, capped=49))
    assert certificate_facts(held)["began"].endswith("at most 50 records/s (which held records back)")
    free = msgspec.structs.replace(plain, course=Course(choices=capped))
    assert certificate_facts(free)["began"].endswith("at most 50 records/s (which held nothing back)")
    offsets = msgspec.structs.replace(capped, time_basis="offset")
    by_offsets = msgspec.structs.replace(plain, rate=None, course=Course(choices=offsets))
    assert "by offsets, without a rhythm, at most 50 records/s" in certificate_facts(by_offsets)["began"]


def test_topics_that_got_another_name_are_told() -> None:
    assert certificate_facts(a_certificate())["renamed"] == "orders to orders2"
    assert "renamed" not in certificate_facts(msgspec.structs.replace(a_certificate(), remap={}))


def test_dropped_records_are_named() -> None:
    drop = Failure(topic="orders", partition=2, offset=7, error="120 ms late")
    course = Course(dropped=1, drops=(drop,))
    columns, rows = drop_rows(msgspec.structs.replace(a_certificate(), course=course))
    assert (columns, rows) == (("dropped", "topic", "partition", "offset"), [["120 ms late", "orders", 2, 7]])


def test_two_replays_that_are_not_of_the_same_are_told_apart() -> None:
    one = a_certificate()
    assert differences(one, one) == []
    other = msgspec.structs.replace(one, rate=None, capture_id="d" * 32, ended_by="interrupt")
    assert differences(one, other) == [
        "capture incident (cccccccccccc) and incident (dddddddddddd)",
        "rate 1 and top speed",
        "end end and interrupt",
    ]
