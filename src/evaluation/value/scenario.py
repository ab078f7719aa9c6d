"""What a planned increase would go with, for a region and over plans."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import MOST_LOCKS, Spoken, points, say
from evaluation.data.package import Dataset, stated
from evaluation.data.slices import code_of
from evaluation.evidence.checks import reading
from evaluation.evidence.headline import MAIN, TERM, Headline
from evaluation.targets.outlook import Outlook
from evaluation.value import costs
from evaluation.value import effects as cea
from evaluation.value.analysis import Value, latest_levels
from evaluation.value.costs import declared

# One region: a year of more programme funds, what it costs, and what draws say it buys.
# Willingness to pay, yuan per additional literate adult, at which curves are drawn.
WTP = np.unique(np.concatenate([[0.0], np.geomspace(100, 1e6, 81)]))
TAILS = (0.025, 0.975)


def _spread(draws: np.ndarray) -> tuple[float, float, float]:
    """Mean of draws and the ends of their interval at 95 %."""
    low, high = np.quantile(draws, TAILS)
    return float(draws.mean()), float(low), float(high)


def _middle(draws: np.ndarray) -> tuple[float, float, float]:
    """Median of draws, as forecasts are told, and the ends of their interval at 95 %."""
    return float(np.median(draws)), *_spread(draws)[1:]


@dataclass(frozen=True, eq=False)
class Assessment:
    """What draws of effect and cost say of one step; money in yuan of the deflator's last year.

    Below one lock there is no decision: no ratio, no chance of value, no value of information.

    Attributes
    ----------
    share : rise of every input and of the funds. people, adults : of the region.
    programme : see :func:`evaluation.value.costs.programme`; empty where the cost is given.
    points : draws of the yearly gain in percentage points. spent : draws of the additional cost,
        ``None`` where none is stated.
    years : that an additional literate adult counts for, see
        :func:`evaluation.value.costs.adult_years`; missing without a decision.
    decision : to do nothing or this, effects in literate adults and years; ``None`` below
        ``LEAST_LOCKS`` or without a cost.
    wtp : yuan that a literate adult is held to be worth for a year, ``None`` if nobody said so:
        then nothing is said on whether the step pays.
    ratio : yuan for a literate adult and year, ``None`` without a decision and where the interval
        of the effect holds zero.
    """

    share: float
    people: float
    adults: float
    programme: dict[str, float]
    points: np.ndarray
    spent: np.ndarray | None
    years: float
    decision: cea.Decision | None
    wtp: float | None
    ratio: cea.Ratio | None

    @property
    def gained(self) -> np.ndarray:
        """Draws of additional literate adults."""
        return self.points / 100 * self.adults

    def summary(self) -> dict[str, float]:
        """The numbers a page prints, by name; intervals are those of the draws at 95 %."""
        parts = {"points": self.points, "adults": self.gained}
        parts |= {} if self.spent is None else {"cost": self.spent}
        spreads = {name: _spread(draws) for name, draws in parts.items()}
        found = {
            f"{name}{end}": spread[place]
            for place, end in enumerate(("", ".low", ".high"))
            for name, spread in spreads.items()
        }
        if self.decision is None:
            return found
        found |= {"positive": float((self.gained > 0).mean()), "years": self.years}
        if self.wtp is None:
            return found
        return found | {
            "probability": float(cea.acceptability(self.decision, self.wtp)[0, 1]),
            "benefit": float(cea.expected_incremental_benefit(self.decision, self.wtp)[0]),
            "information": float(cea.perfect_information(self.decision, self.wtp)[0]),
        }

    def decided(self) -> cea.Decision:
        """The decision.

        Raises
        ------
        ModelError : the evidence carries no verdict on money, or no cost is stated.
        """
        if self.decision is None:
            raise ModelError("No verdict on money: the evidence has no lock, or no cost is stated.")
        return self.decision

    def curves(self) -> dict[str, np.ndarray]:
        """By willingness to pay: ``wtp, probability`` of the step, ``information`` per head."""
        decision = self.decided()
        return {
            "wtp": WTP,
            "probability": cea.acceptability(decision, WTP)[:, 1],
            "information": cea.perfect_information(decision, WTP) / self.people,
        }

    def benefits(self) -> dict[str, np.ndarray]:
        """By willingness to pay: ``wtp``, expected incremental ``benefit`` per head with ``low``
        and ``high`` (95 %), and ``frontier``, the probability that the better on average is best.
        """
        decision = self.decided()
        worth = cea.net_benefit(decision, WTP)
        low, high = np.quantile(worth[:, :, 1] - worth[:, :, 0], TAILS, axis=1)
        return {
            "wtp": WTP,
            "benefit": cea.expected_incremental_benefit(decision, WTP) / self.people,
            "low": low / self.people,
            "high": high / self.people,
            "frontier": cea.frontier(decision, WTP)[1],
        }


def assessed(
    points: np.ndarray, cost: Any, people: float, dataset: Dataset, *,
    priced: bool, wtp: float | None = None, share: float = float("nan"),
    programme: dict[str, float] | None = None,
) -> Assessment:  # fmt: skip
    """Join draws of a yearly gain in points and of its cost for a region of so many residents.

    Parameters
    ----------
    cost : draws or one number, ``None`` where none is stated. priced : whether the evidence
        carries a verdict on money, see :class:`evaluation.evidence.headline.Headline`.
    wtp : the user's own; else what the package states as the user's, else none.
    """
    adults = people * declared(dataset, "adult_share") / 100
    spent = None if cost is None else np.broadcast_to(np.asarray(cost, float), points.shape)
    years, decision, ratio = float("nan"), None, None
    if spent is not None and priced:
        years = costs.adult_years(dataset)
        decision = cea.two_options(points / 100 * adults * years, spent)
        try:
            ratio = cea.from_draws(decision)
        except ModelError:
            ratio = None  # the page then shows what remains true
    return Assessment(
        share=share, people=people, adults=adults, programme=programme or {},
        points=points, spent=spent, years=years, decision=decision, ratio=ratio,
        wtp=stated(dataset, "willingness_to_pay") if wtp is None else wtp,
    )  # fmt: skip


def assess(
    value: Value, dataset: Dataset, region: str, *, seed: int, wtp: float | None = None
) -> Assessment:
    """A year in which funds and every input of the composite are higher by the declared bound.

    The cost is that share of a year's programme funds, drawn log-uniformly from its declared
    range; the gain is the composite's, by the logs it was estimated on.

    Raises
    ------
    ModelError : effects, funds or population are not there.
    """
    if TERM not in value.effects:
        raise ModelError(value.reasons.get("effects", "There are no draws of the effect."))
    if value.people is None:
        raise ModelError(value.reasons["people"])
    share = declared(dataset, "reallocation_bound") / 100
    points = value.effects[TERM] * value.slope * np.log2(1 + share)
    money = costs.programme(dataset, value.funds, region)
    people = costs.latest(value.people, region)[1]
    logs = np.log([money["low"], money["high"]])
    per_head = np.exp(np.random.default_rng(seed).uniform(*logs, size=len(points)))
    cost = share * per_head * people
    return assessed(
        points, cost, people, dataset, priced=value.priced, wtp=wtp, share=share, programme=money
    )


# A planned increase: what it would go with by the estimates, refused where nothing was seen.
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
        gain = zip(("points", "low", "high"), _spread(self.result.points), strict=True)
        values = {name: points(value) for name, value in gain}
        says = say(f"outlook.{self.verdict}", language)
        return say(
            "speak.plan", language, region=self.region, says=says, level="95%",
            locks=self.locks, most=MOST_LOCKS, **values,
        )  # fmt: skip

    def __repr__(self) -> str:
        plan = ", ".join(f"{item.lever} × {item.factor:.3g}" for item in self.changes)
        return f"Projection({self.region}: {plan}; {self.verdict}, {self.locks} locks)"

    def record(self) -> dict[str, Any]:
        """The numbers as strict JSON can hold them; no ratio where the interval holds zero, and no
        verdict on money below one lock or where nobody said what an adult is worth."""
        numbers, ratio = self.result.summary(), self.result.ratio
        if ratio is not None:
            numbers |= {"ratio": ratio.value, "ratio.low": ratio.low, "ratio.high": ratio.high}
        return {
            "region": self.region, "verdict": self.verdict, "locks": self.locks,
            "changes": {item.lever: item.factor for item in self.changes},
            "budget": self.budget, "wtp": self.result.wtp, "results": numbers,
        }  # fmt: skip


def parse(texts: Iterable[str]) -> tuple[Change, ...]:
    """Read ``facility=+40%`` or ``facility=60:84``.

    Raises
    ------
    KepuError : another form, a lever given twice, a fall to nothing.
    """
    changes = []
    for text in texts:
        match = FORM.fullmatch(text.replace(" ", ""))
        if match is None:
            raise KepuError(f"'{text}' is not a change; write facility=+40% or facility=60:84.")
        lever, percent, before, after = match.groups()
        if percent is None and float(before) == 0:
            raise KepuError(f"'{text}' starts from 0; a change in proportion is not defined.")
        factor = 1 + float(percent) / 100 if percent else float(after) / float(before)
        if factor <= 0:
            raise KepuError(f"'{text}' leaves nothing of '{lever}'; no region showed that.")
        changes.append(Change(lever, factor))
    names = [item.lever for item in changes]
    if not names:
        raise KepuError("Name at least one change, e.g. --set facility=+40%.")
    if len(set(names)) < len(names):
        raise KepuError("A lever is changed twice; give each one change.")
    return tuple(changes)


def _ready(study: Any, region: str, needed: dict[str, type]) -> None:
    """Refuse a region without estimates, and a study without a part that is ``needed``."""
    if region not in set(study.provinces["region_code"]):
        words = study.dataset.words("en")
        article = "an" if words["unit"][:1].lower() in "aeiou" else "a"
        raise KepuError(
            f"The estimates compare {words['units']}, and {region} is not among them; "
            f"name {article} {words['unit']}."
        )
    for name, kind in needed.items():
        if not isinstance(part := getattr(study, name), kind):
            raise KepuError(f"Nothing can be expected of a plan: {part}")


def _paid_apart(names: Collection[str], money: str) -> None:
    if money in names and len(names) > 1:
        raise KepuError(f"'{money}' pays for the other inputs; change it alone or change them.")


def _level(study: Any, region: str, lever: str) -> tuple[int, float] | None:
    """Year and last published level of a lever in the region."""
    levels = latest_levels(study.dataset, lever)
    if region not in levels.index:
        return None
    return int(levels.at[region, "year"]), float(levels.at[region, "value"])


def _supported(study: Any, region: str, item: Change) -> tuple[int, float]:
    """Year and level of a lever in the region; refuses a plan outside what was seen."""
    known = _level(study, region, item.lever)
    if known is None:
        raise KepuError(f"No level of '{item.lever}' is published for {region}; nothing to raise.")
    year, level = known
    low, high = study.value.support[item.lever]
    if not low <= level * item.factor <= high:
        raise KepuError(
            f"{item.lever} at {level * item.factor:.4g} lies outside the {low:.4g} to {high:.4g} "
            f"seen among {study.dataset.words('en')['units']}; {region} stood at {level:.4g} in "
            f"{year}. Plan a factor of {low / level:.2f} to {high / level:.2f}."
        )
    return known


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
    steps = np.array([logs.get(lever, 0.0) for lever in study.dataset.levers])
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
    study : :class:`evaluation.study.Study`. region : code of a region of the panel.
    changes : see :func:`parse`. budget : yuan for one year, 0 if not stated. wtp : yuan that a
        literate adult is held to be worth for a year; unset, nothing is said on whether it pays.

    Raises
    ------
    KepuError : a region without estimates, an unknown lever, a plan outside the observed support,
        a negative budget.
    """
    changes, region = tuple(changes), code_of(study.dataset, region)
    _ready(study, region, {"headline": Headline})
    if budget < 0 or (wtp is not None and wtp < 0):
        raise KepuError("A budget and a willingness to pay cannot be negative.")
    doses = list(study.dataset.doses["dose"])
    for item in changes:
        if item.lever not in doses:
            raise KepuError(f"Unknown lever '{item.lever}'; known: {', '.join(doses)}.")
    _paid_apart({item.lever for item in changes}, study.dataset.money)
    levels = {item.lever: _supported(study, region, item) for item in changes}
    points = drawn_gain(study, changes)
    people = costs.latest(study.value.people, region)[1]
    verdict, locks = verdict_of(study, changes, points), study.headline.grade.locks
    cost = float(budget) if budget else None
    result = assessed(points, cost, people, study.dataset, priced=study.headline.priced, wtp=wtp)
    if verdict == "unknown":  # one input of several that stands out carries no ratio
        result = replace(result, ratio=None)
    return Projection(region, changes, levels, verdict, locks, result, float(budget))


