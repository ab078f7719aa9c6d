"""The design that was chosen: one object for the list, the protocol and the later analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.data.package import Dataset, by_year
from evaluation.evidence.design import randomise, simulate
from evaluation.evidence.design.candidates import ORIGINS, Baseline, Candidate, Question, rests_on
from evaluation.evidence.design.power import Layout, Setting, Variance, require
from evaluation.evidence.design.randomise import Allocation, Tested, Units
from evaluation.survey import panel

VERSION = 1
# Of the respondents planned, below which a survey counts as another than the one planned.
TOLERANCE = 0.9
ASSUMED = ("rate", "trend", "icc", "autocorrelation", "design_effect")


def units_of(dataset: Dataset, codes: Sequence[str], balanced: Sequence[str] = ()) -> pd.DataFrame:
    """Units of a package to be dealt: ``code, name, stratum`` and what is to be balanced.

    ``stratum`` is the region a unit belongs to; a balanced indicator has its latest value.

    Raises
    ------
    KepuError : an indicator that the package does not have.
    """
    regions = dataset.regions.set_index("code").loc[list(codes)]
    frame = pd.DataFrame({"code": regions.index, "name": regions["name_zh"].to_numpy(),
                          "stratum": regions["parent_code"].to_numpy()})  # fmt: skip
    known = set(dataset.indicators["indicator"])
    for name in balanced:
        require(
            name in known, f"The package has no indicator '{name}'; see `kepu list indicators`."
        )
        if name == dataset.outcome:
            table = panel.rates(dataset).rename(columns={"wave": "year", "rate": "value"})
        else:
            table = by_year(dataset, name)
        latest = table.sort_values("year").groupby("region_code")["value"].last()
        frame[name] = frame["code"].map(latest)
    return frame


@dataclass(frozen=True, eq=False)
class Plan:
    """A design with its units dealt, as it is published before the first wave.

    Attributes
    ----------
    region, level : whose units, of which level. waves : years surveyed. layout, setting : see
        :mod:`evaluation.evidence.design.power`.
    effect : smallest worth knowing, in percentage points.
    estimator : of the analysis. allocation : who begins when. power, low, high : chance that the
        effect is found, and its ends. detectable : effect found with the chance asked for.
    locks : evidence at best. assumed : value and origin of each of ``ASSUMED``, and of what else
        its design rests on. costs : of survey
        and programme, ``None`` where not stated. simulated : power by simulation, or ``None``.
    """

    region: str
    level: str
    waves: tuple[int, ...]
    layout: Layout
    setting: Setting
    effect: float
    estimator: str
    allocation: Allocation
    power: float
    low: float
    high: float
    detectable: float
    locks: int
    assumed: dict[str, tuple[float, str]]
    costs: dict[str, float | None]
    simulated: float | None = None
    clean: float | None = None

    def __post_init__(self) -> None:
        told = f"The design has {self.layout.periods} waves; {len(self.waves)} years are given."
        require(len(self.waves) == self.layout.periods, told)
        told = f"The years of the waves must rise; they are {self.waves}."
        require(all(a < b for a, b in zip(self.waves, self.waves[1:], strict=False)), told)
        known = set(self.assumed) >= set(ASSUMED)
        known = known and all(origin in ORIGINS for _, origin in self.assumed.values())
        require(known, f"A plan names value and origin of {', '.join(ASSUMED)}.")

    def starts(self) -> dict[str, int]:
        """The year in which each unit is first surveyed with the programme; 0 for never."""
        begun = self.layout.start[self.allocation.sequence]
        years = [self.waves[place] if place >= 0 else 0 for place in begun]
        return dict(zip(self.allocation.units.codes, years, strict=True))

    def surveyed(self) -> pd.DataFrame:
        """Every survey that the design asks for: ``code, wave``."""
        seen = np.isfinite(self.layout.matrix)[self.allocation.sequence]
        unit, wave = np.nonzero(seen)
        codes = np.array(self.allocation.units.codes)[unit]
        return pd.DataFrame({"code": codes, "wave": np.array(self.waves)[wave]})

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for a YAML or JSON file; see :func:`from_record`."""
        layout, setting, dealt = self.layout, self.setting, self.allocation
        variance = setting.variance
        units = [
            {"code": code, "name": name, "stratum": stratum, "values": list(map(int, values))}
            for code, name, stratum, values in zip(
                dealt.units.codes, dealt.units.names, dealt.units.strata, dealt.units.values,
                strict=True,
            )
        ]  # fmt: skip
        return {
            "version": VERSION, "region": self.region, "level": self.level,
            "waves": list(self.waves),
            "design": {
                "kind": layout.kind, "treatment": [list(row) for row in layout.treatment],
                "compliance": layout.compliance, "matched": layout.matched,
            },
            "survey": {
                "respondents": setting.respondents, "cluster": variance.cluster,
                "autocorrelation": variance.autocorrelation, "individual": variance.individual,
                "design_effect": variance.design_effect,
            },
            "test": {
                "level": setting.level, "target": setting.target, "reference": setting.reference,
                "estimator": self.estimator, "effect": self.effect,
            },
            "found": {
                "power": self.power, "low": self.low, "high": self.high,
                "detectable": self.detectable, "locks": self.locks, "simulated": self.simulated,
                "clean": self.clean,
            },
            "assumed": {k: {"value": v, "origin": o} for k, (v, o) in self.assumed.items()},
            "costs": self.costs, "assignment": dealt.record(layout), "units": units,
        }  # fmt: skip


