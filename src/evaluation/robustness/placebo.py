"""Placebo: the dose of the next interval can have no part in the gain before it."""

from __future__ import annotations

import numpy as np

from evaluation.errors import ModelError
from evaluation.models.linear import minimum_detectable
from evaluation.results import Check
from evaluation.robustness.context import Estimated, impossible

LEAD = "next_interval_dose"


def with_lead(context: Estimated):
    """The panel with the first dose of each region's next interval (or wave), ``LEAD``."""
    s = context.roles
    frame = context.panel.sort_values([s.region, s.wave])
    lead = frame.groupby(s.region)[s.dose].shift(-1)
    return context.panel.assign(**{LEAD: lead})


def placebo(context: Estimated) -> Check:
    """Regress the gain on the next interval's dose, the current doses held.

    A region's dose moves slowly, so without the current one the future dose would only repeat it.
    Fails where the coefficient differs from zero at the level of the estimate. It passes only if
    a violation as large as the estimate would have been found: where the minimum detectable
    violation (80 % power) exceeds the estimate, not finding one says nothing, and the check
    neither passes nor fails.
    """
    name, s, level = "placebo", context.roles, context.result.level
    panel = with_lead(context)
    held = (*s.covariates, *s.doses)
    try:
        result = context.refit(panel, doses=[LEAD], covariates=held)
    except ModelError as error:
        return impossible(name, str(error))
    detectable = minimum_detectable(result.se, result.clusters, level)
    if not np.isfinite(detectable):
        return impossible(name, "The standard error of the placebo is not finite.")
    powered = bool(detectable <= abs(context.result.estimate))
    passed, key = (True, "check.placebo.passed") if powered else (None, "check.placebo.unclear")
    if result.p <= 1 - level:
        passed, key = False, "check.placebo.failed"
    values = {k: float(getattr(result, k)) for k in ("estimate", "low", "high", "p")}
    values |= {
        "minimum_detectable": detectable,
        "headline": float(abs(context.result.estimate)),
        "observations": result.observations,
        "clusters": result.clusters,
    }
    return Check(name, passed, key, values, ({"dose": s.dose, **values},))
