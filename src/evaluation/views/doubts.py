"""Where the data are in doubt: contradictions, assumptions, changes of the survey, gaps."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.panel import design_effect
from evaluation.report.blocks import Items, Paragraph
from evaluation.report.context import Context
from evaluation.views import View, show, table

LEVELS = ("nation", "province", "prefecture")


def _figures(page: Context, facts: pd.DataFrame) -> Markup:
    """Facts as printed, each with its period, in one phrase."""
    w = page.writer
    return Markup("；" if w.language == "zh" else "; ").join(
        w.joined(
            w.fact(row),
            w.t("period.bracket", period=w.period(row["period_start"], row["period_end"])),
        )
        for _, row in facts.iterrows()
    )


def contradictions(page: Context, *regions: str) -> View:
    """Every recorded contradiction, or those of ``regions``, with the figures as printed."""
    w, items = page.writer, page.study.dataset.contradictions
    items = items[items["region_code"].isin(regions)] if regions else items
    rows, kept = [], 0
    for _, item in items.iterrows():
        facts = page.fact_rows.loc[item["fact_ids"].split(";")]
        used = facts[facts["fact_id"].isin(page.study.rates["fact_id"])]
        kept += used.empty
        rows.append(
            (
                Markup('<cite id="{0}">{0}</cite>').format(item["contradiction_id"]),
                w.short(item["region_code"]),
                w.indicator(facts["indicator"].iloc[0]),
                w.t(f"contradiction.{item['kind']}"),
                _figures(page, facts),
                w.cite(";".join(dict.fromkeys(";".join(facts["source_id"]).split(";")))),
                w.t("view.contradictions.none") if used.empty else _figures(page, used),
            )
        )
    key = f"contradictions.{'.'.join(regions)}"
    lead = w.t(
        "view.contradictions",
        total=w.number(key, len(items), "", 0),
        kept=w.number(f"{key}.kept", int(kept), "", 0),
    )
    columns = ("item", "region", "indicator", "disagreement", "figures", "source", "in_estimates")
    body = table(page, w.t("view.contradictions.table"), columns, rows)
    return show(page, Paragraph(lead), body)


def assumptions(page: Context) -> View:
    """Sample sizes taken where none is published, by wave and level, and what rests on them."""
    w, data, rates = page.writer, page.study.dataset, page.study.rates
    sizes = data.assumptions[data.assumptions["parameter"] == "sample_size"]
    sizes = sizes.set_index(["wave", "level"])["value"]
    rows = []
    for wave, part in rates[rates["wave"] >= page.first_year].groupby("wave"):
        cells = [
            w.number(f"n.{level}.{wave}", sizes[str(wave), level], "", 0)
            if (str(wave), level) in sizes.index
            else Markup("—")
            for level in LEVELS
        ]
        assumed = int((part["n_assumed"] & part["n"].notna()).sum())
        cells.append(w.number(f"n.assumed.{wave}", assumed, "", 0))
        rows.append((w.year(wave), *cells, w.number(f"n.rates.{wave}", len(part), "", 0)))
    lead = w.t(
        "view.assumptions",
        deff=w.number("design_effect", design_effect(data), "", 1),
        rates=w.number("n.rates", len(rates), "", 0),
        known=w.number("n.known", int((~rates["n_assumed"]).sum()), "", 0),
    )
    columns = ("wave", "nation_n", "province_n", "prefecture_n", "rates_assumed", "rates_all")
    body = table(page, w.t("view.assumptions.table"), columns, rows, range(1, 6))
    return show(page, Paragraph(lead), body)


def breaks(page: Context) -> View:
    """What changed in the survey between waves, with its source."""
    w, waves = page.writer, page.study.dataset.waves
    items = tuple(
        w.joined(
            w.recorded("waves", str(row["wave"]), w.column(row, "break")), w.cite(row["source_id"])
        )
        for _, row in waves[waves["break_before"]].iterrows()
    )
    return show(page, Items(items))


def unknown(page: Context, name: str, count: int) -> View:
    """The list ``view.unknown.<name>.1`` to ``count``: what the data leave open."""
    w = page.writer
    return show(page, Items(tuple(w.t(f"view.unknown.{name}.{i}") for i in range(1, count + 1))))
