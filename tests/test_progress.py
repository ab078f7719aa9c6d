"""Verdicts on targets: constructed rates for every status, and the cases a reader knows."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from evaluation.survey.standing import assess

TODAY = 2026
Z = 1.959963984540054


def goal(value: float, year: int) -> pd.Series:
    row = {"region_code": "x", "year": year, "value": value, "fact_id": "F", "flagged": False}
    return pd.Series(row)


def rates(*rows: tuple[int, float, float]) -> pd.DataFrame:
    """Rates from ``(wave, rate, half-width)``."""
    frame = pd.DataFrame(rows, columns=["wave", "rate", "half"])
    frame["variance"] = (frame["half"] / Z) ** 2
    return frame.assign(low=frame["rate"] - frame["half"], high=frame["rate"] + frame["half"])


@pytest.mark.parametrize(
    ("rate", "status"),
    [(12.0, "met"), (11.0, "met"), (10.9, "undecided"), (9.1, "undecided"), (8.9, "missed")],
)
def test_a_due_target_is_judged_by_the_whole_interval(rate, status):
    item = assess(goal(10.0, 2020), rates((2018, 5.0, 1.0), (2020, rate, 1.0)), TODAY)
    assert item.status == status
    assert item.latest["wave"] == 2020
    assert math.isnan(item.required)


def test_the_first_survey_of_the_due_year_or_later_decides():
    later = rates((2018, 5.0, 0.1), (2022, 9.0, 0.1), (2023, 12.0, 0.1))
    item = assess(goal(10.0, 2020), later, TODAY)
    assert (item.status, item.latest["wave"]) == ("missed", 2022)


@pytest.mark.parametrize(
    ("target", "status"),
    [(13.0, "on_course"), (14.5, "undecided"), (20.0, "off_course")],
)
def test_before_the_due_year_the_observed_pace_is_set_against_the_required(target, status):
    # From 8 to 10 in two years: 1 a year, interval 1 ± sqrt(0.5² + 0.5²) / 2 = 0.65 to 1.35.
    found = rates((2021, 8.0, 0.5), (2023, 10.0, 0.5))
    item = assess(goal(target, 2028), found, TODAY)
    assert item.status == status
    assert item.required == pytest.approx((target - 10.0) / 5)
    assert item.observed == pytest.approx(1.0)
    half = math.sqrt(0.5) / 2
    assert (item.observed_low, item.observed_high) == pytest.approx((1 - half, 1 + half))


def test_a_target_already_reached_says_so_before_it_is_due():
    item = assess(goal(9.0, 2030), rates((2020, 8.0, 0.5), (2023, 10.0, 0.5)), TODAY)
    assert item.status == "met"


def test_a_rate_above_a_later_target_is_not_enough():
    item = assess(goal(9.8, 2030), rates((2020, 9.5, 0.5), (2023, 10.0, 0.5)), TODAY)
    assert item.status != "met"


def test_one_survey_gives_no_pace():
    item = assess(goal(12.0, 2030), rates((2023, 10.0, 0.5)), TODAY)
    assert item.status == "undecided"
    assert math.isnan(item.observed)
    assert item.required == pytest.approx(2 / 7)


@pytest.mark.parametrize("waves", [((2020, 9.0, 0.5),), ((2018, 8.0, 0.5), (2020, 9.0, 0.5))])
def test_a_due_target_without_a_later_survey_is_not_surveyed(waves):
    item = assess(goal(15.0, 2025), rates(*waves), TODAY)
    assert item.status == "not_surveyed"
    assert item.required == pytest.approx((15.0 - 9.0) / 5)


def test_in_its_due_year_a_target_is_still_open():
    found = rates((2020, 8.0, 0.5), (2023, 10.0, 0.5))
    assert assess(goal(15.0, 2025), found, 2025).status == "off_course"
    assert assess(goal(15.0, 2025), found, 2026).status == "not_surveyed"


def test_without_a_usable_rate_there_is_no_verdict():
    bare = rates((2020, 9.0, math.nan))
    for found in (bare, bare.iloc[:0]):
        item = assess(goal(15.0, 2025), found, TODAY)
        assert item.status == "no_survey"
        assert item.latest is None


def test_a_wider_confidence_widens_the_observed_pace():
    found = rates((2021, 8.0, 0.5), (2023, 10.0, 0.5))
    wide, narrow = (assess(goal(12.5, 2028), found, TODAY, level) for level in (0.99, 0.5))
    assert wide.observed_low < narrow.observed_low
    assert narrow.observed_high < wide.observed_high


def verdict(study, code: str, year: int, today: int = TODAY):
    goals = study.targets[study.targets["region_code"] == code].set_index("year", drop=False)
    return assess(goals.loc[year], study.rates[study.rates["region_code"] == code], today)


def test_a_target_known_from_a_weak_source_alone_gets_no_verdict(study):
    item = verdict(study, "150000", 2020)
    assert (item.target["value"], item.status) == (10.0, "flagged")
    assert item.latest["rate"] == 10.04


def test_the_nation_met_its_target_of_2025(study):
    item = verdict(study, "100000", 2025)
    assert (item.target["value"], item.status) == (15.0, "met")
    assert (item.latest["wave"], item.latest["rate"]) == (2025, 16.74)


def test_hohhot_has_a_target_and_no_survey(study):
    item = verdict(study, "150100", 2025)
    assert (item.target["value"], item.status) == (15.0, "no_survey")


def test_anhui_is_judged_by_the_raised_target(study):
    assert verdict(study, "340000", 2025).target["value"] == 16.0


def test_every_target_gets_a_known_verdict(study):
    known = {
        "met", "missed", "undecided", "on_course", "off_course", "not_surveyed", "no_survey",
        "flagged",
    }  # fmt: skip
    found = set()
    for _, row in study.targets.iterrows():
        own = study.rates[study.rates["region_code"] == row["region_code"]]
        item = assess(row, own, TODAY)
        found.add(item.status)
        assert (item.latest is None) == (item.status == "no_survey")
    assert found <= known
    assert len(found) >= 4
