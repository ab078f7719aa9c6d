"""Known-variance errors-in-variables correction for the observed opening level as a control.

The gain over T years is (P1 - P0)/T and the control is P0 itself, so the sampling error u0 of the
opening rate stands in both: its variance v0 attenuates the control and its covariance -v0/T with
the gain adds spurious regression to the mean. What the control fails to absorb goes to the doses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from evaluation.draws import rate_rows
from evaluation.errors import ModelError
from evaluation.models.columns import Roles, equation
from evaluation.stats.least_squares import Equation, cluster_sums

OPENING = "opening"


@dataclass(frozen=True)
class Corrected:
    """One dose coefficient with the error of the opening level taken out.

    Attributes
    ----------
    term : the dose. naive : coefficient with the observed opening level.
    estimate, se, low, high : corrected; se cluster-robust, interval by t on G - 1, for information.
    reliability : share of the opening level's variance, given all other columns, that is not
        sampling error. factor : share of the known error taken out, 1 unless the data refuse it.
    """

    term: str
    naive: float
    estimate: float
    se: float
    low: float
    high: float
    reliability: float
    factor: float


def _residuals(eqs: Equation, weights: np.ndarray, j: int) -> np.ndarray:
    """Outcome and opening level less what the other columns explain, weighted, (N, 2)."""
    root = np.sqrt(weights)[:, None]
    others = np.delete(eqs.matrix, j, axis=1) * root
    both = np.column_stack([eqs.y, eqs.matrix[:, j]]) * root
    return both - others @ np.linalg.lstsq(others, both, rcond=None)[0]


def _factor(moments: np.ndarray, errors: np.ndarray, size: int) -> float:
    """Fuller's limit: the known error may not exceed what the data scatter.

    λ is the least root of |moments - λ errors| = 0; the factor is 1 while λ > 1 + 1/N, and
    λ - 1/N below, which keeps the corrected moments positive definite.
    """
    root = float(np.linalg.eigvals(np.linalg.solve(errors, moments)).real.min())
    return 1.0 if root > 1 + 1 / size else max(0.0, root - 1 / size)


def corrected(
    model: str, panel: pd.DataFrame, rates_table: pd.DataFrame, roles: Roles, level: float = 0.95
) -> Corrected:
    """Correct the first dose of a gain regression for sampling error in the opening level.

    Moment estimator with known error variances: b = (X'WX - f Σw V)⁻¹ (X'Wy - f Σw c), with
    V = v0 at the opening level, c = -v0/T (the covariance of the two errors) and weights as in the
    model. The standard error is the sandwich of its estimating equations, clustered by region.

    Parameters
    ----------
    model : name of the linear model. panel : gains with ``region_code, wave_from, years,
        opening``. rates_table : ``region_code, wave, rate, variance``. level : of the interval.

    Raises
    ------
    ModelError : a model without the control ``opening`` or without known variance, an outcome
        other than ``annual`` or ``gain``, or opening rates without sampling error.

    Source
    ------
    Fuller (1987), Measurement Error Models, sections 2.2, 2.5 and 3.1.
    """
    if OPENING not in roles.covariates or roles.outcome not in ("annual", "gain"):
        raise ModelError("The correction needs a gain as outcome and 'opening' as a covariate.")
    eqs = equation(model, panel, roles)
    if eqs.variance is None:
        raise ModelError("The correction needs the sampling variance of the gain.")
    rows = panel.iloc[eqs.rows]
    found = rate_rows(rates_table, rows["region_code"], rows["wave_from"])
    v0 = rates_table["variance"].to_numpy(dtype=float)[found]
    if not np.all(v0 > 0):
        raise ModelError("Every opening rate needs a sampling variance above 0.")
    years = rows["years"].to_numpy(dtype=float) if roles.outcome == "annual" else 1.0
    return _solve(eqs, v0, -v0 / years, roles.dose, level)


def _solve(eqs: Equation, v0: np.ndarray, c: np.ndarray, term: str, level: float) -> Corrected:
    w, j, k = eqs.weights, eqs.names.index(OPENING), len(eqs.names) - 1
    rest = _residuals(eqs, w, j)
    moments = rest.T @ rest
    known = np.array([[w @ eqs.variance, w @ c], [w @ c, w @ v0]])
    f = _factor(moments, known, len(w))
    gram, right = (eqs.matrix.T * w) @ eqs.matrix, (eqs.matrix.T * w) @ eqs.y
    naive = np.linalg.solve(gram, right)[k]
    gram[j, j] -= f * (w @ v0)
    right[j] -= f * (w @ c)
    b = np.linalg.solve(gram, right)
    scores = eqs.matrix * (w * (eqs.y - eqs.matrix @ b))[:, None]
    scores[:, j] -= f * w * (c - v0 * b[j])
    sums = cluster_sums(scores, eqs.codes)
    pull = sums @ np.linalg.inv(gram)[:, k]
    clusters = len(sums)
    se = float(np.sqrt(clusters / (clusters - 1) * (pull @ pull)))
    half = float(stats.t.ppf((1 + level) / 2, clusters - 1)) * se
    return Corrected(
        term=term,
        naive=float(naive),
        estimate=float(b[k]),
        se=se,
        low=float(b[k] - half),
        high=float(b[k] + half),
        reliability=float(1 - (w @ v0) / moments[1, 1]),
        factor=f,
    )
