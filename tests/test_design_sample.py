"""Sample sizes: Cochran's worked example, formulas worked by hand, two stages by simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evaluation.base.errors import KepuError
from evaluation.evidence.design import sample
from evaluation.evidence.design.sample import Survey

TWO = 2 * stats.norm.cdf(2) - 1  # the level whose quantile is 2, as the book rounds it
SIMPLE = Survey(rate=40, margin=5, level=TWO, take=1, icc=0)


def test_cochran_s_islanders():
    """Sampling Techniques, section 4.4: 384 of many; of 3,200 people 343 (40 %, 5 points, t 2)."""
    assert sample.size(SIMPLE).respondents == 384
    assert sample.size(replace(SIMPLE, population=3200)).respondents == 343


def test_the_textbook_385():
    assert sample.size(Survey(rate=50, margin=5, take=1, icc=0)).respondents == 385


def test_two_stages_unequal_weights_and_refusals_add_up():
    """1.96² · 10 · 90 / 2² = 864.3; times 1 + 14 · 0.05 = 1.7 and 1.2: 1,764; 80 % answer."""
    survey = Survey(rate=10, margin=2, take=15, icc=0.05, weighting=1.2, response=0.8,
                    visit=600, interview=80)  # fmt: skip
    found = sample.size(survey)
    assert found.design_effect == pytest.approx(2.04)
    assert found.respondents == 1764
    assert found.asked == 2205
    assert found.primary == 118
    assert found.cost == 118 * 600 + 1764 * 80
    assert sample.size(replace(survey, visit=None)).cost is None


@pytest.mark.parametrize("people", [float("inf"), 5000])
def test_the_margin_of_a_size_is_the_margin_asked_for(people):
    survey = Survey(rate=12, margin=3, icc=0.03, population=people)
    found = sample.size(survey).respondents
    assert sample.margin(survey, found) <= 3.0
    assert sample.margin(survey, found - 2) > 3.0 - 0.02
    assert sample.margin(survey, found // 2) > 3.5


def test_the_design_effect_is_that_of_simulated_two_stage_samples():
    """Beta-binomial primary units with correlation 0.05, 20 of each, 50 units a sample."""
    rng, p, icc, take, primary = np.random.default_rng(6), 0.2, 0.05, 20, 50
    own = rng.beta(p * (1 - icc) / icc, (1 - p) * (1 - icc) / icc, (20_000, primary))
    means = rng.binomial(take, own).sum(axis=1) / (take * primary)
    found = means.var() / (p * (1 - p) / (take * primary))
    expected = Survey(rate=20, margin=2, take=take, icc=icc).design_effect
    assert found == pytest.approx(expected, rel=0.04)


def test_a_key_group_needs_its_own_number_in_every_region():
    """A fifth of adults: its 865 respondents (effect of 3 of it in a unit: 1.1) times five."""
    survey = Survey(rate=10, margin=2, take=15, icc=0.05)
    one, few = sample.by_domain(survey, {"A": float("inf"), "B": 9000}, {"farmers": 0.2})
    assert one.binding == "farmers"
    group = replace(survey, take=3)
    assert one.sample.respondents == sample.size(group).respondents * 5
    assert one.margins["farmers"] == pytest.approx(2.0, abs=0.01)
    assert one.margins[""] < 1.5
    assert few.sample.respondents < one.sample.respondents
    wide = sample.by_domain(survey, {"A": float("inf")}, {"farmers": 0.2}, group_margin=6)[0]
    assert wide.binding == "" and wide.sample == sample.size(survey)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Survey(rate=0, margin=2), "'rate' must lie between 0 and 100"),
        (lambda: Survey(rate=10, margin=0), "'margin' must lie between 0 and 100"),
        (lambda: Survey(rate=10, margin=2, level=1), "'level' must lie between 0 and 1"),
        (lambda: Survey(rate=10, margin=2, take=0), "'take' must be at least 1"),
        (lambda: Survey(rate=10, margin=2, icc=1), "'icc' must be at least 0"),
        (lambda: Survey(rate=10, margin=2, weighting=0.9), "'weighting' must be at least 1"),
        (lambda: Survey(rate=10, margin=2, response=0), "'response' must lie above 0"),
        (lambda: Survey(rate=10, margin=2, population=0), "'population' must be at least 1"),
        (lambda: Survey(rate=10, margin=2, visit=-1), "'visit' must be at least 0"),
        (lambda: sample.margin(SIMPLE, 0), "'respondents' must be at least 1"),
        (lambda: sample.by_domain(SIMPLE, {}), "No region is given"),
        (lambda: sample.by_domain(SIMPLE, {"A": 9}, {"old": 0.0}), "share of 'old'"),
    ],
)
def test_refusals(call, told):
    with pytest.raises(KepuError, match=told):
        call()
