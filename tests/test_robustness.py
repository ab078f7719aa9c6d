"""Each check on panels whose truth is known, and against second computations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evaluation import models
from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import Result
from evaluation.base.text import LANGUAGES, t
from evaluation.evidence import curve
from evaluation.evidence import error as draws
from evaluation.evidence.checks import (
    Estimated,
    _strength,
    benchmarks,
    collinearity,
    rebuilder,
    robustness_value,
)
from evaluation.evidence.curve import curve as parts_of
from evaluation.evidence.grade import NEEDED, Design, grade
from evaluation.evidence.headline import CHECKS, run_checks
from evaluation.models.columns import GAINS, LEVELS, Inference, Roles, equation
from evaluation.stats.least_squares import fgls_many, least_squares

ROLES = Roles(
    outcome="annual",
    doses=["log2_dose"],
    covariates=["x"],
    region="region_code",
    wave="interval",
    variance="v",
)
RUN = Inference(draws=199, seed=1)


def made(seed=0, regions=24, intervals=4, effect=0.5, covariate=0.3, link=0.3, noise=0.5):
    """Generated gains: a lasting and a passing part of the dose, a covariate linked with it."""
    rng = np.random.default_rng(seed)
    size = regions * intervals
    lasting = np.repeat(rng.normal(size=regions), intervals)
    frame = pd.DataFrame(
        {
            "region_code": np.repeat([f"{i:02d}0000" for i in range(regions)], intervals),
            "interval": np.tile([f"201{t}-201{t + 1}" for t in range(intervals)], regions),
            "x": rng.normal(size=size),
            "v": rng.uniform(0.05, 0.2, size),
            "crosses_break": np.tile(np.arange(intervals) % 2 == 1, regions),
        }
    )
    frame["log2_dose"] = link * frame["x"] + 0.7 * lasting + 0.7 * rng.normal(size=size)
    error = rng.normal(size=size) * np.sqrt(frame["v"] + noise**2)
    frame["annual"] = 1 + effect * frame["log2_dose"] + covariate * frame["x"] + error
    return frame


def estimated(frame, roles=ROLES, model=GAINS, **more) -> Estimated:
    result = models.named(model).fit(frame, roles, RUN)
    return Estimated(frame, result, roles, RUN, **{"smallest": 0.25, **more})


def value(check, name) -> float:
    """One number of a check's sentence."""
    return check.values[name]


@pytest.fixture(scope="module")
def clean():
    return estimated(made())


@pytest.fixture(scope="module")
def provinces(study):
    """The gains of the provinces with the inputs as the report estimates them."""
    roles = replace(
        ROLES,
        doses=["log2_personnel"],
        covariates=["opening", "log2_gdp_per_capita", "college_share"],
        variance="annual_variance",
        spans=("wave_from", "wave_to", "annual_opening_variance"),
    )
    rebuild = rebuilder(study.dataset, study.provinces)
    return estimated(study.provinces, roles, rates=study.rates, rebuild=rebuild, smallest=0.1)


# The arrays behind the checks


@pytest.mark.parametrize("variance", ["v", None])
@pytest.mark.parametrize("model", [GAINS, LEVELS])
def test_the_equations_are_those_of_the_model(model, variance):
    frame = made(3)
    frame.loc[[4, 9], "x"] = np.nan
    frame = frame.drop(index=[81, 82, 83])  # one region keeps one gain
    roles = replace(ROLES, variance=variance)
    made_of, result = equation(model, frame, roles), estimated(frame, roles, model).result
    assert made_of.fit().coefficients[-1] == pytest.approx(result.estimate, rel=1e-9)
    assert len(made_of.y) == result.observations


@pytest.mark.parametrize("model", [GAINS, LEVELS])
def test_many_fits_at_once_are_the_fits_one_by_one(model):
    frame = made(5)
    eqs = equation(model, frame, ROLES)
    names = frame["region_code"].unique()[:4]
    masks = np.array([eqs.clusters != name for name in names])
    many = fgls_many(eqs, masks)[:, -1]
    single = [
        estimated(frame[frame["region_code"] != n], model=model).result.estimate for n in names
    ]
    np.testing.assert_allclose(many, single, rtol=1e-7)


