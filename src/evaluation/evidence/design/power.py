"""Power of cluster designs with repeated cross-sections, by one generalised least squares.

A unit's rate in a period is a period effect, the programme's effect where it has begun, what is
lasting in the unit, what is the unit's in that period only, and the error of its survey. All
designs here differ in one matrix: who has the programme when, and who is surveyed when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, sqrt
from typing import Any

import numpy as np
from scipy import optimize, stats

from evaluation.base.errors import KepuError

KINDS = ("parallel", "baseline", "stepped", "staircase", "pairs", "encouragement")
ANALYSES = ("random", "within")
REFERENCES = ("t", "z")
# Effect, in standard errors, that a search for a detectable one goes up to.
FARTHEST = 1e4
SINGULAR = 1e-9


def require(condition: Any, message: str) -> None:
    """Raise ``KepuError(message)`` unless the condition holds."""
    if not condition:
        raise KepuError(message)


@dataclass(frozen=True)
class Variance:
    """Where the differences between surveyed rates come from.

    Attributes
    ----------
    cluster : variance of true rates between units in one period, in squared units of the outcome.
    autocorrelation : share of it that a unit keeps from one period to the next, 0 to 1.
    individual : variance of one respondent's answer within a unit, in the same unit.
    design_effect : of the survey within a unit, at least 1.
    decay : the share kept falls with every period between; else it is the same for all periods.

    Source
    ------
    Hooper, Teerenstra, de Hoop & Eldridge (2016), Statistics in Medicine 35:4718-4728; for
    ``decay`` Kasza et al. (2019), Statistical Methods in Medical Research 28:703-716.
    """

    cluster: float
    autocorrelation: float
    individual: float
    design_effect: float = 1.0
    decay: bool = False

    def __post_init__(self) -> None:
        finite = all(map(isfinite, (self.cluster, self.individual, self.design_effect)))
        require(
            finite and self.cluster >= 0, f"'cluster' must be at least 0; it is {self.cluster}."
        )
        require(self.individual > 0, f"'individual' must be positive; it is {self.individual}.")
        told = f"'autocorrelation' must lie between 0 and 1; it is {self.autocorrelation}."
        require(0 <= self.autocorrelation <= 1, told)
        told = f"'design_effect' must be at least 1; it is {self.design_effect}."
        require(self.design_effect >= 1, told)

    @classmethod
    def of_rate(
        cls, rate: float, icc: float, autocorrelation: float, design_effect: float = 1.0
    ) -> Variance:
        """Components in squared percentage points of a rate in percent.

        ``icc`` is the intracluster correlation, the share of p(1 - p) that lies between units.

        >>> Variance.of_rate(10, 0.02, 0.8).cluster
        18.0
        """
        require(0 < rate < 100, f"'rate' must lie between 0 and 100 percent; it is {rate}.")
        require(0 <= icc < 1, f"'icc' must lie between 0 and 1; it is {icc}.")
        total = rate * (100 - rate)
        return cls(icc * total, autocorrelation, (1 - icc) * total, design_effect)

    def sampling(self, respondents: float) -> float:
        """Variance that the survey adds to a unit's rate."""
        require(respondents > 0, f"'respondents' must be positive; it is {respondents}.")
        return self.design_effect * self.individual / respondents

    def covariance(self, periods: int, respondents: float) -> np.ndarray:
        """Covariance of one unit's rates over the periods, (T, T)."""
        kept = np.full((periods, periods), self.autocorrelation)
        if self.decay:
            place = np.arange(periods)
            kept = self.autocorrelation ** np.abs(place[:, None] - place)
        np.fill_diagonal(kept, 1.0)
        return self.cluster * kept + self.sampling(respondents) * np.eye(periods)


