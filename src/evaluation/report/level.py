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


def _trend(context: Context) -> Figure:
    w, first = context.writer, context.first_year
    parts = []
    roles = {context.code: "region", context.parent: "parent", NATION: "nation"}
    for code in dict.fromkeys([context.code, context.parent, NATION]):
        rows = context.rates_of(code)
        role = "nation" if code == NATION else roles[code]
        parts.append(
            pd.DataFrame(
                {
                    "name": w.short(code),
                    "year": rows["wave"],
                    "value": rows["rate"],
                    "low": rows["low"],
                    "high": rows["high"],
                    "role": role,
                }
            )
        )
    if context.is_province:
        band = _band(context)
        parts.append(
            pd.DataFrame(
                {
                    "name": str(w.t(f"band.{context.region['band']}")),
                    "year": band["wave"],
                    "value": band["rate"],
                    "low": float("nan"),
                    "high": float("nan"),
                    "role": "band",
                }
            )
        )
    series = pd.concat([part for part in parts if len(part)], ignore_index=True)
    series = series[series["year"] >= first]
    goals = context.study.targets
    goals = goals[(goals["region_code"] == context.code) & (goals["year"] >= first)]
    marks = pd.DataFrame(
        {
            "year": goals["year"].astype(int),
            "value": goals["value"],
            "label": [str(w.t("figure.target"))] * len(goals),
        }
    )
    waves = context.study.dataset.waves
    breaks = [
        (int(year), str(w.t("figure.break"))) for year in waves.loc[waves["break_before"], "wave"]
    ]
    figure = plots.trend(series, marks, breaks, ylabel=str(w.t("axis.rate")))
    return Figure(
        style.figure_png(figure),
        w.t("level.trend.caption", region=context.name),
        str(w.t("level.trend.alt", region=context.name).striptags()),
    )


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
