"""Does each rung find the truth it was given? Bias and coverage over generated panels.

Nothing here is an observation: every panel is drawn from the model of its rung.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation import models
from evaluation.errors import KepuError, ModelError
from evaluation.recovery_panels import RUNGS
from evaluation.survey import wilson_interval


@dataclass(frozen=True)
class Recovery:
    """What one rung made of panels with a known truth.

    Attributes
    ----------
    panels : number drawn. refused : how many the model refused, which enter nothing else.
    truth, mean : means over the panels estimated; in the model's unit.
    bias, bias_error : mean of estimate - truth and its Monte Carlo standard error.
    spread : standard deviation of estimate - truth.
    coverage, coverage_low, coverage_high : share of intervals that hold the truth, with its 95 %
        Wilson interval; to be compared with ``level``.
    reasons : the refusals in the model's words, each once, with their number.
    """

    model: str
    panels: int
    refused: int
    truth: float
    mean: float
    bias: float
    bias_error: float
    spread: float
    coverage: float
    coverage_low: float
    coverage_high: float
    level: float
    reasons: tuple[tuple[str, int], ...] = ()


def _rows(model: str, panels: int, seed: int, regions: int, draws: int, level: float):
    """Error and cover of every panel the model accepts, and the refusals."""
    rung, rows, refusals = RUNGS[model], [], []
    for i, stream in enumerate(np.random.SeedSequence(seed).spawn(panels)):
        frame, truth = rung.draw(np.random.default_rng(stream), regions)
        run = {"draws": draws, "seed": seed + i, "level": level}
        try:
            found = models.fit(model, frame, **rung.arguments, **run)
        except ModelError as error:
            refusals.append(str(error))
            continue
        rows.append((truth, found.estimate, found.low <= truth <= found.high))
    return np.array(rows, dtype=float), refusals


def recover(
    model: str,
    panels: int = 500,
    seed: int = 1,
    *,
    regions: int = 31,
    draws: int = 399,
    level: float = 0.95,
) -> Recovery:
    """Fit a rung to generated panels and compare estimates and intervals with the truth.

    Panels have ``regions`` regions and up to five waves, two rows in five missing.

    Parameters
    ----------
    model : a key of :data:`evaluation.recovery_panels.RUNGS`. panels : their number.
    seed : of the panels and of the bootstraps. draws, level : of each fit.

    Raises
    ------
    KepuError : no truth is defined for the model (a foil predicts, it estimates nothing).
    ModelError : every panel is refused; the message is that of the first.
    """
    if model not in RUNGS:
        raise KepuError(f"No generated truth for model '{model}'. Known: {', '.join(RUNGS)}.")
    if panels < 2:
        raise KepuError(
            f"{panels} panels are too few to measure bias and coverage; take 2 or more."
        )
    rows, refusals = _rows(model, panels, seed, regions, draws, level)
    if len(rows) < 2:
        raise ModelError(f"{len(refusals)} of {panels} panels were refused, first: {refusals[0]}")
    truth, estimate, covered = rows.T
    error, share = estimate - truth, covered.mean()
    low, high = wilson_interval(np.array([share]), np.array([float(len(rows))]), 1.0)
    counted = pd.Series(refusals, dtype=object).value_counts()
    return Recovery(
        model=model,
        panels=panels,
        refused=len(refusals),
        truth=float(truth.mean()),
        mean=float(estimate.mean()),
        bias=float(error.mean()),
        bias_error=float(error.std(ddof=1) / np.sqrt(len(rows))),
        spread=float(error.std(ddof=1)),
        coverage=float(share),
        coverage_low=float(low[0]),
        coverage_high=float(high[0]),
        level=level,
        reasons=tuple((str(text), int(n)) for text, n in counted.items()),
    )
