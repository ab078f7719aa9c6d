"""Partial pooling: a random intercept (and slope) by region beside known sampling variances."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.models.columns import Inference, Roles, mundlak
from evaluation.models.linear import estimate
from evaluation.stats.bootstrap import wild_cluster_bootstrap
from evaluation.stats.least_squares import Equation
from evaluation.stats.reml import Reml, reml

NAME = "partial_pooling"
SAID = {
    "region": "the variance between regions",
    "slope": "the variance of the dose's coefficient between regions",
    "equation": "the variance beyond sampling error",
}


def components(made: Equation, frame: pd.DataFrame, roles: Roles, slope: bool) -> dict[str, Any]:
    """The matrices of the variance components, (N, N) each.

    The random slope acts on the dose less its regional mean, so it does not depend on where the
    dose is zero and leaves the intercept alone.
    """
    same = (made.clusters[:, None] == made.clusters[None, :]).astype(float)
    parts = {"region": same, "equation": np.eye(len(same))}
    if slope:
        dose = frame[roles.dose] - frame.groupby(roles.region)[roles.dose].transform("mean")
        parts["slope"] = same * np.outer(dose, dose)
    return parts


def _refuse_boundary(fitted: Reml) -> None:
    """Partial pooling is reported only when every variance component is above 0."""
    if not fitted.boundary:
        return
    said = " and ".join(SAID[name] for name in fitted.boundary)
    verb = "is" if len(fitted.boundary) == 1 else "are"
    raise ModelError(
        f"Partial pooling is not reported: {said} {verb} estimated at 0, the boundary of its "
        "range, where the weights and the inference of the model do not hold. Use fixed effects."
    )


def _whitened(made: Equation, fitted: Reml) -> Equation:
    """The design in units in which the fitted covariance is the identity; regions stay apart."""
    X = pd.DataFrame(fitted.whiten(made.X.to_numpy()), columns=made.X.columns)
    return replace(made, y=fitted.whiten(made.y), X=X, variance=None, covariance=None)


def _check_terms(made: Equation, seed: int) -> None:
    """Refuse doses carried by too few regions; whitening would hide them from the bootstrap."""
    last, bare = made.X.shape[1] - 1, replace(made, variance=None, covariance=None)
    for i in range(made.doses):
        wild_cluster_bootstrap(bare, last - i, draws=99, seed=seed, level=0.9)


def _details(fitted: Reml, known: bool) -> dict[str, Any]:
    return {
        "boundary": False,
        "tau2": fitted.variances["region"],
        "tau2_slope": fitted.variances.get("slope"),
        "sigma2": fitted.variances["equation"],
        "loglike_restricted": fitted.loglike,
        "likelihood_ratio": fitted.ratio,
        "p_boundary": fitted.p,
        "weighting": "inverse of the fitted covariance" + (" with known v" if known else ""),
    }


def fit(
    panel: pd.DataFrame,
    roles: Roles,
    inference: Inference,
    *,
    slope: bool = False,
    means: bool = True,
    unbalanced: str = "wave_means",
) -> Result:
    """Regress the outcome on the dose with regions drawn from one distribution.

    y_it = β'dose_it + γ'x_it + θ_t + ψ'(regional means) + u_i + s_i (dose_it - mean) + e_it with
    Var(u_i) = τ², Var(s_i) = τ²_slope and Var(e_it) = v_it + σ², by REML and generalised least
    squares. Interval and p by wild cluster bootstrap over regions of the equation in which the
    fitted covariance is the identity, so they do not rest on that covariance being right.

    Parameters
    ----------
    panel : one row a region and wave. roles : the outcome is a rate in percent, or a gain; without
        its sampling variance σ² is to hold all of it.
    slope : whether the coefficient of the first dose varies over regions; β then is its mean.
    means : whether regional means enter (Mundlak); without them τ² is taken as unrelated to the
        dose, and a difference between regions counts as evidence.
    unbalanced : see :func:`evaluation.models.columns.mundlak`.

    Raises
    ------
    ModelError : a variance component estimated at 0, and what :mod:`evaluation.models.columns` and
        :func:`evaluation.stats.bootstrap.wild_cluster_bootstrap` refuse.

    Notes
    -----
    ``details["p_boundary"]`` tests each component against 0 on ½χ²₀ + ½χ²₁.
    """
    made, frame = mundlak(panel, roles, means=means, unbalanced=unbalanced)
    _check_terms(made, inference.seed)
    known = np.zeros(len(made.y)) if made.variance is None else made.sampling.toarray()
    fitted = reml(made.y, made.X.to_numpy(), known, components(made, frame, roles, slope))
    _refuse_boundary(fitted)
    # Permuting trajectories of whitened rows would permute the weights too: no companions.
    alone = replace(inference, companions=False)
    result = estimate(NAME, _whitened(made, fitted), roles, alone, "percentage_point")
    details = _details(fitted, made.variance is not None) | {"means": means, "slope": slope}
    return replace(result, details=result.details | details)
