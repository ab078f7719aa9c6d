"""Survey rates: variances, Wilson intervals, gains, rank intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from evaluation.base.errors import KepuError
from evaluation.survey import standing

# Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3 (score).
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("count", "n", "low", "high"), NEWCOMBE)
def test_wilson_interval_reproduces_published_intervals(count, n, low, high):
    found = standing.wilson_interval(count / n, n, 1)
    assert np.round(found, 4) == pytest.approx([low, high], abs=1e-9)


def test_a_design_effect_acts_as_a_smaller_sample():
    p, n = np.array([0.02, 0.14, 0.6]), np.array([400.0, 2200.0, 900.0])
    low, high = standing.wilson_interval(p, n, 2.5, level=0.9)
    expected = proportion_confint(p * n / 2.5, n / 2.5, alpha=0.1, method="wilson")
    assert np.array_equal([low, high], expected)
    np.testing.assert_allclose(standing.sampling_variance(p, n, 2.5), p * (1 - p) / (n / 2.5))


def test_wilson_interval_covers_at_small_rates():
    rng = np.random.default_rng(3)
    rate, n = 0.03, 300
    low, high = standing.wilson_interval(rng.binomial(n, rate, 4000) / n, n, 1)
    assert 0.935 < np.mean((low <= rate) & (rate <= high)) < 0.975


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((14.1, 2000, 2), "All values in 'p' must lie between 0 and 1."),
        (([0.1, np.nan], 2000, 2), "All values in 'p' must lie between 0 and 1."),
        ((0.1, [2000, 0], 2), "All values in 'n' must be positive."),
        ((0.1, 2000, 0), "All values in 'deff' must be positive."),
    ],
)
def test_impossible_surveys_are_refused(arguments, message):
    for function in (standing.sampling_variance, standing.wilson_interval):
        with pytest.raises(KepuError) as caught:
            function(*arguments)
        assert str(caught.value) == message


def test_gain_and_its_variance_annualise():
    p1, p0 = pd.Series([14.0, 9.0], index=[4, 7]), pd.Series([10.0, 8.0], index=[4, 7])
    total, variance = standing.gain(p1, 0.3, p0, np.array([0.1, 0.6]))
    assert total.to_dict() == {4: 4.0, 7: 1.0}
    np.testing.assert_allclose(variance, [0.4, 0.9])
    annual, annual_variance = standing.gain(p1, 0.3, p0, np.array([0.1, 0.6]), years=2)
    np.testing.assert_allclose(annual, total / 2)
    np.testing.assert_allclose(annual_variance, variance / 4)


def test_gain_refuses_a_negative_variance_and_no_time():
    with pytest.raises(KepuError, match="'v0' must be at least 0"):
        standing.gain(0.2, 0.1, 0.1, -0.1)
    with pytest.raises(KepuError, match="'years' must be positive"):
        standing.gain(0.2, 0.1, 0.1, 0.1, years=0)


def test_ranks_of_clearly_separated_rates_are_points():
    rates = pd.Series([10.0, 30.0, 20.0], index=["a", "b", "c"])
    ranks = standing.rank_interval(rates, np.full(3, 0.5))
    assert ranks.index.tolist() == ["a", "b", "c"]
    assert ranks["rank_low"].tolist() == ranks["rank_high"].tolist() == [3, 1, 2]


def test_ranks_of_indistinguishable_rates_span_all():
    ranks = standing.rank_interval(np.array([10.0, 10.2, 9.9, 10.1]), np.full(4, 1.0))
    assert (ranks["rank_low"] == 1).all()
    assert (ranks["rank_high"] == 4).all()
    exact = standing.rank_interval(np.array([1.0, 1.0, 2.0]), np.zeros(3))
    assert exact.to_numpy().tolist() == [[2, 3], [2, 3], [1, 1]]


def test_rank_steps_follow_holm_by_hand():
    # Against unit 0 the one-sided p are 1e-4, 0.008, 0.01; over 6 hypotheses Holm asks for
    # 0.05/6, 0.05/5 and 0.05/4, Bonferroni for 0.05/6 each: only Holm takes the third.
    z = np.array([3.719, 2.409, 2.326])
    ranks = standing.rank_interval(np.array([0.0, *z]), np.array([0.0, 1.0, 1.0, 1.0]))
    assert ranks.loc[0].tolist() == [4, 4]


def test_rank_steps_equal_statsmodels_holm():
    rng = np.random.default_rng(6)
    rates, se = rng.normal(10, 1, 12), rng.uniform(0.2, 0.6, 12)
    ranks = standing.rank_interval(rates, se, level=0.9)
    for j in range(12):
        others = np.arange(12) != j
        z = (rates[others] - rates[j]) / np.hypot(se[others], se[j])
        one_sided = np.concatenate([stats.norm.sf(z), stats.norm.cdf(z)])
        rejected = multipletests(one_sided, alpha=0.1, method="holm")[0]
        assert ranks.loc[j].tolist() == [1 + rejected[:11].sum(), 12 - rejected[11:].sum()]
    some = standing.rank_interval(pd.Series(rates), se, level=0.9, only=[7, 2])
    pd.testing.assert_frame_equal(some, ranks.loc[[7, 2]])


def test_rank_intervals_cover_the_true_ranks():
    rng = np.random.default_rng(5)
    truth, se = np.array([8.0, 9.0, 9.3, 9.6, 10.0, 10.1, 12.0, 15.0]), np.full(8, 0.5)
    true_rank = (-truth).argsort().argsort() + 1
    covered, widths = [], []
    for _ in range(250):
        ranks = standing.rank_interval(truth + se * rng.normal(size=8), se)
        covered.append((ranks["rank_low"] <= true_rank) & (true_rank <= ranks["rank_high"]))
        widths.append(ranks["rank_high"] - ranks["rank_low"])
    assert np.mean(covered, axis=0).min() >= 0.93
    # Neither the trivial interval of all ranks nor point ranks.
    assert 1 < np.mean(widths) < 5


def test_ranks_refuse_what_cannot_be_ranked():
    with pytest.raises(KepuError, match="at least two rates"):
        standing.rank_interval([1.0], [0.1])
    with pytest.raises(KepuError, match="'se' must be finite"):
        standing.rank_interval([1.0, 2.0], [0.1, np.nan])
    with pytest.raises(KepuError, match="'level' must lie strictly between 0 and 1"):
        standing.rank_interval([1.0, 2.0], [0.1, 0.1], level=95)


def test_korn_graubard_is_clopper_pearson_on_the_cut_sample():
    p, n, deff, free = 0.08, 900, 1.8, 24
    cut = n / deff * (stats.t.ppf(0.975, n - 1) / stats.t.ppf(0.975, free)) ** 2
    x = p * cut
    expected = stats.beta.ppf(0.025, x, cut - x + 1), stats.beta.ppf(0.975, x + 1, cut - x)
    assert standing.korn_graubard_interval(p, n, deff, free) == pytest.approx(expected)
    wide, wilson = (
        standing.korn_graubard_interval(p, n, deff, 3),
        standing.wilson_interval(p, n, deff),
    )
    assert wide[0] < expected[0] < wilson[1] < expected[1] < wide[1]
    low, high = standing.korn_graubard_interval(0.0, 50, 1.0, 20)
    assert low == 0 < high
    with pytest.raises(KepuError, match="'free' must be at least 1"):
        standing.korn_graubard_interval(p, n, deff, 0)


def test_korn_graubard_stands_where_degrees_of_freedom_are_known_and_wilson_elsewhere():
    p, n, deff, free = np.array([0.1, 0.1]), np.array([500.0, 500.0]), np.full(2, 2.0), [np.nan, 12]
    low, high = standing.rate_interval(p, n, deff, np.array(free))
    wilson = standing.wilson_interval(0.1, 500, 2)
    own = standing.korn_graubard_interval(0.1, 500, 2, 12)
    assert (low[0], high[0]) == pytest.approx(wilson)
    assert (low[1], high[1]) == pytest.approx(own)


def test_korn_graubard_covers_where_the_design_has_few_units():
    """Twelve clusters of forty, a design effect estimated by nobody: it is known here."""
    rng, inside = np.random.default_rng(4), []
    truth, clusters, size, icc = 0.08, 12, 40, 0.02
    a = truth * (1 / icc - 1)
    deff = 1 + (size - 1) * icc
    for _ in range(600):
        share = rng.beta(a, a * (1 - truth) / truth, size=clusters)
        p = rng.binomial(size, share).sum() / (clusters * size)
        low, high = standing.korn_graubard_interval(p, clusters * size, deff, clusters - 1)
        inside.append(low <= truth <= high)
    assert np.mean(inside) > 0.94
