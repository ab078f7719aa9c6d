"""Staggered designation against published and second answers, simulated truth, and refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models import events, fit
from evaluation.models.columns import Inference, Roles
from evaluation.models.events import (
    averages,
    group_time,
    invert,
    reassign,
    timed_panel,
)
from evaluation.stats.bootstrap import standard_errors
from evaluation.stats.permutation import critical_value, detectable

REFERENCE = Path(__file__).parent / "reference"
ANSWERS = pd.read_csv(REFERENCE / "events.csv").set_index(["case", "term"])
ROLES = {"outcome": "rate", "doses": ["first"], "region": "region", "wave": "wave"}
WAGE = {"outcome": "lemp", "doses": ["first_treated"], "region": "county", "wave": "year"}
QUICK = {"draws": 199, "seed": 1}


@pytest.fixture(scope="module")
def wage():
    wide = pd.read_csv(REFERENCE / "minimum_wage.csv")
    long = wide.melt(["county", "first_treated"], var_name="year", value_name="lemp")
    return long.astype({"year": int})


def generated(seed=0, groups=((2015, 5), (2018, 6)), regions=31, effect=0.0, spread=0.0, slope=0.0):
    """Levels with region, wave and autocorrelated parts; effects vary by region with ``spread``."""
    rng = np.random.default_rng(seed)
    waves = np.array([2005, 2010, 2013, 2015, 2018, 2020])
    first = np.repeat(
        [0, *(g for g, _ in groups)], [regions - sum(m for _, m in groups)] + [m for _, m in groups]
    )
    error = rng.normal(size=(regions, len(waves)))
    for t in range(1, len(waves)):
        error[:, t] += 0.6 * error[:, t - 1]
    on = (first[:, None] > 0) & (waves >= first[:, None])
    y = 3 * rng.normal(size=(regions, 1)) + np.arange(len(waves)) + error
    y = y + on * (effect + spread * rng.normal(size=(regions, 1)))
    y = y + slope * (first[:, None] > 0) * (waves - 2005)
    return pd.DataFrame(
        {
            "region": np.repeat([f"r{i:02d}" for i in range(regions)], len(waves)),
            "wave": np.tile(waves, regions),
            "rate": y.ravel(),
            "first": np.repeat(first, len(waves)),
            "v": 0.04,
        }
    )


def few(**changes):
    return generated(**{"groups": ((2015, 1),), **changes})


def timed(frame):
    return timed_panel(frame, Roles(**ROLES))


def test_the_published_averages_of_the_minimum_wage_data_are_reproduced(wage):
    result = fit("staggered", wage, **WAGE, **QUICK)
    table = {row["term"]: row for row in result.coefficients}
    # Callaway & Sant'Anna's package, without covariates: group -0.031, event study -0.0772; their
    # standard errors (.0126, .0219) are those of one bootstrap of a thousand draws.
    assert round(result.estimate, 4) == -0.0310
    assert round(table["first_treated (dynamic)"]["estimate"], 4) == -0.0772
    assert result.se == pytest.approx(0.0126, rel=0.02)
    assert table["first_treated (dynamic)"]["se"] == pytest.approx(0.0219, rel=0.12)
    assert result.details["treated_by_group"] == {"2004": 20, "2006": 40, "2007": 131}


@pytest.mark.parametrize("comparison", ["never", "not_yet"])
def test_every_average_and_its_analytic_standard_error_equal_a_second_package(wage, comparison):
    panel = timed_panel(wage, Roles(**WAGE))
    cells = group_time(panel, comparison, "varying")
    answers, codes = ANSWERS.loc[f"diff-diff {comparison}"], panel.cohorts
    labels = [
        f"cell {panel.waves[g]} {panel.waves[t]}"
        for g, t in zip(cells.group, cells.wave, strict=True)
    ]
    found = {"cell": (labels, cells.estimates)}
    for by in ("dynamic", "group", "simple"):
        keys, estimates, _ = averages(panel, cells, by)
        names = {
            "dynamic": [f"event {key}" for key in keys],
            "group": [f"group {panel.waves[key]}" for key in keys],
            "simple": ["simple"],
        }
        found[by] = (names[by], estimates)
    for names, estimates in found.values():
        expected = answers.loc[names]
        np.testing.assert_allclose(estimates.value, expected["estimate"], atol=2e-9)
        se = standard_errors(estimates.influence, codes, corrected=False)
        np.testing.assert_allclose(se, expected["se"], rtol=1e-7)


def test_interaction_weighted_least_squares_gives_the_same_group_time_differences():
    # Sun & Abraham's regression: region and wave effects, a dummy for every group and event but
    # the last before treatment, regions never treated as comparison.
    frame = generated(seed=3, effect=1.0)
    result = fit("staggered", frame, **ROLES, **QUICK)
    cells = pd.DataFrame(result.details["group_time"])
    columns = [pd.get_dummies(frame["region"], dtype=float)]
    columns.append(pd.get_dummies(frame["wave"], drop_first=True, dtype=float))
    pairs = zip(cells["group"], cells["wave"], strict=True)
    dummies = [(frame["first"] == g) & (frame["wave"] == t) for g, t in pairs]
    X = np.column_stack([*columns, *dummies]).astype(float)
    slopes = np.linalg.lstsq(X, frame["rate"], rcond=None)[0][-len(cells) :]
    np.testing.assert_allclose(cells["estimate"].astype(float), slopes, atol=1e-9)


def test_indicator_and_first_year_say_the_same_and_a_year_between_waves_starts_at_the_next():
    frame = generated(seed=1, effect=1.0)
    flag = ((frame["first"] > 0) & (frame["wave"] >= frame["first"])).astype(int)
    by_year = fit("staggered", frame, **ROLES, **QUICK)
    by_flag = fit("staggered", frame.assign(first=flag), **ROLES, **QUICK)
    between = fit(
        "staggered", frame.assign(first=frame["first"].replace(2015, 2014)), **ROLES, **QUICK
    )
    assert by_year == by_flag == between


def test_bias_and_coverage_on_small_panels():
    effect, inside, estimates = 1.0, 0, []
    for seed in range(300):
        frame = generated(seed=seed, effect=effect, spread=0.8)
        panel = timed(frame)
        cells = group_time(panel, "never", "universal")
        overall = averages(panel, cells, "group")[2]
        test = events.tested(panel, overall, Inference(199, seed + 9999))
        low, high = test.interval
        inside += low <= effect <= high
        estimates.append(test.value[0])
    estimates = np.array(estimates)
    assert abs(estimates.mean() - effect) < 3 * estimates.std() / np.sqrt(300)
    # Binomial band of a 95 % interval, three standard errors below; not absurdly wide above.
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300) <= inside / 300 <= 0.995


def test_the_band_holds_all_events_of_a_null_panel_as_often_as_it_says():
    misses = 0
    for seed in range(200):
        result = fit("staggered", generated(seed=seed), **ROLES, draws=199, seed=seed + 9999)
        dynamic = pd.DataFrame(result.details["dynamic"])
        misses += ((dynamic["band_low"] > 0) | (dynamic["band_high"] < 0)).any()
    assert 0.005 <= misses / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_bands_are_wider_than_pointwise_intervals_and_p_agrees_with_the_interval():
    for seed in range(8):
        result = fit("staggered", generated(seed=seed, effect=0.8), **ROLES, **QUICK)
        dynamic = pd.DataFrame(result.details["dynamic"])
        assert (dynamic["band_low"] < dynamic["low"]).all()
        assert (dynamic["high"] < dynamic["band_high"]).all()
        for row in result.coefficients:
            assert (row["p"] <= 0.05) == (not row["low"] <= 0 <= row["high"])


def test_few_treated_regions_get_randomisation_inference_with_its_exact_p():
    result = fit("staggered", few(effect=8.0), **ROLES, draws=999)
    assert result.inference == "randomisation inference over the timings, all 31 dealings"
    assert result.p == pytest.approx(1 / 31)
    assert result.details["smallest_p"] == pytest.approx(1 / 31)
    assert np.isnan(result.details["dynamic"][0]["low"])
    assert 0 < result.low < result.estimate < result.high < np.inf


def test_the_randomisation_interval_ends_where_the_refitted_test_rejects():
    frame = generated(seed=5, groups=((2013, 1), (2018, 1)), effect=2.0)
    panel = timed(frame)
    overall = averages(panel, group_time(panel, "never", "universal"), "group")[2]
    p, low, high = invert(float(overall.value[0]), reassign(panel, overall, 999, 1), 0.95)
    on = panel.treated[:, None] & (np.arange(6) >= panel.start[:, None])

    def refitted(shift):
        moved = type(panel)(**{**vars(panel), "y": panel.y - shift * on})
        estimate = averages(moved, group_time(moved, "never", "universal"), "group")[2]
        return invert(float(estimate.value[0]), reassign(moved, estimate, 999, 1), 0.95)[0]

    assert refitted(0.0) == p
    for end, outwards in ((low, -1), (high, 1)):
        assert refitted(end - 1e-6 * outwards) > 0.05 >= refitted(end + 1e-6 * outwards)


def test_randomisation_holds_its_level_with_two_treated_regions():
    rejected = 0
    for seed in range(1000, 1300):
        frame = generated(seed=seed, groups=((2013, 1), (2018, 1)))
        panel = timed(frame)
        overall = averages(panel, group_time(panel, "never", "universal"), "group")[2]
        rejected += (
            invert(float(overall.value[0]), reassign(panel, overall, 199, seed + 9999), 0.95)[0]
            <= 0.05
        )
    assert rejected / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_the_pre_trend_tells_a_slope_it_could_find_and_finds_larger_ones():
    calm = fit("staggered", generated(seed=2), **ROLES, draws=999)
    trend = calm.details["pre_trend"]
    found = 0
    for seed in range(60):
        frame = generated(seed=seed, slope=1.5 * trend["detectable_slope"])
        found += fit("staggered", frame, **ROLES, **QUICK).details["pre_trend"]["p"] <= 0.05
    assert found / 60 > 0.75
    # Mean years from the last untreated wave to those after: 2013 to 2015, 2018, 2020 and 2015 to
    # 2018, 2020, in the shares of five and six regions.
    years = (5 * np.mean([2, 5, 7]) + 6 * np.mean([3, 5])) / 11
    assert trend["detectable_bias"] == pytest.approx(trend["detectable_slope"] * years)


def test_a_design_without_an_earlier_wave_has_no_pre_trend():
    frame = generated(groups=((2010, 6),))
    assert fit("staggered", frame, **ROLES, **QUICK).details["pre_trend"] is None


def test_detectable_meets_the_normal_value_of_one_statistic():
    drawn = np.random.default_rng(1).normal(size=(20000, 1))
    assert float(critical_value(np.abs(drawn[:, 0]), 0.95)) == pytest.approx(1.96, abs=0.03)
    assert detectable(np.array([0.5]), drawn, 0.95) == pytest.approx(2 * (1.96 + 0.8416), abs=0.12)


def test_not_yet_treated_regions_stand_in_where_none_is_never_treated():
    frame = generated(groups=((2013, 10), (2018, 21)), effect=1.0)
    with pytest.raises(ModelError, match="try comparison='not_yet'"):
        fit("staggered", frame, **ROLES, **QUICK)
    result = fit("staggered", frame, **ROLES, **QUICK, comparison="not_yet")
    assert result.low < 1.0 < result.high
    # From 2018 on nobody is left to compare with.
    after = [row for row in result.details["group_time"] if row["event"] >= 0]
    assert {(row["group"], row["wave"]) for row in after} == {(2013, 2013), (2013, 2015)}


def test_sampling_error_alone_is_told_apart():
    result = fit("staggered", generated(groups=((2015, 6),)), **ROLES, **QUICK, variance="v")
    # Mean of three waves less one, for 6 and for 25 regions, each rate with variance 0.04.
    expected = np.sqrt(0.04 * (1 / 3 + 1) * (1 / 6 + 1 / 25))
    assert result.details["sampling_se"] == pytest.approx(expected)
    assert result.details["sampling_se"] < result.se


def test_gaps_are_counted_and_the_cells_use_who_was_observed():
    frame = generated(seed=4, effect=1.0)
    gone = frame["region"].eq("r00") & frame["wave"].eq(2018) | frame["region"].eq("r30") & frame[
        "wave"
    ].eq(2020)
    result = fit("staggered", frame.assign(rate=frame["rate"].mask(gone)), **ROLES, **QUICK)
    assert (result.details["dropped"], result.observations) == (2, len(frame) - 2)
    cell = next(r for r in result.details["group_time"] if (r["group"], r["wave"]) == (2018, 2020))
    assert (cell["treated"], cell["comparison"]) == (5, 20)
    late = (
        frame[~gone & frame["wave"].isin([2015, 2020])]
        .pivot(index=["first", "region"], columns="wave", values="rate")
        .dropna()
    )
    change = (late[2020] - late[2015]).groupby("first").mean()
    assert cell["estimate"] == pytest.approx(change[2018] - change[0])


def test_same_seed_same_result_another_seed_another_and_the_panel_is_left_alone():
    frame = generated(seed=6)
    before = frame.copy(deep=True)
    one, two = (fit("staggered", frame, **ROLES, **QUICK) for _ in range(2))
    assert one == two
    assert Result.from_json(one.to_json()).details["pre_trend"] == one.details["pre_trend"]
    assert fit("staggered", frame, **ROLES, draws=199, seed=2).low != one.low
    pd.testing.assert_frame_equal(frame, before)


def changed(**columns):
    return lambda frame: frame.assign(**columns)


REFUSED = {
    "nobody treated": (changed(first=0), "treats no region after the first"),
    "only later": (changed(first=lambda f: f["first"] * 0 + 2030 * (f["first"] > 0)), "no region"),
    "all at once": (changed(first=2015), "every region in the same wave"),
    "from the start": (
        lambda f: f.assign(first=f["first"].replace({2015: 2000, 2018: 2000})),
        "11 were",
    ),
    "one wave": (lambda f: f[f["wave"] == 2020], "has 1 wave"),
    "few regions": (
        lambda f: f[f["region"].isin([f"r{i}" for i in range(23, 31)])],
        "8 regions remain",
    ),
    "column absent": (lambda f: f.drop(columns="first"), "not in the panel: first"),
    "infinite": (lambda f: f.assign(first=f["first"].replace(0, np.inf)), "infinite values"),
    "text": (lambda f: f.assign(wave=f["wave"].astype(str)), "'wave' must be numeric"),
    "doubled": (
        lambda f: pd.concat([f, f.iloc[:1]]),
        "repeats a region and wave .*first region = r00, wave = 2005",
    ),
    "an amount": (changed(first=lambda f: f["rate"]), "not an amount"),
    "two starts": (lambda f: f.assign(first=f["first"] + (f["wave"] == 2020)), "two first treated"),
    "ends": (
        lambda f: f.assign(first=((f["first"] > 0) & f["wave"].eq(2015)).astype(int)),
        "returns from 1 to 0",
    ),
    "negative variance": (changed(v=-1.0), "'v' holds negative variances"),
    "no variation": (changed(rate=lambda f: f["wave"] / 10), "of every group change alike"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_panel_without_the_design_is_refused_with_its_reason(case):
    change, message = REFUSED[case]
    with pytest.raises(ModelError, match=message):
        fit("staggered", change(generated()), **ROLES, **QUICK, variance="v")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"covariates": ["v"]}, "takes no covariates"),
        ({"doses": ["first", "v"]}, "takes one treatment column"),
        ({"doses": "first"}, "must be a list of columns"),
        ({"comparison": "all"}, "Unknown option 'all'"),
        ({"base": "first"}, "Unknown option 'first'"),
        ({"summary": "mean"}, "Unknown summary 'mean'"),
        ({"draws": 10}, "10 draws cannot"),
        ({"level": 1.0}, "level 1.0"),
        ({"region": "wave"}, "two parts"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        fit("staggered", generated(), **{**ROLES, **QUICK, **arguments})


def test_few_treated_regions_are_refused_where_no_p_value_could_suffice():
    with pytest.raises(ModelError, match=r"Not testable with this design.*below 0\.0667"):
        fit("staggered", few(regions=15), **ROLES, **QUICK)
    frame = few()
    with pytest.raises(ModelError, match="1 regions have gaps, first r03"):
        fit(
            "staggered",
            frame[~(frame["region"].eq("r03") & frame["wave"].eq(2018))],
            **ROLES,
            **QUICK,
        )
