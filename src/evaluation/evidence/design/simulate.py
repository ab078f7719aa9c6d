"""Power of a design as it will be analysed: the package's own estimators on simulated surveys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np

from evaluation.base.cache import kept
from evaluation.base.errors import KepuError
from evaluation.evidence.design import power
from evaluation.evidence.design.power import Layout, Setting, require
from evaluation.evidence.design.randomise import statistics
from evaluation.models import events
from evaluation.models.columns import NEVER

# Panels in one piece of work: what is kept between runs and what a progress bar counts.
PIECE = 250
# Deals of the randomisation test in each simulated panel, the one drawn among them.
DEALS = 400
ESTIMATORS = ("staggered", "least_squares")
# A true rate stays within these ends, in percent.
ENDS = 0.1, 99.9


@dataclass(frozen=True)
class Job:
    """One design to be simulated.

    Attributes
    ----------
    layout, units, setting : see :mod:`evaluation.evidence.design.power`.
    effect : in percentage points.
    rate, trend : untreated rate in the first wave, in percent, and what it gains from wave to wave.
    estimator : ``"staggered"``, the group-time differences of :mod:`evaluation.models.events`, or
        ``"least_squares"``, the weights of the formula. sims, seed : panels and their seed.
    """

    layout: Layout
    units: int
    setting: Setting
    effect: float
    rate: float
    trend: float
    estimator: str
    sims: int
    seed: int

    def __post_init__(self) -> None:
        known = ", ".join(ESTIMATORS)
        require(self.estimator in ESTIMATORS, f"Unknown estimator; known: {known}.")
        require(self.sims >= 1, f"'sims' must be at least 1; it is {self.sims}.")
        require(0 < self.rate < 100, f"'rate' must lie between 0 and 100; it is {self.rate}.")

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Number and panels of each piece of the work."""
        sizes = [min(PIECE, self.sims - start) for start in range(0, self.sims, PIECE)]
        return list(enumerate(sizes))


@dataclass(frozen=True)
class Simulated:
    """What simulated panels say of a design.

    ``power`` and ``size`` : shares of panels with and without the effect that the randomisation
    test rejects; ``bias`` of the estimate in percentage points; ``sd`` of it; ``sims`` panels.
    """

    estimator: str
    power: float
    size: float
    bias: float
    sd: float
    sims: int

    @property
    def error(self) -> float:
        """Monte Carlo standard error of ``power``."""
        return sqrt(self.power * (1 - self.power) / self.sims)


def weights(layout: Layout, counts: Sequence[int], setting: Setting, estimator: str) -> np.ndarray:
    """Loadings (S, T) of an estimator for each unit of a sequence; Σ loading · rate is its value.

    The staggered differences need a group that is surveyed in the same two waves and has not
    begun: never-treated units where there are any, else those that begin later.

    Raises
    ------
    KepuError : the design gives the estimator no such group.
    """
    if estimator == "least_squares":
        return power.loadings(layout, counts, setting)
    deal = np.repeat(np.arange(layout.sequences), counts)
    start, waves = layout.start[deal], np.arange(layout.periods)
    if (start == 0).any():  # one wave, nothing before: the difference of the two groups
        own = (layout.start == 0) / counts[0] - (layout.start != 0) / counts[1]
        return np.repeat(own[:, None], layout.periods, axis=1) / layout.periods
    seen = np.where(np.isfinite(layout.matrix[deal]), 0.0, np.nan)
    codes = np.arange(len(deal))
    panel = events.Timed(codes, waves, seen, None, start, dropped=0, always=0, later=0)
    comparison = "never" if (start == NEVER).any() else "not_yet"
    cells = events.group_time(panel, comparison, "universal")
    overall = events.averages(panel, cells, "group")[2]
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return overall.loading[0][first]


def permuted(layout: Layout, units: int, seed: int) -> np.ndarray:
    """Deals (A, n) of the groups to units; of pairs one of each, the first in its group of two."""
    counts = layout.counts(units)
    rng = np.random.default_rng(seed)
    if layout.kind == "pairs":
        coins = rng.integers(2, size=(DEALS, counts[0]))
        return np.stack([coins, 1 - coins], axis=2).reshape(DEALS, -1)
    deal = np.repeat(np.arange(layout.sequences), counts)
    return rng.permuted(np.tile(deal, (DEALS, 1)), axis=1)