def verdict_of(study: Any, changes: tuple[Change, ...], points: np.ndarray) -> str:
    """Reading of the gain's interval; of a single input only what Holm's correction upholds."""
    if len(changes) == 1:
        mine = [e for e in study.estimates if (e.dose, e.model) == (changes[0].lever, MAIN)]
        if not all(e.result and e.p_holm < 1 - e.result.level for e in mine):
            return "unknown"
    return reading(*np.quantile(points, TAILS))


# Plans of one region, prepared so that each is worked out within milliseconds.
DRAWS = 2000
STEP = 5  # per cent, of the ranges
WIDEST = (-50, 100)  # per cent of today's level a plan may change an input by


@dataclass(frozen=True)
class Lever:
    """An input of the region: today's level and how far a plan may change it.

    ``year, level`` are the last published ones, in the unit of the dose; ``seen`` the lowest and
    highest level among regions; ``low, high`` the bounds of a plan in per cent of today's level,
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
    share, unchanged : median and ends of the share in ``year``, per cent, with and without it.
    support, rows : gains of regions whose inputs stood at least as far, of how many.
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


@dataclass(frozen=True, eq=False)
class Plans:
    """The plans of a region; see :func:`plans`."""

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
        # Draws of the gain repeat where there are fewer: no draw of the forecast is left out.
        shift = (year - self.start) * np.resize(gain, len(forecast))
        share = np.clip(forecast + shift, 0, 100)
        support, rows = self._support(chosen)
        verdict = verdict_of(self.study, steps, gain) if steps else "unknown"
        locks = self.study.headline.grade.locks
        return Plan(
            dict(chosen), year, _spread(gain), _middle(share), _middle(forecast),
            support, rows, verdict, locks,
        )  # fmt: skip

    def _checked(self, chosen: Mapping[str, float], year: int) -> None:
        for name, value in chosen.items():
            if name not in self.levers:
                known = ", ".join(self.levers)
                raise KepuError(f"No level of '{name}' is known in {self.region}; known: {known}.")
            lever = self.levers[name]
            if not lever.low <= value <= lever.high:
                units = self.study.dataset.words("en")["units"]
                raise KepuError(
                    f"A change of '{name}' by {value:g} % is outside {lever.low} % to "
                    f"{lever.high} %, what {units} have shown; choose one inside."
                )
        _paid_apart(chosen, self.study.dataset.money)
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
    """Prepare the plans of a region.

    Parameters
    ----------
    study : :class:`evaluation.study.Study`. region : code of a region of the panel.
    seed : of the draws of the forecast. draws : at most that many of forecast and of estimate.

    Raises
    ------
    KepuError : no region compared, no estimate, no forecast, no input with a published level.
    """
    region = code_of(study.dataset, region)
    _ready(study, region, {"headline": Headline, "outlook": Outlook})
    own = study.outlook.series
    start = own.loc[own["region_code"] == region, "wave"].max()
    if pd.isna(start):
        raise KepuError(f"No plan for {region}: it has no survey with a sampling error.")
    years = range(int(start) + 1, int(start) + 1 + study.outlook.reach)
    doses = study.dataset.doses["dose"]
    levers = {name: lever for name in doses if (lever := _lever(study, region, name))}
    if not levers:
        raise KepuError(f"No level of any input is published for {region}; nothing to change.")
    forecasts = study.outlook.draws(region, years, draws, seed)
    return Plans(study, region, int(start), forecasts, levers)


def _lever(study: Any, region: str, name: str) -> Lever | None:
    """The input with its bounds; none where no level or no draws of its estimate are there."""
    known = _level(study, region, name)
    if known is None or name not in study.value.effects:
        return None
    year, level = known
    least, most = (100 * (end / level - 1) / STEP for end in study.value.support[name])
    low = max(WIDEST[0], min(0, math.ceil(least) * STEP))
    high = min(WIDEST[1], max(0, math.floor(most) * STEP))
    return Lever(name, year, level, study.value.support[name], low, high)
