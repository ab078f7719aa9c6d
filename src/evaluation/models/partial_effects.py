"""Average partial effects of a fractional response, and the test of one of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.models.quasi_likelihood import POINTS, ScoreTest, Shares
from evaluation.stats.bootstrap import (
    Bootstrap,
    cluster_codes,
    weight_batches,
    wild_cluster_bootstrap,
)
from evaluation.stats.least_squares import crv1


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

    def linearised(self, term: int, draws: int, seed: int, level: float) -> Bootstrap:
        """Bootstrap of the working regression: its standard error and weights; checks the term."""
        slope = self.shares.slope(self.eta)
        mu = self.shares.mean(self.eta)
        return wild_cluster_bootstrap(
            self.eta + (self.shares.y - mu) / slope,
            self.shares.X,
            self.clusters,
            term,
            draws,
            seed=seed,
            observation_weights=self.shares.information(self.eta),
            level=level,
        )


def tested(fit: PartialEffects, term: int, draws: int, seed: int, level: float) -> dict[str, Any]:
    """Estimate, interval and p of one column; see :mod:`evaluation.models.fractional`."""
    linear = fit.linearised(term, draws, seed, level)
    weights = list(weight_batches(linear.weights, fit.count, draws, seed))
    test, b = ScoreTest(fit.shares, fit.codes, term, weights), float(fit.coefficients[term])
    ends = [test.end(b, side * linear.se, 1 - level) for side in (-1, 1)]
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
