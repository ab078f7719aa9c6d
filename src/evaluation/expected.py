"""What a region's gain would be if it followed the others: leave-one-region-out expectations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.design import dummies
from evaluation.stats.least_squares import excess_variance, least_squares
from evaluation.survey import normal_quantile

COLUMNS = ["observed", "expected", "residual", "se", "low", "high"]


def expected_gains(
    panel: pd.DataFrame,
    *,
    outcome: str,
    doses: Sequence[str],
    covariates: Sequence[str] = (),
    region: str,
    wave: str,
    variance: str,
    level: float = 0.95,
) -> pd.DataFrame:
    """Each gain against its expectation from the other regions' gain regression.

    The region itself takes no part in the fit its gain is held against, so the residual is a
    forecast error: its variance is the sampling variance of the gain, the residual variance of
    the equation and the variance of the fitted value.

    Parameters
    ----------
    panel : one row a region and interval; the other arguments name its columns.

    Returns
    -------
    DataFrame on the index of ``panel`` with ``observed, expected, residual, se, low, high`` (the
    interval is that of the residual), in the unit of the outcome; missing where the interval was
    seen in no other region or a value is missing.
    """
    used = [outcome, variance, *covariates, *doses]
    frame = panel.dropna(subset=used)
    effects = dummies(frame[wave], drop_first=False)
    X = pd.concat([effects, frame[[*covariates, *doses]].astype(float)], axis=1)
    result = pd.DataFrame(np.nan, index=panel.index, columns=COLUMNS)
    for name in frame[region].unique():
        own = frame[region] == name
        result.loc[own[own].index] = _held_out(frame, X, own, outcome, variance, level)
    return result


def _held_out(
    frame: pd.DataFrame,
    X: pd.DataFrame,
    own: pd.Series,
    outcome: str,
    variance: str,
    level: float,
) -> np.ndarray:
    """Forecast errors of one region from the fit to the others, (rows of the region, 6)."""
    others = X[~own]
    seen = others.columns[(others != 0).any()]
    known = frame.loc[~own, variance].to_numpy(dtype=float)
    y = frame.loc[~own, outcome].to_numpy(dtype=float)
    observed = frame.loc[own, outcome].to_numpy(dtype=float)
    rows = np.full((len(observed), len(COLUMNS)), np.nan)
    rows[:, 0] = observed
    try:
        sigma2 = max(0.0, excess_variance(y, others[seen], known))
        fit = least_squares(y, others[seen], 1 / (known + sigma2))
    except ModelError:
        # Without this region the others cannot carry the equation: nothing can be expected.
        return rows
    at = X.loc[own, seen].to_numpy(dtype=float)
    # Weights are scaled to mean 1 in the fit; the variance of the coefficients is not.
    scale = 1 / (1 / (known + sigma2)).mean()
    spread = np.einsum("ij,jk,ik->i", at, fit.bread, at) * scale
    error = np.sqrt(frame.loc[own, variance].to_numpy(dtype=float) + sigma2 + spread)
    fitted = at @ fit.coefficients
    half = normal_quantile(level) * error
    estimable = X.loc[own, X.columns.difference(seen)].eq(0).all(axis=1).to_numpy()
    columns = [fitted, observed - fitted, error, observed - fitted - half, observed - fitted + half]
    rows[estimable, 1:] = np.column_stack(columns)[estimable]
    return rows
