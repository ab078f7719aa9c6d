"""Test of a predictive skill by changing the signs of whole regions."""

from __future__ import annotations

import numpy as np

from evaluation.errors import ModelError
from evaluation.stats.bootstrap import weight_batches
from evaluation.stats.permutation import TIE, p_value

MIN_DRAWS = 99
BISECTIONS = 60
# Distance of a skill from the estimate beyond which an end is called unbounded.
UNBOUNDED = 1e4


class SkillTest:
    """Skill 1 - Σ|e| / Σ|e of the benchmark|, tested by changing signs of whole regions.

    Under skill s the regions' sums M - (1 - s)B centre on 0; p compares |Σ(M - (1 - s)B)| with the
    same sum under random signs, and the interval holds every s that is not rejected.
    """

    def __init__(self, model: np.ndarray, benchmark: np.ndarray, draws: int, seed: int):
        if draws < MIN_DRAWS:
            raise ModelError(f"{draws} draws are too few; take at least {MIN_DRAWS}.")
        self.m, self.b = float(model.sum()), float(benchmark.sum())
        signs = weight_batches("rademacher", len(model), draws, seed)
        pairs = [np.stack([model @ v, benchmark @ v]) for v in signs]
        self.drawn = np.concatenate(pairs, axis=1)

    @property
    def estimate(self) -> float:
        """Share of the benchmark's absolute error that the model takes away."""
        return 1 - self.m / self.b

    def p(self, skill: float) -> float:
        """(1 + number of draws at least as extreme) / (1 + draws)."""
        drawn = np.abs(self.drawn[0] - (1 - skill) * self.drawn[1])
        observed = abs(self.m - (1 - skill) * self.b)
        extreme = np.count_nonzero(drawn >= observed - TIE * self.b)
        return p_value(int(extreme), self.drawn.shape[1])

    def end(self, side: int, alpha: float) -> float:
        """Last skill not rejected on one side, 1 at most: no error can be below 0.

        A skill of 0 is tried where it lies on this side: p at 0 and interval always agree.
        """
        if not 0 < alpha < 1:
            raise ModelError(f"'level' must lie strictly between 0 and 1; it is {1 - alpha:g}.")
        low, high, zero = 0.0, 1e-3, -side * self.estimate
        if zero > 0 and self.p(0.0) > alpha:
            low, high = zero, 2 * zero
        ceiling = zero if zero > 0 and low == 0 else UNBOUNDED
        high = min(high, ceiling)
        while high < ceiling and self.p(self.estimate + side * high) > alpha:
            low, high = high, min(2 * high, ceiling)
        if high >= UNBOUNDED:
            return -np.inf if side < 0 else 1.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            inside = self.p(self.estimate + side * middle) > alpha
            low, high = (middle, high) if inside else (low, middle)
        return float(min(1.0, self.estimate + side * low))