def surveys(
    job: Job, x: np.ndarray, effect: float, sims: int, rng: np.random.Generator
) -> np.ndarray:
    """Surveyed rates (B, n, T) in percent, with what units and waves differ by.

    ``x`` (n, T) is the treatment, missing where nobody is asked; the respondents answer yes with
    the true rate, their number is the effective one (divided by the design effect).
    """
    variance, layout = job.setting.variance, job.layout
    n, periods = x.shape
    scale = sqrt(variance.cluster)
    between = rng.normal(size=(sims, n, 1))
    if layout.kind == "pairs":
        shared = np.repeat(rng.normal(size=(sims, n // 2, 1)), 2, axis=1)
        between = sqrt(layout.matched) * shared + sqrt(1 - layout.matched) * between
    own = rng.normal(size=(sims, n, periods))
    if layout.kind == "pairs":
        shared = np.repeat(rng.normal(size=(sims, n // 2, periods)), 2, axis=1)
        own = sqrt(layout.matched) * shared + sqrt(1 - layout.matched) * own
    lasting = variance.autocorrelation
    true = job.rate + job.trend * np.arange(periods)
    true = true + scale * (sqrt(lasting) * between + sqrt(1 - lasting) * own)
    true = np.clip(true + effect * layout.compliance * np.nan_to_num(x), *ENDS)
    asked = max(1, round(job.setting.respondents / variance.design_effect))
    return 100 * rng.binomial(asked, true / 100) / asked


def piece(job: Job, number: int, sims: int) -> tuple[int, int, float, float]:
    """Rejections with and without the effect, sum and sum of squares of the estimates."""
    layout = job.layout
    seeds = np.random.SeedSequence([job.seed, number]).spawn(3)
    dealt = permuted(layout, job.units, int(seeds[0].generate_state(1)[0]))
    counts = np.bincount(dealt[0], minlength=layout.sequences)
    made = weights(layout, counts, job.setting, job.estimator)
    x, rejected, found = layout.matrix[dealt[0]], [], []
    for effect, seed in ((job.effect, seeds[1]), (0.0, seeds[2])):
        rates = surveys(job, x, effect, sims, np.random.default_rng(seed))
        values = statistics(rates, dealt, made)
        extreme = (np.abs(values) >= np.abs(values[:, :1]) * (1 - 1e-9)).sum(axis=1)
        rejected.append(int((extreme / len(dealt) <= 1 - job.setting.level + 1e-12).sum()))
        found.append(values[:, 0] / layout.compliance)
    return *rejected, float(found[0].sum()), float((found[0] ** 2).sum())


@lru_cache(maxsize=512)
def unstable(job: Job) -> float:
    """Share of panels without effect in which some one unit, left out, moves the estimate by more
    than its standard error: what the check of the analysis fails on.

    The standard error is that of the other deals; every unit's group has one fewer without it.
    """
    dealt = permuted(job.layout, job.units, job.seed)
    counts = np.bincount(dealt[0], minlength=job.layout.sequences)
    made, x = weights(job.layout, counts, job.setting, job.estimator), job.layout.matrix[dealt[0]]
    rates = surveys(job, x, 0.0, job.sims, np.random.default_rng([job.seed, 1]))
    values, rates = statistics(rates, dealt, made), np.nan_to_num(rates)
    own, error = values[:, 0], np.sqrt((values[:, 1:] ** 2).mean(axis=1))
    moved = np.zeros(len(own), dtype=bool)
    for group in range(job.layout.sequences):
        fewer = counts - (np.arange(len(counts)) == group)
        if not fewer.all():
            continue  # nothing to compare with: the check leaves such a unit out as well
        least = weights(job.layout, fewer, job.setting, job.estimator)
        total = np.einsum("bnt,nt->b", rates, least[dealt[0]])
        without = total[:, None] - rates[:, dealt[0] == group] @ least[group]
        moved |= (np.abs(without - own[:, None]) > error[:, None]).any(axis=1)
    return float(moved.mean())


def _kept(job: Job, number: int, sims: int) -> tuple[int, int, float, float]:
    """A piece, or what it gave before in an interrupted run."""
    return kept(piece, job, number, sims)


def run(
    jobs: Sequence[Job], workers: int = 2, watch: Callable[[int], None] = lambda done: None
) -> list[Simulated]:
    """Simulate designs in parallel; what an interrupted run has done is not done again.

    ``watch`` is told the number of panels of each piece that is done.

    Raises
    ------
    KepuError : a design the estimator cannot be used with.
    """
    import joblib

    for job in jobs:  # before any work: refuse what cannot be estimated
        counts = job.layout.counts(job.units)
        weights(job.layout, counts, job.setting, job.estimator)
    tasks = [(index, *part) for index, job in enumerate(jobs) for part in job.pieces]
    calls = (joblib.delayed(_kept)(jobs[index], number, sims) for index, number, sims in tasks)
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator")
    totals = np.zeros((len(jobs), 4))
    for (index, _, sims), found in zip(tasks, parallel(calls), strict=True):
        totals[index] += found
        watch(sims)
    return [_summed(job, total) for job, total in zip(jobs, totals, strict=True)]


def _summed(job: Job, total: np.ndarray) -> Simulated:
    mean = float(total[2] / job.sims)
    spread = sqrt(max(0.0, float(total[3]) / job.sims - mean**2))
    shares = total[:2] / job.sims
    return Simulated(
        job.estimator, float(shares[0]), float(shares[1]), mean - job.effect, spread, job.sims
    )


def estimable(layout: Layout, units: int, setting: Setting) -> str:
    """The estimator a design is analysed with: the staggered one where it can be used."""
    try:
        weights(layout, layout.counts(units), setting, ESTIMATORS[0])
    except KepuError:
        return ESTIMATORS[1]
    return ESTIMATORS[0]
