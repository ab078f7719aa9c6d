"""Restricted maximum likelihood of variance components beside known sampling variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from evaluation.base.errors import ModelError

# A component below this share of the outcome's variance is at the boundary of its range.
BOUNDARY = 1e-6
FLOOR = 1e-9
STARTS = (0.05, 0.5)
STEPS = 200
CONVERGED = 1e-9


@dataclass(frozen=True)
class Reml:
    """Variance components fitted by REML, and the generalised least squares they imply.

    Attributes
    ----------
    variances : by component. boundary : components estimated at 0.
    loglike : restricted log-likelihood, -½((N - k) log 2π + log|V| + log|X'V⁻¹X| + r'V⁻¹r).
    ratio, p : by component, likelihood ratio against 0 and its p-value on the mixture ½χ²₀ + ½χ²₁;
        a component without which V has no inverse is not tested.
    coefficients, covariance : (k,), (k, k). factor : (N, N) lower Cholesky factor of V.
    """

    variances: dict[str, float]
    boundary: tuple[str, ...]
    loglike: float
    ratio: dict[str, float]
    p: dict[str, float]
    coefficients: np.ndarray
    covariance: np.ndarray
    factor: np.ndarray

    def whiten(self, values: np.ndarray) -> np.ndarray:
        """``values`` (N, ...) in units in which V is the identity; regions are not mixed."""
        return np.linalg.solve(self.factor, values)


class _Likelihood:
    """Restricted log-likelihood of the outcome in units of its own standard deviation."""

    def __init__(self, y, X, known, parts, tolerance=CONVERGED):
        self.y, self.X, self.known, self.parts = y, X, known, parts
        self.tolerance = tolerance
        identity = [np.array_equal(K, np.eye(len(y))) for K in parts]
        # Without sampling variances only the equation error keeps V invertible.
        needed = bool((np.diag(known) <= 0).any())
        self.floor = np.array([FLOOR if needed and own else 0.0 for own in identity])
        if needed and not any(identity):
            raise ModelError("Sampling variances of 0 need an equation error beside them.")

    def solve(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Factor of V, coefficients, their covariance and the log-likelihood."""
        V = self.known + sum(t * K for t, K in zip(theta, self.parts, strict=True))
        L = np.linalg.cholesky(V)
        Xw, yw = np.linalg.solve(L, self.X), np.linalg.solve(L, self.y)
        information = Xw.T @ Xw
        b = np.linalg.solve(information, Xw.T @ yw)
        rss = float(((yw - Xw @ b) ** 2).sum())
        logs = 2 * np.log(np.diag(L)).sum() + np.linalg.slogdet(information)[1]
        n, k = self.X.shape
        return L, b, np.linalg.inv(information), -0.5 * ((n - k) * np.log(2 * np.pi) + logs + rss)

    def derivatives(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log-likelihood, its gradient -½(tr PK - y'PKPy), and the information ½ tr PKPK."""
        L, _, covariance, value = self.solve(theta)
        inverse = np.linalg.inv(L)
        Vi = inverse.T @ inverse
        P = Vi - Vi @ self.X @ covariance @ self.X.T @ Vi
        Py, products = P @ self.y, [P @ K for K in self.parts]
        score = [
            0.5 * (Py @ K @ Py - np.trace(PK)) for K, PK in zip(self.parts, products, strict=True)
        ]
        information = [[0.5 * (A * B.T).sum() for B in products] for A in products]
        return value, np.array(score), np.array(information)

    def maximise(self, free: list[int], starts=STARTS) -> tuple[np.ndarray, float]:
        """Best components with those not ``free`` at 0, by Fisher scoring from several starts."""
        found = [self._climb(np.isin(range(len(self.parts)), free), start) for start in starts]
        return max(found, key=lambda pair: pair[1])

    def _climb(self, free: np.ndarray, start: float | np.ndarray) -> tuple[np.ndarray, float]:
        theta = np.where(free, start, self.floor)
        for _ in range(STEPS):
            value, score, information = self.derivatives(theta)
            # A component at its bound stays there while the likelihood falls inwards.
            move = free & ((theta > self.floor) | (score > 0))
            step = np.zeros(len(theta))
            step[move] = np.linalg.solve(information[np.ix_(move, move)], score[move])
            new, reached = self._along(theta, step, value)
            if np.abs(new - theta).max() <= self.tolerance * theta.max():
                break
            theta = new
        return new, reached

    def _along(self, theta: np.ndarray, step: np.ndarray, value: float) -> tuple[np.ndarray, float]:
        """The first point on a halved step that does not lower the likelihood."""
        for halvings in range(40):
            new = np.maximum(theta + step / 2**halvings, self.floor)
            reached = self.solve(new)[3]
            if reached >= value:
                return new, reached
        return theta, value


def reml(
    y: np.ndarray,
    X: np.ndarray,
    known: np.ndarray,
    parts: dict[str, np.ndarray],
    *,
    tested: bool = True,
    starts: Sequence[float | np.ndarray] = STARTS,
    tolerance: float = CONVERGED,
) -> Reml:
    """Fit V = known + Σ θ_k K_k by restricted maximum likelihood, θ_k >= 0.

    ``known`` are sampling variances (N,) or their covariance (N, N), 0 where there are none,
    ``parts`` the (N, N) matrix K of each, ``tested`` against 0 by one fit without it. ``starts``
    are shares of the outcome's variance, for each component or all; ``tolerance`` is the last
    step, relative to the largest component.

    Refuses known variances of 0 without a component that is the identity (ModelError).

    Source
    ------
    Patterson & Thompson (1971), Biometrika 58:545-554; Searle, Casella & McCulloch (1992), Variance
    Components, ch. 8; boundary mixture: Self & Liang (1987), JASA 82:605-610.
    """
    scale, known = float(np.var(y)) or 1.0, known if known.ndim > 1 else np.diag(known)
    # Columns of length 1 keep their digits in any unit.
    lengths, kinds, free = np.linalg.norm(X, axis=0), list(parts.values()), len(y) - X.shape[1]
    scaled = _Likelihood(y / np.sqrt(scale), X / lengths, known / scale, kinds, tolerance)
    everything = list(range(len(parts)))
    theta, loglike = scaled.maximise(everything, starts)
    L, b, covariance, _ = scaled.solve(theta)
    testable = [(i, name) for i, name in enumerate(parts) if tested and scaled.floor[i] == 0]
    nulls = {n: scaled.maximise([k for k in everything if k != i])[1] for i, n in testable}
    ratio = {name: max(0.0, float(2 * (loglike - null))) for name, null in nulls.items()}
    loglike -= 0.5 * free * np.log(scale) + np.log(lengths).sum()
    return Reml(
        variances={name: float(t * scale) for name, t in zip(parts, theta, strict=True)},
        boundary=tuple(n for n, t in zip(parts, theta, strict=True) if t < BOUNDARY),
        loglike=float(loglike),
        ratio=ratio,
        p={name: float(chi2.sf(r, 1) / 2) if r > 0 else 1.0 for name, r in ratio.items()},
        coefficients=b * np.sqrt(scale) / lengths,
        covariance=covariance * scale / np.outer(lengths, lengths),
        factor=L * np.sqrt(scale),
    )
