"""Power by simulation, and how often the headline is wrong: against the test it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.base.errors import KepuError
from evaluation.models import fit, recovery
from evaluation.models.panels import panels
from evaluation.models.recovery import HEADLINE, RANDOMISATION, calibrate
from evaluation.stats.bootstrap import WildTest, weight_batches, wild_cluster_bootstrap
from evaluation.stats.least_squares import Equation, least_squares
from evaluation.stats.power import (
    SimulatedTest,
    minimum_detectable_effect,
    region_correlation,
)


def regressors(rng, regions=31, waves=4, effects=False):
    """A persistent dose, a covariate, wave effects; region effects first where asked for."""
    codes, wave = np.divmod(np.arange(regions * waves), waves)
    left = [codes[:, None] == np.arange(regions)] if effects else []
    later = wave[:, None] == np.arange(1 if effects else 0, waves)
    dose = rng.normal(size=regions)[codes] + rng.normal(size=len(codes))
    X = np.column_stack([*left, later, rng.normal(size=len(codes)), dose]).astype(float)
    return X, codes, regions if effects else 0


@pytest.mark.parametrize("effects", [False, True])
@pytest.mark.parametrize("regions", [12, 25])
def test_each_simulated_panel_has_the_p_value_of_the_headline_test(regions, effects):
    X, codes, nested = regressors(np.random.default_rng(1), regions, effects=effects)
    rng = np.random.default_rng(2)
    weights = rng.uniform(0.5, 2, len(X))
    fit = least_squares(rng.normal(size=len(X)), X, weights)
    errors, root = rng.normal(size=(6, len(X))), np.sqrt(weights / weights.mean())
    test = SimulatedTest(fit, codes, scale=1.0, nested=nested, panels=6, draws=99, seed=1)
    kind = "webb" if regions < 20 else "rademacher"
    draws = np.hstack(list(weight_batches(kind, regions, 99, 5)))
    test._reduce(fit, codes, nested, errors, draws)
    for effect in (0.0, 0.4):
        found = test.p(effect)
        for panel in range(6):
            one = least_squares(errors[panel] / root + effect * X[:, -1], X, weights)
            slow = WildTest(one, codes, iter([draws])).p(one.coefficients[-1])
            assert found[panel] == pytest.approx(slow)


def simulated(seed=3, correlation=0.0, panels=2000, regions=31, scale=1.0):
    X, codes, _ = regressors(np.random.default_rng(seed), regions)
    fit = least_squares(np.random.default_rng(seed).normal(size=len(X)), X)
    return SimulatedTest(
        fit, codes, scale=scale, correlation=correlation, panels=panels, seed=seed
    ), fit, codes  # fmt: skip


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_power_without_an_effect_is_the_size_of_the_test(correlation):
    test, _, _ = simulated(correlation=correlation)
    share, error = test.power(0.0)
    assert error == pytest.approx(np.sqrt(share * (1 - share) / 2000))
    assert share == pytest.approx(0.05, abs=3.5 * np.sqrt(0.05 * 0.95 / 2000))


def test_power_rises_with_the_effect_and_reaches_the_target_at_the_detectable_one():
    test, _, _ = simulated(panels=500)
    found = minimum_detectable_effect(test)
    curve = [test.power(effect)[0] for effect in np.linspace(0, 2 * found.effect, 9)]
    assert (np.diff(curve) >= 0).all()
    assert test.power(found.effect)[0] == pytest.approx(0.8, abs=0.01)
    assert curve[-1] > 0.99
    assert found.size == test.power(0.0)[0]


def test_the_detectable_effect_is_that_of_the_normal_formula_where_it_must_be():
    test, fit, codes = simulated(panels=4000)
    found = minimum_detectable_effect(test)
    se = np.sqrt(fit.bread[-1, -1])
    t = stats.t(df=codes.max())
    formula = (t.ppf(0.975) + t.ppf(0.8)) * se
    # 199 draws and an estimated error cost some power; nothing makes the test better than t.
    assert formula * 0.97 < found.effect < formula * 1.15
    assert 0 < found.error < 0.04 * found.effect
    other = minimum_detectable_effect(simulated(panels=4000, scale=4.0)[0])
    assert other.effect == pytest.approx(2 * found.effect, rel=0.01)


def test_the_error_of_the_detectable_effect_is_its_spread_over_seeds():
    X, codes, _ = regressors(np.random.default_rng(3))
    fit = least_squares(np.random.default_rng(3).normal(size=len(X)), X)
    found = [
        minimum_detectable_effect(SimulatedTest(fit, codes, scale=1.0, panels=250, seed=seed))
        for seed in range(30)
    ]
    spread = np.std([item.effect for item in found], ddof=1)
    assert np.mean([item.error for item in found]) == pytest.approx(spread, rel=0.45)


def test_correlation_within_regions_costs_power_and_is_found_in_the_residuals():
    alone, _, _ = simulated(panels=500)
    together, fit, codes = simulated(panels=500, correlation=0.6)
    first, second = (minimum_detectable_effect(test).effect for test in (alone, together))
    assert second > 1.2 * first
    rng, X = np.random.default_rng(7), fit.q
    found = {rho: [] for rho in (0.0, 0.3, 0.7)}
    for rho, values in found.items():
        for _ in range(60):
            y = recovery.shock(rng, codes, rho)
            values.append(region_correlation(least_squares(y, X), codes))
    assert np.mean(found[0.3]) == pytest.approx(0.3, abs=0.06)
    assert np.mean(found[0.7]) == pytest.approx(0.7, abs=0.06)
    assert np.mean(found[0.0]) < 0.06


def test_no_effect_is_detectable_where_the_test_can_reject_nothing():
    X, codes, _ = regressors(np.random.default_rng(3), 12)
    fit = least_squares(np.random.default_rng(3).normal(size=len(X)), X)
    test = SimulatedTest(fit, codes, scale=1.0, panels=100, draws=99, seed=1, level=0.999)
    assert minimum_detectable_effect(test).effect == np.inf


def test_an_estimate_carries_both_detectable_effects(study):
    for item in study.estimates:
        details = item.result.details
        assert details["mde"] == details["mde_simulation"]["effect"]
        assert 0.6 < details["mde"] / details["mde_approximate"] < 2.5
        assert details["mde_simulation"]["error"] < 0.15 * details["mde"]
        assert 0.01 < details["mde_simulation"]["size"] < 0.11
        assert details["crv3"]["se"] > 0


def test_generated_gains_share_the_sampling_error_of_the_wave_they_meet_in():
    rng = np.random.default_rng(1)
    panels_ = [recovery.generated(200, 3)(rng, 0.0) for _ in range(40)]
    y = np.stack([design.y.reshape(200, 2) for design in panels_]).reshape(-1, 2)
    sampling, shock = panels_[0].variance[0], recovery.SIGMA**2
    assert y.var(axis=0) == pytest.approx([sampling + shock] * 2, rel=0.08)
    expected = recovery.CORRELATION * shock - sampling / 2
    assert np.cov(y.T)[0, 1] == pytest.approx(expected, abs=0.05)


def test_the_actual_design_is_that_of_the_estimate(dataset, study):
    scenario = recovery.actual(panels(dataset), "fund")
    drawn = scenario(np.random.default_rng(1), 0.0)
    real = next(i.result for i in study.estimates if i.dose == "fund" and "gain" in i.model)
    assert (len(drawn.y), len(np.unique(drawn.clusters))) == (real.observations, real.clusters)
    ys = np.stack([scenario(np.random.default_rng(seed), 0.0).y for seed in range(3000)])
    extra = scenario.draw.keywords["sigma"] ** 2
    np.testing.assert_allclose(ys.var(axis=0), drawn.variance + extra, rtol=0.15)
    moved = scenario(np.random.default_rng(1), 2.0)
    np.testing.assert_allclose(moved.y - drawn.y, 2 * drawn.X["log2_fund"])


def test_calibration_counts_what_the_headline_says():
    scenario = recovery.generated(12, 3)
    found = calibrate(scenario, panels=8, draws=99, seed=4, workers=1)
    wrong = []
    for number in range(8):
        stream = np.random.SeedSequence([4, number])
        rng, own = np.random.default_rng(stream), int(stream.generate_state(1)[0])
        design = scenario(rng, 0.0)
        frame = design.X.assign(y=design.y, region=design.clusters, v=design.variance)
        frame["wave"] = design.periods
        result = fit(
            "gain_regression",
            frame, outcome="y", doses=["dose"], covariates=["income"], region="region",
            wave="wave", variance="v", draws=99, seed=own, companions=False,
        )  # fmt: skip
        wrong.append(result.p <= 0.05)
    assert found.share("false positives") == np.mean(wrong)
    assert set(found.table()["measure"]) == {"false positives", "coverage"}


def test_calibration_does_not_depend_on_the_number_of_workers():
    scenario = recovery.generated(12, 3)
    one, two = (calibrate(scenario, panels=60, draws=99, workers=n) for n in (1, 2))
    assert one == two


def test_the_headline_keeps_its_size_and_coverage():
    found = calibrate(recovery.generated(12, 3), panels=400, draws=199, workers=1)
    assert 0.02 <= found.share("false positives") <= 0.09
    assert 0.91 <= found.share("coverage") <= 0.98
    row = next(row for row in found.rates if row["procedure"] == HEADLINE)
    assert row["low"] < row["share"] < row["high"]
    assert found.share("false positives", "CRV1, t") > found.share("false positives")


@pytest.mark.parametrize("treated", [1, 2, 3])
def test_a_few_treated_regions_are_not_testable_by_the_bootstrap(treated):
    found = calibrate(recovery.generated(12, 3, treated), panels=100, draws=199, workers=1)
    assert np.isnan(found.share("false positives"))
    (reason,) = found.refusals
    assert "not testable with this design" in reason
    # One of twelve can be dealt in twelve ways: no p-value is below 1/12.
    assert ("below 0.083" in reason) == (treated == 1)
    share = found.share("false positives", RANDOMISATION)
    assert np.isnan(share) if treated == 1 else share <= 0.12


def test_impossible_designs_are_refused():
    with pytest.raises(KepuError, match="Unknown design '12': write regions x waves as 31x5"):
        recovery.parse("12")
    assert recovery.parse("31x5") == (31, 5)
    with pytest.raises(KepuError, match="2 regions and 2 waves or more, not 12x1"):
        recovery.generated(12, 1)
    with pytest.raises(KepuError, match="'treated' must lie between 0 and 11; it is 12"):
        recovery.generated(12, 3, 12)
    with pytest.raises(KepuError, match="'panels' must be at least 1"):
        calibrate(recovery.generated(12, 3), panels=0)


def test_a_panel_with_an_effect_at_the_target_is_mostly_found():
    """The detectable effect holds for the reported procedure, not for its fast copy only."""
    X, codes, _ = regressors(np.random.default_rng(3))
    rng = np.random.default_rng(11)
    fit = least_squares(rng.normal(size=len(X)), X)
    test = SimulatedTest(fit, codes, scale=1.0, panels=500, seed=2)
    effect = minimum_detectable_effect(test).effect
    found = []
    for seed in range(150):
        y = effect * X[:, -1] + rng.normal(size=len(X))
        last = X.shape[1] - 1
        found.append(wild_cluster_bootstrap(Equation(y, X, codes), last, 199, seed=seed).p <= 0.05)
    assert np.mean(found) == pytest.approx(0.8, abs=0.11)
