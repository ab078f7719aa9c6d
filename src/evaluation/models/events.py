"""Staggered designation: group-time differences, their averages, event study and pre-trend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from math import exp, lgamma, perm
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import ModelError
from evaluation.base.results import Result
from evaluation.data.package import MIN_REGIONS
from evaluation.models.columns import (
    Inference,
    Roles,
    Timed,
    one_of,
    require_one_dose,
    timed_panel,
)
from evaluation.stats.bootstrap import SMALL, cohort_bootstrap, standard_errors
from evaluation.stats.permutation import POWER, TIE, critical_value, detectable, p_among, rejections

NAME = "staggered"
AVERAGES = ("group", "dynamic", "calendar", "simple")
# Averages with a value for each key, and the name of the key in their records.
AXES = {"dynamic": "event", "group": "group", "calendar": "wave"}
COMPARISONS = ("never", "not_yet")
BASES = ("universal", "varying")
# Fewer treated regions, or fewer in one group, do not tell their variance: no bootstrap.
MIN_TREATED, MIN_GROUP = 4, 3
BATCH = 500


@dataclass(frozen=True)
class Estimates:
    """K quantities that are linear in the outcome.

    Attributes
    ----------
    value : (K,). influence : (n, K), mean 0 over regions. loading : (K, n, T) with
        value = Σ loading · y. years : (K,) years between base and outcome wave, averaged alike.
    """

    value: np.ndarray
    influence: np.ndarray
    loading: np.ndarray
    years: np.ndarray

    def __getitem__(self, keep: np.ndarray | slice) -> Estimates:
        return Estimates(
            self.value[keep], self.influence[:, keep], self.loading[keep], self.years[keep]
        )

    def mean(self, weights: np.ndarray) -> Estimates:
        """Averages with fixed weights (J, K)."""
        loading = np.tensordot(weights, self.loading, axes=1)
        return Estimates(
            weights @ self.value, self.influence @ weights.T, loading, weights @ self.years
        )


def stack(parts: list[Estimates]) -> Estimates:
    """Several estimates as one."""
    return Estimates(
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.influence for part in parts], axis=1),
        np.concatenate([part.loading for part in parts]),
        np.concatenate([part.years for part in parts]),
    )


@dataclass(frozen=True)
class Cells:
    """The differences ATT(g, t): group g is the wave first treated, t the wave of the outcome.

    Attributes
    ----------
    group, wave : (C,) positions of the waves. estimates : the C differences.
    treated, comparison : (C,) regions behind each. missing : cells that could not be formed.
    """

    group: np.ndarray
    wave: np.ndarray
    estimates: Estimates
    treated: np.ndarray
    comparison: np.ndarray
    missing: int

    @property
    def event(self) -> np.ndarray:
        """(C,) waves since the first treated one; negative before it."""
        return self.wave - self.group


def _pairs(panel: Timed, base: str) -> list[tuple[int, int, int]]:
    """(group, wave, base wave) of every cell."""
    pairs = []
    for g in np.unique(panel.start[panel.treated]).tolist():
        for t in range(len(panel.waves)):
            before = t - 1 if base == "varying" and t < g else g - 1
            if before >= 0 and t != before:
                pairs.append((g, t, before))
    return pairs


def _cell(
    panel: Timed, g: int, t: int, before: int, comparison: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Regions on both sides (2,), influence (n,) and loading (n, T); None if a side is empty."""
    seen = panel.observed[:, t] & panel.observed[:, before]
    other = ~panel.treated
    if comparison == "not_yet":
        other = other | (panel.start > max(t, before)) & (panel.start != g)
    sides = np.stack([(panel.start == g) & seen, other & seen])
    counts = sides.sum(axis=1)
    if not counts.all():
        return None
    change = np.where(sides.any(axis=0), panel.y[:, t] - panel.y[:, before], 0.0)
    weight = sides[0] / counts[0] - sides[1] / counts[1]
    centred = change - sides.T.astype(float) @ (sides @ change / counts)
    loading = np.zeros_like(panel.y)
    loading[:, t], loading[:, before] = weight, -weight
    return counts, len(change) * weight * centred, loading


