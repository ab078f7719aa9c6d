"""Cost-effectiveness under uncertainty: what draws of effects and costs say of a decision.

The same quantities as the R package BCEA: incremental benefit and its break-even point, the
plane, the ratio, acceptability curve and frontier, opportunity loss, value of perfect and of
partial perfect information, risk aversion.

Source
------
Baio & Dawid (2015), Statistical Methods in Medical Research 24:615-634; Briggs, Claxton &
Sculpher (2006), Decision Modelling for Health Economic Evaluation, Oxford.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.base.errors import KepuError


@dataclass(frozen=True, eq=False)
class Decision:
    """Draws of effect and cost of each option.

    Attributes
    ----------
    effects, costs : (draws, options), one row a joint draw; effects in units a willingness to pay
        is stated for, costs in money. reference : column the others are held against.
    """

    effects: np.ndarray
    costs: np.ndarray
    reference: int = 0

    def __post_init__(self) -> None:
        if self.effects.ndim != 2 or self.effects.shape != self.costs.shape:
            raise KepuError(
                f"Effects and costs must be draws by options alike; got {self.effects.shape} and "
                f"{self.costs.shape}."
            )
        if self.effects.shape[1] < 2:
            raise KepuError("A decision needs at least two options; one of them is to do nothing.")
        if not (np.isfinite(self.effects).all() and np.isfinite(self.costs).all()):
            raise KepuError("Effects and costs must be finite: an unbounded interval has no mean.")
        if not 0 <= self.reference < self.effects.shape[1]:
            raise KepuError(f"There is no option {self.reference} to refer to.")

    def delta(self, option: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws of the differences in effect and in cost from the reference."""
        other = self.reference
        return (
            self.effects[:, option] - self.effects[:, other],
            self.costs[:, option] - self.costs[:, other],
        )


def two_options(effect: Any, cost: Any) -> Decision:
    """A decision to act or not, from draws (draws,) of the differences in effect and in cost."""
    effect, cost = np.asarray(effect, dtype=float), np.asarray(cost, dtype=float)
    effect, cost = np.broadcast_arrays(effect, cost)
    nothing = np.zeros_like(effect)
    return Decision(np.column_stack([nothing, effect]), np.column_stack([nothing, cost]))


def net_benefit(decision: Decision, wtp: Any) -> np.ndarray:
    """Net monetary benefit k·e - c, (values of k, draws, options)."""
    k = np.atleast_1d(np.asarray(wtp, dtype=float))
    return k[:, None, None] * decision.effects - decision.costs


def expected_incremental_benefit(decision: Decision, wtp: Any, option: int = 1) -> np.ndarray:
    """Mean net benefit of an option less that of the reference, (values of k,)."""
    effect, cost = decision.delta(option)
    return np.atleast_1d(np.asarray(wtp, dtype=float)) * effect.mean() - cost.mean()


def acceptability(decision: Decision, wtp: Any) -> np.ndarray:
    """Share of the draws in which each option has the highest net benefit, (values of k, options).

    Options that tie share the draw equally, so that the options' probabilities sum to 1.
    """
    benefit = net_benefit(decision, wtp)
    best = benefit == benefit.max(axis=2, keepdims=True)
    return (best / best.sum(axis=2, keepdims=True)).mean(axis=1)


def frontier(decision: Decision, wtp: Any) -> tuple[np.ndarray, np.ndarray]:
    """Option of highest expected net benefit and the probability that it is best, by k."""
    best = net_benefit(decision, wtp).mean(axis=1).argmax(axis=1)
    return best, acceptability(decision, wtp)[np.arange(len(best)), best]


def opportunity_loss(decision: Decision, wtp: float) -> np.ndarray:
    """Benefit missed by draw when the option best on average is taken, (draws,), at least 0."""
    benefit = net_benefit(decision, wtp)[0]
    return benefit.max(axis=1) - benefit[:, benefit.mean(axis=0).argmax()]


def perfect_information(decision: Decision, wtp: Any) -> np.ndarray:
    """Expected value of perfect information, (values of k,): the mean opportunity loss."""
    benefit = net_benefit(decision, wtp)
    return benefit.max(axis=2).mean(axis=1) - benefit.mean(axis=1).max(axis=1)


def partial_information(decision: Decision, parameter: Any, wtp: Any, knots: int = 8) -> np.ndarray:
    """Expected value of knowing one parameter, (values of k,).

    Regresses each option's net benefit on a spline of the parameter's draws, the regression
    method with a single parameter.

    Parameters
    ----------
    parameter : (draws,), drawn with the effects and costs.

    Source
    ------
    Strong, Oakley & Brennan (2014), Medical Decision Making 34:311-326.
    """
    from sklearn.preprocessing import SplineTransformer

    x = np.asarray(parameter, dtype=float).reshape(-1, 1)
    if len(x) != len(decision.effects):
        raise KepuError(f"{len(x)} draws of the parameter for {len(decision.effects)} of effects.")
    if np.ptp(x) == 0:
        return np.zeros(np.atleast_1d(wtp).shape)
    basis = SplineTransformer(n_knots=knots, knots="quantile").fit_transform(x)
    q, _ = np.linalg.qr(basis)
    fitted = np.stack([q @ (q.T @ part) for part in (decision.effects, decision.costs)])
    return perfect_information(Decision(*fitted, decision.reference), wtp)


def risk_averse_information(decision: Decision, wtp: Any, aversion: float) -> np.ndarray:
    """Value of perfect information to a decider with utility (1 - exp(-r·b))/r, in its units.

    ``aversion`` is r, above 0; as it goes to 0 the value goes to the risk-neutral one.
    """
    if not aversion > 0:
        raise KepuError(f"Risk aversion must be above 0; it is {aversion}.")
    utility = -np.expm1(-aversion * net_benefit(decision, wtp)) / aversion
    return utility.max(axis=2).mean(axis=1) - utility.mean(axis=1).max(axis=1)


def plane(decision: Decision, option: int = 1) -> dict[str, float]:
    """Shares of the draws by quadrant of the cost-effectiveness plane; boundaries count as worse.

    Keys: ``better_dearer, better_cheaper, worse_dearer, worse_cheaper``; they sum to 1.
    """
    effect, cost = decision.delta(option)
    better, cheaper = effect > 0, cost < 0
    return {
        "better_dearer": float((better & ~cheaper).mean()),
        "better_cheaper": float((better & cheaper).mean()),
        "worse_dearer": float((~better & ~cheaper).mean()),
        "worse_cheaper": float((~better & cheaper).mean()),
    }


def break_even(decision: Decision, option: int = 1) -> float:
    """Willingness to pay at which the expected incremental benefit is 0; infinite if none is.

    It equals the ratio of means where both means are positive, and nothing more is claimed for it.
    """
    effect, cost = (part.mean() for part in decision.delta(option))
    return float(cost / effect) if effect > 0 and cost > 0 else float("inf")
