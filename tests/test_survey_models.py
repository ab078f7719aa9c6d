"""Areas over waves and from cells against R, item response against published answers; truths."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from evaluation.base.errors import KepuError, ModelError
from evaluation.survey import areas, items, respondents, simulate

REFERENCE = Path(__file__).with_name("reference")
R = pd.read_csv(REFERENCE / "areas_r.csv")
WAVES = pd.read_csv(REFERENCE / "waves.csv").assign(share=1.0)
CELLS = pd.read_csv(REFERENCE / "cells.csv")


def told(case: str) -> pd.Series:
    return R[R["case"] == case].set_index("name")["value"]


def test_effects_of_areas_and_times_are_those_of_metafor():
    made, answer = areas.smooth_waves(WAVES, ["x"], draws=0), told("waves")
    found = [made.area, made.time, made.correlation, *made.coefficients, *made.errors]
    assert found == pytest.approx(list(answer), rel=1e-4)
    for _, wave in made.frame.groupby("time"):
        assert wave["benchmarked"].mean() == pytest.approx(wave["direct"].mean())
    assert made.method == "fay_herriot: x"


def test_predictions_are_those_of_one_matrix_over_all_areas_and_waves():
    """The same model written densely, V and effects of all rows at once."""
    made = areas.smooth_waves(WAVES, ["x"], draws=0)
    same = np.equal.outer(WAVES["area"].to_numpy(), WAVES["area"].to_numpy())
    gap = np.abs(np.subtract.outer(WAVES["time"].to_numpy(), WAVES["time"].to_numpy()))
    effects = same * (made.area + made.time * made.correlation**gap)
    V = effects + np.diag(WAVES["se"] ** 2)
    residual = WAVES["direct"] - made.frame["synthetic"]
    expected = made.frame["synthetic"] + effects @ np.linalg.solve(V, residual)
    assert list(made.frame["combined"]) == pytest.approx(list(expected))


def in_waves(seed: int, m: int = 40, T: int = 4):
    rng = np.random.default_rng(seed)
    v = rng.normal(0, 1.5, (m, T))
    for j in range(1, T):
        v[:, j] = 0.7 * v[:, j - 1] + rng.normal(0, 1.5 * np.sqrt(1 - 0.49), m)
    frame = pd.DataFrame({"area": np.repeat(np.arange(m), T), "time": np.tile(np.arange(T), m)})
    frame["x"] = rng.normal(size=m * T)
    truth = 15 + frame["x"] + rng.normal(0, 2, m).repeat(T) + v.ravel()
    se = rng.uniform(2, 4, m * T)
    return truth, frame.assign(direct=truth + rng.normal(0, se), se=se, share=1.0)


def test_waves_together_are_nearer_the_truth_and_their_intervals_hold_it():
    inside, gained = [], []
    for seed in range(4):
        truth, given = in_waves(seed)
        f = areas.smooth_waves(given, ["x"], draws=15, seed=seed).frame
        inside.append(((f["low"] <= truth) & (truth <= f["high"])).mean())
        direct = ((f["direct"] - truth) ** 2).mean()
        gained.append(((f["benchmarked"] - truth) ** 2).mean() / direct)
    assert np.mean(gained) < 0.45
    assert 0.90 < np.mean(inside) < 0.98


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.assign(se=f["se"].where(f.index > 3, 0.0)), "errors and shares above 0"),
        (lambda f: pd.concat([f, f.iloc[:1]], ignore_index=True), "Area 1 stands twice in a wave"),
        (lambda f: f[f["time"] == 2], "29 areas in 1 waves are too few"),
        (lambda f: f[f["area"] < 4], "3 areas in 5 waves are too few"),
    ],
)
def test_waves_that_cannot_be_smoothed_are_refused(spoil, message):
    with pytest.raises(ModelError, match=message):
        areas.smooth_waves(spoil(WAVES), ["x"], draws=0)


def census(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.groupby(["area", "age"], as_index=False).agg(x=("x", "first")).assign(people=1.0)


def test_the_model_of_cells_is_that_of_lme4():
    found = CELLS[CELLS["n"] > 0].assign(share=lambda f: f["right"] / f["n"])
    made = areas.poststratify(found, census(CELLS), ["area", "age"], ["x"])
    answer = told("cells")
    assert [*made.deviations, *made.coefficients] == pytest.approx(list(answer), rel=2e-5)
    rates = told("rates")
    assert list(made.frame.loc[rates.index, "rate"]) == pytest.approx(list(rates), rel=2e-5)
    assert made.method == "fay_herriot, post-stratified: area, age, x"


def test_an_area_without_respondents_has_the_rate_of_the_model_and_a_wider_error():
    found = CELLS[CELLS["n"] > 0].assign(share=lambda f: f["right"] / f["n"])
    made = areas.poststratify(
        found[found["area"] != "A01"], census(CELLS), ["area", "age"], ["x"]
    ).frame
    assert made.loc["A01", "n"] == 0
    assert made.loc["A01", "se"] > 1.2 * made.loc[made["n"] > 30, "se"].median()


def test_post_stratified_rates_are_nearer_the_truth_than_direct_ones():
    """Counties of a simulated survey; the census is the population's own composition."""
    names = [f"C{i:02d}" for i in range(60)]
    made = simulate.population(pd.Series("R", names), seed=2)
    frame = simulate.draw(made, units=4, take=10, seed=3).drop(columns="fpc")
    by = ("county", "education", "residence")
    plan = respondents.Plan({}, by=by)
    with respondents.of_frame(frame.assign(county=frame["stratum"]), plan) as sample:
        found = areas.cells(sample, by, 70.0, deff=1.2)
    parts = [dict(zip(*simulate.GROUPS[name][:2], strict=True)) for name in by[1:]]
    people = dict(zip(names, made.strata["people"], strict=True))
    full = pd.DataFrame(
        [(c, e, r, n * parts[0][e] * parts[1][r])
         for (c, n), e, r in itertools.product(people.items(), *parts)],
        columns=[*by, "people"],
    )  # fmt: skip
    rate = areas.poststratify(found, full, by).frame
    truth = made.share()[rate.index]
    hits = frame.assign(hit=(frame["score"] >= 70) * frame["weight"]).groupby("stratum")
    direct = hits["hit"].sum() / hits["weight"].sum()
    assert ((rate["rate"] - truth) ** 2).mean() < 0.6 * ((direct - truth) ** 2).mean()
    assert truth.between(rate["low"], rate["high"]).mean() > 0.88
    assert found["n"].sum() == pytest.approx(len(frame) / 1.2)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c[c["area"] != "A02"], "The census has no cell A02"),
        (lambda c: pd.concat([c, c.iloc[:1]]), "The census has the cell A01 a twice"),
        (lambda c: c.assign(people=0.0), "people above 0"),
    ],
)
def test_a_census_that_does_not_fit_is_refused(spoil, message):
    found = CELLS[CELLS["n"] > 0].assign(share=0.5)
    with pytest.raises(ModelError, match=message):
        areas.poststratify(found, spoil(census(CELLS)), ["area", "age"], ["x"])


