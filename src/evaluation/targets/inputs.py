"""The most that a change of programme inputs could account for in a gain, by what was estimated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.doses import composite
from evaluation.headline import Headline

MODEL = "two_way_fixed_effects"
LEAST_LOCKS = 1


@dataclass(frozen=True)
class Inputs:
    """Estimate of the composite times its change in a region, percentage points.

    ``status``: ``bounded``; ``silent`` (the evidence does not permit speaking of an association);
    ``refused`` (no estimate); ``missing`` (the composite of the region is not known at two waves).
    ``low, high`` are the ends of the interval times the change, in ascending order.
    """

    status: str
    first: int = 0
    last: int = 0
    change: float = np.nan
    low: float = np.nan
    high: float = np.nan

    @property
    def most(self) -> float:
        """Upper end; 0 where the interval leaves only a loss."""
        return max(self.high, 0.0)


def inputs_part(headline: Headline | str, levels: pd.DataFrame, region: str) -> Inputs:
    """Bound the part of a region's gain that goes with the change of its composite input.

    The coefficient is that of the fixed effects, points of the share for one standard deviation of
    the composite within a region; the change runs from the first to the last survey at which the
    region's composite is known. What may be said is gated by the locks of the headline.

    Parameters
    ----------
    headline : of the study. levels : the panel of levels with ``log2_<dose>``.
    """
    if not isinstance(headline, Headline):
        return Inputs("refused")
    if headline.grade.locks < LEAST_LOCKS:
        return Inputs("silent")
    result = next((r.result for r in headline.ladder if r.model == MODEL), None)
    if result is None or not headline.level_parts:
        return Inputs("refused")
    index = composite(levels, list(headline.level_parts))
    known = levels.assign(index=index)[levels["region_code"] == region].dropna(subset="index")
    known = known.sort_values("wave")
    if len(known) < 2:
        return Inputs("missing")
    change = float(known["index"].iloc[-1] - known["index"].iloc[0])
    ends = sorted((result.low * change, result.high * change))
    first, last = int(known["wave"].iloc[0]), int(known["wave"].iloc[-1])
    return Inputs("bounded", first, last, change, *ends)
