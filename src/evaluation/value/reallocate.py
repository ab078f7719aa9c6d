"""Moves of money between inputs: optimum, test and trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.models.columns import Roles
from evaluation.stats.permutation import TIE, p_value
from evaluation.value.costs import Rule
from evaluation.value.effects import Joint, joint

# Move a fixed budget between its entries: the best allocation, its regret, and whether to say so.
BISECTIONS = 50


@dataclass(frozen=True)
class Reallocation:
    """The best allocation of a budget and how far to trust it.

    Attributes
    ----------
    names, today : entries and their shares of the budget today. multiples : of today's spending.
    gain, low, high : gain over today's allocation at the estimate, and the interval of its draws.
    probability : share of the draws in which it beats today's.
    regret : mean over the draws of what the allocation best in that draw would have gained beyond
        it.
    p : chance of an optimised gain as large, over its standard error, if no entry mattered: it
        allows for the choice.
    failed : rules it fails, of ``probability, chance, locks, told_apart``; none if it is
        recommended.
    """

    names: tuple[str, ...]
    today: tuple[float, ...]
    multiples: tuple[float, ...]
    gain: float
    low: float
    high: float
    probability: float
    regret: float
    p: float
    failed: tuple[str, ...]

    @property
    def recommended(self) -> bool:
        """Whether the declared rule lets it be recommended."""
        return not self.failed


def best_multiples(gains: Any, costs: Any, lower: Any, upper: Any) -> np.ndarray:
    """Maximise Σ a·log2(m) subject to Σ c·m <= Σ c and lower <= m <= upper, many problems at once.

    Where a <= 0 the lower bound is best, for it loses nothing and frees money. The others solve a
    concave problem: m = a/(λ c) inside its bounds, λ by bisection.

    Parameters
    ----------
    gains : (D, n) or (n,), gain of a doubling. costs : (n,) spent today, above 0.
    lower, upper : (n,), with lower <= 1 <= upper.

    Returns
    -------
    (D, n) multiples of today's spending.
    """
    a = np.atleast_2d(np.asarray(gains, dtype=float))
    c, lo, hi = (np.asarray(part, dtype=float) for part in (costs, lower, upper))
    if not (np.all(c > 0) and np.all(lo > 0) and np.all(lo <= 1) and np.all(hi >= 1)):
        raise ModelError("Costs must be above 0 and bounds must hold today: lower <= 1 <= upper.")
    value = np.maximum(a, 0) / c
    with np.errstate(divide="ignore"):
        log = np.log(value)
    top = np.where(np.isfinite(log), log - np.log(lo), -np.inf).max(axis=1, keepdims=True)
    bottom = np.where(np.isfinite(log), log - np.log(hi), np.inf).min(axis=1, keepdims=True)
    none = ~np.isfinite(top)
    top, bottom = np.where(none, 0.0, top), np.where(none, 0.0, bottom)

    def at(price: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.clip(np.exp(log - price), lo, hi)

    budget = c.sum()
    for _ in range(BISECTIONS):
        middle = (top + bottom) / 2
        within = (at(middle) * c).sum(axis=1, keepdims=True) <= budget
        top, bottom = np.where(within, middle, top), np.where(within, bottom, middle)
    return at(top)


def gained(gains: np.ndarray, multiples: np.ndarray) -> np.ndarray:
    """Gain over today of one allocation, or of one a draw, by draw."""
    return (gains * np.log2(multiples)).sum(axis=-1)


def _studentised(
    gains: np.ndarray, multiples: np.ndarray, loading: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Gain of each draw's allocation over its standard error; 0 where nothing is moved."""
    weights = np.log2(multiples) @ loading
    variance = np.einsum("dk,dkl,dl->d", weights, covariance, weights)
    gain = gained(gains, multiples)
    return np.divide(gain, np.sqrt(variance), out=np.zeros_like(gain), where=variance > 0)


