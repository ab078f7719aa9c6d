"""Effects as draws, response curves, and what draws of effects and costs say of a decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError, ModelError
from evaluation.evidence.checks import reading
from evaluation.models.columns import GAINS, Inference, Roles, equation
from evaluation.stats.bootstrap import (
    WildTest,
    cluster_codes,
    weight_batches,
    weights_kind,
    wild_cluster_bootstrap,
)
from evaluation.stats.least_squares import (
    LeastSquares,
    cluster_sums,
    crv1,
    small_sample,
)
from evaluation.survey.panel import composite

# Draws of the effects: from the tests that made the intervals, so that the two agree.
# Nulls at which the confidence distribution is read, in standard errors from the estimate.
NULLS = np.concatenate([[0.0], np.linspace(0.02, 6, 150), np.geomspace(6.1, 20, 12)])


@dataclass(frozen=True, eq=False)
class Joint:
    """Several doses estimated together, with their joint uncertainty.

    Attributes
    ----------
    names : K doses. estimate : (K,). draws : (D, K) around the estimate, unrestricted wild cluster
        bootstrap. covariance : (K, K), CRV1. null, null_covariance : (D, K) and (D, K, K), both
        redrawn as if no dose mattered. condition : condition number of the doses scaled to unit
        length. vif : largest variance inflation factor.
    observations, clusters : used.
    """

    names: tuple[str, ...]
    estimate: np.ndarray
    draws: np.ndarray
    covariance: np.ndarray
    null: np.ndarray
    null_covariance: np.ndarray
    condition: float
    vif: float
    observations: int
    clusters: int


def confidence_draws(
    panel: pd.DataFrame, roles: Roles, inference: Inference, *, size: int = 2000, seed: int
) -> np.ndarray:
    """Draws (size,) of the effect of one dose from its confidence distribution, in random order.

    Parameters
    ----------
    panel : gains. roles : with one dose. inference : of the test that made the interval.
    seed : of the order of the draws only.

    Raises
    ------
    ModelError : the test rejects no null far from the estimate: the interval has no end.
    """
    made = equation(GAINS, panel, roles)
    fit = made.fit()
    codes, count = cluster_codes(made.clusters, len(made.y))
    batches = weight_batches(weights_kind(count), count, inference.draws, inference.seed)
    test = WildTest(fit, codes, batches)
    se = float(np.sqrt(crv1(fit, codes, made.uncounted)[-1, -1]))
    below, above = ([test.p(side * x) / 2 for x in NULLS * se] for side in (1, -1))
    if min(below) > 0.005 or min(above) > 0.005:
        raise ModelError("The interval of the effect has no end; its distribution has no draws.")
    # Between draws the p-value is a step; sorted, it is a distribution.
    left, right = (np.minimum.accumulate(side) for side in (below, above))
    chance = np.concatenate([left[::-1], 1 - right[1:]])
    nulls = fit.coefficients[-1] + se * np.concatenate([-NULLS[::-1], NULLS[1:]])
    u = (np.arange(size) + 0.5) / size
    drawn = np.interp(u, np.maximum.accumulate(chance), nulls)
    return np.random.default_rng(seed).permutation(drawn)


def _coefficients(
    fit: LeastSquares, residuals: np.ndarray, codes: np.ndarray, v: np.ndarray, first: int
) -> np.ndarray:
    """Coefficients (draws, K) of the last columns on cluster-weighted residuals."""
    turned = np.linalg.solve(fit.r, cluster_sums(fit.q * residuals[:, None], codes).T)
    return (turned @ v)[first:].T


def joint(panel: pd.DataFrame, roles: Roles, *, size: int = 1999, seed: int) -> Joint:
    """Estimate several doses in one equation and draw their joint uncertainty.

    Weights are held fixed. Residuals of the draws around the estimate are enlarged by the CRV1
    factor, for least squares leaves them too small; those of the null draws come from the equation
    without any of the doses, and each null draw gets its own CRV1 covariance.
    """
    # The doses stand last in the order they are named in.
    made = equation(GAINS, panel, replace(roles, doses=roles.doses[::-1]))
    fit = made.fit()
    codes, count = cluster_codes(made.clusters, len(made.y))
    v = np.concatenate(list(weight_batches("rademacher", count, size, seed)), axis=1)
    factor, first = small_sample(count, *fit.q.shape), len(made.names) - made.doses
    q0, white = fit.q[:, :first], made.white
    restricted = white.y - q0 @ (q0.T @ white.y)
    own = white.matrix[:, first:]
    unit = own - q0 @ (q0.T @ own)
    unit = unit / np.sqrt((unit**2).sum(axis=0))
    around = np.sqrt(factor) * _coefficients(fit, fit.residuals, codes, v, first)
    return Joint(
        names=roles.doses,
        estimate=fit.coefficients[first:],
        draws=fit.coefficients[first:] + around,
        covariance=crv1(fit, codes)[first:, first:],
        null=_coefficients(fit, restricted, codes, v, first),
        null_covariance=_null_covariance(fit, restricted, codes, v, first),
        condition=float(np.linalg.cond(unit)),
        vif=float(np.diag(np.linalg.inv(unit.T @ unit)).max()),
        observations=len(made.y),
        clusters=count,
    )


def _null_covariance(
    fit: LeastSquares, restricted: np.ndarray, codes: np.ndarray, v: np.ndarray, first: int
) -> np.ndarray:
    """CRV1 covariances (D, K, K) of the last columns in each null draw."""
    drawn = restricted[:, None] * v[codes]
    left = drawn - fit.q @ (fit.q.T @ drawn)
    turned = np.linalg.solve(fit.r, fit.q.T)[first:].T  # (N, K)
    scores = cluster_sums(turned[:, :, None] * left[:, None, :], codes)  # (G, K, D)
    n, k = fit.q.shape
    return small_sample(len(scores), n, k) * np.einsum("gkd,gld->dkl", scores, scores)


def composite_slope(panel: pd.DataFrame, parts: Sequence[str]) -> float:
    """Units the composite rises when every part doubles.

    The composite is the mean of standardised logs to base two in a unit of its own, see
    :func:`evaluation.survey.panel.composite`; its slope is the same at every level.
    """
    spread = panel[[f"log2_{name}" for name in parts]].std()
    return float((1 / spread).mean() / composite(panel, list(parts)).attrs["unit"])


# Response curves: does the gain flatten as a lever grows, and can the data tell?
POINTS = 41
# What the sign of the square says of the curve.
SHAPES = {"negative": "diminishing", "positive": "increasing", "unknown": "linear"}


@dataclass(frozen=True, eq=False)
class Response:
    """Gain against the level of one lever, a straight line and a square.

    Attributes
    ----------
    lever : its name. square, low, high : coefficient of the squared term with its interval, per
        squared standard deviation of the lever. p : of the test that it is zero.
    verdict : ``diminishing``, ``increasing`` or ``linear`` (a straight line is not rejected).
    curve : ``level`` (in units of the lever, within what was observed), ``gain``, ``low, high``:
        difference in yearly gain from the median level, percentage points.
    observations : used. reason : why there is no curve, else empty.
    """

    lever: str
    square: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    p: float = float("nan")
    verdict: str = "none"
    curve: pd.DataFrame | None = None
    observations: int = 0
    reason: str = ""


def response(panel: pd.DataFrame, lever: str, roles: Roles, inference: Inference) -> Response:
    """Fit gain on the lever's level and its square; test the square by the wild bootstrap.

    Level and square are in the lever's own unit, per head, not in logs: a log builds diminishing
    returns in, and a test on it could not find them.

    Parameters
    ----------
    panel : gains with ``dose_<lever>``. roles : of the gain regression, its doses are replaced.
    """
    try:
        return _fitted_curve(panel, lever, roles, inference)
    except ModelError as error:
        return Response(lever, reason=str(error))


def _fitted_curve(frame: pd.DataFrame, lever: str, roles: Roles, inference: Inference) -> Response:
    column, level = f"dose_{lever}", inference.level
    needed = [roles.outcome, roles.variance, *roles.covariates, column]
    used = frame[needed].notna().all(axis=1)
    if not used.any():
        raise ModelError(f"No row of the panel is complete with the lever '{lever}'.")
    values = frame.loc[used, column]
    middle, spread = float(values.median()), float(values.std())
    x = (frame[column] - middle) / spread
    frame = frame.assign(lever_level=x, lever_square=x**2)
    roles = replace(roles, doses=("lever_level", "lever_square"))
    # The square is tested, so it stands last.
    made = equation(GAINS, frame, replace(roles, doses=roles.doses[::-1]))
    test = wild_cluster_bootstrap(
        made, len(made.names) - 1, inference.draws, seed=inference.seed, level=level
    )
    both = joint(frame, roles, size=999, seed=inference.seed)
    at = (np.linspace(values.min(), values.max(), POINTS) - middle) / spread
    basis = np.column_stack([at, at**2])
    low, high = np.quantile(both.draws @ basis.T, [(1 - level) / 2, (1 + level) / 2], axis=0)
    curve = pd.DataFrame(
        {"level": middle + spread * at, "gain": basis @ both.estimate, "low": low, "high": high}
    )
    return Response(
        lever, test.estimate, test.low, test.high, test.p,
        SHAPES[reading(test.low, test.high)], curve, len(made.y),
    )  # fmt: skip


# Cost-effectiveness under uncertainty: what draws of effects and costs say of a decision. The same
# quantities as the R package BCEA: Baio & Dawid (2015), Statistical Methods in Medical Research
# 24:615-634; Briggs, Claxton & Sculpher (2006), Decision Modelling for Health Economic Evaluation.


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
        return tuple(
            part[:, option] - part[:, self.reference] for part in (self.effects, self.costs)
        )


def two_options(effect: Any, cost: Any) -> Decision:
    """A decision to act or not, from draws (draws,) of the differences in effect and in cost."""
    effect, cost = np.broadcast_arrays(np.asarray(effect, float), np.asarray(cost, float))
    return Decision(*(np.column_stack([np.zeros_like(x), x]) for x in (effect, cost)))


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


# Cost per unit of effect with its interval, and only where the effect differs from zero.


@dataclass(frozen=True)
class Ratio:
    """A cost per unit of effect. ``low, high`` are its interval, money per unit."""

    value: float
    low: float
    high: float
    level: float
    method: str


def from_draws(decision: Decision, option: int = 1, level: float = 0.95) -> Ratio:
    """Ratio of means with a percentile interval of the draws' ratios.

    Raises
    ------
    ModelError : the interval of the effect holds zero; the ratio then has no finite interval.
    """
    effect, cost = decision.delta(option)
    tails = [(1 - level) / 2, (1 + level) / 2]
    if reading(*np.quantile(effect, tails)) == "unknown":
        raise ModelError(
            "The interval of the effect holds zero: no cost per unit of effect is given. Use net "
            "benefit, the acceptability curve and the value of information."
        )
    low, high = np.quantile(cost / effect, tails)
    return Ratio(float(cost.mean() / effect.mean()), float(low), float(high), level, "draws")
