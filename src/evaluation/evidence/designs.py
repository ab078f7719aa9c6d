"""Declared programmes: the design each allows, its estimate, its own checks and its grade."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from evaluation.base.errors import KepuError, ModelError
from evaluation.base.results import Check, Result, Spoken, figures, percent, say
from evaluation.base.text import rounded, t
from evaluation.data.package import Dataset, by_year
from evaluation.evidence.checks import check, held_without, reference_effect
from evaluation.evidence.grade import Design, Grade, grade_programme, permitted
from evaluation.models import dosed, events, synthetic
from evaluation.models.columns import Inference, Roles
from evaluation.stats.bootstrap import holm
from evaluation.stats.permutation import p_value
from evaluation.survey.panel import FIRST, STALE, Rollout, rollouts

ROLES = Roles(
    outcome="rate", doses=(FIRST,), region="region_code", wave="wave", variance="variance"
)
# Regions never reached that are enough to be the only comparison of a programme whose regions
# were chosen; with fewer, those reached later take part until they are.
ENOUGH_NEVER = 10
# Departures from parallel trends, as multiples of the largest there was before the programme.
MULTIPLES = (0.5, 1.0, 1.5, 2.0)
# What Works Clearinghouse (2022), handbook 5.0: attrition within these keeps the bias of a
# randomised comparison tolerable even under cautious assumptions.
MOST_LOST, MOST_APART = 0.20, 0.05


@dataclass(frozen=True, eq=False)
class Fitted:
    """A programme with its estimate and all that is needed to doubt it.

    Attributes
    ----------
    frame : rows of the rollout's panel that the estimate rests on. result : the estimate.
    options : those of :func:`evaluation.models.events.fit`; empty for a single region.
    smallest : the smallest difference of interest, points a year, declared beforehand, or None.
    opening : what is known of each region before the programme, one column a quantity.
    """

    rollout: Rollout
    frame: pd.DataFrame
    result: Result
    options: Mapping[str, object]
    inference: Inference
    smallest: float | None
    opening: pd.DataFrame

    @property
    def interest(self) -> float:
        """What checks are held to, points a year, by the rule of the other checks."""
        found = self.result.details.get("mde_approximate", 0.0) / self.years
        return reference_effect(self.smallest, found if np.isfinite(found) else np.inf)

    @cached_property
    def years(self) -> float:
        """Years from the last survey before the programme to the outcomes averaged."""
        if not self.options:
            gaps = pd.DataFrame(self.result.details["gaps"])
            return float(gaps.loc[gaps["after"], "wave"].mean() - self._base(gaps))
        return estimate(self.frame, self.options)[1]

    @staticmethod
    def _base(gaps: pd.DataFrame) -> float:
        return float(gaps.loc[~gaps["after"], "wave"].max())


def estimate(frame: pd.DataFrame, options: Mapping[str, object]) -> tuple[float, float]:
    """The average over groups alone, and the years from base to outcome behind it."""
    return _average(events.timed_panel(frame, ROLES), options)


def _average(timed: events.Timed, options: Mapping[str, object]) -> tuple[float, float]:
    least = 2 if events.bootstraps(timed) else 1
    cells = events.group_time(timed, str(options["comparison"]), "universal", minimum=least)
    found = events.averages(timed, cells, "group")[2]
    return float(found.value[0]), float(found.years[0])


# Which programmes can be compared, and how.


def fitted(
    rollout: Rollout, dataset: Dataset, inference: Inference, smallest: float | None
) -> Fitted:
    """Estimate the difference a programme went with, by the design its assignment allows.

    One region reached: synthetic differences, placebo regions. Several: group-time differences
    (Callaway and Sant'Anna); drawn by lot, the lot is drawn again, within its strata.

    Raises
    ------
    ModelError : too few regions or surveys, nobody to compare with, a design without a test.
    """
    frame = rollout.panel
    if frame.empty:
        raise ModelError(f"No region of level '{rollout.level}' has a surveyed rate.")
    frame = frame[frame["region_code"].isin(rollout.regions)]
    reached = int((rollout.cohorts > min(rollout.waves)).sum())
    if reached == 1:
        options: dict[str, object] = {}
        result = synthetic.differences(frame, ROLES, inference)
    else:
        options = _options(rollout)
        frame = _complete(frame) if "lots" in options else frame
        result = events.fit(frame.reset_index(drop=True), ROLES, inference, **options)
    opening = opening_values(rollout, dataset)
    return Fitted(rollout, frame, result, options, inference, smallest, opening)


def _options(rollout: Rollout) -> dict[str, object]:
    """Who is compared: later regions too, where the outcome had no part in the order."""
    never = int((rollout.cohorts == 0).sum())
    chosen = rollout.assignment == "chosen" and never >= ENOUGH_NEVER
    options: dict[str, object] = {"comparison": "never" if chosen else "not_yet"}
    if rollout.assignment == "randomised":
        options["lots"] = rollout.strata.to_dict()
    return options


def _complete(frame: pd.DataFrame) -> pd.DataFrame:
    """Regions seen in every survey: what is drawn again are whole trajectories."""
    seen = frame.groupby("region_code")["wave"].transform("nunique")
    return frame[seen == frame["wave"].nunique()].reset_index(drop=True)


def opening_values(rollout: Rollout, dataset: Dataset) -> pd.DataFrame:
    """Rate and covariates of each region before the programme began anywhere, by region."""
    starts = rollout.cohorts[rollout.cohorts > 0]
    before = [wave for wave in rollout.waves if starts.empty or wave < starts.min()]
    if not before:
        return pd.DataFrame(index=pd.Index([], name="region_code"))
    last, table = before[-1], rollout.panel
    found = {"rate": table[table["wave"] == last].set_index("region_code")["rate"]}
    for name, indicator in dataset.conditions.items():
        rows = by_year(dataset, indicator)
        rows = rows[rows["year"].between(last - STALE, last)]
        rows = rows[rows["region_code"].isin(rollout.regions)]
        values = rows.groupby("region_code")["value"].last().astype(float)
        if len(values) == len(found["rate"]):  # known of all, or no comparison
            found[name] = values
    return pd.DataFrame(found).dropna()


# Reasons to doubt an estimate of a programme, one function a check; each belongs to some designs.


@check("pre_trend", undecided="unclear")
def pre_trend(fit: Fitted):
    """Differences before the programme: none found, by a test that would have found one that
    matters.

    Fails where the surveys before the programme differ jointly from the last of them. Passes only
    if a departure of the reference difference a year would be found with 80 % power.
    """
    found = fit.result.details.get("pre_trend")
    if not found:
        raise ModelError("There is no survey before the last one without the programme.")
    values = {
        "p": found["p"],
        "count": found["estimates"],
        "minimum_detectable": found["detectable_slope"],
        "smallest": fit.interest,
    }
    rows = [row for row in fit.result.details["dynamic"] if row["event"] < 0]
    powered = values["minimum_detectable"] <= fit.interest
    failed = found["p"] <= 1 - fit.result.level
    return False if failed else True if powered else None, values, rows


@check("departures")
def departures(fit: Fitted):
    """How large a departure from parallel trends it takes, against the largest seen before.

    Fails where a departure no faster than the largest before the programme adds up to the
    reference difference. ``breakdown`` is how many times that the estimate bears, the
    error of the earlier departures counted; it is shown, and the grade does not read it.
    """
    found = differences(fit.result, fit.years)
    values = {
        "largest": found.largest,
        "smallest": fit.interest,
        "multiple": fit.interest / found.largest if found.largest > 0 else float("inf"),
        "breakdown": found.breakdown(),
    }
    rows = []
    for multiple in (0.0, *MULTIPLES):
        low, high = found.interval(0, multiple)
        rows.append({"multiple": multiple, "estimate": fit.result.estimate,
                     "low": low, "high": high})  # fmt: skip
    return found.largest <= fit.interest, values, rows


@check("leave_one_region_out")
def stability(fit: Fitted):
    """Estimate without each region; fails if it moves beyond two standard errors."""
    timed, values = events.timed_panel(fit.frame, ROLES), []
    for place in range(len(timed.regions)):
        rest = np.arange(len(timed.regions)) != place
        part = replace(timed, regions=timed.regions[rest], y=timed.y[rest], start=timed.start[rest])
        try:
            values.append(_average(part, fit.options)[0])
        except ModelError:
            values.append(float("nan"))
    table = pd.DataFrame({"left_out": timed.regions, "estimate": values})
    return held_without(table, fit.result)


@check("spillover", undecided="unclear")
def spillover(fit: Fitted):
    """Whether regions never reached that border on a reached one changed otherwise than the rest.

    Fails where they did; passes only if a difference of the smallest one of interest would have
    been found. A comparison that is reached a little understates a programme.
    """
    cohorts, pairs = fit.rollout.cohorts, fit.rollout.neighbours
    if pairs.empty:
        raise ModelError("neighbours.csv names no neighbours among these regions.")
    pairs = pairs.assign(since=pairs["neighbour_code"].map(cohorts).fillna(0))
    first = pairs[pairs["since"] > 0].groupby("region_code")["since"].min()
    never = fit.frame[fit.frame["region_code"].map(cohorts) == 0]
    exposed = never.assign(**{FIRST: never["region_code"].map(first).fillna(0)})
    run = replace(fit.inference, draws=min(fit.inference.draws, 999))
    found = events.fit(exposed.reset_index(drop=True), ROLES, run, comparison="not_yet")
    smallest = fit.interest * estimate(exposed, {"comparison": "not_yet"})[1]
    values = {
        "estimate": found.estimate, "low": found.low, "high": found.high, "p": found.p,
        "minimum_detectable": found.details["mde_approximate"], "smallest": smallest,
    }  # fmt: skip
    powered = values["minimum_detectable"] <= smallest
    return False if found.verdict != "unknown" else True if powered else None, values, ()


@check("balance")
def balance(fit: Fitted):
    """Whether regions with different dates were alike before a programme that was drawn by lot.

    The sum of squares between dates, over rate and covariates, each within its stratum, against
    the same of the lot drawn again. Fails at one in twenty, as it will in one of twenty lots.
    """
    table = fit.opening
    if table.empty:
        raise ModelError("Nothing is known of these regions before the programme began.")
    lots = pd.factorize(fit.rollout.strata.reindex(table.index))[0]
    cohort = pd.factorize(fit.rollout.cohorts.reindex(table.index))[0]
    centred = table - table.groupby(lots).transform("mean")
    spread = centred.std()
    scores = (centred.loc[:, spread > 0] / spread[spread > 0]).to_numpy()
    if not scores.size:
        raise ModelError("All regions were the same before the programme began.")
    draws = min(fit.inference.draws, 999)
    observed = _between(scores, cohort).sum()
    orders = events.within(lots, draws, fit.inference.seed)
    null = np.array([_between(scores[order], cohort).sum() for order in orders])
    p = p_value(int((null >= observed * (1 - 1e-9)).sum()), draws)
    rows = [
        {"column": name, "between": float(value)}
        for name, value in zip(table.columns[spread > 0], _between(scores, cohort), strict=True)
    ]
    values = {"p": p, "count": scores.shape[1], "draws": draws}
    return p > 1 - fit.result.level, values, rows


def _between(scores: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    """Sum of squares between cohorts of each column of standard scores (n, c)."""
    member = (cohort[:, None] == np.arange(cohort.max() + 1)).astype(float)
    sums = member.T @ scores
    return (sums**2 / member.sum(axis=0)[:, None]).sum(axis=0)


@check("attrition")
def attrition(fit: Fitted):
    """Surveys after the start that regions drawn by lot are missing from, and by whom.

    Fails where more than 20 % are missing, or shares of reached and others differ by over 5
    points (What Works Clearinghouse, handbook 5.0, cautious boundary).
    """
    rollout, cohorts = fit.rollout, fit.rollout.cohorts
    after = [wave for wave in rollout.waves if wave >= cohorts[cohorts > 0].min()]
    seen = rollout.panel[rollout.panel["wave"].isin(after)].groupby("region_code")["wave"].nunique()
    drawn = cohorts.reindex(list(rollout.regions)).fillna(0)
    started = set(rollout.events.loc[rollout.events["year"] > 0, "region_code"])
    reached = np.array([code in started for code in drawn.index])
    lost = 1 - seen.reindex(drawn.index).fillna(0).to_numpy() / len(after)
    others = lost[~reached] if not reached.all() else lost[reached]
    apart = abs(float(lost[reached].mean() - others.mean()))
    values = {"lost": float(lost.mean()), "apart": apart}
    return values["lost"] <= MOST_LOST and apart <= MOST_APART, values, ()


@check("pre_fit")
def pre_fit(fit: Fitted):
    """How far a single region lay from its weighted others in surveys these were not fitted to.

    Fails where the root mean square is more than the reference difference.
    """
    error = float(fit.result.details["rmspe_left_out"])
    smallest = fit.interest * fit.years
    values = {"error": error, "smallest": smallest, "count": fit.result.details["donors"]}
    return error <= smallest, values, tuple(fit.result.details["gaps"])


CHECKS = {
    "randomised": (balance, attrition, stability),
    "phased_in": (pre_trend, departures, stability),
    "chosen": (pre_trend, departures, stability),
    "one_region": (pre_fit,),
}


# One declared programme with everything that bears on how far to trust its estimate.


@dataclass(frozen=True, repr=False)
class Designed(Spoken):
    """A declared programme: its rollout, its estimate with checks and grade, or why there is none.

    Attributes
    ----------
    kind : ``randomised``, ``phased_in``, ``chosen`` or ``one_region``; ``""`` without an estimate.
    result, grade : ``None`` exactly when ``reason`` is not empty.
    p_holm : the p-value adjusted for all programmes that were estimated.
    smallest : the smallest difference of interest, points a year, or None.
    amounts : that of :func:`evaluation.models.dosed.fit` where regions got it in amounts, else
        ``None``; why there is none stands in ``amounts_reason``, empty without amounts.
    """

    rollout: Rollout
    kind: str
    result: Result | None
    checks: tuple[Check, ...]
    grade: Grade | None
    reason: str = ""
    p_holm: float = float("nan")
    smallest: float | None = None
    outcome: Mapping[str, str] = field(default_factory=dict)
    amounts: Result | None = None
    amounts_reason: str = ""

    @property
    def locks(self) -> int:
        """Strength of the evidence; 0 without an estimate."""
        return self.grade.locks if self.grade else 0

    @property
    def verdict(self) -> str:
        """Of the estimate; ``unknown`` too where the adjusted p-value does not bear it out."""
        if self.result is None:
            return "not_estimable"
        told = self.p_holm <= 1 - self.result.level + 1e-12
        return self.result.verdict if told else "unknown"

    def table(self) -> pd.DataFrame:
        """The differences by survey before and after the start; where earlier trends could depart,
        with the intervals of :func:`banded`."""
        if self.result and any(one.name == "departures" and one.rows for one in self.checks):
            return banded(self.result)
        details = self.result.details if self.result else {}
        return pd.DataFrame(details.get("dynamic", details.get("gaps", [])))

    def summary(self, language: str = "en") -> str:
        """The strongest sentence the evidence permits, the interval and the grade."""
        name = self.rollout.names[language]
        if self.result is None or self.grade is None:
            return say("speak.design.absent", language, programme=name, reason=self.reason)
        result = self.result
        key = permitted(self.grade, self.verdict, language, of="programme")
        shown = {
            part: rounded(getattr(result, part), result.se) for part in ("estimate", "low", "high")
        }
        sentence = say(
            "speak.design", language, level=percent(result.level), **shown,
            says=t(key, language, programme=name, outcome=self.outcome.get(language, "")),
        )  # fmt: skip
        return f"{sentence} {self.grade.summary(language)}"

    def plot(self, language: str = "en"):
        """Differences by survey with their intervals."""
        rows = self.table()
        if "low" not in rows:
            raise KepuError("No figure: this programme has no differences by survey.")
        module = figures("rollout")
        names = {part: say(f"designs.figure.{part}", language) for part in module.TEXTS}
        labels = {"ylabel": "axis.designs", "xlabel": "axis.designs.years"}
        labels = {name: say(key, language) for name, key in labels.items()}
        return module.event_study(rows, names=names, **labels)

    def __repr__(self) -> str:
        told = self.reason or f"{self.kind}, {self.locks} locks, {self.result!r}"
        return f"Designed({self.rollout.programme}: {told})"


def designs(
    dataset: Dataset, rates: pd.DataFrame, *, draws: int = 9999, seed: int = 20250101
) -> tuple[Designed, ...]:
    """Every declared programme, in the order of ``events.csv``; Holm over those estimated."""
    run, smallest = Inference(draws, seed), dataset.assumed("smallest_effect")
    found = [_designed(rollout, dataset, run, smallest) for rollout in rollouts(dataset, rates)]
    known = [item.result.p for item in found if item.result]
    adjusted = iter(holm(known) if known else ())
    return tuple(
        replace(item, p_holm=float(next(adjusted))) if item.result else item for item in found
    )


def _designed(
    rollout: Rollout, dataset: Dataset, run: Inference, smallest: float | None
) -> Designed:
    outcome = {language: dataset.words(language)["share"] for language in ("zh", "en")}
    try:
        fit = fitted(rollout, dataset, run, smallest)
    except ModelError as error:
        return Designed(rollout, "", None, (), None, str(error), outcome=outcome)
    kind = rollout.assignment if fit.options else "one_region"
    made = [*CHECKS[kind], *([spillover] if len(rollout.neighbours) and fit.options else [])]
    checks = tuple(each(fit) for each in made)
    graded = grade_programme(_design(kind, fit, dataset), checks)
    by_amount, reason = _amounts(fit)
    return Designed(rollout, kind, fit.result, checks, graded, smallest=smallest, outcome=outcome,
                    amounts=by_amount, amounts_reason=reason)  # fmt: skip


def _amounts(fit: Fitted) -> tuple[Result | None, str]:
    """What one unit more went with where regions got a programme in amounts, or why not."""
    rows = fit.rollout.events
    amounts = pd.to_numeric(rows.set_index("region_code")["dose"])
    if amounts.isna().all():
        return None, ""
    try:
        frame = _complete(fit.frame)
        return dosed.fit(frame, ROLES, fit.inference, amounts=amounts.to_dict()), ""
    except ModelError as error:
        return None, str(error)


def _design(kind: str, fit: Fitted, dataset: Dataset) -> Design:
    """What the grade reads of a design, counted from the rows the estimate rests on."""
    used = fit.frame["region_code"].unique()
    cohorts = fit.rollout.cohorts.reindex(used)
    starts = cohorts[cohorts > min(fit.rollout.waves)]
    # Regions reached later stand for those not reached until they are.
    compared = (cohorts == 0) | (cohorts > starts.min())
    before = sum(wave < starts.min() for wave in fit.rollout.waves)
    return Design(
        kind=kind,
        waves=len(fit.rollout.waves),
        pre_period=before >= 2,
        regions=len(used),
        treated=len(starts),
        sampling_error="assumed" if len(dataset.assumptions) else "published",
        doses_outside_support_sd=0.0,
        mode_changed=bool(fit.rollout.breaks),
        compared=int(compared.sum()),
    )


# How large a departure from parallel trends an estimate bears.
# A breakdown value beyond this is told as none: nothing before the programme departed.
FARTHEST = 1e3


@dataclass(frozen=True, eq=False)
class Differences:
    """Differences about a start with their joint error: the average reported, then each survey.

    Attributes
    ----------
    values : (K,). years : (K,) from the last survey without the programme to each, negative before
        it; of the average, the mean. covariance : (K, K). critical : (K,) half-widths of the
        ordinary intervals in standard errors.
    """

    values: np.ndarray
    years: np.ndarray
    covariance: np.ndarray
    critical: np.ndarray

    @property
    def changes(self) -> np.ndarray:
        """(S, K) loadings of the change a year between neighbouring surveys up to the last one
        without the programme, that from the survey before it included."""
        order = 1 + np.argsort(self.years[1:])
        before = order[self.years[order] < 0]
        if not len(before):
            raise ModelError("There is no survey before the last one without the programme.")
        rows = np.vstack([np.eye(len(self.values))[before], np.zeros(len(self.values))])
        return np.diff(rows, axis=0) / np.diff(np.append(self.years[before], 0.0))[:, None]

    @property
    def largest(self) -> float:
        """Largest change of the differences between two surveys before the programme, a year."""
        return float(np.abs(self.changes @ self.values).max())

    def interval(self, which: int, multiple: float) -> tuple[float, float]:
        """Interval of one difference if departures after the start are at most ``multiple`` times
        as fast as the fastest before it.

        The worst departure climbs throughout, so that for each change that may have been the
        fastest, up or down, the ends of what is possible are sums of the estimates; the interval
        spans the ordinary intervals of all these sums, and so covers whichever it was.

        Source
        ------
        Rambachan & Roth (2023), Review of Economic Studies 90:2555-2591, section 2.4.1 and the
        union over periods of section 3; ends by normal intervals in place of the conditional test,
        which makes it somewhat wider.
        """
        own = np.eye(len(self.values))[which]
        most = multiple * abs(self.years[which]) * self.changes
        sums = np.vstack([own - most, own + most])
        value = sums @ self.values
        spread = np.einsum("sk,kl,sl->s", sums, self.covariance, sums)
        half = self.critical[which] * np.sqrt(np.maximum(spread, 0.0))
        return float((value - half).min()), float((value + half).max())

    def breakdown(self, which: int = 0) -> float:
        """The multiple at which the interval reaches zero; 0 where the ordinary one holds it."""

        def clear(multiple: float) -> float:
            low, high = self.interval(which, multiple)
            return max(low, -high)

        if not clear(0.0) > 0:
            return 0.0
        if clear(FARTHEST) > 0:
            return inf
        return float(brentq(clear, 0.0, FARTHEST, xtol=1e-6))


def differences(result: Result, years: float) -> Differences:
    """The average of a staggered design and its differences by survey, jointly.

    Parameters
    ----------
    years : mean from the last survey without the programme to the outcomes that are averaged.
    """
    rows = pd.DataFrame(result.details["dynamic"]).astype(float)
    ends = pd.DataFrame(
        [{"estimate": result.estimate, "se": result.se, "low": result.low, "high": result.high}]
    )
    rows = pd.concat([ends.assign(years=years), rows], ignore_index=True)
    se = rows["se"].to_numpy()
    widest = np.fmax(rows["high"] - rows["estimate"], rows["estimate"] - rows["low"]).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        critical = np.where(se > 0, widest / se, 0.0)
    covariance = np.array(result.details["correlation"]) * np.outer(se, se)
    return Differences(
        rows["estimate"].to_numpy(), rows["years"].to_numpy(), covariance, critical
    )  # fmt: skip


def banded(result: Result, multiple: float = 1.0) -> pd.DataFrame:
    """Differences by survey with ``honest_low, honest_high``, missing before the start: intervals
    if departures after it are at most ``multiple`` times as fast as the fastest before."""
    rows = pd.DataFrame(result.details["dynamic"])
    found = differences(result, 0.0)
    after = rows["event"].to_numpy() >= 0
    ends = [found.interval(k + 1, multiple) if late else (np.nan, np.nan)
            for k, late in enumerate(after)]  # fmt: skip
    return rows.assign(honest_low=[low for low, _ in ends], honest_high=[high for _, high in ends])
