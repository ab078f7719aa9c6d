"""Can the data tell the doses apart: condition number and variance inflation."""

from __future__ import annotations

import numpy as np

from evaluation.results import Check
from evaluation.robustness.context import Estimated, impossible

MAXIMUM_VIF = 10.0
MAXIMUM_CONDITION = 30.0


def within(X: np.ndarray, effects: int, weights: np.ndarray) -> np.ndarray:
    """Weighted covariates and doses less the fixed effects, unit length, (N, k - effects)."""
    root = np.sqrt(weights)[:, None]
    left, right = X[:, :effects] * root, X[:, effects:] * root
    rest = right - left @ np.linalg.lstsq(left, right, rcond=None)[0]
    return rest / np.linalg.norm(rest, axis=0)


def collinearity(context: Estimated) -> Check:
    """Condition number of covariates and doses, and the variance inflation of each.

    Fixed effects are taken out and columns scaled to unit length first. With several doses it
    fails if a dose's VIF exceeds 10 or the condition number 30: then no dose has an estimate of
    its own. With one dose it informs.
    """
    name, s = "collinearity", context.roles
    if not context.linear:
        return impossible(name, "Collinearity is read off a linear model.")
    eqs = context.equations()
    columns = within(eqs.matrix, eqs.effects, eqs.weights)
    vif = np.diag(np.linalg.inv(columns.T @ columns))
    names = eqs.names[eqs.effects :]
    values = {
        "condition_number": float(np.linalg.cond(columns)),
        "vif": float(vif[-eqs.doses :].max()),
        "doses": eqs.doses,
    }
    rows = tuple({"column": n, "vif": float(v)} for n, v in zip(names, vif, strict=True))
    if len(s.doses) == 1:
        return Check(name, None, "check.collinearity.one", values, rows)
    passed = values["vif"] <= MAXIMUM_VIF and values["condition_number"] <= MAXIMUM_CONDITION
    key = "check.collinearity.passed" if passed else "check.collinearity.failed"
    return Check(name, passed, key, values, rows)
