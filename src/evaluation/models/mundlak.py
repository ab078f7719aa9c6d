"""Within-region means of what varies over waves: correlated random effects (Mundlak)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models.design import MIN_REGIONS, Columns, Design, build, checked, dummies
from evaluation.stats.least_squares import RANK_TOLERANCE

UNBALANCED = ("wave_means", "wave_counts", "ignore")


def independent(base: pd.DataFrame, extra: pd.DataFrame) -> list[str]:
    """Names of the columns of ``extra`` that no column before them, nor ``base``, explains."""
    q = np.linalg.qr(base.to_numpy(dtype=float))[0]
    kept = []
    for name in extra.columns:
        column = extra[name].to_numpy(dtype=float)
        left = column - q @ (q.T @ column)
        left = left - q @ (q.T @ left)
        length = np.linalg.norm(left)
        # Sums of many waves leave rounding errors well above the tolerance of one division.
        if length > 1e3 * RANK_TOLERANCE * max(np.linalg.norm(column), 1e-300):
            kept.append(name)
            q = np.column_stack([q, left / length])
    return kept


def _means(columns: pd.DataFrame, region: pd.Series) -> pd.DataFrame:
    """Means over the waves observed of each region, repeated in its rows."""
    return columns.groupby(region.to_numpy()).transform("mean").add_prefix("mean of ")


def _exposure(frame: pd.DataFrame, roles: Columns, waves: pd.DataFrame, how: str) -> pd.DataFrame:
    """Columns that tell regions apart by the waves they were seen in; none if balanced."""
    if how not in UNBALANCED:
        raise ModelError(f"Unknown 'unbalanced' rule '{how}': use {', '.join(UNBALANCED)}.")
    region = frame[roles.region]
    if how == "wave_means":
        return _means(waves, region)
    if how == "wave_counts":
        counts = region.map(region.value_counts()).rename("waves seen")
        return dummies(counts, drop_first=True)
    return pd.DataFrame(index=frame.index)


def _check(frame: pd.DataFrame, roles: Columns, singletons: int) -> None:
    regions = frame[roles.region].nunique()
    if regions < MIN_REGIONS:
        raise ModelError(
            f"{regions} regions have two waves or more ({singletons} have one); at least "
            f"{MIN_REGIONS} are needed."
        )
    for dose in roles.doses:
        within = frame[dose] - frame.groupby(roles.region)[dose].transform("mean")
        if within.abs().max() <= 1e-12 * max(frame[dose].abs().max(), 1e-300):
            raise ModelError(
                f"Column '{dose}' is constant within every region: it cannot be told apart from "
                "its regional mean. Leave it out, or use a model of gains."
            )


def design(
    panel: pd.DataFrame, roles: Columns, *, means: bool = True, unbalanced: str = "wave_means"
) -> tuple[Design, pd.DataFrame]:
    """Intercept, wave effects and regional means; then covariates; then doses, the first last.

    Regions seen once say nothing of change within regions and are left out and counted. With
    ``unbalanced="wave_means"`` pooled least squares on this design gives the coefficients of
    two-way fixed effects exactly, balanced or not.

    Parameters
    ----------
    means : whether the regional means of doses and covariates are added.
    unbalanced : what else tells regions seen in different waves apart: ``"wave_means"`` regional
        means of the wave effects, ``"wave_counts"`` one dummy a number of waves seen,
        ``"ignore"`` nothing. Columns that add nothing (a balanced panel) are left out.

    Returns
    -------
    the design, and the rows of the panel it was made from.

    Source
    ------
    Mundlak (1978), Econometrica 46:69-85; Wooldridge (2019), Journal of Econometrics 211:137-150.
    """
    frame, dropped = checked(panel, roles)
    seen = frame.groupby(roles.region)[roles.wave].transform("size")
    singletons = int((seen == 1).sum())
    frame = frame[seen > 1].reset_index(drop=True)
    _check(frame, roles, singletons)
    own = frame[[*roles.covariates, *reversed(roles.doses)]].astype(float)
    waves = dummies(frame[roles.wave], drop_first=True)
    left = pd.concat([pd.Series(1.0, frame.index, name="intercept"), waves], axis=1)
    if means:
        extra = [_means(own.iloc[:, ::-1], frame[roles.region])]
        extra.append(_exposure(frame, roles, waves, unbalanced))
        extra = pd.concat(extra, axis=1)
        left = left.join(extra[independent(left.join(own), extra)])
    made = build(frame, roles, [left], dropped=dropped, singletons=singletons)
    return made, frame
