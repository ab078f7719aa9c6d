"""Candidate rollouts compared: power, detectable effect, expected locks, cost, time to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from evaluation.base.cache import latest
from evaluation.base.errors import KepuError
from evaluation.base.results import Check
from evaluation.data.package import Dataset
from evaluation.data.slices import lineage
from evaluation.evidence.design import components, power, simulate
from evaluation.evidence.design.components import COVERED, Components
from evaluation.evidence.design.power import Assessed, Layout, Setting, Variance, require
from evaluation.evidence.grade import BELONGS, Design, grade_programme
from evaluation.survey import panel

# Where the value of an assumption comes from.
ORIGINS = ("package", "stands_in", "declared", "assumed")
# What is taken where nobody states it; each is named as an assumption wherever it is used.
MATCHED, COMPLIANCE = 0.5, 0.5
WAVES, RESPONDENTS = (2, 3, 4, 5), (200, 400, 700)
# Waves without the programme that a staircase surveys before each start: with one alone nothing
# is left to compare within units.
STAIRCASE_BEFORE = 2
SEED = 20250101


@dataclass(frozen=True)
class Baseline:
    """What is known of the outcome before the programme, and where from.

    Attributes
    ----------
    rate : in the first wave, in percent. trend : what it gains from wave to wave, in points.
    components : how much units differ. design_effect : of the survey within a unit.
    origins : of ``rate, trend, icc, autocorrelation, design_effect``, one of ``ORIGINS``.
    """

    rate: float
    trend: float
    components: Components
    design_effect: float
    origins: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(0 < self.rate < 100, f"'rate' must lie between 0 and 100; it is {self.rate}.")
        told = f"'design_effect' must be at least 1; it is {self.design_effect}."
        require(self.design_effect >= 1, told)

    def assumed(self) -> dict[str, tuple[float, str]]:
        """Value and origin of everything a comparison rests on, by name."""
        parts = self.components
        values = {
            "rate": self.rate, "trend": self.trend, "icc": parts.icc,
            "autocorrelation": parts.autocorrelation, "design_effect": self.design_effect,
        }  # fmt: skip
        return {name: (value, self.origins[name]) for name, value in values.items()}


def from_package(dataset: Dataset, region: str, level: str, years: float, seed: int) -> Baseline:
    """The baseline of a region's units: latest rate and trend of the region or of one above it.

    Raises
    ------
    KepuError : nothing above the region was surveyed, or the variance cannot be estimated.
    """
    table = panel.rates(dataset)
    table = table[table["variance"].notna()]
    code = next((c for c in lineage(dataset, region) if c in set(table["region_code"])), None)
    if code is None:
        raise KepuError(f"Neither {region} nor a region above it has a rate; declare a baseline.")
    own = table[table["region_code"] == code].sort_values("wave")
    source = components.level_with_rates(dataset, level)
    found = components.estimated(dataset, source, seed)
    trend = 0.0
    if len(own) > 1:
        trend = years * float(np.polyfit(own["wave"], own["rate"], 1)[0])
    stated = dataset.assumed("design_effect")
    require(stated is not None, "assumptions.csv declares no design_effect; add it for all levels.")
    rate = "package" if code == region else "stands_in"
    origins = {
        "rate": rate, "trend": rate if len(own) > 1 else "assumed",
        "icc": "package" if source == level else "stands_in",
        "autocorrelation": "package" if source == level else "stands_in",
        "design_effect": "assumed",
    }  # fmt: skip
    return Baseline(float(own["rate"].iloc[-1]), trend, found, float(stated), origins)


NEEDED = ("rate", "icc", "autocorrelation", "design_effect")
OPTIONAL = ("trend", "icc_range", "autocorrelation_range")


def from_record(record: Any, seed: int) -> Baseline:
    """A baseline somebody declares: a mapping of ``NEEDED`` and, if known, ``OPTIONAL``.

    Raises
    ------
    KepuError : no mapping, a name that is missing or unknown, or a value that is no number.
    """
    require(isinstance(record, Mapping), "A baseline is a mapping of names to numbers.")
    if strange := sorted(set(map(str, record)) - {*NEEDED, *OPTIONAL}):
        known = ", ".join((*NEEDED, *OPTIONAL))
        raise KepuError(f"A baseline has no '{strange[0]}'; known: {known}.")
    if lacking := [name for name in NEEDED if name not in record]:
        raise KepuError(f"The baseline lacks {', '.join(lacking)}; state them.")
    numbers = {name: _number(record, name) for name in (*NEEDED, "trend") if name in record}
    ends = {name: _ends(record, name, numbers[name]) for name in ("icc", "autocorrelation")}
    pairs = {name: (numbers[name], *pair) for name, pair in ends.items()}
    found = components.declared(numbers["rate"], pairs["icc"], pairs["autocorrelation"], seed)
    origins = dict.fromkeys(NEEDED, "declared")
    origins["trend"] = "declared" if "trend" in record else "assumed"
    trend = numbers.get("trend", 0.0)
    return Baseline(numbers["rate"], trend, found, numbers["design_effect"], origins)


def _number(record: Mapping[str, Any], name: str) -> float:
    value = record[name]
    good = isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)
    require(good, f"'{name}' of the baseline is {value!r}; write a number.")
    return float(value)


def _ends(record: Mapping[str, Any], name: str, value: float) -> tuple[float, float]:
    given = record.get(f"{name}_range", [value, value])
    good = isinstance(given, list | tuple) and len(given) == 2
    require(good, f"'{name}_range' of the baseline is {given!r}; write two numbers.")
    return tuple(_number({name: end}, name) for end in given)


def below(dataset: Dataset, region: str) -> dict[str, list[str]]:
    """Codes of the regions of each level that belong to a region, itself left out."""
    parents = dataset.regions.set_index("code")["parent_code"].to_dict()
    found: dict[str, list[str]] = {}
    for code, kind in dataset.kinds.items():
        above = parents[code]
        while above and above != region:
            above = parents[above]
        if above == region:
            found.setdefault(str(kind), []).append(str(code))
    return found


def finest(dataset: Dataset, region: str) -> str:
    """The level with most units below a region.

    Raises
    ------
    KepuError : regions.csv lists none.
    """
    found = below(dataset, region)
    told = f"regions.csv lists no unit of {region}; add them, or state their number and level."
    require(found, told)
    return max(found, key=lambda level: len(found[level]))


def smallest(dataset: Dataset, span: float) -> float:
    """The declared smallest effect of interest over so many years, in percentage points.

    Raises
    ------
    KepuError : the package declares none.
    """
    stated = dataset.assumed("smallest_effect")
    told = "assumptions.csv declares no smallest_effect; add it, or state the effect."
    require(stated is not None, told)
    return float(stated) * span


@dataclass(frozen=True)
class Question:
    """What is asked, and what is possible.

    Attributes
    ----------
    region, level : whose units, and of which level. units : how many.
    effect : smallest effect worth knowing, in percentage points; of those who take it up.
    years : between two waves. waves, respondents : feasible numbers of waves, and of respondents
        in each unit and wave. compliance : share an encouragement raises take-up by.
    matched : share of the differences between units that pairs take out.
    interview, programme : cost of one interview, and of the programme in one unit, in the currency
        of the package; ``None`` where nobody states it. budget : of both together, or ``None``.
    target, coverage : power asked for, and 1 - size of the test.
    """

    region: str
    level: str
    units: int
    effect: float
    years: float = 1.0
    waves: tuple[int, ...] = WAVES
    respondents: tuple[int, ...] = RESPONDENTS
    compliance: float = COMPLIANCE
    matched: float = MATCHED
    interview: float | None = None
    programme: float | None = None
    budget: float | None = None
    target: float = 0.8
    coverage: float = 0.95

    def __post_init__(self) -> None:
        require(self.units >= 4, f"'units' is {self.units}; a comparison needs at least 4.")
        require(self.effect > 0, f"'effect' must be positive; it is {self.effect}.")
        require(self.years > 0, f"'years' between waves must be positive; it is {self.years}.")
        for name in ("waves", "respondents"):
            values = getattr(self, name)
            told = f"'{name}' must be whole numbers of at least 1; they are {values}."
            require(values and all(value >= 1 for value in values), told)
        for name in ("interview", "programme", "budget"):
            value = getattr(self, name)
            told = f"'{name}' must be at least 0; it is {value}."
            require(value is None or value >= 0, told)


def layouts(question: Question) -> list[Layout]:
    """The designs that are possible in the feasible numbers of waves."""
    found = []
    for waves in sorted(set(question.waves)):
        if waves == 1:
            found += [power.parallel(), power.pairs(question.matched)]
            continue
        found += [power.with_baseline(1, waves - 1)]
        if waves >= 3:
            found.append(power.stepped(waves - 1))
        if waves >= STAIRCASE_BEFORE + 2:
            found.append(power.staircase(waves - STAIRCASE_BEFORE, STAIRCASE_BEFORE))
        found.append(power.pairs(question.matched, 1, waves - 1))
        found.append(power.encouragement(question.compliance, 1, waves - 1))
    return [each for each in found if each.sequences <= question.units]


@dataclass(frozen=True)
class Candidate:
    """One design with one sample size.

    Attributes
    ----------
    layout, setting, assessed : see :mod:`evaluation.evidence.design.power`.
    likely : components as uncertain as they are.
    locks : evidence it would reach if every check passes; :attr:`clean` is the chance of that.
    interviews : over all waves.
    treated : units that get the programme. cost : of survey and programme, or ``None``.
    survey_cost, programme_cost : or ``None``. years : to the answer. affordable : within the
        budget, ``None`` where budget or cost is not stated. simulated : by the estimator that the
        analysis will use, or ``None``.
    """

    layout: Layout
    setting: Setting
    assessed: Assessed
    likely: tuple[Variance, ...] = field(repr=False)
    locks: int
    interviews: int
    treated: int
    survey_cost: float | None
    programme_cost: float | None
    years: float
    affordable: bool | None
    simulated: simulate.Simulated | None = None

    @cached_property
    def errors(self) -> tuple[float, float]:
        """Standard errors at the ends of nine tenths of the likely components, smallest first."""
        counts = np.array(self.assessed.counts)
        drawn = (replace(self.setting, variance=variance) for variance in self.likely)
        errors = [power.standard_error(self.layout, counts, each) for each in drawn]
        low, high = np.quantile(errors, [(1 - COVERED) / 2, (1 + COVERED) / 2])
        return float(low), float(high)

    @property
    def low(self) -> float:
        """Power at the larger of :attr:`errors`: it falls with the standard error."""
        return self._power(self.errors[1])

    @property
    def high(self) -> float:
        """Power at the smaller of :attr:`errors`."""
        return self._power(self.errors[0])

    def _power(self, se: float) -> float:
        return power.power(self.assessed.effect, se, self.setting.level, self.assessed.freedom)

    @cached_property
    def clean(self) -> float:
        """Chance that no check takes a lock of a design that runs as planned.

        The balance of a lot fails at the size of its test, whoever draws it; how often one unit
        moves the estimate too far is simulated. Surveys that are missed come on top.
        """
        units, parts = self.assessed.units, self.setting.variance
        rate = 50 - float(np.sqrt(max(2500 - parts.cluster - parts.individual, 0)))
        how = simulate.estimable(self.layout, units, self.setting)
        job = simulate.Job(self.layout, units, self.setting, 0.0, rate, 0.0, how, PANELS, SEED)
        unbalanced = 1 - self.setting.level if (self.layout.start != 0).all() else 0.0
        return (1 - unbalanced) * (1 - simulate.unstable(job))

    @property
    def cost(self) -> float | None:
        """Of survey and programme together, ``None`` where either is not stated."""
        parts = (self.survey_cost, self.programme_cost)
        return None if None in parts else sum(parts)

    @property
    def detectable(self) -> float:
        """Effect found with the power asked for, by the simulated error where there is one."""
        known = self.assessed
        if self.simulated is None:
            return known.detectable
        return power.detectable(self.simulated.sd, known.level, known.target, known.freedom)

    @property
    def found(self) -> float:
        """Power as it will be analysed where that was simulated, else by the formula."""
        return self.assessed.power if self.simulated is None else self.simulated.power


def rests_on(
    question: Question, baseline: Baseline, kinds: Iterable[str]
) -> dict[str, tuple[float, str]]:
    """Value and origin of everything that designs of these kinds are worked out with."""
    rows, kinds = baseline.assumed(), set(kinds)
    for kind, name, usual in (
        ("pairs", "matched", MATCHED), ("encouragement", "compliance", COMPLIANCE)
    ):  # fmt: skip
        value = getattr(question, name)
        if kind in kinds:
            rows[name] = (value, "assumed" if value == usual else "declared")
    return rows


def _middle(question: Question, baseline: Baseline, periods: int) -> float:
    """Rate in the middle of a study, half of the units with the programme, kept off 0 and 100."""
    rate = baseline.rate + baseline.trend * (periods - 1) / 2 + question.effect / 2
    return float(np.clip(rate, *simulate.ENDS))


def compare(question: Question, baseline: Baseline) -> list[Candidate]:
    """Every possible design with every feasible sample size, by formula.

    Raises
    ------
    KepuError : no design fits the units and waves.
    """
    made = layouts(question)
    require(made, f"No design fits {question.units} units and the waves {question.waves}.")
    return [
        _candidate(question, baseline, layout, respondents)
        for layout in made
        for respondents in sorted(set(question.respondents))
    ]


def _candidate(
    question: Question, baseline: Baseline, layout: Layout, respondents: int
) -> Candidate:
    rate, parts = _middle(question, baseline, layout.periods), baseline.components
    variance = parts.variance(rate, baseline.design_effect)
    setting = Setting(variance, respondents, question.coverage, question.target)
    assessed = power.assess(layout, question.units, question.effect, setting)
    counts, places = np.array(assessed.counts), range(len(parts.draws))
    likely = tuple(parts.variance(rate, baseline.design_effect, which) for which in places)
    interviews = int(counts @ layout.surveyed) * respondents
    treated = int(counts[layout.start >= 0].sum())
    survey = None if question.interview is None else interviews * question.interview
    programme = None if question.programme is None else treated * question.programme
    made = Candidate(
        layout, setting, assessed, likely, locks(layout, assessed.units),
        interviews, treated, survey, programme, max(layout.periods - 1, 1) * question.years, None,
    )  # fmt: skip
    if question.budget is None or made.cost is None:
        return made
    return replace(made, affordable=made.cost <= question.budget)


# Panels behind the chance that a check takes a lock.
PANELS = 400


def locks(layout: Layout, units: int) -> int:
    """Locks that a design dealt by lot reaches if no check that can be made takes one.

    Where nobody is surveyed before the programme, the balance of the lot cannot be looked at.
    """
    sizes = layout.counts(units)
    treated, first = int(sizes[layout.start >= 0].sum()), layout.start[layout.start >= 0].min()
    design = Design(
        kind="randomised", waves=layout.periods, pre_period=bool(first > 0), regions=units,
        treated=treated, sampling_error="published", doses_outside_support_sd=0.0,
        mode_changed=False, compared=int(sizes[layout.start != first].sum()),
    )  # fmt: skip
    fine = {"p": 1.0, "lost": 0.0, "changes": 0.0}
    checks = [Check(name, True, f"check.{name}.passed", fine) for name in BELONGS["randomised"]]
    if not first > 0:
        checks[0] = Check("balance", None, "check.impossible")
    return grade_programme(design, checks).locks


def shortlist(candidates: Sequence[Candidate], target: float) -> list[Candidate]:
    """Of each kind the cheapest design with the power asked for, and the most powerful one.

    Designs beyond the budget are left out where others of the kind are within it; cheapest is by
    interviews, then by waves. The estimators that do not rest on one effect for all need more
    than the formula has, so the stronger design is simulated as well.
    """
    chosen = []
    for kind in dict.fromkeys(each.layout.kind for each in candidates):
        own = [each for each in candidates if each.layout.kind == kind]
        own = [each for each in own if each.affordable is not False] or own
        enough = [each for each in own if each.assessed.power >= target]
        if enough:
            chosen.append(min(enough, key=lambda x: (x.interviews, x.layout.periods)))
        strongest = max(own, key=lambda x: (x.assessed.power, -x.interviews))
        chosen += [strongest] if strongest not in chosen else []
    return chosen


def best(candidates: Sequence[Candidate], target: float) -> Candidate:
    """The candidate to propose: enough power within the budget, most locks, fewest interviews.

    Where none is within the budget or has the power, the most powerful of what is left.
    """
    within = [each for each in candidates if each.affordable is not False] or list(candidates)
    enough = [each for each in within if each.found >= target]
    if not enough:
        return max(within, key=lambda x: (x.found, x.locks))
    return min(enough, key=lambda x: (-x.locks, x.interviews, x.years))


def simulated(
    candidates: Sequence[Candidate],
    baseline: Baseline,
    effect: float,
    *,
    sims: int,
    seed: int,
    workers: int = 2,
    watch: Callable[[int], None] = lambda done: None,
) -> list[Candidate]:
    """The candidates with their power as the package's own estimators will find it.

    See :func:`evaluation.evidence.design.simulate.run`.
    """
    jobs = [
        simulate.Job(
            each.layout, each.assessed.units, each.setting, effect, baseline.rate, baseline.trend,
            simulate.estimable(each.layout, each.assessed.units, each.setting), sims, seed,
        )
        for each in candidates
    ]  # fmt: skip
    found = simulate.run(jobs, workers, watch)
    return [replace(each, simulated=own) for each, own in zip(candidates, found, strict=True)]


# ------------------------------------------------------------------------------------------
# What a report that cannot tell may quote.

# Waves of the design that is quoted: one before the programme, then three.
QUOTED_WAVES = 4
FEWEST_UNITS = 4


@dataclass(frozen=True)
class Quoted:
    """The design that would tell most of a region, with the chance of finding each difference.

    ``curve`` holds records ``difference, power, low, high``, by formula.
    """

    question: Question
    baseline: Baseline
    candidate: Candidate
    curve: tuple[dict[str, float], ...]


@latest
def quoted(dataset: Dataset, region: str, seed: int = SEED) -> Quoted | None:
    """The strongest design for the units of a region, ``None`` where fewer than four are listed.

    Three years of the declared smallest effect are looked for, with the largest of ``RESPONDENTS``.

    Raises
    ------
    KepuError : no smallest effect is declared, or the variance between units is not known.
    """
    found = below(dataset, region)
    if max(map(len, found.values()), default=0) < FEWEST_UNITS:
        return None
    level = finest(dataset, region)
    question = Question(
        region, level, len(found[level]), smallest(dataset, QUOTED_WAVES - 1),
        waves=(QUOTED_WAVES,), respondents=RESPONDENTS[-1:],
    )  # fmt: skip
    known = from_package(dataset, region, level, question.years, seed)
    one = best(compare(question, known), question.target)
    return Quoted(question, known, one, tuple(curve(one)))


POINTS = 25


def curve(one: Candidate) -> list[dict[str, float]]:
    """Chances of finding differences up to half as large again as the detectable one."""
    own = one.assessed
    errors = {"power": own.se, "low": one.errors[1], "high": one.errors[0]}
    return [
        {"difference": float(x)}
        | {name: power.power(x, se, own.level, own.freedom) for name, se in errors.items()}
        for x in np.linspace(0, 1.5 * max(own.detectable, own.effect), POINTS)
    ]
