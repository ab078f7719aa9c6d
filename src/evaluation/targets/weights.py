"""Normalisation, weights and aggregation of indicators; every column is oriented: more is better.

Libraries that have these wrap each matrix in an object of their own, which costs more than the
sums themselves where an index is made thousands of times; the tests hold these few lines to them.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from evaluation.base.errors import KepuError

NORMALISATIONS = ("minmax", "z", "rank")
WEIGHTS = ("equal", "entropy", "variation", "critic")  # those that need nothing but the figures
AGGREGATIONS = ("mean", "topsis")


def checked(x: np.ndarray) -> np.ndarray:
    """A matrix of regions by indicators, (R, K) with R at least 3, finite, no column constant.

    Raises
    ------
    KepuError : naming the column and what to do.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or len(x) < 3:
        raise KepuError("An index compares at least 3 regions — name a larger set of regions.")
    if not np.isfinite(x).all():
        column = int(np.flatnonzero(~np.isfinite(x).all(axis=0))[0]) + 1
        raise KepuError(f"Indicator {column} has a missing figure — state what it is taken for.")
    if (flat := np.flatnonzero(np.ptp(x, axis=0) == 0)).size:
        raise KepuError(
            f"Indicator {flat[0] + 1} is the same in all regions and tells none apart — leave it "
            "out of the index."
        )
    return x


def normalised(x: np.ndarray, method: str) -> np.ndarray:
    """Columns on one scale: ``minmax`` 0 to 1, ``z`` mean 0 and s.d. 1, ``rank`` 0 to 1.

    Raises
    ------
    KepuError : an unknown method, or a matrix that :func:`checked` refuses.
    """
    x = checked(x)
    if method == "minmax":
        return (x - x.min(axis=0)) / np.ptp(x, axis=0)
    if method == "z":
        return (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    if method == "rank":
        return (rankdata(x, axis=0) - 1) / (len(x) - 1)
    raise KepuError(f"Unknown normalisation '{method}' — use one of {', '.join(NORMALISATIONS)}.")


def entropy(x: np.ndarray) -> np.ndarray:
    """Weights from the diversity of each column, (K,), sum 1; figures are 0 or more.

    Source
    ------
    Hwang & Yoon (1981), Multiple Attribute Decision Making, 52-56.
    """
    x = checked(x)
    if (x < 0).any():
        raise KepuError("Entropy weights need figures of 0 or more — choose other weights.")
    p = x / x.sum(axis=0)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    diversity = 1 + (p * logs).sum(axis=0) / np.log(len(x))
    return diversity / diversity.sum()


def variation(x: np.ndarray) -> np.ndarray:
    """Weights in proportion to the coefficient of variation of each column, (K,), sum 1."""
    x = checked(x)
    if (x.mean(axis=0) <= 0).any():
        raise KepuError("A coefficient of variation needs means above 0 — choose other weights.")
    cv = x.std(axis=0, ddof=1) / x.mean(axis=0)
    return cv / cv.sum()


def critic(x: np.ndarray) -> np.ndarray:
    """Weights from contrast and conflict: s.d. times the sum of 1 - r, of columns from 0 to 1.

    Source
    ------
    Diakoulaki, Mavrotas & Papayannakis (1995), Computers & Operations Research 22:763-770.
    """
    scaled = normalised(x, "minmax")
    apart = (1 - np.atleast_2d(np.corrcoef(scaled, rowvar=False))).sum(axis=0)
    told = scaled.std(axis=0, ddof=1) * apart
    if told.sum() <= 1e-12:
        raise KepuError("All indicators say the same — CRITIC has nothing to weigh them by.")
    return told / told.sum()


def weights(x: np.ndarray, method: str, expert: np.ndarray | None = None) -> np.ndarray:
    """Weights of the columns by a method of ``WEIGHTS`` or ``expert``, (K,), sum 1.

    Raises
    ------
    KepuError : an unknown method, or expert weights that are not declared.
    """
    if method == "equal":
        return np.full(x.shape[1], 1 / x.shape[1])
    if method == "expert":
        if expert is None or not np.isfinite(expert).all() or expert.sum() <= 0:
            raise KepuError("No expert weights are declared — fill weight in composites.csv.")
        return expert / expert.sum()
    made = {"entropy": entropy, "variation": variation, "critic": critic}.get(method)
    if made is None:
        known = ", ".join((*WEIGHTS, "expert"))
        raise KepuError(f"Unknown weights '{method}' — use one of {known}.")
    return made(x)


def topsis(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Closeness to the ideal, 0 to 1, (R,), of columns divided by their length.

    Source
    ------
    Hwang & Yoon (1981), Multiple Attribute Decision Making, 128-140.
    """
    scaled = w * x / np.sqrt((x**2).sum(axis=0))
    best, worst = (np.linalg.norm(scaled - end(scaled, axis=0), axis=1) for end in (np.max, np.min))
    return worst / (best + worst)
