"""Small areas against published answers and simulated truth; test scores and their links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

from evaluation.base.errors import KepuError, ModelError
from evaluation.survey import areas, items

REFERENCE = Path(__file__).with_name("reference")
PUBLISHED = pd.read_csv(REFERENCE / "published_rungs.csv").set_index("case")


@pytest.fixture(scope="module")
def milk():
    frame = pd.read_csv(REFERENCE / "milk.csv").set_index("small_area")
    major = pd.get_dummies(frame["major_area"], drop_first=True, prefix="major").astype(float)
    return areas.smooth(
        frame["direct_est"], frame["std_error"], major, frame["samp_size"].astype(float), draws=400
    )


def test_milk_has_the_published_rates_and_errors(milk):
    assert list(milk.coefficients) == pytest.approx(
        list(PUBLISHED.loc["milk"].iloc[:, 1]), abs=1e-6
    )
    assert list(milk.errors) == pytest.approx(list(PUBLISHED.loc["milk"]["se"]), abs=1e-6)
    combined, mse = (PUBLISHED.loc[name]["estimate"] for name in ("milk_eblup", "milk_mse"))
    assert list(milk.frame["combined"]) == pytest.approx(list(combined), abs=1e-6)
    assert list(milk.frame["mse"]) == pytest.approx(list(mse), abs=1e-7)


def test_combined_lies_between_direct_and_synthetic_and_is_benchmarked(milk):
    f = milk.frame
    mixed = f["weight"] * f["direct"] + (1 - f["weight"]) * f["synthetic"]
    assert list(f["combined"]) == pytest.approx(list(mixed))
    share = pd.read_csv(REFERENCE / "milk.csv").set_index("small_area")["samp_size"]
    assert np.average(f["benchmarked"], weights=share) == pytest.approx(
        np.average(f["direct"], weights=share)
    )
    assert ((f["rank_low"] >= 1) & (f["rank_high"] <= 43) & (f["rank_low"] <= f["rank_high"])).all()
    # The bootstrap measures benchmarked rates, the formula combined ones: near each other here.
    assert np.median(f["mse_bootstrap"] / f["mse"]) == pytest.approx(1, abs=0.15)


def test_rates_are_not_regressed_on_what_smoothed_them(milk):
    assert milk.method == "fay_herriot: major_2, major_3, major_4"
    assert list(milk.outcome(["income"])) == list(milk.frame["benchmarked"])
    with pytest.raises(ModelError, match="smoothed by major_2 cannot be regressed on it"):
        milk.outcome(["income", "major_2"])


def simulated(seed: int, m: int = 40):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, m)
    truth = 20 + 2 * x + rng.normal(0, 2, m)
    se = rng.uniform(1.5, 4, m)
    index = pd.Index([f"A{i}" for i in range(m)])
    given = (pd.Series(truth + rng.normal(0, se), index), pd.Series(se, index),
             pd.DataFrame({"x": x}, index), pd.Series(rng.uniform(1, 5, m), index))  # fmt: skip
    return truth, given


def test_smoothed_rates_are_nearer_the_truth_and_intervals_cover_it():
    inside, gained = [], []
    for seed in range(25):
        truth, given = simulated(seed)
        f = areas.smooth(*given, draws=60, seed=seed).frame
        inside += list((f["low"] <= truth) & (truth <= f["high"]))
        gained.append(
            ((f["benchmarked"] - truth) ** 2).mean() / ((f["direct"] - truth) ** 2).mean()
        )
    assert np.mean(gained) < 0.6
    low, high = stats.binom.ppf([0.0005, 0.9995], len(inside), 0.95) / len(inside)
    assert low - 0.015 <= np.mean(inside) <= high


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y, s, x, w: (y, s * 0, x, w), "Area A0 has no standard error above 0"),
        (lambda y, s, x, w: (y, s.where(s.index != "A3"), x, w), "Area A3 has no standard error"),
        (lambda y, s, x, w: (y[:4], s[:4], x[:4], w[:4]), "4 areas are too few"),
        (lambda y, s, x, w: (y, s[::-1], x, w), "must be of the same areas"),
        (lambda y, s, x, w: (y, s, x.assign(x=np.nan), w), "must be known"),
    ],
)
def test_areas_that_cannot_be_smoothed_are_refused(spoil, message):
    with pytest.raises(ModelError, match=message):
        areas.smooth(*spoil(*simulated(1)[1]), draws=0)


def answers(seed: int, difficulty: np.ndarray, ability: float = 0.0, n: int = 6000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    person = rng.normal(ability, 1, n)
    right = rng.random((n, len(difficulty))) < expit(person[:, None] - difficulty)
    return pd.DataFrame(right.astype(int), columns=[f"q{i}" for i in range(len(difficulty))])


def test_alpha_is_that_of_kuder_and_richardson_and_one_for_copies():
    x = answers(1, np.linspace(-2, 2, 10))
    p, k = x.mean(), x.shape[1]
    kr20 = k / (k - 1) * (1 - (p * (1 - p)).sum() / x.sum(axis=1).var(ddof=0))
    assert items.alpha(x) == pytest.approx(kr20, rel=1e-3)
    assert items.alpha(pd.concat([x["q1"], x["q1"]], axis=1)) == pytest.approx(1)
    with pytest.raises(KepuError, match="two items or more"):
        items.alpha(x[["q1"]])


def test_items_are_described_by_their_own_share_and_the_rest():
    x = answers(2, np.array([-1.0, 0.0, 1.0, 2.0]))
    found = items.describe(x)
    assert list(found["difficulty"]) == pytest.approx(list(x.mean()))
    rest = x.drop(columns="q1").sum(axis=1)
    assert found.loc["q1", "discrimination"] == pytest.approx(np.corrcoef(x["q1"], rest)[0, 1])
    assert found.loc["q1", "alpha_without"] == pytest.approx(items.alpha(x.drop(columns="q1")))


def test_difficulties_and_the_link_find_what_was_simulated():
    true = np.linspace(-1.5, 1.5, 12)
    old, new = answers(3, true), answers(4, true + 0.4, ability=0.8)
    first, second = items.difficulties(old), items.difficulties(new)
    assert np.abs(first - true).max() < 0.12
    other = items.mean_sigma(first, 1.5 * first - 0.2)
    assert (other.slope, other.shift, other.error) == pytest.approx((1.5, -0.2, 0), abs=1e-9)
    assert items.linked_gain(3.0, 0.4, items.Link(1.0, 0.0, 0.3, 12)) == (3.0, 0.5)
    assert second.mean() == pytest.approx(0)


def test_links_without_common_items_and_scores_for_answers_are_refused():
    x = items.difficulties(answers(6, np.zeros(4)))
    with pytest.raises(KepuError, match="0 common items cannot link"):
        items.mean_sigma(x, x.rename(lambda name: f"new {name}"))
    with pytest.raises(KepuError, match="right \\(1\\) or wrong \\(0\\)"):
        items.difficulties(pd.DataFrame({"a": [0, 2], "b": [1, 1]}))
    with pytest.raises(KepuError, match="never right where another is wrong"):
        items.difficulties(pd.DataFrame({"a": [0, 0], "b": [1, 1]}))
