"""The mean gain against a published heterogeneity, its defining equations and known truths."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models import fit
from evaluation.models.linear import random_effects_mean
from evaluation.models.recovery import means
from evaluation.stats.least_squares import Equation, paule_mandel
from evaluation.stats.reml import reml

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


def test_heterogeneity_is_found_where_an_iteration_stopped_at_zero():
    y = np.array([0.5, 1, 2.9, 1.9, -0.4, 1.2, 0.6, 1.3])
    v = np.array([0.1, 0.07, 0.1, 0.06, 0.06, 0.09, 0.11, 0.05])
    found = random_effects_mean(y, v)
    assert (found["tau2"], found["estimate"]) == pytest.approx((0.888, 1.123), abs=5e-4)


def test_paule_mandel_is_the_root_an_independent_solver_finds():
    """2,000 simulated panels, a third of them without heterogeneity."""
    rng = np.random.default_rng(12)

    def excess(tau2, y, v):
        w = 1 / (v + tau2)
        return w @ (y - w @ y / w.sum()) ** 2 - (len(y) - 1)

    at_zero = 0
    for _ in range(2000):
        size = rng.integers(3, 25)
        v = rng.uniform(0.02, 0.3, size)
        y = 1 + np.sqrt(v + rng.choice([0.0, 0.05, 1.0])) * rng.normal(size=size)
        expected = 0.0 if excess(0.0, y, v) <= 0 else optimize.brentq(excess, 0, 1e3, (y, v), 1e-13)
        at_zero += expected == 0.0
        made = Equation(y, np.ones((size, 1)), np.arange(size), variance=v)
        assert paule_mandel(made) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert 200 < at_zero < 1000


def test_reml_finds_the_maximum_an_independent_search_finds():
    rng = np.random.default_rng(8)
    for _ in range(60):
        size = rng.integers(5, 20)
        v = rng.uniform(0.02, 0.3, size)
        y = 1 + np.sqrt(v + rng.choice([0.0, 0.05, 1.0])) * rng.normal(size=size)

        def loss(tau2, y=y, v=v):
            w = 1 / (v + tau2)
            rest = y - w @ y / w.sum()
            return -np.log(w).sum() + np.log(w.sum()) + w @ rest**2

        grid = np.concatenate([[0.0], np.geomspace(1e-6, 50, 600)])
        start = int(np.argmin([loss(x) for x in grid]))
        ends = grid[max(start - 1, 0)], grid[min(start + 1, len(grid) - 1)]
        best = optimize.minimize_scalar(loss, bounds=ends, options={"xatol": 1e-10}).x
        best = 0.0 if loss(0.0) <= loss(best) else best
        found = reml(y, np.ones((size, 1)), v, {"between": np.eye(size)}, tested=False)
        assert found.variances["between"] == pytest.approx(best, rel=1e-3, abs=1e-4)


def test_gains_that_share_a_survey_are_weighted_by_their_covariance(panel):
    """The mean of the whole against generalised least squares on the dense covariance."""
    spans = ("opens", "wave", "v0")
    result = fit("mean_gain", panel, **ROLES, spans=spans, draws=199)
    V = np.diag(panel["v"] + result.details["tau2"])
    for i, one in enumerate(panel.itertuples()):
        for j, two in enumerate(panel.itertuples()):
            if one.region == two.region and one.wave == two.opens:
                V[i, j] = V[j, i] = -two.v0  # two years each: v / (T T') is the opening part
    inverse = np.linalg.inv(V)
    mean = inverse.sum(axis=0) @ panel["gain"] / inverse.sum()
    assert result.estimate == pytest.approx(mean, rel=1e-9)
    rest = panel["gain"] - mean
    assert rest @ inverse @ rest == pytest.approx(len(panel) - 1, rel=1e-6)
    alone = fit("mean_gain", panel, **ROLES, draws=199)
    assert alone.estimate != pytest.approx(result.estimate, rel=1e-4)
