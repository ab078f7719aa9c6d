"""Randomisation inference for the timing of a treatment: what if other regions had been chosen?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import exp, lgamma, perm

import numpy as np

from evaluation.errors import ModelError
from evaluation.models.drawn import TIE, p_value, rejections
from evaluation.models.group_time import Estimates
from evaluation.models.timing import Timed

BATCH = 500


@dataclass(frozen=True)
class Dealt:
    """Estimates had the timings been dealt to other regions.

    Attributes
    ----------
    drawn : (B, K) estimates. carried : (B,) share of the true treatment that the first of the K
        would pick up, 1 for the true dealing. smallest_p : one over the distinct dealings.
    enumerated : True where these are all dealings but the true one.
    """

    drawn: np.ndarray
    carried: np.ndarray
    smallest_p: float
    enumerated: bool

    @property
    def draws(self) -> int:
        """Number of dealings."""
        return len(self.drawn)


def distinct_dealings(panel: Timed) -> float:
    """Logarithm of the number of ways to deal the timings to the regions."""
    counts = np.unique(panel.start, return_counts=True)[1]
    return lgamma(len(panel.start) + 1) - sum(lgamma(c + 1) for c in counts)


def _orders(panel: Timed, draws: int, seed: int) -> tuple[np.ndarray, bool]:
    """(B, n) orders of the regions, all of them where there are no more than ``draws``."""
    size, slots = len(panel.start), np.flatnonzero(panel.treated)
    rest = np.flatnonzero(~panel.treated)
    if len(slots) > 3 or perm(size, len(slots)) > draws:
        rng = np.random.default_rng(seed)
        return rng.permuted(np.tile(np.arange(size), (draws, 1)), axis=1), False
    orders = []
    for chosen in permutations(range(size), len(slots)):
        order = np.empty(size, dtype=int)
        order[slots] = chosen
        order[rest] = np.setdiff1d(np.arange(size), chosen)
        orders.append(order)
    true = [bool((panel.start[order] == panel.start).all()) for order in orders]
    # The 1 in (1 + k) / (1 + B) stands for the true dealing.
    return np.delete(np.stack(orders), true.index(True), axis=0), True


def deal(panel: Timed, estimates: Estimates, draws: int, seed: int) -> Dealt:
    """Deal whole trajectories of the outcome to the timings; the estimator stays.

    Raises
    ------
    ModelError : a region is not observed in every wave.

    Source
    ------
    MacKinnon & Webb (2020), Journal of Econometrics 218:435-450.
    """
    gaps = ~panel.observed.all(axis=1)
    if gaps.any():
        raise ModelError(
            f"Randomisation inference needs every region in every wave; {gaps.sum()} regions have "
            f"gaps, first {panel.regions[gaps][0]}. Leave them or the incomplete waves out."
        )
    orders, enumerated = _orders(panel, draws, seed)
    after = panel.treated[:, None] & (np.arange(len(panel.waves)) >= panel.start[:, None])
    flat = estimates.loading.reshape(len(estimates.value), -1)
    drawn, carried = [], []
    for first in range(0, len(orders), BATCH):
        chosen = orders[first : first + BATCH]
        drawn.append(panel.y[chosen].reshape(len(chosen), -1) @ flat.T)
        carried.append(after[chosen].reshape(len(chosen), -1) @ flat[0])
    smallest = max(1 / (1 + len(orders)), exp(-distinct_dealings(panel)))
    return Dealt(np.concatenate(drawn), np.concatenate(carried), smallest, enumerated)


def invert(estimate: float, dealt: Dealt, level: float) -> tuple[float, float, float]:
    """p of no association, and the interval of the constant shifts the same test keeps.

    Removing a shift s from the treated outcomes turns the estimate into estimate - s and a dealt
    one into d - s b, b the share it carries; |d - s b| >= |estimate - s| holds on one interval
    around the estimate, so counting ends of intervals inverts the test exactly.
    """
    d, b = dealt.drawn[:, 0], dealt.carried
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (estimate - d) / (1 - b), (estimate + d) / (1 + b)
    one, two = (np.where(np.abs(b) >= 1 - TIE, np.inf, x) for x in (one, two))
    k = rejections(dealt.draws, level)
    p = p_value(abs(estimate), np.abs(d))
    if k < 1:
        return p, -np.inf, np.inf
    spans = np.sort(np.stack([np.minimum(one, two), np.maximum(one, two)]), axis=1)
    spans[0] = np.where(np.isinf(spans[0]), -np.inf, spans[0])
    return p, float(np.sort(spans[0])[k - 1]), float(spans[1][-k])
