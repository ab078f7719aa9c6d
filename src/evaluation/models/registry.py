"""The registry of estimators: one line each in ``MODELS``, and how one is fitted by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.base.results import Result
from evaluation.models import (
    events,
    fractional,
    linear,
    mixed,
    prediction,
    synthetic,
)
from evaluation.models.columns import GAINS, LEVELS, Inference, Roles


@dataclass(frozen=True)
class Model:
    """An entry of the registry.

    Attributes
    ----------
    fit : ``fit(panel, roles, inference) -> Result``; further options by keyword.
    outcome : what the outcome column holds, ``"gain"``, ``"level"``, or ``"event"``: the level,
        the dose being the timing of a designation.
    doses : whether it takes doses and covariates; without them it takes neither.
    """

    fit: Callable[..., Result]
    outcome: str
    doses: bool = True


MODELS: dict[str, Model] = {
    GAINS: Model(linear.fit_gains, "gain"),
    LEVELS: Model(linear.fit_levels, "level"),
    linear.MEAN: Model(linear.fit_mean, "gain", doses=False),
    fractional.PROBIT: Model(fractional.fit_probit, "level"),
    fractional.LOGIT: Model(fractional.fit_logit, "level"),
    mixed.NAME: Model(mixed.fit, "level"),
    prediction.NAME: Model(prediction.fit, "gain"),
    events.NAME: Model(events.fit, "event"),
    synthetic.CONTROL: Model(synthetic.control, "event"),
    synthetic.DIFFERENCES: Model(synthetic.differences, "event"),
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
    """Fit the model registered as ``name``, everything by keyword.

    ``arguments`` are the parts of :class:`Roles` (the panel's columns) and of :class:`Inference`,
    and what else the model takes.
    """
    roles = Roles(doses=arguments.pop("doses", ()), **_taken(arguments, Roles))
    inference = Inference(**_taken(arguments, Inference))
    return named(name).fit(panel, roles, inference, **arguments)


def _taken(arguments: dict[str, Any], kind: type) -> dict[str, Any]:
    """The arguments that ``kind`` has a field for, taken out of the rest."""
    names = [item.name for item in fields(kind) if item.name in arguments]
    return {name: arguments.pop(name) for name in names}
