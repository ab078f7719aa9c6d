"""Peers, percentiles with ties, comparable years, growth within one series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.report import open_report
from evaluation.report.level import position
from evaluation.survey.panel import per_capita
from evaluation.survey.standing import growth, latest_common_year, nearest, percentile, profile_of

ONE = pd.Series("band", index=list("abcd"))


def test_nearest_by_standardised_distance():
    # Unstandardised, income alone would count and d would be the nearest.
    profile = pd.DataFrame(
        {"income": [1000.0, 1100.0, 3000.0, 1000.0], "share": [1.0, 1.1, 1.0, 9.0]},
        index=["a", "b", "c", "d"],
    )
    assert list(nearest(profile, "a", ONE, 9.0, 3).index) == ["b", "d", "c"]
    assert list(nearest(profile, "a", ONE, 9.0, 1).index) == ["b"]
    rescaled = profile.assign(income=profile["income"] * 1e6 + 5)
    assert list(nearest(rescaled, "a", ONE, 9.0, 3).index) == ["b", "d", "c"]


def test_peers_are_of_the_own_band_and_none_where_none_is_near():
    profile = pd.DataFrame({"x": [0.0, 0.1, 1.0, 2.0, 9.0]}, index=list("abcde"))
    bands = pd.Series(["west", "east", "west", "west", "east"], index=list("abcde"))
    spread = profile["x"].std(ddof=0)
    found = nearest(profile, "a", bands, 2.5 / spread)
    assert found.to_dict() == pytest.approx({"c": 1 / spread, "d": 2 / spread})
    assert list(nearest(profile, "a", bands, 0.5 / spread).index) == ["b"]  # no own one is near
    assert nearest(profile, "e", bands, 1.0 / spread).empty


def test_nearest_agrees_with_a_second_computation(study):
    conditions = list(study.dataset.conditions.index)
    profile = profile_of(study.provinces, conditions).dropna()
    assert conditions == ["log2_gdp_per_capita", "college_share", "urban_share"]
    bands = study.dataset.regions.set_index("code")["band"]
    z = (profile - profile.mean()) / np.sqrt(((profile - profile.mean()) ** 2).mean())
    distance = {code: np.linalg.norm(z.loc[code] - z.loc["150000"]) / 3**0.5 for code in z.index}
    near = {c: d for c, d in distance.items() if c != "150000" and d <= 1 and bands[c] == "west"}
    found = nearest(profile, "150000", bands, 1.0)
    assert list(found.index) == sorted(near, key=near.get)[:5]
    assert found.to_dict() == pytest.approx({code: near[code] for code in found.index})


def test_a_region_without_a_profile_has_no_peers_and_is_nobodys_peer():
    profile = pd.DataFrame({"x": [1.0, 2.0, np.nan], "y": [1.0, 2.0, 3.0]}, index=list("abc"))
    assert nearest(profile, "c", ONE, 9.0).empty
    assert nearest(profile, "missing", ONE, 9.0).empty
    assert list(nearest(profile, "a", ONE, 9.0).index) == ["b"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_report_names_a_peer_that_is_far_or_passes_over_its_own_band(study, language):
    data = study.dataset
    bands, profile = (
        data.regions.set_index("code")["band"],
        profile_of(study.provinces, data.conditions.index),
    )
    z = (profile - profile.dropna().mean()) / profile.dropna().std(ddof=0)
    alone = []
    for code in data.model_regions:
        page = open_report(study, code, language, date="2026-03-01")
        own = page.rates_of(code)
        text = " ".join(str(block) for block in position(page, own)["peers"])
        named = [
            key.split(".")[2] for key in page.writer.computed if key.startswith(f"peer.{code}.")
        ]
        near = np.sqrt(((z - z.loc[code]) ** 2).mean(axis=1)).drop(code) if code in z.index else []
        for other in named:
            assert near[other] <= 1.0 + 1e-9, (code, other)
        if named and (near[bands.reindex(near.index) == bands[code]] <= 1).any():
            assert {bands[other] for other in named} == {bands[code]}, code
        if code in z.index and len(own) and not named:
            alone.append(code)
            assert {"zh": "足够接近", "en": "near enough"}[language] in text, code
    assert "110000" in alone and "150000" not in alone


def test_the_profile_is_the_latest_one():
    rows = pd.DataFrame(
        {"region_code": ["a", "a"], "wave_from": [2020, 2015]}
        | {name: [2.0, 1.0] for name in ("income", "cities")}
    )
    assert profile_of(rows, ["income", "cities"]).loc["a"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("own", "expected"), [(5.0, 100.0), (0.0, 0.0), (2.0, 50.0), (3.0, 75.0), (1.0, 12.5)]
)
def test_percentile_counts_ties_half(own, expected):
    values = pd.Series([own, 1.0, 2.0, 2.0, 4.0], index=["own", "a", "b", "c", "d"])
    assert percentile(values, "own") == expected


def test_percentile_of_equals_is_the_middle():
    assert percentile(pd.Series([3.0, 3.0, 3.0], index=list("abc")), "b") == 50.0


def table(*rows: tuple) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["region_code", "year", "value", "series"])
    return frame.assign(fact_id="")


def test_growth_is_compound_over_five_years():
    rows = table(*(("a", year, 100 * 1.1 ** (year - 2010), "s") for year in range(2010, 2021)))
    assert growth(rows, "a", 2020) == pytest.approx({"from": 2015, "to": 2020, "rate": 10.0})
    assert growth(rows, "a", 2020, span=2)["from"] == 2018
    halved = table(("a", 2019, 8.0, "s"), ("a", 2020, 4.0, "s"))
    assert growth(halved, "a", 2020)["rate"] == pytest.approx(-50.0)


def test_a_change_of_scope_is_not_growth():
    rows = table(("a", 2015, 40.0, "s"), ("a", 2016, 41.0, "s"), ("a", 2017, 71.0, "s@from_2017"))
    assert growth(rows, "a", 2017) is None
    later = pd.concat([rows, table(("a", 2018, 82.0, "s@from_2017"))])
    found = growth(later, "a", 2018)
    assert (found["from"], found["to"]) == (2017, 2018)
    assert found["rate"] == pytest.approx(100 * (82 / 71 - 1))
    assert growth(later, "a", 2016) == pytest.approx(
        {"from": 2015, "to": 2016, "rate": 100 * (41 / 40 - 1)}
    )


@pytest.mark.parametrize("code", ["110000", "150000"])
def test_growth_of_museums_uses_one_series(dataset, code):
    dose = dataset.doses.set_index("dose", drop=False).loc["facility"]
    found = growth(per_capita(dataset, dose), code, 2018)
    # Beijing's count changed its scope in 2017, Inner Mongolia's did not.
    assert found["from"] == {"110000": 2017, "150000": 2013}[code]


def test_growth_without_a_value_or_from_zero_is_none():
    rows = table(("a", 2015, 0.0, "s"), ("a", 2020, 4.0, "s"))
    assert growth(rows, "a", 2019) is None
    assert growth(rows, "b", 2020) is None
    assert growth(rows, "a", 2020) is None


def test_latest_common_year_needs_the_region_and_nine_in_ten():
    codes = [f"r{i}" for i in range(10)]
    rows = [(code, 2018, 1.0, "s") for code in codes]
    rows += [(code, 2019, 1.0, "s") for code in codes[:9]]
    rows += [(code, 2020, 1.0, "s") for code in codes[:8]]
    values = table(*rows)
    assert latest_common_year(values, "r0") == 2019
    assert latest_common_year(values, "r9") == 2018
    assert latest_common_year(values, "r0", share=0.8) == 2020
    assert latest_common_year(values, "r0", share=1.0) == 2018
    assert latest_common_year(values, "elsewhere") is None
    assert latest_common_year(values[values["year"] == 2020], "r9") is None
