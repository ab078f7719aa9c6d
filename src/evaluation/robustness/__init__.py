"""Reasons to doubt an estimate: one family of checks a module, one line each in ``CHECKS``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from evaluation.errors import KepuError
from evaluation.results import Check
from evaluation.robustness.assumptions import assumption_sweep, rebuilder
from evaluation.robustness.collinearity import collinearity
from evaluation.robustness.confounding import confounding, robustness_value
from evaluation.robustness.context import Estimated
from evaluation.robustness.curve import specification_curve
from evaluation.robustness.dose_response import dose_response
from evaluation.robustness.leave_out import breaks, leave_one_region_out, leave_one_wave_out
from evaluation.robustness.placebo import placebo
from evaluation.robustness.sampling import measurement_error, opening_error

__all__ = ["CHECKS", "Estimated", "rebuilder", "robustness_value", "run_checks"]

CHECKS: dict[str, Callable[[Estimated], Check]] = {
    "leave_one_region_out": leave_one_region_out,
    "leave_one_wave_out": leave_one_wave_out,
    "placebo": placebo,
    "specification_curve": specification_curve,
    "robustness_value": confounding,
    "measurement_error": measurement_error,
    "opening_error": opening_error,
    "assumption_sweep": assumption_sweep,
    "breaks": breaks,
    "collinearity": collinearity,
    "dose_response": dose_response,
}


def run_checks(context: Estimated, names: Iterable[str] | None = None) -> tuple[Check, ...]:
    """Make the named checks, or all of them, in the order of the registry.

    Raises
    ------
    KepuError : a name that is no check; the message lists those there are.
    """
    wanted = list(CHECKS) if names is None else list(names)
    if strange := [name for name in wanted if name not in CHECKS]:
        raise KepuError(f"Unknown check {', '.join(strange)}. Known: {', '.join(CHECKS)}.")
    return tuple(CHECKS[name](context) for name in CHECKS if name in wanted)
