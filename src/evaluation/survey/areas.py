"""Small areas: direct, synthetic and combined rates with their errors (Fay & Herriot)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.stats import t

from evaluation.base.errors import ModelError
from evaluation.data.rules import SMOOTHED
from evaluation.panel.survey import rank_interval
from evaluation.stats.reml import reml

# Fisher scoring of one variance ends at a step that small.
STEPS, CLOSE = 200, 1e-8


@dataclass(frozen=True)
class Smoothed:
    """Rates of areas by the model y = Xβ + u + e, Var(u) = σ², Var(e) known.

    Attributes
    ----------
    frame : one row an area: ``direct, direct_se, synthetic, combined, benchmarked, weight`` (of the
        direct rate), ``mse`` (Prasad-Rao, of the combined rate), ``mse_bootstrap`` (of the
        benchmarked rate), ``se, low, high`` (of the benchmarked rate: Prasad-Rao plus what
        benchmarking adds in the bootstrap, t on areas less coefficients), ``rank_low, rank_high``.
    covariates : that smoothed them.
    coefficients, errors : by covariate. variance : σ². loglike : restricted log-likelihood.
    """

    frame: pd.DataFrame
    covariates: tuple[str, ...]
    coefficients: pd.Series
    errors: pd.Series
    variance: float
    loglike: float

    @property
    def method(self) -> str:
        """How the rates were made, as a data package keeps it."""
        return f"{SMOOTHED}: {', '.join(self.covariates)}" if self.covariates else SMOOTHED

    def outcome(self, covariates: Collection[str]) -> pd.Series:
        """The benchmarked rates as the outcome of a regression on ``covariates``.

        Raises
        ------
        ModelError : a covariate that smoothed them: the regression would find what the smoothing
            put in.
        """
        both = sorted(set(covariates) & set(self.covariates))
        if both:
            raise ModelError(
                f"Rates smoothed by {', '.join(both)} cannot be regressed on it: what the model "
                "put in would be found again. Use the direct rates and their errors."
            )
        return self.frame["benchmarked"]


def smooth(
    direct: pd.Series,
    se: pd.Series,
    covariates: pd.DataFrame,
    shares: pd.Series,
    *,
    draws: int = 499,
    seed: int = 0,
    level: float = 0.95,
) -> Smoothed:
    """Fit the model of Fay and Herriot by REML and benchmark to the direct rate of all areas.

    Parameters
    ----------
    direct, se : (m,) direct rates and standard errors, above 0, indexed by area. covariates :
        (m, p) without the constant, known without error. shares : (m,) people of each area; the
        benchmarked rates, weighted by them, average to the direct ones.
    draws, seed : of the parametric bootstrap, which draws areas, fits and benchmarks again.

    Raises
    ------
    ModelError : too few areas, a missing or zero error, or tables that do not match.

    Source
    ------
    Fay & Herriot (1979), JASA 74:269-277; Prasad & Rao (1990), JASA 85:163-171; for REML Datta &
    Lahiri (2000), Statistica Sinica 10:613-627; bootstrap of González-Manteiga et al. (2008),
    Journal of Statistical Computation and Simulation 78:443-462.
    """
    y, D, X, share = _matched(direct, se, covariates, shares)
    fit = _fit(y, D, X)
    bootstrapped = _bootstrapped(fit, D, X, share, draws, seed)
    frame = _side_by_side(fit, (y, D, X, share), bootstrapped, direct.index)
    half = t.ppf((1 + level) / 2, len(y) - X.shape[1]) * frame["se"]
    frame["low"], frame["high"] = frame["benchmarked"] - half, frame["benchmarked"] + half
    names = ["constant", *covariates.columns]
    return Smoothed(
        frame.join(rank_interval(frame["benchmarked"], frame["se"], level)),
        tuple(covariates.columns), pd.Series(fit.coefficients, names),
        pd.Series(np.sqrt(np.diag(fit.covariance)), names), fit.variances["area"], fit.loglike,
    )  # fmt: skip


def _side_by_side(fit, given, bootstrapped, index: pd.Index) -> pd.DataFrame:
    """Direct, synthetic, combined and benchmarked rates with their errors."""
    y, D, X, share = given
    combined, synthetic, weight, mse = _predicted(fit, y, D, X)
    of_benchmarked, added = bootstrapped
    return pd.DataFrame({
        "direct": y, "direct_se": np.sqrt(D), "synthetic": synthetic, "combined": combined,
        "benchmarked": combined * (share @ y) / (share @ combined), "weight": weight, "mse": mse,
        "mse_bootstrap": of_benchmarked, "se": np.sqrt(mse + np.maximum(added, 0)),
    }, index=index)  # fmt: skip


def _bootstrapped(fit, D, X, share, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared error of benchmarked rates in areas drawn from the fit, and what is added.

    The second is what it has more than that of combined rates; of no draws, NaN and 0.
    """
    rng = np.random.default_rng(seed)
    squares = np.zeros((2, len(D)))
    for _ in range(draws):
        truth = X @ fit.coefficients + rng.normal(0, np.sqrt(fit.variances["area"]), len(D))
        drawn = truth + rng.normal(0, np.sqrt(D))
        again = _predicted(_scored(drawn, D, X, fit.variances["area"]), drawn, D, X)[0]
        squares[0] += (again * (share @ drawn) / (share @ again) - truth) ** 2
        squares[1] += (again - truth) ** 2
    if not draws:
        return np.full(len(D), np.nan), np.zeros(len(D))
    return squares[0] / draws, (squares[0] - squares[1]) / draws


