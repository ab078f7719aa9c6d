"""Simulated panels with a known truth, as a data package of the same shape."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evaluation.data import contract
from evaluation.data.rules import ancestors
from evaluation.data.tables import DESCRIPTOR, read_descriptor, read_files

# ------------------------------------------------------------------------------------------
# Random draws behind a simulated panel: dose paths, gains and observed rates.


# Median of each dose: the point at which its term in the gain is zero.
REFERENCE = {
    "facility": 120.0,  # exhibition floor area, square metres per 10,000 residents
    "personnel": 15.0,  # persons per 10,000 residents
    "activity": 8.0,  # lectures per 10,000 residents and year
    "fund": 4.0,  # yuan per resident and year
}
DOSES = tuple(REFERENCE)
STOCKS = ("facility", "personnel")
FLOWS = ("activity", "fund")
COVARIATES = ("income", "college_share", "urban_share")
SMALLEST_EFFECT = 0.1  # percentage points a year
# Years of doses before the first wave, which levels in that wave may be set against.
LEAD = 3
# The true gain of a region between two waves, in percentage points a year. Stocks enter with the
# level in the year of the opening wave, flows with the mean of the years after it up to the closing
# wave. Covariates are correlated with the doses and have no effect of their own.
FORMULA = (
    "annual gain = trend + sum over doses of effect * log2(dose / reference) "
    "+ opening_effect * (opening level - opening_mean) + region term + residual"
)


@dataclass(frozen=True)
class Truth:
    """What generates a panel; the first four are the effects an estimator should recover.

    Attributes
    ----------
    facility, personnel, activity, fund : effect of a doubling of the dose on the annual gain, in
        percentage points per year.
    trend : common gain in percentage points per year, one number or one for each interval.
    opening_effect : change of the annual gain per percentage point of opening level.
    region_sd, residual_sd : standard deviations of the lasting region term and of the noise of
        each interval, in percentage points per year.
    opening_mean, opening_sd : level at the first wave, percent.
    design_effect : variance of an observed rate over that of a simple random sample, at least 1.
    dose_sd : standard deviation of log2 of each dose between regions.
    correlation : of the logs of any two doses, and of a dose with the normal score of a covariate.
    persistence : first-order autocorrelation of the log doses from year to year.
    nesting : share of the between-region variance that regions of one parent have in common; it
        applies only where the regions have more than one parent.
    population : median population of a region, in 10,000 persons.
    """

    facility: float = 0.30
    personnel: float = 0.20
    activity: float = 0.10
    fund: float = 0.0
    trend: float | tuple[float, ...] = 1.1
    opening_effect: float = -0.02
    region_sd: float = 0.15
    residual_sd: float = 0.20
    opening_mean: float = 8.0
    opening_sd: float = 1.0
    design_effect: float = 2.0
    dose_sd: float = 0.6
    correlation: float = 0.6
    persistence: float = 0.99
    nesting: float = 0.3
    population: float = 200.0

    def __post_init__(self) -> None:
        for name in ("region_sd", "residual_sd", "opening_sd", "dose_sd"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        for name in ("correlation", "persistence", "nesting"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}.")
        if self.design_effect < 1:
            raise ValueError(f"design_effect must be at least 1, got {self.design_effect}.")


def _nested(rng, parents: pd.Series, shape: tuple[int, ...], share: float) -> np.ndarray:
    """Standard normals ``(regions, *shape)``; regions of one parent share ``share`` of variance."""
    own = rng.standard_normal((len(parents), *shape))
    codes, names = pd.factorize(parents)
    if len(names) < 2:
        return own
    group = rng.standard_normal((len(names), *shape))[codes]
    return np.sqrt(share) * group + np.sqrt(1 - share) * own


def annual_paths(rng, regions, years, truth: Truth) -> pd.DataFrame:
    """Doses and covariates of each region and year from equicorrelated AR(1) normal scores."""
    names = [*DOSES, *COVARIATES]
    draws = _nested(rng, regions["parent_code"], (len(years), len(names) + 1), truth.nesting)
    # The last column is the common factor that gives any two scores the stated correlation.
    noise = np.sqrt(truth.correlation) * draws[..., -1:]
    noise = noise + np.sqrt(1 - truth.correlation) * draws[..., :-1]
    score = noise.copy()
    for t in range(1, len(years)):
        fresh = np.sqrt(1 - truth.persistence**2) * noise[:, t]
        score[:, t] = truth.persistence * score[:, t - 1] + fresh
    frame = pd.DataFrame(score.reshape(-1, len(names)), columns=names)
    for name, median in REFERENCE.items():
        frame[name] = median * 2 ** (truth.dose_sd * frame[name])
    frame["income"] = 70_000 * np.exp(0.4 * frame["income"])
    frame["college_share"] = 100 / (1 + np.exp(1.5 - 0.3 * frame["college_share"]))
    frame["urban_share"] = 100 / (1 + np.exp(-0.6 - 0.5 * frame["urban_share"]))
    people = truth.population * np.exp(0.5 * rng.standard_normal(len(regions)))
    frame["population"] = np.repeat(people.round(2), len(years))
    frame.insert(0, "region_code", np.repeat(regions["code"].to_numpy(), len(years)))
    frame.insert(1, "year", np.tile(np.asarray(years), len(regions)))
    return frame


def interval_doses(annual: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    """Doses of one interval by region: opening stocks, mean flows of the years after it."""
    opening = annual[annual["year"] == start].set_index("region_code")
    between = annual[annual["year"].between(start + 1, end)]
    means = between.groupby("region_code", sort=False)[list(FLOWS)].mean()
    return opening[list(STOCKS)].join(means)[list(DOSES)]


def true_gains(rng, regions, waves, truth: Truth, annual) -> tuple[pd.DataFrame, np.ndarray]:
    """True gains of every interval, and the true levels ``(regions, waves)``."""
    noise = rng.standard_normal((len(regions), len(waves)))
    levels = [truth.opening_mean + truth.opening_sd * noise[:, 0]]
    region = truth.region_sd * _nested(rng, regions["parent_code"], (), truth.nesting)
    trend = np.broadcast_to(np.asarray(truth.trend, dtype=float), len(waves) - 1)
    rows = []
    for j, (start, end) in enumerate(pairwise(waves)):
        frame = interval_doses(annual, start, end).reset_index()
        response = sum(getattr(truth, k) * np.log2(frame[k] / REFERENCE[k]) for k in DOSES)
        frame = frame.assign(
            wave_from=start, wave_to=end, years=end - start, opening=levels[-1], trend=trend[j]
        )
        frame["region_term"] = region
        frame["residual"] = truth.residual_sd * noise[:, j + 1]
        frame["true_gain"] = (
            frame["trend"] + response + truth.opening_effect * (levels[-1] - truth.opening_mean)
        ) + (frame["region_term"] + frame["residual"])
        levels.append(levels[-1] + (end - start) * frame["true_gain"].to_numpy())
        rows.append(frame)
    order = ["region_code", "wave_from", "wave_to", "years", *DOSES, "opening", "trend"]
    gains = pd.concat(rows, ignore_index=True)[[*order, "region_term", "residual", "true_gain"]]
    return gains, np.column_stack(levels)


def observed_rates(rng, rate: np.ndarray, n: int, design_effect: float) -> np.ndarray:
    """Beta-binomial rates in percent; their intra-sample correlation is the design effect.

    ``rate`` lies inside (0, 100). With intra-sample correlation ``(deff - 1) / (n - 1)`` the
    variance of a rate is ``deff * p * (1 - p) / n`` exactly.
    """
    share = rate / 100
    if design_effect > 1:
        precision = (n - 1) / (design_effect - 1) - 1
        share = rng.beta(share * precision, (1 - share) * precision)
    return 100 * rng.binomial(n, share) / n


# ------------------------------------------------------------------------------------------
# Panels with a known truth: simulated regions on which every estimator can be checked.


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated panel with everything that made it.

    Attributes
    ----------
    truth, seed, waves : the arguments.
    panel : one row a region and wave: ``region_code, wave, true_rate, n, rate`` (percent), the
        doses (stocks: level in the year of the wave; flows: mean of the years since the
        previous wave, of ``LEAD`` years at the first),
        ``income, college_share, urban_share, population, published``.
    gains : one row a region and interval: ``region_code, wave_from, wave_to, years``, the doses as
        they enter the gain, ``opening, trend, region_term, residual, true_gain``.
    annual : one row a region and year, from ``LEAD`` years before the first wave: the doses,
        covariates and population.
    """

    truth: Truth
    seed: int
    waves: tuple[int, ...]
    panel: pd.DataFrame
    gains: pd.DataFrame
    annual: pd.DataFrame