def test_a_dose_a_subset_does_not_identify_is_missing():
    frame = made(5).assign(log2_dose=lambda f: (f["interval"] == "2010-2011") * f["log2_dose"])
    eqs = equation(GAINS, frame, ROLES)
    found = fgls_many(eqs, (eqs.periods != "2010-2011")[None, :])
    assert np.isnan(found[0, -1])
    assert np.isfinite(found[0, eqs.names.index("x")])


@pytest.mark.parametrize("model", [GAINS, LEVELS])
def test_a_refit_has_the_inference_of_the_model(model):
    context = estimated(made(5), model=model)
    again, result = context.refit(context.panel), context.result
    for name in ("estimate", "se", "low", "high", "p", "clusters", "observations"):
        assert getattr(again, name) == pytest.approx(getattr(result, name), rel=1e-9), name
    assert again.verdict == result.verdict
    few = context.panel[context.panel["region_code"] < "090000"]
    with pytest.raises(ModelError, match="9 regions remain; at least 10"):
        context.refit(few)


def test_a_remnant_of_the_panel_is_not_refitted():
    frame = made(5, regions=15, intervals=2)
    frame = frame[(frame["interval"] == "2010-2011") | (frame["region_code"] < "020000")]
    context = estimated(frame)
    check = CHECKS["placebo"](context)  # two regions have a next interval
    assert check.passed is None
    assert "2 regions remain" in check.rows[0]["reason"]
    wide = frame.assign(**{f"z{i}": np.random.default_rng(i).normal(size=17) for i in range(5)})
    with pytest.raises(ModelError, match="8 degrees of freedom are left; at least 10"):
        context.refit(wide, covariates=["x", *(f"z{i}" for i in range(5))])


# Leave one out


def test_a_stable_estimate_stays_where_it_is(clean):
    for name in ("leave_one_region_out", "leave_one_wave_out", "breaks"):
        assert CHECKS[name](clean).passed is True, name


def test_leaving_out_one_region_shows_the_refits(clean):
    check = CHECKS["leave_one_region_out"](clean)
    table = check.table().set_index("left_out")["estimate"]
    frame = clean.panel[clean.panel["region_code"] != "070000"]
    assert len(table) == value(check, "count") == 24
    assert table["070000"] == pytest.approx(estimated(frame).result.estimate, rel=1e-7)
    assert value(check, "low") == table.min()


def test_one_region_that_makes_the_estimate_is_found():
    frame = made(1, effect=0.0, noise=0.05)
    frame["annual"] -= 0.05 * frame["log2_dose"]
    odd = frame["region_code"] == "050000"
    frame.loc[odd, "log2_dose"] += 6
    frame.loc[odd, "annual"] += 6
    context = estimated(frame)
    check = CHECKS["leave_one_region_out"](context)
    assert context.result.estimate > 0
    assert check.passed is False
    moved = check.table().query("shift > 1")["left_out"].tolist()
    assert moved == ["050000"]
    assert value(check, "changes") == 1


def test_one_interval_that_makes_the_estimate_is_found():
    frame = made(2, effect=-0.3, noise=0.1)
    odd = frame["interval"] == "2011-2012"
    frame.loc[odd, "annual"] += 3.0 * frame.loc[odd, "log2_dose"]
    check = CHECKS["leave_one_wave_out"](estimated(frame))
    assert check.passed is False
    moved = check.table().query("shift > 2").sort_values("shift")
    assert moved["left_out"].iloc[-1] == "2011-2012"
    assert CHECKS["breaks"](estimated(frame)).passed is False


def test_no_break_is_no_pass(clean):
    calm = clean.panel.assign(crosses_break=False)
    check = CHECKS["breaks"](estimated(calm))
    assert check.passed is None
    assert check.rows[0]["reason"] == "No gain crosses a break."


# Placebo


