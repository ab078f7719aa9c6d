"""The design of a study as the grade reads it, counted from the rows an estimate rests on."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import pandas as pd

from evaluation.errors import KepuError
from evaluation.robustness.context import Estimated

# Locks each design starts with.
START = {"randomised": 5, "staggered": 4, "continuous": 3, "before_after": 1}
SAMPLING_ERRORS = ("published", "assumed", "none")


@dataclass(frozen=True)
class Design:
    """What the data are, as far as it bears on the strength of evidence.

    Attributes
    ----------
    kind : ``randomised``, ``staggered`` (with an untreated comparison), ``continuous`` (everyone
        has a dose) or ``before_after`` (no comparison).
    waves : survey waves of the panel. pre_period : an outcome observed before the dose is.
    regions : of the panel. treated : regions that received the treatment; for a continuous dose,
        regions whose dose differs from the commonest.
    sampling_error : ``published``, ``assumed`` (declared) or ``none``.
    doses_outside_support_sd : how far a recommended dose lies outside the observed doses, in
        standard deviations; 0 where none is recommended or it lies inside.
    mode_changed : survey mode or definition changed inside the window.
    """

    kind: str
    waves: int
    pre_period: bool
    regions: int
    treated: int
    sampling_error: str
    doses_outside_support_sd: float
    mode_changed: bool

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("kind", self.kind, tuple(START)),
            ("sampling_error", self.sampling_error, SAMPLING_ERRORS),
        ):
            if value not in allowed:
                raise KepuError(f"Unknown {name} '{value}'; known: {', '.join(allowed)}.")
        for name in ("waves", "regions", "treated", "doses_outside_support_sd"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                raise KepuError(f"'{name}' must be a finite number of at least 0; it is {value}.")


def waves_of(rows: pd.DataFrame, wave: str) -> int:
    """Survey waves behind the rows; a gain has two."""
    if {"wave_from", "wave_to"} <= set(rows.columns):
        return len(set(rows["wave_from"]) | set(rows["wave_to"]))
    return int(rows[wave].nunique())


def treated_regions(dose: pd.Series, regions: pd.Series) -> int:
    """Regions with any dose other than the commonest; 0 where the dose never varies."""
    return int(regions[dose != dose.mode().iloc[0]].nunique())


def panel_design(
    context: Estimated,
    *,
    kind: str,
    pre_period: bool,
    sampling_error: str,
    mode_changed: bool,
    doses_outside_support_sd: float = 0.0,
) -> Design:
    """Count waves, regions and treated regions of an estimate; the rest must be declared.

    See :class:`Design` for the declared parts and what they may be.
    """
    roles = context.roles
    rows = context.panel[context.used()]
    return Design(
        kind=kind,
        waves=waves_of(rows, roles.wave),
        pre_period=pre_period,
        regions=int(rows[roles.region].nunique()),
        treated=treated_regions(rows[roles.dose], rows[roles.region]),
        sampling_error=sampling_error,
        doses_outside_support_sd=doses_outside_support_sd,
        mode_changed=mode_changed,
    )
