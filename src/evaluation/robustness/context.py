"""What every check is given, and the words shared by all checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import ModelError
from evaluation.linear_system import EFFECTS, System, checked, fgls_many, system
from evaluation.models import fit
from evaluation.results import Check, Result

# A check is read beside others, not on its own: fewer draws than the headline.
DRAWS = 999


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

    def refit(self, panel: pd.DataFrame | None = None, **changes: Any) -> Result:
        """The model on another panel or with another specification, with its own inference."""
        spec = {**self.settings, "draws": self.draws, **changes}
        panel = self.panel if panel is None else panel
        return fit(spec.pop("model"), panel, level=self.result.level, **spec)

    def used(self) -> np.ndarray:
        """Rows of the panel without missing values in the columns of the model, (N,) bool."""
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