def test_a_trait_of_the_region_behind_dose_and_gain_fails_the_placebo():
    frame = made(4, effect=0.0, regions=40)
    trait = frame.groupby("region_code")["log2_dose"].transform("mean")
    frame["annual"] += 2 * trait
    context = estimated(frame)
    assert context.result.low > 0  # the model itself is taken in
    assert CHECKS["placebo"](context).passed is False


def test_a_placebo_passes_only_if_it_could_have_failed():
    context = estimated(made(6, regions=40, noise=0.2))
    strong = CHECKS["placebo"](replace(context, smallest=0.8))
    weak = CHECKS["placebo"](replace(context, smallest=0.02))
    assert strong.passed is True
    assert value(strong, "minimum_detectable") < value(strong, "smallest") == 0.8
    assert weak.passed is None
    assert weak.key == "check.placebo.unclear"
    # Three times what was declared is as far as the reference goes.
    assert value(weak, "minimum_detectable") > value(weak, "smallest") == pytest.approx(0.06)
    unset = CHECKS["placebo"](replace(context, smallest=None))
    assert "No smallest effect of interest is declared" in unset.rows[0]["reason"]


def test_the_placebo_uses_the_next_dose_of_the_same_region(clean):
    from evaluation.evidence.checks import LEAD, with_lead

    shuffled = clean.panel.sample(frac=1, random_state=1)
    lead = with_lead(replace(clean, panel=shuffled)).set_index(["region_code", "interval"])[LEAD]
    dose = clean.panel.set_index(["region_code", "interval"])["log2_dose"]
    assert lead["030000", "2011-2012"] == dose["030000", "2012-2013"]
    assert np.isnan(lead["030000", "2013-2014"])


# Unobserved confounding


def test_the_published_robustness_values_of_darfur():
    """Cinelli & Hazlett (2020), table 1: 0.097 (0.023), t 4.184, 783 degrees of freedom."""
    assert round(robustness_value(4.184, 1, 783), 3) == 0.139


def test_a_robustness_value_is_where_the_bias_reaches_the_estimate():
    rv = robustness_value(1.3, 0.4, 55)
    bias = 0.4 * np.sqrt(55) * np.sqrt(rv * rv / (1 - rv))
    assert bias == pytest.approx(1.3)


@pytest.mark.parametrize("bad", [(1, 0, 50), (1, 1, 1), (np.nan, 1, 50)])
def test_a_robustness_value_needs_an_estimate_with_an_error(bad):
    with pytest.raises(ModelError, match="se > 0"):
        robustness_value(*bad)


def test_leaving_a_covariate_out_shifts_the_estimate_by_the_bias_of_its_partial_r2():
    """The omitted-variable identity that the robustness value rests on."""
    eqs = equation(GAINS, made(7), replace(ROLES, variance=None))
    full = least_squares(eqs.y, eqs.X)
    x = eqs.names.index("x")
    short = least_squares(eqs.y, np.delete(eqs.X, x, axis=1))
    row = benchmarks(eqs.y, eqs.X, eqs.names, ["x"], "log2_dose")[0]
    se = np.sqrt(short.bread[-1, -1] * (short.residuals @ short.residuals) / short.free)
    r = row["r2_with_dose"], row["r2_with_outcome"]
    bias = se * np.sqrt(short.free) * np.sqrt(r[1] * r[0] / (1 - r[0]))
    assert abs(short.coefficients[-1] - full.coefficients[-1]) == pytest.approx(bias, rel=1e-9)


def test_a_covariate_is_as_strong_as_the_bound_says():
    """Bounds of Cinelli & Hazlett (2020), equation 11, turned to equal strength."""
    d, y = 0.05, 0.10
    dose = d / (1 - d)
    shared = d**2 / ((1 - d) * (1 - d))
    outcome = ((1 + np.sqrt(shared)) / np.sqrt(1 - shared)) ** 2 * y / (1 - y)
    s = _strength(d, y)
    assert s**2 / (1 - s) == pytest.approx(outcome * dose / (1 - dose))
    assert _strength(0.6, 0.1) == 1.0