@dataclass(frozen=True)
class Layout:
    """Who has the programme and who is surveyed when.

    Attributes
    ----------
    kind : one of ``KINDS``.
    treatment : for each sequence of units, for each period, 1 with the programme, 0 without it,
        ``None`` where the sequence is not surveyed.
    compliance : share by which an encouragement raises take-up, 1 where units cannot refuse.
    matched : for pairs, the share of the variance between units that lies between pairs.
    """

    kind: str
    treatment: tuple[tuple[int | None, ...], ...]
    compliance: float = 1.0
    matched: float = 0.0

    def __post_init__(self) -> None:
        require(self.kind in KINDS, f"Unknown design '{self.kind}'; known: {', '.join(KINDS)}.")
        lengths = {len(row) for row in self.treatment}
        require(len(lengths) == 1 and lengths != {0}, "All sequences need the same periods.")
        known = {cell for row in self.treatment for cell in row}
        require(known <= {0, 1, None}, "A cell of a design is 0, 1 or not surveyed.")
        told = f"'compliance' must lie above 0 and at most at 1; it is {self.compliance}."
        require(0 < self.compliance <= 1, told)
        told = f"'matched' must be at least 0 and below 1; it is {self.matched}."
        require(0 <= self.matched < 1, told)

    @property
    def matrix(self) -> np.ndarray:
        """(S, T) treatment, missing where not surveyed."""
        return np.array([[np.nan if c is None else c for c in row] for row in self.treatment])

    @property
    def sequences(self) -> int:
        """Groups of units that get the programme together."""
        return len(self.treatment)

    @property
    def periods(self) -> int:
        """Survey waves."""
        return len(self.treatment[0])

    @property
    def surveyed(self) -> np.ndarray:
        """(S,) waves in which the units of each sequence are surveyed."""
        return np.isfinite(self.matrix).sum(axis=1)

    @property
    def start(self) -> np.ndarray:
        """(S,) first period with the programme, -1 for never."""
        begun = self._begun()
        return np.where(begun.any(axis=1), begun.argmax(axis=1), -1)

    def _begun(self) -> np.ndarray:
        return self.matrix == 1

    def counts(self, units: int) -> np.ndarray:
        """Units in each sequence, as equal as can be, the first sequences taking one more.

        Of an odd number one unit stays out of the pairs.

        Raises
        ------
        KepuError : fewer units than sequences.
        """
        told = f"{units} units cannot be dealt to {self.sequences} groups; take fewer steps."
        require(units >= self.sequences, told)
        if self.kind == "pairs":
            return np.full(2, units // 2)
        share, rest = divmod(units, self.sequences)
        return share + (np.arange(self.sequences) < rest)

    def freedom(self, units: int) -> int:
        """Degrees of freedom of the t reference: units less 2, pairs less 1."""
        return units // 2 - 1 if self.kind == "pairs" else units - 2


def _both(before: int, after: int) -> tuple[tuple[int, ...], ...]:
    require(after >= 1 and before >= 0, "A design needs at least one wave after the start.")
    return (0,) * before + (1,) * after, (0,) * (before + after)


def parallel(after: int = 1) -> Layout:
    """Half of the units get the programme, all are surveyed only afterwards."""
    return Layout("parallel", _both(0, after))


def with_baseline(before: int = 1, after: int = 1) -> Layout:
    """Half of the units get the programme, all are surveyed before and afterwards.

    With random effects of the units this is the adjustment for the baseline (ANCOVA); with effects
    of their own, ``analysis="within"``, the difference of differences.
    """
    require(before >= 1, "A design with a baseline needs a wave before the start.")
    return Layout("baseline", _both(before, after))


def stepped(steps: int, before: int = 1) -> Layout:
    """Stepped wedge: the units begin in turn, one group a wave; all are surveyed in each."""
    require(steps >= 2, f"A stepped wedge needs at least 2 steps; it has {steps}.")
    periods = before + steps
    rows = tuple(tuple(int(t >= before + k) for t in range(periods)) for k in range(steps))
    return Layout("stepped", rows)


def staircase(steps: int, before: int = 1, after: int = 1) -> Layout:
    """As a stepped wedge, but each group is surveyed only around its own start.

    Source
    ------
    Grantham, Forbes, Hooper & Kasza (2024), Statistical Methods in Medical Research 33:24-41.
    """
    require(steps >= 2, f"A staircase needs at least 2 steps; it has {steps}.")
    require(before >= 1 and after >= 1, "A staircase needs a wave before and one after each start.")
    periods = steps + before + after - 1
    rows = [
        tuple(int(t >= k + before) if k <= t < k + before + after else None for t in range(periods))
        for k in range(steps)
    ]
    return Layout("staircase", tuple(rows))


def pairs(matched: float, before: int = 0, after: int = 1) -> Layout:
    """Pairs of like units, one of each gets the programme by lot."""
    return Layout("pairs", _both(before, after), matched=matched)


def encouragement(compliance: float, before: int = 1, after: int = 1) -> Layout:
    """Half of the units are urged to take the programme; take-up is higher by ``compliance``."""
    return Layout("encouragement", _both(before, after), compliance=compliance)


@dataclass(frozen=True)
class Setting:
    """What a design is worked out with.

    Attributes
    ----------
    variance : see :class:`Variance`. respondents : of each unit in each wave.
    level : 1 - size of the two-sided test. target : power asked for.
    reference : ``"t"`` or ``"z"``, the distribution of the test statistic.
    analysis : ``"random"`` effects of the units, or ``"within"`` (effects of their own).
    """

    variance: Variance
    respondents: float
    level: float = 0.95
    target: float = 0.8
    reference: str = "t"
    analysis: str = "random"

    def __post_init__(self) -> None:
        for name, known in (("reference", REFERENCES), ("analysis", ANALYSES)):
            value = getattr(self, name)
            require(value in known, f"Unknown {name} '{value}'; known: {', '.join(known)}.")
        require(0 < self.level < 1, f"'level' must lie between 0 and 1; it is {self.level}.")
        told = f"'target' must lie between {1 - self.level:g} and 1; it is {self.target}."
        require(1 - self.level < self.target < 1, told)


def _weights(covariance: np.ndarray, analysis: str) -> np.ndarray:
    """Inverse covariance of a unit's observed rates; ``within`` sweeps out the unit's own level."""
    if analysis == "random":
        return np.linalg.inv(covariance)
    size = len(covariance)
    contrasts = np.eye(size)[1:] - np.eye(size)[:-1]
    middle = np.linalg.inv(contrasts @ covariance @ contrasts.T)
    return contrasts.T @ middle @ contrasts


def _information(layout: Layout, setting: Setting) -> list[np.ndarray]:
    """(T, T) weights of a unit of each sequence, 0 in the waves it is not surveyed."""
    variance = replace(setting.variance, cluster=setting.variance.cluster * (1 - layout.matched))
    covariance = variance.covariance(layout.periods, setting.respondents)
    made = []
    for row in layout.matrix:
        seen = np.flatnonzero(np.isfinite(row))
        weights = np.zeros_like(covariance)
        weights[np.ix_(seen, seen)] = _weights(covariance[np.ix_(seen, seen)], setting.analysis)
        made.append(weights)
    return made


def loadings(layout: Layout, counts: Sequence[int], setting: Setting) -> np.ndarray:
    """What the generalised least squares estimate makes of the rates, (S, T): Σ loading · rate.

    The loading is that of each unit of a sequence; 0 where the sequence is not surveyed.

    Raises
    ------
    KepuError : the effect cannot be told from the periods with this design.
    """
    x, weights = np.nan_to_num(layout.matrix), _information(layout, setting)
    counts = np.asarray(counts, dtype=float)
    scores = np.stack([m @ row for m, row in zip(weights, x, strict=True)])
    periods = np.einsum("s,stu->tu", counts, np.stack(weights))
    cross = counts @ scores
    slopes = np.linalg.pinv(periods, rcond=SINGULAR, hermitian=True) @ cross
    left = float(counts @ (scores * x).sum(axis=1) - cross @ slopes)
    total = float(counts @ (scores * x).sum(axis=1))
    if left <= SINGULAR * max(total, np.finfo(float).tiny):
        raise KepuError(
            f"The design '{layout.kind}' cannot tell the programme from the waves: in each wave "
            "all surveyed units have it or none has; add a group, a step or a baseline."
        )
    return np.stack([m @ (row - slopes) for m, row in zip(weights, x, strict=True)]) / left


def standard_error(layout: Layout, counts: Sequence[int], setting: Setting) -> float:
    """Standard error of the estimated effect, in units of the outcome.

    Of an encouragement it is that of the effect of the programme on those who take it up.

    Source
    ------
    Hussey & Hughes (2007), Contemporary Clinical Trials 28:182-191; Girling & Hemming (2016),
    Statistics in Medicine 35:2149-2166.
    """
    variance = replace(setting.variance, cluster=setting.variance.cluster * (1 - layout.matched))
    covariance = variance.covariance(layout.periods, setting.respondents)
    made = loadings(layout, counts, setting)
    total = np.asarray(counts, dtype=float) @ np.einsum("st,tu,su->s", made, covariance, made)
    return sqrt(float(total)) / layout.compliance


def power(effect: float, se: float, level: float = 0.95, freedom: float = inf) -> float:
    """Chance that a two-sided test finds an effect; ``freedom`` infinite for the normal.

    >>> round(power(2.8, 1.0), 3)
    0.8
    """
    require(se > 0, f"'se' must be positive; it is {se}.")
    require(freedom > 0, f"'freedom' must be positive; it is {freedom}.")
    shift = abs(effect) / se
    if not isfinite(freedom):
        critical = stats.norm.ppf((1 + level) / 2)
        return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
    critical = stats.t.ppf((1 + level) / 2, freedom)
    below = stats.nct.cdf(-critical, freedom, shift)
    return float(stats.nct.sf(critical, freedom, shift) + (below if isfinite(below) else 0.0))


def detectable(se: float, level: float = 0.95, target: float = 0.8, freedom: float = inf) -> float:
    """The smallest effect that a two-sided test finds with a chance of ``target``.

    >>> round(detectable(1.0), 3)
    2.802
    """
    found = optimize.brentq(
        lambda shift: power(shift, 1.0, level, freedom) - target,
        0.0,
        _beyond(level, target, freedom),
    )
    return float(found) * se


def _beyond(level: float, target: float, freedom: float) -> float:
    """An effect, in standard errors, that is found with more than the chance asked for."""
    shift = 1.0
    while power(shift, 1.0, level, freedom) < target:
        shift *= 2
        require(shift < FARTHEST, "With so few units no effect is found with such a chance.")
    return shift


@dataclass(frozen=True)
class Assessed:
    """What a design can tell.

    Attributes
    ----------
    units : dealt to the groups. counts : of each group. effect : assumed. se : of its estimate.
    power : chance that the test finds it. detectable : effect found with a chance of ``target``.
    level, target : of the test. reference : ``"t"`` or ``"z"``. freedom : degrees of freedom of
        ``t``, infinite for ``z``.
    """

    units: int
    counts: tuple[int, ...]
    effect: float
    se: float
    power: float
    detectable: float
    level: float
    target: float
    reference: str
    freedom: float


def assess(layout: Layout, units: int, effect: float, setting: Setting) -> Assessed:
    """Standard error, power and detectable effect of a design with so many units.

    Raises
    ------
    KepuError : too few units, or an effect that the design cannot tell from the waves.

    >>> setting = Setting(Variance(0.0, 0.0, 900.0), respondents=90)
    >>> assess(parallel(), 20, 4.0, setting).se.__round__(3)
    1.414
    """
    counts = layout.counts(units)
    freedom = layout.freedom(units) if setting.reference == "t" else inf
    told = f"{units} units are too few for a test with the design '{layout.kind}'."
    require(freedom > 0, told)
    se, level, target = standard_error(layout, counts, setting), setting.level, setting.target
    return Assessed(
        units=int(counts.sum()), counts=tuple(map(int, counts)), effect=effect, se=se,
        power=power(effect, se, level, freedom),
        detectable=detectable(se, level, target, freedom),
        level=level, target=target, reference=setting.reference, freedom=freedom,
    )  # fmt: skip
