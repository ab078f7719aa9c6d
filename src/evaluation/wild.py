"""Draws, p-value and interval of a wild cluster bootstrap test, without a loop over draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evaluation.least_squares import LeastSquares, cluster_sums

BATCH = 2000
# Statistics that are equal in exact arithmetic are ties, and a tie counts as at least as extreme.
TIE = 1e-9
# Standard errors from the estimate at which nulls are scanned for the ends of the interval; a null
# not rejected at the last one is reported as an unbounded end.
SCAN = np.geomspace(1e-3, 1e4, 140)
# Enough to end on neighbouring numbers, so that a null at a printed end is inside.
BISECTIONS = 60
_WEBB = np.sqrt(np.array([1.5, 1.0, 0.5]))
SUPPORT = {"webb": np.concatenate([-_WEBB, _WEBB]), "rademacher": np.array([-1.0, 1.0])}


def enumerates(kind: str, clusters: int, draws: int) -> bool:
    """Whether all sign changes of the clusters are few enough to be used in place of draws."""
    return kind == "rademacher" and clusters < 63 and 2**clusters <= draws


def weight_batches(kind: str, clusters: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Cluster weights as arrays (clusters, batch): random draws, or every sign change but none.

    The identity is left out of the enumeration: the 1 in (1 + k) / (1 + B) stands for it.
    """
    if enumerates(kind, clusters, draws):
        patterns = np.arange(1, 2**clusters)
        for start in range(0, len(patterns), BATCH):
            chosen = patterns[start : start + BATCH]
            yield 1.0 - 2.0 * (chosen >> np.arange(clusters)[:, None] & 1)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, draws, BATCH):
        size = (clusters, min(BATCH, draws - start))
        yield SUPPORT[kind][rng.integers(len(SUPPORT[kind]), size=size)]


class WildTest:
    """The p-value as a function of δ = estimate - null, from five numbers a draw.

    With d the last regressor less its projection on the others and û the unrestricted residuals,
    the restricted residuals are û + δd. For cluster weights v the bootstrap t-statistic then is
    (n0 + δ n1) / √(f (a0 + 2δ a1 + δ² a2)), f the CRV1 factor, which also cancels from the
    comparison with the observed δ Σd² / √(f squares).

    Source
    ------
    Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90:414-427; the algebra
    follows Roodman, MacKinnon, Nielsen & Webb (2019), Stata Journal 19:4-60.
    """

    def __init__(self, fit: LeastSquares, codes: np.ndarray, batches: Iterator[np.ndarray]):
        d = fit.q[:, -1] * fit.r[-1, -1]
        own, slope = cluster_sums(d * fit.residuals, codes), cluster_sums(d * d, codes)
        left = cluster_sums(fit.q * d[:, None], codes)
        right = cluster_sums(fit.q * fit.residuals[:, None], codes)
        parts = []
        for v in batches:
            scores = own[:, None] * v - left @ (right.T @ v)
            turned = slope[:, None] * v - left @ (left.T @ v)
            pairs = ((scores, scores), (scores, turned), (turned, turned))
            products = [np.einsum("gb,gb->b", a, b) for a, b in pairs]
            parts.append(np.stack([own @ v, slope @ v, *products]))
        self.n0, self.n1, self.a0, self.a1, self.a2 = np.concatenate(parts, axis=1)
        self.information, self.squares = float(slope.sum()), float(own @ own)

    @property
    def draws(self) -> int:
        """Number of bootstrap statistics."""
        return len(self.n0)

    def statistics(self, delta: float) -> tuple[float, np.ndarray]:
        """Observed |t| and (B,) drawn |t| for one null, both without the CRV1 factor."""
        spread = self.a0 + delta * (2 * self.a1 + delta * self.a2)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = np.abs(self.n0 + delta * self.n1) / np.sqrt(np.maximum(spread, 0.0))
        # A draw without spread has no statistic; it counts as at least as extreme.
        drawn = np.where(np.isnan(drawn), np.inf, drawn)
        return abs(delta) * self.information / self.squares**0.5, drawn

    def p(self, delta: float) -> float:
        """(1 + number of draws at least as extreme) / (1 + draws), compared without dividing."""
        drawn = self.squares * (self.n0 + delta * self.n1) ** 2
        observed = self.a0 + delta * (2 * self.a1 + delta * self.a2)
        observed = observed * (delta * self.information) ** 2
        return float((1 + np.count_nonzero(drawn >= observed * (1 - TIE))) / (1 + self.draws))

    def end(self, side: int, scale: float, alpha: float, null: float | None) -> tuple[float, bool]:
        """Distance from the estimate to the last null not rejected on one side of it.

        Parameters
        ----------
        side : sign of δ. scale : standard error. alpha : 1 - level.
        null : distance of the user's null if it lies on this side. When it is rejected, the end
            is sought before it, so that p and interval cannot disagree.

        Returns
        -------
        distance (inf if unbounded), and whether the nulls not rejected there are one interval.
        """
        grid = np.concatenate([[0.0], SCAN * scale])
        grid = grid if null is None else np.union1d(grid, null)
        inside = np.array([self.p(side * x) > alpha for x in grid])
        limit = len(grid)
        if null is not None and not inside[np.searchsorted(grid, null)]:
            limit = int(np.searchsorted(grid, null))
        last = int(np.flatnonzero(inside[:limit])[-1])
        connected = bool(inside[: last + 1].all() and not inside[last + 1 :].any())
        if last == len(grid) - 1:
            return np.inf, connected
        low, high = grid[last], grid[last + 1]
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.p(side * middle) > alpha else (low, middle)
        return float(low), connected
