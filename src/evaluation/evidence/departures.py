"""Departures from parallel trends: what they could account for, given those before a programme."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from evaluation.base.errors import ModelError
from evaluation.base.results import Result

# A breakdown value beyond this is told as none: nothing before the programme departed.
FARTHEST = 1e3


@dataclass(frozen=True, eq=False)
class Differences:
    """Differences about a start with their joint error: the average reported, then each survey.

    Attributes
    ----------
    values : (K,). years : (K,) from the last survey without the programme to each, negative before
        it; of the average, the mean. covariance : (K, K). critical : (K,) half-widths of the
        ordinary intervals in standard errors.
    """

    values: np.ndarray
    years: np.ndarray
    covariance: np.ndarray
    critical: np.ndarray

    @property
    def changes(self) -> np.ndarray:
        """(S, K) loadings of the change a year between neighbouring surveys up to the last one
        without the programme, that from the survey before it included."""
        order = 1 + np.argsort(self.years[1:])
        before = order[self.years[order] < 0]
        if not len(before):
            raise ModelError("There is no survey before the last one without the programme.")
        rows = np.vstack([np.eye(len(self.values))[before], np.zeros(len(self.values))])
        return np.diff(rows, axis=0) / np.diff(np.append(self.years[before], 0.0))[:, None]

    @property
    def largest(self) -> float:
        """Largest change of the differences between two surveys before the programme, a year."""
        return float(np.abs(self.changes @ self.values).max())

    def interval(self, which: int, multiple: float) -> tuple[float, float]:
        """Interval of one difference if departures after the start are at most ``multiple`` times
        as fast as the fastest before it.

        The worst departure climbs throughout, so that for each change that may have been the
        fastest, up or down, the ends of what is possible are sums of the estimates; the interval
        spans the ordinary intervals of all these sums, and so covers whichever it was.

        Source
        ------
        Rambachan & Roth (2023), Review of Economic Studies 90:2555-2591, section 2.4.1 and the
        union over periods of section 3; ends by normal intervals in place of the conditional test,
        which makes it somewhat wider.
        """
        own = np.eye(len(self.values))[which]
        most = multiple * abs(self.years[which]) * self.changes
        sums = np.vstack([own - most, own + most])
        value = sums @ self.values
        spread = np.einsum("sk,kl,sl->s", sums, self.covariance, sums)
        half = self.critical[which] * np.sqrt(np.maximum(spread, 0.0))
        return float((value - half).min()), float((value + half).max())

    def breakdown(self, which: int = 0) -> float:
        """The multiple at which the interval reaches zero; 0 where the ordinary one holds it."""

        def clear(multiple: float) -> float:
            low, high = self.interval(which, multiple)
            return max(low, -high)

        if not clear(0.0) > 0:
            return 0.0
        if clear(FARTHEST) > 0:
            return inf
        return float(brentq(clear, 0.0, FARTHEST, xtol=1e-6))


def differences(result: Result, years: float) -> Differences:
    """The average of a staggered design and its differences by survey, jointly.

    Parameters
    ----------
    years : mean from the last survey without the programme to the outcomes that are averaged.
    """
    rows = pd.DataFrame(result.details["dynamic"]).astype(float)
    ends = pd.DataFrame(
        [{"estimate": result.estimate, "se": result.se, "low": result.low, "high": result.high}]
    )
    rows = pd.concat([ends.assign(years=years), rows], ignore_index=True)
    se = rows["se"].to_numpy()
    widest = np.fmax(rows["high"] - rows["estimate"], rows["estimate"] - rows["low"]).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        critical = np.where(se > 0, widest / se, 0.0)
    covariance = np.array(result.details["correlation"]) * np.outer(se, se)
    return Differences(
        rows["estimate"].to_numpy(), rows["years"].to_numpy(), covariance, critical
    )  # fmt: skip


def banded(result: Result, multiple: float = 1.0) -> pd.DataFrame:
    """Differences by survey with ``honest_low, honest_high``, missing before the start: intervals
    if departures after it are at most ``multiple`` times as fast as the fastest before."""
    rows = pd.DataFrame(result.details["dynamic"])
    found = differences(result, 0.0)
    after = rows["event"].to_numpy() >= 0
    ends = [found.interval(k + 1, multiple) if late else (np.nan, np.nan)
            for k, late in enumerate(after)]  # fmt: skip
    return rows.assign(honest_low=[low for low, _ in ends], honest_high=[high for _, high in ends])
