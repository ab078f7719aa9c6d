"""A planned increase: what it would go with by the estimates, refused where nothing was seen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import KepuError
from evaluation.headline import MAIN, Headline
from evaluation.spoken import MOST_LOCKS, Spoken, points, say
from evaluation.value import costs
from evaluation.value.assemble import LEVERS, MONEY, latest_levels
from evaluation.value.ratio import told_from_zero
from evaluation.value.region import TAILS, Assessment, assessed

# Below this many locks nothing but a description is permitted, and no ratio is printed.
LEAST_LOCKS = 1
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
FORM = re.compile(rf"([a-z_]+)=(?:([+-]{_NUMBER})%|({_NUMBER}):({_NUMBER}))")


@dataclass(frozen=True)
class Change:
    """A lever and the factor its level is multiplied by."""

    lever: str
    factor: float


@dataclass(frozen=True, repr=False)
class Projection(Spoken):
    """What a plan would go with.

    Attributes
    ----------
    region : code. changes : planned. levels : today's level of each lever with its year.
    verdict : of the gain's interval, ``positive``, ``negative`` or ``unknown``; what Holm's
        correction over the inputs does not uphold is ``unknown`` too.
    locks : strength of the evidence. result : gain, cost and what follows from them.
    budget : stated, yuan; 0 where none was.
    """

    region: str
    changes: tuple[Change, ...]
    levels: dict[str, tuple[int, float]]
    verdict: str
    locks: int
    result: Assessment
    budget: float

    def table(self) -> pd.DataFrame:
        """The numbers by name: ``quantity, value``."""
        return pd.DataFrame(self.record()["results"].items(), columns=["quantity", "value"])

    def summary(self, language: str = "en") -> str:
        """Difference of the yearly gain with its interval, and what may be said of it."""
        told = self.result.summary()
        ends = {"points": "points", "low": "points.low", "high": "points.high"}
        values = {name: points(told[key]) for name, key in ends.items()}
        says = say(f"outlook.{self.verdict}", language)
        return say(
            "speak.plan", language, region=self.region, says=says, level="95%",
            locks=self.locks, most=MOST_LOCKS, **values,
        )  # fmt: skip

    def __repr__(self) -> str:
        plan = ", ".join(f"{item.lever} × {item.factor:.3g}" for item in self.changes)
        return f"Projection({self.region}: {plan}; {self.verdict}, {self.locks} locks)"

    def record(self) -> dict[str, Any]:
        """The numbers as strict JSON can hold them; no ratio where the interval holds zero."""
        found = {k: v for k, v in self.result.summary().items() if np.isfinite(v)}
        if not self.budget:
            money = ("cost", "probability", "benefit", "information", "break_even")
            found = {k: v for k, v in found.items() if not k.startswith(money)}
        ratio = self.result.ratio
        if ratio is not None and self.budget:
            found |= {"ratio": ratio.value, "ratio.low": ratio.low, "ratio.high": ratio.high}
        else:
            found.pop("break_even", None)
        return {
            "region": self.region, "verdict": self.verdict, "locks": self.locks,
            "changes": {item.lever: item.factor for item in self.changes},
            "budget": self.budget, "wtp": self.result.wtp, "results": found,
        }  # fmt: skip


def parse(texts: Iterable[str]) -> tuple[Change, ...]:
    """Read ``facility=+40%`` or ``facility=60:84``.

    Raises
    ------
    KepuError : another form, a lever given twice, a fall to nothing.
    """
    changes = []
    for text in texts:
        found = FORM.fullmatch(text.replace(" ", ""))
        if found is None:
            raise KepuError(f"'{text}' is not a change; write facility=+40% or facility=60:84.")
        lever, percent, before, after = found.groups()
        if percent is None and float(before) == 0:
            raise KepuError(f"'{text}' starts from 0; a change in proportion is not defined.")
        factor = 1 + float(percent) / 100 if percent else float(after) / float(before)
        if factor <= 0:
            raise KepuError(f"'{text}' leaves nothing of '{lever}'; no province showed that.")
        changes.append(Change(lever, factor))
    names = [item.lever for item in changes]
    if not names:
        raise KepuError("Name at least one change, e.g. --set facility=+40%.")
    if len(set(names)) < len(names):
        raise KepuError("A lever is changed twice; give each one change.")
    return tuple(changes)


def _known(study: Any, changes: tuple[Change, ...]) -> None:
    doses = list(study.dataset.doses["dose"])
    for item in changes:
        if item.lever not in doses:
            raise KepuError(f"Unknown lever '{item.lever}'; known: {', '.join(doses)}.")
    names = {item.lever for item in changes}
    if MONEY in names and len(names) > 1:
        raise KepuError(f"'{MONEY}' pays for the other levers; change it alone or change them.")


def _supported(study: Any, region: str, item: Change) -> tuple[int, float]:
    """Year and level of a lever in the region; refuses a plan outside what provinces showed."""
    levels = latest_levels(study.dataset, item.lever)
    if region not in levels.index:
        raise KepuError(f"No level of '{item.lever}' is published for {region}; nothing to raise.")
    year, level = int(levels.at[region, "year"]), float(levels.at[region, "value"])
    low, high = study.value.support[item.lever]
    if not low <= level * item.factor <= high:
        raise KepuError(
            f"{item.lever} at {level * item.factor:.4g} lies outside the {low:.4g} to {high:.4g} "
            f"seen among provinces; {region} stood at {level:.4g} in {year}. Plan a factor of "
            f"{low / level:.2f} to {high / level:.2f}."
        )
    return year, level


def drawn_gain(study: Any, changes: tuple[Change, ...]) -> np.ndarray:
    """Draws of the yearly gain: a single lever's own, several levers' from one equation."""
    value, logs = study.value, {item.lever: np.log2(item.factor) for item in changes}
    if len(changes) == 1:
        lever = changes[0].lever
        if lever not in value.effects:
            raise KepuError(f"The effect of '{lever}' cannot be estimated from these data.")
        return value.effects[lever] * logs[lever]
    if value.levers is None:
        raise KepuError(f"The levers cannot be told apart here: {value.reasons['levers']}")
    steps = np.array([logs.get(lever, 0.0) for lever in LEVERS])
    return value.levers.draws @ steps


def scenario(
    study: Any,
    region: str,
    changes: Iterable[Change],
    *,
    budget: float = 0.0,
    wtp: float | None = None,
) -> Projection:
    """Expected yearly gain of a plan with its interval, and what the budget makes of it.

    Parameters
    ----------
    study : :class:`evaluation.study.Study`. region : code of a province of the panel.
    changes : see :func:`parse`. budget : yuan for one year, 0 if not stated. wtp : yuan per
        additional literate adult; by default the declared one.

    Raises
    ------
    KepuError : a region without estimates, an unknown lever, a plan outside the observed support,
        a negative budget.
    """
    changes, found = tuple(changes), study.headline
    if region not in set(study.provinces["region_code"]):
        raise KepuError(
            f"The estimates compare provinces, and {region} is not among them; name a province."
        )
    if not isinstance(found, Headline):
        raise KepuError(f"Nothing can be expected of a plan: {found}")
    if budget < 0 or (wtp is not None and wtp < 0):
        raise KepuError("A budget and a willingness to pay cannot be negative.")
    _known(study, changes)
    levels = {item.lever: _supported(study, region, item) for item in changes}
    points = drawn_gain(study, changes)
    residents = costs.latest(study.value.people, region)
    result = assessed(points, float(budget), residents, study.dataset, wtp=wtp)
    verdict, locks = verdict_of(study, changes, points), found.grade.locks
    if verdict == "unknown" or locks < LEAST_LOCKS:
        # One input of several that stands out, or evidence for no comparison, carries no ratio.
        result = replace(result, ratio=None)
    return Projection(region, changes, levels, verdict, locks, result, float(budget))


def verdict_of(study: Any, changes: tuple[Change, ...], points: np.ndarray) -> str:
    low, high = np.quantile(points, TAILS)
    told = told_from_zero(low, high)
    if len(changes) == 1:
        mine = [e for e in study.estimates if (e.dose, e.model) == (changes[0].lever, MAIN)]
        told = told and all(e.result and e.p_holm < 1 - e.result.level for e in mine)
    return "unknown" if not told else "positive" if low > 0 else "negative"
