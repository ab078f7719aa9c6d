"""Permutation tests, and what is read off the null draws of any test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, lgamma
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.stats.least_squares import Equation, cluster_sums, least_squares

# Statistics that are equal in exact arithmetic are ties, and a tie counts as at least as extreme.
TIE = 1e-9
POWER = 0.8
_STEPS = 40


def rejections(draws: int, level: float) -> int:
    """Largest k with k / (1 + draws) <= 1 - level: the draws' rank that p <= 1 - level needs."""
    return int((1 - level) * (draws + 1) + 1e-9)


def p_value(exceed: Any, draws: int) -> Any:
    """(1 + k) / (1 + B) with k draws at least as extreme as the observed one; never 0.

    Source
    ------
    Phipson & Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9:39.

    >>> p_value(1, 3)
    0.5
    """
    return (1 + exceed) / (1 + draws)


def p_among(observed: float, null: np.ndarray) -> float:
    """p-value of a statistic among its draws under the null, (B,); ties count as extreme.

    >>> p_among(2.0, np.array([0.5, 1.0, 2.0]))
    0.5
    """
    return p_value(int(np.count_nonzero(null >= observed * (1 - TIE))), len(null))


def critical_value(drawn: np.ndarray, level: float) -> np.ndarray:
    """Value a statistic must exceed for p <= 1 - level, of drawn statistics (B, ...) >= 0.

    Infinite where the draws are too few to reject anything.
    """
    k = rejections(len(drawn), level)
    if k < 1:
        return np.full(drawn.shape[1:], np.inf)
    return np.partition(drawn, len(drawn) - k, axis=0)[len(drawn) - k]


def detectable(shift: np.ndarray, drawn: np.ndarray, level: float, power: float = POWER) -> float:
    """Smallest size of a shift that the max-test finds with the given power.

    Parameters
    ----------
    shift : (K,) what one unit of size adds to the statistics. drawn : (B, K) signed statistics
        under the null.

    Returns
    -------
    s with P(max |drawn + s shift| > c) = power, c the critical value of max |drawn|; infinite
    where the draws reject nothing.
    """
    c = float(critical_value(np.abs(drawn).max(axis=1), level))
    if not np.isfinite(c) or not np.abs(shift).max() > 0:
        return float("inf")
    low, high = 0.0, 2 * (c + np.abs(drawn).max()) / np.abs(shift).max()
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = (np.abs(drawn + middle * shift).max(axis=1) > c).mean()
        low, high = (low, middle) if found >= power else (middle, high)
    return float(high)


BATCH = 500


@dataclass(frozen=True)
class Randomisation:
    """Permutation test of a sharp null.

    Attributes
    ----------
    estimate : coefficient on the observed dose. statistic : |t| (CRV1) or |estimate - null|.
    p : (1 + k) / (1 + draws), k the permutations at least as extreme; never 0.
    smallest_p : a bound no p-value of this design can go below: one over the distinct dealings.
    draws : permutations. clusters : regions. moved : regions that can exchange their trajectory.
    """

    estimate: float
    statistic: float
    p: float
    smallest_p: float
    draws: int
    clusters: int
    moved: int


def _observed(x: np.ndarray, clusters: Any, periods: Any) -> pd.DataFrame:
    """Dose as clusters x periods, missing where a cluster was not observed."""
    frame = pd.DataFrame({"cluster": clusters, "period": periods, "dose": x})
    if frame.duplicated(["cluster", "period"]).any():
        raise ModelError("A cluster is observed twice in one period; trajectories are not defined.")
    return frame.pivot_table(index="cluster", columns="period", values="dose")


