"""What stands beside the headline: CRV3, randomisation inference, the detectable effect."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from evaluation.errors import ModelError
from evaluation.models.design import Columns, Design
from evaluation.stats.bootstrap import romano_wolf
from evaluation.stats.least_squares import LeastSquares, jackknife, least_squares
from evaluation.stats.permutation import randomisation_inference
from evaluation.stats.power import (
    Detectable,
    SimulatedTest,
    minimum_detectable_effect,
    region_correlation,
)

PANELS, DRAWS = 500, 199


def error_scale(fit: LeastSquares, weights: np.ndarray | None) -> float:
    """Variance of the errors of the weighted equation: known, or that of the residuals."""
    if weights is None:
        return float(fit.residuals @ fit.residuals) / fit.free
    return float(1 / weights.mean())


def randomised(
    design: Design, weights: np.ndarray | None, *, draws: int, seed: int, level: float
) -> dict[str, Any]:
    """Randomisation inference, or the reason why it says nothing here."""
    if design.periods is None:
        return {"reason": "the design does not say which rows are of one wave"}
    try:
        found = randomisation_inference(
            design.y, design.X, design.clusters, design.periods, design.X.shape[1] - 1, draws,
            seed=seed, observation_weights=weights,
        )  # fmt: skip
    except ModelError as error:
        return {"reason": str(error)}
    kept = {"smallest_p": found.smallest_p, "draws": found.draws, "moved": found.moved}
    if found.smallest_p > 1 - level:
        return kept | {"reason": "too few distinct dealings of the dose to reject anything"}
    return {"p": found.p} | kept


def stepped(
    design: Design, roles: Columns, weights: np.ndarray | None, *, draws: int, seed: int
) -> dict[str, float]:
    """Romano-Wolf p-values of the doses of one model, by name."""
    fits = []
    for dose in roles.doses:
        others = [name for name in design.X.columns if name != dose]
        fits.append((least_squares(design.y, design.X[[*others, dose]], weights), design.clusters))
    adjusted = romano_wolf(fits, draws, seed=seed)
    return dict(zip(roles.doses, map(float, adjusted), strict=True))


def detectable(
    design: Design,
    fit: LeastSquares,
    codes: np.ndarray,
    weights: np.ndarray | None,
    *,
    seed: int,
    level: float,
) -> Detectable:
    """Minimum detectable effect at the regions, waves and gaps of the design."""
    test = SimulatedTest(
        fit,
        codes,
        scale=error_scale(fit, weights),
        correlation=region_correlation(fit, codes, design.nested),
        nested=design.nested,
        panels=PANELS,
        draws=DRAWS,
        seed=seed,
        level=level,
    )
    return minimum_detectable_effect(test)


def beside(
    design: Design,
    roles: Columns,
    fit: LeastSquares,
    codes: np.ndarray,
    weights: np.ndarray | None,
    *,
    draws: int,
    seed: int,
    level: float,
) -> dict[str, Any]:
    """Details ``crv3``, ``ri``, ``mde``, ``mde_simulation``; of several doses ``romano_wolf``."""
    power = detectable(design, fit, codes, weights, seed=seed, level=level)
    found = {
        "crv3": asdict(jackknife(fit, codes, design.nested, level)),
        "ri": randomised(design, weights, draws=draws, seed=seed, level=level),
        "mde": power.effect,
        "mde_simulation": asdict(power),
    }
    if design.doses > 1:
        found["romano_wolf"] = stepped(design, roles, weights, draws=draws, seed=seed)
    return found
