"""The test of one treated region: its place among donors treated as if they had been treated."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.errors import ModelError
from evaluation.models.drawn import critical_value, detectable, p_value
from evaluation.models.synthetic_weights import Fit
from evaluation.models.timing import Timed

STATISTICS = ("gap", "ratio")


def _scale(fits: list[Fit], statistic: str) -> np.ndarray:
    """What each region's estimate is divided by."""
    if statistic == "gap":
        return np.ones(len(fits))
    before = np.array([fit.before for fit in fits])
    if (before <= 1e-4 * np.median([fit.after for fit in fits])).any():
        raise ModelError(
            "Some region is fitted perfectly before treatment, so that a ratio to that fit means "
            "nothing; use statistic='gap'."
        )
    return before


def placebo_test(own: Fit, others: list[Fit], statistic: str, level: float) -> dict[str, float]:
    """p, interval and what could be detected, from the places of the region among placebos."""
    scale = _scale([own, *others], statistic)
    drawn = np.array([fit.estimate for fit in others]) / scale[1:]
    reach = float(critical_value(np.abs(drawn), level)) * scale[0]
    ratios = np.array([fit.ratio for fit in others])
    return {
        "p": p_value(abs(own.estimate) / scale[0], np.abs(drawn)),
        "low": own.estimate - reach,
        "high": own.estimate + reach,
        "ratio_p": p_value(own.ratio, ratios),
        "mde_approximate": detectable(np.array([1 / scale[0]]), drawn[:, None], level),
    }


def sampling_se(
    panel: Timed, row: int, waves: np.ndarray, donors: np.ndarray, own: Fit
) -> float | None:
    """Standard error from the known sampling variances alone, the weights held fixed."""
    if panel.variance is None:
        return None
    before = len(own.times)
    after = len(waves) - before
    over_time = np.concatenate([-own.times, np.full(after, 1 / after)])
    known = panel.variance[:, waves]
    return float(np.sqrt(over_time**2 @ (known[row] + own.donors**2 @ known[donors])))


def details(
    panel: Timed, waves: np.ndarray, donors: np.ndarray, own: Fit, others: list[Fit]
) -> dict[str, Any]:
    """Weights, gaps by wave, fit before treatment and the placebos behind the test."""
    names, years = panel.regions[donors], panel.waves[waves]
    gaps = [
        {"wave": year, "gap": gap, "after": bool(position >= len(own.times))}
        for position, (year, gap) in enumerate(zip(years.tolist(), own.gaps.tolist(), strict=True))
    ]
    return {
        "donors": len(donors),
        "donors_effective": float(1 / (own.donors**2).sum()),
        "donors_left_out": len(panel.regions) - 1 - len(donors),
        "before": len(own.times),
        "after": len(years) - len(own.times),
        "dropped": panel.dropped,
        "rmspe_before": own.before,
        "rmspe_after": own.after,
        "rmspe_ratio": own.ratio,
        "smallest_p": 1 / (1 + len(donors)),
        "donor_weights": dict(zip(map(str, names), own.donors.tolist(), strict=True)),
        "time_weights": dict(zip(map(str, years), own.times.tolist(), strict=False)),
        "gaps": gaps,
        "placebos": [
            {"region": str(name), "estimate": fit.estimate, "rmspe_ratio": fit.ratio}
            for name, fit in zip(names, others, strict=True)
        ],
    }
