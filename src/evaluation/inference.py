"""Inference with few clusters: wild cluster bootstrap, randomisation inference, Holm's step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from evaluation.errors import ModelError
from evaluation.least_squares import LeastSquares, column_names, least_squares, small_sample
from evaluation.permutation import randomisation_inference as randomisation_inference
from evaluation.wild import SUPPORT, WildTest, enumerates, weight_batches

MIN_CLUSTERS = 6
MIN_TREATED = 4
WEBB_BELOW = 20


@dataclass(frozen=True)
class Bootstrap:
    """Wild cluster bootstrap of one coefficient.

    Attributes
    ----------
    estimate, se : coefficient and CRV1 standard error. t : (estimate - null) / se.
    p : symmetric two-sided, (1 + #{|t*| >= |t|}) / (1 + draws); never 0.
    low, high : ends of the inverted test at ``level``; infinite where no null is rejected.
    draws : number of t*. weights : ``"webb"`` or ``"rademacher"``. clusters : their number.
    enumerated : True where the draws are all sign changes of the clusters.
    connected : False where the nulls not rejected are not one interval.
    """

    estimate: float
    se: float
    t: float
    p: float
    low: float
    high: float
    draws: int
    weights: str
    clusters: int
    null: float
    level: float
    enumerated: bool
    connected: bool

    @property
    def description(self) -> str:
        """The procedure in words, e.g. ``wild cluster bootstrap, Webb, 9999 draws``."""
        how = f"all {self.draws + 1} sign changes" if self.enumerated else f"{self.draws} draws"
        return f"wild cluster bootstrap, {self.weights.capitalize()}, {how}"


def cluster_codes(clusters: Any, size: int) -> tuple[np.ndarray, int]:
    """Codes 0 ... G-1 of the cluster labels, and G; refuses missing labels and G < 6."""
    codes, labels = pd.factorize(np.asarray(clusters), sort=True)
    if codes.shape != (size,) or (codes < 0).any():
        raise ModelError(f"Clusters must be {size} labels, none missing.")
    if len(labels) < MIN_CLUSTERS:
        raise ModelError(
            f"{len(labels)} clusters are too few for cluster inference; it needs at least "
            f"{MIN_CLUSTERS}."
        )
    return codes, len(labels)


def _refuse_few_treated(x: np.ndarray, codes: np.ndarray, name: str) -> None:
    """Refuse a term that leaves its commonest value in fewer than four clusters."""
    values, counts = np.unique(x, return_counts=True)
    other = x != values[counts.argmax()]
    carriers = len(np.unique(codes[other]))
    if len(values) == 2:
        carriers = min(carriers, len(np.unique(codes[~other])))
    if 0 < carriers < MIN_TREATED:
        noun = "cluster" if carriers == 1 else "clusters"
        raise ModelError(
            f"'{name}' sets only {carriers} {noun} apart from the rest: not testable with this "
            f"design by the bootstrap, which needs at least {MIN_TREATED}; use randomisation "
            "inference instead."
        )


def _term_last(X: Any, term: int) -> pd.DataFrame:
    names = column_names(X)
    if not 0 <= term < len(names):
        raise ModelError(f"Term {term} is not a column of the design (0 to {len(names) - 1}).")
    order = [*(i for i in range(len(names)) if i != term), term]
    return pd.DataFrame(np.asarray(X, dtype=float)[:, order], columns=[names[i] for i in order])


def _weights_kind(weights: str, clusters: int) -> str:
    if weights == "auto":
        return "webb" if clusters < WEBB_BELOW else "rademacher"
    if weights not in SUPPORT:
        raise ModelError(f"Unknown bootstrap weights '{weights}': use auto, {', '.join(SUPPORT)}.")
    return weights


def _check_numbers(draws: int, level: float, null: float) -> None:
    if draws < 99:
        raise ModelError(f"{draws} draws are too few; take at least 99, for a report 9999.")
    if not 0 < level < 1:
        raise ModelError(f"'level' must lie strictly between 0 and 1; it is {level}.")
    if (1 - level) * (draws + 1) < 1:
        raise ModelError(f"{draws} draws cannot reach a p-value of {1 - level:.3g}; take more.")
    if not np.isfinite(null):
        raise ModelError(f"The null value must be finite; it is {null}.")


def _refuse_exact_fit(test: WildTest, fit: LeastSquares) -> None:
    rss, fitted = float(fit.residuals @ fit.residuals), fit.r @ fit.coefficients
    if rss <= 1e-20 * float(fitted @ fitted) or test.squares <= 1e-20 * test.information * rss:
        raise ModelError("The design fits the outcome exactly; nothing is left to test against.")


def wild_cluster_bootstrap(
    y: Any,
    X: Any,
    clusters: Any,
    term: int,
    draws: int = 9999,
    weights: str = "auto",
    *,
    seed: int,
    null: float = 0.0,
    observation_weights: Any = None,
    level: float = 0.95,
    nested: int = 0,
) -> Bootstrap:
    """Restricted wild cluster bootstrap (WCR) of one coefficient, and its inverted interval.

    The null is imposed on the residuals that are resampled and t rests on CRV1 in every draw. The
    interval holds the nulls the same test, on the same draws, does not reject: p <= 1 - level if
    and only if ``null`` lies outside it.

    Parameters
    ----------
    y : (N,) outcome. X : (N, k) array or frame, intercept included. clusters : (N,) labels.
    term : position of the column tested. draws : B.
    weights : ``"webb"``, ``"rademacher"``, or ``"auto"``: Webb's six points below 20 clusters.
        Rademacher with 2^G <= draws uses all 2^G sign changes.
    seed : of the draws. null : value tested. observation_weights : (N,) positive, or None.
    nested : columns of X that are effects of the clusters, not counted in the CRV1 factor.

    Raises
    ------
    ModelError : fewer than 6 clusters, a term carried by 3 clusters or fewer, a rank-deficient
        design, an exact fit, or an argument out of range.

    Source
    ------
    Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90:414-427; MacKinnon,
    Nielsen & Webb (2023), Journal of Econometrics 232:272-299; Webb (2023), Canadian Journal of
    Economics 56:839-858.
    """
    _check_numbers(draws, level, null)
    X, y = _term_last(X, term), np.asarray(y, dtype=float)
    codes, count = cluster_codes(clusters, len(y))
    fit = least_squares(y, X, observation_weights)
    _refuse_few_treated(X.to_numpy()[:, -1], codes, fit.names[-1])
    kind = _weights_kind(weights, count)
    test = WildTest(fit, codes, weight_batches(kind, count, draws, seed))
    _refuse_exact_fit(test, fit)
    factor = small_sample(count, len(y), X.shape[1] - nested)
    se, estimate = float(np.sqrt(factor * test.squares) / test.information), fit.coefficients[-1]
    delta = float(estimate - null)
    below, one = test.end(1, se, 1 - level, delta if delta >= 0 else None)
    above, other = test.end(-1, se, 1 - level, -delta if delta <= 0 else None)
    return Bootstrap(
        estimate=float(estimate),
        se=se,
        t=delta / se,
        p=test.p(delta),
        low=float(estimate - below),
        high=float(estimate + above),
        draws=test.draws,
        weights=kind,
        clusters=count,
        null=float(null),
        level=float(level),
        enumerated=enumerates(kind, count, draws),
        connected=one and other,
    )


def holm(p: Any) -> np.ndarray:
    """Holm-adjusted p-values, in the order given.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or p.size == 0 or not np.all((p >= 0) & (p <= 1)):
        raise ModelError("All p-values must lie between 0 and 1.")
    return multipletests(p, method="holm")[1]
