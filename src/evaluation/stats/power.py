"""Power and minimum detectable effect of a design, by simulating the headline test itself."""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass

import numpy as np

from evaluation.stats.bootstrap import WEBB_BELOW, weight_batches
from evaluation.stats.least_squares import LeastSquares, cluster_sums
from evaluation.stats.permutation import TIE, p_value

TARGET = 0.8
# Effects are sought up to this many standard errors; power below the target there is "infinite".
FARTHEST = 64.0
BISECTIONS = 12
# Share of an effect over which the slope of the power curve is taken.
STEP = 0.1


@dataclass(frozen=True)
class Detectable:
    """The smallest effect found with 80 % power.

    Attributes
    ----------
    effect : in units of the coefficient; infinite where no effect reaches the power.
    error : its Monte Carlo standard error. target : power asked for. level : 1 - size of the test.
    panels, draws : simulated panels, and bootstrap draws in each. correlation : of the errors of
        one region. size : share rejected without an effect.
    """

    effect: float
    error: float
    target: float
    level: float
    panels: int
    draws: int
    correlation: float
    size: float


def region_correlation(fit: LeastSquares, codes: np.ndarray, nested: int = 0) -> float:
    """Correlation of the errors of one region, from the residuals, between 0 and 0.95.

    Products of residuals within regions are compared with what M (I + ρ(J - I)) M would give on
    average, M the residual maker. With region effects (``nested``) a shock common to a region
    drops out and the answer is 0.
    """
    if nested:
        return 0.0
    residuals = fit.residuals
    maker = np.eye(len(residuals)) - fit.q @ fit.q.T
    same = (codes[:, None] == codes[None, :]) & ~np.eye(len(codes), dtype=bool)
    made = maker @ same @ maker
    within = cluster_sums(residuals, codes) @ cluster_sums(residuals, codes)
    products, squares = float(within - residuals @ residuals), float(residuals @ residuals)
    # products / squares = (m0 + ρ m1) / (s0 + ρ s1), solved for ρ.
    m0, m1, s0, s1 = (maker * same).sum(), (made * same).sum(), maker.trace(), made.trace()
    slope = squares * m1 - products * s1
    if slope <= 0:
        return 0.0
    return float(np.clip((products * s0 - squares * m0) / slope, 0.0, 0.95))


@dataclass(eq=False)
class SimulatedTest:
    """The wild cluster bootstrap test of many simulated panels, as a function of the effect.

    Panels share the regressors, the weights and the bootstrap draws; only the errors differ. The
    five numbers a draw of :class:`.WildTest` are linear or quadratic in the
    errors, so a batch of panels takes one matrix product each, and a further effect none.

    Parameters
    ----------
    fit : of the design, the coefficient tested last. codes : clusters 0 ... G-1.
    scale : variance of the errors of the weighted equation. correlation : within regions.
    nested : leading columns that are effects of the clusters.
    """

    fit: InitVar[LeastSquares]
    codes: InitVar[np.ndarray]
    _: KW_ONLY
    scale: float
    seed: int
    correlation: float = 0.0
    nested: int = 0
    panels: int = 500
    draws: int = 199
    level: float = 0.95

    def __post_init__(self, fit: LeastSquares, codes: np.ndarray) -> None:
        clusters = int(codes.max()) + 1
        kind = "webb" if clusters < WEBB_BELOW else "rademacher"
        first, second = np.random.SeedSequence(self.seed).spawn(2)
        weights = weight_batches(kind, clusters, self.draws, int(first.generate_state(1)[0]))
        rng = np.random.default_rng(second)
        errors = np.sqrt(1 - self.correlation) * rng.normal(size=(self.panels, len(codes)))
        errors += np.sqrt(self.correlation) * rng.normal(size=(self.panels, clusters))[:, codes]
        errors *= np.sqrt(self.scale)
        self._reduce(fit, codes, self.nested, errors, np.hstack(list(weights)))

    def _reduce(self, fit, codes, nested, errors, v) -> None:
        """Keep (panels, draws) numbers from which every effect's statistic follows."""
        # Effects of the clusters are orthogonal to d and to the residuals within each cluster.
        q, d = fit.q[:, nested:], fit.q[:, -1] * fit.r[-1, -1]
        residuals = errors - (errors @ fit.q) @ fit.q.T
        slope, left = cluster_sums(d * d, codes), cluster_sums(q * d[:, None], codes)
        own = cluster_sums((residuals * d).T, codes).T
        turned = slope[:, None] * v - left @ (left.T @ v)
        self.n0, self.n1 = own @ v, slope @ v
        self.a0, self.a1 = own**2 @ v**2, own @ (v * turned)
        self.a2 = np.einsum("gb,gb->b", turned, turned)
        projected = [cluster_sums((residuals * column).T, codes).T @ v for column in q.T]
        inner, cross = left.T @ left, left.T @ turned
        for k, w in enumerate(projected):
            mixed = sum(inner[k, j] * other for j, other in enumerate(projected))
            self.a0 += w * (mixed - 2 * (own * left[:, k]) @ v)
            self.a1 -= w * cross[k]
        self.information, self.squares = float(slope.sum()), np.einsum("pg,pg->p", own, own)
        self.noise = errors @ d / self.information
        # All sign changes of few clusters are fewer than the draws asked for.
        self.draws = v.shape[1]

    def p(self, effect: float) -> np.ndarray:
        """P-values of the null of no effect in panels with this effect, (panels,)."""
        delta = (self.noise + effect)[:, None]
        drawn = self.squares[:, None] * (self.n0 + delta * self.n1) ** 2
        observed = self.a0 + delta * (2 * self.a1 + delta * self.a2)
        extreme = drawn >= observed * (delta * self.information) ** 2 * (1 - TIE)
        return p_value(extreme.sum(axis=1), self.draws)

    def power(self, effect: float) -> tuple[float, float]:
        """Share of panels with this effect in which the null is rejected, and its error."""
        share = float(np.mean(self.p(effect) <= 1 - self.level + 1e-12))
        return share, float(np.sqrt(share * (1 - share) / self.panels))


def minimum_detectable_effect(test: SimulatedTest, target: float = TARGET) -> Detectable:
    """The effect that the test finds in a share ``target`` of the simulated panels.

    With few draws a test loses a little power, so the answer errs on the large side.
    """
    low, high = 0.0, float(test.noise.std())
    farthest = FARTHEST * high
    while test.power(high)[0] < target and high < farthest:
        low, high = high, 2 * high
    if test.power(high)[0] < target:
        effect, error = float("inf"), float("nan")
    else:
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (low, middle) if test.power(middle)[0] >= target else (middle, high)
        effect = high
        rise = test.power(effect * (1 + STEP))[0] - test.power(effect * (1 - STEP))[0]
        spread = np.sqrt(target * (1 - target) / test.panels)
        error = float(spread * 2 * STEP * effect / rise) if rise > 0 else float("inf")
    return Detectable(
        effect=effect, error=error, target=target, level=test.level, panels=test.panels,
        draws=test.draws, correlation=test.correlation, size=test.power(0.0)[0],
    )  # fmt: skip
