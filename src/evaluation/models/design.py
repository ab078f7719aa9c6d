"""From a panel and declared columns to a design matrix; columns are names, never formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.models.columns import MIN_REGIONS as MIN_REGIONS
from evaluation.models.columns import Columns as Columns
from evaluation.models.columns import checked as checked
from evaluation.models.columns import columns as columns


@dataclass(frozen=True)
class Design:
    """A regression ready to fit: effects, covariates, further doses, the dose reported last.

    Attributes
    ----------
    y : (N,). X : (N, k) frame. effects : number of leading columns that are fixed effects.
    nested : how many of those are effects of the clusters. clusters, variance : (N,).
    dropped : rows left out for missing values. singletons : regions left out for one wave only.
    periods : (N,) waves or intervals, where known. doses : number of trailing columns that are
        doses.
    """

    y: np.ndarray
    X: pd.DataFrame
    effects: int
    nested: int
    clusters: np.ndarray
    variance: np.ndarray | None
    dropped: int
    singletons: int
    periods: np.ndarray | None = None
    doses: int = 1

    @property
    def uncounted(self) -> int:
        """Columns that take no degree of freedom in CRV1: the nested effects less the constant."""
        return max(0, self.nested - 1)


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
    """Join effects, covariates and doses, the first dose last, to a :class:`Design`."""
    left = pd.concat(effects, axis=1)
    own = [*roles.covariates, *reversed(roles.doses)]
    X = pd.concat([left, frame[own].astype(float)], axis=1)
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
        periods=frame[roles.wave].to_numpy(),
        doses=len(roles.doses),
    )
