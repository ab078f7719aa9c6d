"""Statistics of science popularisation itself: the nation by year, one region's documents."""

from __future__ import annotations

import pandas as pd

from evaluation import plots, style
from evaluation.observations import RATE, by_year
from evaluation.position import growth
from evaluation.report.blocks import Figure, Paragraph
from evaluation.report.context import NATION, Context
from evaluation.report.figures import figure_table
from evaluation.views import View, existing, show, table

# National series and the divisor of their axis; the texts view.national.<series> name its unit.
SCALES = {
    "zh": {"funds_raised": 1e8, "personnel_total": 1e4, "venues_total": 1},
    "en": {"funds_raised": 1e9, "personnel_total": 1e6, "venues_total": 1},
}


def _series(page: Context, indicator: str) -> pd.DataFrame:
    data = page.study.dataset
    values = by_year(data, indicator)
    values = values[values["region_code"].eq(NATION) & (values["year"] >= page.first_year)]
    return values.assign(year=values["year"].astype(int))


def _row(page: Context, indicator: str, values: pd.DataFrame) -> tuple:
    """First and last value, growth between them and the years without a value."""
    w, first, last = page.writer, values.iloc[0], values.iloc[-1]
    years = last["year"] - first["year"]
    change = growth(values, NATION, last["year"], span=years)
    key = f"national.{indicator}"
    return (
        w.indicator(indicator),
        w.year(first["year"]),
        page.fact(first["fact_id"]),
        w.year(last["year"]),
        page.fact(last["fact_id"]),
        w.number(key, change["rate"], "percent", 1, signed=True),
        w.number(f"{key}.gaps", years + 1 - len(values), "", 0),
    )


def _line(page: Context, indicator: str, values: pd.DataFrame) -> pd.DataFrame:
    """The series on its axis; years without a value interrupt the line."""
    data = page.study.dataset
    unit = data.indicators.set_index("indicator").at[indicator, "unit"]
    scale = (
        data.units.set_index("unit").at[unit, "factor"] / SCALES[page.writer.language][indicator]
    )
    years = range(values["year"].min(), values["year"].max() + 1)
    line = (values.set_index("year")["value"] * scale).reindex(years).rename_axis("year")
    name = str(page.writer.t(f"view.national.{indicator}"))
    return line.reset_index().assign(panel=name, series=indicator)


def national(page: Context) -> View:
    """Funds, staff and venues of science popularisation in the nation, as officially counted."""
    w = page.writer
    found = {key: _series(page, key) for key in SCALES[w.language]}
    found = {key: values for key, values in found.items() if len(values) > 1}
    if not found:
        return show(page, Paragraph(w.t("view.national.missing"), "missing"))
    rows = [_row(page, key, values) for key, values in found.items()]
    columns = ("indicator", "first_year", "first_value", "year", "value", "growth", "gaps")
    body = table(page, w.t("view.national.table"), columns, rows, (2, 4, 5, 6))
    frame = pd.concat([_line(page, key, values) for key, values in found.items()])
    figure = plots.small_multiples(frame.reset_index(drop=True))
    caption, alt = w.t("view.national.caption"), str(w.t("view.national.alt"))
    return show(page, Figure(style.figure_png(figure), caption, alt), body)


def documents(page: Context, region: str) -> View:
    """What a region's documents print in two definitions of one indicator, never joined."""
    w, data = page.writer, page.study.dataset
    existing(page, region)
    facts = data.facts[(data.facts["region_code"] == region) & (data.facts["indicator"] != RATE)]
    facts = facts[(facts["kind"] == "statistic") & (facts["series"] != facts["indicator"])]
    facts = facts[~facts["indicator"].map(data.indicators.set_index("indicator")["proxy"])]
    series = facts.groupby("indicator")["series"].nunique()
    rows = facts[facts["indicator"].map(series) > 1]
    if rows.empty:
        return show(page, Paragraph(w.t("view.documents.missing", region=w.name(region))))
    lead = w.t(
        "view.documents",
        region=w.name(region),
        indicators=w.number(f"documents.{region}", rows["indicator"].nunique(), "", 0),
        figures=w.number(f"documents.{region}.figures", len(rows), "", 0),
    )
    body = figure_table(page, rows, w.t("view.documents.table", region=w.name(region)))
    return show(page, Paragraph(lead), body)
