"""Policy measures, who answers for them, and the key groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from evaluation.data.package import usable
from evaluation.report.blocks import Heading, Paragraph, Section, Table
from evaluation.report.page import DASH, Context, Parts, Writer, figure_table, table, titled
from evaluation.targets import tracker

# Section: policy measures and who answers for them.
KINDS = ("plan", "mechanism", "platform", "brand", "project", "activity", "honour")


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
    if goal := w.column(row, "quantified_target"):
        goal = w.t("governance.goal", goal=w.recorded("measures", row["measure_id"], goal))
        text = Markup('{}<span class="bodies">{}</span>').format(text, goal)
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


# What became of a plan, from its board; a page here is whatever has a writer.


def _day(today: str) -> Markup:
    return Markup("<time>{}</time>").format(today)


def counts_text(page: Any, region: str, rows: pd.DataFrame, today: str) -> Markup:
    """How many items a plan has, how many are overdue and without evidence, on a day."""
    w = page.writer
    found, stem = tracker.counts(rows), f"plan.{region}"
    told = w.numbers(stem, **{name: found[name] for name in ("items", "overdue", "bare")})
    return w.t("track.counts", region=w.name(region), day=_day(today), **told)


def status_table(page: Any, region: str, rows: pd.DataFrame) -> Table:
    """Items of a plan by status, and how many of each are overdue or have no evidence."""
    w, cells = page.writer, []
    for state in tracker.STATES:
        part = rows[rows["status"] == state]
        stem = f"plan.{region}.{state}"
        told = {"all": len(part), "late": part["overdue"].sum(), "bare": (~part["evidenced"]).sum()}
        if len(part):
            cells.append((w.t(f"track.state.{state}"), *w.numbers(stem, **told).values()))
    names = ("progress", "count", "overdue", "without_evidence")
    return table(page, w.t("track.states", region=w.name(region)), names, cells, (1, 2, 3))


def board_table(
    page: Any, rows: pd.DataFrame, key: str, region: str, today: str,
    columns: Sequence[str] = ("item", "measure", "lead", "due", "progress", "evidence"),
) -> Table:  # fmt: skip
    """Rows of a board under the caption ``key``."""
    w = page.writer
    facts = w.dataset.facts.set_index("fact_id", drop=False)
    cells = [
        tuple(_cells(w, row, facts)[name] for name in columns) for row in rows.to_dict("records")
    ]
    values = {"region": w.name(region), "day": _day(today)}
    values |= w.numbers(f"{key}.{region}", shown=len(rows))
    return table(page, w.t(key, **values), columns, cells)


def item_title(w: Writer, row: dict, facts: pd.DataFrame) -> Markup:
    """What an item of a board is about; a quantified target goes by its indicator."""
    if row["number"]:
        return w.recorded("measures", row["item"], w.column(row, "title"))
    key = facts.at[row["item"], "indicator"]
    return w.recorded("indicators", key, w.indicator(key))


def _cells(w: Writer, row: dict, facts: pd.DataFrame) -> dict[str, object]:
    state = w.t(f"track.state.{row['status']}")
    figures = [w.joined(w.indicator(facts.at[each, "indicator"]), w.fact(facts.loc[each]))
               for each in row["fact_ids"].split(";") if each]  # fmt: skip
    papers = [w.cite(row["evidence_source"])] if row["evidence_source"] else []
    return {
        "item": Markup("<cite>{}</cite>").format(row["number"])
        if row["number"]
        else w.t("column.target"),
        "measure": item_title(w, row, facts),
        "lead": w.organisations(row["lead_unit_zh"]) or DASH,
        "due": DASH if pd.isna(row["year_due"]) else w.year(row["year_due"]),
        "progress": w.t("track.overdue", state=state) if row["overdue"] else state,
        "evidence": w.series([*figures, *papers], "；", "; ") or w.t("track.none"),
    }


def _tracked(context: Context) -> Parts:
    """What became of the region's own plan by the day of the report; nothing without a plan."""
    w, code = context.writer, context.code
    if measures_of(context)[1] != code:
        return {}
    today = pd.Period(context.date).end_time.date().isoformat()  # of a month or year its last day
    rows = tracker.board(context.study.dataset, code, today)
    columns = ("item", "measure", "lead", "due", "progress")
    late, bare = rows[rows["overdue"]], rows[~rows["evidenced"]]
    blocks: list = [Heading(w.t("track.heading")), status_table(context, code, rows)]
    if len(late):
        blocks.append(board_table(context, late, "track.late", code, today, columns))
    if len(bare):
        cells = [_cells(w, row, context.fact_rows) for row in bare.to_dict("records")]
        named = [each["item"] if row.number else each["measure"]
                 for each, row in zip(cells, bare.itertuples(), strict=True)]  # fmt: skip
        blocks.append(Paragraph(w.t("track.bare.items", items=w.series(named)), "note"))
    told = w.joined(counts_text(context, code, rows, today), w.t("track.untold.unknown"))
    return {"progress": [Paragraph(told)], "tracked": blocks}


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
        blocks += _unheld(context, origin)
        blocks.append(Paragraph(w.t(key, name=w.name(origin), source=sources)))
        for domain in dict.fromkeys(rows["domain"]):
            part = rows[rows["domain"] == domain]
            blocks += measure_tables(context, part, w.t(f"domain.{domain}"))
    named = _programmes(context)
    named = named[~named["target_group"].isin(GROUPS)]
    parts: Parts = {
        **_tracked(context),
        "measures": blocks,
        "named": titled(w.t("programmes.title"), programme_table(context, named)),
        "figures": _organisation(context),
    }
    return Section.of("governance", w.t("governance.title"), parts)


