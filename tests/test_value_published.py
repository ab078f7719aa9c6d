"""Published worked examples of cost-effectiveness and of data envelopment analysis."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluation.errors import KepuError, ModelError
from evaluation.value import cea
from evaluation.value.dea import Reference, output_factors
from evaluation.value.ratio import fieller, from_draws

# Briggs, Claxton & Sculpher (2006), Decision Modelling for Health Economic Evaluation, example
# 2.5, after Chancellor et al. (1997), Pharmacoeconomics 12:54-66: zidovudine alone against
# zidovudine and lamivudine in HIV. Yearly transitions between CD4 200-500, CD4 < 200, AIDS, death.
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
    assert (round(cost0), round(cost1)) == (44663, 50602)
    assert round(cea.break_even(decision)) == 6276
    assert round(from_draws(decision).value) == 6276


# Halton, Cook, Whitby, Paterson & Graves (2009), Critical Care 13:R35, table 2: monetary net
# benefits of standard practice, treatment A and treatment B in five equally likely simulations.
SIMULATIONS = np.array(
    [[140, 150, 160], [100, 110, 120], [110, 100, 100], [100, 150, 130], [130, 120, 110]], float
)
# Claxton, "Expected value of perfect information", in Kattan (ed., 2009), Encyclopedia of Medical
# Decision Making: B gains 1 on average, is best in 3 of 5 possibilities, and knowing is worth 0.6.
POSSIBILITIES = np.array([[9, 12], [12, 10], [14, 17], [11, 10], [14, 16]], float)


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
    tried = decision(POSSIBILITIES)
    assert cea.expected_incremental_benefit(tried, 1)[0] == pytest.approx(1)
    assert cea.acceptability(tried, 1)[0, 1] == pytest.approx(0.6)
    assert cea.perfect_information(tried, 1)[0] == pytest.approx(0.6)
    assert cea.opportunity_loss(tried, 1).tolist() == [0, 2, 0, 1, 0]


# Unit normal linear loss, Raiffa & Schlaifer (1961), Applied Statistical Decision Theory.
@pytest.mark.parametrize(("d", "loss"), [(0.0, 0.3989), (0.5, 0.1978), (1.0, 0.08332)])
def test_value_of_information_is_the_tabled_unit_normal_loss(d, loss):
    u = (np.arange(200_000) + 0.5) / 200_000
    benefit = stats.norm.ppf(u) - d
    assert cea.perfect_information(cea.two_options(benefit, 0.0), 1)[0] == pytest.approx(
        loss, abs=5e-4
    )


def test_partial_information_of_the_parameter_that_is_all_is_all_and_of_noise_is_nothing():
    rng = np.random.default_rng(1)
    effect, cost = rng.normal(0.1, 1, 20_000), np.full(20_000, 0.1)
    tried, k = cea.two_options(effect, cost), [1.0]
    whole = cea.perfect_information(tried, k)[0]
    assert cea.partial_information(tried, effect, k)[0] == pytest.approx(whole, rel=0.02)
    noise = cea.partial_information(tried, rng.normal(size=20_000), k)[0]
    assert 0 <= noise < 0.03 * whole
    averse = cea.risk_averse_information(tried, k, 1e-6)[0]
    assert averse == pytest.approx(whole, rel=1e-3)


def test_the_plane_counts_every_draw_once():
    tried = cea.two_options([1, 1, -1, -1, 0], [1, -1, 1, -1, 1])
    found = cea.plane(tried)
    assert sum(found.values()) == pytest.approx(1)
    assert found["worse_dearer"] == pytest.approx(0.4)  # no effect at a cost is no gain


def test_no_ratio_where_the_effect_may_be_zero():
    rng = np.random.default_rng(2)
    with pytest.raises(ModelError, match="interval of the effect holds zero: no cost per unit"):
        from_draws(cea.two_options(rng.normal(1, 1, 4000), 1.0))
    with pytest.raises(ModelError, match="Fieller's interval is unbounded"):
        fieller(1, 1, 10, 1)


def test_fieller_and_draws_agree_where_both_hold():
    rng = np.random.default_rng(3)
    effect, cost = rng.normal(10, 1, 200_000), rng.normal(100, 5, 200_000)
    drawn, exact = from_draws(cea.two_options(effect, cost)), fieller(10, 1, 100, 5)
    assert drawn.low == pytest.approx(exact.low, rel=0.01)
    assert drawn.high == pytest.approx(exact.high, rel=0.01)


def test_a_decision_needs_two_options_and_finite_draws():
    with pytest.raises(KepuError, match="at least two options"):
        cea.Decision(np.zeros((3, 1)), np.zeros((3, 1)))
    with pytest.raises(KepuError, match="must be finite"):
        cea.two_options([np.inf, 1], 0.0)


# Cooper, Seiford & Tone (2007), Data Envelopment Analysis, 2nd ed., Springer: example 2.2 (six
# units, two inputs, one output) and the twelve hospitals of table 1.5 (doctors and nurses;
# outpatients and inpatients), CCR scores.
SIX = [[4, 3], [7, 3], [8, 1], [4, 2], [2, 4], [10, 1]]
DOCTORS = [20, 19, 25, 27, 22, 55, 33, 31, 30, 50, 53, 38]
NURSES = [151, 131, 160, 168, 158, 255, 235, 206, 244, 268, 306, 284]
OUTPATIENTS = [100, 150, 160, 180, 94, 230, 220, 152, 190, 250, 260, 250]
INPATIENTS = [90, 50, 55, 72, 66, 90, 88, 80, 100, 100, 147, 120]
HOSPITALS = [1, 1, 0.883, 1, 0.763, 0.835, 0.902, 0.796, 0.960, 0.871, 0.955, 0.958]


def test_published_scores_of_the_six_units():
    scores = 1 / output_factors(SIX, np.ones((6, 1)), "constant")
    assert scores.round(4).tolist() == [0.8571, 0.6316, 1, 1, 1, 1]


def test_published_scores_of_the_twelve_hospitals():
    inputs, outputs = np.c_[DOCTORS, NURSES], np.c_[OUTPATIENTS, INPATIENTS]
    assert (1 / output_factors(inputs, outputs, "constant")).round(3).tolist() == HOSPITALS


def test_the_corners_give_what_the_linear_programs_give():
    rng = np.random.default_rng(4)
    inputs, output = rng.uniform(1, 5, (20, 3)), rng.uniform(1, 5, 20)
    factors = output_factors(inputs, output[:, None])
    assert Reference(inputs).best(output)[0] / output == pytest.approx(factors, abs=1e-9)


def test_envelopment_refuses_what_it_cannot_read():
    with pytest.raises(ModelError, match="must be above 0, none missing"):
        output_factors([[0.0], [1.0]], [[1], [1]])
    with pytest.raises(ModelError, match="use constant or variable"):
        output_factors([[1.0], [1.0]], [[1], [1]], "falling")