def chosen(
    question: Question,
    candidate: Candidate,
    allocation: Allocation,
    waves: Sequence[int],
    baseline: Baseline,
) -> Plan:
    """The plan of a candidate whose units have been dealt.

    Parameters
    ----------
    waves : years of the surveys. baseline : what the candidate was worked out with.
    """
    found, layout = candidate.assessed, candidate.layout
    estimator = simulate.estimable(layout, found.units, candidate.setting)
    return Plan(
        question.region, question.level, tuple(waves), layout, candidate.setting,
        question.effect, estimator, allocation, found.power, candidate.low, candidate.high,
        candidate.detectable, candidate.locks, rests_on(question, baseline, [layout.kind]),
        {"survey": candidate.survey_cost, "programme": candidate.programme_cost},
        None if candidate.simulated is None else candidate.simulated.power, candidate.clean,
    )  # fmt: skip


def from_record(record: Any) -> Plan:
    """The plan that :meth:`Plan.record` wrote; its units are dealt again and must come out alike.

    Raises
    ------
    KepuError : no record of a plan, one of another version, or one changed by hand so that the
        seed no longer gives its list.
    """
    good = isinstance(record, Mapping) and record.get("version") == VERSION
    require(good, f"This is no design of version {VERSION}; write it with `kepu design`.")
    try:
        layout = _layout(record["design"])
        dealt = _dealt(record, layout)
        survey, test, found = record["survey"], record["test"], record["found"]
        kept = ("cluster", "autocorrelation", "individual", "design_effect")
        variance = Variance(*(float(survey[name]) for name in kept))
        setting = Setting(
            variance, survey["respondents"], test["level"], test["target"], test["reference"]
        )
        return Plan(
            str(record["region"]), record["level"], tuple(record["waves"]), layout, setting,
            test["effect"], test["estimator"], dealt, found["power"], found["low"], found["high"],
            found["detectable"], found["locks"],
            {k: (v["value"], v["origin"]) for k, v in record["assumed"].items()},
            dict(record["costs"]), found["simulated"], found.get("clean"),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KepuError(
            f"The design cannot be read ({error!r}); take the file as written."
        ) from None


def _layout(design: Mapping[str, Any]) -> Layout:
    rows = tuple(tuple(row) for row in design["treatment"])
    return Layout(design["kind"], rows, design["compliance"], design["matched"])


def _dealt(record: Mapping[str, Any], layout: Layout) -> Allocation:
    rows, deal = record["units"], record["assignment"]
    columns = [tuple(str(row[name]) for row in rows) for name in ("code", "name", "stratum")]
    values = np.array([row["values"] for row in rows], dtype=np.int64).reshape(len(rows), -1)
    given = Units(*columns, tuple(deal["covariates"]), values)
    again = randomise.draw(
        given, layout, deal["seed"], deal["date"], deal["candidates"], deal["share"]
    )
    groups = {str(code): group for code, group in deal["groups"].items()}
    if again.record(layout)["groups"] != groups:
        raise KepuError(
            f"Seed {deal['seed']} does not give the list in this design: units, seed or groups "
            "were changed after the draw. Take the file as it was written."
        )
    return again


# ------------------------------------------------------------------------------------------
# What came of it: departures from the plan, and the analysis that was fixed beforehand.


@dataclass(frozen=True)
class Departure:
    """One way in which the data are other than planned.

    ``kind`` : ``no_survey`` (a planned survey is missing), ``few`` (respondents), ``no_sample``
    (their number is not published), ``stranger`` (a unit that was not dealt), ``other_wave`` (a
    survey in a year not planned), ``early``, ``late`` or ``never`` (when the programme began).
    ``planned`` and ``found`` : the numbers behind it, missing where there are none.
    """

    kind: str
    code: str
    wave: int
    planned: float = float("nan")
    found: float = float("nan")


def departures(
    plan: Plan, rates: pd.DataFrame, starts: Mapping[str, int] | None = None
) -> list[Departure]:
    """Where the later data depart from the plan, in the order of units and waves.

    Parameters
    ----------
    rates : ``code, wave, rate, n`` of the units, from the first planned wave on.
    starts : year in which each unit began, 0 for never; ``None`` where nobody recorded it.
    """
    units, first = set(plan.allocation.units.codes), plan.waves[0]
    rates = rates.assign(code=rates["code"].astype(str))
    rates = rates[(rates["wave"] >= first) & (rates["wave"] <= plan.waves[-1])]
    seen = rates.set_index(["code", "wave"])["n"].to_dict()
    planned = [(row.code, int(row.wave)) for row in plan.surveyed().itertuples()]
    found = [_survey(plan, *key, seen) for key in planned]
    for code, wave in sorted(set(seen) - set(planned)):
        if code not in units:
            found.append(Departure("stranger", code, int(wave)))
        elif wave not in plan.waves:
            found.append(Departure("other_wave", code, int(wave)))
    found += _timing(plan, starts) if starts is not None else []
    return sorted(filter(None, found), key=lambda x: (x.code, x.wave, x.kind))


def _survey(plan: Plan, code: str, wave: int, seen: Mapping[Any, float]) -> Departure | None:
    wanted = plan.setting.respondents
    if (code, wave) not in seen:
        return Departure("no_survey", code, wave, wanted)
    number = seen[code, wave]
    if pd.isna(number):
        return Departure("no_sample", code, wave, wanted)
    short = number < TOLERANCE * wanted
    return Departure("few", code, wave, wanted, float(number)) if short else None


def _timing(plan: Plan, starts: Mapping[str, int]) -> list[Departure]:
    found = []
    for code, year in plan.starts().items():
        own = int(starts.get(code, 0))
        if own == year:
            continue
        kind = "never" if own == 0 else "early" if year == 0 or own < year else "late"
        found.append(Departure(kind, code, own or year, float(year), float(own)))
    return found


def analyse(plan: Plan, rates: pd.DataFrame) -> Tested:
    """The analysis that the plan fixed: its estimator, tested against the deals that could be.

    Parameters
    ----------
    rates : ``code, wave, rate`` of every survey that was planned; others are not read.

    Raises
    ------
    KepuError : a planned survey is missing, or there twice.
    """
    rates = rates.assign(code=rates["code"].astype(str))
    twice = rates.duplicated(["code", "wave"])
    told = f"{rates['code'][twice].tolist()[:1]} has two rates in one wave; keep one."
    require(not twice.any(), told)
    table = rates.pivot(index="code", columns="wave", values="rate")
    table = table.reindex(index=plan.allocation.units.codes, columns=plan.waves)
    layout, setting = plan.layout, plan.setting
    made = simulate.weights(
        layout, np.bincount(plan.allocation.sequence, minlength=layout.sequences), setting,
        plan.estimator,
    )  # fmt: skip
    return randomise.tested(plan.allocation, layout, table.to_numpy(dtype=float), made)
