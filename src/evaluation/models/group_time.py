"""Group-time differences of Callaway and Sant'Anna and their influence functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.errors import ModelError
from evaluation.models.timing import NEVER, Timed

COMPARISONS = ("never", "not_yet")
BASES = ("universal", "varying")


@dataclass(frozen=True)
class Estimates:
    """K quantities that are linear in the outcome.

    Attributes
    ----------
    value : (K,). influence : (n, K), mean 0 over regions. loading : (K, n, T) with
        value = Σ loading · y. years : (K,) years between base and outcome wave, averaged alike.
    """

    value: np.ndarray
    influence: np.ndarray
    loading: np.ndarray
    years: np.ndarray

    def __getitem__(self, keep: np.ndarray) -> Estimates:
        return Estimates(
            self.value[keep], self.influence[:, keep], self.loading[keep], self.years[keep]
        )

    def mean(self, weights: np.ndarray) -> Estimates:
        """Averages with fixed weights (J, K)."""
        loading = np.tensordot(weights, self.loading, axes=1)
        return Estimates(
            weights @ self.value, self.influence @ weights.T, loading, weights @ self.years
        )


@dataclass(frozen=True)
class Cells:
    """The differences ATT(g, t): group g is the wave first treated, t the wave of the outcome.

    Attributes
    ----------
    group, wave : (C,) positions of the waves. estimates : the C differences.
    treated, comparison : (C,) regions behind each. missing : cells that could not be formed.
    """

    group: np.ndarray
    wave: np.ndarray
    estimates: Estimates
    treated: np.ndarray
    comparison: np.ndarray
    missing: int

    @property
    def event(self) -> np.ndarray:
        """(C,) waves since the first treated one; negative before it."""
        return self.wave - self.group


def _pairs(panel: Timed, base: str) -> list[tuple[int, int, int]]:
    """(group, wave, base wave) of every cell."""
    groups = np.unique(panel.start[panel.treated])
    pairs = []
    for g in groups:
        for t in range(len(panel.waves)):
            before = t - 1 if base == "varying" and t < g else g - 1
            if before >= 0 and t != before:
                pairs.append((int(g), t, int(before)))
    return pairs


def _members(panel: Timed, g: int, t: int, before: int, comparison: str) -> np.ndarray:
    """(2, n): regions of the group and of its comparison observed in both waves."""
    seen = panel.observed[:, t] & panel.observed[:, before]
    other = ~panel.treated
    if comparison == "not_yet":
        other = other | (panel.start > max(t, before)) & (panel.start != g)
    return np.stack([(panel.start == g) & seen, other & seen])


def _cell(panel: Timed, sides: np.ndarray, t: int, before: int) -> tuple[np.ndarray, np.ndarray]:
    """Influence (n,) and loading (n, T) of one difference of mean changes."""
    change = np.where(sides.any(axis=0), panel.y[:, t] - panel.y[:, before], 0.0)
    weight = sides[0] / sides[0].sum() - sides[1] / sides[1].sum()
    means = sides @ change / sides.sum(axis=1)
    centred = change - sides.T.astype(float) @ means
    loading = np.zeros_like(panel.y)
    loading[:, t], loading[:, before] = weight, -weight
    return len(change) * weight * centred, loading


def group_time(panel: Timed, comparison: str, base: str, minimum: int = 1) -> Cells:
    """All ATT(g, t) that have at least ``minimum`` regions on either side.

    Parameters
    ----------
    comparison : ``"never"`` or ``"not_yet"`` treated regions. base : wave the change is counted
        from; ``"universal"`` the last untreated one throughout, ``"varying"`` the wave before for
        the waves before treatment. Both agree from the first treated wave on.

    Raises
    ------
    ModelError : an unknown option, or no cell after the start of treatment.

    Source
    ------
    Callaway & Sant'Anna (2021), Journal of Econometrics 225:200-230.
    """
    for value, known in ((comparison, COMPARISONS), (base, BASES)):
        if value not in known:
            raise ModelError(f"Unknown option '{value}': use {' or '.join(known)}.")
    found, parts, counts = [], [], []
    pairs = _pairs(panel, base)
    for g, t, before in pairs:
        sides = _members(panel, g, t, before, comparison)
        if (sides.sum(axis=1) >= minimum).all():
            found.append((g, t, before))
            parts.append(_cell(panel, sides, t, before))
            counts.append(sides.sum(axis=1))
    if not any(t >= g for g, t, _ in found):
        raise ModelError(
            f"No group can be compared: each needs {minimum} region(s) and as many "
            f"{'never' if comparison == 'never' else 'not yet'} treated, observed in the wave and "
            "in the last one before treatment"
            + ("; try comparison='not_yet'." if comparison == "never" else ".")
        )
    g, t, before = np.array(found).T
    loading = np.stack([part[1] for part in parts])
    value = np.einsum("cnt,nt->c", loading, np.nan_to_num(panel.y))
    influence = np.stack([part[0] for part in parts], axis=1)
    years = (panel.waves[t] - panel.waves[before]).astype(float)
    treated, others = np.array(counts).T
    estimates = Estimates(value, influence, loading, years)
    return Cells(g, t, estimates, treated, others, len(pairs) - len(found))


def cohorts(panel: Timed) -> np.ndarray:
    """(n,) cohort code of each region for within-cohort variances; untreated regions are 0."""
    return np.unique(np.where(panel.treated, panel.start, NEVER), return_inverse=True)[1]


def cell_keys(panel: Timed, cells: Cells) -> dict[str, np.ndarray]:
    """What a record of a cell is keyed by."""
    return {
        "group": panel.waves[cells.group],
        "wave": panel.waves[cells.wave],
        "event": cells.event,
        "treated": cells.treated,
        "comparison": cells.comparison,
    }


def counts(panel: Timed, cells: Cells) -> dict[str, Any]:
    """Regions by group and part, rows and cells left out."""
    groups, sizes = np.unique(panel.start[panel.treated], return_counts=True)
    by_group = {str(panel.waves[g]): int(size) for g, size in zip(groups, sizes, strict=True)}
    return {
        "treated_by_group": by_group,
        "treated": int(panel.treated.sum()),
        "never_treated": int((~panel.treated).sum()),
        "always_treated": panel.always,
        "treated_later": panel.later,
        "dropped": panel.dropped,
        "cells": len(cells.group),
        "cells_missing": cells.missing,
    }
