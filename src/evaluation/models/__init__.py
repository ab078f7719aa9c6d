"""The estimators: one family a module, one line each in ``MODELS``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evaluation.errors import KepuError
from evaluation.models import (
    events,
    fixed_effects,
    foil,
    fractional,
    gain_regression,
    mixed,
    rates,
    synthetic,
)
from evaluation.results import Result


@dataclass(frozen=True)
class Model:
    """An entry of the registry.

    Attributes
    ----------
    fit : ``fit(panel, *, outcome, doses, region, wave, variance, covariates, ...) -> Result``.
    outcome : what the outcome column holds, ``"gain"``, ``"level"``, or ``"event"``: the level,
        the dose being the timing of a designation.
    minimum_waves : survey waves the model needs.
    doses : whether it takes doses and covariates; without them it takes neither.
    """

    fit: Callable[..., Result]
    outcome: str
    minimum_waves: int
    doses: bool = True


MODELS: dict[str, Model] = {
    gain_regression.NAME: Model(gain_regression.fit, "gain", 2),
    fixed_effects.NAME: Model(fixed_effects.fit, "level", 3),
    rates.NAME: Model(rates.fit, "gain", 2, doses=False),
    fractional.PROBIT: Model(fractional.fit_probit, "level", 2),
    fractional.LOGIT: Model(fractional.fit_logit, "level", 2),
    mixed.NAME: Model(mixed.fit, "level", 2),
    foil.NAME: Model(foil.fit, "gain", 2),
    events.NAME: Model(events.fit, "event", 2),
    synthetic.CONTROL: Model(synthetic.control, "event", 4),
    synthetic.DIFFERENCES: Model(synthetic.differences, "event", 4),
}


def named(name: str) -> Model:
    """The entry registered as ``name``.

    Raises
    ------
    KepuError : no such model; the message lists those there are.
    """
    if name not in MODELS:
        raise KepuError(f"Unknown model '{name}'. Known models: {', '.join(sorted(MODELS))}.")
    return MODELS[name]


def fit(name: str, panel: pd.DataFrame, **arguments: Any) -> Result:
    """Fit the model registered as ``name``; ``arguments`` name the panel's columns."""
    return named(name).fit(panel, **arguments)
