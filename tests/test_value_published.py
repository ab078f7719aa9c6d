"""Published worked examples of cost-effectiveness."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.base.errors import KepuError, ModelError
from evaluation.value import effects as cea
from evaluation.value.effects import from_draws

# Briggs, Claxton & Sculpher (2006), Decision Modelling for Health Economic Evaluation, example
# 2.5, after Chancellor et al. (1997), Pharmacoeconomics 12:54-66: zidovudine alone against
# zidovudine and lamivudine in HIV. Yearly transitions between CD4 200-500, CD4 < 200, AIDS, death.
# Counts, costs and results with all their digits as in the R package heemod
# (tests/testthat/test_dmhee.R), which takes them from the spreadsheet that belongs to the book.
COUNTS = [[1251, 350, 116, 17], [0, 731, 512, 15], [0, 0, 1312, 437], [0, 0, 0, 1]]
CARE = np.array([1701 + 1055, 1774 + 1278, 6948 + 2059, 0])
ZIDOVUDINE, LAMIVUDINE, RELATIVE_RISK = 2278.0, 2086.5, 0.509


def hiv(years_of_both: int) -> tuple[float, float]:
    """Life years (undiscounted) and cost (6 % a year) of a cohort over twenty years."""
    alone = np.array(COUNTS, dtype=float)
    alone /= alone.sum(axis=1, keepdims=True)
    both = np.triu(alone, 1) * RELATIVE_RISK
    both += np.diag(1 - both.sum(axis=1))
    state, life, cost = np.array([1.0, 0, 0, 0]), 0.0, 0.0
    for year in range(1, 21):
        treated = year <= years_of_both
        state = state @ (both if treated else alone)
        drugs = ZIDOVUDINE + LAMIVUDINE * treated
        life += state[:3].sum()
        cost += (state @ CARE + state[:3].sum() * drugs) / 1.06**year
    return life, cost


def test_the_textbook_ratio_of_combination_therapy_is_6276_pounds_a_life_year():
    (life0, cost0), (life1, cost1) = hiv(0), hiv(2)
    decision = cea.two_options([life1 - life0] * 3, [cost1 - cost0] * 3)
    assert (cost0, cost1) == pytest.approx((44663.4535637, 50601.6513312), abs=1e-6)
    assert (life0, life1) == pytest.approx((7.9912066, 8.9373889), abs=5e-8)
    assert from_draws(decision).value == pytest.approx(6275.95560, abs=5e-6)


# Halton, Cook, Whitby, Paterson & Graves (2009), Critical Care 13:R35, table 2
# (doi 10.1186/cc7744): monetary net benefits of standard practice, treatment A and treatment B in
# five equally likely simulations; means 116, 126 and 124, best in 40, 20 and 40 % of them.
SIMULATIONS = np.array(
    [[140, 150, 160], [100, 110, 120], [110, 100, 100], [100, 150, 130], [130, 120, 110]], float
)
# PubMed Central article PMC4323782, table 1, a worked example of the value of information in ten
# draws: cost and net benefit at 100,000 dollars a life year of warfarin and of the occlusion of
# the left atrial appendage; means 435,839.7 and 443,750.5, occlusion best in 7 of 10, best of each
# draw 446,688.0 on average, knowing worth 2,937.4.
WARFARIN = [
    (19688.0, 438601.6), (19881.7, 437745.5), (20766.8, 433453.8), (20168.7, 435035.0),
    (20220.2, 437617.4), (20343.2, 435430.2), (20780.0, 434030.5), (20961.1, 433893.7),
    (20019.8, 435033.6), (19700.8, 437555.7),
]  # fmt: skip
OCCLUSION = [
    (32138.6, 419543.2), (20514.9, 463363.4), (19104.7, 467280.0), (26638.2, 440207.7),
    (24538.2, 449992.3), (25111.0, 445595.7), (31271.0, 424200.5), (28563.7, 435406.7),
    (27927.6, 434547.6), (21898.9, 457368.1),
]  # fmt: skip
WORTH = 100_000.0


def decision(net_benefits: np.ndarray) -> cea.Decision:
    """At a willingness to pay of 1 the effects are the net benefits."""
    return cea.Decision(net_benefits, np.zeros_like(net_benefits))


def test_published_acceptability_and_the_option_best_on_average():
    tried = decision(SIMULATIONS)
    assert cea.net_benefit(tried, 1)[0].mean(axis=0).tolist() == [116, 126, 124]
    assert cea.acceptability(tried, 1)[0] == pytest.approx([0.4, 0.2, 0.4])
    best, probability = cea.frontier(tried, 1)
    assert (best[0], probability[0]) == (1, pytest.approx(0.2))


def test_published_value_of_perfect_information():
    """Effects are what the table's net benefits and costs say; it rounds them to two decimals."""
    costs, benefits = np.array([WARFARIN, OCCLUSION]).transpose(2, 1, 0)
    tried = cea.Decision((benefits + costs) / WORTH, costs)
    assert tried.effects.mean(axis=0).round(2).tolist() == [4.56, 4.70]
    means = cea.net_benefit(tried, WORTH)[0].mean(axis=0)
    assert means == pytest.approx([435839.7, 443750.5], abs=0.06)
    assert cea.expected_incremental_benefit(tried, WORTH)[0] == pytest.approx(
        443750.5 - 435839.7, abs=0.12
    )
    assert cea.acceptability(tried, WORTH)[0] == pytest.approx([0.3, 0.7])
    assert cea.perfect_information(tried, WORTH)[0] == pytest.approx(2937.4, abs=0.06)


@pytest.mark.parametrize("d", [0.0, 0.5, 1.0])
def test_value_of_information_of_a_normal_benefit_is_the_unit_normal_loss(d):
    """For a standard normal less d it is φ(d) - d(1 - Φ(d)), the loss function of a normal."""
    u = (np.arange(200_000) + 0.5) / 200_000
    found = cea.perfect_information(cea.two_options(stats.norm.ppf(u) - d, 0.0), 1)[0]
    assert found == pytest.approx(stats.norm.pdf(d) - d * stats.norm.sf(d), abs=5e-5)


def test_partial_information_of_the_parameter_that_is_all_is_all_and_of_noise_is_nothing():
    rng = np.random.default_rng(1)
    effect, cost = rng.normal(0.1, 1, 20_000), np.full(20_000, 0.1)
    tried, k = cea.two_options(effect, cost), [1.0]
    whole = cea.perfect_information(tried, k)[0]
    assert cea.partial_information(tried, effect, k)[0] == pytest.approx(whole, rel=0.02)
    noise = cea.partial_information(tried, rng.normal(size=20_000), k)[0]
    assert 0 <= noise < 0.03 * whole


def test_no_ratio_where_the_effect_may_be_zero():
    rng = np.random.default_rng(2)
    with pytest.raises(ModelError, match="interval of the effect holds zero: no cost per unit"):
        from_draws(cea.two_options(rng.normal(1, 1, 4000), 1.0))


def test_a_decision_needs_two_options_and_finite_draws():
    with pytest.raises(KepuError, match="at least two options"):
        cea.Decision(np.zeros((3, 1)), np.zeros((3, 1)))
    with pytest.raises(KepuError, match="must be finite"):
        cea.two_options([np.inf, 1], 0.0)
