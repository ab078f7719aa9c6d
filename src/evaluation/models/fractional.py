"""Fractional response: probit or logit quasi-likelihood of the share with regional means."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models.columns import Inference, Roles, mundlak
from evaluation.models.linear import diagnostics, minimum_detectable
from evaluation.stats.bootstrap import (
    Bootstrap,
    WildTest,
    cluster_codes,
    weight_batches,
    wild_cluster_bootstrap,
)
from evaluation.stats.least_squares import Equation, LeastSquares, crv1, least_squares

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


class PartialEffects:
    """The unrestricted fit and what is read off it, in percentage points a unit of a column.

    The average partial effect of column j is 100 b_j Σμ'(x'b)/N, over the rows of the panel; its
    standard error is CRV1 by the delta method.
    """

    def __init__(self, shares: Shares, clusters: np.ndarray):
        self.shares, self.clusters = shares, clusters
        self.coefficients, self.eta = shares.fit()
        self.codes, self.count = cluster_codes(clusters, len(shares.y))
        self.step = shares.working(self.eta)
        slope = shares.slope(self.eta)
        self.scale = POINTS * float(slope.mean())
        self.effects = self.scale * self.coefficients
        bend = shares.bend(self.eta)
        turn = POINTS * (shares.X.to_numpy() * bend[:, None]).mean(axis=0)
        gradient = self.scale * np.eye(len(turn)) + np.outer(self.coefficients, turn)
        covariance = gradient @ crv1(self.step, self.codes) @ gradient.T
        self.se = np.sqrt(np.diag(covariance))

    def linearised(self, term: int, inference: Inference) -> Bootstrap:
        """Bootstrap of the working regression: its standard error and weights; checks the term."""
        slope = self.shares.slope(self.eta)
        mu = self.shares.mean(self.eta)
        return wild_cluster_bootstrap(
            Equation(self.eta + (self.shares.y - mu) / slope, self.shares.X, self.clusters),
            term,
            inference.draws,
            seed=inference.seed,
            observation_weights=self.shares.information(self.eta),
            level=inference.level,
        )


def tested(fit: PartialEffects, term: int, inference: Inference) -> dict[str, Any]:
    """Estimate, interval and p of one column."""
    linear = fit.linearised(term, inference)
    weights = list(weight_batches(linear.weights, fit.count, inference.draws, inference.seed))
    test, b = ScoreTest(fit.shares, fit.codes, term, weights), float(fit.coefficients[term])
    ends = [test.end(b, side * linear.se, 1 - inference.level) for side in (-1, 1)]
    low, high = (test.effect(end) for end in ends)
    return {
        "term": str(fit.shares.X.columns[term]),
        "estimate": float(fit.effects[term]),
        "se": float(fit.se[term]),
        "low": low,
        "high": high,
        "p": test.p(0.0),
        "coefficient": b,
        "inference": linear.description.replace("bootstrap", "score bootstrap", 1),
        "draws": linear.draws,
    }


PROBIT, LOGIT = "fractional_probit", "fractional_logit"


def _shares(design: Equation, link: str) -> tuple[Shares, float | None]:
    """The percentages as shares with their weights, and the excess variance ρ before its floor."""
    if ((design.y < 0) | (design.y > POINTS)).any() or design.y.max() <= 1:
        raise ModelError(
            f"A fractional {link} takes its outcome in percent, 0 to 100; it found "
            f"{design.y.min():.4g} to {design.y.max():.4g}."
        )
    y = design.y / POINTS
    if design.variance is None:
        return Shares(y, design.X, link), None
    weights, rho = precision(y, design.X, link, design.variance / POINTS**2)
    return Shares(y, design.X, link, weights), rho


def _rest(fit: PartialEffects, design: Equation) -> list[dict[str, Any]]:
    """Effects of covariates, then of waves and regional means."""
    last = design.X.shape[1]
    order = [*range(design.effects, last - design.doses), *range(1, design.effects)]
    return [
        {
            "term": str(design.X.columns[i]),
            "estimate": float(fit.effects[i]),
            "se": float(fit.se[i]),
        }
        for i in order
    ]


def _details(
    fit: PartialEffects, design: Equation, rho: float | None, level: float
) -> dict[str, Any]:
    return {
        "scale": fit.scale,
        "rho": None if rho is None else max(0.0, rho),
        "rho_unfloored": rho,
        "weighting": "none" if rho is None else "1/(1/m + rho)",
        "dropped": design.dropped,
        "singletons": design.singletons,
        "regional_means": [c for c in design.X.columns if str(c).startswith("mean of ")],
        "mde_approximate": minimum_detectable(float(fit.se[-1]), fit.count, level),
    }


def fit(
    panel: pd.DataFrame,
    roles: Roles,
    inference: Inference,
    *,
    link: str,
    unbalanced: str = "wave_means",
) -> Result:
    """Average partial effect of a unit of the dose on the share, in percentage points.

    E(p_it | x) = G(β'dose_it + γ'x_it + θ_t + ψ'(regional means) + a) by Bernoulli
    quasi-likelihood, G the ``link`` probit or logit, of one row a region and wave with p in
    percent; given its sampling variance, rows weigh as in :func:`precision`. The regional means
    stand for what differs between regions and does not change; ``unbalanced`` is that of
    :func:`evaluation.models.columns.mundlak`. p and interval come from one test, the wild cluster
    score bootstrap with the null imposed; each end of the interval of β is in percentage points at
    the fit that has it imposed, so the interval holds 0 exactly when p > 1 - level.

    Raises
    ------
    ModelError : shares outside 0 to 100, no convergence, a dose constant within every region, and
        what :mod:`evaluation.models.columns` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap` refuse.

    Source
    ------
    Papke & Wooldridge (2008), Journal of Econometrics 145:121-133; Wooldridge (2019), ibid.
    211:137-150.
    """
    made, _ = mundlak(panel, roles, unbalanced=unbalanced)
    shares, rho = _shares(made, link)
    effects, last = PartialEffects(shares, made.clusters), made.X.shape[1] - 1
    rows = [tested(effects, last - i, inference) for i in range(made.doses)]
    kept = ("term", "estimate", "se", "low", "high", "p", "coefficient")
    measured = diagnostics(effects.step, made.effects, effects.codes)
    del measured["within_r2"]
    details = _details(effects, made, rho, inference.level) | {"seed": inference.seed}
    return Result(
        model=f"fractional_{link}", outcome=roles.outcome,
        **{key: rows[0][key] for key in kept[:-1]}, level=inference.level,
        inference=rows[0]["inference"], clusters=effects.count, observations=len(made.y),
        unit="percentage_point", draws=rows[0]["draws"], support=measured["support"],
        coefficients=(*({k: row[k] for k in kept} for row in rows), *_rest(effects, made)),
        details=details | {"unbalanced": unbalanced} | measured,
    )  # fmt: skip


fit_probit = partial(fit, link="probit")
fit_logit = partial(fit, link="logit")
