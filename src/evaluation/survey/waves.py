"""Small areas over several waves: an area effect and a time effect that fades (Rao & Yu)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.stats import t

from evaluation.base.errors import ModelError
from evaluation.data.rules import SMOOTHED

# Variances in units of the outcome's, and how much of a time effect lasts a unit of time.
STARTS = ((0.3, 0.1, 0.3), (0.05, 0.4, 0.7), (0.3, 0.3, 0.0))
BOUNDS = ((0.0, None), (0.0, None), (-0.98, 0.98))


@dataclass(frozen=True)
class Waves:
    """Rates by y = Xβ + u_i + v_it + e_it, v_it = ρ v_i,t-1 + ε_it, Var(e) known.

    Attributes
    ----------
    frame : one row an area and wave: ``direct, direct_se, synthetic, combined, benchmarked, se,
        low, high``; ``se`` is the root of the bootstrap's mean squared error, of ``benchmarked``.
    area, time : Var(u) and the stationary Var(v). correlation : ρ. loglike : restricted.
    """

    frame: pd.DataFrame
    covariates: tuple[str, ...]
    coefficients: pd.Series
    errors: pd.Series
    area: float
    time: float
    correlation: float
    loglike: float

    @property
    def method(self) -> str:
        """How the rates were made, as a data package keeps it."""
        return f"{SMOOTHED}: {', '.join(self.covariates)}" if self.covariates else SMOOTHED


class _Panel:
    """Areas as blocks of all waves, (m, T); where a wave is lacking all is 0 and V is 1."""

    def __init__(self, area, time, D, X):
        self.i, areas = pd.factorize(area)
        self.times, self.j = np.unique(time, return_inverse=True)
        m, T = len(areas), len(self.times)
        self.there = np.zeros((m, T), dtype=bool)
        self.there[self.i, self.j] = True
        self.gap = np.abs(np.subtract.outer(self.times, self.times))
        self.X, self.D, self.y = self.block(X), self.block(D), np.zeros((m, T))
        self.both = self.there[:, :, None] & self.there[:, None, :]

    def block(self, values: np.ndarray) -> np.ndarray:
        found = np.zeros((*self.there.shape, *values.shape[1:]))
        found[self.i, self.j] = values
        return found

    def effects(self, theta) -> np.ndarray:
        """Covariance of u + v over the waves, (T, T)."""
        rho = theta[2]
        fading = np.sign(rho) ** self.gap * np.abs(rho) ** self.gap if rho else self.gap == 0
        return theta[0] + theta[1] * fading

    def solve(self, theta):
        """V⁻¹ by area, coefficients, their covariance and the restricted log-likelihood."""
        V = self.both * self.effects(theta)
        diagonal = np.arange(len(self.times))
        V[:, diagonal, diagonal] += np.where(self.there, self.D, 1.0)
        inverse = np.linalg.inv(V)
        weighted = inverse @ self.X
        information = np.einsum("itk,itl->kl", self.X, weighted)
        b = np.linalg.solve(information, np.einsum("itk,it->k", weighted, self.y))
        r = self.y - self.X @ b
        n, k = self.there.sum(), self.X.shape[2]
        logs = np.linalg.slogdet(V)[1].sum() + np.linalg.slogdet(information)[1]
        rss = np.einsum("it,its,is->", r, inverse, r)
        value = -0.5 * ((n - k) * np.log(2 * np.pi) + logs + rss)
        return inverse, b, np.linalg.inv(information), float(value)

    def fit(self, y: np.ndarray, starts) -> np.ndarray:
        """Variances and ρ of highest restricted likelihood for outcomes (N,)."""
        self.y, scale = self.block(y), float(np.var(y))
        sizes = np.array([scale, scale, 1.0])
        tried = [minimize(lambda s: -self.solve(s * sizes)[3], np.array(start),
                          bounds=BOUNDS, method="L-BFGS-B") for start in starts]  # fmt: skip
        best = min(tried, key=lambda found: found.fun)
        return best.x * sizes

    def predict(self, theta) -> tuple[np.ndarray, np.ndarray]:
        """Best predictions and synthetic rates, (N,)."""
        inverse, b, *_ = self.solve(theta)
        synthetic = self.X @ b
        effects = self.both * self.effects(theta)
        found = synthetic + np.einsum("its,isr,ir->it", effects, inverse, self.y - synthetic)
        return found[self.i, self.j], synthetic[self.i, self.j]


def smooth_waves(
    given: pd.DataFrame, covariates: list[str], *, draws: int = 199, seed: int = 0,
    level: float = 0.95,
) -> Waves:  # fmt: skip
    """Fit the model of Rao and Yu by REML; benchmark each wave to its direct rate.

    Parameters
    ----------
    given : one row an area and wave, any may be lacking: ``area``, ``time`` (years, numbers),
        ``direct``, ``se`` (above 0), ``share`` (people) and the covariates.
    draws, seed : of the parametric bootstrap, which draws effects, fits and benchmarks again.

    Raises
    ------
    ModelError : values missing, an area twice in a wave, one wave only, or too few areas.

    Source
    ------
    Rao & Yu (1994), Canadian Journal of Statistics 22:511-528; Rao & Molina (2015), Small Area
    Estimation, 2nd ed., sections 4.4.3 and 8.3. Waves of unequal distance take ρ to the power of
    the years between them.
    """
    y, D, X, share, panel = _matched(given, covariates)
    theta = panel.fit(y, STARTS)
    _, b, covariance, loglike = panel.solve(theta)
    combined, synthetic = panel.predict(theta)
    benchmarked = combined * _factor(y, combined, share, panel.j)
    mse = _bootstrapped(panel, theta, b, (X, D, share), draws, np.random.default_rng(seed))
    half = t.ppf((1 + level) / 2, panel.there.shape[0] - X.shape[1]) * np.sqrt(mse)
    frame = given[["area", "time"]].assign(
        direct=y, direct_se=np.sqrt(D), synthetic=synthetic, combined=combined,
        benchmarked=benchmarked, se=np.sqrt(mse), low=benchmarked - half, high=benchmarked + half,
    )  # fmt: skip
    names = ["constant", *covariates]
    return Waves(
        frame, tuple(covariates), pd.Series(b, names),
        pd.Series(np.sqrt(np.diag(covariance)), names), *map(float, theta), loglike,
    )  # fmt: skip


def _matched(given: pd.DataFrame, covariates: list[str]):
    numbers = given[["time", "direct", "se", "share", *covariates]].to_numpy(float)
    if not np.isfinite(numbers).all() or not (numbers[:, [2, 3]] > 0).all():
        raise ModelError("Rates, errors, shares, times and covariates must be known, errors and "
                         "shares above 0: leave the area out of the wave.")  # fmt: skip
    twice = given.duplicated(["area", "time"])
    if twice.any():
        raise ModelError(f"Area {given.loc[twice, 'area'].iloc[0]} stands twice in a wave.")
    X = np.column_stack([np.ones(len(given)), numbers[:, 4:]])
    panel = _Panel(given["area"].to_numpy(), numbers[:, 0], numbers[:, 2] ** 2, X)
    m, T = panel.there.shape
    if T < 2 or m < X.shape[1] + 3:
        raise ModelError(f"{m} areas in {T} waves are too few: a time effect needs 2 waves and "
                         f"{X.shape[1] + 3} areas. Use one wave alone.")  # fmt: skip
    return numbers[:, 1], numbers[:, 2] ** 2, X, numbers[:, 3], panel


def _factor(y, combined, share, wave) -> np.ndarray:
    """What brings each wave's weighted mean to that of its direct rates, (N,)."""
    return (np.bincount(wave, share * y) / np.bincount(wave, share * combined))[wave]


def _bootstrapped(panel: _Panel, theta, b, given, draws: int, rng) -> np.ndarray:
    """Mean squared error of the benchmarked rates where the fitted model is the truth."""
    X, D, share = given
    m, T = panel.there.shape
    root = np.linalg.cholesky(panel.effects(theta) + 1e-12 * np.eye(T))
    squares = np.zeros(len(D))
    for _ in range(draws):
        truth = X @ b + (rng.normal(size=(m, T)) @ root.T)[panel.i, panel.j]
        y = truth + rng.normal(0, np.sqrt(D))
        again = panel.fit(y, [theta / (np.var(y), np.var(y), 1)])
        combined = panel.predict(again)[0]
        squares += (combined * _factor(y, combined, share, panel.j) - truth) ** 2
    return squares / draws if draws else np.full(len(D), np.nan)
