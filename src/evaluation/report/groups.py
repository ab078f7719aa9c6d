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
    for group in GROUPS:
        blocks.append(Heading(w.t(f"group.{group}")))
        blocks += _group(context, group, measures)
    return Section("groups", w.t("groups.title"), tuple(blocks))


def _group(context: Context, group: str, measures: pd.DataFrame) -> list:
    w = context.writer
    blocks: list = []
    national = _national(context, group)
    if national:
        blocks.append(Paragraph(national))
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


def _national(context: Context, group: str) -> Markup | None:
    """The latest national rate that bears on the group, for orientation."""
    w, dataset = context.writer, context.study.dataset
    rows = dataset.facts
    rows = rows[(rows["region_code"] == NATION) & (rows["indicator"] == RATE)]
    rows = usable(rows[rows["group"].map(RELATED) == group], dataset.sources).sort_values("year")
    if rows.empty:
        return None
    row = rows.iloc[-1]
    key = f"related.{row['group'].replace('=', '.').replace(' ', '_')}"
    return w.t(
        "groups.national",
        who=w.t(key),
        year=w.year(row["year"]),
        value=w.fact(row),
        source=w.cite(row["source_id"]),
    )