def group_time(panel: Timed, comparison: str, base: str, minimum: int = 1) -> Cells:
    """All ATT(g, t) that have at least ``minimum`` regions on either side.

    Parameters
    ----------
    comparison : ``"never"`` or ``"not_yet"`` treated regions. base : wave the change is counted
        from; ``"universal"`` the last untreated one throughout, ``"varying"`` the wave before for
        the waves before treatment. Both agree from the first treated wave on.

    Raises
    ------
    ModelError : an unknown option, or no cell after the start of treatment.

    Source
    ------
    Callaway & Sant'Anna (2021), Journal of Econometrics 225:200-230.
    """
    one_of(comparison, COMPARISONS)
    one_of(base, BASES)
    pairs = _pairs(panel, base)
    made = [(pair, _cell(panel, *pair, comparison)) for pair in pairs]
    made = [(pair, cell) for pair, cell in made if cell and (cell[0] >= minimum).all()]
    if not any(t >= g for (g, t, _), _ in made):
        raise ModelError(
            f"No group can be compared: each needs {minimum} region(s) and as many "
            f"{'never' if comparison == 'never' else 'not yet'} treated, observed in the wave and "
            "in the last one before treatment"
            + ("; try comparison='not_yet'." if comparison == "never" else ".")
        )
    g, t, before = np.array([pair for pair, _ in made]).T
    counts, influence, loading = (
        np.stack(part) for part in zip(*(c for _, c in made), strict=True)
    )
    value = np.einsum("cnt,nt->c", loading, np.nan_to_num(panel.y))
    years = (panel.waves[t] - panel.waves[before]).astype(float)
    estimates = Estimates(value, np.ascontiguousarray(influence.T), loading, years)
    return Cells(g, t, estimates, *counts.T, len(pairs) - len(made))


def _by_size(panel: Timed, estimates: Estimates, group: np.ndarray) -> Estimates:
    """One average weighted by the sizes of the groups, whose shares count as estimated."""
    belongs = (panel.start[:, None] == group).astype(float)
    share = belongs.mean(axis=0)
    average = estimates.mean((share / share.sum())[None])
    shift = (belongs - share) @ (estimates.value - average.value) / share.sum()
    influence = average.influence + shift[:, None]
    return Estimates(average.value, influence, average.loading, average.years)


def averages(panel: Timed, cells: Cells, by: str) -> tuple[np.ndarray, Estimates, Estimates]:
    """Average the cells along one axis, and those averages once more.

    Parameters
    ----------
    by : ``"dynamic"`` (waves since treatment; the overall is over those from 0 on), ``"group"``,
        ``"calendar"`` (wave) or ``"simple"`` (all treated cells at once).

    Returns
    -------
    keys (K,), their K averages, and the overall average (one value).
    """
    after = cells.event >= 0
    if by == "simple":
        overall = _by_size(panel, cells.estimates[after], cells.group[after])
        return np.array([0]), overall, overall
    if by == "group":
        keys = np.unique(cells.group[after])
        rows = np.stack([(cells.group == g) & after for g in keys])
        parts = cells.estimates.mean(rows / rows.sum(axis=1, keepdims=True))
        return keys, parts, _by_size(panel, parts, keys)
    axis = {"dynamic": cells.event, "calendar": cells.wave}[by]
    kept = after | (by == "dynamic")
    keys = np.unique(axis[kept])
    chosen = [(axis == key) & kept for key in keys]
    parts = stack([_by_size(panel, cells.estimates[c], cells.group[c]) for c in chosen])
    counted = (keys >= 0) if by == "dynamic" else np.ones(len(keys), bool)
    return keys, parts, parts.mean((counted / counted.sum())[None])


@dataclass(frozen=True)
class Reassigned:
    """Estimates had the timings been assigned to other regions.

    Attributes
    ----------
    values : (B, K) estimates. carried : (B,) share of the true treatment that the first of the K
        would pick up, 1 for the true assignment. smallest_p : one over the distinct assignments.
    enumerated : True where these are all assignments but the true one.
    """

    values: np.ndarray
    carried: np.ndarray
    smallest_p: float
    enumerated: bool


