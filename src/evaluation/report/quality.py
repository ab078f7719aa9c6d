"""Section: data quality — coverage, contradictions, assumptions."""

from __future__ import annotations

import re

import pandas as pd
from markupsafe import Markup

from evaluation.observations import grade_of, has_caveat
from evaluation.report.blocks import Heading, Items, Paragraph, Section, Table
from evaluation.report.context import Context
from evaluation.report.writer import Writer

_TOKEN = re.compile(r"\{(?:(sum|diff):)?([F0-9;]+)\}|(?<!\d)((?:19|20)\d\d)(?!\d)")


def section(context: Context) -> Section:
    w = context.writer
    blocks = [
        Paragraph(_summary(context)),
        _coverage(context),
        Heading(w.t("quality.contradictions")),
        *_contradictions(context),
        Heading(w.t("quality.assumptions")),
        Paragraph(w.t("quality.assumptions.note"), "note"),
        _assumptions(context),
        Heading(w.t("quality.breaks")),
        _breaks(context),
    ]
    return Section("quality", w.t("quality.title"), tuple(blocks))


def _summary(context: Context) -> Markup:
    w, facts = context.writer, context.facts
    grades = grade_of(facts, context.study.dataset.sources).value_counts()
    key = f"facts.{context.code}"
    counts = {
        grade: w.number(f"{key}.{grade}", int(grades.get(grade, 0)), "", 0) for grade in "ABC"
    }
    flagged = facts["caveats"].ne("").sum()
    return w.t(
        "quality.summary",
        region=context.name,
        total=w.number(key, len(facts), "", 0),
        flagged=w.number(f"{key}.flagged", int(flagged), "", 0),
        barred=w.number(f"{key}.barred", int(has_caveat(facts).sum()), "", 0),
        **counts,
    )


def _coverage(context: Context) -> Table:
    """Which waves hold a rate of the region, usable or flagged."""
    w, study = context.writer, context.study
    own = set(context.rates_of(context.code)["wave"])
    facts = context.facts
    surveys = facts[(facts["indicator"] == "science_literacy_rate") & (facts["kind"] == "survey")]
    seen = set(surveys["year"].dropna().astype(int))
    cells = []
    for wave in study.dataset.waves["wave"]:
        if wave < context.first_year:
            continue
        state = "published" if wave in own else "flagged" if wave in seen else "missing"
        cells.append((w.year(wave), w.t(f"coverage.{state}")))
    columns = (w.t("column.wave"), w.t("column.state"))
    return Table(w.t("quality.coverage", region=context.name), columns, tuple(cells))


def _fill(context: Context, identifier: str, text: str) -> Markup:
    """Put the facts, sums and years of a recorded contradiction into its sentence."""
    w, parts, position = context.writer, [], 0
    for match in _TOKEN.finditer(text):
        parts.append(Markup("{}").format(text[position : match.start()]))
        kind, ids, year = match.groups()
        parts.append(w.year(year) if year else _token(context, identifier, kind, ids.split(";")))
        position = match.end()
    parts.append(Markup("{}").format(text[position:]))
    return Markup("").join(parts)


def _token(context: Context, identifier: str, kind: str | None, ids: list[str]) -> Markup:
    w, facts = context.writer, context.fact_rows.loc[ids]
    if kind is None:
        return w.fact(facts.iloc[0])
    if kind == "sum":
        return w.number(f"{identifier}.sum", facts["value"].sum(), "", 0)
    value = facts["value"].iloc[0] - facts["value"].iloc[1]
    return w.number(f"{identifier}.difference", value, "percentage_point", 2)


def _contradictions(context: Context) -> list:
    w, table = context.writer, context.study.dataset.contradictions
    relevant = table[table["region_code"] == context.code]
    if relevant.empty:
        return [context.missing("quality.contradictions.none")]
    alike = relevant["blocks_estimates"].nunique() == 1  # what holds for all is said once
    stop, items = "。" if w.language == "zh" else ".", []
    for _, row in relevant.iterrows():
        text = _fill(context, row["contradiction_id"], w.column(row, "text"))
        said = w.joined(Markup("{}{}").format(text, stop), *([] if alike else [_state(w, row)]))
        items.append(
            Markup('<span id="{0}"><cite>{0}</cite></span> {1}').format(
                row["contradiction_id"], said
            )
        )
    blocks: list = [Items(tuple(items))]
    if alike:
        blocks.append(Paragraph(_state(w, relevant.iloc[0]), "note"))
    return blocks


def _state(w: Writer, row: pd.Series) -> Markup:
    return w.t("quality.kept_out" if row["blocks_estimates"] else "quality.kept_in")


def _assumptions(context: Context) -> Table:
    w, table = context.writer, context.study.dataset.assumptions
    level = "province" if context.is_province else "prefecture"
    rows = table[table["level"].isin(["all", level, "nation"])]
    cells = tuple(
        (
            Markup("<cite>{}</cite>").format(row["assumption_id"]),
            w.t(f"parameter.{row['parameter']}"),
            w.t(f"survey_level.{row['level']}"),
            w.year(row["wave"]) if row["wave"] else w.t("column.all_waves"),
            w.number(
                f"assumption.{row['assumption_id']}",
                row["value"],
                "",
                next(n for n in (0, 1, 2) if n == 2 or round(row["value"], n) == row["value"]),
            ),
            w.recorded("assumptions", row["assumption_id"], w.column(row, "reason")),
        )
        for _, row in rows.iterrows()
    )
    names = ("item", "parameter", "level", "wave", "value", "reason")
    columns = tuple(w.t(f"column.{name}") for name in names)
    return Table(w.t("quality.assumptions.table"), columns, cells, frozenset({4}))


def _breaks(context: Context) -> Items:
    w, waves = context.writer, context.study.dataset.waves
    rows = waves[waves["break_before"]]
    return Items(
        tuple(
            Markup("{} {}").format(
                w.recorded("waves", str(row["wave"]), w.column(row, "break")),
                w.cite(row["source_id"]),
            )
            for _, row in rows.iterrows()
        )
    )