def bounds(levels: Any, lowest: Any, highest: Any, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """Multiples within the rule's bound and inside the observed levels; today is always inside."""
    level, low, high = (np.asarray(part, dtype=float) for part in (levels, lowest, highest))
    lower = np.maximum(1 - rule.bound, low / level)
    upper = np.minimum(1 + rule.bound, high / level)
    return np.minimum(lower, 1.0), np.maximum(upper, 1.0)


def reallocate(
    names: Sequence[str], effects: Joint, loading: Any, costs: Any,
    limits: tuple[np.ndarray, np.ndarray], *, rule: Rule, locks: int, told_apart: bool = True,
) -> Reallocation:  # fmt: skip
    """Find the best allocation at the estimate and hold it against the declared rule.

    Parameters
    ----------
    effects : K estimated effects with their draws. loading : (n, K), what a doubling of each entry
        gains for a unit of each effect. costs : (n,) spent today. limits : lower and upper
        multiples. locks, told_apart : see :meth:`evaluation.value.costs.Rule.failed`.

    Notes
    -----
    The gain of an allocation chosen as the best looks good by construction: ``p`` optimises every
    null draw as well and counts how often its gain, over its standard error, is as large.
    """
    turn, c = np.asarray(loading, dtype=float), np.asarray(costs, dtype=float)
    a, draws, null = (part @ turn.T for part in (effects.estimate, effects.draws, effects.null))
    chosen = best_multiples(a, c, *limits)
    gains, possible = gained(draws, chosen), gained(draws, best_multiples(draws, c, *limits))
    observed = _studentised(a[None, :], chosen, turn, effects.covariance[None])
    chance = _studentised(null, best_multiples(null, c, *limits), turn, effects.null_covariance)
    p = p_value(int(np.count_nonzero(chance >= observed - TIE)), len(chance))
    share, regret = float((gains > 0).mean()), possible - gains
    low, high = np.quantile(gains, [0.025, 0.975])
    return Reallocation(
        names=tuple(names),
        today=tuple((c / c.sum()).tolist()),
        multiples=tuple(chosen[0].tolist()),
        gain=float(gained(a, chosen)[0]),
        low=float(low),
        high=float(high),
        probability=share,
        regret=float(regret.mean()),
        p=p,
        failed=rule.failed(share, p, locks, told_apart),
    )


# How often the rule recommends: panels with a known truth, drawn and decided one after another.
ROLES = Roles(
    outcome="annual",
    doses=("log2_a", "log2_b", "log2_c"),
    covariates=("x",),
    region="region",
    wave="interval",
    variance="variance",
)
RULE = Rule(bound=0.3, probability=0.975, locks=3)
COSTS = np.array([0.25, 0.4, 0.35])


@dataclass(frozen=True)
class Trial:
    """One simulated panel: what was decided, and what the decision was worth in truth.

    ``shortfall`` is the true gain of the best allocation less that of the one found.
    """

    found: Reallocation
    shortfall: float


def panel(
    effects: Sequence[float], rng: np.random.Generator, *, regions: int = 30, waves: int = 3,
    noise: float = 0.15,
) -> pd.DataFrame:  # fmt: skip
    """Yearly gains of regions with three levers in logs, a common factor among them.

    Regions keep a part of their noise over the waves, so that clusters matter.
    """
    n = regions * waves
    region, wave = np.repeat(np.arange(regions), waves), np.tile(np.arange(waves), regions)
    common = rng.standard_normal(regions)[region]
    logs = 0.5 * common[:, None] + rng.standard_normal((n, 3))
    own = 0.5 * noise * rng.standard_normal(regions)[region]
    x = rng.standard_normal(n)
    error = own + noise * rng.standard_normal(n)
    gain = 0.8 + 0.1 * wave + 0.1 * x + logs @ np.asarray(effects, dtype=float) + error
    frame = pd.DataFrame(logs, columns=list(ROLES.doses))
    return frame.assign(region=region, interval=wave.astype(str), x=x, annual=gain, variance=0.01)


def trial(
    effects: Sequence[float], *, panels: int, seed: int, draws: int = 399, locks: int = 5,
    **drawn: float,
) -> list[Trial]:  # fmt: skip
    """Draw panels with these true effects of a doubling and apply the rule to each.

    Parameters
    ----------
    locks : taken as given, so that what is tried is the statistical part of the rule.
    """
    limits = (np.full(3, 1 - RULE.bound), np.full(3, 1 + RULE.bound))
    truth = np.asarray(effects, dtype=float)
    best = float(gained(truth, best_multiples(truth, COSTS, *limits)[0]))
    results = []
    for stream in np.random.SeedSequence(seed).spawn(panels):
        rng = np.random.default_rng(stream)
        frame = panel(effects, rng, **drawn)
        both = joint(frame, ROLES, size=draws, seed=int(rng.integers(2**31)))
        found = reallocate("abc", both, np.eye(3), COSTS, limits, rule=RULE, locks=locks)
        results.append(Trial(found, best - float(gained(truth, np.array(found.multiples)))))
    return results
