"""Gains: needed for a target, made of which parts, tracked against plans."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.base.cache import latest
from evaluation.base.errors import KepuError, ModelError
from evaluation.data.package import Dataset, by_year, has_caveat, usable
from evaluation.data.rules import CHECK
from evaluation.evidence.headline import Headline
from evaluation.models.columns import LEVELS
from evaluation.stats.least_squares import excess_variance
from evaluation.survey.panel import STALE, composite
from evaluation.survey.standing import normal_quantile
from evaluation.targets.outlook import to_logit


@dataclass(frozen=True)
class Inputs:
    """Estimate of the composite times its change in a region, percentage points.

    ``status``: ``bounded``; ``silent`` (the evidence does not permit speaking of an association);
    ``refused`` (no estimate); ``missing`` (the composite of the region is not known at two waves).
    ``low, high`` are the ends of the interval times the change, in ascending order.
    """

    status: str
    first: int = 0
    last: int = 0
    change: float = np.nan
    low: float = np.nan
    high: float = np.nan

    @property
    def most(self) -> float:
        """Upper end; 0 where the interval leaves only a loss."""
        return max(self.high, 0.0)


def inputs_part(headline: Headline | str, levels: pd.DataFrame, region: str) -> Inputs:
    """Bound the part of a region's gain that goes with the change of its composite input.

    The coefficient is that of the fixed effects, points of the share for one standard deviation of
    the composite within a region; the change runs from the first to the last survey at which the
    region's composite is known. Nothing is said where the headline carries no
    comparison or its interval holds zero.

    Parameters
    ----------
    headline : of the study. levels : the panel of levels with ``log2_<dose>``.
    """
    if not isinstance(headline, Headline):
        return Inputs("refused")
    if not headline.priced:
        return Inputs("silent")
    result = next((r.result for r in headline.ladder if r.model == LEVELS), None)
    if result is None or not headline.level_parts:
        return Inputs("refused")
    index = composite(levels, list(headline.level_parts))
    known = levels.assign(index=index)[levels["region_code"] == region].dropna(subset="index")
    known = known.sort_values("wave")
    if len(known) < 2:
        return Inputs("missing")
    change = float(known["index"].iloc[-1] - known["index"].iloc[0])
    ends = sorted((result.low * change, result.high * change))
    first, last = int(known["wave"].iloc[0]), int(known["wave"].iloc[-1])
    return Inputs("bounded", first, last, change, *ends)


# Decompose the difference between two rates into composition and rates; bound what is unknown.
TOLERANCE = 1e-6


def kitagawa(
    shares0: Sequence[float],
    rates0: Sequence[float],
    shares1: Sequence[float],
    rates1: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """Split R1 - R0, R = Σ w r, into composition Δw r̄ and rates w̄ Δr of each group.

    The two sum to the difference over all groups, nothing is left over. It is the Oaxaca-Blinder
    decomposition with group indicators as regressors and the mean of both coefficient vectors as
    the reference.

    Parameters
    ----------
    shares0, shares1 : shares of the groups before and after, each adding to 1.
    rates0, rates1 : rates of the groups, any unit.

    Raises
    ------
    KepuError : unequal lengths, a negative share, or shares that do not add to 1.

    Source
    ------
    Kitagawa (1955), Journal of the American Statistical Association 50:1168-1194.
    """
    arrays = [np.asarray(a, dtype=float) for a in (shares0, rates0, shares1, rates1)]
    w0, r0, w1, r1 = arrays
    if w0.ndim != 1 or len({a.shape for a in arrays}) != 1:
        raise KepuError("Shares and rates need one value for each group, before and after.")
    for name, w in (("shares0", w0), ("shares1", w1)):
        if (w < 0).any() or abs(w.sum() - 1) > TOLERANCE:
            raise KepuError(f"'{name}' must be at least 0 and add to 1; they add to {w.sum():.6g}.")
    return (w1 - w0) * (r0 + r1) / 2, (r1 - r0) * (w0 + w1) / 2


def implied_share(total: float, first: float, second: float) -> float:
    """Share of the first of two groups that makes their rates average to the total.

    Raises
    ------
    KepuError : equal rates, or a total outside them.

    >>> round(implied_share(10.56, 13.75, 6.45), 3)
    0.563
    """
    if first == second or not min(first, second) <= total <= max(first, second):
        raise KepuError(f"No mix of {first} and {second} averages to {total}.")
    return (total - second) / (first - second)


def gap_bounds(
    total: float, least_share: float, upper: tuple[float, float], lower: tuple[float, float]
) -> tuple[float, float]:
    """Bounds of the gap between a group's rate and that of the rest, from published margins.

    Only rates of finer groups are published: the group's own rate lies in ``upper``, that of the
    rest in ``lower``, the total is known, and the group's share is at least ``least_share``.

    Returns
    -------
    low, high : with r the rate of the rest and g the gap, total = r + share·g must hold.

    Raises
    ------
    KepuError : margins that no share can reconcile.
    """
    share = np.linspace(max(least_share, 1e-9), 1, 100_001)[:-1]
    # r_group = total + (1 - share) g and r_rest = total - share g, each inside its range.
    start = np.maximum((upper[0] - total) / (1 - share), (total - lower[1]) / share)
    end = np.minimum((upper[1] - total) / (1 - share), (total - lower[0]) / share)
    possible = start <= end
    if not possible.any():
        raise KepuError("No share of the group reconciles the total with the rates of its parts.")
    return float(start[possible].min()), float(end[possible].max())


def joint_bounds(
    gaps: tuple[tuple[float, float], tuple[float, float]],
    changes: tuple[float, float],
    shares: tuple[float, float],
) -> tuple[float, float]:
    """Bounds of what two compositions account for together when their cross-tabulation is unknown.

    Each gap mixes in the other characteristic: with correlation φ between the two indicators and
    additive rates, b + c d₁ = B and c + b d₂ = C, d₁ = φ s, d₂ = φ/s, s² = u(1-u)/(e(1-e)). The
    joint part is bΔe + cΔu; φ runs over every value from 0 to its largest at which neither b nor
    c is negative.

    Parameters
    ----------
    gaps : bounds of the gap B of the first and C of the second characteristic.
    changes : of their shares e and u. shares : e and u themselves, between 0 and 1.

    Raises
    ------
    KepuError : a share outside 0 to 1 or a negative gap.
    """
    e, u = shares
    if not (0 < e < 1 and 0 < u < 1) or min(gaps[0][0], gaps[1][0]) < 0:
        raise KepuError("Joint bounds need shares inside 0 to 1 and gaps of at least 0.")
    s = np.sqrt(u * (1 - u) / (e * (1 - e)))
    largest = min(np.sqrt(e * (1 - u) / (u * (1 - e))), np.sqrt(u * (1 - e) / (e * (1 - u))))
    phi = np.linspace(0, largest * (1 - 1e-9), 501)
    B, C = (np.linspace(*gap, n)[:, None] for gap, n in zip(gaps, (41, 5), strict=True))
    B, C = B[:, None], C[None]
    b, c = (B - phi * s * C) / (1 - phi**2), (C - phi / s * B) / (1 - phi**2)
    values = (b * changes[0] + c * changes[1])[(b >= 0) & (c >= 0)]
    return float(values.min()), float(values.max())


# What a change of composition accounts for in a gain, and what it leaves to everything else.
COLLEGE = ("junior college", "bachelor or above", "university or above")
BELOW = ("primary or below", "junior secondary", "senior secondary")
SHARES = {"residence": "urbanisation_rate", "education": "college_share_6plus"}


@dataclass(frozen=True)
class Part:
    """One characteristic: its share before and after (percent), and the points of the gain that go
    with its change, exact (``low == high``) or bounded."""

    name: str
    before: float
    after: float
    low: float
    high: float


@dataclass(frozen=True)
class Decomposition:
    """A gain, its interval, and its parts in percentage points.

    ``joint`` bounds what all characteristics account for together; ``rest`` is the gain less
    ``joint``. ``absent`` names characteristics that nothing published allows to be taken apart.
    """

    region: str
    first: int
    last: int
    gain: float
    low: float
    high: float
    parts: tuple[Part, ...]
    joint: tuple[float, float]
    absent: tuple[str, ...]

    @property
    def rest(self) -> tuple[float, float]:
        return self.gain - self.joint[1], self.gain - self.joint[0]


def group_rates(dataset: Dataset, nation: str, kind: str) -> pd.DataFrame:
    """National rates in percent by wave (rows) and group of one kind (columns)."""
    rows = dataset.facts[dataset.facts["region_code"] == nation]
    rows = rows[(rows["indicator"] == dataset.outcome) & rows["group"].str.startswith(f"{kind}=")]
    rows = usable(rows, dataset.sources)
    rows = rows.assign(group=rows["group"].str.removeprefix(f"{kind}="), wave=rows["year"])
    return rows.pivot(index="wave", columns="group", values="value").sort_index().astype(float)


def residence_rates(dataset: Dataset, nation: str) -> pd.DataFrame:
    """National ``urban`` and ``rural`` rates of the waves that print both.

    Raises
    ------
    KepuError : no wave prints a rate of each.
    """
    groups = group_rates(dataset, nation, "residence")
    if not {"urban", "rural"} <= set(groups):
        raise KepuError("No rates by residence are published.")
    return groups[["urban", "rural"]].dropna()


def _totals(rates: pd.DataFrame, region: str) -> pd.DataFrame:
    own = rates[(rates["region_code"] == region) & (rates["variance"] > 0)]
    return own.set_index("wave").sort_index()


def _gain(totals: pd.DataFrame, first: int, last: int) -> dict[str, float]:
    gain = totals.at[last, "rate"] - totals.at[first, "rate"]
    half = normal_quantile(0.95) * np.sqrt(totals.loc[[first, last], "variance"].sum())
    return {"gain": float(gain), "low": float(gain - half), "high": float(gain + half)}


def by_residence(dataset: Dataset, rates: pd.DataFrame, nation: str) -> Decomposition:
    """The nation's gain between the first and last waves with urban and rural rates, exactly.

    The shares are those of the surveys' own population, which the three printed rates imply.

    Raises
    ------
    KepuError : fewer than two waves with the total and both rates.
    """
    groups, totals = residence_rates(dataset, nation), _totals(rates, nation)
    groups = groups[groups.index.isin(totals.index)]
    if len(groups) < 2:
        raise KepuError("A decomposition needs two waves with urban, rural and total rates.")
    first, last = int(groups.index[0]), int(groups.index[-1])
    pairs = [groups.loc[wave].to_numpy() for wave in (first, last)]
    urban = [
        implied_share(totals.at[wave, "rate"], *pair)
        for wave, pair in zip((first, last), pairs, strict=True)
    ]
    shares = [(u, 1 - u) for u in urban]
    composition = float(kitagawa(shares[0], pairs[0], shares[1], pairs[1])[0].sum())
    part = Part("residence", 100 * urban[0], 100 * urban[1], composition, composition)
    gain, joint = _gain(totals, first, last), (composition, composition)
    return Decomposition(nation, first, last, **gain, parts=(part,), joint=joint, absent=("age",))


def education_gap(dataset: Dataset, rates: pd.DataFrame, nation: str) -> tuple[float, float]:
    """Bounds of the gap in points between college and the rest over all waves that print it.

    Only rates of finer levels are published, not their shares; the share of college among those
    surveyed (18 to 69) is taken to be no smaller than among all aged 6 and over.

    Raises
    ------
    KepuError : no wave prints rates of both college and lower levels.
    """
    groups, totals = group_rates(dataset, nation, "education"), _totals(rates, nation)
    bounds = []
    for wave, row in groups.iterrows():
        above, below = (row.reindex(names).dropna() for names in (COLLEGE, BELOW))
        if wave in totals.index and len(above) and len(below):
            least = _national_share(dataset, int(wave)) / 100
            ranges = [(side.min(), side.max()) for side in (above, below)]
            bounds.append(gap_bounds(totals.at[wave, "rate"], least, *ranges))
    if not bounds:
        raise KepuError("No wave prints rates by education.")
    lows, highs = zip(*bounds, strict=True)
    return min(lows), max(highs)


def _recent(table: pd.DataFrame, year: int) -> pd.DataFrame:
    """Rows of the year and of the ``STALE`` years before it, in order of year."""
    return table[table["year"].between(year - STALE, year)].sort_values("year", kind="stable")


def _national_share(dataset: Dataset, year: int) -> float:
    """College share of all provinces together up to two years before, 0 where none is known."""
    people = by_year(dataset, "population_resident")
    shares = by_year(dataset, SHARES["education"])
    merged = shares.merge(people, on=["region_code", "year"], suffixes=("", "_people"))
    merged = _recent(merged, year)
    if merged.empty:
        return 0.0
    last = merged[merged["year"] == merged["year"].max()]
    return float(np.average(last["value"], weights=last["value_people"]))


def _share(dataset: Dataset, name: str, region: str, year: int) -> float:
    """A published share at most ``STALE`` years older than the wave, missing without one."""
    table = by_year(dataset, SHARES[name])
    rows = _recent(table[table["region_code"] == region], year)
    return float(rows["value"].iloc[-1]) if len(rows) else np.nan


@latest
def decompose(
    dataset: Dataset, rates: pd.DataFrame, region: str, nation: str
) -> Decomposition | None:
    """A region's gain from its first to its last survey, at national rates of the groups.

    No region publishes its own rates by group, so the change of its shares is valued at the gaps
    between the groups in the nation: the mean of the urban-rural gap at both waves, and the bounds
    of :func:`education_gap`. ``None`` with fewer than two surveys or no published share at all.
    """
    totals = _totals(rates, region)
    if len(totals) < 2:
        return None
    first, last = int(totals.index[0]), int(totals.index[-1])
    parts, gaps = [], []
    for name in SHARES:
        before, after = (_share(dataset, name, region, wave) for wave in (first, last))
        gap = _gap(dataset, rates, nation, name, (first, last))
        if np.isnan(before) or np.isnan(after) or gap is None:
            continue
        ends = sorted(g * (after - before) / 100 for g in gap)
        parts.append(Part(name, before, after, *ends))
        gaps.append(gap)
    if not parts:
        return None
    joint = (parts[0].low, parts[0].high)
    if len(parts) == 2:  # the college share comes first in the bounds of both
        changes = tuple((part.after - part.before) / 100 for part in parts[::-1])
        shares = tuple((part.after + part.before) / 200 for part in parts[::-1])
        joint = joint_bounds(tuple(gaps[::-1]), changes, shares)
    absent = (*(name for name in SHARES if name not in {part.name for part in parts}), "age")
    gain = _gain(totals, first, last)
    return Decomposition(region, first, last, **gain, parts=tuple(parts), joint=joint,
                         absent=absent)  # fmt: skip


def _gap(
    dataset: Dataset, rates: pd.DataFrame, nation: str, name: str, waves: tuple[int, int]
) -> tuple[float, float] | None:
    """Bounds of the national gap in points that one share is valued at, or ``None``."""
    try:
        if name == "education":
            return education_gap(dataset, rates, nation)
        groups = residence_rates(dataset, nation)
    except KepuError:
        return None
    gaps = groups["urban"] - groups["rural"]
    known = [gaps[gaps.index <= wave] for wave in waves]
    if any(side.empty for side in known):
        return None
    mean = float(np.mean([side.iloc[-1] for side in known]))
    return mean, mean


# The yearly gain a target still needs, against the fastest gain of a comparable region.
# A province is comparable when the odds of its share at the start of a gain lie within a factor of
# e^½ (about 1.65) of those of the region today, either way: a gain in points depends on the level.
WIDTH = 0.5
MINIMUM = 3


@dataclass(frozen=True)
class Required:
    """Points a year a target needs from the latest survey on, with the survey's interval.

    ``verdict``: ``met`` (the latest interval lies at or above the target), ``seen`` (a comparable
    province gained as much: the need is not above the shrunken fastest gain), ``unseen`` (even the
    upper end of the fastest gain is below the need), ``open`` (in between), ``alone`` (too few
    comparable gains).
    """

    verdict: str
    years: int
    value: float
    low: float
    high: float
    fastest: Fastest | None


@dataclass(frozen=True)
class Fastest:
    """The largest gain of a comparable province, points a year.

    ``value, low, high``: as published, with its interval. ``shrunk``: drawn towards the mean of the
    comparable gains by its sampling error, because the largest of many noisy gains overstates.
    ``count`` comparable gains of ``regions`` provinces.
    """

    region: str
    wave_from: int
    wave_to: int
    value: float
    low: float
    high: float
    shrunk: float
    crosses_break: bool
    count: int
    regions: int


def comparable(gains: pd.DataFrame, rate: float, codes: Collection[str]) -> pd.DataFrame:
    """Gains of the regions ``codes`` that started from odds within ``WIDTH`` of those of ``rate``.

    Parameters
    ----------
    gains : rows of :func:`evaluation.survey.panel.gains`. rate : percent.
    """
    inside = gains[gains["region_code"].isin(codes) & (gains["opening"] > 0)]
    off = to_logit(inside["opening"].to_numpy(dtype=float)) - to_logit(rate)
    return inside[np.abs(off) <= WIDTH]


def fastest(gains: pd.DataFrame, level: float = 0.95) -> Fastest | None:
    """The gain with the largest shrunken value, or ``None`` with fewer than three gains.

    Shrinkage by the normal model with known variances v: m + s²/(s² + v)(g - m), s² beyond
    sampling error by moments (Efron & Morris 1975, JASA 70:311-319).
    """
    if len(gains) < MINIMUM:
        return None
    g, v = (gains[name].to_numpy(dtype=float) for name in ("annual", "annual_variance"))
    try:
        beyond = max(0.0, excess_variance(g, pd.DataFrame({"mean": np.ones(len(g))}), v))
    except ModelError:
        beyond = 0.0
    mean = np.average(g, weights=1 / (beyond + v))
    shrunk = mean + beyond / (beyond + v) * (g - mean)
    # Where nothing but sampling error tells the gains apart all shrink to one value: take the
    # largest published one of them.
    best = int(np.lexsort((g, shrunk))[-1])
    row, half = gains.iloc[best], normal_quantile(level) * math.sqrt(v[best])
    return Fastest(
        row["region_code"], int(row["wave_from"]), int(row["wave_to"]), float(g[best]),
        float(g[best] - half), float(g[best] + half), float(shrunk[best]),
        bool(row["crosses_break"]), len(gains), gains["region_code"].nunique(),
    )  # fmt: skip


def required(
    target: float, year: int, latest: pd.Series, gains: pd.DataFrame, codes: Collection[str]
) -> Required:
    """Hold the gain a target needs against what comparable provinces ever gained.

    Parameters
    ----------
    target : percent. year : due. latest : the region's last row of
    :func:`evaluation.survey.panel.rates`.
    gains : all gains. codes : provinces that may serve for comparison.

    Raises
    ------
    ModelError : a due year not after the latest survey, for which no gain is left to ask.
    """
    if latest["low"] >= target:
        return Required("met", 0, 0.0, 0.0, 0.0, None)
    years = int(year - latest["wave"])
    if years <= 0:
        raise ModelError(f"The survey of {latest['wave']} decides a target due in {year}.")
    need = (target - latest["rate"]) / years
    half = normal_quantile(0.95) * float(latest["se"]) / years
    best = fastest(comparable(gains, float(latest["rate"]), codes))
    if best is None:
        verdict = "alone"
    else:
        verdict = "seen" if need <= best.shrunk else "unseen" if need > best.high else "open"
    return Required(verdict, years, need, need - half, need + half, best)


# Quantified targets other than the outcome, with the last published value.


@dataclass(frozen=True)
class Tracked:
    """One target and what is known of it.

    ``status``: ``reached``, ``short`` (a usable value of the due year or later is below), ``below``
    (the last value is below, the due year is still to come or not covered), ``flagged`` (the last
    value may not be judged by), ``unknown`` (no value is published). ``last`` is the row of the
    last value, if there is one.
    """

    target: pd.Series
    status: str
    last: pd.Series | None = None


def track(dataset: Dataset, region: str) -> list[Tracked]:
    """Every quantified target of a region that is not one of the outcome, by due year."""
    own = dataset.facts[dataset.facts["region_code"] == region]
    outcome = own["indicator"].isin((dataset.outcome, dataset.change))
    goals = own[(own["kind"] == "target") & ~outcome]
    goals = goals.sort_values(["period_end", "fact_id"])
    return [_tracked(goal, own) for _, goal in goals.iterrows()]


def _tracked(goal: pd.Series, own: pd.DataFrame) -> Tracked:
    # Only the same thing is compared: the figure has the indicator of the target.
    known = own[(own["indicator"] == goal["indicator"]) & (own["kind"] == "statistic")]
    # A yearly count is printed for one year in its own unit: visits and visits a year.
    known = known[known["unit"].isin({goal["unit"], goal["unit"].removesuffix("_per_year")})]
    if known.empty:
        return Tracked(goal, "unknown")
    last = known.sort_values(["period_end", "fact_id"]).iloc[-1]
    if bool(has_caveat(known.loc[[last.name]]).iloc[0]):
        return Tracked(goal, "flagged", last)
    if last["value"] >= goal["value"]:
        return Tracked(goal, "reached", last)
    due = str(last["period_end"])[:4] >= str(goal["period_end"])[:4]
    return Tracked(goal, "short" if due else "below", last)


# Judgements that documents print, against the figures that can decide them.
HOLDS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
ROUNDING = 0.005  # two printed values with two decimals are the same within half of the last


@dataclass(frozen=True)
class Checked:
    """One comparison of a claim.

    ``left`` is one fact, or two whose difference counts, ``right`` a fact or a number; ``holds``
    answers it, ``flagged`` says that a fact in it is one nothing may be judged by.
    """

    left: tuple[pd.Series, ...]
    sign: str
    right: pd.Series | float
    holds: bool
    flagged: bool


@dataclass(frozen=True)
class Claimed:
    """A claim (row of ``claims.csv``) and what the figures say of it.

    ``verdict``: ``agrees``, ``disagrees``, ``partly``, or ``open`` where no figure that may be
    judged by decides it.
    """

    claim: pd.Series
    checks: tuple[Checked, ...]

    @property
    def verdict(self) -> str:
        told = {check.holds for check in self.checks if not check.flagged}
        return {(): "open", (True,): "agrees", (False,): "disagrees"}.get(tuple(told), "partly")


def claimed(claims: pd.DataFrame, facts: pd.DataFrame, region: str) -> list[Claimed]:
    """Every claim about a region with its comparisons worked out, by year."""
    rows = facts.set_index("fact_id", drop=False)
    own = claims[claims["region_code"] == region].sort_values("year", kind="stable")
    return [
        Claimed(claim, tuple(_checked(match, rows) for match in CHECK.finditer(claim["checks"])))
        for _, claim in own.iterrows()
    ]


def _checked(match: re.Match[str], rows: pd.DataFrame) -> Checked:
    first, less, sign, other, number = match.groups()
    left = tuple(rows.loc[name] for name in (first, less) if name)
    right = rows.loc[other] if other else float(number)
    value = left[0]["value"] - sum(row["value"] for row in left[1:])
    bound = right["value"] if other else right
    same = abs(value - bound) < ROUNDING
    named = rows.loc[[name for name in (first, less, other) if name]]
    return Checked(
        left, sign, right, same if sign == "=" else bool(HOLDS[sign](value, bound)),
        bool(has_caveat(named).any()),
    )  # fmt: skip
