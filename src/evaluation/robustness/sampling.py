"""Sampling error of the rates: drawn anew, and taken out of the opening level."""

from __future__ import annotations

import numpy as np

from evaluation.draws import draw_rates, gains_of, refit
from evaluation.errors import KepuError
from evaluation.opening_error import corrected
from evaluation.results import Check
from evaluation.robustness.context import Estimated, impossible, reading


def _rates(context: Estimated):
    return context.rates[context.rates["variance"].notna()].reset_index(drop=True)


def measurement_error(context: Estimated) -> Check:
    """Draw every rate from its sampling distribution and refit; it informs and cannot fail.

    The published rates hold one sampling error already; the draws add a second one of the same
    size. ``shift`` is how far that moves the mean of the refitted estimates (the first error has
    moved the estimate about as far already), ``widening`` their median standard error over its
    own (both CRV1), ``sign_share`` the share of draws with the other sign.
    """
    name = "measurement_error"
    if context.rates is None:
        return impossible(name, "No published rates were given to draw from.")
    if not context.linear:
        return impossible(name, "Refitting every draw needs a linear model.")
    first, rates, seed = context.result, _rates(context), context.inference.seed
    try:
        drawn = gains_of(draw_rates(rates, context.draws, seed), rates, context.panel)
        found = refit(first.model, context.panel, drawn, context.roles, seed)
    except KepuError as error:
        return impossible(name, str(error))
    estimates = found.estimates[0]
    tail = (1 - first.level) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    values = {
        "estimate": float(first.estimate),
        "mean": float(estimates.mean()),
        "sd": float(estimates.std(ddof=1)),
        "low": float(low),
        "high": float(high),
        "shift": float(estimates.mean() - first.estimate),
        "widening": float(np.median(found.se[0]) / first.se),
        "sign_share": float(np.mean(np.sign(estimates) != np.sign(first.estimate))),
        "draws": len(estimates),
    }
    return Check(name, None, "check.measurement_error", values, (values,))


def opening_error(context: Estimated) -> Check:
    """Take the known sampling error out of the opening level used as a control.

    Fails if the corrected estimate has the other sign or its interval reads differently (holds
    zero where the headline does not, or the reverse).
    """
    name = "opening_error"
    if context.rates is None:
        return impossible(name, "No published rates with their variances were given.")
    if not context.linear:
        return impossible(name, "The correction needs a linear model.")
    first = context.result
    try:
        other = corrected(first.model, context.panel, _rates(context), context.roles, first.level)
    except KepuError as error:
        return impossible(name, str(error))
    same = reading(other.low, other.high) == first.verdict
    passed = bool(same and np.sign(other.estimate) == np.sign(first.estimate))
    names = ("naive", "estimate", "se", "low", "high", "reliability", "factor")
    values = {name: float(getattr(other, name)) for name in names}
    key = "check.opening_error.passed" if passed else "check.opening_error.failed"
    return Check(name, passed, key, values, (values,))
