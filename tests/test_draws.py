"""Sampling error carried through, and taken out of the opening level: against known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evaluation import models
from evaluation.base.errors import KepuError, ModelError
from evaluation.data.simulate import Truth, simulate_panel
from evaluation.evidence import error as draws
from evaluation.evidence.error import corrected
from evaluation.models.columns import GAINS, LEVELS, Inference, Roles, equation
from evaluation.survey import panel

WAVES = pd.DataFrame({"wave": [2015, 2018, 2020, 2022, 2023], "break_before": False})
REGIONS = pd.DataFrame({"code": [f"{i:02d}0000" for i in range(31)], "parent_code": "000000"})
OF_GAINS = Roles(
    outcome="annual",
    doses=["log2_facility"],
    covariates=["opening"],
    region="region_code",
    wave="interval",
    variance="annual_variance",
    spans=("wave_from", "wave_to", "annual_opening_variance"),
)
OF_LEVELS = replace(
    OF_GAINS, outcome="rate", covariates=[], wave="wave", variance="variance", spans=()
)


def simulated(seed: int = 0, n: int = 2200):
    """Rates with their known variances, and the panel of gains made from them."""
    sim = simulate_panel(REGIONS, sample_size=n, seed=seed)
    rates = sim.panel[["region_code", "wave", "rate", "n", "facility"]].assign(fact_id="")
    share = rates["rate"] / 100
    rates["variance"] = Truth().design_effect * share * (1 - share) / n * 1e4
    rates["log2_facility"] = np.log2(rates["facility"])
    true = sim.gains[["region_code", "wave_from", "facility", "opening"]]
    frame = panel.gains(rates.drop(columns="facility"), WAVES).merge(
        true.rename(columns={"opening": "true_opening"}), on=["region_code", "wave_from"]
    )
    return rates, frame.assign(log2_facility=np.log2(frame["facility"]))


def fitted(frame, roles=OF_GAINS, model=GAINS, seed=1):
    return models.named(model).fit(frame, roles, Inference(draws=199, seed=seed))


@pytest.fixture(scope="module")
def both():
    return simulated()


def test_drawn_rates_have_mean_and_variance_of_the_published_ones():
    table = pd.DataFrame({"rate": [0.6, 12.0, 97.0], "variance": [0.25, 1.5, 0.8]})
    drawn = draws.draw_rates(table, 40_000, seed=3)
    error = np.sqrt(table["variance"] / len(drawn))
    assert (np.abs(drawn.mean(axis=0) - table["rate"]) < 4 * error).all()
    np.testing.assert_allclose(drawn.var(axis=0), table["variance"], rtol=0.06)
    assert drawn.min() > 0
    assert drawn.max() < 100


def test_the_same_seed_draws_the_same_and_another_does_not(both):
    rates, _ = both
    one, same, other = (draws.draw_rates(rates, 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_rate_without_error_stays():
    table = pd.DataFrame({"rate": [0.0, 12.0, 40.0], "variance": [0.0, 0.0, 1.0]})
    drawn = draws.draw_rates(table, 9, seed=1)
    assert (drawn[:, :2] == [0.0, 12.0]).all()
    assert np.ptp(drawn[:, 2]) > 0


@pytest.mark.parametrize(
    ("rate", "variance", "message"),
    [
        (101.0, 1.0, "0 to 100"),
        (10.0, np.nan, "none missing"),
        (10.0, -1.0, "at least 0"),
        (10.0, 901.0, r"not below p\(1 - p\)"),
    ],
)
def test_impossible_rates_are_refused(rate, variance, message):
    with pytest.raises(KepuError, match=message):
        draws.draw_rates(pd.DataFrame({"rate": [rate], "variance": [variance]}), 9, seed=1)


def test_a_rate_that_closes_one_gain_and_opens_the_next_is_one_draw(both):
    rates, frame = both
    drawn = draws.gains_of(draws.draw_rates(rates, 7, seed=1), rates, frame)
    first, second = np.flatnonzero(frame["region_code"] == "030000")[:2]
    closing = drawn["opening"][:, first] + drawn["gain"][:, first]
    np.testing.assert_allclose(closing, drawn["opening"][:, second])
    years = frame["years"].to_numpy()
    np.testing.assert_allclose(drawn["annual"] * years, drawn["gain"])


def test_a_rate_missing_from_the_table_is_named(both):
    rates, frame = both
    fewer = rates[~((rates["region_code"] == "040000") & (rates["wave"] == 2018))]
    with pytest.raises(KepuError, match="No rate of 040000 in 2018"):
        draws.gains_of(np.ones((2, len(fewer))), fewer, frame)
    with pytest.raises(KepuError, match="twice"):
        draws.rate_rows(pd.concat([rates, rates]), ["040000"], [2018])


@pytest.mark.parametrize(("model", "roles"), [(GAINS, OF_GAINS), (LEVELS, OF_LEVELS)])
def test_rates_without_error_give_the_estimate_back(both, model, roles):
    rates, frame = both
    frame = frame if model == GAINS else rates
    drawn = draws.gains_of(np.tile(rates["rate"].to_numpy(), (3, 1)), rates, frame)
    estimates, se = draws.refit(model, frame, drawn, roles)
    result = fitted(frame, roles, model)
    np.testing.assert_allclose(estimates[0], result.estimate, rtol=1e-8)
    np.testing.assert_allclose(se[0], result.se, rtol=1e-8)


def test_each_draw_is_the_fit_of_its_own_panel(both):
    rates, frame = both
    drawn = draws.gains_of(draws.draw_rates(rates, 4, seed=5), rates, frame)
    estimates, _ = draws.refit(GAINS, frame, drawn, OF_GAINS)
    root = equation(GAINS, frame, OF_GAINS).root
    for i in range(4):
        own = frame.assign(annual=drawn["annual"][i], opening=drawn["opening"][i])
        eqs = equation(GAINS, own, OF_GAINS)
        b = np.linalg.lstsq(root @ eqs.matrix, root @ eqs.y, rcond=None)[0]
        assert estimates[0, i] == pytest.approx(b[-1], rel=1e-8)


def test_draws_spread_by_the_sampling_error_of_the_estimate(both):
    """In the level model nothing but the outcome is drawn: the spread is known in closed form."""
    rates, _ = both
    drawn = draws.gains_of(draws.draw_rates(rates, 4000, seed=2), rates, rates)
    estimates, _ = draws.refit(LEVELS, rates, drawn, OF_LEVELS)
    eqs = equation(LEVELS, rates, OF_LEVELS)
    w = 1 / (rates["variance"].to_numpy() + max(0.0, eqs.excess))
    pull = np.linalg.solve((eqs.matrix.T * w) @ eqs.matrix, eqs.matrix.T * w)[-1]
    expected = np.sqrt(pull**2 @ rates["variance"].to_numpy())
    assert estimates[0].std() == pytest.approx(expected, rel=0.05)


def test_refitting_refuses_what_it_cannot_do(both):
    rates, frame = both
    drawn = draws.gains_of(draws.draw_rates(rates, 2, seed=1), rates, frame)
    with pytest.raises(ModelError, match="'mixed' is not linear"):
        draws.refit("mixed", frame, drawn, OF_GAINS)
    with pytest.raises(ModelError, match="none of the drawn columns opening"):
        roles = replace(OF_GAINS, outcome="gain", covariates=[])
        draws.refit(GAINS, frame, {"opening": drawn["opening"]}, roles)


def test_the_correction_removes_most_of_the_bias_of_the_opening_level():
    """Provinces, n = 2,200: with the observed opening level as a control a dose is overstated."""
    gaps = []
    for seed in range(16):
        rates, frame = simulated(seed)
        found = corrected(GAINS, frame, rates, OF_GAINS)
        oracle = fitted(frame.assign(opening=frame["true_opening"])).estimate
        gaps.append((found.naive - oracle, found.estimate - oracle))
    naive, after = np.mean(gaps, axis=0)
    assert naive > 0.08
    assert abs(after) < 0.3 * naive


def test_the_uncorrected_coefficient_is_that_of_the_model(both):
    rates, frame = both
    found = corrected(GAINS, frame, rates, OF_GAINS)
    assert found.naive == pytest.approx(fitted(frame).estimate, rel=1e-9)
    assert found.low < found.estimate < found.high
    assert 0 < found.reliability < 1


def test_without_error_there_is_nothing_to_correct(both):
    rates, frame = both
    found = corrected(GAINS, frame, rates.assign(variance=1e-9), OF_GAINS)
    assert found.estimate == pytest.approx(found.naive, rel=1e-6)
    assert found.reliability == pytest.approx(1)


def test_an_error_larger_than_the_scatter_is_not_taken_out_whole(both):
    rates, frame = both
    huge = rates.assign(variance=rates["variance"] * 20)
    grown = ["annual_variance", "annual_opening_variance"]
    frame = frame.assign(**{name: frame[name] * 20 for name in grown})
    found = corrected(GAINS, frame, huge, OF_GAINS)
    assert 0 <= found.factor < 0.5
    assert np.isfinite([found.estimate, found.se]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"covariates": []}, "'opening' as a covariate"),
        ({"outcome": "rate"}, "a gain as outcome"),
        ({"variance": None, "spans": ()}, "sampling variance of the gain"),
    ],
)
def test_a_model_the_correction_is_not_for_is_refused(both, changes, message):
    rates, frame = both
    with pytest.raises(ModelError, match=message):
        corrected(GAINS, frame, rates, replace(OF_GAINS, **changes))


def test_opening_rates_need_an_error(both):
    rates, frame = both
    with pytest.raises(ModelError, match="sampling variance above 0"):
        corrected(GAINS, frame, rates.assign(variance=0.0), OF_GAINS)