def _groups(table: pd.DataFrame) -> tuple[list[np.ndarray], float]:
    """Clusters observed in the same periods, and the number of distinct dealings among them."""
    patterns = table.notna().groupby(list(table.columns)).indices.values()
    log_dealings, groups = 0.0, []
    for members in patterns:
        # Members share their missing periods, so any number may stand for those.
        doses = np.nan_to_num(table.to_numpy()[members])
        counts = np.unique(doses, axis=0, return_counts=True)[1]
        log_dealings += lgamma(len(members) + 1) - sum(lgamma(c + 1) for c in counts)
        if len(counts) > 1:
            groups.append(np.asarray(members))
    if not groups:
        raise ModelError(
            "No cluster can exchange its dose with another observed in the same periods: "
            "randomisation inference is not possible with this design."
        )
    return groups, log_dealings


class _Statistic:
    """|t| or |estimate| of many dose columns at once, covariates partialled out.

    ``root`` (N, N) whitens outcome and columns.
    """

    def __init__(self, y: Any, others: Any, root: Any, codes: np.ndarray, kind: str):
        fit = least_squares(root @ y, root @ others)
        self.q, self.residuals, self.codes, self.kind = fit.q, fit.residuals, codes, kind
        self.root = root

    def __call__(self, doses: np.ndarray) -> np.ndarray:
        x = self.root @ doses
        d = x - self.q @ (self.q.T @ x)
        information = np.einsum("nb,nb->b", d, d)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = self.residuals @ d / information
            scores = cluster_sums(d * (self.residuals[:, None] - d * slope), self.codes)
            spread = np.sqrt(np.einsum("gb,gb->b", scores, scores)) / information
            value = np.abs(slope / spread if self.kind == "t" else slope)
        # A dealing the covariates absorb has no statistic; it counts as at least as extreme.
        absorbed = information <= 1e-18 * np.einsum("nb,nb->b", x, x)
        return np.where(absorbed | np.isnan(value), np.inf, value)


def _dealings(groups: list[np.ndarray], size: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Orders (batch, size) of the clusters, permuted within each group."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, BATCH):
        order = np.tile(np.arange(size), (min(BATCH, draws - start), 1))
        for members in groups:
            order[:, members] = rng.permuted(order[:, members], axis=1)
        yield order


def randomisation_inference(
    design: Equation,
    term: int,
    draws: int = 9999,
    *,
    seed: int,
    statistic: str = "t",
) -> Randomisation:
    """Permute whole trajectories of the column ``term`` between clusters; the rest stays.

    Exact for the sharp null that no outcome depends on its dose, if the doses are exchangeable.
    Clusters exchange only with clusters observed in the same periods. ``statistic`` is ``"t"``
    (CRV1) or ``"coefficient"``.

    Raises
    ------
    ModelError : no two clusters can exchange, or the arguments contradict one another.

    Source
    ------
    MacKinnon & Webb (2020), Journal of Econometrics 218:435-450.
    """
    if statistic not in ("t", "coefficient"):
        raise ModelError(f"Unknown statistic '{statistic}': use t or coefficient.")
    X, root = np.asarray(design.X, dtype=float), design.root
    y = np.asarray(design.y, dtype=float)
    estimate = least_squares(root @ y, root @ X).coefficients[term]
    table = _observed(X[:, term], design.clusters, design.periods)
    groups, log_dealings = _groups(table)
    rows = table.index.get_indexer(np.asarray(design.clusters))
    measure = _Statistic(y, np.delete(X, term, axis=1), root, rows, statistic)
    columns = table.columns.get_indexer(np.asarray(design.periods))
    observed, doses, extreme = float(measure(X[:, [term]])[0]), table.to_numpy(), 0
    for order in _dealings(groups, len(table), draws, seed):
        drawn = measure(doses[order[:, rows], columns].T)
        extreme += int(np.count_nonzero(drawn >= observed * (1 - TIE)))
    return Randomisation(
        estimate=float(estimate), statistic=observed,
        p=p_value(extreme, draws), smallest_p=max(1 / (1 + draws), exp(-log_dealings)),
        draws=draws, clusters=len(table), moved=sum(map(len, groups)),
    )  # fmt: skip
