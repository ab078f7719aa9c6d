"""Covariances of the parts of a trend between two sets of observations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ORIGIN = 2015  # year in which slopes turn and distances are counted as 1
DECADE = 10.0


class Points(NamedTuple):
    """Where a trend is observed or asked for: region, year, and whether it deviates on its own."""

    region: np.ndarray
    year: np.ndarray
    own: np.ndarray


def _time(a: Points, b: Points, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Decades since the start, (n, 1) and (1, m)."""
    return (a.year[:, None] - start) / DECADE, (b.year[None, :] - start) / DECADE


def covariance(
    name: str, a: Points, b: Points, start: float, life: float, breaks: Sequence[int]
) -> np.ndarray:
    """Covariance (n, m) of one component at unit variance.

    ``level``, ``slope``, ``walk`` : a region's own level, slope and random walk. ``distance`` : its
    distance from the common path, falling by a factor e in ``life`` years. ``step`` : its own jump
    at each change of instrument. ``wave`` : a shock of one year common to all. ``shift`` : a jump
    common to all at each change of instrument. ``common_walk``, ``common_slope`` : random walk of
    the common path, and of its slope (a cubic smoothing spline). Walks run from ``start``.
    """
    u, w = _time(a, b, start)
    same = (a.region[:, None] == b.region[None, :]) & a.own[:, None] & b.own[None, :]
    low, high = np.minimum(u, w), np.maximum(u, w)
    made = {
        "level": lambda: same.astype(float),
        "slope": lambda: same * np.outer(_turned(a), _turned(b)),
        "distance": lambda: same * np.outer(_faded(a, life), _faded(b, life)),
        "walk": lambda: same * low,
        "step": lambda: same * _jumps(a, b, breaks),
        "wave": lambda: (u == w).astype(float),
        "shift": lambda: _jumps(a, b, breaks),
        "common_walk": lambda: low,
        "common_slope": lambda: low**2 * (3 * high - low) / 6,
    }
    return made[name]()


def _turned(a: Points) -> np.ndarray:
    return (a.year - ORIGIN) / DECADE


def _faded(a: Points, life: float) -> np.ndarray:
    return np.exp(-(a.year - ORIGIN) / life)


def _jumps(a: Points, b: Points, breaks: Sequence[int]) -> np.ndarray:
    """How many changes of instrument lie behind both points."""
    return sum(np.outer(a.year >= year, b.year >= year).astype(float) for year in breaks)


def fixed(a: Points) -> np.ndarray:
    """Columns of the mean: intercept, decades, and the whole's distance from its parts' mean."""
    columns = [np.ones(len(a.year)), (a.year - ORIGIN) / DECADE]
    return np.column_stack([*columns, (~a.own).astype(float)])
