"""Trap 22: a quota that would hold the replay back is told before it begins."""

from __future__ import annotations

import pytest

from recorder.kafka.quotas import ProducerQuota
from recorder.replaying.allowance import judge_quota
from recorder.replaying.options import Options
from recorder.replaying.survey import Survey, TopicSurvey

SURVEY = Survey({"orders": TopicSurvey(records=10_000, bytes=5_000_000)}, peak_bytes_per_second=1_000_000)
FREE = Options()
OF = "--entity-type clients --entity-name me"


def told(limit: float | None, options: Options = FREE, brokers: int = 1) -> list[str]:
    return [finding.sentence() for finding in judge_quota(ProducerQuota(limit, OF), brokers, SURVEY, options)]


def test_a_quota_that_the_busiest_second_exceeds_is_told_with_the_rate_that_it_allows() -> None:
    (sentence,) = told(250_000, Options(rate=2.0))
    assert sentence == (
        "Its quota lets us write 250,000 bytes a second to each broker (--entity-type clients --entity-name me, "
        "producer_byte_rate), and the busiest second brings 1,000,000 before compression: records will be late. "
        "Raise it to 1,000,000 or more, or give --rate 0.5."
    )


@pytest.mark.parametrize("limit", [None, 1_000_000])
def test_one_that_suffices_is_not_worth_a_word(limit: float | None) -> None:
    assert told(limit) == []


def test_each_broker_has_its_own() -> None:
    assert "to 2 brokers" in told(400_000, brokers=2)[0]
    assert "only while it goes to all 3 brokers alike" in told(400_000, brokers=3)[0]


def test_top_speed_is_what_the_quota_leaves_of_it() -> None:
    assert (
        "top speed will be no more than that. Raise it, or give --mbps 4" in told(500_000, Options(top_speed=True))[0]
    )


@pytest.mark.parametrize("cap", [Options(megabits_per_second=3.0), Options(top_speed=True, records_per_second=900)])
def test_what_caps_hold_back_is_not_needed(cap: Options) -> None:
    assert told(500_000, cap) == []


def test_an_unknown_quota_is_called_unknown_once() -> None:
    (finding,) = judge_quota(ProducerQuota(None, unknown="no broker answers"), 1, SURVEY, Options())
    assert finding.what.endswith("hold the replay back is unknown: no broker answers")
