"""What a region's gain would be if it followed the others: leave-one-region-out expectations."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.columns import GAINS, Roles, equation
from evaluation.stats.least_squares import Equation, excess_variance, least_squares
from evaluation.survey import normal_quantile

COLUMNS = ["observed", "expected", "residual", "se", "low", "high"]


def expected_gains(panel: pd.DataFrame, roles: Roles, level: float = 0.95) -> pd.DataFrame:
    """Each gain against its expectation from the other regions' gain regression.

    The region itself takes no part in the fit its gain is held against, so the residual is a
    forecast error: its variance is the sampling variance of the gain, the residual variance of
    the equation and the variance of the fitted value.

    Parameters
    ----------
    panel : one row a region and interval. level : of the interval, a share.

    Returns
    -------
    DataFrame on the index of ``panel`` with ``observed, expected, residual, se, low, high`` (the
    interval is that of the residual), in the unit of the outcome; missing where the interval was
    seen in no other region or a value is missing.
    """
    made = equation(GAINS, panel, roles)
    result = pd.DataFrame(np.nan, index=panel.index, columns=COLUMNS)
    for name in dict.fromkeys(made.clusters):
        own = made.clusters == name
        result.iloc[made.rows[own]] = _held_out(made, own, level)
    return result


def _held_out(made: Equation, own: np.ndarray, level: float) -> np.ndarray:
    """Forecast errors of one region from the fit to the others, (rows of the region, 6)."""
    others, known, y = made.X[~own], made.variance[~own], made.y[~own]
    seen = others.columns[(others != 0).any()]
    observed = made.y[own]
    rows = np.full((len(observed), len(COLUMNS)), np.nan)
    rows[:, 0] = observed
    try:
        sigma2 = max(0.0, excess_variance(y, others[seen], known))
        fit = least_squares(y, others[seen], 1 / (known + sigma2))
    except ModelError:
        # Without this region the others cannot carry the equation: nothing can be expected.
        return rows
    at = made.X.loc[own, seen].to_numpy(dtype=float)
    # Weights are scaled to mean 1 in the fit; the variance of the coefficients is not.
    scale = 1 / (1 / (known + sigma2)).mean()
    spread = np.einsum("ij,jk,ik->i", at, fit.bread, at) * scale
    error = np.sqrt(made.variance[own] + sigma2 + spread)
    fitted = at @ fit.coefficients
    half = normal_quantile(level) * error
    estimable = made.X.loc[own, made.X.columns.difference(seen)].eq(0).all(axis=1).to_numpy()
    columns = [fitted, observed - fitted, error, observed - fitted - half, observed - fitted + half]
    rows[estimable, 1:] = np.column_stack(columns)[estimable]
    return rows