# Bock & Aitkin's section 6 of the LSAT: right answers to five items, patterns in binary order.
LSAT = [3, 6, 2, 11, 1, 1, 3, 4, 1, 8, 0, 16, 0, 3, 2, 15, 10, 29, 14, 81, 3, 28, 15, 80, 16, 56,
        21, 173, 11, 61, 28, 298]  # fmt: skip


def test_the_lsat_has_the_published_parameters():
    """Rizopoulos (2006), Journal of Statistical Software 17(5): R's ``ltm``."""
    patterns = pd.DataFrame([[int(bit) for bit in f"{i:05b}"] for i in range(32)])
    found = items.two_parameter(patterns, np.array(LSAT))
    assert list(found["a"]) == pytest.approx([0.8254, 0.7229, 0.8905, 0.6886, 0.6575], abs=1e-3)
    b = [-3.3597, -1.3696, -0.2799, -1.8659, -3.1236]
    assert list(found["b"]) == pytest.approx(b, abs=3e-3)
    assert found.attrs["loglike"] == pytest.approx(-2466.653, abs=1e-3)


def answered(seed: int, a: np.ndarray, b: np.ndarray, mean: float, n: int = 2500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    right = rng.random((n, len(a))) < expit(a * (rng.normal(mean, 1, n)[:, None] - b))
    return pd.DataFrame(right.astype(float), columns=[f"q{i}" for i in range(len(a))])


@pytest.mark.parametrize("link", [items.stocking_lord, items.haebara])
def test_a_gain_over_two_instruments_is_found_through_their_common_items(link):
    rng = np.random.default_rng(8)
    a, b = rng.uniform(0.7, 1.6, 20), rng.normal(0, 1, 20)
    old, new = answered(1, a, b, 0.0), answered(2, a, b, 0.5)
    old.iloc[::2, 3] = np.nan  # a question that not all were asked
    new = new.rename(columns={f"q{i}": f"new {i}" for i in range(12, 20)})
    found = link(items.two_parameter(old), items.two_parameter(new))
    assert found.items == 12
    gain, error = items.linked_gain(-found.shift, 0.02, found)
    assert error > found.error > 0.005
    assert abs(gain - 0.5) < 3 * error


@pytest.mark.parametrize("link", [items.stocking_lord, items.haebara])
def test_items_moved_to_another_scale_give_that_move_and_no_error(link):
    rng = np.random.default_rng(1)
    new = pd.DataFrame({"a": rng.uniform(0.6, 1.8, 9), "b": rng.normal(0, 1, 9),
                        "c": rng.uniform(0, 0.25, 9)})  # fmt: skip
    old = new.assign(a=new["a"] * 1.2, b=(new["b"] + 0.3) / 1.2)
    found = link(old, new)
    assert (found.slope, found.shift, found.error) == pytest.approx((1.2, -0.3, 0), abs=1e-6)
    # An item that became harder pulls the link, and the error tells that items disagree.
    drifted = link(old, new.assign(b=new["b"] + 0.8 * (new.index == 4)))
    assert drifted.shift > -0.28 and drifted.error > 0.02


def test_answers_that_tell_no_curve_are_refused():
    x = answered(3, np.ones(4), np.zeros(4), 0.0, n=50)
    for spoilt in (x.assign(q1=1.0), x.assign(q1=2.0), x.assign(q1=np.nan)):
        with pytest.raises(KepuError, match=r"right \(1\) and wrong \(0\)"):
            items.two_parameter(spoilt)
    with pytest.raises(KepuError, match="2 items are too few"):
        items.two_parameter(x[["q0", "q1"]])
    with pytest.raises(KepuError, match="2 common items cannot link"):
        items.haebara(*(pd.DataFrame({"a": 1.0, "b": [0.0, 1.0]}) for _ in range(2)))
