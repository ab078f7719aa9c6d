"""The mean gain against a published heterogeneity, its defining equations and known truths."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models import fit
from evaluation.models.linear import random_effects_mean
from evaluation.models.recovery import means

REFERENCE = Path(__file__).parent / "reference"
ROLES = {"outcome": "gain", "region": "region", "wave": "wave", "variance": "v"}


@pytest.fixture(scope="module")
def bcg():
    """Log risk ratios of the thirteen vaccine trials and their variances."""
    a, b, c, d = pd.read_csv(REFERENCE / "bcg.csv").to_numpy(dtype=float).T
    ratio = np.log(a / (a + b) / (c / (c + d)))
    return ratio, 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)


@pytest.fixture(scope="module")
def panel():
    return means(np.random.default_rng(3), 31)[0]


def test_heterogeneity_of_the_vaccine_trials_is_the_published_one(bcg):
    published = pd.read_csv(REFERENCE / "published_rungs.csv").set_index(["case", "term"])
    found = random_effects_mean(*bcg)
    q = published.loc[("bcg", "q"), "estimate"]
    assert found["q"] == pytest.approx(q, abs=5e-5)
    assert found["i2"] == pytest.approx(1 - 12 / q, abs=1e-6)


def test_paule_mandel_and_hartung_knapp_solve_their_equations(bcg):
    y, v = bcg
    found = random_effects_mean(y, v)
    w = 1 / (v + found["tau2"])
    mean = np.average(y, weights=w)
    assert found["estimate"] == pytest.approx(mean)
    squares = w @ (y - mean) ** 2
    assert squares == pytest.approx(len(y) - 1, abs=1e-6)
    half = stats.t.ppf(0.975, 12) * np.sqrt(squares / 12 / w.sum())
    assert (found["low"], found["high"]) == pytest.approx((mean - half, mean + half))


def test_estimates_closer_than_their_variances_allow_are_told():
    y = np.linspace(-0.1, 0.1, 12)
    found = random_effects_mean(y, np.ones(12))
    assert (found["tau2"], found["i2"]) == (0.0, 0.0)
    assert found["p_too_similar"] < 1e-6
    assert found["p_heterogeneity"] == pytest.approx(1 - found["p_too_similar"])


def test_the_result_holds_overall_and_interval_means(panel):
    result = fit("mean_gain", panel, **ROLES, draws=999)
    assert (result.model, result.term, result.verdict) == ("mean_gain", "mean_gain", "positive")
    w = 1 / (panel["v"] + result.details["tau2"])
    assert result.estimate == pytest.approx(np.average(panel["gain"], weights=w))
    waves = result.details["waves"]
    assert [row["wave"] for row in waves] == sorted(panel["wave"].astype(str).unique())
    one = panel[panel["wave"].astype(str) == waves[1]["wave"]]
    own = random_effects_mean(one["gain"].to_numpy(), one["v"].to_numpy())
    assert {key: waves[1][key] for key in own} == own
    assert waves[1]["regions"] == len(one)
    assert Result.from_json(result.to_json()) == result


def test_an_interval_with_two_regions_gets_no_mean_of_its_own(panel):
    rare = panel[panel["wave"] == 2022].index[2:]
    result = fit("mean_gain", panel.drop(index=rare), **ROLES, draws=199)
    assert [row["wave"] for row in result.details["waves"]] == ["2015", "2018", "2020"]


def test_neighbouring_gains_do_not_narrow_the_interval_by_being_counted_twice(panel):
    twin = panel.assign(wave=panel["wave"] + 1)
    once = fit("mean_gain", panel, **ROLES, draws=999)
    twice = fit("mean_gain", pd.concat([panel, twin]), **ROLES, draws=999)
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.1)
    knapp = [r.details["hartung_knapp"] for r in (once, twice)]
    assert knapp[1]["se"] < 0.8 * knapp[0]["se"]


def refusal(frame, **changes):
    with pytest.raises(ModelError) as caught:
        fit("mean_gain", frame, **{**ROLES, "draws": 199, **changes})
    return str(caught.value)


def test_refusals(panel):
    assert "takes no dose and no covariate" in refusal(panel, doses=["dose"])
    assert "takes no dose and no covariate" in refusal(panel, covariates=["dose"])
    assert "gains from surveys are not error-free" in refusal(panel, variance=None)
    assert "'v' must be above 0" in refusal(panel.assign(v=0.0))
    assert "negative variances" in refusal(panel.assign(v=-panel["v"]))
    assert "'region' holds 9 values" in refusal(panel[panel["region"] < 9])
