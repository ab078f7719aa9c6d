"""The links of the chain that are published figures: money, inputs, literacy."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.report import findings
from evaluation.report.context import Context
from evaluation.report.sums import money
from evaluation.report.value import nation_funds, per_head, raised

# What a document must print for a plan: money obtained, facilities it opened, all there are.
MONEY = "central_fund_free_museum_opening"
FUNDED = "science_museums_funded_free_opening"
ALL = "science_museums_banner_level_and_above"
# Published inputs in the order in which they are told; the first SHOWN_INPUTS of a region are.
INPUTS = (
    ALL, "science_museums_built_or_rebuilt", "mobile_science_museum_sets", "science_caravans",
    "kepu_expert_team_members", "city_kepu_education_bases", "regional_kepu_education_bases",
    "kepu_activities", "museum_and_mobile_activities", "museum_and_mobile_visits",
    "personnel_full_time", "venues_total", "provincial_education_base_count",
    "national_education_base_count", "national_kepu_education_bases",
    "regional_kepu_bases_named_2023_2025",
)  # fmt: skip
SHOWN_INPUTS = 6


def last(context: Context, indicator: str) -> pd.Series | None:
    """The latest published figure of the region that carries no flag."""
    rows = context.facts[context.facts["indicator"] == indicator]
    rows = rows[(rows["kind"] == "statistic") & (rows["caveats"] == "") & (rows["group"] == "")]
    return None if rows.empty else rows.sort_values("period_end").iloc[-1]


def money_text(context: Context) -> Markup:
    """The funds the region's documents name, else the national ones to read its gap by."""
    w, funds = context.writer, context.study.value.funds
    own = funds[funds["region_code"] == context.code] if len(funds) else funds
    parts = []
    paid, funded = last(context, MONEY), last(context, FUNDED)
    if paid is not None and funded is not None:
        row = own[own["fact_id"] == paid["fact_id"]].iloc[0]
        parts.append(_paid(context, paid, funded, row))
    rows = own[own["item"] == "raised"].dropna(subset="per_head") if len(own) else own
    if len(rows):
        parts.append(raised(context, "chain.raised", rows.sort_values("end").iloc[-1]))
    if parts:
        return w.joined(*parts)
    return w.joined(w.t("chain.money.none", region=context.name), nation_funds(context))


def _paid(context: Context, paid: pd.Series, funded: pd.Series, row: pd.Series) -> Markup:
    w = context.writer
    museum = money(w, f"chain.{context.code}.a_museum", row["real"] / funded["value"], 2)
    return w.t(
        "chain.money",
        money=context.fact(paid["fact_id"]),
        funded=context.fact(funded["fact_id"]),
        period=w.period(paid["period_start"], paid["period_end"]),
        a_museum=museum,
        per_head=per_head(context, row),
        source=w.cite(paid["source_id"]),
    )


def inputs_text(context: Context) -> Markup:
    """Published facilities, staff and activities, each with its period, and their sources."""
    w = context.writer
    found = [row for row in (last(context, name) for name in INPUTS) if row is not None]
    found = found[:SHOWN_INPUTS]
    if not found:
        return w.t("chain.inputs.none", region=context.name)
    told = [
        w.t(
            "chain.input",
            what=w.recorded("indicators", row["indicator"], str(w.indicator(row["indicator"]))),
            value=context.fact(row["fact_id"]),
            period=w.period(row["period_start"], row["period_end"]),
        )
        for row in found
    ]
    listed = Markup("；" if w.language == "zh" else "; ").join(told)
    sources = dict.fromkeys(name for row in found for name in row["source_id"].split(";"))
    return w.t("chain.inputs", listed=listed, sources=w.cite(";".join(sources)))


def literacy_text(context: Context) -> Markup:
    """The latest gain with its ends and error; without one the latest rate, or that none is."""
    w, gains = context.writer, context.study.gains
    own = gains[gains["region_code"] == context.code]
    if own.empty:
        return findings.level(context)
    gain = own.iloc[-1]
    name = f"gain.{context.code}.{gain['interval']}"
    text = w.t(
        "chain.gain",
        first=w.year(gain["wave_from"]),
        last=w.year(gain["wave_to"]),
        before=context.fact(gain["fact_from"]),
        after=context.fact(gain["fact_to"]),
        gain=w.number(name, gain["gain"], "percentage_point", 2),
        interval=w.interval(name, gain["low"], gain["high"], "", 1),
    )
    return w.joined(text, w.t("findings.change.break")) if gain["crosses_break"] else text
