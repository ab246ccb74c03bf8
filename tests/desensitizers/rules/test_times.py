"""Rules that work on dates and times: date_shift and time_part."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desensitizers.errors import PolicyError
from tests.desensitizers.helpers import batch, policy, problems, scrub

SHIFT = "value: {t: {rule: date_shift, days: 10}}"
FORMS = [
    "2026-03-17",
    "2026-03-17T14:02:11Z",
    "2026-03-17T14:02:11.123456789+02:00",
    "2026-03-17 14:02",
    "20260317",
    "20260317T140211Z",
    "2026-03-17T14:02:11+01:00[Europe/Berlin]",
]


@pytest.mark.parametrize("text", FORMS)
def test_a_shifted_date_keeps_its_form_time_and_zone(text: str) -> None:
    [done] = scrub(SHIFT, {"t": text})
    compact = text[:8].isdigit()
    day = 8 if compact else 10
    assert done["t"][day:] == text[day:]
    assert len(done["t"]) == len(text)
    form = "%Y%m%d" if compact else "%Y-%m-%d"
    moved = datetime.strptime(done["t"][:day], form) - datetime.strptime(text[:day], form)
    assert timedelta(0) < abs(moved) <= timedelta(days=10)


_ANY = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1))
_LAST = datetime(2038, 1, 19, 3, 14, 7)
"""The last second that fits 32 bits: what was counted in so many may not come to need more."""


@given(_ANY.filter(lambda moment: not 0 <= (_LAST - moment).days <= 3650))
def test_numbers_in_every_unit_and_texts_move_by_the_same_days(moment: datetime) -> None:
    seconds = int(moment.replace(tzinfo=UTC).timestamp())
    day = seconds // 86_400
    [done] = scrub(
        "value: {text: &r {rule: date_shift}, ms: &ms {rule: date_shift, unit: ms}, s: {rule: date_shift, unit: s},"
        " d: {rule: date_shift, unit: days}}",
        {"text": f"{moment:%Y-%m-%d}", "ms": seconds * 1000 + 7, "s": seconds, "d": day},
    )
    by = done["d"] - day
    assert by
    assert done["s"] == seconds + by * 86_400
    assert done["ms"] == (seconds + by * 86_400) * 1000 + 7
    assert done["text"] == f"{moment.date() + timedelta(days=by):%Y-%m-%d}"


@pytest.mark.parametrize("number", [1_763_711_234, 1_763_711_234_567, 1_763_711_234_567_891, 1_763_711_234_567_891_234])
def test_the_unit_of_a_number_is_seen_by_its_size(number: int) -> None:
    [done] = scrub(SHIFT, {"t": number})
    per_day = 86_400 * 10 ** (len(str(number)) - 10)
    assert (done["t"] - number) % per_day == 0
    assert 0 < abs(done["t"] - number) <= 10 * per_day


def test_dates_in_another_form_are_read_by_that_form_only() -> None:
    rule = 'value: {t: {rule: date_shift, format: "%d.%m.%Y"}}'
    [done] = scrub(rule, {"t": "31.12.1999"})
    assert datetime.strptime(done["t"], "%d.%m.%Y") != datetime(1999, 12, 31)
    assert "is not a date" in problems(rule, batch([b'{"t":"1999-12-31"}']))


def test_a_form_of_dates_is_told_from_what_a_text_holds() -> None:
    [done] = scrub("value: {t: {format: base64, rule: date_shift}}", {"t": base64.b64encode(b"1999-12-31").decode()})
    assert date.fromisoformat(base64.b64decode(done["t"]).decode()) != date(1999, 12, 31)
    whole = policy('value: {rule: date_shift, format: "%d.%m.%Y"}').plan().for_topic("t")
    shifted = whole.apply(batch([b"31.12.1999"]))
    assert shifted.batch.column("value")[0].as_py() != b"31.12.1999"


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "0000-01-01", ""])
def test_what_is_no_date_fails_and_empty_stays(text: str) -> None:
    rule = "value: {t: {rule: date_shift, days: 30}}"
    given = batch([b'{"t":"%s"}' % text.encode()])
    if text:
        assert "is not a" in problems(rule, given)
    else:
        assert scrub(rule, {"t": ""}) == [{"t": ""}]


@pytest.mark.parametrize(
    ("keep", "text", "number"),
    [
        ("year", "2026-01-01T00:00:00.000+02:00", 1_767_225_600_000),
        ("month", "2026-03-01T00:00:00.000+02:00", 1_772_323_200_000),
        ("day", "2026-03-17T00:00:00.000+02:00", 1_773_705_600_000),
        ("hour", "2026-03-17T14:00:00.000+02:00", 1_773_756_000_000),
        ("minute", "2026-03-17T14:02:00.000+02:00", 1_773_756_120_000),
    ],
)
def test_time_part_keeps_the_larger_parts(keep: str, text: str, number: int) -> None:
    original = {"t": "2026-03-17T14:02:11.250+02:00", "n": 1_773_756_131_250}
    rule = f"{{rule: time_part, keep: {keep}}}"
    assert scrub(f"value: {{t: {rule}, n: {rule}}}", original) == [{"t": text, "n": number}]


def test_time_part_works_before_1970_and_on_days() -> None:
    rule = "{rule: time_part, keep: year, unit: days}"
    assert scrub(f"value: {{n: {rule}}}", {"n": -1}, {"n": 365}) == [{"n": -365}, {"n": 365}]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("{rule: date_shift, days: 0}", "1 to 36525"),
        ("{rule: date_shift, unit: weeks}", "Known are: days"),
        ('{rule: date_shift, format: "%d.%m"}', "needs %Y, %m and %d"),
        ('{rule: date_shift, format: "%Y-%m-%d %q"}', "not '%q'"),
        ("{rule: time_part, keep: week}", "Known are"),
        ("{rule: time_part}", "needs 'keep'"),
        ('{rule: date_shift, by: "a[*].b"}', "one field"),
        ("{rule: date_shift, type: boolean}", "can't work on a boolean"),
    ],
)
def test_what_can_not_work_is_refused_at_load(rule: str, says: str) -> None:
    with pytest.raises(PolicyError, match=r"test\.yaml:\d+: ") as caught:
        policy(f"value: {{t: {rule}}}")
    assert says in str(caught.value)


def test_all_dates_of_one_person_move_alike_and_those_of_another_otherwise() -> None:
    shift = "{rule: date_shift, days: 3000, by: customer.id, domain: id}"
    rows = [
        {"customer": {"id": person}, "born": f"19{year}-03-04", "at": f"2026-01-0{year % 7 + 1}T10:00:00Z"}
        for person, year in [(4711, 70), (4711, 84), ("004711", 91), (815, 70), (816, 70)]
    ]
    done = scrub(f"value: {{customer.id: {{domain: id}}, born: {shift}, at: {shift}}}", *rows)
    moved = [
        {(datetime.fromisoformat(after[name]) - datetime.fromisoformat(before[name])).days for name in ("born", "at")}
        for before, after in zip(rows, done, strict=True)
    ]
    assert all(len(days) == 1 for days in moved)
    assert moved[0] == moved[1] == moved[2]
    assert len({min(days) for days in moved[2:]}) == 3


def test_a_date_without_the_person_it_belongs_to_fails() -> None:
    rule = "value: {id: {domain: id}, born: {rule: date_shift, by: id}}"
    assert "born" in problems(rule, batch([b'{"born":"1970-01-01"}']))
