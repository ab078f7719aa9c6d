"""What every check is given, and the words shared by all checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.models import fit
from evaluation.results import Check, Result
from evaluation.stats.bootstrap import wild_cluster_bootstrap
from evaluation.stats.least_squares import (
    EFFECTS,
    System,
    checked,
    fgls_many,
    fgls_weights,
    least_squares,
    system,
)

# A check is read beside others, not on its own: fewer draws than the headline.
DRAWS = 999
# Below this the models refuse a panel, and so do their refits.
MINIMUM_REGIONS = 10
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


def _bootstrapped(panel: pd.DataFrame, spec: dict[str, Any], level: float) -> Refit:
    eqs = system(panel, spec)
    regions = int(eqs.codes.max()) + 1
    if regions < MINIMUM_REGIONS:
        raise ModelError(f"{regions} regions remain; at least {MINIMUM_REGIONS} are needed.")
    free = len(eqs.y) - len(eqs.names)
    if free < MINIMUM_FREE:
        raise ModelError(f"{free} degrees of freedom are left; at least {MINIMUM_FREE} are needed.")
    weights = None if eqs.variance is None else fgls_weights(eqs)
    found = wild_cluster_bootstrap(
        eqs.y,
        pd.DataFrame(eqs.X, columns=list(eqs.names)),
        eqs.regions,
        eqs.first,
        spec["draws"],
        seed=spec["seed"],
        observation_weights=weights,
        level=level,
        nested=eqs.nested,
    )
    numbers = {name: getattr(found, name) for name in ("estimate", "se", "low", "high", "p")}
    return Refit(**numbers, clusters=regions, observations=len(eqs.y))


@dataclass(frozen=True, eq=False)
class Estimated:
    """An estimate with all that is needed to doubt it.

    Attributes
    ----------
    panel : the panel it was made from. result : the estimate; its term is ``spec["doses"][0]``.
    spec : ``model, outcome, doses, covariates, region, wave, variance, seed, draws``.
    rates : ``region_code, wave, rate, variance`` of the published rates, or None.
    rebuild : ``rebuild(design_effect, sample_factor) -> panel`` under other survey assumptions,
        or None.
    """

    panel: pd.DataFrame
    result: Result
    spec: Mapping[str, Any]
    rates: pd.DataFrame | None = None
    rebuild: Callable[[float, float], pd.DataFrame] | None = None
    settings: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        spec = checked(self.spec)
        if self.result.term != spec["doses"][0]:
            raise ModelError(
                f"The estimate is of '{self.result.term}', the specification's first dose is "
                f"'{spec['doses'][0]}'."
            )
        object.__setattr__(self, "settings", spec)
        if self.linear:
            self._check_estimate()

    def _check_estimate(self) -> None:
        """Refuse a panel and specification that are not those of the estimate."""
        eqs = self.equations()
        own = least_squares(eqs.y, eqs.X, fgls_weights(eqs)).coefficients[eqs.first]
        if not np.isclose(own, self.result.estimate, rtol=1e-6):
            raise ModelError(
                f"Panel and specification give {own:.6g}, the estimate is "
                f"{self.result.estimate:.6g}: the checks would doubt another estimate."
            )

    @property
    def linear(self) -> bool:
        """Whether the model is one whose refits are one batch of normal equations."""
        return self.settings["model"] in EFFECTS

    @property
    def draws(self) -> int:
        """Draws of a check: those of the estimate, at most 999."""
        return min(int(self.settings["draws"]), DRAWS)

    def equations(self) -> System:
        """The linear system of the estimate."""
        return system(self.panel, self.settings)

    def refit(self, panel: pd.DataFrame, **changes: Any) -> Refit:
        """The model on another panel or with other columns, by its own inference.

        A linear model is refitted by its bootstrap alone, without all that the registered model
        puts beside an estimate.
        """
        spec = {**self.settings, "draws": self.draws, **changes}
        if spec["model"] in EFFECTS:
            return _bootstrapped(panel, spec, self.result.level)
        found = fit(spec.pop("model"), panel, level=self.result.level, **spec)
        return Refit(**{name: getattr(found, name) for name in Refit.__dataclass_fields__})

    def used(self) -> np.ndarray:
        """Rows of the panel the estimate rests on, (N,) bool."""
        if self.linear:
            return np.isin(np.arange(len(self.panel)), self.equations().rows)
        s = self.settings
        known = [] if s["variance"] is None else [s["variance"]]
        columns = [s["outcome"], *s["doses"], *s["covariates"], *known, s["region"], s["wave"]]
        return self.panel[columns].notna().all(axis=1).to_numpy()


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
        eqs = context.equations()
        kept = labels.to_numpy()[eqs.rows][None, :] != np.array(names, dtype=object)[:, None]
        values = fgls_many(eqs, kept)[:, eqs.first]
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
