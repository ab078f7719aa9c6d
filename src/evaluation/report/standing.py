"""Blocks of the level section: gains, rank among provinces, peers."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.data.rules import GAIN
from evaluation.position import nearest, profile_of
from evaluation.report.blocks import Figure, Heading, Paragraph, Table
from evaluation.report.context import NATION, Context
from evaluation.report.figures import flags
from evaluation.survey import rank_interval


def gain_blocks(context: Context) -> list:
    w = context.writer
    gains = context.study.gains
    own = gains[gains["region_code"] == context.code]
    if own.empty:
        missing = context.missing("level.gains.missing")
        return [Heading(w.t("level.gains")), missing, *_printed(context)]
    nation = context.rates_of(NATION).set_index("wave")
    rows = []
    for _, gain in own.iterrows():
        key = f"gain.{context.code}.{gain['interval']}"
        reference = w.t("missing.value")
        if {gain["wave_from"], gain["wave_to"]} <= set(nation.index):
            change = nation.at[gain["wave_to"], "rate"] - nation.at[gain["wave_from"], "rate"]
            reference = w.number(f"gain.{NATION}.{gain['interval']}", change, "", 2, signed=True)
        rows.append(
            (
                w.span(gain["wave_from"], gain["wave_to"]),
                w.number(key, gain["gain"], "", 2, signed=True),
                w.interval(key, gain["low"], gain["high"], "", 1),
                w.number(f"{key}.annual", gain["annual"], "", 2, signed=True),
                reference,
                w.t("flag.break") if gain["crosses_break"] else Markup("—"),
            )
        )
    columns = tuple(
        w.t(f"column.{name}")
        for name in ("interval", "gain", "gain_interval", "annual", "nation_gain", "break")
    )
    table = Table(w.t("level.gains.table"), columns, tuple(rows), frozenset(range(1, 5)))
    note = Paragraph(w.t("level.gains.note"), "note")
    drawn = _gain_ranking(context, own.iloc[-1]) if context.is_province else []
    return [Heading(w.t("level.gains")), table, note, *drawn, *_printed(context)]


def _gain_ranking(context: Context, own: pd.Series) -> list[Figure]:
    """Yearly gains of the provinces over the region's latest period, as intervals.

    Only gains over the very same period stand together: others cross other instruments.
    """
    w, gains = context.writer, context.study.gains
    provinces = context.study.dataset.regions.set_index("code")["level"] == "province"
    rows = gains[(gains["interval"] == own["interval"]) & gains["region_code"].map(provinces)]
    if len(rows) < 3:  # one or two intervals are read in the table
        return []
    frame = pd.DataFrame(
        {
            "name": [w.short(code) for code in rows["region_code"]],
            "value": rows["annual"],
            "low": rows["low"] / rows["years"],
            "high": rows["high"] / rows["years"],
            "highlight": rows["region_code"] == context.code,
        }
    )
    first, last = (context.rate(NATION, own[end]) for end in ("wave_from", "wave_to"))
    reference = None
    if first is not None and last is not None:
        reference = ((last["rate"] - first["rate"]) / own["years"], w.short(NATION))
    figure = style.drawn(plots.ranking, frame, xlabel=str(w.t("axis.gain")), reference=reference)
    years = {"first": w.year(own["wave_from"]), "last": w.year(own["wave_to"])}
    alt = w.t("level.gains.alt", region=context.name, **years).striptags()
    caption = w.t("level.gains.caption", **years)
    if reference is not None:
        apart = _apart(own, first, last)
        says = w.t(f"figure.gains.{apart}", region=context.name, **years)
        caption = context.captioned(says, caption)
    return [Figure(figure, caption, str(alt))]


def _apart(own: pd.Series, first: pd.Series, last: pd.Series) -> str:
    """Whether a gain can be told from the nation's over the same period, by its 95% interval."""
    gap = own["gain"] - (last["rate"] - first["rate"])
    half = 1.959963984540054 * (own["se"] ** 2 + first["variance"] + last["variance"]) ** 0.5
    return "above" if gap > half else "below" if gap < -half else "near"


