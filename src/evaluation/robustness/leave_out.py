"""Leave one region out, one wave out, and the gains across an instrument break out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.results import Check
from evaluation.robustness.context import Estimated, estimates_without, impossible, records

BREAK = "crosses_break"


def _check(name: str, table: pd.DataFrame, estimate: float) -> Check:
    known = table.dropna(subset="estimate")
    if known.empty:
        return impossible(name, "No subset of the panel identifies the dose.")
    changed = np.sign(known["estimate"]) != np.sign(estimate)
    table = table.assign(sign_changes=changed.reindex(table.index, fill_value=False))
    shift = (known["estimate"] - estimate).abs()
    passed = not changed.any()
    return Check(
        name,
        passed,
        f"check.{name}.passed" if passed else f"check.{name}.failed",
        {
            "low": float(known["estimate"].min()),
            "high": float(known["estimate"].max()),
            "count": len(known),
            "changes": int(changed.sum()),
            "not_estimable": int(table["estimate"].isna().sum()),
            "largest_shift": float(shift.max()),
        },
        records(table.sort_values("estimate", ignore_index=True)),
    )


def leave_one_region_out(context: Estimated) -> Check:
    """Refit without each region; fails if the sign of the estimate changes in any."""
    table = estimates_without(context, context.panel[context.roles.region])
    return _check("leave_one_region_out", table, context.result.estimate)


def leave_one_wave_out(context: Estimated) -> Check:
    """Refit without each wave (interval, of gains); fails if the sign changes in any."""
    table = estimates_without(context, context.panel[context.roles.wave])
    return _check("leave_one_wave_out", table, context.result.estimate)


def breaks(context: Estimated) -> Check:
    """Refit without the gains across an instrument break; fails if the sign changes.

    A wider interval on fewer gains is no failure.
    """
    name = "breaks"
    if BREAK not in context.panel.columns:
        return impossible(name, f"The panel has no column '{BREAK}'.")
    flagged = context.panel[BREAK].to_numpy(dtype=bool)
    inside = context.panel[~flagged].reset_index(drop=True)
    left = int((flagged & context.used()).sum())
    if left == 0:
        return impossible(name, "No gain crosses a break.")
    try:
        other = context.refit(inside)
    except ModelError as error:
        return impossible(name, str(error))
    first = context.result
    passed = bool(np.sign(other.estimate) == np.sign(first.estimate))
    rows = [
        {"breaks": label, **{k: getattr(r, k) for k in ("estimate", "low", "high", "p")}}
        | {"observations": r.observations}
        for label, r in (("in", first), ("out", other))
    ]
    values = {key: float(getattr(other, key)) for key in ("estimate", "low", "high", "p")}
    values |= {"left_out": left, "observations": other.observations}
    key = "check.breaks.passed" if passed else "check.breaks.failed"
    return Check(name, passed, key, values, tuple(rows))
