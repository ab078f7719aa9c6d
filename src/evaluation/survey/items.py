"""Analysis of a test, classical and by item response; instruments linked by their common items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import least_squares, minimize
from scipy.special import expit, log_expit, logsumexp

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


# Item response: difficulties and discriminations, and scales linked by their curves.
POINTS = 41
PRECISE = {"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9}


def normal_points(count: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Hermite points and weights of a standard normal."""
    points, weights = np.polynomial.hermite_e.hermegauss(count)
    return points, weights / weights.sum()


def two_parameter(answers: pd.DataFrame, weight: np.ndarray | None = None) -> pd.DataFrame:
    """Logistic model of two parameters, P(right) = 1 / (1 + exp(-a (θ - b))), θ ~ N(0, 1).

    Parameters
    ----------
    answers : (n, k) right (1), wrong (0), or missing where not asked. weight : (n,).

    Returns
    -------
    By item ``a`` (discrimination), ``b`` (difficulty); ``attrs["loglike"]`` is the log-likelihood.

    Source
    ------
    Bock & Aitkin (1981), Psychometrika 46:443-459: marginal maximum likelihood.
    """
    x = answers.to_numpy(float)
    w = np.ones(len(x)) if weight is None else np.asarray(weight, float)
    known = np.isfinite(x)
    asked = (known * w[:, None]).sum(axis=0)
    share = np.nansum(x * w[:, None], axis=0) / np.where(asked > 0, asked, np.nan)
    if not (np.isin(x[known], (0, 1)).all() and ((share > 0) & (share < 1)).all()):
        raise KepuError("each item needs answers right (1) and wrong (0); one is missing or other")
    if x.shape[1] < 3:
        raise KepuError(f"{x.shape[1]} items are too few for discriminations — 3 are the least")
    patterns = pd.DataFrame(x).assign(w=w).groupby(list(range(x.shape[1])), dropna=False)["w"].sum()
    x, w = np.array(patterns.index.to_list(), float), patterns.to_numpy()
    start = np.concatenate([np.ones(x.shape[1]), np.log(share / (1 - share))])
    given = ((x == 1).astype(float), (x == 0).astype(float), w, *normal_points())
    found = minimize(_marginal, start, given, jac=True, method="L-BFGS-B", options=PRECISE)
    a, d = np.split(found.x, 2)
    made = pd.DataFrame({"a": a, "b": -d / a}, answers.columns)
    made.attrs["loglike"] = float(-found.fun * w.sum())
    return made


def _marginal(theta, right, wrong, w, points, weights) -> tuple[float, np.ndarray]:
    """Negative log-likelihood a unit of weight, and its gradient, in a and d = -a b."""
    a, d = np.split(theta, 2)
    z = np.outer(a, points) + d[:, None]
    joint = right @ log_expit(z) + wrong @ log_expit(-z) + np.log(weights)
    each = logsumexp(joint, axis=1)
    posterior = np.exp(joint - each[:, None]) * w[:, None]
    left = right.T @ posterior - ((right + wrong).T @ posterior) * expit(z)
    gradient = np.concatenate([left @ points, left.sum(axis=1)])
    return -(w @ each) / w.sum(), -gradient / w.sum()


def stocking_lord(old: pd.DataFrame, new: pd.DataFrame) -> Link:
    """Link two scales so that the test curves of their common items agree.

    Parameters
    ----------
    old, new : by item ``a, b`` and, where guessing counts, ``c``, on the scale of either.

    Returns
    -------
    new scale = slope * old + shift, and the shift's error by jackknife over items. Where the old
    group has mean 0, as :func:`two_parameter` sets it, that is the error of its mean.

    Source
    ------
    Stocking & Lord (1983), Applied Psychological Measurement 7:201-210, on points of a standard
    normal of the new scale.
    """
    return _by_curves(old, new, lambda gap: gap.sum(axis=0))


def haebara(old: pd.DataFrame, new: pd.DataFrame) -> Link:
    """Link two scales so that the curves of each common item agree; else as ``stocking_lord``.

    Source
    ------
    Haebara (1980), Japanese Psychological Research 22:144-149.
    """
    return _by_curves(old, new, np.ravel)


def _by_curves(old, new, residuals: Callable[[np.ndarray], np.ndarray]) -> Link:
    index = common(old["b"], new["b"]).index
    points, weights = normal_points()
    first, second = (f.reindex(columns=list("abc")).fillna(0.0).loc[index].to_numpy().T
                     for f in (old, new))  # fmt: skip

    def linked(kept: np.ndarray) -> tuple[float, float]:
        (a, b, c), other = first[:, kept], _curves(*second[:, kept], points)

        def apart(x):
            gap = _curves(a / x[0], x[0] * b + x[1], c, points) - other
            return residuals(gap * np.sqrt(weights))

        slope = second[1, kept].std() / b.std()
        start = [slope, second[1, kept].mean() - slope * b.mean()]
        return tuple(least_squares(apart, start, xtol=1e-12, ftol=1e-14, gtol=1e-14).x)

    return jackknifed(linked, len(index))


def _curves(a, b, c, points: np.ndarray) -> np.ndarray:
    """Chance of a right answer, (items, points)."""
    return c[:, None] + (1 - c[:, None]) * expit(a[:, None] * (points - b[:, None]))
