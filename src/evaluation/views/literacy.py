"""Literacy: rates with intervals, trend and gains of the nation and the bands, peers."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.position import nearest, profile_of
from evaluation.report.blocks import Figure, Paragraph
from evaluation.report.context import NATION, Context
from evaluation.study import BANDS
from evaluation.views import View, existing, show, table

NONE = Markup("—")


def nation(page: Context) -> View:
    """Rate, interval and sample of the nation in each wave, with the gain since the last one."""
    w = page.writer
    gains = page.study.gains
    gains = gains[gains["region_code"] == NATION].set_index("wave_to")
    rows = []
    for _, row in page.rates_of(NATION).iterrows():
        if row["wave"] < page.first_year:
            continue
        wave = row["wave"]
        size = w.number(f"n.{wave}", row["n"], "", 0)
        size = w.t("level.assumed", n=size) if row["n_assumed"] else size
        change = _gain(page, gains.loc[wave]) if wave in gains.index else (NONE,) * 3
        rows.append((w.year(wave), page.rate_text(row), size, *change))
    columns = ("year", "rate", "sample", "gain", "annual", "break")
    body = table(page, w.t("view.nation.table"), columns, rows, (1, 2, 3, 4))
    first, last = gains.loc[gains["wave_from"].ge(page.first_year)].iloc[[0, -1]].itertuples()
    lead = w.t(
        "view.nation",
        first=w.year(first.wave_from),
        last=w.year(last.Index),
        start=page.rate_text(page.rate(NATION, first.wave_from)),
        end=page.rate_text(page.rate(NATION, last.Index)),
    )
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.nation.note"), "note"))


def _gain(page: Context, row: pd.Series) -> tuple[Markup, Markup, Markup]:
    w, key = page.writer, f"gain.{row['region_code']}.{row['interval']}"
    change = w.joined(
        w.number(key, row["gain"], "", 2, signed=True),
        w.interval(key, row["low"], row["high"], "", 2),
    )
    annual = w.number(f"{key}.annual", row["annual"], "", 2, signed=True)
    return change, annual, w.t("flag.break") if row["crosses_break"] else NONE


def trend(page: Context) -> View:
    """The nation with its intervals and the three bands over the waves."""
    w, study = page.writer, page.study
    whole = page.rates_of(NATION).assign(name=w.short(NATION), role="nation")
    bands = study.bands.assign(role="band", low=float("nan"), high=float("nan"))
    bands["name"] = bands["band"].map(lambda band: str(w.t(f"band.{band}")))
    series = pd.concat([whole, bands]).rename(columns={"wave": "year", "rate": "value"})
    series = series[series["year"] >= page.first_year]
    waves = study.dataset.waves
    changed = waves.loc[waves["break_before"], "wave"]
    breaks = [(int(year), str(w.t("figure.break"))) for year in changed]
    figure = plots.trend(series, None, breaks, ylabel=str(w.t("axis.rate")))
    caption, alt = w.t("view.trend.caption"), str(w.t("view.trend.alt"))
    return show(page, Figure(style.figure_png(figure), caption, alt))


def bands(page: Context) -> View:
    """Rates of the three bands by wave and the distance between the outer ones."""
    w, frame = page.writer, page.study.bands
    frame = frame[frame["wave"] >= page.first_year]
    facts = frame.pivot(index="wave", columns="band", values="fact_id").dropna()
    rates = frame.pivot(index="wave", columns="band", values="rate").loc[facts.index]
    gaps = rates["east"] - rates["west"]
    rows = [
        (
            w.year(wave),
            *(page.fact(facts.at[wave, band]) for band in BANDS),
            w.number(f"gap.bands.{wave}", gaps[wave], "", 2),
        )
        for wave in facts.index
    ]
    names = ("year", *(f"band_{band}" for band in BANDS), "band_gap")
    body = table(page, w.t("view.bands.table"), names, rows, range(1, 5))
    ends = {"first": gaps.index[0], "last": gaps.index[-1]}
    lead = w.t(
        "view.bands",
        **{key: w.year(wave) for key, wave in ends.items()},
        start=w.number(f"gap.bands.{ends['first']}", gaps.iloc[0], "percentage_point", 2),
        end=w.number(f"gap.bands.{ends['last']}", gaps.iloc[-1], "percentage_point", 2),
    )
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.bands.note"), "note"))


def peers(page: Context, region: str) -> View:
    """The regions most like ``region`` in income, education and cities, with their latest rate."""
    w, profile = page.writer, profile_of(page.study.provinces)
    existing(page, region, profile.index)
    rows = []
    for code in [region, *nearest(profile, region)]:
        known, own = page.rates_of(code), profile.loc[code]
        wealth = 2 ** own["log2_gdp_per_capita"]
        rows.append(
            (
                w.name(code),
                w.number(f"peer.{code}.gdp", wealth, "", 0),
                w.number(f"peer.{code}.college", own["college_share"], "", 1),
                w.number(f"peer.{code}.urban", own["urban_share"], "", 1),
                page.rate_text(known.iloc[-1]),
                w.year(known["wave"].iloc[-1]),
            )
        )
    columns = ("region", "gdp", "college", "urban", "latest", "year")
    lead = Paragraph(w.t("view.peers", region=w.name(region)))
    body = table(page, w.t("view.peers.table"), columns, rows, (1, 2, 3, 4))
    return show(page, lead, body, Paragraph(w.t("view.peers.note"), "note"))
