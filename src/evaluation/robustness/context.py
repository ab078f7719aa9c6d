"""What every check is given, and the words shared by all checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models import Inference, Roles, named
from evaluation.models.columns import EFFECTS, MIN_REGIONS, equation
from evaluation.results import Check, Result
from evaluation.stats.bootstrap import wild_cluster_bootstrap
from evaluation.stats.least_squares import Equation, fgls_many

# A check is read beside others, not on its own: fewer draws than the headline.
DRAWS = 999
# A refit on a remnant of the panel can reach any p-value; with fewer degrees of freedom than this
# the check counts as not made.
MINIMUM_FREE = 10


@dataclass(frozen=True)
class Refit:
    """What a check reads of a second fit; names as in :class:`evaluation.results.Result`."""

    estimate: float
    se: float
    low: float
    high: float
    p: float
    clusters: int
    observations: int

    @property
    def verdict(self) -> str:
        """``positive``, ``negative`` or ``unknown`` (the interval holds zero)."""
        return reading(self.low, self.high)


def reading(low: float, high: float) -> str:
    """``positive``, ``negative`` or ``unknown``: on which side of zero an interval lies."""
    return "positive" if low > 0 else "negative" if high < 0 else "unknown"


def _bootstrapped(model: str, panel: pd.DataFrame, roles: Roles, inference: Inference) -> Refit:
    made = equation(model, panel, roles)
    regions = int(made.codes.max()) + 1
    if regions < MIN_REGIONS:
        raise ModelError(f"{regions} regions remain; at least {MIN_REGIONS} are needed.")
    free = len(made.y) - len(made.names)
    if free < MINIMUM_FREE:
        raise ModelError(f"{free} degrees of freedom are left; at least {MINIMUM_FREE} are needed.")
    found = wild_cluster_bootstrap(
        made.y,
        made.X,
        made.clusters,
        len(made.names) - 1,
        inference.draws,
        seed=inference.seed,
        observation_weights=made.known_variance_weights()[0],
        level=inference.level,
        nested=made.uncounted,
    )
    numbers = {name: getattr(found, name) for name in ("estimate", "se", "low", "high", "p")}
    return Refit(**numbers, clusters=regions, observations=len(made.y))


@dataclass(frozen=True, eq=False)
class Estimated:
    """An estimate with all that is needed to doubt it.

    Attributes
    ----------
    panel : the panel it was made from. result : the estimate, of the first dose.
    roles : of the panel. inference : of the estimate.
    rates : ``region_code, wave, rate, variance`` of the published rates, or None.
    rebuild : ``rebuild(design_effect, sample_factor) -> panel`` under other survey assumptions,
        or None.
    """

    panel: pd.DataFrame
    result: Result
    roles: Roles
    inference: Inference
    rates: pd.DataFrame | None = None
    rebuild: Callable[[float, float], pd.DataFrame] | None = None

    def __post_init__(self) -> None:
        if self.result.term != self.roles.dose:
            raise ModelError(
                f"The estimate is of '{self.result.term}', the first dose of the panel is "
                f"'{self.roles.dose}'."
            )
        if self.linear:
            self._check_estimate()

    def _check_estimate(self) -> None:
        """Refuse a panel and columns that are not those of the estimate."""
        own = self.equations().fit().coefficients[-1]
        if not np.isclose(own, self.result.estimate, rtol=1e-6):
            raise ModelError(
                f"Panel and columns give {own:.6g}, the estimate is "
                f"{self.result.estimate:.6g}: the checks would doubt another estimate."
            )

    @property
    def linear(self) -> bool:
        """Whether the model is one whose refits are one batch of normal equations."""
        return self.result.model in EFFECTS

    @property
    def draws(self) -> int:
        """Draws of a check: those of the estimate, at most 999."""
        return min(self.inference.draws, DRAWS)

    def equations(self) -> Equation:
        """The equation of the estimate."""
        return equation(self.result.model, self.panel, self.roles)

    def refit(self, panel: pd.DataFrame, draws: int | None = None, **changes: Any) -> Refit:
        """The model on another panel or with other columns, by its own inference.

        A linear model is refitted by its bootstrap alone, without all that the registered model
        puts beside an estimate.
        """
        roles, model = replace(self.roles, **changes), self.result.model
        inference = replace(self.inference, draws=draws or self.draws, level=self.result.level)
        if self.linear:
            return _bootstrapped(model, panel, roles, inference)
        found = named(model).fit(panel, roles, inference)
        return Refit(**{name: getattr(found, name) for name in Refit.__dataclass_fields__})

    def used(self) -> np.ndarray:
        """Rows of the panel the estimate rests on, (N,) bool."""
        if self.linear:
            return np.isin(np.arange(len(self.panel)), self.equations().rows)
        return self.panel[self.roles.used].notna().all(axis=1).to_numpy()


def impossible(name: str, reason: str) -> Check:
    """A check that could not be made; the reason stands in its row, it is never counted passed."""
    return Check(name, None, "check.impossible", {}, ({"reason": str(reason)},))


def estimates_without(context: Estimated, labels: pd.Series) -> pd.DataFrame:
    """The estimate with each label left out in turn.

    Parameters
    ----------
    labels : one label a row of the panel.

    Returns
    -------
    DataFrame ``left_out, rows, estimate``; missing where the rest does not identify the dose.
    """
    used = context.used()
    names = sorted(labels[used].unique())
    if context.linear:
        made = context.equations()
        kept = labels.to_numpy()[made.rows][None, :] != np.array(names, dtype=object)[:, None]
        values = fgls_many(made, kept)[:, -1]
    else:
        values = np.array([_one(context, (labels != name).to_numpy() & used) for name in names])
    counts = [int((labels[used] == name).sum()) for name in names]
    return pd.DataFrame({"left_out": names, "rows": counts, "estimate": values})


def _one(context: Estimated, keep: np.ndarray) -> float:
    try:
        return context.refit(context.panel[keep].reset_index(drop=True), draws=99).estimate
    except ModelError:
        return float("nan")


def records(frame: pd.DataFrame) -> tuple[dict[str, Any], ...]:
    """Rows of a frame as plain records."""
    return tuple(frame.to_dict("records"))
