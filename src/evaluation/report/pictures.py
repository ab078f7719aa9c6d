"""The figure an object draws of itself: ``.plot()`` of a result, study, check, outlook or data.

Figures are drawn by :mod:`evaluation.figures.charts`; this module only takes apart what they show.
It is imported by the methods when they are called, so that computation never waits for matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.base.results import UNITS
from evaluation.base.text import rounded, t
from evaluation.data.facts import has_caveat, model_regions
from evaluation.data.rules import RATE
from evaluation.figures import charts, decision

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evaluation.base.results import Check, Result
    from evaluation.data.package import Dataset
    from evaluation.study import Study
    from evaluation.targets.outlook import Outlook
    from evaluation.value.analysis import Value


def of_result(result: Result, language: str) -> Figure:
    """Tested coefficients with their intervals about zero."""
    rows = result.table().dropna(subset=["low", "high"])
    if rows.empty:  # a quantity of its own, not the coefficient of a dose
        rows = pd.DataFrame([vars(result) | {"term": result.term}])
    return _forest(rows.rename(columns={"term": "label"}), _axis(result, language))


def of_study(study: Study, language: str) -> Figure:
    """Every dose of the gain regression with its interval."""
    items = [e for e in study.estimates if e.model == "gain_regression" and e.result is not None]
    if not items:
        raise KepuError("No figure: no dose can be estimated from these data.")
    rows = [vars(e.result) | {"label": str(t(f"dose.{e.dose}", language))} for e in items]
    return _forest(pd.DataFrame(rows), str(t("axis.effect", language)))


def of_check(check: Check, language: str) -> Figure:
    """Estimates of the refits behind a check.

    Raises
    ------
    KepuError : the check holds no estimates, or no more than one.
    """
    rows = check.table()
    if "estimate" not in rows or len(rows) < 2:
        raise KepuError(f"No figure of the check '{check.name}'; see its table.")
    if "left_out" in rows:
        rows = rows.assign(label=rows["left_out"].astype(str))
    else:
        rows = rows.sort_values("estimate").assign(label=[str(i + 1) for i in range(len(rows))])
    step = -(-len(rows) // 40)  # of many specifications every so manieth, in order of size
    return _forest(rows.iloc[::step], str(t(f"check.name.{check.name}", language)))


def of_outlook(outlook: Outlook, region: str, language: str) -> Figure:
    """Published rates of a region and the fan of its forecast, as far as it was back-tested."""
    own = outlook.series[outlook.series["region_code"] == region]
    start = int(own["wave"].max()) if len(own) else 0
    fan = outlook.fan(region, range(start, start + outlook.reach + 1))  # refuses an unknown region
    from evaluation.targets.outlook import LEVELS
    from evaluation.targets.trend import percent

    half = 1.96 * own["v"] ** 0.5
    published = pd.DataFrame(
        {
            "year": own["wave"], "value": percent(own["y"]),
            "low": percent(own["y"] - half), "high": percent(own["y"] + half),
        }
    )  # fmt: skip
    goals = pd.DataFrame(columns=["year", "value", "label", "own"])
    names = {"median": str(t("figure.median", language))} | {str(n): f"{n}%" for n in LEVELS}
    return charts.fan(published, fan, goals, [], ylabel=str(t("axis.rate", language)), names=names)


def of_value(value: Value, language: str) -> Figure:
    """Response curves of the levers."""
    drawn = [
        (str(t(f"dose.{item.lever}", language)), item.curve)
        for item in value.responses
        if item.curve is not None
    ]
    if not drawn:
        raise KepuError("No figure: these data carry no response curve.")
    return decision.response_curves(drawn, ylabel=str(t("axis.value.response", language)))


def of_dataset(dataset: Dataset, language: str) -> Figure:
    """Which regions of the panel have a surveyed rate in which survey."""
    facts = dataset.facts
    rates = facts[(facts["indicator"] == RATE) & (facts["kind"] == "survey")]
    rates = rates[(rates["group"] == "") & rates["year"].isin(dataset.waves["wave"])]
    used = rates[~has_caveat(rates)]
    published, seen = (
        set(zip(rows["region_code"], rows["year"].astype(int), strict=True))
        for rows in (used, rates)
    )
    names = dataset.regions.set_index("code")["short_zh" if language == "zh" else "name_en"]
    rows = [
        (names[code], wave, _state((code, wave), published, seen))
        for code in model_regions(dataset)
        for wave in dataset.waves["wave"]
    ]
    states = {name: str(t(f"coverage.{name}", language)) for name in charts.TILES}
    return charts.coverage(pd.DataFrame(rows, columns=["region", "year", "state"]), states=states)


def _state(key: tuple[str, int], published: set, seen: set) -> str:
    return "published" if key in published else "flagged" if key in seen else "missing"


def _axis(result: Result, language: str) -> str:
    """What one unit of the term is: a doubling of a dose, a standard deviation of the composite."""
    if result.unit not in UNITS:
        return result.unit
    if result.term == "composite":
        return str(t(f"axis.{result.unit}", language))
    doubled = result.term.startswith("log2_") and result.unit == UNITS[1]
    return str(t("axis.effect" if doubled else f"result.unit.{result.unit}", language))


def _forest(rows: pd.DataFrame, xlabel: str) -> Figure:
    ends = rows.reindex(columns=["label", "estimate", "low", "high"])
    error = rows["se"] if "se" in rows else (ends["high"] - ends["low"]) / 4
    if ends["low"].isna().all():  # refits without an interval of their own are points
        ends = ends.assign(low=ends["estimate"], high=ends["estimate"])
    pairs = zip(ends["estimate"], error, strict=True)
    return charts.forest(ends.assign(note=[rounded(*pair) for pair in pairs]), xlabel=xlabel)
