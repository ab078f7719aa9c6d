"""Designs to calibrate on: generated ones of any size, and the panel of a data package."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from evaluation.errors import KepuError
from evaluation.model_panels import Panels, roles
from evaluation.models.columns import GAINS, checked, dummies, equation
from evaluation.stats.bootstrap import cluster_codes
from evaluation.stats.least_squares import Equation, least_squares
from evaluation.stats.power import region_correlation

# Generated panels: a share of 10 %, 700 respondents and a design effect of 1.5 a region and wave.
SAMPLING_SD = 100 * (1.5 * 0.1 * 0.9 / 700) ** 0.5
YEARS = 2  # between waves
SIGMA = 0.4  # s.d. of annual gains beyond sampling error, in percentage points
CORRELATION = 0.5  # of that part within a region
EFFECT = 0.2  # percentage points a year per unit of the dose
FORM = re.compile(r"([1-9][0-9]{0,2})x([1-9][0-9]?)")


@dataclass(frozen=True)
class Scenario:
    """A truth to draw panels from; call it with a generator and an effect to get a design.

    ``effect`` is the true effect with which coverage is measured.
    """

    name: str
    effect: float
    draw: Callable[[np.random.Generator, float], Equation]

    def __call__(self, rng: np.random.Generator, effect: float) -> Equation:
        return self.draw(rng, effect)


def shock(rng: np.random.Generator, codes: np.ndarray, correlation: float) -> np.ndarray:
    """Standard normal errors correlated within regions, (N,)."""
    own, region = rng.normal(size=len(codes)), rng.normal(size=codes.max() + 1)
    return np.sqrt(1 - correlation) * own + np.sqrt(correlation) * region[codes]


def _regressors(rng: np.random.Generator, regions: int, waves: int, treated: int) -> pd.DataFrame:
    """Interval effects, a covariate, and a dose that differs between regions for good."""
    codes, interval = np.divmod(np.arange(regions * (waves - 1)), waves - 1)
    frame = dummies(pd.Series(interval, name="interval"), drop_first=False)
    level = rng.normal(size=regions)
    frame["income"] = (0.5 * level + rng.normal(size=regions))[codes]
    late = interval >= (waves - 1) // 2
    persistent = level[codes] + 0.3 * rng.normal(size=len(codes))
    frame["dose"] = np.where((codes < treated) & late, 1.0, 0.0) if treated else persistent
    return frame


def _generated(
    rng: np.random.Generator, effect: float, regions: int, waves: int, treated: int
) -> Equation:
    """Annual gains between waves whose sampling errors both of their gains share."""
    X = _regressors(rng, regions, waves, treated)
    codes, interval = np.divmod(np.arange(len(X)), waves - 1)
    sampled = SAMPLING_SD * rng.normal(size=(regions, waves))
    y = np.diff(sampled, axis=1).ravel() / YEARS + SIGMA * shock(rng, codes, CORRELATION)
    variance = np.full(len(X), 2 * SAMPLING_SD**2 / YEARS**2)
    y = y + effect * X["dose"].to_numpy()
    return Equation(y, X, codes, interval, variance, effects=waves - 1)


def generated(regions: int, waves: int, treated: int = 0) -> Scenario:
    """Regions x waves, drawn anew for every panel.

    ``treated`` regions take a 0/1 dose from the middle of the panel on; with 0 all have a dose.
    """
    if regions < 2 or waves < 2:
        raise KepuError(f"A design needs 2 regions and 2 waves or more, not {regions}x{waves}.")
    if not 0 <= treated < regions:
        raise KepuError(f"'treated' must lie between 0 and {regions - 1}; it is {treated}.")
    name = f"{regions}x{waves}" + (f", {treated} treated" if treated else "")
    draw = partial(_generated, regions=regions, waves=waves, treated=treated)
    return Scenario(name, EFFECT, draw)


def _actual(
    rng: np.random.Generator,
    effect: float,
    design: Equation,
    spans: np.ndarray,
    sampling: np.ndarray,
    sigma: float,
    correlation: float,
) -> Equation:
    errors = sampling * rng.normal(size=len(sampling))
    codes, _ = cluster_codes(design.clusters, len(design.y))
    y = spans @ errors + sigma * shock(rng, codes, correlation)
    y = y + effect * design.X.iloc[:, -1].to_numpy()
    return replace(design, y=y)


def _spans(frame: pd.DataFrame, rates: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows x region-waves with ±1/years where a gain ends or begins, and the rates' errors."""
    keys = pd.MultiIndex.from_frame(rates[["region_code", "wave"]])
    spans = np.zeros((len(frame), len(keys)))
    for wave, sign in (("wave_to", 1.0), ("wave_from", -1.0)):
        place = keys.get_indexer(pd.MultiIndex.from_frame(frame[["region_code", wave]]))
        spans[np.arange(len(frame)), place] = sign / frame["years"].to_numpy()
    used = np.abs(spans).sum(axis=0) > 0
    return spans[:, used], rates["se"].to_numpy()[used]


def actual(panels: Panels, dose: str) -> Scenario:
    """The panel of gains as it is: its regions, gaps, doses, covariates and sampling errors.

    Outcomes are drawn from the fitted variances with no effect and none of the covariates, to
    which the test is blind; gains that meet in a wave share its sampling error.
    """
    part = roles(GAINS, [f"log2_{dose}"])
    checked(panels.provinces, part, waves=1)
    design = equation(GAINS, panels.provinces, part)
    frame = panels.provinces.iloc[design.rows]
    spans, sampling = _spans(frame, panels.rates)
    weights, sigma2 = design.known_variance_weights()
    fit = least_squares(design.y, design.X, weights)
    codes, _ = cluster_codes(design.clusters, len(design.y))
    draw = partial(
        _actual, design=design, spans=spans, sampling=sampling,
        sigma=max(0.0, sigma2) ** 0.5, correlation=region_correlation(fit, codes),
    )  # fmt: skip
    return Scenario(f"actual, {dose}", EFFECT, draw)


def parse(text: str) -> tuple[int, int]:
    """Regions and waves of a design written as ``31x5``."""
    found = FORM.fullmatch(text)
    if not found:
        raise KepuError(
            f"Unknown design '{text}': write regions x waves as 31x5 (up to 999x99), or actual."
        )
    return int(found[1]), int(found[2])
