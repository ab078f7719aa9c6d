"""Random draws behind a simulated panel: dose paths, gains and observed rates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

# Median of each dose: the point at which its term in the gain is zero.
REFERENCE = {
    "facility": 120.0,  # exhibition floor area, square metres per 10,000 residents
    "personnel": 15.0,  # persons per 10,000 residents
    "activity": 8.0,  # lectures per 10,000 residents and year
    "fund": 4.0,  # yuan per resident and year
}
DOSES = tuple(REFERENCE)
STOCKS = ("facility", "personnel")
FLOWS = ("activity", "fund")
COVARIATES = ("income", "college_share", "urban_share")
# Years of doses before the first wave, which levels in that wave may be set against.
LEAD = 3


@dataclass(frozen=True)
class Truth:
    """What generates a panel; the first four are the effects an estimator should recover.

    Attributes
    ----------
    facility, personnel, activity, fund : effect of a doubling of the dose on the annual gain, in
        percentage points per year.
    trend : common gain in percentage points per year, one number or one for each interval.
    opening_effect : change of the annual gain per percentage point of opening level.
    region_sd, residual_sd : standard deviations of the lasting region term and of the noise of
        each interval, in percentage points per year.
    opening_mean, opening_sd : level at the first wave, percent.
    design_effect : variance of an observed rate over that of a simple random sample, at least 1.
    dose_sd : standard deviation of log2 of each dose between regions.
    correlation : of the logs of any two doses, and of a dose with the normal score of a covariate.
    persistence : first-order autocorrelation of the log doses from year to year.
    nesting : share of the between-region variance that regions of one parent have in common; it
        applies only where the regions have more than one parent.
    population : median population of a region, in 10,000 persons.
    """

    facility: float = 0.30
    personnel: float = 0.20
    activity: float = 0.10
    fund: float = 0.0
    trend: float | tuple[float, ...] = 1.1
    opening_effect: float = -0.02
    region_sd: float = 0.15
    residual_sd: float = 0.20
    opening_mean: float = 8.0
    opening_sd: float = 1.0
    design_effect: float = 2.0
    dose_sd: float = 0.6
    correlation: float = 0.6
    persistence: float = 0.99
    nesting: float = 0.3
    population: float = 200.0

    def __post_init__(self) -> None:
        for name in ("region_sd", "residual_sd", "opening_sd", "dose_sd"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        for name in ("correlation", "persistence", "nesting"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}.")
        if self.design_effect < 1:
            raise ValueError(f"design_effect must be at least 1, got {self.design_effect}.")


def _nested(rng, parents: pd.Series, shape: tuple[int, ...], share: float) -> np.ndarray:
    """Standard normals ``(regions, *shape)``; regions of one parent share ``share`` of variance."""
    own = rng.standard_normal((len(parents), *shape))
    codes, names = pd.factorize(parents)
    if len(names) < 2:
        return own
    group = rng.standard_normal((len(names), *shape))[codes]
    return np.sqrt(share) * group + np.sqrt(1 - share) * own


def annual_paths(rng, regions, years, truth: Truth) -> pd.DataFrame:
    """Doses and covariates of each region and year from equicorrelated AR(1) normal scores."""
    names = [*DOSES, *COVARIATES]
    draws = _nested(rng, regions["parent_code"], (len(years), len(names) + 1), truth.nesting)
    # The last column is the common factor that gives any two scores the stated correlation.
    noise = np.sqrt(truth.correlation) * draws[..., -1:]
    noise = noise + np.sqrt(1 - truth.correlation) * draws[..., :-1]
    score = noise.copy()
    for t in range(1, len(years)):
        fresh = np.sqrt(1 - truth.persistence**2) * noise[:, t]
        score[:, t] = truth.persistence * score[:, t - 1] + fresh
    frame = pd.DataFrame(score.reshape(-1, len(names)), columns=names)
    for name, median in REFERENCE.items():
        frame[name] = median * 2 ** (truth.dose_sd * frame[name])
    frame["income"] = 70_000 * np.exp(0.4 * frame["income"])
    frame["college_share"] = 100 / (1 + np.exp(1.5 - 0.3 * frame["college_share"]))
    frame["urban_share"] = 100 / (1 + np.exp(-0.6 - 0.5 * frame["urban_share"]))
    people = truth.population * np.exp(0.5 * rng.standard_normal(len(regions)))
    frame["population"] = np.repeat(people.round(2), len(years))
    frame.insert(0, "region_code", np.repeat(regions["code"].to_numpy(), len(years)))
    frame.insert(1, "year", np.tile(np.asarray(years), len(regions)))
    return frame


def interval_doses(annual: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    """Doses of one interval by region: opening stocks, mean flows of the years after it."""
    opening = annual[annual["year"] == start].set_index("region_code")
    between = annual[annual["year"].between(start + 1, end)]
    means = between.groupby("region_code", sort=False)[list(FLOWS)].mean()
    return opening[list(STOCKS)].join(means)[list(DOSES)]


def true_gains(rng, regions, waves, truth: Truth, annual) -> tuple[pd.DataFrame, np.ndarray]:
    """True gains of every interval, and the true levels ``(regions, waves)``."""
    noise = rng.standard_normal((len(regions), len(waves)))
    levels = [truth.opening_mean + truth.opening_sd * noise[:, 0]]
    region = truth.region_sd * _nested(rng, regions["parent_code"], (), truth.nesting)
    trend = np.broadcast_to(np.asarray(truth.trend, dtype=float), len(waves) - 1)
    rows = []
    for j, (start, end) in enumerate(pairwise(waves)):
        frame = interval_doses(annual, start, end).reset_index()
        response = sum(getattr(truth, k) * np.log2(frame[k] / REFERENCE[k]) for k in DOSES)
        frame = frame.assign(
            wave_from=start, wave_to=end, years=end - start, opening=levels[-1], trend=trend[j]
        )
        frame["region_term"] = region
        frame["residual"] = truth.residual_sd * noise[:, j + 1]
        frame["true_gain"] = (
            frame["trend"] + response + truth.opening_effect * (levels[-1] - truth.opening_mean)
        ) + (frame["region_term"] + frame["residual"])
        levels.append(levels[-1] + (end - start) * frame["true_gain"].to_numpy())
        rows.append(frame)
    order = ["region_code", "wave_from", "wave_to", "years", *DOSES, "opening", "trend"]
    gains = pd.concat(rows, ignore_index=True)[[*order, "region_term", "residual", "true_gain"]]
    return gains, np.column_stack(levels)


def observed_rates(rng, rate: np.ndarray, n: int, design_effect: float) -> np.ndarray:
    """Beta-binomial rates in percent; their intra-sample correlation is the design effect.

    ``rate`` lies inside (0, 100). With intra-sample correlation ``(deff - 1) / (n - 1)`` the
    variance of a rate is ``deff * p * (1 - p) / n`` exactly.
    """
    share = rate / 100
    if design_effect > 1:
        precision = (n - 1) / (design_effect - 1) - 1
        share = rng.beta(share * precision, (1 - share) * precision)
    return 100 * rng.binomial(n, share) / n
