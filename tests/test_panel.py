"""Rates, gains and doses: recomputed here by other means from the printed figures."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from evaluation.base.errors import ModelError
from evaluation.survey import panel

Z = 1.959963984540054
NATIONAL = (2003, 2007, 2010, 2015, 2018, 2020, 2022, 2023, 2024, 2025)


def wilson(percent: float, n: float, deff: float) -> tuple[float, float]:
    """Roots of (p - x)² = z² x (1 - x) / m on the effective sample m, in percent."""
    p, m = percent / 100, n / deff
    a, b, c = 1 + Z**2 / m, -(2 * p + Z**2 / m), p**2
    root = math.sqrt(b**2 - 4 * a * c)
    return 100 * (-b - root) / (2 * a), 100 * (-b + root) / (2 * a)


def variance(percent: float, n: float, deff: float = 2.0) -> float:
    return deff * percent * (100 - percent) / n


@pytest.fixture(scope="module")
def rates(dataset) -> pd.DataFrame:
    return panel.rates(dataset)


@pytest.fixture(scope="module")
def gains(dataset, rates) -> pd.DataFrame:
    return panel.gains(rates, dataset.waves)


def changed(dataset, value: float, **where):
    """A copy of the package in which the one fact that fits ``where`` has another value."""
    facts = dataset.facts.copy()
    fits = [(facts[name] == wanted).fillna(False).astype(bool) for name, wanted in where.items()]
    rows = np.logical_and.reduce(fits)
    assert rows.sum() == 1, where
    facts.loc[rows, "value"] = value
    return dataclasses.replace(dataset, facts=facts)


def without(dataset, indicator: str, region: str, years: set[int]):
    facts = dataset.facts
    rows = (facts["indicator"] == indicator) & (facts["region_code"] == region)
    rows &= facts["year"].isin(years)
    assert rows.sum() == len(years)
    return dataclasses.replace(dataset, facts=facts[~rows])


def window(region: str, start: int, end: int) -> pd.DataFrame:
    return pd.DataFrame({"region_code": [region], "wave_from": [start], "wave_to": [end]})


def dose(dataset, name: str, keys: pd.DataFrame) -> float:
    return float(panel.attach(dataset, keys)[f"dose_{name}"].iloc[0])


def test_inner_mongolia_has_its_five_printed_rates(rates):
    own = rates[(rates["region_code"] == "150000") & (rates["wave"] >= 2010)]
    assert list(zip(own["wave"], own["rate"], strict=True)) == [
        (2010, 3.04),
        (2015, 5.14),
        (2018, 7.63),
        (2020, 8.73),
        (2022, 10.04),
    ]


def test_interval_of_2022_is_wilson_on_the_effective_sample(rates):
    row = rates[(rates["region_code"] == "150000") & (rates["wave"] == 2022)].iloc[0]
    assert row["n"] == 9300
    assert row["n_assumed"]
    assert (row["low"], row["high"]) == pytest.approx(wilson(10.04, 9300, 2), rel=1e-12)
    assert row["variance"] == pytest.approx(variance(10.04, 9300), rel=1e-12)
    assert row["se"] == pytest.approx(math.sqrt(row["variance"]))


def test_every_interval_follows_from_its_rate_and_sample(rates):
    known = rates[rates["n"].notna()]
    expected = [wilson(p, n, 2) for p, n in zip(known["rate"], known["n"], strict=True)]
    np.testing.assert_allclose(known[["low", "high"]], expected, rtol=1e-10)
    assert (known["low"] < known["rate"]).all()
    assert (known["rate"] < known["high"]).all()


def test_published_samples_come_before_assumptions(rates):
    known = rates.set_index(["region_code", "wave"])
    for key, n in {
        ("410000", 2020): 11400,
        ("500000", 2018): 18835,
        ("500000", 2020): 23650,
        ("100000", 2023): 289000,
    }.items():
        assert known.at[key, "n"] == n
        assert not known.at[key, "n_assumed"]
    assert known.at[("500000", 2022), "n"] == 9300
    assert known.at[("500000", 2022), "n_assumed"]


def test_a_city_is_not_given_the_sample_of_a_province(rates):
    city = rates[(rates["region_code"] == "440100") & (rates["wave"] == 2020)].iloc[0]
    assert (city["n"], city["n_assumed"]) == (740, True)


def test_a_rate_without_a_sample_has_no_error(rates):
    bare = rates[rates["n"].isna()]
    assert len(bare)
    assert bare[["variance", "se", "low", "high"]].isna().all(axis=None)


def test_figures_in_doubt_never_become_rates(rates):
    used = rates.set_index("fact_id")
    # Ulanqab prints the regional values; Guangzhou 2017 used another question bank.
    for fact in ("F14918", "F14919", "F15006", "F15007", "F00042"):
        assert fact not in used.index
    assert rates[rates["region_code"] == "150900"].empty
    assert not ((rates["region_code"] == "440100") & (rates["wave"] == 2017)).any()
    assert set(rates["wave"]) <= set(NATIONAL)
    assert not rates.duplicated(["region_code", "wave"]).any()


def test_gain_of_2020_to_2022_adds_the_variances(gains):
    row = gains[(gains["region_code"] == "150000") & (gains["wave_to"] == 2022)].iloc[0]
    assert row["gain"] == pytest.approx(1.31)
    total = variance(8.73, 10000) + variance(10.04, 9300)
    assert row["se"] == pytest.approx(math.sqrt(total))
    assert row["annual"] == pytest.approx(0.655)
    assert row["annual_variance"] == pytest.approx(total / 4)
    half = Z * math.sqrt(total)
    assert (row["low"], row["high"]) == pytest.approx((1.31 - half, 1.31 + half))
    assert (row["fact_from"], row["fact_to"]) == ("F00046", "F14564")
    assert row["opening"] == 8.73


def test_gains_join_neighbouring_observed_waves(rates, gains):
    known = rates[rates["variance"].notna()]
    counts = known.groupby("region_code").size()
    assert len(gains) == (counts - 1).sum()
    # Henan published no 2018 value: its gain runs over five years.
    henan = gains[gains["region_code"] == "410000"]
    assert (2015, 2020, 5) in set(henan[["wave_from", "wave_to", "years"]].itertuples(index=False))
    waves = known.groupby("region_code")["wave"].agg(set)
    for _, row in gains.iterrows():
        between = set(range(row["wave_from"] + 1, row["wave_to"]))
        assert not between & waves[row["region_code"]]


def test_gains_across_a_change_of_instrument_are_flagged(gains):
    # The questionnaire changed before the surveys of 2020 and of 2022.
    expected = {
        "2010-2015": False,
        "2015-2018": False,
        "2015-2020": True,
        "2018-2020": True,
        "2020-2022": True,
        "2020-2023": True,
        "2022-2023": False,
        "2023-2024": False,
        "2023-2025": False,
    }
    found = gains.groupby("interval")["crosses_break"].agg(["min", "max"])
    assert len(set(found.index) & set(expected)) >= 6
    for interval in found.index:
        if interval in expected:
            assert tuple(found.loc[interval]) == (expected[interval],) * 2, interval


def test_halving_the_sample_doubles_the_variance(dataset, rates):
    half = panel.rates(dataset, panel.Assumed(sample_factor=0.5))
    assumed = rates["n_assumed"] & rates["n"].notna()
    np.testing.assert_allclose(
        half.loc[assumed, "variance"], 2 * rates.loc[assumed, "variance"], rtol=1e-12
    )
    published = ~rates["n_assumed"]
    assert published.sum() == 9
    np.testing.assert_array_equal(half.loc[published, "variance"], rates.loc[published, "variance"])
    np.testing.assert_array_equal(half["rate"], rates["rate"])


def test_the_design_effect_can_be_varied(dataset, rates):
    plain = panel.rates(dataset, panel.Assumed(design_effect=1.0))
    known = rates["n"].notna()
    np.testing.assert_allclose(
        rates.loc[known, "variance"], 2 * plain.loc[known, "variance"], rtol=1e-12
    )


# Printed figures: museums, residents (10,000), visitors, R&D full-time equivalents, yuan a head.
BY_HAND = {
    ("110000", 2018, "facility"): 82 / 21.92,
    ("150000", 2018, "facility"): 109 / 24.22,
    ("110000", 2018, "activity"): 23_748_000 / 21_920_000,
    ("150000", 2018, "activity"): 11_764_100 / 24_220_000,
    ("110000", 2023, "personnel"): 402_152 / 2186,
    ("150000", 2023, "personnel"): 40_446 / 2396,
    ("110000", 2023, "fund"): 2387.5,
    ("150000", 2023, "fund"): 312.9,
}


@pytest.mark.parametrize(("region", "year", "name"), BY_HAND)
def test_per_capita_values_by_hand(dataset, region, year, name):
    definition = dataset.doses.set_index("dose", drop=False).loc[name]
    values = panel.per_capita(dataset, definition)
    row = values[(values["region_code"] == region) & (values["year"] == year)]
    assert row["value"].tolist() == pytest.approx([BY_HAND[region, year, name]], rel=1e-12)
    assert (row["base_fact"].iloc[0] == "") == (name == "fund")


def test_log_doses_count_doublings(study):
    for name in study.dataset.doses["dose"]:
        logs, levels = study.provinces[f"log2_{name}"], study.provinces[f"dose_{name}"]
        assert levels.notna().any()
        np.testing.assert_allclose(2.0**logs, levels, rtol=1e-12)


def test_a_stock_is_read_when_the_gain_opens_and_never_later(dataset):
    keys = window("150000", 2015, 2018)
    opening = dose(dataset, "facility", keys)
    assert opening == pytest.approx(84 / 24.40)
    where = {"region_code": "150000", "indicator": "museum_count"}
    for year in (2016, 2017, 2018):
        later = changed(dataset, 9999.0, year=year, **where)
        assert dose(later, "facility", keys) == opening
    moved = changed(dataset, 168.0, year=2015, **where)
    assert dose(moved, "facility", keys) == pytest.approx(2 * opening)


def test_an_opening_stock_may_be_two_years_old_and_no_older(dataset):
    where = ("museum_count", "150000")
    keys = window("150000", 2015, 2018)
    assert dose(without(dataset, *where, {2015}), "facility", keys) == pytest.approx(75 / 24.49)
    two = without(dataset, *where, {2014, 2015})
    assert dose(two, "facility", keys) == pytest.approx(72 / 24.55)
    assert math.isnan(dose(without(dataset, *where, {2013, 2014, 2015}), "facility", keys))


def test_a_flow_is_the_mean_inside_the_interval(dataset):
    keys = window("150000", 2018, 2020)
    mean = dose(dataset, "fund", keys)
    assert mean == pytest.approx((118.0 + 134.7) / 2)
    where = {"region_code": "150000", "indicator": "fiscal_science_tech_per_capita"}
    for year in (2018, 2021):
        outside = changed(dataset, 9999.0, year=year, **where)
        assert dose(outside, "fund", keys) == mean
    for year, other in ((2019, 134.7), (2020, 118.0)):
        inside = changed(dataset, 300.0, year=year, **where)
        assert dose(inside, "fund", keys) == pytest.approx((300.0 + other) / 2)


def test_a_flow_needs_half_of_the_years(dataset):
    where = ("fiscal_science_tech_per_capita", "150000")
    three, two = window("150000", 2015, 2018), window("150000", 2018, 2020)
    one_missing = without(dataset, *where, {2017})
    assert dose(one_missing, "fund", three) == pytest.approx((132.9 + 107.6) / 2)
    assert math.isnan(dose(without(dataset, *where, {2016, 2017}), "fund", three))
    assert dose(without(dataset, *where, {2019}), "fund", two) == pytest.approx(134.7)


def test_covariates_are_read_at_the_opening(dataset):
    keys = window("150000", 2018, 2020)
    row = panel.attach(dataset, keys).iloc[0]
    assert row["log2_gdp_per_capita"] == pytest.approx(math.log2(66953))
    assert row["college_share"] == 19.33
    where = {"region_code": "150000", "indicator": "gdp_per_capita_derived"}
    later = changed(dataset, 1.0, year=2020, **where)
    assert panel.attach(later, keys).iloc[0]["log2_gdp_per_capita"] == row["log2_gdp_per_capita"]


def test_levels_are_explained_by_earlier_doses_only(dataset, rates):
    own = rates[(rates["region_code"] == "150000") & (rates["wave"] == 2018)]
    row = panel.level_panel(dataset, own).iloc[0]
    assert row["rate"] == 7.63
    assert row["dose_facility"] == pytest.approx(93 / 24.33), "the year before the survey"
    assert row["dose_fund"] == pytest.approx((146.4 + 132.9 + 138.4) / 3), "the three before it"
    for indicator in ("museum_count", "fiscal_science_tech_per_capita"):
        later = changed(dataset, 9999.0, region_code="150000", indicator=indicator, year=2018)
        again = panel.level_panel(later, own).iloc[0]
        names = ["dose_facility", "dose_fund"]
        assert again[names].tolist() == row[names].tolist()


def test_a_dose_of_zero_is_refused_with_its_name(dataset):
    where = {"region_code": "150000", "indicator": "fiscal_science_tech_per_capita"}
    none = changed(changed(dataset, 0.0, year=2019, **where), 0.0, year=2020, **where)
    with pytest.raises(ModelError, match="Dose 'fund' has values of 0 or less"):
        panel.attach(none, window("150000", 2018, 2020))


def test_inputs_stay_as_they_were(dataset, rates, gains):
    kept = {name: getattr(dataset, name).copy() for name in ("facts", "doses", "assumptions")}
    table, keys = rates.copy(), gains.head(5).copy()
    panel.rates(dataset, panel.Assumed(1.5, 0.5))
    panel.gains(rates, dataset.waves)
    panel.level_panel(dataset, rates[rates["region_code"] == "150000"])
    panel.attach(dataset, keys)
    for name, before in kept.items():
        pd.testing.assert_frame_equal(getattr(dataset, name), before)
    pd.testing.assert_frame_equal(rates, table)
    pd.testing.assert_frame_equal(keys, gains.head(5))


def test_a_mean_flow_never_averages_two_definitions(dataset):
    # Beijing's museum visits were probably counted anew from 2017 on.
    keys = window("110000", 2015, 2018)
    facts = dataset.facts[dataset.facts["region_code"] == "110000"]
    table = facts.pivot_table(index="year", columns="indicator", values="value")
    visits = table["museum_visitors"] / (table["population_resident"] * 1e4)
    row = panel.attach(dataset, keys).iloc[0]
    assert row["dose_activity"] == pytest.approx(visits.loc[[2017, 2018]].mean())
    assert row["series_activity"] == "museum_visitors@from_2017"
    assert math.isnan(panel.attach(dataset, window("110000", 2015, 2020)).iloc[0]["dose_activity"])


def test_within_a_region_the_levels_keep_one_definition_of_a_dose(dataset):
    levels = panel.level_panel(dataset, panel.rates(dataset))
    for name in dataset.doses["dose"]:
        known = levels[levels[f"log2_{name}"].notna()]
        assert (known.groupby("region_code")[f"series_{name}"].nunique() == 1).all(), name
    beijing = levels[(levels["region_code"] == "110000") & levels["log2_facility"].notna()]
    assert beijing["series_facility"].nunique() == 1