def _programmes(context: Context) -> pd.DataFrame:
    """Named plans, mechanisms, platforms and honours of the region's own documents."""
    rows = context.study.dataset.programmes
    return rows[rows["region_code"] == context.code]


def _unheld(context: Context, origin: str) -> list[Paragraph]:
    """That the region has a plan of its own whose measures are not in the data."""
    w, rows = context.writer, _programmes(context)
    plans = rows[rows["kind"] == "plan"]
    if origin == context.code or plans.empty:
        return []
    names = context.listed(
        w.recorded("programmes", row["programme_id"], w.column(row, "name"))
        for _, row in plans.iterrows()
    )
    cited = w.cite(";".join(dict.fromkeys(plans["source_id"])))
    values = {"region": context.name, "plan": Markup(names), "source": cited}
    return [Paragraph(w.t("governance.unheld", **values))]


def programme_table(context: Context, rows: pd.DataFrame) -> list[Table]:
    """Programmes by kind, each with who leads it, its years and its place in the document."""
    w = context.writer
    order = rows["kind"].map(KINDS.index)
    cells = [
        (
            w.t(f"programme.{row['kind']}"),
            w.recorded("programmes", row["programme_id"], w.column(row, "name")),
            Markup("{}").format(w.organisations(row["lead_unit_zh"]) or DASH),
            _years(context, row),
            w.joined(w.cite(row["source_id"]), _place(context, row)),
        )
        for _, row in rows.loc[order.sort_values(kind="stable").index].iterrows()
    ]
    if not cells:
        return []
    columns = ("kind", "programme", "lead", "period", "source")
    return [table(context, w.t("programmes.table", region=context.name), columns, cells)]


def _place(context: Context, row: pd.Series) -> Markup:
    return Markup("<cite>{}</cite>").format(context.writer.column(row, "place"))


def _years(context: Context, row: pd.Series) -> Markup:
    start, end = row["year_start"], row["year_end"]
    if not start and not end:
        return context.writer.t("missing.due")
    return context.writer.period(start, end)


