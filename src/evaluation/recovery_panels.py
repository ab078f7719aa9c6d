"""Generated panels with a known truth, one generator a rung; nothing here is an observation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

WAVES = (2010, 2015, 2018, 2020, 2022)
LEVEL = {"outcome": "rate", "doses": ["dose"], "region": "region", "wave": "wave"}
GAIN = LEVEL | {"outcome": "gain"}
EFFECT = 0.5


@dataclass(frozen=True)
class Rung:
    """A generator of panels with their truth, and the arguments its model is given."""

    draw: Callable[[np.random.Generator, int], tuple[pd.DataFrame, float]]
    arguments: dict[str, Any]


def _grid(rng: np.random.Generator, regions: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of regions and waves with a dose related to the region, and both effects."""
    region, wave = np.repeat(np.arange(regions), len(WAVES)), np.tile(WAVES, regions)
    own = rng.normal(size=regions)[region]
    trend = (wave - WAVES[0]) / (WAVES[-1] - WAVES[0])
    frame = pd.DataFrame({"region": region, "wave": wave})
    frame["dose"] = 0.7 * own + trend + 0.7 * rng.normal(size=len(frame))
    return frame, own, trend


def _thinned(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    """Two waves in five are not published; which is unrelated to the rates."""
    kept = rng.permutation(len(frame))[: round(0.6 * len(frame))]
    return frame.iloc[np.sort(kept)].reset_index(drop=True)


def levels(rng: np.random.Generator, regions: int) -> tuple[pd.DataFrame, float]:
    """Rates with regional effects related to the dose, sampling error and more."""
    frame, own, trend = _grid(rng, regions)
    frame["v"] = rng.uniform(0.2, 0.8, len(frame))
    error = np.sqrt(frame["v"] + 0.3) * rng.normal(size=len(frame))
    other = 2 * rng.normal(size=regions)[frame["region"]]
    frame["rate"] = 10 + EFFECT * frame["dose"] + 2 * own + other + 5 * trend + error
    return _thinned(rng, frame), EFFECT


def shares(
    rng: np.random.Generator, regions: int, link: str = "probit"
) -> tuple[pd.DataFrame, float]:
    """Shares around a probit or logit of dose, region and wave; regions lean on their mean dose.

    The truth is the average of 100 β g(index) over the rows, the regional effects in the index.
    """
    law = stats.norm if link == "probit" else stats.logistic
    frame, _, trend = _grid(rng, regions)
    frame["trend"] = trend
    frame = _thinned(rng, frame)
    mean = frame.groupby("region")["dose"].transform("mean")
    scale = 1.0 if link == "probit" else 1.7
    lean = 0.15 * mean + 0.1 * rng.normal(size=regions)[frame["region"]]
    index = scale * (-1.7 + 0.05 * frame["dose"] + lean + 0.4 * frame["trend"])
    mu, spread = law.cdf(index), 400.0
    frame["rate"] = 100 * rng.beta(mu * spread, (1 - mu) * spread)
    return frame.drop(columns="trend"), float(100 * scale * 0.05 * law.pdf(index).mean())


def gains(rng: np.random.Generator, regions: int) -> tuple[pd.DataFrame, float]:
    """Annual gains with a dose, an opening level, known sampling variances and a further one."""
    frame, own, _ = _grid(rng, regions)
    frame["opening"] = 10 + 2 * own + rng.normal(size=len(frame))
    frame["v"] = rng.uniform(0.1, 0.4, len(frame))
    error = np.sqrt(frame["v"] + 0.2) * rng.normal(size=len(frame))
    frame["gain"] = 1 + EFFECT * frame["dose"] - 0.1 * frame["opening"] + error
    return _thinned(rng, frame), EFFECT


def means(rng: np.random.Generator, regions: int) -> tuple[pd.DataFrame, float]:
    """Differences of surveys two years apart: neighbouring gains share a survey's error."""
    v = rng.uniform(0.1, 0.8, (regions, len(WAVES)))
    own = 0.15 * rng.normal(size=(regions, 1))
    true = 5 + 2 * np.cumsum(0.8 + own + 0.1 * rng.normal(size=v.shape), axis=1)
    rates = true + np.sqrt(v) * rng.normal(size=v.shape)
    region, wave = np.repeat(np.arange(regions), len(WAVES) - 1), np.tile(WAVES[1:], regions)
    gain, variance = np.diff(rates) / 2, (v[:, 1:] + v[:, :-1]) / 4
    columns = {"region": region, "wave": wave, "gain": gain.ravel(), "v": variance.ravel()}
    return _thinned(rng, pd.DataFrame(columns)), 0.8


KNOWN = {"variance": "v"}
# Only estimate and interval are compared, so what the linear models compute beside them is left.
ALONE = {"companions": False}
RUNGS: dict[str, Rung] = {
    "mean_gain": Rung(means, GAIN | KNOWN | {"doses": []}),
    "gain_regression": Rung(gains, GAIN | KNOWN | ALONE | {"covariates": ["opening"]}),
    "two_way_fixed_effects": Rung(levels, LEVEL | KNOWN | ALONE),
    "fractional_probit": Rung(shares, LEVEL),
    "fractional_logit": Rung(lambda rng, n: shares(rng, n, "logit"), LEVEL),
    "partial_pooling": Rung(levels, LEVEL | KNOWN),
}