def test_a_strong_covariate_fails_and_a_weak_one_passes():
    confounded = estimated(made(8, covariate=1.0, link=1.5), smallest=0.05)
    failed = CHECKS["robustness_value"](confounded)
    passed = CHECKS["robustness_value"](estimated(made(8, covariate=0.1, link=0.1), smallest=0.5))
    assert failed.passed is False
    assert value(failed, "rv") < value(failed, "strongest")
    assert passed.passed is True
    assert passed.rows[0]["covariate"] == "x"


def test_without_covariates_there_is_no_benchmark():
    check = CHECKS["robustness_value"](estimated(made(8), replace(ROLES, covariates=[])))
    assert check.passed is None
    assert value(check, "rv") > 0
    assert "strongest" not in check.values


# Specification curve


def test_the_curve_holds_every_specification_once(clean):
    table = CHECKS["specification_curve"](clean).table()
    columns = ["covariates", "weights", "breaks", "wave_left_out", "transformation"]
    assert not table.duplicated(columns).any()
    # Gains across a break: intervals 2 and 4. In: all and each of 4 left out; out: all and each
    # of the 2 others (leaving out one of the flagged changes nothing).
    assert len(table) == 2 * 2 * 3 * (5 + 3)


def test_a_specification_is_the_regression_it_names(clean):
    table = CHECKS["specification_curve"](clean).table()
    one = table.query(
        "covariates == '' and weights == 'none' and breaks == 'out' and wave_left_out == ''"
    ).set_index("transformation")["estimate"]
    frame = clean.panel[~clean.panel["crosses_break"]]
    roles = replace(ROLES, covariates=[], variance=None)
    per_doubling = estimated(frame, roles).result.estimate
    full = equation(GAINS, clean.panel, ROLES)
    within = full.matrix[:, -1] - pd.Series(full.matrix[:, -1]).groupby(full.periods).transform(
        "mean"
    )
    assert one["log2"] == pytest.approx(per_doubling * within.std(ddof=0), rel=1e-8)
    level = frame.assign(log2_dose=2 ** frame["log2_dose"])
    ratio = one["level"] / estimated(level, roles).result.estimate
    assert ratio == pytest.approx(
        _within_sd(2 ** clean.panel["log2_dose"], clean.panel["interval"]), rel=1e-8
    )


def _within_sd(values, waves):
    return (values - pd.Series(values).groupby(waves).transform("mean")).std(ddof=0)


def test_a_true_association_stands_out_of_the_dealings(clean):
    check = CHECKS["specification_curve"](clean)
    assert check.passed is True
    assert value(check, "opposite_share") == value(check, "departing_share") == 0
    assert value(check, "p") == 1 / 200
    assert value(check, "moved") == 24


def test_an_estimate_that_hangs_on_the_specification_fails():
    frame = made(9, effect=0.3, covariate=-1.5, link=0.6)
    check = CHECKS["specification_curve"](estimated(frame))
    assert check.passed is False
    assert value(check, "departing_share") > 0.25


def test_dealt_trajectories_stay_whole_and_among_regions_of_the_same_waves():
    frame = made(10).drop(index=[3, 7, 11])  # three regions lack the last interval
    eqs = equation(GAINS, frame, ROLES)
    order, moved = curve.dealings(eqs, 20, seed=1)
    assert moved == 24
    np.testing.assert_array_equal(order[0], np.arange(len(eqs.y)))
    for row in order:
        assert (eqs.periods[row] == eqs.periods).all()
        source = pd.Series(eqs.codes[row]).groupby(eqs.codes)
        assert (source.min() == source.max()).all()
        assert (source.first().to_numpy()[:3] < 3).all()
    assert (order[1:] != order[0]).any()


