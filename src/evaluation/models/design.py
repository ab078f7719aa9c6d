"""From a panel and declared columns to a design matrix; columns are names, never formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.errors import ModelError

MIN_REGIONS = 10


@dataclass(frozen=True)
class Columns:
    """Which column of the panel plays which part.

    ``wave`` is the survey wave of a level or the interval (wave pair) of a gain. ``variance`` is
    the known sampling variance of the outcome, or ``None`` where it is taken as error-free.
    """

    outcome: str
    dose: str
    region: str
    wave: str
    variance: str | None
    covariates: tuple[str, ...] = ()

    @property
    def numeric(self) -> list[str]:
        """Columns that must hold numbers."""
        known = [] if self.variance is None else [self.variance]
        return [self.outcome, self.dose, *self.covariates, *known]

    @property
    def used(self) -> list[str]:
        """All columns, each once."""
        return [*self.numeric, self.region, self.wave]


@dataclass(frozen=True)
class Design:
    """A regression ready to fit: effects first, then covariates, the dose last.

    Attributes
    ----------
    y : (N,). X : (N, k) frame. effects : number of leading columns that are fixed effects.
    nested : how many of those are effects of the clusters. clusters, variance : (N,).
    dropped : rows left out for missing values. singletons : regions left out for one wave only.
    """

    y: np.ndarray
    X: pd.DataFrame
    effects: int
    nested: int
    clusters: np.ndarray
    variance: np.ndarray | None
    dropped: int
    singletons: int

    @property
    def uncounted(self) -> int:
        """Columns that take no degree of freedom in CRV1: the nested effects less the constant."""
        return max(0, self.nested - 1)


def columns(
    outcome: str,
    dose: str,
    covariates: tuple[str, ...] | list[str],
    region: str,
    wave: str,
    variance: str | None,
) -> Columns:
    """Declare the columns; refuses a bare string of covariates and a column in two parts."""
    if isinstance(covariates, str):
        raise ModelError(f"'covariates' must be a list of columns, not the text '{covariates}'.")
    roles = Columns(outcome, dose, region, wave, variance, tuple(covariates))
    twice = sorted({name for name in roles.used if roles.used.count(name) > 1})
    if twice:
        raise ModelError(f"Column used in two parts of one model: {', '.join(twice)}.")
    return roles


def _check_columns(panel: pd.DataFrame, roles: Columns) -> None:
    absent = [name for name in roles.used if name not in panel.columns]
    if absent:
        known = ", ".join(map(str, panel.columns))
        raise ModelError(f"Columns not in the panel: {', '.join(absent)}. It has: {known}.")
    for name in roles.numeric:
        if not pd.api.types.is_numeric_dtype(panel[name]):
            raise ModelError(f"Column '{name}' must be numeric; it is {panel[name].dtype}.")
        if np.isinf(panel[name].to_numpy(dtype=float, na_value=np.nan)).any():
            raise ModelError(f"Column '{name}' holds infinite values.")


def _check_rows(frame: pd.DataFrame, roles: Columns, dropped: int) -> None:
    doubled = frame[frame.duplicated([roles.region, roles.wave])]
    if len(doubled):
        first = doubled.iloc[0]
        raise ModelError(
            f"{len(doubled)} rows repeat a region and wave, first {roles.region} = "
            f"{first[roles.region]}, {roles.wave} = {first[roles.wave]}."
        )
    regions = frame[roles.region].nunique()
    if regions < MIN_REGIONS:
        raise ModelError(
            f"{regions} regions remain after dropping {dropped} rows with missing values; at "
            f"least {MIN_REGIONS} are needed."
        )
    if roles.variance is not None and (frame[roles.variance] < 0).any():
        raise ModelError(f"Column '{roles.variance}' holds negative variances.")


def complete_rows(panel: pd.DataFrame, roles: Columns) -> tuple[pd.DataFrame, int]:
    """Rows of the declared columns without missing values, and the number left out.

    Raises
    ------
    ModelError : a column absent, not numeric or infinite, a region twice in a wave, a negative
        variance, or fewer than 10 regions left.
    """
    _check_columns(panel, roles)
    frame = panel[roles.used].dropna().reset_index(drop=True)
    dropped = len(panel) - len(frame)
    _check_rows(frame, roles, dropped)
    return frame, dropped


def dummies(labels: pd.Series, drop_first: bool) -> pd.DataFrame:
    """0/1 columns ``name=value`` in sorted order, without the first value if ``drop_first``."""
    frame = pd.get_dummies(labels, prefix=str(labels.name), prefix_sep="=", dtype=float)
    return frame.iloc[:, 1:] if drop_first else frame


def build(
    frame: pd.DataFrame,
    roles: Columns,
    effects: list[pd.DataFrame],
    *,
    nested: int = 0,
    dropped: int = 0,
    singletons: int = 0,
) -> Design:
    """Join effects, covariates and dose, in that order, to a :class:`Design`."""
    left = pd.concat(effects, axis=1)
    X = pd.concat([left, frame[[*roles.covariates, roles.dose]].astype(float)], axis=1)
    known = None if roles.variance is None else frame[roles.variance].to_numpy(dtype=float)
    return Design(
        y=frame[roles.outcome].to_numpy(dtype=float),
        X=X,
        effects=left.shape[1],
        nested=nested,
        clusters=frame[roles.region].to_numpy(),
        variance=known,
        dropped=dropped,
        singletons=singletons,
    )
