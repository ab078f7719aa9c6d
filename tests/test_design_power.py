"""Power of cluster designs: published answers, closed forms, brute force and simulation."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.power import TTestIndPower

from evaluation.base.errors import KepuError
from evaluation.evidence.design import power as design
from evaluation.evidence.design.power import Layout, Setting, Variance

DESIGNS = {
    "parallel": design.parallel(),
    "parallel, three waves": design.parallel(3),
    "baseline": design.with_baseline(),
    "two baselines, two follow-ups": design.with_baseline(2, 2),
    "stepped": design.stepped(4),
    "stepped, two baselines": design.stepped(3, before=2),
    "staircase": design.staircase(4),
    "staircase, two before": design.staircase(5, before=2, after=1),
}
# Without a unit of comparison in the same two waves nothing is left within units.
UNTOLD = ("parallel", "parallel, three waves", "staircase")


def z(variance: Variance, respondents: float, **more) -> Setting:
    return Setting(variance, respondents, reference="z", **more)


def hussey_hughes(x: np.ndarray, tau2: float, error: float) -> float:
    """Variance of the effect, equation 8 of Hussey and Hughes (2007); x (clusters, periods)."""
    clusters, periods = x.shape
    u, w, v = x.sum(), (x.sum(axis=0) ** 2).sum(), (x.sum(axis=1) ** 2).sum()
    left = (clusters * u - w) * error
    left += (u**2 + clusters * periods * u - periods * w - clusters * v) * tau2
    return clusters * error * (error + periods * tau2) / left


def hooper(steps: int, per_step: float, m: float, icc: float, cac: float, total: float) -> float:
    """Variance of the effect of a stepped wedge by the design effects of Hooper et al. (2016)."""
    clustered = 1 + (m - 1) * icc
    r = m * icc * cac / clustered
    repeated = 3 * steps * (1 - r) * (1 + steps * r) / ((steps**2 - 1) * (2 + steps * r))
    return 4 * total / (per_step * m * steps) * clustered * repeated


def li(x: np.ndarray, m: float, within: float, between: float, total: float) -> float:
    """Variance under the nested exchangeable correlation of Li, Turner and Preisser (2018).

    That of continuous outcomes in R's swdpwr; ``within`` and ``between`` are its alpha0, alpha1.
    """
    clusters, periods = x.shape
    u, w, v = x.sum(), (x.sum(axis=0) ** 2).sum(), (x.sum(axis=1) ** 2).sum()
    one = 1 + (m - 1) * within - m * between
    two = 1 + (m - 1) * within + (periods - 1) * m * between
    left = (u**2 + clusters * periods * u - periods * w - clusters * v) * two
    left -= (u**2 - clusters * v) * one
    return total / m * clusters * periods * one * two / left


def expanded(layout: Layout, counts) -> np.ndarray:
    return np.repeat(layout.matrix, counts, axis=0)


def brute_force(layout: Layout, counts, setting: Setting) -> float:
    """The same variance from one regression on all observed cells with dummies."""
    x = expanded(layout, counts)
    cells = np.argwhere(np.isfinite(x))
    waves = np.eye(layout.periods)[cells[:, 1]]
    covariance = setting.variance.covariance(layout.periods, setting.respondents)
    same = cells[:, [0]] == cells[:, 0]
    full = same * covariance[cells[:, [1]], cells[:, 1]]
    columns = np.column_stack([x[tuple(cells.T)], waves])
    if setting.analysis == "within":
        columns = np.column_stack([columns, np.eye(len(x))[cells[:, 0]][:, 1:]])
    return float(np.linalg.inv(columns.T @ np.linalg.solve(full, columns))[0, 0])


# ------------------------------------------------------------------------------------------
# Published answers.


def test_clusters_per_step_are_those_that_clusterpower_prints():
    """Example of ``cpa.sw.normal``: 1.288772 clusters a step, found to four digits.

    R package clusterPower, R/cpa.sw.normal.R: 5 steps, 50 respondents, effect 1.5, intracluster
    correlation 0.2, cluster autocorrelation 0.8, total variance 16, power 0.8.
    """
    setting = z(Variance(0.2 * 16, 0.8, 0.8 * 16), 50)

    def short(count: float) -> float:
        se = design.standard_error(design.stepped(5), [count] * 5, setting)
        return design.power(1.5, se) - 0.8

    assert optimize.brentq(short, 0.1, 20) == pytest.approx(1.288772, rel=1e-4)


def test_power_is_that_of_two_other_programs_for_two_clusters():
    """PASS prints 0.294, the Shiny CRT Calculator 0.293: 2 clusters, 3 periods, 18 each."""
    se = design.standard_error(design.stepped(2), [1, 1], z(Variance(0.01, 1, 0.99), 18))
    assert design.power(0.5, se) == pytest.approx(0.2935, abs=0.001)


def test_power_is_that_of_other_programs_for_fifteen_clusters_and_a_rate():
    """PASS prints 0.85, the Shiny CRT Calculator 0.86: 5 % to 10 %, 50 each, correlation 0.01."""
    setting = z(Variance.of_rate(7.5, 0.01, 1), 50)
    assert design.assess(design.stepped(3), 15, 5.0, setting).power == pytest.approx(
        0.855, abs=0.006
    )


@pytest.mark.parametrize(("clusters", "m", "total"), [(12, 30, 0.21), (8, 24, 0.095)])
@pytest.mark.parametrize(("within", "between"), [(0.01, 0.01), (0.03, 0.015)])
def test_variance_is_that_of_the_formula_behind_swdpwr(clusters, m, total, within, between):
    """The two designs of swdpwr's manual, its cross-sectional correlations."""
    layout, counts = design.stepped(2), [clusters // 2] * 2
    setting = z(Variance(within * total, between / within, (1 - within) * total), m)
    expected = li(expanded(layout, counts), m, within, between, total)
    assert design.standard_error(layout, counts, setting) == pytest.approx(sqrt(expected))


def test_the_example_of_steppedpower_has_the_variance_of_hussey_and_hughes():
    """``glsPower(mu0=0, mu1=1, Cl=rep(1,5), sigma=2, tau=0.33, N=10)`` of its manual."""
    found = design.standard_error(design.stepped(5), [1] * 5, z(Variance(0.33**2, 1, 4.0), 10))
    x = expanded(design.stepped(5), [1] * 5)
    assert found == pytest.approx(sqrt(hussey_hughes(x, 0.33**2, 4.0 / 10)))


@pytest.mark.parametrize("layout", [design.stepped(4), design.parallel(3), design.with_baseline()])
@pytest.mark.parametrize("tau2", [0.0, 0.02, 3.0])
def test_the_exchangeable_case_is_the_closed_form_of_hussey_and_hughes(layout, tau2):
    counts = layout.counts(14)
    found = design.standard_error(layout, counts, z(Variance(tau2, 1, 2.0), 25))
    assert found**2 == pytest.approx(hussey_hughes(expanded(layout, counts), tau2, 2.0 / 25))


@pytest.mark.parametrize("steps", [2, 3, 5, 8])
@pytest.mark.parametrize(("icc", "cac", "m"), [(0.05, 1.0, 20), (0.2, 0.8, 50), (0.02, 0.0, 300)])
def test_stepped_wedges_are_those_of_hooper(steps, icc, cac, m):
    setting = z(Variance(icc * 9, cac, (1 - icc) * 9), m)
    found = design.standard_error(design.stepped(steps), [3] * steps, setting)
    assert found**2 == pytest.approx(hooper(steps, 3, m, icc, cac, 9.0))


@pytest.mark.parametrize("name", ["stepped", "baseline", "parallel, three waves"])
def test_precision_is_that_of_girling_and_hemming(name):
    """Precision falls linearly in the cluster-mean correlation R, by the design's two moments."""
    layout, tau2, error = DESIGNS[name], 0.7, 0.3
    counts = layout.counts(20)
    x = expanded(layout, counts)
    a = ((x - x.mean(axis=0)) ** 2).mean()
    b = ((x.mean(axis=1) - x.mean()) ** 2).mean()
    correlation = layout.periods * tau2 / (layout.periods * tau2 + error)
    expected = error / x.size / (a - b * correlation)
    assert design.standard_error(layout, counts, z(Variance(tau2, 1, error), 1)) ** 2 == (
        pytest.approx(expected)
    )


def test_the_t_reference_without_clustering_is_the_t_test_of_two_groups():
    setting = Setting(Variance(4.0, 0, 100.0), 25)
    found = design.assess(design.parallel(), 24, 2.5, setting)
    sd = sqrt(4.0 + 100.0 / 25)
    expected = TTestIndPower().power(2.5 / sd, nobs1=12, alpha=0.05)
    assert found.power == pytest.approx(expected)
    assert (found.reference, found.freedom) == ("t", 22)


# ------------------------------------------------------------------------------------------
# Against brute force and simulation.


@pytest.mark.parametrize("decay", [False, True])
@pytest.mark.parametrize("analysis", design.ANALYSES)
@pytest.mark.parametrize("name", DESIGNS)
def test_the_variance_is_that_of_one_regression_with_dummies(name, analysis, decay):
    layout = DESIGNS[name]
    counts = layout.counts(11)
    setting = z(Variance(2.0, 0.7, 90.0, 1.5, decay), 40, analysis=analysis)
    if analysis == "within" and name in UNTOLD:
        with pytest.raises(KepuError, match="cannot tell the programme from the waves"):
            design.standard_error(layout, counts, setting)
    else:
        assert design.standard_error(layout, counts, setting) ** 2 == pytest.approx(
            brute_force(layout, counts, setting), rel=1e-6
        )


def test_a_baseline_is_an_adjustment_and_a_difference_of_differences():
    """1 - r² and 2 (1 - r) of the variance without a baseline, r the correlation of two waves."""
    variance = Variance(3.0, 0.8, 90.0)
    alone = design.standard_error(design.parallel(), [10, 10], z(variance, 60))
    r = 3.0 * 0.8 / (3.0 + 90 / 60)
    adjusted, within = (
        design.standard_error(design.with_baseline(), [10, 10], z(variance, 60, analysis=name))
        for name in design.ANALYSES
    )
    assert adjusted**2 == pytest.approx((1 - r**2) * alone**2)
    assert within**2 == pytest.approx(2 * (1 - r) * alone**2)


def test_hussey_hughes_power_is_the_share_of_simulated_panels_that_reject():
    layout, tau2, error, effect, panels = design.stepped(4), 1.5, 2.0, 1.3, 20_000
    setting = z(Variance(tau2, 1, error), 1)
    found = design.assess(layout, 16, effect, setting)
    x = expanded(layout, found.counts)
    rng = np.random.default_rng(3)
    y = rng.normal(0, sqrt(tau2), (panels, 16, 1)) + rng.normal(0, sqrt(error), (panels, *x.shape))
    y += np.linspace(0, 4, layout.periods) + effect * x  # waves differ, whatever the programme does
    full = np.kron(np.eye(16), tau2 + error * np.eye(layout.periods))
    columns = np.column_stack([x.ravel(), np.tile(np.eye(layout.periods), (16, 1))])
    information = columns.T @ np.linalg.solve(full, columns)
    weights = np.linalg.solve(information, np.linalg.solve(full, columns).T)[0]
    estimates = y.reshape(panels, -1) @ weights
    se = sqrt(np.linalg.inv(information)[0, 0])
    share = np.mean(np.abs(estimates / se) > stats.norm.ppf(0.975))
    assert abs(share - found.power) < 4 * sqrt(share * (1 - share) / panels)
    assert estimates.mean() == pytest.approx(effect, abs=4 * se / sqrt(panels))


def test_loadings_give_the_effect_and_nothing_of_waves_or_units():
    layout = DESIGNS["staircase, two before"]
    counts = layout.counts(13)
    made = design.loadings(layout, counts, z(Variance(2.0, 0.6, 90.0), 40, analysis="within"))
    assert (counts @ (made * np.nan_to_num(layout.matrix))).sum() == pytest.approx(1)
    assert counts @ made == pytest.approx(np.zeros(layout.periods), abs=1e-12)
    assert made.sum(axis=1) == pytest.approx(np.zeros(layout.sequences), abs=1e-12)


# ------------------------------------------------------------------------------------------
# What a user relies on.


def test_pairs_take_out_what_lies_between_them():
    variance = Variance(5.0, 1, 90.0)
    apart = design.standard_error(design.parallel(), [8, 8], z(variance, 90))
    paired = design.standard_error(design.pairs(0.6), [8, 8], z(variance, 90))
    assert paired**2 / apart**2 == pytest.approx((0.4 * 5 + 1) / (5 + 1))
    # ... and pay with half of the degrees of freedom.
    setting = Setting(variance, 90)
    assert design.assess(design.pairs(0.0), 16, 3.0, setting).freedom == 7
    assert design.assess(design.pairs(0.0), 16, 3.0, setting).power < (
        design.assess(design.parallel(), 16, 3.0, setting).power
    )


def test_an_encouragement_that_moves_a_third_finds_three_times_the_effect():
    setting = z(Variance(5.0, 0.8, 90.0), 90)
    all_, third = (
        design.assess(design.encouragement(share), 40, 2.0, setting) for share in (1.0, 1 / 3)
    )
    assert third.detectable == pytest.approx(3 * all_.detectable)


@pytest.mark.parametrize("reference", design.REFERENCES)
@pytest.mark.parametrize("name", DESIGNS)
def test_the_detectable_effect_is_found_with_the_power_asked_for(name, reference):
    setting = Setting(Variance(4.0, 0.8, 900.0, 2.0), 300, reference=reference, target=0.9)
    found = design.assess(DESIGNS[name], 12, 2.0, setting)
    freedom = found.freedom if reference == "t" else inf
    assert design.power(found.detectable, found.se, 0.95, freedom) == pytest.approx(0.9)


def test_more_respondents_help_little_once_units_differ():
    """Beyond the variance between units nothing is gained: the limit is 2 tau² / n a group."""
    variance = Variance(9.0, 0.8, 900.0)
    many = design.standard_error(design.parallel(), [10, 10], z(variance, 1e9))
    assert many == pytest.approx(sqrt(2 * 9.0 / 10), rel=1e-6)


def test_units_are_dealt_as_equally_as_can_be():
    assert design.stepped(4).counts(103).tolist() == [26, 26, 26, 25]
    assert design.pairs(0.5).counts(103).tolist() == [51, 51]
    assert design.stepped(3).start.tolist() == [1, 2, 3]
    assert design.with_baseline().start.tolist() == [1, -1]
    assert design.staircase(4).surveyed.tolist() == [2, 2, 2, 2]


GOOD = Setting(Variance(4.0, 0.8, 900.0), 300)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Variance(-1, 0.5, 1), "'cluster' must be at least 0"),
        (lambda: Variance(1, 1.5, 1), "'autocorrelation' must lie between 0 and 1"),
        (lambda: Variance(1, 0.5, 0), "'individual' must be positive"),
        (lambda: Variance(1, 0.5, 1, 0.5), "'design_effect' must be at least 1"),
        (lambda: Variance.of_rate(0, 0.1, 0.5), "'rate' must lie between 0 and 100"),
        (lambda: Variance.of_rate(10, 1.0, 0.5), "'icc' must lie between 0 and 1"),
        (lambda: Variance(1, 0.5, 1).sampling(0), "'respondents' must be positive"),
        (lambda: Layout("ladder", ((0, 1),)), "Unknown design 'ladder'"),
        (lambda: Layout("parallel", ((0, 1), (0,))), "same periods"),
        (lambda: Layout("parallel", ((0, 2),)), "0, 1 or not surveyed"),
        (lambda: design.stepped(1), "at least 2 steps"),
        (lambda: design.staircase(1), "at least 2 steps"),
        (lambda: design.staircase(3, before=0), "a wave before and one after"),
        (lambda: design.parallel(0), "at least one wave after"),
        (lambda: design.with_baseline(0), "needs a wave before"),
        (lambda: design.encouragement(0), "'compliance' must lie above 0"),
        (lambda: design.pairs(1.0), "'matched' must be at least 0 and below 1"),
        (lambda: Setting(Variance(1, 0.5, 1), 10, reference="F"), "Unknown reference 'F'"),
        (lambda: Setting(Variance(1, 0.5, 1), 10, analysis="ols"), "Unknown analysis 'ols'"),
        (lambda: Setting(Variance(1, 0.5, 1), 10, level=1), "'level' must lie between 0 and 1"),
        (lambda: Setting(Variance(1, 0.5, 1), 10, target=0.01), "'target' must lie between"),
        (lambda: design.assess(design.stepped(8), 5, 1, GOOD), "5 units cannot be dealt to 8"),
        (lambda: design.assess(design.parallel(), 2, 1, GOOD), "too few for a test"),
        (lambda: design.power(1, 0), "'se' must be positive"),
        (
            lambda: design.standard_error(Layout("stepped", ((0, 1), (0, 1))), [3, 3], GOOD),
            "cannot tell the programme from the waves",
        ),
    ],
)  # fmt: skip
def test_refusals_name_the_offender_and_the_remedy(call, told):
    with pytest.raises(KepuError, match=told):
        call()
