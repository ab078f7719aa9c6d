"""Expectations from the other regions: a fit without the region, errors of a known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from evaluation.base.errors import ModelError
from evaluation.evidence.headline import expected_gains
from evaluation.models.columns import Roles
from evaluation.survey.panel import composite

ROLES = Roles(
    outcome="gain",
    doses=["dose"],
    covariates=["income"],
    region="region",
    wave="interval",
    variance="variance",
)


def panel(seed: int, regions: int = 25, intervals: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.MultiIndex.from_product(
        [[f"r{i:02d}" for i in range(regions)], [f"t{i}" for i in range(intervals)]],
        names=["region", "interval"],
    ).to_frame(index=False)
    frame["dose"], frame["income"] = rng.normal(size=(2, len(frame)))
    frame["variance"] = rng.uniform(0.05, 0.2, len(frame))
    noise = rng.normal(size=len(frame)) * np.sqrt(frame["variance"] + 0.1)
    frame["gain"] = 1 + 0.3 * frame["dose"] - 0.2 * frame["income"] + noise
    return frame


def test_an_expectation_is_the_fit_to_the_others():
    frame = panel(1).assign(variance=0.1)
    found = expected_gains(frame, ROLES)
    own = frame["region"] == "r03"
    X = pd.get_dummies(frame["interval"], dtype=float).join(frame[["income", "dose"]])
    # Equal variances weigh all rows alike: ordinary least squares without the region.
    fit = sm.OLS(frame.loc[~own, "gain"], X[~own]).fit()
    np.testing.assert_allclose(found.loc[own, "expected"], fit.predict(X[own]))
    np.testing.assert_allclose(found["residual"], found["observed"] - found["expected"])


def test_the_region_itself_does_not_move_its_expectation():
    frame = panel(2)
    other = frame.assign(gain=frame["gain"] + 5.0 * (frame["region"] == "r07"))
    own = frame["region"] == "r07"
    before, after = (expected_gains(item, ROLES)[own] for item in (frame, other))
    np.testing.assert_allclose(before["expected"], after["expected"])
    np.testing.assert_allclose(after["residual"] - before["residual"], 5.0)


def test_intervals_cover_as_often_as_they_say():
    inside = []
    for seed in range(60):
        found = expected_gains(panel(seed), ROLES)
        inside.append(((found["low"] < 0) & (found["high"] > 0)).mean())
    # 4,500 residuals; their region and fit are shared, so the band is wider than binomial.
    assert 0.93 < np.mean(inside) < 0.97


def test_an_interval_no_other_region_has_gives_no_expectation():
    frame = panel(3)
    frame.loc[0, "interval"] = "alone"
    found = expected_gains(frame, ROLES)
    assert found.loc[0, ["expected", "residual", "low", "high"]].isna().all()
    assert found.loc[1:, "expected"].notna().all()


def test_a_composite_is_standardised_and_wants_all_its_parts():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["log2_a", "log2_b", "log2_c"])
    frame.loc[:60, "log2_c"] = np.nan
    frame.loc[5, "log2_a"] = np.nan
    index = composite(frame, ["a", "b", "c"])
    assert index.attrs["doses"] == ["a", "b"]
    assert index.isna().sum() == 1
    assert index.mean() == pytest.approx(0) and index.std() == pytest.approx(1)
    with pytest.raises(ModelError, match="A composite needs two doses known in 90% of the rows"):
        composite(frame.drop(columns="log2_b").assign(log2_b=np.nan), ["b", "c"])


@pytest.mark.parametrize("wave", ["interval", "wave"])
def test_a_unit_of_the_composite_is_what_the_models_of_its_panel_compare(wave):
    """Gains: between regions of one interval. Levels: within regions, beyond what all share."""
    rng = np.random.default_rng(6)
    region, time = np.repeat(np.arange(20), 4), np.tile(np.arange(4), 20)
    base = {"region_code": region.astype(str), wave: 2010 + time}
    own, trend = 3 * rng.normal(size=20)[region], 5.0 * time
    doses = {f"log2_{name}": own + trend + 0.2 * rng.normal(size=80) for name in "ab"}
    frame = pd.DataFrame(base | doses)
    index = composite(frame, ["a", "b"])
    labels = "C(interval)" if wave == "interval" else "C(wave) + C(region_code)"
    left = smf.ols(f"index ~ {labels}", frame.assign(index=index)).fit()
    assert left.mse_resid == pytest.approx(1.0)
    moved = composite(frame.assign(log2_a=100 - 7 * frame["log2_a"]), ["a", "b"])
    again = composite(frame.assign(log2_a=100 + 7 * frame["log2_a"]), ["a", "b"])
    np.testing.assert_allclose(again, index)
    assert not np.allclose(moved, index)
