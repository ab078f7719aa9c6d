"""Reading test results off drawn null statistics: p-values, critical values, what is detectable."""

from __future__ import annotations

import numpy as np

TIE = 1e-9
POWER = 0.8
_STEPS = 40


def rejections(draws: int, level: float) -> int:
    """Largest k with k / (1 + draws) <= 1 - level: the draws' rank that p <= 1 - level needs."""
    return int((1 - level) * (draws + 1) + 1e-9)


def p_value(observed: float, drawn: np.ndarray) -> float:
    """(1 + #{drawn >= observed}) / (1 + B); ties count, so it is never 0.

    >>> p_value(2.0, np.array([0.5, 1.0, 2.0]))
    0.5
    """
    return float((1 + np.count_nonzero(drawn >= observed * (1 - TIE))) / (1 + len(drawn)))


def critical_value(drawn: np.ndarray, level: float) -> np.ndarray:
    """Value a statistic must exceed for p <= 1 - level, of drawn statistics (B, ...) >= 0.

    Infinite where the draws are too few to reject anything.
    """
    k = rejections(len(drawn), level)
    if k < 1:
        return np.full(drawn.shape[1:], np.inf)
    return np.partition(drawn, len(drawn) - k, axis=0)[len(drawn) - k]


def detectable(shift: np.ndarray, drawn: np.ndarray, level: float, power: float = POWER) -> float:
    """Smallest size of a shift that the max-test finds with the given power.

    Parameters
    ----------
    shift : (K,) what one unit of size adds to the statistics. drawn : (B, K) signed statistics
        under the null.

    Returns
    -------
    s with P(max |drawn + s shift| > c) = power, c the critical value of max |drawn|; infinite
    where the draws reject nothing.
    """
    c = float(critical_value(np.abs(drawn).max(axis=1), level))
    if not np.isfinite(c) or not np.abs(shift).max() > 0:
        return float("inf")
    low, high = 0.0, 2 * (c + np.abs(drawn).max()) / np.abs(shift).max()
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = (np.abs(drawn + middle * shift).max(axis=1) > c).mean()
        low, high = (low, middle) if found >= power else (middle, high)
    return float(high)