def test_the_joint_test_keeps_its_level_without_an_association():
    """150 panels, 49 dealings: p-values are uniform on 1/50 ... 1."""
    p, result = [], estimated(made()).result
    for seed in range(150):
        frame = made(seed, regions=14, intervals=2, effect=0.0).drop(columns="crosses_break")
        eqs = equation(GAINS, frame, ROLES)
        own = eqs.fit().coefficients[-1]
        context = Estimated(frame, replace(result, estimate=own), ROLES, RUN)
        table, dealt, _ = curve.estimates(context, parts_of(context), 49, seed)
        drawn = np.abs(np.median(dealt, axis=0))
        p.append((1 + (drawn >= abs(table["estimate"].median())).sum()) / 50)
    p = np.array(p)
    assert abs(p.mean() - 0.51) < 3.3 * np.sqrt(1 / 12 / len(p))
    assert 0.02 <= np.mean(p <= 0.1) <= 0.18
    assert p.min() >= 1 / 50


def test_regions_that_share_no_pattern_cannot_be_dealt():
    frame = made(1, regions=12, intervals=4)
    patterns = [(r, w) for r in range(12) for w in range(4) if (r + 1) >> w & 1]
    keep = [r * 4 + w for r, w in patterns]
    context = estimated(frame.loc[keep].reset_index(drop=True))
    check = CHECKS["specification_curve"](context)
    assert check.passed is None
    assert "nothing can be dealt" in check.rows[0]["reason"]


# Sampling error and assumptions


def test_measurement_error_informs_and_the_correction_goes_the_other_way(provinces):
    drawn, fixed = CHECKS["measurement_error"](provinces), CHECKS["opening_error"](provinces)
    assert drawn.passed is None
    assert value(drawn, "draws") == 199
    assert value(drawn, "widening") > 1
    assert value(drawn, "low") < value(drawn, "mean") < value(drawn, "high")
    # The observed opening level overstates; a second error overstates more, the correction less.
    assert value(drawn, "mean") > value(fixed, "naive") > value(fixed, "estimate")


def test_the_error_check_draws_what_the_draws_module_gives(provinces):
    rates = provinces.rates[provinces.rates["variance"].notna()].reset_index(drop=True)
    drawn = draws.gains_of(draws.draw_rates(rates, 199, 1), rates, provinces.panel)
    estimates, _ = draws.refit(GAINS, provinces.panel, drawn, provinces.roles)
    check = CHECKS["measurement_error"](provinces)
    assert value(check, "sd") == pytest.approx(estimates[0].std(ddof=1))


def test_the_panel_rebuilt_under_the_declared_assumptions_is_the_panel(provinces, study):
    same = provinces.rebuild(2.0, 1.0)
    pd.testing.assert_frame_equal(same, study.provinces, check_dtype=False)
    other = provinces.rebuild(3.0, 0.5)
    ratio = other["annual_variance"] / same["annual_variance"]
    # Assumed samples are halved, published ones are not.
    assert ratio.between(1.5 - 1e-9, 3 + 1e-9).all()
    assert (ratio > 2.99).mean() > 0.5
    pd.testing.assert_series_equal(other["log2_personnel"], same["log2_personnel"])


def test_the_levels_are_rebuilt_too(study):
    again = rebuilder(study.dataset, study.levels)(2.0, 1.0)
    pd.testing.assert_frame_equal(again, study.levels, check_dtype=False)


def test_the_sweep_refits_under_every_pair(provinces):
    check = CHECKS["assumption_sweep"](provinces)
    table = check.table().set_index(["design_effect", "sample_factor"])
    assert len(table) == value(check, "count") == 12
    own = provinces.result.estimate
    assert table.loc[(2.0, 1.0), "estimate"] == pytest.approx(own, rel=1e-9)


def test_a_reading_that_hangs_on_an_assumption_fails(clean):
    def rebuild(deff, factor):
        bias = 3.0 * (deff == 3.0)
        return clean.panel.assign(annual=clean.panel["annual"] - bias * clean.panel["log2_dose"])

    check = CHECKS["assumption_sweep"](replace(clean, rebuild=rebuild))
    assert check.passed is False
    assert value(check, "differing") == 3  # the bias is of many standard errors


# Collinearity and dose-response


