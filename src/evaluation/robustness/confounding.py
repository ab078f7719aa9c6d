"""How strong an unobserved confounder would have to be (Cinelli & Hazlett 2020)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from evaluation.errors import ModelError
from evaluation.results import Check
from evaluation.robustness.context import Estimated, impossible
from evaluation.stats.least_squares import LeastSquares, least_squares


def _equal_strength(f: float) -> float:
    """The r with r / √(1 - r) = f: equal partial R² with dose and outcome that give bias f."""
    return 0.5 * (np.sqrt(f**4 + 4 * f**2) - f**2)


def robustness_value(
    estimate: float, se: float, dof: int, q: float = 1.0, alpha: float | None = None
) -> float:
    r"""Partial R² with dose and outcome that would take a share q of the estimate away.

    .. math:: RV = \tfrac12(\sqrt{f^4 + 4f^2} - f^2), \quad f = q |t| / \sqrt{dof}

    With ``alpha``, that would take it to where it is no more significant at that level: f less
    the critical value of t over √(dof - 1).

    Parameters
    ----------
    estimate, se : coefficient and its classical standard error. dof : residual degrees of freedom.
    q : share of the estimate, above 0. alpha : significance level, or None.

    Raises
    ------
    ModelError : ``se``, ``q`` not positive, ``dof`` below 2 or ``alpha`` outside (0, 1).

    Source
    ------
    Cinelli & Hazlett (2020), Journal of the Royal Statistical Society B 82:39-67, section 4.

    >>> round(robustness_value(estimate=4.184, se=1, dof=783), 3)  # Darfur, t = 4.184
    0.139
    """
    if not (se > 0 and q > 0 and dof >= 2 and np.isfinite(estimate)):
        raise ModelError("A robustness value needs se > 0, q > 0, dof >= 2, a finite estimate.")
    f = q * abs(estimate / se) / np.sqrt(dof)
    if alpha is None:
        return float(_equal_strength(f))
    if not 0 < alpha < 1:
        raise ModelError(f"'alpha' must lie strictly between 0 and 1; it is {alpha}.")
    critical = stats.t.ppf(1 - alpha / 2, dof - 1) / np.sqrt(dof - 1)
    if f <= critical:
        return 0.0
    if critical > 0 and f > 1 / critical:  # the bound where the loss of a dof matters
        return float((f**2 - critical**2) / (1 + f**2))
    return float(_equal_strength(f - critical))


def _partial_r2(fit: LeastSquares, position: int) -> float:
    """Partial R² of one column with the outcome, t²/(t² + dof) with the classical t."""
    variance = fit.bread[position, position] * float(fit.residuals @ fit.residuals) / fit.free
    t2 = fit.coefficients[position] ** 2 / variance
    return float(t2 / (t2 + fit.free))


def _strength(with_dose: float, with_outcome: float) -> float:
    """Equal-strength partial R² of a confounder as strong as a covariate; 1 if it has no bound.

    The covariate's own partial R² with dose and outcome give the largest a confounder as strong
    as it can have; the pair is turned to one number on the scale of the robustness value.
    """
    dose = with_dose / (1 - with_dose)
    shared = with_dose**2 / ((1 - with_dose) * (1 - with_dose))
    if dose >= 1 or shared >= 1:
        return 1.0
    outcome = ((1 + np.sqrt(shared)) / np.sqrt(1 - shared)) ** 2
    outcome = min(1.0, outcome * with_outcome / (1 - with_outcome))
    return float(_equal_strength(np.sqrt(outcome * dose / (1 - dose))))


def benchmarks(y: Any, X: Any, weights: Any, names: tuple[str, ...], chosen: list[str], dose: str):
    """Partial R² of each chosen column with dose and outcome, and its strength; list of records."""
    order = [*(n for n in names if n != dose), dose]
    place = [names.index(n) for n in order]
    X = np.asarray(X)[:, place]
    outcome, treatment = least_squares(y, X, weights), least_squares(X[:, -1], X[:, :-1], weights)
    rows = []
    for name in chosen:
        i = order.index(name)
        pair = _partial_r2(treatment, i), _partial_r2(outcome, i)
        rows.append(
            {
                "covariate": name,
                "r2_with_dose": pair[0],
                "r2_with_outcome": pair[1],
                "strength": _strength(*pair),
            }
        )
    return rows


def confounding(context: Estimated) -> Check:
    """Robustness value against the strongest observed covariate.

    Fails if a confounder no stronger than it would carry the estimate to zero; without a
    covariate there is nothing to compare with, and the check is not made.
    """
    name, s = "robustness_value", context.roles
    if not context.linear:
        return impossible(name, f"The robustness value needs a linear model, not {context.result.model}.")
    eqs = context.equations()
    chosen = [*s.covariates, *s.doses[1:]]
    weights = eqs.weights
    fit = least_squares(eqs.y, eqs.matrix, weights)
    k, rss = len(eqs.names) - 1, float(fit.residuals @ fit.residuals)
    estimate, se = fit.coefficients[k], np.sqrt(fit.bread[k, k] * rss / fit.free)
    values = {
        "rv": robustness_value(estimate, se, fit.free),
        "rv_alpha": robustness_value(estimate, se, fit.free, alpha=1 - context.result.level),
        "partial_r2": _partial_r2(fit, k),
        "dof": fit.free,
    }
    if not chosen:
        reason = "No covariate to compare an unobserved confounder with."
        return Check(
            name, None, "check.robustness_value.no_covariate", values, ({"reason": reason},)
        )
    rows = benchmarks(eqs.y, eqs.matrix, weights, eqs.names, chosen, s.dose)
    rows = sorted(rows, key=lambda row: -row["strength"])
    values["strongest"] = rows[0]["strength"]
    passed = values["rv"] > values["strongest"]
    key = "check.robustness_value.passed" if passed else "check.robustness_value.failed"
    return Check(name, passed, key, values, tuple(rows))
