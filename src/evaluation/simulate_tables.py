"""Turn a simulated panel into the tables of a data package of the same shape as ``data/``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pandas as pd

from evaluation.simulate import DOSES, Simulation

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
    (
        "sqm_per_10k",
        "平方米/万人",
        "square metres per 10,000 residents",
        "m²/万人",
        "m² per 10,000",
    ),
    ("lecture_per_10k", "场/万人", "lectures per 10,000 residents", "场/万人", "per 10,000"),
)


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
    above = {code: _ancestors(code, parents) for code in codes}
    facts = _facts(simulation, above)
    facts["unit"] = facts["indicator"].map(main["indicators"].set_index("indicator")["unit"])
    made = {"facts": facts, **_declared(simulation), **_labels(facts, main)}
    kept = {*codes, *(code for line in above.values() for code in line)}
    made["regions"] = main["regions"][main["regions"]["code"].isin(kept)]
    sets = main["region_sets"]
    complete = sets.groupby("set")["code"].agg(lambda members: set(members) <= set(codes))
    made["region_sets"] = sets[sets["set"].map(complete)]
    empty = pd.DataFrame()
    return {
        name: made.get(name, empty).reindex(columns=frame.columns, fill_value="").astype(str)
        for name, frame in main.items()
    }


def _ancestors(code: str, parents: Mapping[str, str]) -> list[str]:
    """Codes above a region, nearest first; the last is the nation."""
    line = []
    while parents[code]:
        code = parents[code]
        line.append(code)
    return line


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
    rates.append(
        pd.DataFrame(
            {"region_code": nation, "year": simulation.waves, "rate": path, "n": respondents}
        )
    )
    table = pd.concat(rates, ignore_index=True)
    table[RATE], table[SAMPLE] = table["rate"].map("{:.2f}".format), table["n"].astype(str)
    return table.melt(columns[:2], [RATE, SAMPLE], var_name="indicator")


def _labels(facts: pd.DataFrame, main: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Indicators, units and doses; the labels of everything that carries a figure are marked."""
    indicators = main["indicators"]
    indicators = indicators[indicators["indicator"].isin(facts["indicator"])]
    indicators = indicators.assign(
        **{
            f"label_{language}": indicators[f"label_{language}"] + MARK[language]
            for language in MARK
        }
    )
    units = pd.DataFrame(UNIT_ROWS, columns=["unit", *UNIT_TEXT])
    units = units[~units["unit"].isin(main["units"]["unit"])]
    units = units.assign(base_unit=units["unit"], factor="1")
    doses = pd.DataFrame.from_dict(DOSE_ROWS, orient="index", columns=DOSE_COLUMNS)
    doses = doses.rename_axis("dose").reset_index().assign(denominator=INDICATORS["population"][0])
    doses["domain"], doses["indicator"] = doses["dose"], [INDICATORS[k][0] for k in DOSE_ROWS]
    for language, mark in MARK.items():
        doses[f"label_{language}"] += mark
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
    sources = pd.DataFrame([{**source, "note": note}])
    return {"sources": sources, "waves": waves, "assumptions": pd.DataFrame([assumption])}
