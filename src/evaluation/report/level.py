"""Section: literacy level, trend and gain, against nation, band and peers."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.observations import surveyed_rates
from evaluation.report.blocks import Figure, Heading, Paragraph, Section, Table
from evaluation.report.cities import city_blocks
from evaluation.report.context import NATION, Context
from evaluation.report.standing import gain_blocks, position_blocks


def section(context: Context) -> Section:
    w = context.writer
    own = context.rates_of(context.code)
    blocks: list = []
    if own.empty:
        blocks.append(context.missing("level.missing"))
    blocks.append(_trend(context))
    if len(own):
        blocks.append(_rate_table(context, own))
        blocks.append(Paragraph(w.t("level.note"), "note"))
    blocks += gain_blocks(context)
    blocks += position_blocks(context, own) if context.is_province else city_blocks(context)
    blocks += _flagged(context)
    return Section("level", w.t("level.title"), tuple(blocks))


def _band(context: Context) -> pd.DataFrame:
    bands = context.study.bands
    return bands[bands["band"] == context.region["band"]]


def _line(name: str, rows: pd.DataFrame, role: str) -> pd.DataFrame:
    """One line of the trend; a rate without sampling error has no interval."""
    columns = {"wave": "year", "rate": "value"}
    line = rows.rename(columns=columns).reindex(columns=["year", "value", "low", "high"])
    return line.assign(name=name, role=role)


def _lines(context: Context) -> pd.DataFrame:
    """The region, what lies above it, the nation and its band, from the first year shown."""
    w = context.writer
    roles = {context.code: "region", context.parent: "parent"} | {NATION: "nation"}
    lines = [_line(w.short(code), context.rates_of(code), role) for code, role in roles.items()]
    if context.is_province:
        name = str(w.t(f"band.{context.region['band']}"))
        lines.append(_line(name, _band(context), "band"))
    series = pd.concat([line for line in lines if len(line)], ignore_index=True)
    return series[series["year"] >= context.first_year]


def _trend(context: Context) -> Figure:
    w, goals = context.writer, context.study.targets
    goals = goals[(goals["region_code"] == context.code) & (goals["year"] >= context.first_year)]
    marks = goals[["year", "value"]].astype({"year": int})
    marks = marks.assign(label=str(w.t("figure.target")))
    waves = context.study.dataset.waves
    changed = waves.loc[waves["break_before"], "wave"]
    breaks = [(int(year), str(w.t("figure.break"))) for year in changed]
    figure = style.drawn(plots.trend, _lines(context), marks, breaks, ylabel=str(w.t("axis.rate")))
    return Figure(
        figure,
        _says(context, w.t("level.trend.caption", region=context.name)),
        str(w.t("level.trend.alt", region=context.name).striptags()),
    )


def _says(context: Context, caption: Markup) -> Markup:
    """The caption of the trend under what the latest survey tells of region and nation."""
    own = context.rates_of(context.code)
    own = own[own["variance"].notna()]
    if own.empty:
        says = context.writer.t("figure.level.missing", region=context.name)
        return context.captioned(says, caption)
    last = own.iloc[-1]
    nation = context.rate(NATION, last["wave"])
    if nation is None or pd.isna(nation["variance"]):
        return caption
    low, high, _ = context.difference(f"gap.{context.code}.{last['wave']}", last, nation)
    side = "above" if low > 0 else "below" if high < 0 else "near"
    w = context.writer
    says = w.t(f"figure.level.{side}", region=context.name, year=w.year(last["wave"]))
    return context.captioned(says, caption)


def _rate_table(context: Context, own: pd.DataFrame) -> Table:
    w = context.writer
    band = _band(context).set_index("wave") if context.is_province else pd.DataFrame()
    rows = []
    for _, row in own.iterrows():
        nation = context.rate(NATION, row["wave"])
        gap = w.t("missing.value")
        if nation is not None and pd.notna(row["variance"]):
            key = f"gap.{context.code}.{row['wave']}"
            gap = context.difference(key, row, nation, "")[2]
        cells = [
            w.year(row["wave"]),
            context.rate_text(row),
            w.t("missing.value") if nation is None else context.fact(nation["fact_id"]),
        ]
        if context.is_province:
            known = row["wave"] in band.index
            cells.append(
                context.fact(band.at[row["wave"], "fact_id"]) if known else w.t("missing.value")
            )
        fact = context.fact_rows.loc[row["fact_id"]]
        cells += [gap, _sample(context, row), w.cite(fact["source_id"])]
        rows.append(tuple(cells))
    names = ["year", "rate", "nation"] + (["band"] if context.is_province else [])
    names += ["gap", "sample", "source"]
    columns = tuple(w.t(f"column.{name}") for name in names)
    return Table(
        w.t("level.table", region=context.name),
        columns,
        tuple(rows),
        frozenset(range(1, len(names) - 1)),
    )


def _sample(context: Context, row: pd.Series) -> Markup:
    w = context.writer
    if pd.isna(row["n"]):
        return w.t("missing.value")
    number = w.number(f"n.{row['region_code']}.{row['wave']}", row["n"], "", 0)
    return w.t("level.assumed", n=number) if row["n_assumed"] else number


def _flagged(context: Context) -> list:
    w = context.writer
    rows = surveyed_rates(context.facts, context.study.dataset.sources, flagged=True)
    if rows.empty:
        return []
    cells = tuple(
        (
            w.period(row["period_start"], row["period_end"]),
            w.fact(row),
            Markup("、" if w.language == "zh" else ", ").join(
                w.t(f"caveat.{flag}") for flag in row["caveats"].split(";")
            ),
            w.cite(row["source_id"]),
        )
        for _, row in rows.sort_values("period_end").iterrows()
    )
    columns = tuple(w.t(f"column.{name}") for name in ("year", "value", "why", "source"))
    return [
        Heading(w.t("level.flagged")),
        Table(w.t("level.flagged.table"), columns, cells, frozenset({1})),
    ]
