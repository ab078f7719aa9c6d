"""Policy measures, who answers for them, and the key groups."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.data.package import usable
from evaluation.data.rules import RATE
from evaluation.report.blocks import Heading, Paragraph, Section, Table
from evaluation.report.page import Context, figure_table, table

# Section: policy measures and who answers for them.


def measures_of(context: Context) -> tuple[pd.DataFrame, str]:
    """Measures of the region's own plan, else of the region above; and whose they are."""
    measures = context.study.dataset.measures
    for code in (context.code, context.parent):
        rows = measures[measures["region_code"] == code]
        if len(rows):
            return rows, code
    return measures.iloc[:0], ""


def measure_tables(context: Context, rows: pd.DataFrame, caption: Markup) -> list[Table]:
    """Measures with responsible units, lead unit and due year.

    Measures that name the same units stand in a table under those names; the others share one.
    """
    units = rows["responsible_units_zh"]
    shared = units.ne("") & units.duplicated(keep=False)
    tables = [_table(context, rows[~shared], caption)] if (~shared).any() else []
    for named, part in rows[shared].groupby("responsible_units_zh", sort=False):
        others = context.writer.organisations(str(named))
        note = context.writer.t("governance.partners", partners=others)
        tables.append(_table(context, part.assign(responsible_units_zh=""), caption, note))
    return tables


def _table(context: Context, rows: pd.DataFrame, caption: Markup, *notes: Markup) -> Table:
    """A column in which the plan says nothing of any measure is left out; the caption says so."""
    w = context.writer
    said = {"lead": rows["lead_unit_zh"].ne("").any(), "due": rows["year_due"].notna().any()}
    unsaid = [name for name, known in said.items() if not known]
    if unsaid:
        notes += (w.t(f"governance.unsaid.{unsaid[0] if len(unsaid) == 1 else 'lead_due'}"),)
    if notes:
        caption = Markup('{}<span class="bodies">{}</span>').format(caption, w.joined(*notes))
    names = ["item", "measure", *(name for name, known in said.items() if known)]
    measures = [_measure(context, row) for _, row in rows.iterrows()]
    return table(context, caption, names, [tuple(map(each.get, names)) for each in measures])


def _measure(context: Context, row: pd.Series) -> dict[str, Markup]:
    w = context.writer
    text = w.recorded("measures", row["measure_id"], w.column(row, "title"))
    if row["responsible_units_zh"]:
        others = w.organisations(row["responsible_units_zh"])
        others = w.t("governance.partners", partners=others)
        text = Markup('{}<span class="bodies">{}</span>').format(text, others)
    return {
        "item": Markup("<cite>{}</cite>").format(row["number_in_document"]),
        "measure": text,
        "lead": Markup("{}").format(w.organisations(row["lead_unit_zh"]) or w.t("missing.lead")),
        "due": w.t("missing.due") if pd.isna(row["year_due"]) else w.year(row["year_due"]),
    }


def section(context: Context) -> Section:
    w = context.writer
    measures, origin = measures_of(context)
    rows = measures[measures["target_group"].isin(["", "all"])]
    blocks: list = []
    if rows.empty:
        blocks.append(context.missing("governance.missing"))
    else:
        sources = w.cite(";".join(dict.fromkeys(measures["source_id"])))
        key = "governance.own" if origin == context.code else "governance.inherited"
        blocks.append(Paragraph(w.t(key, name=w.name(origin), source=sources)))
        for domain in dict.fromkeys(rows["domain"]):
            part = rows[rows["domain"] == domain]
            blocks += measure_tables(context, part, w.t(f"domain.{domain}"))
    blocks += _organisation(context)
    return Section("governance", w.t("governance.title"), tuple(blocks))


def _organisation(context: Context) -> list:
    """Published figures on organisation and planning, the grassroots associations among them."""
    w = context.writer
    domain = context.study.dataset.indicators.set_index("indicator")["domain"]
    facts = context.facts
    rows = facts[
        (facts["indicator"].map(domain) == "organisation")
        & (facts["group"] == "")
        & facts["kind"].isin(["statistic", "norm"])
    ]
    extra = facts[
        (facts["kind"] == "norm") & ~facts["indicator"].str.startswith("county_kepu_staff_norm")
    ]
    rows = pd.concat([rows, extra]).drop_duplicates("fact_id")
    if rows.empty:
        return []
    body = figure_table(context, rows, w.t("domain.organisation"))
    return [Heading(w.t("governance.figures")), body]


# Section: the five key groups with their measures, lead units, due years and figures.
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


def groups_section(context: Context) -> Section:
    w = context.writer
    measures, origin = measures_of(context)
    blocks: list = [Paragraph(w.t("groups.intro"))] if _only_whole(context) else []
    if origin and origin != context.code:
        blocks.append(Paragraph(w.t("groups.inherited", name=w.name(origin)), "note"))
    bearing = _bearing(context)
    for group in GROUPS:
        blocks.append(Heading(w.t(f"group.{group}")))
        if group in bearing.index:
            blocks.append(Paragraph(_national(context, bearing.loc[group])))
        blocks += _group(context, group, measures)
    return Section("groups", w.t("groups.title"), tuple(blocks))


def _only_whole(context: Context) -> bool:
    """Whether rates by group are held for the whole and for no other region."""
    facts = context.study.dataset.facts
    rates = facts[(facts["indicator"] == RATE) & (facts["kind"] == "survey")]
    return set(rates.loc[rates["group"] != "", "region_code"]) == {context.whole}


def _group(context: Context, group: str, measures: pd.DataFrame) -> list:
    w, facts, name = context.writer, context.facts, context.writer.t(f"group.{group}")
    own = facts[(facts["group"] == f"key_group={group}") & (facts["kind"] == "statistic")]
    rows = measures[measures["target_group"] == group]
    if own.empty and rows.empty:
        return [context.missing("groups.missing", group=name)]
    blocks: list = []
    if len(own):
        blocks.append(figure_table(context, own, w.t("groups.figures", group=name)))
    if len(rows):
        blocks += measure_tables(context, rows, w.t("groups.measures", group=name))
    return blocks


def _bearing(context: Context) -> pd.DataFrame:
    """The latest national rate that bears on each key group, for orientation; by key group."""
    dataset = context.study.dataset
    rows = dataset.facts[dataset.facts["region_code"] == context.whole]
    rows = rows[rows["indicator"] == RATE]
    rows = rows.assign(bears_on=rows["group"].map(RELATED)).dropna(subset="bears_on")
    rows = usable(rows, dataset.sources).sort_values("year", kind="stable")
    return rows.drop_duplicates("bears_on", keep="last").set_index("bears_on")


def _national(context: Context, row: pd.Series) -> Markup:
    w = context.writer
    who = w.t(f"related.{row['group'].replace('=', '.').replace(' ', '_')}")
    values = {"value": w.fact(row), "year": w.year(row["year"])}
    return w.t("groups.national", who=who, source=w.cite(row["source_id"]), **values)
