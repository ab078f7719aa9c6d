"""Averages of group-time differences: by event time, group, calendar wave, and overall."""

from __future__ import annotations

import numpy as np

from evaluation.models.group_time import Cells, Estimates
from evaluation.models.timing import Timed


def by_size(panel: Timed, estimates: Estimates, group: np.ndarray) -> Estimates:
    """One average of estimates, weighted by the sizes of their groups.

    The influence function counts the group shares as estimated from the regions.
    """
    belongs = (panel.start[:, None] == group).astype(float)
    share = belongs.mean(axis=0)
    weight = share / share.sum()
    average = estimates.mean(weight[None])
    shift = (belongs - share) @ (estimates.value - average.value) / share.sum()
    influence = average.influence + shift[:, None]
    return Estimates(average.value, influence, average.loading, average.years)


def stack(parts: list[Estimates]) -> Estimates:
    """Several estimates as one."""
    return Estimates(
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.influence for part in parts], axis=1),
        np.concatenate([part.loading for part in parts]),
        np.concatenate([part.years for part in parts]),
    )


def averages(panel: Timed, cells: Cells, by: str) -> tuple[np.ndarray, Estimates, Estimates]:
    """Average the cells along one axis, and those averages once more.

    Parameters
    ----------
    by : ``"dynamic"`` (waves since treatment; the overall is over those from 0 on), ``"group"``,
        ``"calendar"`` (wave) or ``"simple"`` (all treated cells at once).

    Returns
    -------
    keys (K,), their K averages, and the overall average (one value).
    """
    after = cells.event >= 0
    if by == "simple":
        overall = by_size(panel, cells.estimates[after], cells.group[after])
        return np.array([0]), overall, overall
    if by == "group":
        keys = np.unique(cells.group[after])
        rows = np.stack([(cells.group == g) & after for g in keys])
        parts = cells.estimates.mean(rows / rows.sum(axis=1, keepdims=True))
        return keys, parts, by_size(panel, parts, keys)
    axis = {"dynamic": cells.event, "calendar": cells.wave}[by]
    kept = after | (by == "dynamic")
    keys = np.unique(axis[kept])
    chosen = [(axis == key) & kept for key in keys]
    parts = stack([by_size(panel, cells.estimates[c], cells.group[c]) for c in chosen])
    counted = (keys >= 0) if by == "dynamic" else np.ones(len(keys), bool)
    return keys, parts, parts.mean((counted / counted.sum())[None])
