"""The composite index: published weights, ranges of places and nothing that orders regions."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluation.base.errors import KepuError
from evaluation.batch.cli import app
from evaluation.targets import index, inequality, weights


@pytest.fixture(scope="module")
def provinces(dataset):
    sets = dataset.region_sets
    return sets.loc[sets["set"] == "provinces", "code"].tolist()


@pytest.fixture(scope="module")
def found(dataset, provinces):
    given = index.figures(dataset, "input_proxies", provinces, 2018)
    return index.rank_intervals(given, "input_proxies", draws=400, seed=1)


def test_entropy_weights_are_those_published():
    """Xu (2004), European Journal of Operational Research 156:530-532."""
    x = np.array([[30, 30, 38, 29], [19, 54, 86, 29], [19, 15, 85, 28.9], [68, 70, 60, 29]])
    assert weights.entropy(x).round(4).tolist() == [0.4630, 0.3992, 0.1378, 0.0]


def test_critic_weights_are_those_published():
    """Tuş & Aytaç Adalı (2019), Opsearch 56:528-538."""
    x = np.array([[5000, 3, 3, 4, 3, 2], [680, 5, 3, 2, 2, 1], [2000, 3, 2, 3, 4, 3],
                  [600, 4, 3, 1, 2, 2], [800, 2, 4, 3, 3, 4]])  # fmt: skip
    assert weights.critic(x).round(3).tolist() == [0.157, 0.249, 0.168, 0.121, 0.154, 0.151]


def test_closeness_is_that_published():
    """Papathanasiou & Ploskas (2018), Multiple Criteria Decision Aid, 1-30."""
    x = np.array([[8, 7, 2, 1], [5, 3, 7, 5], [7, 5, 6, 4], [9, 9, 7, 3], [11, 10, 3, 7],
                  [6, 9, 5, 4]])  # fmt: skip
    close = weights.topsis(x, np.array([0.4, 0.3, 0.1, 0.2]))
    assert close.round(3).tolist() == [0.387, 0.327, 0.391, 0.615, 0.868, 0.493]


def test_other_programs_find_the_same():
    """scikit-criteria 0.10 and inequality 1.1.2, run on the same figures."""
    x = np.array([[0.831, 1.366, 3.606, 1.05], [2.044, 0.71, 1.943, 1.561],
                  [0.979, 0.905, 1.587, 2.253], [0.318, 0.694, 0.495, 1.618],
                  [0.647, 0.617, 1.974, 3.68], [0.189, 0.611, 1.724, 1.383]])  # fmt: skip
    entropy = [0.4868045251444939, 0.0929361421629774, 0.2414808836159929, 0.1787784490765358]
    critic = [0.24172422831414303, 0.2465215078163492, 0.1769790292853137, 0.334775234584194]
    close = [0.49048982832257865, 0.7124060475930241, 0.4136333218353291, 0.07604427420987726,
             0.29401268783115186, 0.129524008897181]  # fmt: skip
    assert weights.entropy(x) == pytest.approx(entropy)
    assert weights.critic(x) == pytest.approx(critic)
    assert weights.topsis(x, np.array([0.4, 0.3, 0.2, 0.1])) == pytest.approx(close)
    assert inequality.gini(x[:, 0]) == pytest.approx(0.380790734824281)


def test_normalised_columns_by_hand():
    x = np.array([[1.0], [2.0], [4.0]])
    assert weights.normalised(x, "minmax").ravel() == pytest.approx([0, 1 / 3, 1])
    assert weights.normalised(x, "rank").ravel().tolist() == [0, 0.5, 1]
    z = weights.normalised(x, "z").ravel()
    assert (z.mean(), z.std(ddof=1)) == pytest.approx((0, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weights.normalised(np.ones((4, 2)), "z"), "Indicator 1 is the same in all"),
        (lambda: weights.normalised(np.array([[1.0], [2.0]]), "z"), "at least 3 regions"),
        (lambda: weights.entropy(np.array([[1.0], [np.nan], [2]])), "missing figure"),
        (lambda: weights.entropy(np.array([[1.0], [-1], [2]])), "figures of 0 or more"),
        (lambda: weights.weights(np.eye(3), "expert"), "fill weight in composites.csv"),
        (lambda: weights.weights(np.eye(3), "best"), "use one of equal, entropy"),
        (lambda: inequality.gini([1.0, -1.0]), "figures of 0 or more"),
    ],
)
def test_what_cannot_be_weighed_is_refused(call, message):
    with pytest.raises(KepuError, match=message):
        call()


def test_every_province_has_an_interval_and_the_index_says_what_it_is_of(found, provinces):
    table = found.table()
    assert table["region_code"].tolist() == provinces  # as given, in no order of places
    assert (table["rank_low"] <= table["rank_high"]).all()
    assert table["rank_low"].min() >= 1 and table["rank_high"].max() <= 31
    assert found.proxies and "index of proxies" in found.summary("en")
    assert "代理指标" in found.summary("zh")
    assert found.sensitivity["share"].sum() == pytest.approx(1)


def test_no_league_table_can_be_made(found):
    """Nothing of a result is one place, one score or the draws they would come from."""
    assert list(found.frame) == ["region_code", "rank_low", "rank_high"]
    kept = {field.name for field in fields(found)}
    assert kept == {"index", "year", "proxies", "frame", "sensitivity", "draws", "seed"}
    for end in ("rank_low", "rank_high"):  # ends tie: they are no order of the regions either
        assert found.frame[end].duplicated().any()


def test_the_same_seed_gives_the_same_intervals(dataset, provinces, found):
    given = index.figures(dataset, "input_proxies", provinces, 2018)
    again = index.rank_intervals(given, "input_proxies", draws=400, seed=1)
    pd.testing.assert_frame_equal(again.frame, found.frame)


def test_a_region_ahead_in_everything_is_first_in_every_draw():
    x = pd.DataFrame({"a": [9.0, 3, 2, 1], "b": [8.0, 1, 3, 2], "c": [7.0, 2, 1, 3]})
    x.index = list("pqrs")
    spec = pd.DataFrame({"weight": [np.nan] * 3, "missing": ["median"] * 3})
    given = index.Figures(x, spec, 2020, False, ())
    frame = index.rank_intervals(given, "i", draws=300, seed=2, error=0.01).frame
    assert frame.loc[0, ["rank_low", "rank_high"]].tolist() == [1, 1]
    assert (frame.loc[1:, "rank_high"] > frame.loc[1:, "rank_low"]).all()


def test_gaps_are_filled_as_declared():
    x = pd.DataFrame({"a": [1.0, np.nan, 5, 9], "b": [1.0, np.nan, 5, 9], "c": [1, np.nan, 5, 9]})
    made = index.filled(x, ["median", "worst", "leave_out"])
    assert made[1, :2].tolist() == [5.0, 1.0]
    assert np.isnan(made[1, 2])


def test_a_region_with_too_few_figures_is_left_out_and_named(dataset, provinces):
    few = dataset.facts
    few = few[(few["region_code"] != "650000") | ~few["indicator"].str.startswith("museum")]
    given = index.figures(replace(dataset, facts=few), "input_proxies", provinces, 2018)
    assert given.left == ("650000",)


@pytest.mark.parametrize(
    ("name", "year", "message"),
    [
        ("capability", 2018, "declared: input_proxies"),
        ("input_proxies", 1999, "have figures of 1999"),
    ],
)
def test_what_is_not_declared_or_not_published_is_refused(dataset, provinces, name, year, message):
    with pytest.raises(KepuError, match=message):
        index.figures(dataset, name, provinces, year)


def test_a_gini_coefficient_by_hand_and_its_parts_add_up():
    assert inequality.gini([1, 2, 3, 4]) == pytest.approx(0.25)  # 2·(1·3+2·2+3·1)/16 / (2·2.5)
    rng = np.random.default_rng(3)
    x, groups = rng.gamma(2, size=30), rng.choice(list("abc"), 30)
    parts = inequality.dagum(x, groups)
    assert parts.within + parts.between + parts.overlap == pytest.approx(parts.total)
    assert min(parts.within, parts.between, parts.overlap) > 0


def test_groups_that_do_not_overlap_have_no_transvariation():
    parts = inequality.dagum([1, 1, 3, 3], list("aabb"))
    assert (parts.within, parts.between, parts.overlap) == (0.0, 0.25, 0.0)


def test_convergence_is_recovered():
    first = np.linspace(1, 8, 12)
    wide = pd.DataFrame({2010: first, 2020: first * np.exp(10 * (0.1 - 0.02 * np.log(first)))})
    told = inequality.convergence(wide)
    assert told.beta == pytest.approx(-0.02)
    assert told.sigma["cv"].is_monotonic_decreasing
    with pytest.raises(KepuError, match="figures above 0"):
        inequality.convergence(wide * 0)


def test_the_command_prints_intervals_and_refuses_an_unknown_set():
    run = CliRunner().invoke(app, ["index", "--draws", "200", "--year", "2018", "--json"])
    told = json.loads(run.stdout)
    assert told["proxies"] and len(told["ranks"]) == 31
    assert set(told["ranks"][0]) == {"region_code", "rank_low", "rank_high"}
    run = CliRunner().invoke(app, ["index", "--set", "nowhere"])
    assert isinstance(run.exception, KepuError) or run.exit_code == 2


def test_how_far_regions_are_apart_is_told_without_weights(dataset, provinces):
    """The parts of each Gini are those of its figures; the slope is that of the ends."""
    found = inequality.apart(dataset, "input_proxies", provinces, 2018).set_index("indicator")
    wide = index.histories(dataset, "input_proxies", provinces)["museum_count"]
    assert found.at["museum_count", "gini"] == pytest.approx(inequality.gini(wide[2018]))
    parts = found[["within", "between", "overlap"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(found["gini"].to_numpy())
    slope = np.polyfit(np.log(wide[2010]), np.log(wide[2018] / wide[2010]) / 8, 1)[0]
    assert found.at["museum_count", "beta"] == pytest.approx(100 * slope)
    assert (found["low"] < found["beta"]).all() and (found["beta"] < found["high"]).all()


def test_an_indicator_without_two_complete_years_has_no_slope(dataset, provinces):
    few = dataset.facts
    few = few[(few["indicator"] != "museum_count") | few["year"].isin([2018])]
    found = inequality.apart(replace(dataset, facts=few), "input_proxies", provinces, 2018)
    row = found.set_index("indicator").loc["museum_count"]
    assert row[["first", "last", "cv_first", "cv_last", "beta", "low", "high"]].isna().all()


def test_errors_of_a_region_go_together_as_far_as_is_drawn():
    """Over draws the correlation of a region's errors has the mean of its range, and no bias."""
    rng = np.random.default_rng(5)
    made = np.array([index._errors(rng, (40, 3)) for _ in range(2000)])
    assert made.std() == pytest.approx(1, abs=0.02)
    each = [np.corrcoef(draw, rowvar=False)[0, 1] for draw in made]
    assert np.mean(each) == pytest.approx(0.5, abs=0.03)
    assert min(each) < 0.05 and max(each) > 0.95


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_command_tells_inequality(language):
    asked = ["index", "--inequality", "--language", language]
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert [len(told["indicators"]), told["year"]] == [7, 2018]
    shown = CliRunner().invoke(app, asked).stdout
    assert {"zh": "基尼系数", "en": "Gini"}[language] in shown and "33%" in shown
