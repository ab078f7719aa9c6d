"""How many people to ask: two-stage samples for a margin in every region and every key group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, sqrt

from evaluation.evidence.design.power import require
from evaluation.survey.standing import normal_quantile

# A whole number that floating point puts a hair above it is that number.
HAIR = 1e-9


@dataclass(frozen=True)
class Survey:
    """What a survey is to reach and what it is made of.

    Attributes
    ----------
    rate : expected, in percent; 50 asks for the most. margin : half-width of the interval wanted,
        in percentage points. level : coverage of the interval.
    take : respondents in one primary unit (a neighbourhood, a village). icc : correlation of
        answers within one. weighting : factor of unequal weights, 1 + their squared relative
        spread. response : share of those asked who answer. population : adults, infinite if many.
    visit, interview : cost of reaching a primary unit, and of one interview; ``None`` if unknown.
    """

    rate: float
    margin: float
    level: float = 0.95
    take: float = 15.0
    icc: float = 0.05
    weighting: float = 1.0
    response: float = 1.0
    population: float = inf
    visit: float | None = None
    interview: float | None = None

    def __post_init__(self) -> None:
        rules = (
            ("rate", 0 < self.rate < 100, "lie between 0 and 100 percent"),
            ("margin", 0 < self.margin < 100, "lie between 0 and 100 points"),
            ("level", 0 < self.level < 1, "lie between 0 and 1"),
            ("take", self.take >= 1, "be at least 1"),
            ("icc", 0 <= self.icc < 1, "be at least 0 and below 1"),
            ("weighting", self.weighting >= 1, "be at least 1"),
            ("response", 0 < self.response <= 1, "lie above 0 and at most at 1"),
            ("population", self.population >= 1, "be at least 1"),
            ("visit", self.visit is None or self.visit >= 0, "be at least 0"),
            ("interview", self.interview is None or self.interview >= 0, "be at least 0"),
        )
        for name, holds, told in rules:
            require(holds, f"'{name}' must {told}; it is {getattr(self, name)}.")

    @property
    def design_effect(self) -> float:
        """Of two stages and unequal weights: (1 + (take - 1) icc) times ``weighting``."""
        return (1 + (self.take - 1) * self.icc) * self.weighting


@dataclass(frozen=True)
class Sample:
    """What a survey needs: ``respondents`` who answer, ``asked``, ``primary`` units, the
    ``design_effect`` and the ``cost``, ``None`` where a price is not stated."""

    respondents: int
    asked: int
    primary: int
    design_effect: float
    cost: float | None


def _up(value: float) -> int:
    return ceil(value - HAIR * max(1.0, abs(value)))


def size(survey: Survey) -> Sample:
    """The sample that reaches the margin, the finite population taken into account.

    Source
    ------
    Cochran (1977), Sampling Techniques, 3rd ed., section 4.4; Kish (1965), Survey Sampling.

    >>> size(Survey(rate=50, margin=5, take=1, icc=0)).respondents
    385
    """
    z = normal_quantile(survey.level)
    first = z**2 * survey.rate * (100 - survey.rate) / survey.margin**2 * survey.design_effect
    whole = _up(first)
    if isfinite(survey.population):
        whole = _up(first / (1 + (first - 1) / survey.population))
    return _sample(survey, whole)


def _sample(survey: Survey, respondents: int) -> Sample:
    primary = _up(respondents / survey.take)
    cost = None
    if survey.visit is not None and survey.interview is not None:
        cost = primary * survey.visit + respondents * survey.interview
    asked = _up(respondents / survey.response)
    return Sample(respondents, asked, primary, survey.design_effect, cost)


def margin(survey: Survey, respondents: int) -> float:
    """Half-width of the interval, in points, that so many respondents give.

    >>> round(margin(Survey(rate=50, margin=5, take=1, icc=0), 385), 2)
    4.99
    """
    require(respondents >= 1, f"'respondents' must be at least 1; it is {respondents}.")
    left = 1.0
    if isfinite(survey.population):
        spare = survey.population - respondents
        left = max(0.0, spare / max(survey.population - 1, 1))
    variance = survey.design_effect * survey.rate * (100 - survey.rate) / respondents
    return normal_quantile(survey.level) * sqrt(variance * left)


@dataclass(frozen=True)
class Domain:
    """What one region needs.

    ``binding`` is the group that asks for the most, empty where the region as a whole does;
    ``margins`` of the groups that the sample gives, in points, the region as a whole under ``""``.
    """

    name: str
    sample: Sample
    binding: str
    margins: dict[str, float]


def by_domain(
    survey: Survey,
    populations: Mapping[str, float],
    groups: Mapping[str, float] | None = None,
    group_margin: float | None = None,
) -> list[Domain]:
    """The sample of each region so that it and each key group in it reach their margins.

    Parameters
    ----------
    populations : adults of each region, infinite where not known. groups : share of each key group
        among adults, 0 to 1. group_margin : that of groups; that of the region where not given.

    Raises
    ------
    KepuError : a share out of range, or no region.
    """
    groups = groups or {}
    require(populations, "No region is given; name at least one.")
    for name, share in groups.items():
        told = f"The share of '{name}' must lie above 0 and at most at 1; it is {share}."
        require(0 < share <= 1, told)
    found = []
    for name, people in populations.items():
        own = replace(survey, population=people)
        parts = {"": own} | {group: _part(own, share, group_margin) for group, share in
                             groups.items()}  # fmt: skip
        shares = {"": 1.0, **groups}
        needed = {key: size(part).respondents / shares[key] for key, part in parts.items()}
        binding = max(needed, key=needed.get)
        total = _up(needed[binding])
        margins = {key: margin(part, max(1, int(total * shares[key]))) for key, part in
                   parts.items()}  # fmt: skip
        found.append(Domain(name, _sample(own, total), binding, margins))
    return found


def _part(survey: Survey, share: float, group_margin: float | None) -> Survey:
    """The survey as one key group sees it: fewer of it in each primary unit."""
    return replace(
        survey, margin=group_margin or survey.margin, take=max(1.0, survey.take * share),
        population=max(1.0, survey.population * share),
    )  # fmt: skip