def simulate_panel(
    regions: pd.DataFrame,
    waves: Sequence[int] = (2015, 2018, 2020, 2022, 2023),
    truth: Truth = Truth(),
    sample_size: int = 700,
    missing: float = 0.0,
    seed: int = 0,
) -> Simulation:
    """Draw a panel of literacy rates whose response to four doses is known, see :data:`FORMULA`.

    Parameters
    ----------
    regions : one row a region, columns ``code`` and ``parent_code``; codes are unique.
    waves : increasing years, at least two. truth : the effects and variances.
    sample_size : respondents of each region and wave, more than the design effect.
    missing : share of region-waves that are not published, in [0, 1).
    seed : of the PCG64 generator; true levels do not depend on sample size or missing share.

    Raises
    ------
    ValueError
        For impossible arguments, and when a true or observed rate leaves (0, 100).

    Examples
    --------
    >>> two = pd.DataFrame({"code": ["150100", "150200"], "parent_code": "150000"})
    >>> simulate_panel(two, waves=(2015, 2018), seed=1).panel.shape
    (4, 14)
    """
    waves = tuple(int(wave) for wave in waves)
    _check(regions, waves, truth, sample_size, missing)
    seeds = np.random.SeedSequence(seed).spawn(4)
    paths, growth, survey, gaps = (np.random.Generator(np.random.PCG64(s)) for s in seeds)
    annual = annual_paths(paths, regions, range(waves[0] - LEAD, waves[-1] + 1), truth)
    gains, levels = true_gains(growth, regions, waves, truth, annual)
    panel = _levels_frame(annual, waves, levels).assign(n=sample_size)
    panel = _surveyed(panel, survey, sample_size, truth.design_effect)
    hidden = gaps.permutation(len(panel))[: round(missing * len(panel))]
    panel["published"] = ~np.isin(np.arange(len(panel)), hidden)
    order = ["region_code", "wave", "true_rate", "n", "rate", *DOSES, *COVARIATES]
    panel = panel[[*order, "population", "published"]]
    return Simulation(truth, seed, waves, panel, gains, annual)


