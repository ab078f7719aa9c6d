"""Who can be told apart: rank intervals, and how much hangs on the assumed sampling error."""

from __future__ import annotations

import pandas as pd

from evaluation import panel, plots, style
from evaluation.report import OVERVIEW
from evaluation.report.blocks import Figure, Paragraph
from evaluation.report.context import NATION, Context
from evaluation.survey import rank_interval
from evaluation.views import View, show, table

TOP = 10
DESIGN_EFFECTS = (1.5, 2.0, 3.0)
SAMPLE_FACTORS = (0.5, 1.0, 2.0)


def fullest_wave(page: Context, rates: pd.DataFrame) -> pd.DataFrame:
    """Rates of the set's regions in the wave with most of them published, highest first."""
    rates = rates[rates["region_code"].isin(page.codes) & rates["variance"].notna()]
    wave = rates["wave"].value_counts().sort_index().idxmax()
    rows = rates[rates["wave"] == wave].sort_values("rate", ascending=False, kind="stable")
    rows = rows.set_index("region_code")
    return rows.join(rank_interval(rows["rate"], rows["se"]))


def ranking(page: Context) -> View:
    """Rates with intervals in the wave with most regions published."""
    w, rows = page.writer, fullest_wave(page, page.study.rates)
    frame = rows.rename(columns={"rate": "value"}).assign(highlight=False)
    frame["name"] = [w.short(code) for code in rows.index]
    wave = int(rows["wave"].iloc[0])
    whole = page.rate(NATION, wave)
    reference = None if whole is None else (whole["rate"], w.short(NATION))
    figure = plots.ranking(frame, xlabel=str(w.t("axis.rate")), reference=reference)
    caption = w.t("level.ranking.caption", year=w.year(wave))
    alt = str(w.t("overview.ranking.alt", year=wave))
    return show(page, Figure(style.figure_png(figure), caption, alt))


def ranks(page: Context) -> View:
    """The ranks each region may hold given its sampling error."""
    w, frame = page.writer, fullest_wave(page, page.study.rates)
    wave, width = frame["wave"].iloc[0], frame["rank_high"] - frame["rank_low"] + 1
    rows = []
    for place, (code, row) in enumerate(frame.iterrows(), start=1):
        ends = (w.number(f"rank.{code}.{e}", row[f"rank_{e}"], "", 0) for e in ("low", "high"))
        low, high = ends
        cells = (w.number(f"rank.{code}", place, "", 0), w.t("view.ranks.span", low=low, high=high))
        full = row.to_dict() | {"region_code": code}
        rows.append((w.name(code), page.rate_text(pd.Series(full)), *cells))
    lead = w.t(
        "view.ranks",
        year=w.year(wave),
        count=w.number("ranks.count", len(frame), "", 0),
        median=w.number("ranks.median", width.median(), "", 0),
        top=w.number("ranks.top", TOP, "", 0),
        possible=w.number("ranks.possible", int((frame["rank_low"] <= TOP).sum()), "", 0),
        certain=w.number("ranks.certain", int((frame["rank_high"] <= TOP).sum()), "", 0),
    )
    columns = ("region", "rate", "printed_rank", "rank_interval")
    body = table(page, w.t("view.ranks.table", year=w.year(wave)), columns, rows, (1, 2, 3))
    return show(page, Paragraph(lead), body)


def gains(page: Context) -> View:
    """Latest gain of each region, and how many of all gains can be told from zero."""
    w, table_of = page.writer, page.study.gains
    own = table_of[table_of["region_code"].isin(page.codes)]
    lead = w.t(
        "view.gains",
        gains=w.number("gains", len(own), "", 0),
        told=w.number("gains.told", int((own["low"] > 0).sum()), "", 0),
        breaks=w.number("gains.breaks", int(own["crosses_break"].sum()), "", 0),
        error=w.number("gains.error", own["se"].median(), "percentage_point", 2),
        gain=w.number("gains.gain", own["gain"].median(), "percentage_point", 2),
    )
    return show(page, Paragraph(lead), OVERVIEW["ranking"](page).blocks[-1])


def sensitivity(page: Context) -> View:
    """Intervals, ranks and gains under other design effects and sample sizes."""
    w, data, rows = page.writer, page.study.dataset, []
    told = []
    for deff in DESIGN_EFFECTS:
        for factor in SAMPLE_FACTORS:
            rates = panel.rates(data, panel.Assumed(deff, factor))
            wave = fullest_wave(page, rates)
            own = panel.gains(rates, data.waves)
            own = own[own["region_code"].isin(page.codes)]
            key = f"assumed.{deff:g}.{factor:g}"
            half = ((wave["high"] - wave["low"]) / 2).median()
            width = (wave["rank_high"] - wave["rank_low"] + 1).median()
            told.append(int((own["low"] > 0).sum()))
            numbers = (deff, 1), (factor, 1), (half, 2), (width, 0), (told[-1], 0)
            rows.append(tuple(w.number(f"{key}.{i}", v, "", d) for i, (v, d) in enumerate(numbers)))
    columns = ("design_effect", "sample_factor", "half_width", "rank_width", "gains_told")
    body = table(page, w.t("view.sensitivity.table"), columns, rows, range(5))
    lead = w.t(
        "view.sensitivity",
        fewest=w.number("sensitivity.fewest", min(told), "", 0),
        most=w.number("sensitivity.most", max(told), "", 0),
        gains=w.number("gains", len(own), "", 0),
    )
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.sensitivity.note"), "note"))
