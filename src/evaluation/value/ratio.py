"""Cost per unit of effect with its interval, and only where the effect is told from zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import ModelError
from evaluation.survey import normal_quantile
from evaluation.value.cea import Decision


@dataclass(frozen=True)
class Ratio:
    """A cost per unit of effect. ``low, high`` are its interval, money per unit."""

    value: float
    low: float
    high: float
    level: float
    method: str


def told_from_zero(low: float, high: float) -> bool:
    """Whether an interval of an effect leaves out zero: only then is a ratio printed."""
    return bool(low > 0 or high < 0)


def from_draws(decision: Decision, option: int = 1, level: float = 0.95) -> Ratio:
    """Ratio of means with a percentile interval of the draws' ratios.

    Raises
    ------
    ModelError : the interval of the effect holds zero; the ratio then has no finite interval.
    """
    effect, cost = decision.delta(option)
    tails = [(1 - level) / 2, (1 + level) / 2]
    if not told_from_zero(*np.quantile(effect, tails)):
        raise ModelError(
            "The interval of the effect holds zero: no cost per unit of effect is given. Use net "
            "benefit, the acceptability curve and the value of information."
        )
    low, high = np.quantile(cost / effect, tails)
    return Ratio(float(cost.mean() / effect.mean()), float(low), float(high), level, "draws")


def fieller(
    effect: float, effect_se: float, cost: float, cost_se: float, rho: float = 0.0,
    level: float = 0.95,
) -> Ratio:  # fmt: skip
    """Fieller's interval of cost over effect, two normal estimates with correlation ``rho``.

    Raises
    ------
    ModelError : the effect does not differ from zero at this level; the interval is unbounded.

    Source
    ------
    Fieller (1954), Journal of the Royal Statistical Society B 16:175-185; for cost-effectiveness
    Willan & O'Brien (1996), Health Economics 5:297-305.
    """
    z2 = normal_quantile(level) ** 2
    a = effect**2 - z2 * effect_se**2
    if a <= 0:
        raise ModelError("The effect is not told from zero: Fieller's interval is unbounded.")
    b = effect * cost - z2 * rho * effect_se * cost_se
    root = np.sqrt(b**2 - a * (cost**2 - z2 * cost_se**2))
    return Ratio(cost / effect, float((b - root) / a), float((b + root) / a), level, "Fieller")
