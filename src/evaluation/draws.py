"""Sampling error carried through: draw the published rates anew, form gains, refit the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import KepuError, ModelError
from evaluation.models.columns import Roles, equation
from evaluation.stats.least_squares import Equation, crv1_many, solve_many

BATCH = 1000


@dataclass(frozen=True, eq=False)
class DrawSet:
    """Estimates of one model on many drawn panels.

    Attributes
    ----------
    terms : the doses, in the order of the rows. estimates, se : (doses, draws), se by CRV1.
    seed : of the drawn rates.
    """

    terms: tuple[str, ...]
    estimates: np.ndarray
    se: np.ndarray
    seed: int

    def of(self, term: str) -> np.ndarray:
        """Draws (draws,) of one dose."""
        if term not in self.terms:
            raise KepuError(f"No draws of '{term}'; there are {', '.join(self.terms)}.")
        return self.estimates[self.terms.index(term)]


def draw_rates(rates_table: pd.DataFrame, draws: int, seed: int) -> np.ndarray:
    """Draw each published rate from its sampling distribution.

    A beta distribution with the mean p and the variance v of the rate: its two parameters follow
    from m = p(1 - p)/v - 1, the effective sample less one, and no draw leaves (0, 100). A
    normal on the logit scale would need p away from 0 and has not p as its mean.

    Parameters
    ----------
    rates_table : columns ``rate`` (percent) and ``variance`` (squared percentage points).
    draws : number of draws. seed : of the generator.

    Returns
    -------
    (draws, rows) in percent; a rate of 0, of 100 or with variance 0 stays as it is.

    Raises
    ------
    KepuError : a rate or variance missing or out of range, or too large for a beta distribution.
    """
    p = rates_table["rate"].to_numpy(dtype=float) / 100
    v = rates_table["variance"].to_numpy(dtype=float) / 1e4
    if not np.all((p >= 0) & (p <= 1) & (v >= 0)):
        raise KepuError("Rates must lie in 0 to 100 with a variance of at least 0, none missing.")
    drawn = (v > 0) & (p > 0) & (p < 1)
    if np.any(v[drawn] >= p[drawn] * (1 - p[drawn])):
        raise KepuError("A sampling variance is not below p(1 - p): no sample is that small.")
    if draws < 1:
        raise KepuError(f"'draws' must be at least 1; it is {draws}.")
    result = np.broadcast_to(p, (draws, len(p))).copy()
    m = p[drawn] * (1 - p[drawn]) / v[drawn] - 1
    shape = (draws, int(drawn.sum()))
    rng = np.random.default_rng(seed)
    result[:, drawn] = rng.beta(p[drawn] * m, (1 - p[drawn]) * m, size=shape)
    return 100 * result


def rate_rows(rates_table: pd.DataFrame, regions: Any, waves: Any) -> np.ndarray:
    """Positions in the rate table of the given regions and waves.

    Raises
    ------
    KepuError : a rate the table does not hold, or holds twice.
    """
    index = pd.MultiIndex.from_frame(rates_table[["region_code", "wave"]])
    if index.has_duplicates:
        raise KepuError("The rate table holds a region and wave twice.")
    wanted = pd.MultiIndex.from_arrays([regions, waves])
    found = index.get_indexer(wanted)
    if (found < 0).any():
        region, wave = wanted[int(np.argmin(found))]
        raise KepuError(f"No rate of {region} in {wave} in the rate table.")
    return found


def gains_of(
    rate_draws: np.ndarray, rates_table: pd.DataFrame, panel: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Drawn columns of a panel: ``opening, gain, annual`` of gains, or ``rate`` of levels.

    Parameters
    ----------
    rate_draws : (draws, rows of ``rates_table``), percent.
    panel : with ``region_code, wave_from, wave_to, years`` (gains) or ``region_code, wave``.

    Returns
    -------
    dict of (draws, rows of ``panel``). A rate that closes one gain and opens the next is one draw.
    """
    if "wave_from" not in panel.columns:
        return {"rate": rate_draws[:, rate_rows(rates_table, panel["region_code"], panel["wave"])]}
    before = rate_draws[:, rate_rows(rates_table, panel["region_code"], panel["wave_from"])]
    after = rate_draws[:, rate_rows(rates_table, panel["region_code"], panel["wave_to"])]
    gain = after - before
    return {"opening": before, "gain": gain, "annual": gain / panel["years"].to_numpy(dtype=float)}


def _batches(made: Equation, drawn: Mapping[str, np.ndarray], roles: Roles):
    """Outcomes (B, N) and designs, (N, k) or (B, N, k), of one batch of draws after another."""
    columns = [name for name in (*roles.covariates, *roles.doses) if name in drawn]
    total = len(next(iter(drawn.values())))
    for start in range(0, total, BATCH):
        part = slice(start, min(start + BATCH, total))
        size = part.stop - start
        y = np.broadcast_to(made.y, (size, len(made.y)))
        if roles.outcome in drawn:
            y = drawn[roles.outcome][part][:, made.rows]
        X = made.matrix
        if columns:
            X = np.broadcast_to(made.matrix, (size, *made.X.shape)).copy()
        for name in columns:
            X[:, :, made.names.index(name)] = drawn[name][part][:, made.rows]
        yield y, X


def refit(
    model: str,
    panel: pd.DataFrame,
    drawn: Mapping[str, np.ndarray],
    roles: Roles,
    seed: int,
) -> DrawSet:
    """Refit a linear model on every drawn panel.

    The weights stay those of the observed panel: they are known variances, not outcomes.

    Parameters
    ----------
    model : its name. panel : the observed panel. drawn : columns that vary, (draws, rows of
        ``panel``) each, as from :func:`gains_of`; those the model does not use are ignored.
    seed : of the drawn rates, kept with the result.

    Raises
    ------
    ModelError : a model that is not linear, or one that uses none of the drawn columns.
    """
    made = equation(model, panel, roles)
    if not {roles.outcome, *roles.covariates, *roles.doses} & set(drawn):
        raise ModelError(f"The model uses none of the drawn columns {', '.join(drawn)}.")
    weights = made.weights
    estimates, errors = [], []
    for y, X in _batches(made, drawn, roles):
        w = weights[None, :]
        fits = solve_many(y, X, w)
        estimates.append(fits.coefficients[:, -made.doses :])
        errors.append(crv1_many(made, X, w, fits))
    return DrawSet(
        terms=roles.doses,
        # The first dose is the last column.
        estimates=np.concatenate(estimates).T[::-1],
        se=np.concatenate(errors).T[::-1],
        seed=seed,
    )
