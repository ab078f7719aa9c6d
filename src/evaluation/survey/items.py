"""Classical analysis of a test, and scores of two instruments linked by their common items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError


def alpha(items: pd.DataFrame, weight: np.ndarray | None = None) -> float:
    """Cronbach's alpha of (n, k) item scores, k / (k - 1) (1 - Σ var / var of the sum).

    Source
    ------
    Cronbach (1951), Psychometrika 16:297-334.
    """
    k = items.shape[1]
    if k < 2:
        raise KepuError("reliability needs two items or more")
    C = np.atleast_2d(np.cov(items.to_numpy(float), rowvar=False, aweights=weight))
    return float(k / (k - 1) * (1 - np.trace(C) / C.sum()))


def describe(items: pd.DataFrame, weight: np.ndarray | None = None) -> pd.DataFrame:
    """Each item: ``difficulty`` (share of full marks), ``discrimination``, ``alpha_without``.

    Discrimination is the correlation with the sum of the other items.
    """
    x = items.to_numpy(float)
    w = np.ones(len(x)) if weight is None else np.asarray(weight, float)
    rest = x.sum(axis=1, keepdims=True) - x
    own = [np.cov(x[:, j], rest[:, j], aweights=w) for j in range(x.shape[1])]
    without = [alpha(items.drop(columns=c), w) if items.shape[1] > 2 else np.nan for c in items]
    return pd.DataFrame({
        "difficulty": np.average(x, axis=0, weights=w) / x.max(axis=0),
        "discrimination": [c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]) for c in own],
        "alpha_without": without,
    }, index=items.columns)  # fmt: skip


@dataclass(frozen=True)
class Link:
    """new scale = slope * old + shift; ``error`` is that of the shift, from the choice of items."""

    slope: float
    shift: float
    error: float
    items: int


def mean_mean(old: pd.Series, new: pd.Series) -> Link:
    """Link two Rasch scales by the difficulties of their common items.

    The linking error is the standard deviation of the items' drift over √k: the common items are
    taken for a sample of those that could have been.

    Source
    ------
    Loyd & Hoover (1980), Journal of Educational Measurement 17:179-193; the error as in OECD
    (2012), PISA 2009 Technical Report, ch. 12.
    """
    drift = common(old, new)
    return Link(
        1.0, float(drift.mean()), float(drift.std(ddof=1) / np.sqrt(len(drift))), len(drift)
    )


def mean_sigma(old: pd.Series, new: pd.Series) -> Link:
    """Link two scales by mean and spread of the difficulties of their common items.

    The error of the shift is a jackknife over the items.

    Source
    ------
    Marco (1977), Journal of Educational Measurement 14:139-160.
    """
    index = common(old, new).index
    a, b = old[index].to_numpy(float), new[index].to_numpy(float)

    def linked(kept: np.ndarray) -> tuple[float, float]:
        slope = b[kept].std() / a[kept].std()
        return slope, b[kept].mean() - slope * a[kept].mean()

    return jackknifed(linked, len(index))


def jackknifed(linked: Callable[[np.ndarray], tuple[float, float]], k: int) -> Link:
    """The link by all of k items; ``linked`` gives slope and shift by those kept (positions)."""
    slope, shift = linked(np.arange(k))
    left = np.array([linked(np.delete(np.arange(k), j))[1] for j in range(k)])
    error = np.sqrt((k - 1) / k * ((left - left.mean()) ** 2).sum())
    return Link(float(slope), float(shift), float(error), k)


def common(old: pd.Series, new: pd.Series) -> pd.Series:
    """Drift of the common items' difficulties, at least three."""
    index = old.index.intersection(new.index)
    if len(index) < 3:
        raise KepuError(f"{len(index)} common items cannot link two instruments — 3 are the least")
    return new[index] - old[index]


def difficulties(items: pd.DataFrame, weight: np.ndarray | None = None) -> pd.Series:
    """Rasch difficulties of right (1) and wrong (0) answers, in logits, with mean 0.

    By pairs: the log odds of right on one and wrong on the other, averaged over the others; no
    distribution of abilities is assumed.

    Source
    ------
    Choppin (1968), Nature 219:870-872.
    """
    x = items.to_numpy(float)
    if not np.isin(x, (0, 1)).all():
        raise KepuError("difficulties need items answered right (1) or wrong (0)")
    w = np.ones(len(x)) if weight is None else np.asarray(weight, float)
    only = (x * w[:, None]).T @ (1 - x)
    off = ~np.eye(x.shape[1], dtype=bool)
    if (only[off] <= 0).any():
        raise KepuError("some item is never right where another is wrong — leave it out")
    np.fill_diagonal(only, 1)
    found = np.log(only.T / only).mean(axis=1)
    return pd.Series(found - found.mean(), items.columns)


def linked_gain(gain: float, se: float, link: Link) -> tuple[float, float]:
    """A gain in scale units across a change of instrument, and its error with the link's."""
    return gain, float(np.hypot(se, link.error))
