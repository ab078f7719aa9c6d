"""Survey rates with design-based error: variances, intervals, gains and rank intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from evaluation.base.errors import KepuError


def _require(condition: Any, message: str) -> None:
    """Raise ``KepuError(message)`` unless every element of ``condition`` holds (NaN does not)."""
    if not np.all(condition):
        raise KepuError(message)


def _checked(p: Any, n: Any, deff: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, n, deff = (np.asarray(a, dtype=float) for a in (p, n, deff))
    _require((p >= 0) & (p <= 1), "All values in 'p' must lie between 0 and 1.")
    _require((n > 0) & np.isfinite(n), "All values in 'n' must be positive.")
    _require((deff >= 1) & np.isfinite(deff), "All values in 'deff' must be at least 1.")
    return p, n, deff


def _checked_level(level: float) -> float:
    _require(0 < level < 1, f"'level' must lie strictly between 0 and 1; it is {level}.")
    return float(level)


def normal_quantile(level: float) -> float:
    """Half-width, in standard errors, of a two-sided normal interval of coverage ``level``.

    >>> round(normal_quantile(0.95), 3)
    1.96
    """
    return float(stats.norm.ppf((1 + _checked_level(level)) / 2))


def sampling_variance(p: Any, n: Any, deff: Any) -> np.ndarray:
    """Sampling variance of a share, v = deff p (1 - p) / n.

    Parameters
    ----------
    p : shares, 0 to 1. n : respondents. deff : design effect, at least 1. All broadcast.

    Raises
    ------
    KepuError : p outside [0, 1], n not positive, deff below 1, or any of them missing.

    >>> float(sampling_variance(0.5, 2000, 2.0))
    0.00025
    """
    p, n, deff = _checked(p, n, deff)
    return deff * p * (1 - p) / n


def wilson_interval(
    p: Any, n: Any, deff: Any, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of a share on the effective sample n / deff.

    Parameters as in :func:`sampling_variance`; ``level`` is the coverage.

    Returns
    -------
    low, high : shares, broadcast shape of the inputs; inside [0, 1] also at p = 0 or 1.

    >>> low, high = wilson_interval(81 / 263, 263, 1)
    >>> round(float(low), 4), round(float(high), 4)
    (0.2553, 0.3662)
    """
    p, n, deff = _checked(p, n, deff)
    effective = n / deff
    alpha = 1 - _checked_level(level)
    low, high = proportion_confint(p * effective, effective, alpha=alpha, method="wilson")
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def gain(p1: Any, v1: Any, p0: Any, v0: Any, years: Any = 1.0) -> tuple[Any, Any]:
    """Gain between two independent waves and its variance; annualised where ``years`` is given.

    Parameters
    ----------
    p1, v1 : later rate and its sampling variance. p0, v0 : the earlier ones.
    years : years between the waves; 1 leaves the total gain.

    Returns
    -------
    gain, variance : (p1 - p0) / years and (v1 + v0) / years², in the unit of the rates (shares, or
        percent with variances in squared percentage points).

    Raises
    ------
    KepuError : a negative variance or an interval that is not positive.

    >>> gain(14.0, 0.3, 10.0, 0.1, years=2)
    (2.0, 0.1)
    """
    for name, v in (("v1", v1), ("v0", v0)):
        _require(np.asarray(v, dtype=float) >= 0, f"All values in '{name}' must be at least 0.")
    _require(np.asarray(years, dtype=float) > 0, "All values in 'years' must be positive.")
    return (p1 - p0) / years, (v1 + v0) / years**2


def _one_sided(p: np.ndarray, se: np.ndarray) -> np.ndarray:
    """One-sided p-values that row exceeds column, (J, J); no claim (NaN) of a unit over itself.

    Two error-free and equal units get 1.
    """
    difference = p[:, None] - p[None, :]
    error = np.hypot(se[:, None], se[None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(error > 0, difference / error, np.sign(difference) * np.inf)
    claims = stats.norm.sf(np.where(np.isnan(z), -np.inf, z))
    np.fill_diagonal(claims, np.nan)
    return claims


def _holm_rejects(p: np.ndarray, alpha: float) -> np.ndarray:
    """Hypotheses rejected by Holm's step in each row; NaN is no hypothesis.

    All rows at once: ``statsmodels.multipletests`` takes one family and collects garbage in each
    call, seconds for a table of provinces.
    """
    count = np.count_nonzero(~np.isnan(p), axis=1)[:, None]
    ordered = np.sort(p, axis=1)  # NaN last
    remaining = np.maximum(count - np.arange(p.shape[1]), 1)
    steps = np.logical_and.accumulate(ordered <= alpha / remaining, axis=1)
    return p <= np.where(steps, ordered, -1.0).max(axis=1)[:, None]


def rank_interval(p: Any, se: Any, level: float = 0.95) -> pd.DataFrame:
    """Marginal confidence interval for the rank of each unit (rank 1 is the highest rate).

    For unit j every difference to another unit is tested in both directions; Holm's step over
    these 2(J - 1) one-sided hypotheses keeps the chance of any false "higher" or "lower" at
    1 - level. Units found higher push the best attainable rank down, units found lower push the
    worst one up. Holm ignores the dependence between the differences, so the interval is
    conservative. Each interval covers its own unit's rank, not all ranks at once.

    Parameters
    ----------
    p : rates, length J >= 2, any unit. se : their standard errors, same unit, independent samples.

    Returns
    -------
    DataFrame with integer columns ``rank_low`` (best) and ``rank_high`` (worst), the index of
    ``p`` when it is a Series.

    Source
    ------
    Mogstad, Romano, Shaikh & Wilhelm (2024), Review of Economic Studies 91:476-518.
    """
    index = p.index if isinstance(p, pd.Series) else None
    p, se = np.asarray(p, dtype=float), np.asarray(se, dtype=float)
    _require(p.ndim == 1 and p.size >= 2, "Ranks need at least two rates.")
    _require(p.shape == se.shape, "'p' and 'se' must have the same length.")
    _require(np.isfinite(p), "All values in 'p' must be finite.")
    _require((se >= 0) & np.isfinite(se), "All values in 'se' must be finite and at least 0.")
    above = _one_sided(p, se)
    rejected = _holm_rejects(np.hstack([above.T, above]), 1 - _checked_level(level))
    higher, lower = rejected[:, : len(p)].sum(axis=1), rejected[:, len(p) :].sum(axis=1)
    ranks = np.column_stack([1 + higher, len(p) - lower])
    return pd.DataFrame(ranks, columns=["rank_low", "rank_high"], index=index)
