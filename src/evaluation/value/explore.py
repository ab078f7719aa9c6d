"""Plans of one province, prepared so that each is worked out within milliseconds.

A plan raises or lowers inputs and keeps them there. What is expected of the literate share is the
forecast of the outlook plus, for each year, the gain that goes with the inputs by the estimates
between provinces. Errors of forecast and of estimate are taken as independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import KepuError
from evaluation.headline import Headline
from evaluation.targets.outlook import Outlook
from evaluation.value.assemble import LEVERS, MONEY, latest_levels
from evaluation.value.region import TAILS
from evaluation.value.scenario import Change, drawn_gain, verdict_of

DRAWS = 2000
STEP = 5  # per cent, of the ranges
WIDEST = (-50, 100)  # per cent of today's level a plan may change an input by


@dataclass(frozen=True)
class Lever:
    """An input of the province: today's level and how far a plan may change it.

    ``year, level`` are the last published ones, in the unit of the dose; ``seen`` the lowest and
    highest level among provinces; ``low, high`` the bounds of a plan in per cent of today's level,
    multiples of ``STEP`` inside what was seen.
    """

    name: str
    year: int
    level: float
    seen: tuple[float, float]
    low: int
    high: int


@dataclass(frozen=True, eq=False)
class Plan:
    """What one plan would go with.

    Attributes
    ----------
    changes : per cent by input, those not zero. year : the share is worked out for.
    gain : mean, lower and upper end (95 %) of the yearly gain, percentage points.
    share, unchanged : the same of the literate share in ``year``, per cent, with and without it.
    support, rows : gains of provinces whose inputs stood at least as far, of how many.
    verdict : of the gain, ``positive``, ``negative`` or ``unknown``. locks : of the evidence.
    """

    changes: dict[str, int]
    year: int
    gain: tuple[float, float, float]
    share: tuple[float, float, float]
    unchanged: tuple[float, float, float]
    support: int
    rows: int
    verdict: str
    locks: int


def _spread(draws: np.ndarray) -> tuple[float, float, float]:
    low, high = np.quantile(draws, TAILS)
    return float(draws.mean()), float(low), float(high)


@dataclass(frozen=True, eq=False)
class Plans:
    """The plans of a province; see :func:`plans`."""

    study: Any
    region: str
    start: int
    forecasts: np.ndarray = field(repr=False)
    levers: dict[str, Lever]

    @property
    def years(self) -> range:
        """Years a plan can be worked out for: after the last survey, as far as was back-tested."""
        return range(self.start + 1, self.start + 1 + self.forecasts.shape[1])

    @cached_property
    def _seen(self) -> pd.DataFrame:
        columns = {f"dose_{name}": name for name in self.levers}
        return self.study.provinces[list(columns)].rename(columns=columns)

    def plan(self, changes: Mapping[str, float], year: int) -> Plan:
        """Work out one plan.

        Parameters
        ----------
        changes : per cent by input, 0 for none. year : one of :attr:`years`.

        Raises
        ------
        KepuError : an input that is not known here, a change outside its bounds, money together
            with what it pays for, another year.
        """
        chosen = {name: value for name, value in changes.items() if value}
        self._checked(chosen, year)
        forecast = self.forecasts[:, year - self.start - 1]
        steps = tuple(Change(name, 1 + value / 100) for name, value in chosen.items())
        gain = drawn_gain(self.study, steps) if steps else np.zeros(len(forecast))
        years, size = year - self.start, min(len(gain), len(forecast))
        share = np.clip(forecast[:size] + years * gain[:size], 0, 100)
        support, rows = self._support(chosen)
        verdict = verdict_of(self.study, steps, gain) if steps else "unknown"
        locks = self.study.headline.grade.locks
        return Plan(
            dict(chosen), year, _spread(gain), _spread(share), _spread(forecast),
            support, rows, verdict, locks,
        )  # fmt: skip

    def _checked(self, chosen: Mapping[str, float], year: int) -> None:
        for name, value in chosen.items():
            if name not in self.levers:
                known = ", ".join(self.levers)
                raise KepuError(f"No level of '{name}' is known in {self.region}; known: {known}.")
            lever = self.levers[name]
            if not lever.low <= value <= lever.high:
                raise KepuError(
                    f"A change of '{name}' by {value:g} % is outside {lever.low} % to "
                    f"{lever.high} %, what provinces have shown; choose one inside."
                )
        if MONEY in chosen and len(chosen) > 1:
            raise KepuError(f"'{MONEY}' pays for the other inputs; change it alone or change them.")
        if year not in self.years:
            raise KepuError(
                f"Year {year} cannot be worked out; the last survey of {self.region} is of "
                f"{self.start} and forecasts reach {self.years[-1]}: name a year between them."
            )

    def _support(self, chosen: Mapping[str, float]) -> tuple[int, int]:
        """Rows of the panel at or beyond every planned level, on the side of the change."""
        rows = self._seen.dropna(subset=list(chosen))
        inside = np.ones(len(rows), dtype=bool)
        for name, value in chosen.items():
            side = math.copysign(1, value)
            planned = self.levers[name].level * (1 + value / 100)
            inside &= (side * rows[name] >= side * planned).to_numpy()
        return int(inside.sum()), len(rows)


def plans(study: Any, region: str, *, seed: int, draws: int = DRAWS) -> Plans:
    """Prepare the plans of a province.

    Parameters
    ----------
    study : :class:`evaluation.study.Study`. region : code of a province of the panel.
    seed : of the draws of the forecast. draws : at most that many of forecast and of estimate.

    Raises
    ------
    KepuError : no province, no estimate, no forecast, no input with a published level.
    """
    if region not in set(study.provinces["region_code"]):
        raise KepuError(
            f"The estimates compare provinces, and {region} is not among them; name a province."
        )
    for found, kind in ((study.headline, Headline), (study.outlook, Outlook)):
        if not isinstance(found, kind):
            raise KepuError(f"Nothing can be expected of a plan: {found}")
    own = study.outlook.series
    start = own.loc[own["region_code"] == region, "wave"].max()
    if pd.isna(start):
        raise KepuError(f"No plan for {region}: it has no survey with a sampling error.")
    years = range(int(start) + 1, int(start) + 1 + study.outlook.reach)
    levers = {name: lever for name in (*LEVERS, MONEY) if (lever := _lever(study, region, name))}
    if not levers:
        raise KepuError(f"No level of any input is published for {region}; nothing to change.")
    forecasts = study.outlook.draws(region, years, draws, seed)
    return Plans(study, region, int(start), forecasts, levers)


def _lever(study: Any, region: str, name: str) -> Lever | None:
    """The input with its bounds; none where no level or no draws of its estimate are there."""
    levels = latest_levels(study.dataset, name)
    if region not in levels.index or name not in study.value.effects:
        return None
    year, level = int(levels.at[region, "year"]), float(levels.at[region, "value"])
    least, most = (100 * (end / level - 1) / STEP for end in study.value.support[name])
    low = max(WIDEST[0], min(0, math.ceil(least) * STEP))
    high = min(WIDEST[1], max(0, math.floor(most) * STEP))
    return Lever(name, year, level, study.value.support[name], low, high)
