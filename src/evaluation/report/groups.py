"""Section: the five key groups with their measures, lead units, due years and figures."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.observations import RATE, usable
from evaluation.report.blocks import Heading, Paragraph, Section
from evaluation.report.context import NATION, Context
from evaluation.report.figures import figure_table
from evaluation.report.governance import measure_tables, measures_of

GROUPS = ("youth", "farmers", "industrial_workers", "elderly", "officials")
# National rates by group that bear on a key group: group value in the facts -> key group.
RELATED = {
    "age=18-29": "youth",
    "residence=rural": "farmers",
    "key_group=farmers": "farmers",
    "key_group=urban workers": "industrial_workers",
    "age=60-69": "elderly",
    "key_group=officials and civil servants": "officials",
}


def section(context: Context) -> Section:
    w = context.writer
    measures, origin = measures_of(context)
    blocks: list = [Paragraph(w.t("groups.intro"))]
    if origin and origin != context.code:
        blocks.append(Paragraph(w.t("groups.inherited", name=w.name(origin)), "note"))
    bearing = _bearing(context)
    for group in GROUPS:
        blocks.append(Heading(w.t(f"group.{group}")))
        if group in bearing.index:
            blocks.append(Paragraph(_national(context, bearing.loc[group])))
        blocks += _group(context, group, measures)
    return Section("groups", w.t("groups.title"), tuple(blocks))


def _group(context: Context, group: str, measures: pd.DataFrame) -> list:
    w = context.writer
    blocks: list = []
    own = context.facts[context.facts["group"] == f"key_group={group}"]
    own = own[own["kind"] == "statistic"]
    if len(own):
        blocks.append(
            figure_table(context, own, w.t("groups.figures", group=w.t(f"group.{group}")))
        )
    rows = measures[measures["target_group"] == group]
    if len(rows):
        caption = w.t("groups.measures", group=w.t(f"group.{group}"))
        blocks += measure_tables(context, rows, caption)
    if own.empty and rows.empty:
        blocks.append(context.missing("groups.missing", group=w.t(f"group.{group}")))
    return blocks


def _bearing(context: Context) -> pd.DataFrame:
    """The latest national rate that bears on each key group, for orientation; by key group."""
    dataset = context.study.dataset
    rows = dataset.facts[dataset.facts["region_code"] == NATION]
    rows = rows[rows["indicator"] == RATE]
    rows = rows.assign(bears_on=rows["group"].map(RELATED)).dropna(subset="bears_on")
    rows = usable(rows, dataset.sources).sort_values("year", kind="stable")
    return rows.drop_duplicates("bears_on", keep="last").set_index("bears_on")


def _national(context: Context, row: pd.Series) -> Markup:
    w = context.writer
    who = w.t(f"related.{row['group'].replace('=', '.').replace(' ', '_')}")
    cited = w.cite(row["source_id"])
    return w.t(
        "groups.national", who=who, year=w.year(row["year"]), value=w.fact(row), source=cited
    )
