"""Does more of the dose go with more of the gain, step by step, and in a straight line?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.columns import equation
from evaluation.results import Check
from evaluation.robustness.context import Estimated, impossible
from evaluation.stats.least_squares import solve_many

GROUPS = 4
SQUARE = "dose_squared"


def _steps(context: Estimated) -> pd.DataFrame:
    """Adjusted outcome of the quarters of the dose, the lowest set to zero."""
    s, used = context.roles, context.used()
    dose = context.panel[s.dose]
    group = pd.qcut(dose.where(used).rank(method="first"), GROUPS, labels=False)
    names = [f"quarter_{i}" for i in range(1, GROUPS)]
    panel = context.panel.assign(
        **{name: (group == i + 1).astype(float).where(used) for i, name in enumerate(names)}
    )
    # The last columns are the quarters in their order, then any further doses.
    roles = replace(s, doses=[*names, *s.doses[1:]][::-1])
    eqs = equation(context.result.model, panel, roles)
    b = solve_many(eqs.y, eqs.matrix, eqs.weights[None, :]).coefficients[0]
    adjusted = np.concatenate([[0.0], b[-eqs.doses :][: GROUPS - 1]])
    middle = dose[used].groupby(group[used]).median()
    return pd.DataFrame({"quarter": range(1, GROUPS + 1), "dose": middle, "adjusted": adjusted})


def dose_response(context: Estimated) -> Check:
    """Quarters of the dose must be ordered, and the square must add nothing.

    Passes if the adjusted outcome rises (or falls) from each quarter to the next and the wild
    bootstrap test of a squared term is not rejected. Without any association four quarters are in
    order once in twelve: it can add at most one lock.
    """
    name, s = "dose_response", context.roles
    if not context.linear:
        return impossible(name, "The dose-response check needs a linear model.")
    dose = context.panel[s.dose]
    middle = float(dose[context.used()].mean())
    panel = context.panel.assign(**{SQUARE: (dose - middle) ** 2})
    try:
        steps = _steps(context)
        square = context.refit(panel, doses=[SQUARE], covariates=(*s.covariates, *s.doses))
    except (ModelError, ValueError) as error:
        return impossible(name, str(error))
    change = np.diff(steps["adjusted"])
    monotone = bool((change > 0).all() or (change < 0).all())
    linear = square.p > 1 - context.result.level
    passed = bool(monotone and linear)
    key = "check.dose_response.passed" if passed else "check.dose_response.failed"
    values = {"p_square": float(square.p), "monotone": float(monotone), "linear": float(linear)}
    return Check(name, passed, key, values, tuple(steps.to_dict("records")))
