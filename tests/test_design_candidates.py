"""Components, simulated surveys and candidates: known truths, second implementations, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor

from evaluation.base.errors import KepuError
from evaluation.evidence.design import candidates, components, power, simulate
from evaluation.evidence.design.candidates import Baseline, Question
from evaluation.evidence.design.power import Setting, Variance
from evaluation.models.columns import Inference, Roles
from evaluation.models.events import fit
from evaluation.stats.reml import reml

VARIANCE = Variance.of_rate(10, 0.02, 0.8, 2.0)
SETTING = Setting(VARIANCE, 400)
DECLARED = {"rate": 10.0, "icc": 0.02, "autocorrelation": 0.8, "design_effect": 2.0}


def rates(seed: int, tau: float = 3.0, kept: float = 0.7) -> tuple[np.ndarray, ...]:
    """40 regions in four waves of unequal error, a quarter of the cells missing."""
    rng = np.random.default_rng(seed)
    known = rng.uniform(0.5, 3.0, (40, 4))
    y = tau * np.sqrt(kept) * rng.normal(size=(40, 1))
    y = y + tau * np.sqrt(1 - kept) * rng.normal(size=(40, 4)) + 10 + 2 * np.arange(4)
    y = y + np.sqrt(known) * rng.normal(size=(40, 4))
    region, wave = np.divmod(np.flatnonzero(rng.random(160) < 0.75), 4)
    return y[region, wave], known[region, wave], region, wave


# ------------------------------------------------------------------------------------------
# Components.


def test_the_likelihood_peaks_where_reml_does():
    y, known, region, wave = rates(1)
    deviations, correlations, fit = components.likelihood(y, known, region, wave)
    i, j = np.unravel_index(fit.argmax(), fit.shape)
    same = (region[:, None] == region).astype(float)
    columns = (wave[:, None] == np.arange(4)).astype(float)
    found = reml(y, columns, np.diag(known), {"unit": same, "period": np.eye(len(y))})
    unit, period = found.variances["unit"], found.variances["period"]
    assert deviations[i] == pytest.approx(np.sqrt(unit + period), abs=np.diff(deviations)[0])
    assert correlations[j] == pytest.approx(unit / (unit + period), abs=0.03)


def test_the_likely_components_hold_the_truth_as_often_as_they_should(monkeypatch):
    monkeypatch.setattr(components, "CORRELATIONS", 26)  # a coarser grid, a fifth of the time
    monkeypatch.setattr(components, "DEVIATIONS", 30)
    hits = np.zeros(2)
    for seed in range(60):
        y, known, region, wave = rates(seed)
        deviations, correlations, fit = components.likelihood(y, known, region, wave)
        weights = np.exp(fit - fit.max())
        for k, (grid, truth, axis) in enumerate(((deviations, 3.0, 1), (correlations, 0.7, 0))):
            below = weights.sum(axis=axis)[grid < truth].sum() / weights.sum()
            hits[k] += 0.05 <= below <= 0.95
    assert (hits >= 47).all() and (hits <= 60).all()  # 54 expected, standard error 2.3


def test_components_come_from_the_level_that_has_rates(dataset):
    assert components.level_with_rates(dataset, "county") == dataset.unit_level
    found = components.estimated(dataset, dataset.unit_level, seed=1)
    low, high = found.interval(0)
    assert 0 < low < found.icc < high < 0.2
    assert found.regions == 31 and found.rates > 60
    assert found == components.estimated(dataset, dataset.unit_level, seed=1)


def test_a_level_without_rates_is_refused(dataset):
    with pytest.raises(KepuError, match="regions of level 'league' have rates; 10 are needed"):
        components.estimated(dataset, "league", seed=1)


def test_declared_ends_are_those_of_the_draws():
    found = components.declared(10, (0.02, 0.01, 0.05), (0.8, 0.8, 0.8), seed=2)
    assert 0.01 <= found.interval(0)[0] < 0.02 < found.interval(0)[1] <= 0.05
    assert found.interval(1) == (0.8, 0.8)
    with pytest.raises(KepuError, match="state ends around it"):
        components.declared(10, (0.02, 0.03, 0.05), (0.8, 0.8, 0.8), seed=2)


# ------------------------------------------------------------------------------------------
# Simulation by the package's estimators.


@pytest.mark.parametrize(
    "layout",
    [power.parallel(), power.with_baseline(1, 2), power.stepped(4), power.staircase(3),
     power.pairs(0.6, 1, 1), power.encouragement(0.6, 1, 2)],
    ids=lambda layout: layout.kind,
)  # fmt: skip
def test_simulated_power_of_least_squares_is_that_of_the_formula(layout):
    """On surveys of a constant rate; the formula's t test is the randomisation test's limit."""
    effect = 2.8 * power.assess(layout, 40, 1.0, SETTING).se
    middle = 10 + effect / 2
    setting = replace(SETTING, variance=Variance.of_rate(middle, 0.018, 0.8, 2.0))
    found = power.assess(layout, 40, effect, setting)
    job = simulate.Job(layout, 40, setting, effect, 10.0, 0.0, "least_squares", 1500, 3)
    result = simulate._summed(job, np.sum([simulate.piece(job, *p) for p in job.pieces], axis=0))
    assert result.power == pytest.approx(found.power, abs=4 * result.error + 0.02)
    assert result.size == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 1500))
    assert result.bias == pytest.approx(0, abs=4 * result.sd / np.sqrt(1500) + 0.02 * effect)
    assert result.sd == pytest.approx(found.se, rel=0.08)


def test_staggered_weights_are_those_of_the_event_model():
    """The value they give is the group average of ``models.events`` on the same rates."""
    layout, counts = power.stepped(4), [6, 6, 6, 6]
    made = simulate.weights(layout, counts, SETTING, "staggered")
    deal = np.repeat(np.arange(4), counts)
    y = np.random.default_rng(4).normal(10, 2, (24, 5))
    frame = pd.DataFrame(
        [(f"r{i:02d}", 2020 + t, y[i, t], 2020 + layout.start[deal[i]])
         for i in range(24) for t in range(5)],
        columns=["region", "wave", "rate", "start"],
    )  # fmt: skip
    roles = Roles("rate", ["start"], "region", "wave")
    result = fit(frame, roles, Inference(draws=199, seed=1), comparison="not_yet")
    assert (made[deal] * y).sum() == pytest.approx(result.estimate)


def test_staggered_differences_are_refused_where_nobody_is_left_to_compare_with():
    layout = power.staircase(4)
    with pytest.raises(KepuError, match="No group can be compared"):
        simulate.weights(layout, [5] * 4, SETTING, "staggered")
    assert simulate.estimable(layout, 20, SETTING) == "least_squares"
    assert simulate.estimable(power.stepped(4), 20, SETTING) == "staggered"


def test_effects_that_grow_bias_least_squares_and_not_the_staggered_differences():
    """Why the analysis takes the less powerful estimator: effects that grow with exposure."""
    layout, counts = power.stepped(4), np.array([5, 5, 5, 5])
    x = layout.matrix
    growing = np.where(x == 1, np.cumsum(x, axis=1), 0.0)  # one more point a wave
    values = {
        name: float((counts @ (simulate.weights(layout, counts, SETTING, name) * growing)).sum())
        for name in simulate.ESTIMATORS
    }
    after = growing[x == 1]
    assert after.min() <= values["staggered"] <= after.max()
    assert values["least_squares"] < values["staggered"]


def test_a_run_is_the_same_on_any_number_of_processes_and_goes_on_where_it_was(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("KEPU_CACHE", str(tmp_path))
    get_reusable_executor().shutdown()  # processes of an earlier test know another folder
    job = simulate.Job(power.stepped(3), 12, SETTING, 3.0, 10.0, 0.5, "staggered", 500, 1)
    seen: list[int] = []
    first = simulate.run([job], workers=2, watch=seen.append)
    assert seen == [250, 250]
    files = sorted((tmp_path / "simulations").glob("*.pickle"))
    assert len(files) == 2
    files[0].unlink()
    stamp = files[1].stat().st_mtime_ns
    assert simulate.run([job], workers=1) == first
    assert files[0].exists() and files[1].stat().st_mtime_ns == stamp


# ------------------------------------------------------------------------------------------
# Candidates.


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return candidates.from_record(DECLARED | {"icc_range": [0.01, 0.04]}, seed=1)


QUESTION = Question("150000", "county", 103, 2.0, waves=(2, 4), respondents=(100, 400),
                    interview=50.0, programme=10_000.0)  # fmt: skip


def test_the_package_gives_the_baseline_and_says_what_stands_in(dataset):
    found = candidates.from_package(dataset, "150000", "county", years=2.0, seed=1)
    assert found.rate == 10.04
    assert found.trend == pytest.approx(2 * 0.596, abs=0.01)
    assert found.origins["rate"] == "package"
    assert found.origins["icc"] == "stands_in" and found.origins["design_effect"] == "assumed"
    below = candidates.from_package(dataset, "150100", "county", years=2.0, seed=1)
    assert below.origins["rate"] == "stands_in" and below.rate == 10.04


def test_every_candidate_is_the_formula_at_the_rate_in_the_middle(baseline):
    found = candidates.compare(QUESTION, baseline)
    kinds = {each.layout.kind for each in found}
    assert kinds == {"baseline", "stepped", "staircase", "pairs", "encouragement"}
    one = next(x for x in found if x.layout.kind == "stepped" and x.setting.respondents == 400)
    setting = Setting(Variance.of_rate(11, 0.02, 0.8, 2.0), 400)
    assert one.assessed == power.assess(power.stepped(3), 103, 2.0, setting)
    assert one.low < one.assessed.power < one.high


def test_costs_are_interviews_and_units_times_their_price(baseline):
    found = candidates.compare(QUESTION, baseline)
    one = next(x for x in found if x.layout.kind == "staircase" and x.setting.respondents == 100)
    assert one.interviews == 103 * 3 * 100  # each unit in three of the four waves
    assert (one.survey_cost, one.programme_cost) == (103 * 3 * 100 * 50, 103 * 10_000)
    half = next(x for x in found if x.layout.kind == "baseline" and x.setting.respondents == 100)
    assert half.treated == 52 and half.cost == half.interviews * 50 + 520_000
    assert half.affordable is None
    unknown = candidates.compare(replace(QUESTION, interview=None), baseline)[0]
    assert unknown.survey_cost is None and unknown.cost is None


def test_a_budget_rules_out_what_costs_more(baseline):
    found = candidates.compare(replace(QUESTION, budget=1.6e6), baseline)
    assert {each.affordable for each in found} == {True, False}
    assert all(each.affordable == (each.cost <= 1.6e6) for each in found)
    short = candidates.shortlist(found, 0.8)
    dear = {x.layout.kind for x in found} - {x.layout.kind for x in found if x.affordable}
    assert all(each.affordable or each.layout.kind in dear for each in short)


def test_locks_are_capped_as_evidence_is():
    assert candidates.locks(power.stepped(4), 103) == 5
    assert candidates.locks(power.stepped(4), 12) == 3  # fewer than 20 regions
    assert candidates.locks(power.with_baseline(), 103) == 5  # a lot needs no earlier survey
    assert candidates.locks(power.parallel(3), 103) == 4  # but its balance cannot be looked at
    assert candidates.locks(power.with_baseline(), 4) == 2  # three or fewer to compare with


def test_how_often_one_unit_sways_the_result_is_counted_unit_by_unit():
    """Every unit left out in turn of a difference in changes, the deals drawn again by hand."""
    layout, units = power.with_baseline(), 6
    setting = power.Setting(power.Variance.of_rate(12, 0.01, 0.5, 2.0), 200)
    job = simulate.Job(layout, units, setting, 0.0, 12.0, 0.0, "staggered", 200, 3)
    deals = simulate.permuted(layout, units, job.seed)
    x, rng = layout.matrix[deals[0]], np.random.default_rng([job.seed, 1])
    swayed = 0
    for rates in simulate.surveys(job, x, 0.0, job.sims, rng):
        change = rates[:, 1] - rates[:, 0]

        def apart(deal, kept, change=change):
            first = layout.start[deal] > 0
            return change[first & kept].mean() - change[~first & kept].mean()

        whole = np.ones(units, dtype=bool)
        own, *others = (apart(deal, whole) for deal in deals)
        without = [apart(deals[0], np.arange(units) != i) for i in range(units)]
        swayed += np.abs(np.array(without) - own).max() > np.sqrt(np.mean(np.square(others)))
    assert simulate.unstable(job) == pytest.approx(swayed / job.sims)
    assert 0 < swayed < job.sims


def test_the_chance_of_a_clean_grade_is_that_of_balance_where_no_unit_can_sway(baseline):
    large = candidates.compare(replace(QUESTION, waves=(2,)), baseline)[0]
    assert large.assessed.units == 103 and large.clean == pytest.approx(0.95)
    few = replace(QUESTION, units=8, waves=(4,), effect=5.0)
    small = candidates.compare(few, baseline)[0]
    assert small.clean < 0.95
    after = next(x for x in candidates.compare(replace(QUESTION, waves=(1,)), baseline)
                 if x.layout.kind == "parallel")  # fmt: skip
    assert after.locks == 4 and after.clean == 1.0  # no balance to fail, and a lock less for it


def test_the_best_has_the_power_then_most_locks_then_fewest_interviews(baseline):
    found = candidates.compare(QUESTION, baseline)
    one = candidates.best(found, 0.8)
    assert one.assessed.power >= 0.8
    rivals = [x for x in found if x.assessed.power >= 0.8]
    assert one.locks == max(x.locks for x in rivals)
    assert one.interviews == min(x.interviews for x in rivals if x.locks == one.locks)
    weak = candidates.compare(replace(QUESTION, effect=0.05), baseline)
    assert candidates.best(weak, 0.8).assessed.power == max(x.assessed.power for x in weak)


def test_the_shortlist_has_the_cheapest_that_suffices_and_the_strongest(baseline):
    found = candidates.compare(QUESTION, baseline)
    short = candidates.shortlist(found, 0.8)
    for kind in {each.layout.kind for each in found}:
        own = [each for each in found if each.layout.kind == kind]
        assert max(own, key=lambda x: (x.assessed.power, -x.interviews)) in short
        if enough := [each for each in own if each.assessed.power >= 0.8]:
            assert min(enough, key=lambda x: (x.interviews, x.layout.periods)) in short


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rate": 0}, "'rate' must lie between 0 and 100"),
        ({"icc": "high"}, "'icc' of the baseline is 'high'"),
        ({"icc": None, "drop": "icc"}, "lacks icc"),
        ({"variance": 3}, "no 'variance'; known: rate, icc"),
        ({"icc_range": [0.01]}, "write two numbers"),
        ({"design_effect": 0.5}, "'design_effect' must be at least 1"),
    ],
)
def test_declared_baselines_that_are_none_are_refused(change, told):
    record = DECLARED | {k: v for k, v in change.items() if k != "drop"}
    record.pop(change.get("drop", ""), None)
    with pytest.raises(KepuError, match=told):
        candidates.from_record(record, seed=1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"units": 3}, "'units' is 3"), ({"effect": 0.0}, "'effect' must be positive"),
        ({"years": 0}, "'years' between waves"), ({"waves": ()}, "'waves' must be whole"),
        ({"respondents": (0,)}, "'respondents' must be whole"),
        ({"budget": -1.0}, "'budget' must be at least 0"),
    ],
)  # fmt: skip
def test_questions_that_cannot_be_asked_are_refused(change, told):
    with pytest.raises(KepuError, match=told):
        replace(QUESTION, **change)


def test_jobs_that_cannot_be_run_are_refused():
    usual = (power.stepped(3), 12, SETTING, 3.0)
    with pytest.raises(KepuError, match="Unknown estimator"):
        simulate.Job(*usual, 10.0, 0.0, "magic", 10, 1)
    with pytest.raises(KepuError, match="'sims' must be at least 1"):
        simulate.Job(*usual, 10.0, 0.0, "staggered", 0, 1)
    with pytest.raises(KepuError, match="'rate' must lie between"):
        simulate.Job(*usual, 0.0, 0.0, "staggered", 10, 1)
