"""Binomial quasi-likelihood of shares, and its wild cluster score test at any null."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

from evaluation.errors import ModelError
from evaluation.stats.bootstrap import WildTest
from evaluation.stats.least_squares import LeastSquares, least_squares

LINKS = {"probit": families.links.Probit, "logit": families.links.Logit}
# Fitted shares nearer to 0 or 1 mean that a coefficient runs to infinity.
EDGE = 1e-7
POINTS = 100.0
# Nulls tried outwards, in standard errors from the estimate; an end beyond is called unbounded.
STEPS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.5, 8.0, 12.0)
BISECTIONS = 12


@dataclass(frozen=True)
class Shares:
    """Shares y (N,), design X (N, k) frame, link name, precision weights (N,) or None."""

    y: np.ndarray
    X: pd.DataFrame
    link: str
    weights: np.ndarray | None = None

    def fit(
        self, offset: np.ndarray | None = None, without: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and linear predictor; ``without`` leaves out a column, for its offset.

        Raises
        ------
        ModelError : no convergence, or fitted shares that run to 0 or 1.
        """
        X = self.X.to_numpy()
        X = X if without is None else np.delete(X, without, axis=1)
        family = families.Binomial(LINKS[self.link]())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", PerfectSeparationWarning)
            model = GLM(self.y, X, family=family, offset=offset, var_weights=self.weights)
            fit = model.fit(maxiter=200, tol=1e-10)
        if not fit.converged or not ((fit.mu > EDGE) & (fit.mu < 1 - EDGE)).all():
            raise ModelError(
                f"The fractional {self.link} does not converge: some fitted shares run to 0 or 1. "
                "Use fewer covariates or waves."
            )
        return fit.params, model.predict(fit.params, which="linear")

    def mean(self, eta: np.ndarray) -> np.ndarray:
        """Fitted share μ."""
        return LINKS[self.link]().inverse(eta)

    def slope(self, eta: np.ndarray) -> np.ndarray:
        """First derivative μ' of the share in the linear predictor."""
        return LINKS[self.link]().inverse_deriv(eta)

    def bend(self, eta: np.ndarray) -> np.ndarray:
        """Second derivative μ'' of the share in the linear predictor."""
        return LINKS[self.link]().inverse_deriv2(eta)

    def information(self, eta: np.ndarray) -> np.ndarray:
        """Working weights μ'²/μ(1 - μ), times the precision weights."""
        mu = self.mean(eta)
        weights = self.slope(eta) ** 2 / (mu * (1 - mu))
        return weights if self.weights is None else weights * self.weights

    def working(self, eta: np.ndarray) -> LeastSquares:
        """One Gauss-Newton step from ``eta``: the residual (y - μ)/μ' on the design."""
        residual = (self.y - self.mean(eta)) / self.slope(eta)
        return least_squares(residual, self.X, self.information(eta))


def precision(y: np.ndarray, X: pd.DataFrame, link: str, variance: np.ndarray) -> tuple:
    """Weights 1/(1/m + ρ) from known sampling variances of the shares, and ρ before its floor.

    m = y(1 - y)/v is the effective sample; the weights so depend on the size of the samples, not
    on the shares found. Var(y) = (1/m + ρ) μ(1 - μ), with ρ from the Pearson residuals of the
    unweighted fit: ρ = (Σr² - Σ(1 - h)/m) / (N - k).
    """
    if not ((variance > 0) & (y > 0) & (y < 1)).all():
        raise ModelError(
            "With sampling variances every share must lie strictly between 0 and 100 percent and "
            "have a variance above 0."
        )
    per_respondent = variance / (y * (1 - y))
    shares = Shares(y, X, link)
    eta = shares.fit()[1]
    step, mu = shares.working(eta), shares.mean(eta)
    pearson = (y - mu) ** 2 / (mu * (1 - mu))
    leverage = (step.q**2).sum(axis=1)
    rho = float((pearson.sum() - ((1 - leverage) * per_respondent).sum()) / step.free)
    weights = 1 / (per_respondent + max(0.0, rho))
    return weights / weights.mean(), rho


class ScoreTest:
    """Wild cluster test of nulls of one coefficient by the linearised restricted bootstrap.

    At each null the other coefficients are fitted again with the null imposed; the bootstrap then
    is that of the Gauss-Newton regression at this fit, its cluster scores multiplied by the same
    weights at every null.

    Source
    ------
    Kline & Santos (2012), Journal of Econometric Methods 1:23-41; MacKinnon, Nielsen & Webb
    (2024), Cluster-robust jackknife and bootstrap inference for logistic regression models
    (variant WCLR), arXiv 2406.00650.
    """

    def __init__(self, shares: Shares, codes: np.ndarray, term: int, weights: list[np.ndarray]):
        order = [*(i for i in range(shares.X.shape[1]) if i != term), term]
        self.shares = Shares(shares.y, shares.X.iloc[:, order], shares.link, shares.weights)
        self.codes, self.weights = codes, weights

    def restricted(self, null: float) -> np.ndarray:
        """Linear predictor with the coefficient set to ``null``."""
        x = self.shares.X.to_numpy()[:, -1]
        return self.shares.fit(offset=null * x, without=self.shares.X.shape[1] - 1)[1]

    def effect(self, null: float) -> float:
        """Average partial effect of the column in percentage points with ``null`` imposed.

        Infinite where no fit has it.
        """
        if np.isinf(null):
            return float(null)
        try:
            eta = self.restricted(null)
        except ModelError:
            return float(np.copysign(np.inf, null))
        return POINTS * null * float(self.shares.slope(eta).mean())

    def p(self, null: float) -> float:
        """p-value of the null; 1 where the restricted model has no fit, so it stays in."""
        try:
            step = self.shares.working(self.restricted(null))
        except ModelError:
            return 1.0
        return WildTest(step, self.codes, iter(self.weights)).p(float(step.coefficients[-1]))

    def end(self, estimate: float, step: float, alpha: float) -> float:
        """Last null not rejected on one side; ``step`` is the standard error with that sign.

        The null of 0 is tried too where it lies on this side: p at 0 and interval always agree.
        """
        zero = -estimate / step
        grid = sorted({*STEPS, zero} if zero > 0 else STEPS)
        zero_in = zero > 0 and self.p(0.0) > alpha
        low = 0.0
        for x in grid:
            if self.p(estimate + x * step) > alpha:
                low = x
            elif not (zero_in and x < zero):
                return self._bisect(estimate, step, alpha, low, x)
        return float(np.copysign(np.inf, step))

    def _bisect(self, estimate: float, step: float, alpha: float, low: float, high: float) -> float:
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            inside = self.p(estimate + middle * step) > alpha
            low, high = (middle, high) if inside else (low, middle)
        return estimate + low * step
