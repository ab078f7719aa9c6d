"""Which columns a model reads, and the one refusal each bad panel gets from every model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.stats.least_squares import RANK_TOLERANCE

MIN_REGIONS = 10


@dataclass(frozen=True)
class Columns:
    """Which column of the panel plays which part.

    ``doses`` are estimated together and the first is the one reported. ``wave`` is the survey wave
    of a level or the interval (wave pair) of a gain. ``variance`` is the known sampling variance
    of the outcome, or ``None`` where it is taken as error-free.
    """

    outcome: str
    doses: tuple[str, ...]
    region: str
    wave: str
    variance: str | None
    covariates: tuple[str, ...] = ()

    @property
    def dose(self) -> str:
        """The dose reported."""
        return self.doses[0]

    @property
    def numeric(self) -> list[str]:
        """Columns that must hold numbers."""
        known = [] if self.variance is None else [self.variance]
        return [self.outcome, *self.doses, *self.covariates, *known]

    @property
    def used(self) -> list[str]:
        """All columns, each once."""
        return [*self.numeric, self.region, self.wave]


def columns(
    outcome: str,
    doses: Sequence[str],
    covariates: Sequence[str],
    region: str,
    wave: str,
    variance: str | None,
) -> Columns:
    """Declare the columns; refuses a bare string for a list and a column in two parts."""
    for part, names in (("doses", doses), ("covariates", covariates)):
        if isinstance(names, str):
            raise ModelError(f"'{part}' must be a list of columns, not the text '{names}'.")
    if not len(doses):
        raise ModelError("'doses' names no column; name at least one.")
    roles = Columns(outcome, tuple(doses), region, wave, variance, tuple(covariates))
    twice = sorted({name for name in roles.used if roles.used.count(name) > 1})
    if twice:
        raise ModelError(f"Column used in two parts of one model: {', '.join(twice)}.")
    return roles


def _rows(mask: pd.Series) -> str:
    """The index labels where ``mask`` holds, the first five by name."""
    found = [str(label) for label in mask.index[mask.to_numpy()]]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"row{'s' if len(found) > 1 else ''} {', '.join(found[:5])}{more}"


def _check_columns(panel: pd.DataFrame, roles: Columns) -> None:
    absent = [name for name in roles.used if name not in panel.columns]
    if absent:
        known = ", ".join(map(str, panel.columns))
        raise ModelError(f"Columns not in the panel: {', '.join(absent)}. It has: {known}.")
    for name in roles.numeric:
        if not pd.api.types.is_numeric_dtype(panel[name]):
            raise ModelError(f"Column '{name}' must be numeric; it is {panel[name].dtype}.")
        infinite = np.isinf(panel[name].to_numpy(dtype=float, na_value=np.nan))
        if infinite.any():
            where = _rows(pd.Series(infinite, panel.index))
            raise ModelError(f"Column '{name}' holds infinite values: {where}.")


def _check_rows(frame: pd.DataFrame, roles: Columns, dropped: int, waves: int) -> None:
    doubled = frame.duplicated([roles.region, roles.wave])
    if doubled.any():
        first = frame[doubled].iloc[0]
        count = int(doubled.sum())
        raise ModelError(
            f"{count} {'row repeats' if count == 1 else 'rows repeat'} a region and wave "
            f"({_rows(doubled)}), first "
            f"{roles.region} = {first[roles.region]}, {roles.wave} = {first[roles.wave]}."
        )
    if roles.variance is not None and (frame[roles.variance] < 0).any():
        where = _rows(frame[roles.variance] < 0)
        raise ModelError(f"Column '{roles.variance}' holds negative variances: {where}.")
    for column, least in ((roles.region, MIN_REGIONS), (roles.wave, waves)):
        found = frame[column].nunique()
        if found < least:
            raise ModelError(
                f"Column '{column}' holds {found} {'value' if found == 1 else 'values'} in the "
                f"{len(frame)} rows that remain after dropping {dropped} with missing values; at "
                f"least {least} are needed."
            )


def _check_doses(frame: pd.DataFrame, roles: Columns) -> None:
    """Refuse a constant dose, and doses of which one is a linear combination of the others."""
    kept: list[str] = []
    values = frame[list(roles.doses)].astype(float)
    centred = values - values.mean()
    for name in roles.doses:
        length = np.linalg.norm(centred[name])
        if length <= RANK_TOLERANCE * max(np.linalg.norm(values[name]), 1e-300):
            raise ModelError(
                f"Column '{name}' is {values[name].iloc[0]:g} in all {len(frame)} rows: a constant "
                "dose says nothing. Leave it out."
            )
        left = centred[name].to_numpy()
        if kept:
            others = centred[kept].to_numpy() / np.linalg.norm(centred[kept], axis=0)
            left = left - others @ np.linalg.lstsq(others, left, rcond=None)[0]
        if np.linalg.norm(left) <= RANK_TOLERANCE * length:
            raise ModelError(
                f"Doses {', '.join(repr(k) for k in kept)} and '{name}' are perfectly collinear in "
                f"all {len(frame)} rows: the panel cannot tell them apart. Leave one out."
            )
        kept.append(name)


def checked(panel: pd.DataFrame, roles: Columns, *, waves: int = 2) -> tuple[pd.DataFrame, int]:
    """Rows of the declared columns without missing values, and the number left out.

    ``waves`` is the least number of values in the column of waves: 1 where it holds intervals,
    each of which is two waves.

    Raises
    ------
    ModelError : a column absent, not numeric or infinite, a region twice in a wave, a negative
        variance, fewer than 10 regions or than ``waves`` waves left, a constant dose, collinear
        doses; the message names column and rows.
    """
    _check_columns(panel, roles)
    frame = panel[roles.used].dropna()
    dropped = len(panel) - len(frame)
    _check_rows(frame, roles, dropped, waves)
    _check_doses(frame, roles)
    return frame.reset_index(drop=True), dropped