def within(lots: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """(B, n) orders of the regions in which each stays within its lot."""
    rng = np.random.default_rng(seed)
    orders = np.tile(np.arange(len(lots)), (draws, 1))
    for lot in range(lots.max() + 1):
        members = np.flatnonzero(lots == lot)
        orders[:, members] = rng.permuted(orders[:, members], axis=1)
    return orders


def _orders(
    panel: Timed, draws: int, seed: int, lots: np.ndarray | None
) -> tuple[np.ndarray, bool]:
    """(B, n) orders of the regions, all of them where there are no more than ``draws``."""
    if lots is not None and lots.max() > 0:
        return within(lots, draws, seed), False
    size, slots = len(panel.start), np.flatnonzero(panel.treated)
    rest = np.flatnonzero(~panel.treated)
    if len(slots) > 3 or perm(size, len(slots)) > draws:
        rng = np.random.default_rng(seed)
        return rng.permuted(np.tile(np.arange(size), (draws, 1)), axis=1), False
    orders = np.empty((perm(size, len(slots)), size), dtype=int)
    for order, chosen in zip(orders, permutations(range(size), len(slots)), strict=True):
        order[slots] = chosen
        order[rest] = np.setdiff1d(np.arange(size), chosen)
    true = (panel.start[orders] == panel.start).all(axis=1)
    # The 1 in (1 + k) / (1 + B) stands for the true assignment.
    return np.delete(orders, true.argmax(), axis=0), True


def _distinct(start: np.ndarray, lots: np.ndarray | None) -> float:
    """Log of the number of different assignments of the timings, each within its lot."""
    lots = np.zeros(len(start), int) if lots is None else lots
    total = 0.0
    for lot in range(lots.max() + 1):
        counts = np.unique(start[lots == lot], return_counts=True)[1]
        total += lgamma(counts.sum() + 1) - sum(lgamma(c + 1) for c in counts)
    return total


def reassign(
    panel: Timed, estimates: Estimates, draws: int, seed: int, lots: np.ndarray | None = None
) -> Reassigned:
    """Assign the timings to other whole trajectories of the outcome; the estimator stays.

    ``lots`` (n,) are codes of the groups within which the timings were drawn; without them all
    regions were in one.

    Raises
    ------
    ModelError : a region is not observed in every wave.

    Source
    ------
    MacKinnon & Webb (2020), Journal of Econometrics 218:435-450.
    """
    gaps = ~panel.observed.all(axis=1)
    if gaps.any():
        raise ModelError(
            f"Randomisation inference needs every region in every wave; {gaps.sum()} regions have "
            f"gaps, first {panel.regions[gaps][0]}. Leave them or the incomplete waves out."
        )
    orders, enumerated = _orders(panel, draws, seed, lots)
    after = panel.treated[:, None] & (np.arange(len(panel.waves)) >= panel.start[:, None])
    flat = estimates.loading.reshape(len(estimates.value), -1)
    values, carried = [], []
    for first in range(0, len(orders), BATCH):
        chosen = orders[first : first + BATCH]
        values.append(panel.y[chosen].reshape(len(chosen), -1) @ flat.T)
        carried.append(after[chosen].reshape(len(chosen), -1) @ flat[0])
    smallest = max(1 / (1 + len(orders)), exp(-_distinct(panel.start, lots)))
    return Reassigned(np.concatenate(values), np.concatenate(carried), smallest, enumerated)


def invert(estimate: float, other: Reassigned, level: float) -> tuple[float, float, float]:
    """p of no association, and the interval of the constant shifts the same test keeps.

    Removing a shift s from the treated outcomes turns the estimate into estimate - s and another
    assignment's d into d - s b, b the share it carries; |d - s b| >= |estimate - s| holds on one
    interval around the estimate, so counting ends of intervals inverts the test exactly.
    """
    d, b = other.values[:, 0], other.carried
    with np.errstate(divide="ignore", invalid="ignore"):
        one, two = (estimate - d) / (1 - b), (estimate + d) / (1 + b)
    one, two = (np.where(np.abs(b) >= 1 - TIE, np.inf, x) for x in (one, two))
    k = rejections(len(d), level)
    p = p_among(abs(estimate), np.abs(d))
    if k < 1:
        return p, -np.inf, np.inf
    spans = np.sort(np.stack([np.minimum(one, two), np.maximum(one, two)]), axis=1)
    spans[0] = np.where(np.isinf(spans[0]), -np.inf, spans[0])
    return p, float(np.sort(spans[0])[k - 1]), float(spans[1][-k])


@dataclass(frozen=True)
class Tested:
    """K estimates with their joint test, the headline first.

    Attributes
    ----------
    value, se : (K,). t : (B, K) signed statistics under the null, in standard errors.
    interval : of the first. p : of the first. level : coverage. description : the procedure.
    pointwise : whether intervals of the others rest on ``t`` (not under randomisation).
    details : numbers of the test.
    """

    value: np.ndarray
    se: np.ndarray
    t: np.ndarray
    interval: tuple[float, float]
    p: float
    level: float
    description: str
    pointwise: bool
    details: dict[str, Any]

    def half_widths(self, part: slice, together: bool) -> np.ndarray:
        """Half-widths of intervals of some quantities, each alone or all together."""
        if not self.pointwise:
            return np.full(len(self.value[part]), np.nan)
        t = np.abs(self.t[:, part])
        return critical_value(t.max(axis=1) if together else t, self.level) * self.se[part]

    def p_of(self, k: int) -> float:
        """p-value of one quantity."""
        return p_among(abs(self.value[k] / self.se[k]), np.abs(self.t[:, k]))

    def records(self, keys: dict[str, Any], part: slice) -> list[dict[str, Any]]:
        """Estimate, standard error, pointwise interval and simultaneous band of each quantity."""
        value = self.value[part]
        alone, together = self.half_widths(part, False), self.half_widths(part, True)
        ends = {"low": value - alone, "high": value + alone}
        ends |= {"band_low": value - together, "band_high": value + together}
        frame = pd.DataFrame({**keys, "estimate": value, "se": self.se[part], **ends})
        return frame.astype(object).to_dict("records")


def bootstraps(panel: Timed) -> bool:
    """Whether the groups are large enough to learn their variances from."""
    sizes = np.unique(panel.start[panel.treated], return_counts=True)[1]
    return bool(sizes.sum() >= MIN_TREATED and sizes.min() >= MIN_GROUP)


def _by_bootstrap(panel: Timed, estimates: Estimates, inference: Inference) -> Tested:
    draws, seed, level = inference.draws, inference.seed, inference.level
    codes, value = panel.cohorts, estimates.value
    se = standard_errors(estimates.influence, codes)
    if se[0] <= SMALL * np.abs(np.nan_to_num(panel.y)).max():
        raise ModelError(
            "The regions of every group change alike: there is no variation to test with."
        )
    t = cohort_bootstrap(estimates.influence, codes, draws, seed)
    analytic = standard_errors(estimates.influence, codes, corrected=False)
    c = float(critical_value(np.abs(t[:, 0]), level))
    details = {"se_analytic": float(analytic[0]), "critical_value": c}
    if panel.observed.all():
        other = reassign(panel, estimates[:1], draws, seed)
        details["randomisation_p"] = p_among(abs(value[0]), np.abs(other.values[:, 0]))
    interval = float(value[0] - c * se[0]), float(value[0] + c * se[0])
    p = p_among(abs(value[0] / se[0]), np.abs(t[:, 0]))
    how = f"studentised bootstrap within groups, {draws} draws"
    return Tested(value, se, t, interval, p, level, how, True, details)


def _by_randomisation(
    panel: Timed, estimates: Estimates, inference: Inference, lots: np.ndarray | None = None
) -> Tested:
    draws, level = inference.draws, inference.level
    other = reassign(panel, estimates, draws, inference.seed, lots)
    if other.smallest_p > 1 - level + 1e-12:
        raise ModelError(
            f"Not testable with this design: with {int(panel.treated.sum())} treated of "
            f"{len(panel.start)} regions and {draws} draws no p-value can go below "
            f"{other.smallest_p:.3g}; a level of {level:g} needs {1 - level:.3g}."
        )
    p, *interval = invert(float(estimates.value[0]), other, level)
    null, made, drawn = other.values, len(other.values), lots is not None
    if drawn:
        # Spread about what was found: the other assignments of outcomes less the estimate.
        after = panel.treated[:, None] & (np.arange(len(panel.waves)) >= panel.start[:, None])
        less = replace(panel, y=panel.y - float(estimates.value[0]) * after)
        null = reassign(less, estimates, draws, inference.seed, lots).values
    se = np.sqrt((null**2).mean(axis=0))
    t = null / np.where(se > 0, se, 1.0)
    details = {"smallest_p": other.smallest_p, "randomisation_p": p}
    how = f"all {made + 1} dealings" if other.enumerated else f"{made} dealings"
    how = f"randomisation inference over the timings, {how}"
    return Tested(estimates.value, se, t, tuple(interval), p, level, how, drawn, details)


def tested(
    panel: Timed, estimates: Estimates, inference: Inference, lots: np.ndarray | None = None
) -> Tested:
    """Test estimates jointly: by bootstrap where groups are large enough, else by reassignment.

    Timings that were drawn by lot, within ``lots`` (n,), are tested by drawing them again.

    Raises
    ------
    ModelError : too few draws, a level outside (0, 1), no variation, or a design whose smallest
        p-value exceeds 1 - level.
    """
    draws, level = inference.draws, inference.level
    if not 0 < level < 1 or (1 - level) * (draws + 1) < 1 - 1e-9:
        raise ModelError(f"{draws} draws cannot give an interval of level {level}; take more.")
    if lots is not None or not bootstraps(panel):
        test = _by_randomisation(panel, estimates, inference, lots)
    else:
        test = _by_bootstrap(panel, estimates, inference)
    test.details["mde_approximate"] = detectable(np.array([1 / test.se[0]]), test.t[:, :1], level)
    return test


def pre_trend(
    test: Tested, part: slice, events: np.ndarray, years: np.ndarray, overall_years: float
) -> dict[str, Any] | None:
    """What the waves before treatment say, and what they could have said.

    Parameters
    ----------
    part : the event-study estimates among the tested. events, years : (J,) theirs; years from
        base to outcome wave. overall_years : the same average behind the reported estimate.

    Returns
    -------
    ``None`` without a wave before the last untreated one; else ``p`` (largest |t| of all
    estimates before treatment), ``estimates``, ``detectable_slope`` (departure from parallel
    trends, units per year, that this test finds with 80 % power) and ``detectable_bias`` (what
    such a departure, going on, adds to the reported estimate).

    Source
    ------
    Roth (2022), American Economic Review: Insights 4:305-322.
    """
    chosen = np.arange(len(test.value))[part][events < 0]
    if not len(chosen):
        return None
    t = np.abs(test.value[chosen] / test.se[chosen]).max()
    slope = detectable(years[events < 0] / test.se[chosen], test.t[:, chosen], test.level)
    return {
        "p": p_among(t, np.abs(test.t[:, chosen]).max(axis=1)),
        "estimates": len(chosen),
        "power": POWER,
        "detectable_slope": slope,
        "detectable_bias": abs(slope * overall_years),
    }


def _codes(panel: Timed, lots: Mapping[str, str] | None) -> np.ndarray | None:
    """(n,) codes of the strata of the regions; ``None`` where nothing was drawn by lot."""
    if lots is None:
        return None
    if unknown := [str(region) for region in panel.regions if region not in lots]:
        raise ModelError(f"'lots' gives no stratum for {', '.join(unknown[:5])}.")
    return pd.factorize(np.array([lots[region] for region in panel.regions], dtype=object))[0]


def _check(panel: Timed, summary: str) -> None:
    if summary not in AVERAGES:
        raise ModelError(f"Unknown summary '{summary}': use one of {', '.join(AVERAGES)}.")
    if len(panel.start) < MIN_REGIONS:
        raise ModelError(
            f"{len(panel.start)} regions remain (left out: {panel.dropped} rows with missing "
            f"values, {panel.always} regions treated from the first wave); at least {MIN_REGIONS} "
            "are needed."
        )
    if (~panel.treated).sum() == 1:
        raise ModelError("Only one region is never treated; at least 2 are needed to compare with.")


def _counts(panel: Timed, cells: Cells) -> dict[str, Any]:
    """Regions by group and part, rows and cells left out."""
    groups, sizes = np.unique(panel.start[panel.treated], return_counts=True)
    by_group = zip(panel.waves[groups], sizes, strict=True)
    return {
        "treated_by_group": {str(wave): int(size) for wave, size in by_group},
        "treated": int(panel.treated.sum()),
        "never_treated": int((~panel.treated).sum()),
        "always_treated": panel.always,
        "treated_later": panel.later,
        "dropped": panel.dropped,
        "cells": len(cells.group),
        "cells_missing": cells.missing,
    }


def _tables(
    panel: Timed, cells: Cells, parts: dict[str, tuple], summary: str, test: Tested
) -> dict[str, Any]:
    """Records by event, group, wave and cell, the pre-trend, and how the reported average and the
    differences by event go together."""
    tables, place = {}, len(AVERAGES)
    for by, key in AXES.items():
        keys, estimates, _ = parts[by]
        part = slice(place, place := place + len(keys))
        labels = keys if by == "dynamic" else panel.waves[keys]
        tables[by] = test.records({key: labels, "years": estimates.years}, part)
        if by == "dynamic":
            reported = float(parts[summary][2].years[0])
            tables["pre_trend"] = pre_trend(test, part, keys, estimates.years, reported)
            tables["correlation"] = _correlation(test.t[:, [0, *range(part.start, part.stop)]])
    keys = {
        "group": panel.waves[cells.group],
        "wave": panel.waves[cells.wave],
        "event": cells.event,
        "treated": cells.treated,
        "comparison": cells.comparison,
    }
    return tables | {"group_time": test.records(keys, slice(place, None))}


def _correlation(t: np.ndarray) -> list[list[float]]:
    """Correlations (K, K) of statistics (B, K) under the null; 0 with one that never varies."""
    centred = t - t.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    scaled = centred / np.where(size > 0, size, 1.0)
    return (scaled.T @ scaled).tolist()


def _sampling_se(panel: Timed, squares: np.ndarray) -> float | None:
    """Standard error from the known sampling variances alone, of squared loadings (n, T)."""
    if panel.variance is None:
        return None
    return float(np.sqrt((squares * np.nan_to_num(panel.variance)).sum()))


def _coefficients(dose: str, order: list[str], test: Tested) -> tuple[dict[str, Any], ...]:
    """The reported average under the name of the dose, then the other three."""
    half, rows = test.half_widths(slice(0, len(order)), False), []
    for k, by in enumerate(order):
        low, high = float(test.value[k] - half[k]), float(test.value[k] + half[k])
        row = {"term": f"{dose} ({by})" if k else dose, "estimate": float(test.value[k])}
        rows.append(row | {"se": float(test.se[k]), "low": low, "high": high, "p": test.p_of(k)})
    rows[0] |= dict(zip(("low", "high"), test.interval, strict=True)) | {"p": test.p}
    return tuple(rows)


def fit(
    panel: pd.DataFrame,
    roles: Roles,
    inference: Inference,
    *,
    comparison: str = "never",
    base: str = "universal",
    summary: str = "group",
    lots: Mapping[str, str] | None = None,
) -> Result:
    """Average of the group-time differences after Callaway and Sant'Anna, all regions equal.

    ``panel`` has one row a region and wave (a year), gaps allowed where the bootstrap is used; the
    outcome is a rate in percent, its one dose the region's first treated year (0 for never) or 0/1
    in each wave. The sampling variance does not weight; ``details["sampling_se"]`` is made of it.
    ``comparison`` and ``base`` are those of :func:`group_time`, ``summary`` the average reported.
    With 4 treated regions and 3 in every group: studentised bootstrap within groups; otherwise
    randomisation inference over the timings. ``lots``, the stratum of each region, says that the
    timings were drawn by lot within strata: then they are drawn again.

    Raises
    ------
    ModelError : nobody or everybody treated, fewer than 10 regions, one wave, a design in which
        no p-value could reach 1 - level, covariates, and what
        :func:`evaluation.models.columns.timed_panel` refuses.
    """
    require_one_dose(roles, "The staggered design")
    timed = timed_panel(panel, roles)
    _check(timed, summary)
    cells = group_time(timed, comparison, base, minimum=2 if bootstraps(timed) else 1)
    parts = {by: averages(timed, cells, by) for by in AVERAGES}
    order = sorted(AVERAGES, key=lambda by: by != summary)
    every = [parts[by][2] for by in order] + [parts[by][1] for by in AXES]
    test = tested(timed, stack([*every, cells.estimates]), inference, _codes(timed, lots))
    options = {"comparison": comparison, "base": base, "summary": summary, "seed": inference.seed}
    squares, observed = every[0].loading[0] ** 2, int(timed.observed.sum())
    coefficients = _coefficients(roles.dose, order, test)
    return Result(
        model=NAME, outcome=roles.outcome, **coefficients[0], level=inference.level,
        inference=test.description, clusters=len(timed.start), observations=observed,
        unit="percentage_point", coefficients=coefficients, draws=len(test.t),
        support=float(squares.sum() ** 2 / (squares**2).sum() / observed),
        details=_tables(timed, cells, parts, summary, test) | test.details
        | _counts(timed, cells) | options | {"sampling_se": _sampling_se(timed, squares)},
    )  # fmt: skip