def _printed(context: Context) -> list:
    """Gains that sources print themselves, beside what they leave out."""
    w, facts = context.writer, context.facts
    rows = facts[facts["indicator"] == GAIN].sort_values("period_end")
    if rows.empty:
        return []
    cells = tuple(
        (
            w.period(row["period_start"], row["period_end"]),
            w.fact(row),
            w.cite(row["source_id"]),
            flags(context, row),
        )
        for _, row in rows.iterrows()
    )
    columns = tuple(w.t(f"column.{name}") for name in ("interval", "gain", "source", "flags"))
    return [Table(w.t("level.printed"), columns, cells, frozenset({1}))]


def position_blocks(context: Context, own: pd.DataFrame) -> list:
    """Rank interval among the provinces published in the same wave, and the nearest peers."""
    w, own = context.writer, own[own["variance"].notna()]
    if own.empty:
        return []
    wave = own["wave"].iloc[-1]
    blocks = [Heading(w.t("level.position", year=w.year(wave)))]
    provinces = context.study.dataset.regions.set_index("code")["level"] == "province"
    rates = context.study.rates
    rows = rates[(rates["wave"] == wave) & rates["region_code"].map(provinces)]
    rows = rows[rows["variance"].notna()].reset_index(drop=True)
    if len(rows) > 1:
        blocks += _ranking(context, rows, wave)
    return blocks + _peer_table(context, wave)


def _ranking(context: Context, rows: pd.DataFrame, wave: int) -> list:
    w = context.writer
    ranks = rank_interval(rows["rate"].to_numpy(), rows["se"].to_numpy())
    own = ranks[(rows["region_code"] == context.code).to_numpy()].iloc[0]
    key = f"rank.{context.code}.{wave}"
    exact = own["rank_low"] == own["rank_high"]
    sentence = w.t(
        "level.rank.exact" if exact else "level.rank",
        region=context.name,
        low=w.number(f"{key}.low", own["rank_low"], "", 0),
        high=w.number(f"{key}.high", own["rank_high"], "", 0),
        count=w.number(f"rank.count.{wave}", len(rows), "", 0),
        all=w.number("provinces", context.province_count, "", 0),
        year=w.year(wave),
    )
    frame = pd.DataFrame(
        {
            "name": [w.short(code) for code in rows["region_code"]],
            "value": rows["rate"],
            "low": rows["low"],
            "high": rows["high"],
            "highlight": rows["region_code"] == context.code,
        }
    )
    nation = context.rate(NATION, wave)
    reference = None if nation is None else (nation["rate"], w.short(NATION))
    figure = style.drawn(plots.ranking, frame, xlabel=str(w.t("axis.rate")), reference=reference)
    says = w.t(
        "figure.rank.exact" if exact else "figure.rank",
        region=context.name,
        low=w.number(f"{key}.low", own["rank_low"], "", 0),
        high=w.number(f"{key}.high", own["rank_high"], "", 0),
    )
    caption = context.captioned(says, w.t("level.ranking.caption", year=w.year(wave)))
    alt = str(w.t("level.ranking.alt", year=wave, region=context.name))
    return [Paragraph(sentence), Figure(figure, caption, alt)]


def _peer_table(context: Context, wave: int) -> list:
    w = context.writer
    peers = nearest(profile_of(context.study.provinces), context.code)
    if not peers:
        return []
    rows = []
    for code in [context.code, *peers]:
        known = context.rates_of(code)
        last = known.iloc[-1] if len(known) else None
        rows.append(
            (
                Markup("{}").format(w.name(code)),
                context.rate_text(context.rate(code, wave)),
                w.t("missing.value") if last is None else context.rate_text(last),
                w.t("missing.value") if last is None else w.year(last["wave"]),
            )
        )
    columns = (
        w.t("column.region"),
        w.t("column.rate_in", year=w.year(wave)),
        w.t("column.latest"),
        w.t("column.year"),
    )
    return [
        Heading(w.t("level.peers")),
        Paragraph(w.t("level.peers.note"), "note"),
        Table(w.t("level.peers.table"), columns, tuple(rows), frozenset({1, 2})),
    ]