def test_doses_that_cannot_be_told_apart_fail():
    frame = made(11)
    frame["log2_twin"] = frame["log2_dose"] + 0.1 * np.random.default_rng(1).normal(size=len(frame))
    frame["log2_own"] = np.random.default_rng(2).normal(size=len(frame))
    twins = collinearity(estimated(frame, replace(ROLES, doses=["log2_dose", "log2_twin"])))
    apart = collinearity(estimated(frame, replace(ROLES, doses=["log2_dose", "log2_own"])))
    alone = collinearity(estimated(frame))
    assert (twins.passed, apart.passed, alone.passed) == (False, True, None)
    assert value(twins, "vif") > 10


def test_vif_is_the_textbook_one():
    frame = made(12)
    eqs = equation(GAINS, frame, replace(ROLES, variance=None))
    x, d = (pd.Series(eqs.matrix[:, i]).groupby(eqs.periods) for i in (-2, -1))
    r = np.corrcoef(x.transform(lambda s: s - s.mean()), d.transform(lambda s: s - s.mean()))[0, 1]
    check = collinearity(estimated(frame, replace(ROLES, variance=None)))
    assert value(check, "vif") == pytest.approx(1 / (1 - r**2))


def test_a_straight_dose_response_passes_and_a_bent_one_fails():
    straight = made(13, effect=1.0, regions=40, noise=0.1)
    bent = straight.assign(annual=lambda f: f["annual"] - 1.0 * f["log2_dose"] ** 2)
    good = CHECKS["dose_response"](estimated(straight))
    bad = CHECKS["dose_response"](estimated(bent))
    vague = CHECKS["dose_response"](estimated(straight, smallest=0.01))
    assert good.passed is True
    assert bad.passed is False
    assert value(bad, "p_square") <= 0.05
    assert (vague.passed, vague.key) == (None, "check.dose_response.unclear")
    assert len(good.rows) == 4
    assert np.all(np.diff([row["adjusted"] for row in good.rows]) > 0)


# What the grade may not see


@pytest.mark.parametrize("factor", [-1.0, 0.0, 5.0])
def test_a_signal_of_another_size_or_sign_gets_the_same_checks_and_grade(factor):
    """The dose's part of the outcome is multiplied; what is left of it stays."""
    frame = made(15, regions=20)
    design = Design("staggered", 5, True, 24, 24, "published", 0.0, False)
    names = [*NEEDED, "leave_one_wave_out", "breaks", "dose_response"]
    first = estimated(frame)
    turned = (factor - 1) * first.result.estimate * frame["log2_dose"]
    other = estimated(frame.assign(annual=frame["annual"] + turned))
    assert other.result.estimate == pytest.approx(factor * first.result.estimate, abs=1e-9)
    before, after = run_checks(first, names), run_checks(other, names)
    assert [check.passed for check in before] == [check.passed for check in after]
    assert grade(design, before).locks == grade(design, after).locks
    for one, two in zip(before, after, strict=True):
        for name in ("largest_shift", "departing_share", "rv", "strongest", "minimum_detectable"):
            same = {one.values.get(name), two.values.get(name)} == {None}
            assert same or one.values[name] == pytest.approx(two.values[name], rel=1e-6), name


# The declared variances and those that the scatter allows


def test_a_variance_factor_is_the_ratio_it_was_drawn_with_and_its_interval_covers():
    rng, inside, found = np.random.default_rng(5), [], []
    for _ in range(400):
        v = rng.uniform(0.5, 2, 21)
        y = 3 + np.sqrt(0.3 * v) * rng.normal(size=21)
        row = draws.variance_factors(y, v, ["a"] * 21).iloc[0]
        found.append(row["factor"])
        inside.append(row["low"] <= 0.3 <= row["high"])
    assert np.mean(found) == pytest.approx(0.3, abs=4 * np.std(found) / 20)
    assert 0.92 <= np.mean(inside) <= 0.98