def _matched(direct, se, covariates, shares) -> Sequence[np.ndarray]:
    tables = [direct, se, covariates, shares]
    if not all(table.index.equals(direct.index) for table in tables):
        raise ModelError("Rates, errors, covariates and shares must be of the same areas.")
    y, D = direct.to_numpy(float), se.to_numpy(float) ** 2
    X = np.column_stack([np.ones(len(y)), covariates.to_numpy(float)])
    share = shares.to_numpy(float) / shares.sum()
    if len(y) < X.shape[1] + 3:
        raise ModelError(
            f"{len(y)} areas are too few for {X.shape[1]} coefficients and a variance."
        )
    if not (np.isfinite(y).all() and np.isfinite(X).all() and (share > 0).all()):
        raise ModelError("Rates, covariates and shares must be known, shares above 0.")
    if not (D > 0).all():  # NaN as well
        bad = direct.index[~(D > 0)][0]
        raise ModelError(
            f"Area {bad} has no standard error above 0: leave it out, or smooth errors."
        )
    return y, D, X, share


def _fit(y: np.ndarray, D: np.ndarray, X: np.ndarray):
    return reml(y, X, D, {"area": np.eye(len(y))}, tested=False)


def _scored(y, D, X, start: float) -> SimpleNamespace:
    """The same fit by Fisher scoring from near its end: V is diagonal, and draws are many."""
    s2 = start
    for _ in range(STEPS):
        W = 1 / (s2 + D)
        C = np.linalg.inv((X.T * W) @ X)
        b = C @ (X.T @ (W * y))
        squares, cubes = C @ ((X.T * W**2) @ X), C @ ((X.T * W**3) @ X)
        score = ((W * (y - X @ b)) ** 2).sum() - W.sum() + np.trace(squares)
        information = (W**2).sum() - 2 * np.trace(cubes) + (squares * squares.T).sum()
        last, s2 = s2, max(0.0, s2 + score / information)
        if abs(s2 - last) <= CLOSE * (s2 + D.min()):
            break
    return SimpleNamespace(variances={"area": s2}, coefficients=b, covariance=C)


def _predicted(fit, y, D, X):
    """Combined and synthetic rates, weight of the direct ones, and mean squared error.

    The error is g1 + g2 + 2 g3 with the variance of σ² by REML, 2 / Σ (σ² + D)⁻².
    """
    s2 = fit.variances["area"]
    V = s2 + D
    weight = s2 / V
    synthetic = X @ fit.coefficients
    g1, g3 = weight * D, D**2 / V**3 * (2 / (1 / V**2).sum())
    g2 = (1 - weight) ** 2 * np.einsum("ij,jk,ik->i", X, fit.covariance, X)
    return synthetic + weight * (y - synthetic), synthetic, weight, g1 + g2 + 2 * g3
