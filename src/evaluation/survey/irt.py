"""Item response: difficulties and discriminations, and scales linked by their curves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import least_squares, minimize
from scipy.special import expit, log_expit, logsumexp

from evaluation.base.errors import KepuError
from evaluation.survey.items import Link, common, jackknifed

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