def test_smoothed_figures_are_told_and_sampled_ones_seldom():
    told = {1.0: [], 0.2: []}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        for share, rows in told.items():
            v, wave = rng.uniform(0.5, 2, 30), np.repeat(["a", "b", "c"], 10)
            y = np.sqrt(share * v) * rng.normal(size=30)
            rows.append(draws.variance_factors(y, v, wave)["p"].min() <= 0.05)
    assert np.mean(told[1.0]) <= 0.09
    assert np.mean(told[0.2]) > 0.9


def test_estimated_variances_lie_between_simple_random_sampling_and_the_declared(provinces):
    factors = pd.DataFrame({"interval": provinces.panel["interval"].unique(), "factor": 1e-9})
    least = draws.estimated_variances(provinces, factors)
    rates = provinces.rates.set_index(["region_code", "wave"])
    ends = [
        rates.loc[pd.MultiIndex.from_frame(least[["region_code", wave]])].reset_index()
        for wave in ("wave_from", "wave_to")
    ]
    expected = sum(
        np.where(e["n_assumed"], 0.0, e["rate"] * (100 - e["rate"]) / e["n"]) for e in ends
    )
    total = least["annual_variance"] * least["years"] ** 2
    np.testing.assert_allclose(total, np.maximum(expected, 1e-9 * total), atol=1e-6)
    most = draws.estimated_variances(provinces, factors.assign(factor=3.0))
    pd.testing.assert_frame_equal(most, provinces.panel)


# All together


def test_every_check_of_the_provinces_says_its_sentence_in_both_languages(provinces):
    for check in run_checks(provinces):
        assert check.key != "check.impossible", check
        for language in LANGUAGES:
            assert t(check.key, language, **check.values)
        assert check.name in CHECKS
        assert check.rows


def test_checks_repeat_with_the_seed_and_leave_the_panel_alone(clean):
    before = clean.panel.copy()
    assert run_checks(clean) == run_checks(clean)
    pd.testing.assert_frame_equal(clean.panel, before)
    other = replace(clean, inference=replace(RUN, seed=2))
    one, two = (value(CHECKS["placebo"](c), "p") for c in (clean, other))
    assert one != two


def test_what_a_check_lacks_is_said_and_not_passed(clean):
    for name in ("measurement_error", "opening_error", "assumption_sweep"):
        check = CHECKS[name](clean)
        assert (check.passed, check.key) == (None, "check.impossible")
        assert check.rows[0]["reason"]


def test_a_model_that_is_not_linear_is_left_out_by_region_with_its_own_fit(monkeypatch):
    calls = []

    def fake(panel, roles, inference):
        calls.append(len(panel))
        slope = float(np.polyfit(panel["log2_dose"], panel["annual"], 1)[0])
        return Result(
            "fake", "annual", "log2_dose", slope, 1, 0, 1, 0.95, 0.5, "", 1, len(panel), ""
        )

    frame = made(14)
    monkeypatch.setitem(models.MODELS, "fake", models.Model(fake, "gain", 2))
    context = Estimated(frame, fake(frame, ROLES, RUN), ROLES, RUN)
    check = CHECKS["leave_one_region_out"](context)
    assert calls[1:] == [92] * 24
    assert value(check, "count") == 24
    for name in ("specification_curve", "robustness_value", "collinearity"):
        assert CHECKS[name](context).key == "check.impossible"


def test_unknown_checks_and_mismatched_estimates_are_refused(clean):
    with pytest.raises(KepuError, match=r"Unknown check jackknife\. Known: leave_one_region_out"):
        run_checks(clean, ["jackknife"])
    with pytest.raises(ModelError, match="first dose of the panel is 'other'"):
        Estimated(clean.panel, clean.result, replace(ROLES, doses=["other"]), RUN)
    with pytest.raises(ModelError, match="would doubt another estimate"):
        Estimated(clean.panel, clean.result, replace(ROLES, covariates=[]), RUN)


def test_outcome_of_every_check_is_a_plain_truth_value(study):
    """The grade asks whether a check passed with ``is True``, which a NumPy value never is."""
    kinds = {type(check.passed) for check in study.headline.checks}
    assert kinds <= {bool, type(None)}
