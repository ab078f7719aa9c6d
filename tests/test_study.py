"""The whole study: panel of provinces, verdicts, Holm, seeds, models that cannot be fitted."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from evaluation import study as studies
from evaluation.base.results import Result
from evaluation.models.panels import Panels

MODELS = ("gain_regression", "two_way_fixed_effects")
DOSES = ("facility", "personnel", "activity", "fund")


def estimates_of(study, draws: int = 99, seed: int = 1, provinces=None, doses=DOSES):
    panel = study.provinces if provinces is None else provinces
    named = pd.DataFrame({"dose": doses, "label_zh": doses, "label_en": doses})
    frames = Panels(study.rates, study.gains, panel, study.levels, study.dataset.controls)
    return studies.estimate(frames, named, draws=draws, seed=seed)


def result(low: float, high: float) -> Result:
    return Result(
        "gain_regression", "annual", "log2_fund", (low + high) / 2, 0.1, low, high, 0.95, 0.5,
        "wild cluster bootstrap", 30, 60, "percentage_point_per_year",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "positive"),
        (-0.2, -0.01, "negative"),
        (-0.1, 0.1, "unknown"),
        (0.0, 0.1, "unknown"),
        (-0.1, 0.0, "unknown"),
        (-math.inf, math.inf, "unknown"),
    ],
)
def test_verdict_follows_the_interval(low, high, verdict):
    assert studies.Estimate("fund", MODELS[0], result(low, high)).verdict == verdict


def test_no_result_is_not_estimable():
    assert studies.Estimate("fund", MODELS[0], None, "too few").verdict == "not_estimable"


def test_every_dose_is_tried_with_every_model(study):
    tried = [(item.model, item.dose) for item in study.estimates]
    assert tried == [(model, dose) for model in MODELS for dose in DOSES]
    for item in study.estimates:
        assert (item.result is None) == bool(item.reason)


def test_holm_is_applied_over_all_inputs_and_models_tried(study):
    items = [item for item in study.estimates if item.result]
    assert {item.model for item in items} == set(MODELS)
    adjusted = multipletests([item.result.p for item in items], method="holm")[1]
    assert [item.p_holm for item in items] == pytest.approx(list(adjusted))
    one = [item for item in items if item.model == MODELS[0]]
    within = multipletests([item.result.p for item in one], method="holm")[1]
    assert [item.p_holm for item in one] != pytest.approx(list(within))


def test_p_values_are_never_zero_and_agree_with_their_interval(study):
    for item in study.estimates:
        low, high, p = item.result.low, item.result.high, item.result.p
        assert 0 < p <= 1
        assert p <= item.p_holm <= 1
        if not math.isclose(p, 0.05, abs_tol=0.01):  # grid of 1/500
            assert (p < 0.05) == (low > 0 or high < 0)


def test_the_panel_holds_provinces_only(dataset, study):
    level = dataset.regions.set_index("code")["level"]
    assert set(level[study.provinces["region_code"]]) == {"province"}
    assert set(level[study.levels["region_code"]]) == {"province"}
    outside = study.rates[~study.rates["region_code"].isin(study.levels["region_code"])]
    assert len(outside), "cities with rates exist and stay out"
    assert {"100000", "440100"} <= set(outside["region_code"])
    kept = study.gains["region_code"].map(level) == "province"
    assert len(study.provinces) == kept.sum()


def test_models_use_no_more_than_the_panel(study):
    for item in study.estimates:
        frame = study.provinces if item.model == MODELS[0] else study.levels
        complete = frame[f"log2_{item.dose}"].notna()
        assert item.result.observations <= complete.sum()
        assert item.result.clusters <= frame.loc[complete, "region_code"].nunique()


def test_band_rates_are_those_printed(study):
    bands = study.bands.set_index(["band", "wave"])["rate"]
    assert bands["west", 2022] == 10.27
    assert list(study.dataset.bands["band"]) == ["east", "central", "west"]
    assert set(study.bands["band"]) == set(study.dataset.bands["band"])


def test_the_same_seed_gives_the_same_study(study):
    first, again = estimates_of(study), estimates_of(study)
    assert [item.result.to_json() for item in first] == [item.result.to_json() for item in again]
    other = estimates_of(study, seed=2)
    assert [item.result.p for item in first] != [item.result.p for item in other]
    assert [item.result.estimate for item in first] == [item.result.estimate for item in other]


def test_a_model_that_cannot_be_fitted_says_why_and_the_others_go_on(study):
    bare = study.provinces.assign(log2_fund=np.nan)
    items = {(i.model, i.dose): i for i in estimates_of(study, provinces=bare)}
    failed = items[MODELS[0], "fund"]
    assert failed.result is None
    assert failed.verdict == "not_estimable"
    assert len(failed.reason) > 20
    assert math.isnan(failed.p_holm)
    others = [item for item in items.values() if item is not failed]
    assert all(item.result for item in others)
    adjusted = multipletests([item.result.p for item in others], method="holm")[1]
    assert [item.p_holm for item in others] == pytest.approx(list(adjusted))
    assert items[MODELS[1], "fund"].result is not None


def test_estimating_leaves_the_panels_as_they_were(study):
    provinces, levels = study.provinces.copy(), study.levels.copy()
    estimates_of(study, doses=("fund",))
    pd.testing.assert_frame_equal(study.provinces, provinces)
    pd.testing.assert_frame_equal(study.levels, levels)


def test_a_study_cannot_be_changed(study):
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.estimates = ()


def test_the_simulated_package_builds_and_says_that_it_is_simulated(simulated, study):
    assert simulated.simulated
    assert not study.simulated
    assert simulated.provinces["region_code"].nunique() == 12
    assert all(item.result for item in simulated.estimates)


def test_where_no_provinces_are_the_lower_units_make_the_panel(simulated):
    level = simulated.dataset.regions.set_index("code")["level"]
    assert set(level[simulated.provinces["region_code"]]) == {"league", "prefecture_city"}