def _organisation(context: Context) -> list:
    """Published figures on organisation and planning, and on work that is no popularisation."""
    w, facts = context.writer, context.facts
    kinds = context.study.dataset.indicators.set_index("indicator")
    domain, scope, proxy = (facts["indicator"].map(kinds[c]) for c in ("domain", "scope", "proxy"))
    counted = (facts["group"] == "") & facts["kind"].isin(["statistic", "norm"])
    besides = scope.isin(["association", "other"])
    besides &= ~proxy.astype(bool) & (domain != "covariate")
    norms = facts["kind"].eq("norm") & ~facts["indicator"].str.startswith("county_kepu_staff_norm")
    named = {
        "domain.organisation": (counted & (domain == "organisation") & ~besides) | norms,
        "governance.besides": counted & besides,
    }
    tables = [
        figure_table(context, facts[rows], w.t(key)) for key, rows in named.items() if rows.any()
    ]
    return titled(w.t("governance.figures"), tables)


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
    if not _any_group(context):
        said = Paragraph(w.t("groups.none"), "missing")
        return Section("groups", w.t("groups.title.any"), (said,))
    measures, origin = measures_of(context)
    blocks: list = [Paragraph(w.t("groups.intro"))] if _only_whole(context) else []
    if origin and origin != context.code:
        held = _unheld(context, origin)
        key = "groups.inherited.unheld" if held else "groups.inherited"
        blocks.append(Paragraph(w.t(key, name=w.name(origin)), "note"))
    bearing = _bearing(context)
    parts: Parts = {"intro": blocks}
    for group in GROUPS:
        lead = [Heading(w.t(f"group.{group}"))]
        if group in bearing.index:
            lead.append(Paragraph(_national(context, bearing.loc[group])))
        found = _group(context, group, measures)
        parts[f"{group}.figures"] = [*lead, *found.pop("figures")]
        parts |= {f"{group}.{name}": part for name, part in found.items()}
    return Section.of("groups", w.t("groups.title"), parts)


def _any_group(context: Context) -> bool:
    """Whether the package speaks of any group of people, in any region."""
    dataset = context.study.dataset
    named = [dataset.measures["target_group"], dataset.programmes["target_group"]]
    return (dataset.facts["group"] != "").any() or any(rows.isin(GROUPS).any() for rows in named)


def _only_whole(context: Context) -> bool:
    """Whether rates by group are held for the whole and for no other region."""
    dataset = context.study.dataset
    rates = dataset.facts[dataset.surveyed]
    return set(rates.loc[rates["group"] != "", "region_code"]) == {context.whole}


def _group(context: Context, group: str, measures: pd.DataFrame) -> Parts:
    w, facts, name = context.writer, context.facts, context.writer.t(f"group.{group}")
    own = facts[(facts["group"] == f"key_group={group}") & (facts["kind"] == "statistic")]
    rows = measures[measures["target_group"] == group]
    named = _programmes(context)
    named = named[named["target_group"] == group]
    if own.empty and rows.empty and named.empty:
        return {"figures": [context.missing("groups.missing", group=name)]}
    figures = [figure_table(context, own, w.t("groups.figures", group=name))] if len(own) else []
    caption = w.t("groups.measures", group=name)
    return {
        "figures": figures,
        "measures": measure_tables(context, rows, caption) if len(rows) else [],
        "named": programme_table(context, named),
    }


def _bearing(context: Context) -> pd.DataFrame:
    """The latest national rate that bears on each key group, for orientation; by key group."""
    dataset = context.study.dataset
    rows = dataset.facts[dataset.facts["region_code"] == context.whole]
    rows = rows[rows["indicator"] == dataset.outcome]
    rows = rows.assign(bears_on=rows["group"].map(RELATED)).dropna(subset="bears_on")
    rows = usable(rows, dataset.sources).sort_values("year", kind="stable")
    return rows.drop_duplicates("bears_on", keep="last").set_index("bears_on")


def _national(context: Context, row: pd.Series) -> Markup:
    w = context.writer
    who = w.t(f"related.{row['group'].replace('=', '.').replace(' ', '_')}")
    values = {"value": w.fact(row), "year": w.year(row["year"])}
    return w.t("groups.national", who=who, source=w.cite(row["source_id"]), **values)