def _check(regions, waves, truth, sample_size, missing) -> None:
    """Refuse arguments from which no panel can be drawn."""
    if regions.empty or regions["code"].duplicated().any():
        raise ValueError("regions must have at least one row and no code twice.")
    if len(waves) < 2 or any(a >= b for a, b in pairwise(waves)):
        raise ValueError(f"waves must be at least two increasing years, got {waves}.")
    if sample_size <= truth.design_effect:
        raise ValueError(f"sample_size must exceed the design effect, got {sample_size}.")
    if not 0 <= missing < 1:
        raise ValueError(f"missing must lie in [0, 1), got {missing}.")
    if np.ndim(truth.trend) and len(truth.trend) != len(waves) - 1:
        raise ValueError(f"trend needs one number for each of {len(waves) - 1} intervals.")


def _levels_frame(annual: pd.DataFrame, waves, levels: np.ndarray) -> pd.DataFrame:
    """One row a region and wave, with the stocks of that year and the flows since the last."""
    panel = annual[annual["year"].isin(waves)].rename(columns={"year": "wave"})
    panel = panel.assign(true_rate=levels.ravel()).set_index(["region_code", "wave"])
    starts = (waves[0] - LEAD, *waves)
    for start, end in zip(starts, waves, strict=False):
        doses = interval_doses(annual, start, end)
        for flow in FLOWS:
            panel.loc[(doses.index, end), flow] = doses[flow].to_numpy()
    return panel.reset_index()


def _surveyed(panel: pd.DataFrame, rng, n: int, design_effect: float) -> pd.DataFrame:
    """The panel with observed rates; refuses rates of 0, of 100 or outside: nothing is clipped."""
    makers = {
        "true_rate": lambda rows: rows["true_rate"],
        "rate": lambda rows: observed_rates(rng, rows["true_rate"].to_numpy(), n, design_effect),
    }
    for name, make in makers.items():
        panel = panel.assign(**{name: make})
        if outside := int((~panel[name].between(0, 100, inclusive="neither")).sum()):
            raise ValueError(
                f"{outside} simulated values of {name} leave (0, 100); raise opening_mean or "
                "sample_size, or lower the effects, the standard deviations or the trend."
            )
    return panel


# ------------------------------------------------------------------------------------------
# Turn a simulated panel into the tables of a data package of the same shape as ``data/``.


