"""The reasonable specifications of one estimate, listed before any is fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd

from evaluation.robustness.context import Estimated
from evaluation.robustness.leave_out import BREAK
from evaluation.stats.least_squares import Equation

TRANSFORMATIONS = ("log2", "level", "z")
# A wave is left out in its turn if it holds this share of the rows; smaller ones change nothing.
LARGE_WAVE = 0.1
# Subsets of covariates are all taken up to this many covariates (2 to the power of 6 = 64).
MAXIMUM_COVARIATES = 6


@dataclass(frozen=True, eq=False)
class Curve:
    """The common sample of all specifications, and what they choose from.

    Attributes
    ----------
    equations : of the estimate. doses : transformation -> (N,) first dose, per s.d. between rows
        after the effects are taken out. flagged : (N,) gain crosses a break.
    masks : list of (break gains in or out, wave left out or empty, (N,) bool).
    """

    equations: Equation
    doses: dict[str, np.ndarray]
    masks: list[tuple[str, str, np.ndarray]]


def _level(values: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """The dose as log2 and as level; a dose not on the log scale needs to be positive for log2."""
    if name.startswith("log2_"):
        return {"log2": values, "level": np.exp2(values)}
    return (
        {"log2": np.log2(values)} | {"level": values} if (values > 0).all() else {"level": values}
    )


def _standard(values: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Standard score within each wave; 0 where a wave has no spread."""
    groups = pd.Series(values).groupby(waves)
    spread = groups.transform("std").to_numpy()
    centred = values - groups.transform("mean").to_numpy()
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


def _per_sd(values: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Scaled to unit standard deviation after the effects, so that estimates share one unit."""
    rest = values - effects @ np.linalg.lstsq(effects, values, rcond=None)[0]
    return values / rest.std()


def _masks(context: Estimated, eqs: Equation) -> list[tuple[str, str, np.ndarray]]:
    everything = np.ones(len(eqs.y), dtype=bool)
    flagged = np.zeros(len(eqs.y), dtype=bool)
    if BREAK in context.panel.columns:
        flagged = context.panel[BREAK].to_numpy(dtype=bool)[eqs.rows]
    names, counts = np.unique(eqs.periods.astype(str), return_counts=True)
    large = names[counts >= LARGE_WAVE * len(eqs.y)]
    found: dict[bytes, tuple[str, str, np.ndarray]] = {}
    for breaks, left in product(("in", "out"), ("", *large)):
        keep = everything if breaks == "in" else ~flagged
        keep = keep & (eqs.periods.astype(str) != left)
        found.setdefault(keep.tobytes(), (breaks, left, keep))
    return [entry for entry in found.values() if entry[2].any()]


def curve(context: Estimated) -> Curve:
    """Everything the specifications are built from, on the rows complete in all covariates.

    One sample for all of them, so that they differ in what they specify and in nothing else.
    """
    eqs = context.equations()
    raw = eqs.matrix[:, -1]
    forms = _level(raw, context.roles.dose)
    forms["z"] = _standard(forms["level"], eqs.periods)
    effects = eqs.matrix[:, : eqs.effects]
    doses = {k: _per_sd(forms[k], effects) for k in TRANSFORMATIONS if k in forms}
    return Curve(eqs, doses, _masks(context, eqs))


def subsets(context: Estimated) -> list[tuple[str, ...]]:
    """All subsets of the declared covariates; of more than six, none, each alone, all but each."""
    names = tuple(context.roles.covariates)
    sizes = range(len(names) + 1)
    if len(names) > MAXIMUM_COVARIATES:
        sizes = (0, 1, len(names) - 1, len(names))
    return [chosen for size in sizes for chosen in combinations(names, size)]


def specifications(context: Estimated, parts: Curve) -> Iterator[dict[str, Any]]:
    """One record a specification: its names, its columns, its rows, whether it is weighted."""
    eqs = parts.equations
    weightings = ("none",) if eqs.variance is None else ("known_variance", "none")
    effects = list(range(eqs.effects))
    others = list(range(len(eqs.names) - eqs.doses, len(eqs.names) - 1))
    for chosen, weighting, mask in product(subsets(context), weightings, parts.masks):
        columns = [*effects, *(eqs.names.index(name) for name in chosen), *others]
        yield {
            "covariates": chosen,
            "weights": weighting,
            "breaks": mask[0],
            "wave_left_out": mask[1],
            "columns": columns,
            "rows": mask[2],
        }
