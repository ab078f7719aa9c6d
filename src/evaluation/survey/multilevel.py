"""Multilevel regression with post-stratification: areas from answers of cells and a census."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, logit, xlogy

from evaluation.base.errors import ModelError
from evaluation.data.rules import SMOOTHED
from evaluation.panel.survey import normal_quantile
from evaluation.survey.respondents import Respondents

STEPS, CONVERGED, START = 100, 1e-10, 0.3
PRECISE = {"ftol": 1e-13, "gtol": 1e-7}


@dataclass(frozen=True)
class Poststratified:
    """Rates of areas by a logistic model of cells, averaged over the people of a census.

    Attributes
    ----------
    frame : by area, ``rate, se, low, high`` (0 to 1; given the deviations, so where these are known
        badly errors are too small) and ``n``, effective respondents. deviations : standard
        deviation of each effect, logits. coefficients : of the constant and the covariates.
        deviance : -2 log-likelihood by Laplace's approximation, up to a constant of the data.
    """

    frame: pd.DataFrame
    deviations: pd.Series
    coefficients: pd.Series
    deviance: float
    covariates: tuple[str, ...]

    @property
    def method(self) -> str:
        """How the rates were made, as a data package keeps it."""
        named = ", ".join((*self.deviations.index, *self.covariates))
        return f"{SMOOTHED}, post-stratified: {named}"


def cells(sample: Respondents, by: Sequence[str], cutoff: float, deff: float = 1.0) -> pd.DataFrame:
    """Cells of a sample: columns of ``by``, ``share`` (weighted) and ``n``, respondents / deff.

    Dividing by the design effect of the whole sample lets weights and clusters count (Ghitza &
    Gelman 2013, American Journal of Political Science 57:762-776).
    """
    names = sample.known(by)
    found = sample.query(
        f"SELECT {names}, count(*) / {max(deff, 1.0):.17g} AS n, sum(w * "
        f"(score >= {cutoff:.17g})::INTEGER) / sum(w) AS share FROM {sample.view} "
        f"GROUP BY {names} ORDER BY ALL"
    )
    return found.astype(dict.fromkeys(by, str))


def poststratify(
    found: pd.DataFrame, census: pd.DataFrame, effects: Sequence[str],
    covariates: Sequence[str] = (), *, level: float = 0.95,
) -> Poststratified:  # fmt: skip
    """Fit logit p = Xβ + Σ u_effect, u ~ N(0, σ²) of each effect, and average over the census.

    Parameters
    ----------
    found : of :func:`cells`, with ``n``, ``share`` and the effects. census : one row a cell of the
        population: the effects, covariates and ``people``. effects : columns with varying
        intercepts, the area first.

    Raises
    ------
    ModelError : a cell that the census lacks or has twice, people or covariates that are not known.

    Source
    ------
    Gelman & Little (1997), Survey Methodology 23:127-135. The deviations maximise Laplace's
    approximation with β and u at their joint mode (``nAGQ = 0`` of R's ``lme4``).
    """
    keys, rows = list(effects), _rows(found, census, list(effects), list(covariates))
    X = np.column_stack([np.ones(len(census)), census[list(covariates)].to_numpy(float)])
    coded = [pd.factorize(census[name], sort=True) for name in keys]
    Z = [sparse.csr_array((np.ones(len(c)), (np.arange(len(c)), c))) for c, _ in coded]
    sizes = np.array([z.shape[1] for z in Z])
    A = sparse.hstack([sparse.csr_array(X), *Z]).tocsr()
    share, n = (found[name].to_numpy(float) for name in ("share", "n"))
    fit = _Fit(A[rows], share, n, X.shape[1], sizes)
    best = minimize(fit.deviance, np.full(len(sizes), START), method="L-BFGS-B",
                    bounds=[(0, None)] * len(sizes), options=PRECISE)  # fmt: skip
    scaled, H = fit.mode(best.x)
    scale = fit.scale(best.x)
    area = sparse.csr_array((census["people"], (coded[0][0], np.arange(len(census)))))
    rate, se = _averaged(area, A, scaled, H, scale)
    half = normal_quantile(level) * se / (rate * (1 - rate))
    n = np.bincount(coded[0][0][rows], n, sizes[0])
    frame = pd.DataFrame({"rate": rate, "se": se, "low": expit(logit(rate) - half),
                          "high": expit(logit(rate) + half), "n": n}, coded[0][1])  # fmt: skip
    return Poststratified(
        frame, pd.Series(best.x, keys), pd.Series(scaled[: X.shape[1]], ["constant", *covariates]),
        float(best.fun), tuple(covariates),
    )  # fmt: skip


def _averaged(people, A, x, H, scale) -> tuple[np.ndarray, np.ndarray]:
    """Rates of areas, ``people`` (areas, cells), and their errors by the delta method."""
    p, whole = expit(A @ (x * scale)), people.sum(axis=1)
    slope = (people @ A.multiply((p * (1 - p))[:, None])).toarray() * scale / whole[:, None]
    se = np.sqrt(np.einsum("ij,ji->i", slope, np.linalg.solve(H, slope.T)))
    return (people @ p) / whole, se


def _rows(found, census, effects: list[str], covariates: list[str]) -> np.ndarray:
    """The row of the census that each cell of the sample is."""
    numbers = census[["people", *covariates]].to_numpy(float)
    if not np.isfinite(numbers).all() or not (numbers[:, 0] > 0).all():
        raise ModelError("People and covariates of the census must be known, people above 0.")
    index = pd.MultiIndex.from_frame(census[effects].astype(str))
    if index.has_duplicates:
        told = " ".join(index[index.duplicated()][0])
        raise ModelError(f"The census has the cell {told} twice: add it up.")
    rows = index.get_indexer(pd.MultiIndex.from_frame(found[effects].astype(str)))
    if (rows < 0).any():
        told = " ".join(found[effects].astype(str).to_numpy()[rows < 0][0])
        raise ModelError(f"The census has no cell {told}: add its people.")
    return rows


@dataclass(frozen=True)
class _Fit:
    """Penalised likelihood of cells; effects are in units of their deviation, so 0 is one too."""

    A: sparse.csr_array
    share: np.ndarray
    n: np.ndarray
    fixed: int
    sizes: np.ndarray

    def scale(self, deviations: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones(self.fixed), np.repeat(deviations, self.sizes)])

    def mode(self, deviations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joint mode of coefficients and effects by Newton steps, and the Hessian there."""
        A = self.A @ sparse.diags_array(self.scale(deviations))
        ridge = np.concatenate([np.zeros(self.fixed), np.ones(int(self.sizes.sum()))])
        x = np.zeros(A.shape[1])
        x[0] = logit(np.clip(np.average(self.share, weights=self.n), 0.001, 0.999))
        for _ in range(STEPS):
            p = expit(A @ x)
            H = (A.T @ A.multiply((self.n * p * (1 - p))[:, None])).toarray() + np.diag(ridge)
            step = np.linalg.solve(H, A.T @ (self.n * (self.share - p)) - ridge * x)
            x = x + step * min(1.0, 5.0 / np.abs(A @ step).max(initial=1.0))
            if np.abs(step).max() < CONVERGED:
                return x, H
        raise ModelError("The model of cells does not converge: join small groups.")

    def deviance(self, deviations: np.ndarray) -> float:
        """-2 log-likelihood, the effects integrated out at the mode."""
        x, H = self.mode(deviations)
        p = expit(self.A @ (self.scale(deviations) * x))
        fitted = xlogy(self.share, p) + xlogy(1 - self.share, 1 - p)
        u = x[self.fixed :]
        logs = np.linalg.slogdet(H[self.fixed :, self.fixed :])[1]
        return float(-2 * (self.n @ fitted) + u @ u + logs)