SOURCE = "SIM001"
MARK = {"zh": "（模拟）", "en": " (simulated)"}
RATE, SAMPLE = "science_literacy_rate", "survey_sample_valid"
# Respondents of the nation, as a multiple of one region's.
NATION_FACTOR = 100
# Column of the annual paths: indicator and decimals. A dose is written as a total: its unit times
# the population in 10,000 persons. Floor area stands for facilities because a handful of museums
# a region would round the dose.
INDICATORS = {
    "population": ("population_resident", 2),
    "facility": ("exhibit_area_total", 0),
    "personnel": ("personnel_total", 0),
    "activity": ("lecture_count", 0),
    "fund": ("funds_raised", 2),
    "income": ("gdp_per_capita_derived", 0),
    "college_share": ("college_share_6plus", 2),
    "urban_share": ("urbanisation_rate", 2),
}
DOSE_COLUMNS = ["scale", "timing", "unit", "label_zh", "label_en"]
DOSE_ROWS = {
    "facility": (10000, "stock", "sqm_per_10k", "每万人展厅面积", "Exhibition area per 10,000"),
    "personnel": (10000, "stock", "person_per_10k", "每万人科普人员", "Personnel per 10,000"),
    "activity": (10000, "flow", "lecture_per_10k", "每万人讲座数", "Lectures per 10,000 a year"),
    "fund": (1, "flow", "yuan_per_person", "人均科普经费", "Funds per resident and year"),
}
# Units of doses, added where the main table does not have them.
UNIT_TEXT = ("label_zh", "label_en", "symbol_zh", "symbol_en")
UNIT_ROWS = (
    ("sqm_per_10k", "平方米/万人", "square metres per 10,000 residents", "m²/万人",
     "m² per 10,000"),
    ("lecture_per_10k", "场/万人", "lectures per 10,000 residents", "场/万人", "per 10,000"),
)  # fmt: skip


def to_tables(simulation: Simulation, main: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of a data package from a simulation.

    Parameters
    ----------
    simulation : the panel; its region codes are in ``main["regions"]``.
    main : tables of the main package by name, all cells text; columns, labels and region names
        are taken from them, and no figure.

    Returns
    -------
    dict
        The same names and columns as ``main``, all cells text. Tables about real documents
        (measures, contradictions, ...) have no rows; region sets are kept where every member is
        simulated. Regions above the simulated ones get rates:
        the mean of the regions below, and for the nation the path of a region with reference
        doses and no noise.

    Raises
    ------
    ValueError
        If a region code is not in ``main["regions"]``.
    """
    codes = simulation.panel["region_code"].unique()
    unknown = sorted(set(codes) - set(main["regions"]["code"]))
    if unknown:
        raise ValueError(f"unknown region codes {unknown}: add them to regions.csv first.")
    parents = main["regions"].set_index("code")["parent_code"].to_dict()
    above = {code: ancestors(parents, code) for code in codes}
    facts = _facts(simulation, above)
    facts["unit"] = facts["indicator"].map(main["indicators"].set_index("indicator")["unit"])
    made = {"facts": facts, **_declared(simulation), **_labels(facts, main)}
    kept = {*codes, *(code for line in above.values() for code in line)}
    made["regions"] = main["regions"][main["regions"]["code"].isin(kept)]
    made |= _around(main, made["regions"], facts, codes)
    empty = pd.DataFrame()
    return {
        name: made.get(name, empty).reindex(columns=frame.columns, fill_value="").astype(str)
        for name, frame in main.items()
    }


def _around(
    main: Mapping[str, pd.DataFrame], regions: pd.DataFrame, facts: pd.DataFrame, codes: Any
) -> dict[str, pd.DataFrame]:
    """Of the main package, what these regions and facts use; its subject, without a change."""
    bands, held, sets = main["bands"], main["covariates"], main["region_sets"]
    complete = sets.groupby("set")["code"].agg(lambda members: set(members) <= set(codes))
    return {
        "levels": _compared(main["levels"], regions, codes),
        "bands": bands[bands["band"].isin(regions["band"])],
        "covariates": held[held["indicator"].isin(facts["indicator"])],
        "region_sets": sets[sets["set"].map(complete)],
        "subject": main["subject"].assign(outcome=RATE, change=""),
    }


def _compared(levels: pd.DataFrame, regions: pd.DataFrame, codes: Any) -> pd.DataFrame:
    """Levels of the regions and those they count as; the models compare that of the panel."""
    counts = levels.set_index("level")["counts_as"]
    counts = counts.where(counts != "", counts.index.to_series())
    own = set(regions.loc[regions["code"].isin(codes), "level"].map(counts))
    used = {*regions["level"], *levels.loc[levels["level"].isin(regions["level"]), "survey_as"]}
    kept = levels[levels["level"].isin({*used, *counts[[name for name in used if name]]})]
    return kept.assign(analysed=kept["level"].isin(own).map({True: "true", False: "false"}))


def _facts(simulation: Simulation, above: Mapping[str, list[str]]) -> pd.DataFrame:
    """Published rates, sample sizes and yearly statistics, one figure a row."""
    annual = simulation.annual
    wide = annual[["region_code", "year"]].copy()
    for column, (indicator, decimals) in INDICATORS.items():
        value = annual[column] * (annual["population"] if column in DOSES else 1)
        wide[indicator] = value.map(f"{{:.{decimals}f}}".format)
    keys = ["region_code", "year"]
    facts = pd.concat([_surveys(simulation, above), wide.melt(keys, var_name="indicator")])
    facts = facts.sort_values(["region_code", "indicator", "year"], ignore_index=True)
    facts["kind"] = (facts["indicator"] == RATE).map({True: "survey", False: "statistic"})
    facts["fact_id"] = [f"F{i:05d}" for i in range(1, len(facts) + 1)]
    facts["period_start"] = facts["period_end"] = facts.pop("year").astype(str)
    facts["series"] = facts["indicator"]
    constant = {"comparator": "=", "source_id": SOURCE, "corroborated": "1"}
    return facts.assign(**constant, locator="simulated/模拟")


def _surveys(simulation: Simulation, above: Mapping[str, list[str]]) -> pd.DataFrame:
    """Rates and respondents of every region and of the regions above, in long form."""
    truth, panel = simulation.truth, simulation.panel
    columns = ["region_code", "year", "rate", "n"]
    rates = [panel[panel["published"]].rename(columns={"wave": "year"})[columns]]
    nation = next(iter(above.values()))[-1]
    higher = panel.assign(code=panel["region_code"].map(above)).explode("code")
    higher = higher[higher["code"] != nation].groupby(["code", "wave"], as_index=False)
    means = higher.agg(rate=("rate", "mean"), n=("n", "sum"))
    rates.append(means.set_axis(columns, axis=1))
    level, path = truth.opening_mean, [truth.opening_mean]
    trend = simulation.gains.groupby("wave_from")["trend"].first()
    for start, end in pairwise(simulation.waves):
        gain = trend[start] + truth.opening_effect * (level - truth.opening_mean)
        level += (end - start) * gain
        path.append(level)
    respondents = NATION_FACTOR * int(panel["n"].iloc[0])
    whole = {"region_code": nation, "year": simulation.waves, "rate": path, "n": respondents}
    rates.append(pd.DataFrame(whole))
    table = pd.concat(rates, ignore_index=True)
    table[RATE], table[SAMPLE] = table["rate"].map("{:.2f}".format), table["n"].astype(str)
    return table.melt(columns[:2], [RATE, SAMPLE], var_name="indicator")


def _labels(facts: pd.DataFrame, main: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Indicators, units and doses; the labels of everything that carries a figure are marked."""
    indicators = main["indicators"]
    indicators = indicators[indicators["indicator"].isin(facts["indicator"])]
    labels = {f"label_{language}": mark for language, mark in MARK.items()}
    indicators = indicators.assign(**{name: indicators[name] + labels[name] for name in labels})
    units = pd.DataFrame(UNIT_ROWS, columns=["unit", *UNIT_TEXT])
    units = units[~units["unit"].isin(main["units"]["unit"])]
    units = units.assign(base_unit=units["unit"], factor="1")
    doses = pd.DataFrame.from_dict(DOSE_ROWS, orient="index", columns=DOSE_COLUMNS)
    doses = doses.rename_axis("dose").reset_index().assign(denominator=INDICATORS["population"][0])
    doses["domain"], doses["indicator"] = doses["dose"], [INDICATORS[k][0] for k in DOSE_ROWS]
    for language, mark in MARK.items():
        doses[f"label_{language}"] += mark
        doses[f"short_{language}"] = ""
    return {"indicators": indicators, "units": pd.concat([main["units"], units]), "doses": doses}


def _declared(simulation: Simulation) -> dict[str, pd.DataFrame]:
    """Sources, waves and assumptions: the simulation itself, with its design effect."""
    title = f"Simulated data (seed {simulation.seed}) / 模拟数据（种子 {simulation.seed}）"
    note = "Simulated/模拟: drawn with a known truth, see truth.json; nothing here was observed"
    source = {"source_id": SOURCE, "title": title, "publisher": "Simulated/模拟", "grade": "C"}
    waves = pd.DataFrame({"wave": simulation.waves}).assign(
        survey_number=range(1, len(simulation.waves) + 1),
        fieldwork=simulation.waves,
        **dict.fromkeys(["mode", "instrument", "cut_off"], "not_published"),
        frame="simulated/模拟",
        frame_units=simulation.panel["region_code"].nunique(),
        break_before="false",
        source_id=SOURCE,
    )
    assumption = {
        "assumption_id": "A01",
        "parameter": "design_effect",
        "level": "all",
        "value": simulation.truth.design_effect,
        "reason_zh": "模拟数据按此设计效应生成",
        "reason_en": "The simulated rates were drawn with this design effect",
        "source_id": SOURCE,
    }
    smallest = assumption | {
        "assumption_id": "A02",
        "parameter": "smallest_effect",
        "value": SMALLEST_EFFECT,
        "reason_zh": "模拟数据设定的最小关注差异（每年百分点）",
        "reason_en": "The smallest difference of interest set for simulated data, points a year",
    }
    sources = pd.DataFrame([{**source, "note": note}])
    return {"sources": sources, "waves": waves, "assumptions": pd.DataFrame([assumption, smallest])}


# ------------------------------------------------------------------------------------------
# Documents of a simulated data package and the files it is written to.


NAME = "kepu-simulated"
FOLDER = "simulated"
REGION_SET = "inner_mongolia_leagues"
SEED = 20250101


def simulated_descriptor(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """The descriptor of the main package, renamed and with every title marked as simulated."""
    result = deepcopy(dict(descriptor))
    result |= {
        "name": NAME,
        "title": "Simulated panel with known effects (模拟数据)",
        "description": "Simulated/模拟: figures drawn from a known truth (truth.json) to check "
        "estimators. The regions exist; no figure describes them.",
        "simulated": True,
        "keywords": ["simulated", "模拟"],
        "licenses": [{"name": "MIT", "title": "Simulated/模拟: the licence of the project"}],
        "sources": [
            {
                "title": "Simulated/模拟: drawn by the simulator of this project",
                "path": "truth.json",
            }
        ],
    }
    same = "Simulated/模拟. Same columns as the table of this name among the observed facts."
    for resource in result["resources"]:
        resource |= {"title": f"Simulated/模拟: {resource['title']}", "description": same}
    return result


def truth_record(simulation: Simulation) -> dict[str, Any]:
    """Everything that made a simulation, as plain values."""
    truth = asdict(simulation.truth)
    return {
        "title": "Simulated/模拟: the truth behind this package",
        "effects": {dose: truth.pop(dose) for dose in DOSES},
        "effects_unit": "percentage points a year for each doubling of the dose",
        "formula": FORMULA,
        "reference": REFERENCE,
        "reference_unit": {
            "facility": "square metres per 10,000 residents, opening year",
            "personnel": "persons per 10,000 residents, opening year",
            "activity": "lectures per 10,000 residents and year, mean of the interval",
            "fund": "yuan per resident and year, mean of the interval",
        },
        "parameters": truth,
        "sample_size": int(simulation.panel["n"].iloc[0]),
        "published_share": float(simulation.panel["published"].mean()),
        "regions": int(simulation.panel["region_code"].nunique()),
        "waves": list(simulation.waves),
        "seed": simulation.seed,
        "generator": "numpy PCG64",
    }


def write(
    tables: Mapping[str, pd.DataFrame], papers: Mapping[str, Mapping[str, Any]], folder: Path
) -> None:
    """Write tables as CSV and documents as JSON into ``folder``, which must exist."""
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", encoding="utf-8")
    for name, paper in papers.items():
        text = json.dumps(paper, ensure_ascii=False, indent=2) + "\n"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def rebuild(root: Path, folder: Path | None = None) -> Path:
    """Write the committed simulated package again from labels and schemas of the package ``root``.

    ``folder`` is ``root / "simulated"`` unless given; returns it.
    """
    folder = folder or root / FOLDER
    files = read_files(root)
    descriptor, main = read_descriptor(files), contract.read(files).tables
    sets = main["region_sets"]
    members = sets.loc[sets["set"] == REGION_SET, "code"]
    simulation = simulate_panel(main["regions"][main["regions"]["code"].isin(members)], seed=SEED)
    write(
        to_tables(simulation, main),
        {DESCRIPTOR: simulated_descriptor(descriptor), "truth.json": truth_record(simulation)},
        folder,
    )
    return folder
