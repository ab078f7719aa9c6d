"""Level, trend and gain beside the nation, the band and peers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from evaluation.data.package import by_year, stated, surveyed_rates
from evaluation.figures import charts
from evaluation.report.blocks import Figure, Heading, Paragraph, Section, Table
from evaluation.report.overview import gains_figure
from evaluation.report.page import (
    DASH,
    LEVEL,
    Context,
    Parts,
    View,
    dots,
    existing,
    figure_table,
    flags,
    picture,
    rate_dots,
    show,
    side,
    table,
    titled,
)
from evaluation.survey import panel
from evaluation.survey.standing import growth, nearest, normal_quantile, profile_of, rank_interval

# Blocks of the level section for smaller regions: the place among their equals under other units.

# Fewer cities than this are no distribution to stand in.
MINIMUM_CITIES = 10


def city_blocks(context: Context) -> list:
    """Where a region's value or target would stand among its equals under other units."""
    w = context.writer
    data = context.study.dataset
    regions, kinds = data.regions.set_index("code"), data.survey_levels
    outside = regions.index[
        (kinds == kinds[context.code]) & (regions["parent_code"] != context.parent)
    ]
    rates = context.study.rates
    cities = rates[rates["region_code"].isin(outside) & rates["variance"].notna()]
    marks = _marks(context)
    counts = cities["wave"].value_counts()
    waves = [wave for wave in sorted(counts.index) if counts[wave] >= MINIMUM_CITIES]
    if not waves:
        return []
    own = context.rates_of(context.code)
    wave = own["wave"].iloc[-1] if len(own) and own["wave"].iloc[-1] in waves else waves[-1]
    rows = cities[cities["wave"] == wave]
    # What the package calls the regions compared with; neutral where they are of several kinds.
    of = data.kinds[rows["region_code"]].unique()
    others = w.level(of[0], several=True) if len(of) == 1 else str(w.t("word.unit.several"))
    places = [_place(context, rows, mark, wave) | {"others": others} for mark in marks]
    sentences = [
        w.t(f"level.cities.{mark[0]}", year=w.year(wave), **place)
        for mark, place in zip(marks, places, strict=True)
    ]
    return [
        Heading(w.t("level.cities", others=others)),
        *map(Paragraph, sentences),
        _strip(context, rows, marks, wave, places, others),
        Paragraph(w.t("level.cities.note", others=others), "note"),
    ]


def _place(context: Context, rows: pd.DataFrame, mark: tuple, wave: int) -> dict[str, object]:
    """How many cities lie below the region's value or target."""
    w, (kind, value, shown) = context.writer, mark
    below = int((rows["rate"] < value).sum())
    return {
        "region": context.name,
        "value": shown,
        "below": w.number(f"cities.below.{context.code}.{kind}.{wave}", below, "", 0),
        "count": w.number(f"cities.{wave}", len(rows), "", 0),
    }


def _marks(context: Context) -> list[tuple[str, float, Markup]]:
    """The region's last rate and its last target, where there are any."""
    own, goals = context.rates_of(context.code), context.targets_of(context.code)
    marks = []
    if len(own):
        marks.append(("rate", own["rate"].iloc[-1], context.fact(own["fact_id"].iloc[-1])))
    if len(goals):
        marks.append(("target", goals["value"].iloc[-1], context.fact(goals["fact_id"].iloc[-1])))
    return marks


def _strip(
    context: Context, rows: pd.DataFrame, marks: list, wave: int, places: list, others: str
) -> Figure:
    w = context.writer
    values = pd.DataFrame(
        {"name": [w.short(code) for code in rows["region_code"]], "value": rows["rate"]}
    )
    kinds = {"rate": "region", "target": "target"}
    lines = [(str(w.t(f"figure.{kind}")), value, kinds[kind]) for kind, value, _ in marks]
    for code in (context.parent, context.whole):
        row = context.rate(code, wave)
        if row is not None:
            role = "nation" if code == context.whole else "other"
            lines.append((w.short(code), row["rate"], role))
    frame = pd.DataFrame(lines, columns=["label", "value", "kind"])
    if marks:
        says = w.t(f"figure.cities.{marks[0][0]}", **places[0])
    else:
        count = w.number(f"cities.{wave}", len(rows), "", 0)
        says = w.t("figure.cities.none", count=count, region=context.name, others=others)
    return picture(
        context,
        "level.cities",
        charts.strip,
        values,
        frame,
        xlabel="axis.rate",
        says=says,
        values={"year": w.year(wave), "others": others},
    )


# Literacy: rates with intervals, trend and gains of the nation and the bands, peers.


def nation(page: Context) -> View:
    """Rate, interval and sample of the nation in each wave, with the gain since the last one."""
    w, gains, rows = page.writer, page.gains_of(page.whole).set_index("wave_to"), []
    for _, row in page.rates_of(page.whole).iterrows():
        if row["wave"] < page.first_year:
            continue
        wave = row["wave"]
        size = w.number(f"n.{wave}", row["n"], "", 0)
        size = w.t("level.assumed", n=size) if row["n_assumed"] else size
        change: tuple = (DASH,) * 3
        if wave in gains.index:
            gain = gains.loc[wave]
            key, ends = f"gain.{page.whole}.{gain['interval']}", (gain["low"], gain["high"])
            change = (w.estimate(key, gain["gain"], ends, digits=(2, 2)), *_annual(page, key, gain))
        rows.append((w.year(wave), page.rate_text(row), size, *change))
    columns = ("year", "rate", "sample", "gain", "annual", "break")
    body = table(page, w.t("view.nation.table"), columns, rows, (1, 2, 3, 4))
    first, last = gains.loc[gains["wave_from"].ge(page.first_year)].iloc[[0, -1]].itertuples()
    lead = w.t(
        "view.nation",
        first=w.year(first.wave_from),
        last=w.year(last.Index),
        start=page.rate_text(page.rate(page.whole, first.wave_from)),
        end=page.rate_text(page.rate(page.whole, last.Index)),
    )
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.nation.note"), "note"))


def _annual(page: Context, key: str, row: pd.Series) -> tuple[Markup, Markup]:
    """The yearly gain, and a flag where the instrument changed within its period."""
    w = page.writer
    flag = w.t("flag.break") if row["crosses_break"] else DASH
    return w.number(f"{key}.annual", row["annual"], "", 2, signed=True), flag


def trend(page: Context) -> View:
    """The nation with its intervals and the three bands over the waves."""
    w, study = page.writer, page.study
    whole = page.rates_of(page.whole).assign(name=w.short(page.whole), role="nation")
    bands = study.bands.assign(role="band", low=float("nan"), high=float("nan"))
    bands["name"] = bands["band"].map(lambda band: str(w.band(band)))
    series = pd.concat([whole, bands]).rename(columns={"wave": "year", "rate": "value"})
    series = series[series["year"] >= page.first_year]
    data = (series, None, page.breaks)
    return show(page, picture(page, "view.trend", charts.trend, *data, ylabel="axis.rate"))


def bands(page: Context) -> View:
    """Rates of the bands by wave and the distance between the first and the last of them."""
    w, frame, names = page.writer, page.study.bands, list(page.study.dataset.bands["band"])
    if frame.empty:
        return show(page, Paragraph(w.t("view.bands.missing")))
    frame = frame[frame["wave"] >= page.first_year]
    facts = frame.pivot(index="wave", columns="band", values="fact_id").dropna()
    rates = frame.pivot(index="wave", columns="band", values="rate").loc[facts.index]
    gaps = rates[names[0]] - rates[names[-1]]
    rows = [
        (
            w.year(wave),
            *(page.fact(facts.at[wave, band]) for band in names),
            w.number(f"gap.bands.{wave}", gaps[wave], "", 2),
        )
        for wave in facts.index
    ]
    outer = {"one": w.band(names[0]), "other": w.band(names[-1])}
    gap, year = w.t("column.band_gap", **outer), w.t("column.year")
    head = (year, *(escape(w.band(name)) for name in names), gap)
    numeric = frozenset(range(1, len(names) + 2))
    body = Table(w.t("view.bands.table"), head, tuple(rows), numeric)
    ends = {"first": gaps.index[0], "last": gaps.index[-1]}
    lead = w.t(
        "view.bands",
        **outer,
        **{key: w.year(wave) for key, wave in ends.items()},
        start=w.number(f"gap.bands.{ends['first']}", gaps.iloc[0], "percentage_point", 2),
        end=w.number(f"gap.bands.{ends['last']}", gaps.iloc[-1], "percentage_point", 2),
    )
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.bands.note"), "note"))


def _profile(page: Context) -> pd.DataFrame:
    return profile_of(page.study.provinces, page.study.dataset.conditions.index)


def _near(page: Context, code: str) -> pd.Series:
    """Peers of a region with their distances; none where the package declares no distance."""
    data = page.study.dataset
    most = stated(data, "peer_distance")
    bands = data.regions.set_index("code")["band"]
    return nearest(_profile(page), code, bands, -1.0 if most is None else most)


def _no_peers(page: Context, code: str) -> Paragraph:
    """That no region is near enough to be compared with, and how near that is."""
    w, most = page.writer, stated(page.study.dataset, "peer_distance")
    if most is None:
        return Paragraph(w.t("level.peers.undeclared"), "missing")
    limit = w.number("peer.most", most, "", 1)
    return Paragraph(w.t("level.peers.none", region=w.name(code), most=limit), "missing")


def _distance(page: Context, region: str, code: str, near: pd.Series) -> Markup:
    """How far a peer lies, and of which band it is."""
    if code == region:
        return DASH
    bands = page.study.dataset.regions.set_index("code")["band"]
    far = page.writer.number(f"peer.{region}.{code}", near[code], "", 2)
    other = bands[code] != bands[region]
    return page.writer.joined(far, page.writer.t("level.peers.other")) if other else far


def peers(page: Context, region: str) -> View:
    """The regions most like ``region`` by the package's covariates, with their latest rate."""
    w, profile = page.writer, _profile(page)
    region = existing(page, region, profile.index)
    near, rows = _near(page, region), []
    if near.empty:
        return show(page, _no_peers(page, region))
    for code in [region, *near.index]:
        known, covariates = page.rates_of(code), []
        for name, value in profile.loc[code].items():  # a logarithm to base 2 is taken back
            shown, digits = (2**value, 0) if name.startswith("log2_") else (value, 1)
            key = f"peer.{code}.{name.removeprefix('log2_')}"
            covariates.append(w.number(key, shown, "", digits))
        rows.append(
            (
                w.name(code),
                _distance(page, region, code, near),
                *covariates,
                page.rate_text(known.iloc[-1]),
                w.year(known["wave"].iloc[-1]),
            )
        )
    ends = [w.t(f"column.{name}") for name in ("region", "distance", "latest", "year")]
    head = (*ends[:2], *(escape(w.term(name)) for name in profile), *ends[2:])
    lead = Paragraph(w.t("view.peers", region=w.name(region)))
    numeric = frozenset(range(1, len(head) - 1))
    body = Table(w.t("view.peers.table"), head, tuple(rows), numeric)
    return show(page, lead, body, Paragraph(w.t("view.peers.note"), "note"))


# Statistics of science popularisation itself: the nation by year, one region's documents.

# National series and the divisor of their axis; the texts view.national.<series> name its unit.
SCALES = {
    "zh": {"funds_raised": 1e8, "personnel_total": 1e4, "venues_total": 1},
    "en": {"funds_raised": 1e9, "personnel_total": 1e6, "venues_total": 1},
}


def _row(page: Context, indicator: str, values: pd.DataFrame) -> tuple:
    """First and last value, growth between them and the years without a value."""
    w, first, last = page.writer, values.iloc[0], values.iloc[-1]
    years = last["year"] - first["year"]
    change = growth(values, page.whole, last["year"], span=years)
    key = f"national.{indicator}"
    return (
        w.indicator(indicator),
        w.year(first["year"]),
        page.fact(first["fact_id"]),
        w.year(last["year"]),
        page.fact(last["fact_id"]),
        w.number(key, change["rate"], "percent", 1, signed=True),
        w.number(f"{key}.gaps", years + 1 - len(values), "", 0),
    )


def _official_line(page: Context, indicator: str, values: pd.DataFrame) -> pd.DataFrame:
    """The series on its axis; years without a value interrupt the line."""
    data = page.study.dataset
    unit = data.indicators.set_index("indicator").at[indicator, "unit"]
    scale = (
        data.units.set_index("unit").at[unit, "factor"] / SCALES[page.writer.language][indicator]
    )
    years = range(values["year"].min(), values["year"].max() + 1)
    line = (values.set_index("year")["value"] * scale).reindex(years).rename_axis("year")
    name = str(page.writer.t(f"view.national.{indicator}"))
    return line.reset_index().assign(panel=name, series=indicator)


def national(page: Context) -> View:
    """Funds, staff and venues of science popularisation in the nation, as officially counted."""
    w, found = page.writer, {}
    for key in SCALES[w.language]:
        rows = by_year(page.study.dataset, key)
        rows = rows[rows["region_code"].eq(page.whole) & (rows["year"] >= page.first_year)]
        found |= {key: rows.astype({"year": int})} if len(rows) > 1 else {}
    if not found:
        return show(page, Paragraph(w.t("view.national.missing"), "missing"))
    rows = [_row(page, key, values) for key, values in found.items()]
    columns = ("indicator", "first_year", "first_value", "year", "value", "growth", "gaps")
    body = table(page, w.t("view.national.table"), columns, rows, (2, 4, 5, 6))
    lines = [_official_line(page, key, values) for key, values in found.items()]
    frame = pd.concat(lines, ignore_index=True)
    return show(page, picture(page, "view.national", charts.small_multiples, frame), body)


def documents(page: Context, region: str) -> View:
    """What a region's documents print in two definitions of one indicator, never joined."""
    w, data = page.writer, page.study.dataset
    region = existing(page, region)
    facts = data.facts[data.facts["region_code"] == region]
    facts = facts[facts["indicator"] != data.outcome]
    facts = facts[(facts["kind"] == "statistic") & (facts["series"] != facts["indicator"])]
    facts = facts[~facts["indicator"].map(data.indicators.set_index("indicator")["proxy"])]
    series = facts.groupby("indicator")["series"].nunique()
    rows = facts[facts["indicator"].map(series) > 1]
    if rows.empty:
        return show(page, Paragraph(w.t("view.documents.missing", region=w.name(region))))
    lead = w.t(
        "view.documents",
        region=w.name(region),
        indicators=w.number(f"documents.{region}", rows["indicator"].nunique(), "", 0),
        figures=w.number(f"documents.{region}.figures", len(rows), "", 0),
    )
    body = figure_table(page, rows, w.t("view.documents.table", region=w.name(region)))
    return show(page, Paragraph(lead), body)


# Who can be told apart: rank intervals, and how much hangs on the assumed sampling error.
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
    rows = fullest_wave(page, page.study.rates).reset_index()
    return show(page, rate_dots(page, "overview.ranking.alt", rows, int(rows["wave"].iloc[0])))


def ranks(page: Context) -> View:
    """The ranks each region may hold given its sampling error."""
    w, frame = page.writer, fullest_wave(page, page.study.rates)
    wave, width = frame["wave"].iloc[0], frame["rank_high"] - frame["rank_low"] + 1
    rows = []
    for place, (code, row) in enumerate(frame.iterrows(), start=1):
        ends = w.numbers(f"rank.{code}", low=row["rank_low"], high=row["rank_high"])
        cells = (w.number(f"rank.{code}", place, "", 0), w.t("view.ranks.span", **ends))
        full = row.to_dict() | {"region_code": code}
        rows.append((w.name(code), page.rate_text(pd.Series(full)), *cells))
    counts = w.numbers(
        "ranks",
        count=len(frame),
        median=width.median(),
        top=TOP,
        possible=(frame["rank_low"] <= TOP).sum(),
        certain=(frame["rank_high"] <= TOP).sum(),
    )
    lead = w.t("view.ranks", year=w.year(wave), **counts)
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
        **w.numbers("gains", told=(own["low"] > 0).sum(), breaks=own["crosses_break"].sum()),
        **w.numbers(
            "gains", 2, "percentage_point", error=own["se"].median(), gain=own["gain"].median()
        ),
    )
    figure = gains_figure(page) or [page.missing("overview.ranking.missing")]
    return show(page, Paragraph(lead), *figure)


def sensitivity(page: Context) -> View:
    """Intervals, ranks and gains under other design effects and sample sizes."""
    w, data, rows, above = page.writer, page.study.dataset, [], []
    for deff in DESIGN_EFFECTS:
        for factor in SAMPLE_FACTORS:
            rates = panel.rates(data, panel.Assumed(deff, factor))
            wave = fullest_wave(page, rates)
            own = panel.gains(rates, data.waves)
            own = own[own["region_code"].isin(page.codes)]
            key = f"assumed.{deff:g}.{factor:g}"
            half = ((wave["high"] - wave["low"]) / 2).median()
            width = (wave["rank_high"] - wave["rank_low"] + 1).median()
            above.append(int((own["low"] > 0).sum()))
            numbers = (deff, 1), (factor, 1), (half, 2), (width, 0), (above[-1], 0)
            rows.append(tuple(w.number(f"{key}.{i}", v, "", d) for i, (v, d) in enumerate(numbers)))
    columns = ("design_effect", "sample_factor", "half_width", "rank_width", "gains_told")
    body = table(page, w.t("view.sensitivity.table"), columns, rows, range(5))
    lead = w.t(
        "view.sensitivity",
        **w.numbers("sensitivity", fewest=min(above), most=max(above)),
        gains=w.number("gains", len(own), "", 0),
    )
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.sensitivity.note"), "note"))


# Blocks of the level section: gains, rank among the units, peers.


def _gains(context: Context) -> Parts:
    """Gains between surveys; beside them the others' and those that sources print."""
    w, own = context.writer, context.gains_of(context.code)
    if own.empty:
        missing = context.missing("level.gains.missing")
        return {"gains": [Heading(w.t("level.gains")), missing], "printed": _printed(context)}
    nation = context.rates_of(context.whole).set_index("wave")
    rows = []
    for _, gain in own.iterrows():
        key = f"gain.{context.code}.{gain['interval']}"
        reference = w.t("missing.value")
        if {gain["wave_from"], gain["wave_to"]} <= set(nation.index):
            change = nation.at[gain["wave_to"], "rate"] - nation.at[gain["wave_from"], "rate"]
            reference = w.number(
                f"gain.{context.whole}.{gain['interval']}", change, "", 2, signed=True
            )
        annual, flag = _annual(context, key, gain)
        rows.append(
            (
                w.span(gain["wave_from"], gain["wave_to"]),
                w.number(key, gain["gain"], "", 2, signed=True),
                w.interval(key, gain["low"], gain["high"], "", 1),
                annual,
                reference,
                flag,
            )
        )
    columns = ("interval", "gain", "gain_interval", "annual", "nation_gain", "break")
    return {
        "gains": [
            Heading(w.t("level.gains")),
            table(context, w.t("level.gains.table"), columns, rows, range(1, 5)),
            Paragraph(w.t("level.gains.note"), "note"),
        ],
        "others": _gain_ranking(context, own.iloc[-1]) if context.is_unit else [],
        "printed": _printed(context),
    }


def _gain_ranking(context: Context, own: pd.Series) -> list[Figure]:
    """Yearly gains of the units over the region's latest period, as intervals.

    Only gains over the very same period stand together: others cross other instruments.
    """
    w, gains = context.writer, context.study.gains
    rows = gains[(gains["interval"] == own["interval"]) & gains["region_code"].isin(context.units)]
    if len(rows) < 3:  # one or two intervals are read in the table
        return []
    rows = rows.assign(low=rows["low"] / rows["years"], high=rows["high"] / rows["years"])
    first, last = (context.rate(context.whole, own[end]) for end in ("wave_from", "wave_to"))
    years = {"first": w.year(own["wave_from"]), "last": w.year(own["wave_to"])}
    reference = says = None
    if first is not None and last is not None:
        reference = (last["rate"] - first["rate"]) / own["years"]
        # Whether a gain can be told from the nation's over the same period, by its 95% interval.
        gap = own["gain"] - (last["rate"] - first["rate"])
        variance = own["se"] ** 2 + first["variance"] + last["variance"]
        half = normal_quantile(LEVEL / 100) * variance**0.5
        apart = side(gap - half, gap + half)
        says = w.t(f"figure.gains.{apart}", region=context.name, **years)
    options = {"xlabel": "axis.gain", "says": says, "values": {"region": context.name, **years}}
    return [dots(context, "level.gains", rows, "annual", reference, **options)]


def _printed(context: Context) -> list:
    """Gains that sources print themselves, beside what they leave out."""
    w, facts = context.writer, context.facts
    rows = facts[facts["indicator"] == w.dataset.change].sort_values("period_end")
    cells = [
        (
            w.period(row["period_start"], row["period_end"]),
            w.fact(row),
            w.cite(row["source_id"]),
            flags(context, row),
        )
        for _, row in rows.iterrows()
    ]
    columns = ("interval", "gain", "source", "flags")
    return [table(context, w.t("level.printed"), columns, cells, (1,))] if cells else []


def position(context: Context, own: pd.DataFrame) -> Parts:
    """Rank interval among the units published in the same wave, and the nearest peers."""
    w, own = context.writer, own[own["variance"].notna()]
    if own.empty:
        return {}
    wave = own["wave"].iloc[-1]
    rates = context.study.rates
    rows = rates[(rates["wave"] == wave) & rates["region_code"].isin(context.units)]
    rows = rows[rows["variance"].notna()].reset_index(drop=True)
    ranking = _ranking(context, rows, wave) if len(rows) > 1 else []
    heading = Heading(w.t("level.position", year=w.year(wave)))
    blocks = {"rank": [heading, *ranking[:1]], "ranking": ranking[1:]}
    return blocks | {"peers": _peer_table(context, wave)}


def _ranking(context: Context, rows: pd.DataFrame, wave: int) -> list:
    w = context.writer
    place = np.flatnonzero(rows["region_code"] == context.code)
    own = rank_interval(rows["rate"].to_numpy(), rows["se"].to_numpy(), only=place).iloc[0]
    key = f"rank.{context.code}.{wave}"
    exact = ".exact" if own["rank_low"] == own["rank_high"] else ""
    if exact and own["rank_low"] == len(rows) > 1:
        exact = ".last"
    ends = w.numbers(key, low=own["rank_low"], high=own["rank_high"])
    count = w.number(f"rank.count.{wave}", len(rows), "", 0)
    sentence = w.t(
        f"level.rank{exact}",
        region=context.name,
        count=count,
        all=w.number("provinces", len(context.units), "", 0),
        year=w.year(wave),
        **ends,
    )
    says = w.t(f"figure.rank{exact}", region=context.name, count=count, **ends)
    return [Paragraph(sentence), rate_dots(context, "level.ranking.alt", rows, wave, says)]


def _peer_table(context: Context, wave: int) -> list:
    w = context.writer
    if context.study.dataset.covariates.empty or context.code not in _profile(context).index:
        return []
    near, rows = _near(context, context.code), []
    if near.empty:
        return [Heading(w.t("level.peers")), _no_peers(context, context.code)]
    for code in [context.code, *near.index]:
        known = context.rates_of(code)
        last = known.iloc[-1] if len(known) else None
        rows.append(
            (
                w.name(code),
                _distance(context, context.code, code, near),
                context.rate_text(context.rate(code, wave)),
                context.rate_text(last),
                w.t("missing.value") if last is None else w.year(last["wave"]),
            )
        )
    columns = ("region", "distance", "rate_in", "latest", "year")
    most = w.number("peer.most", stated(context.study.dataset, "peer_distance"), "", 1)
    conditions = context.listed(map(w.term, context.study.dataset.conditions.index))
    told = w.t("level.peers.note", conditions=conditions, most=most)
    return [
        Heading(w.t("level.peers")),
        Paragraph(told, "note"),
        table(context, w.t("level.peers.table"), columns, rows, (1, 2, 3), year=w.year(wave)),
    ]


# Section: literacy level, trend and gain, against nation, band and peers.


def section(context: Context) -> Section:
    w = context.writer
    own, trend = context.rates_of(context.code), trend_figure(context)
    if own.empty:
        blocks = [context.missing("level.missing"), trend]
    else:
        blocks = [trend, _rate_table(context, own), Paragraph(w.t("level.note"), "note")]
    parts: Parts = {"rates": blocks, **_gains(context)}
    parts |= position(context, own) if context.is_unit else {"cities": city_blocks(context)}
    parts["flagged"] = _flagged(context)
    return Section.of("level", w.t("level.title"), parts)


def _band(context: Context) -> pd.DataFrame:
    bands = context.study.bands
    return bands[bands["band"] == context.region["band"]]


def _lines(context: Context) -> pd.DataFrame:
    """The region, what lies above it, the nation and its band, from the first year shown."""
    w = context.writer
    roles = {context.code: "region", context.parent: "parent"} | {context.whole: "nation"}
    parts = [(w.short(code), context.rates_of(code), role) for code, role in roles.items()]
    parts.append((w.band(context.region["band"]), _band(context), "band"))
    # A rate without sampling error has no interval.
    columns = ["year", "value", "low", "high"]
    lines = [
        rows.rename(columns={"wave": "year", "rate": "value"})
        .reindex(columns=columns)
        .assign(name=name, role=role)
        for name, rows, role in parts
        if len(rows)
    ]
    series = pd.concat(lines, ignore_index=True)
    return series[series["year"] >= context.first_year]


def trend_figure(context: Context, key: str = "level.trend") -> Figure:
    """The region beside what lies above it, over the surveys, with its targets."""
    w, goals = context.writer, context.targets_of(context.code)
    goals = goals[goals["year"] >= context.first_year]
    marks = goals[["year", "value"]].astype({"year": int})
    return picture(
        context,
        key,
        charts.trend,
        _lines(context),
        marks.assign(label=str(w.t("figure.target"))),
        context.breaks,
        ylabel="axis.rate",
        says=_trend_sentence(context),
        alt="level.trend.alt",
        values={"region": context.name},
    )


def _trend_sentence(context: Context) -> Markup | None:
    """What the latest survey says of region and nation; none without a national rate."""
    w, own = context.writer, context.surveyed(context.code)
    if own.empty:
        return w.t("figure.level.missing", region=context.name)
    last = own.iloc[-1]
    nation = context.rate(context.whole, last["wave"])
    if nation is None or pd.isna(nation["variance"]):
        return None
    low, high, _ = context.difference(f"gap.{context.code}.{last['wave']}", last, nation)
    year = w.year(last["wave"])
    return w.t(f"figure.level.{side(low, high)}", region=context.name, year=year)


def _rate_table(context: Context, own: pd.DataFrame) -> Table:
    w = context.writer
    band = _band(context).set_index("wave")
    rows = []
    for _, row in own.iterrows():
        nation = context.rate(context.whole, row["wave"])
        gap = w.t("missing.value")
        if nation is not None and pd.notna(row["variance"]):
            key = f"gap.{context.code}.{row['wave']}"
            gap = context.difference(key, row, nation, "")[2]
        beside = [None if nation is None else nation["fact_id"]]
        beside += [band["fact_id"].get(row["wave"])] if context.region["band"] else []
        cells = [w.year(row["wave"]), context.rate_text(row)]
        cells += [context.fact(one) if one else w.t("missing.value") for one in beside]
        fact = context.fact_rows.loc[row["fact_id"]]
        size = w.number(f"n.{context.code}.{row['wave']}", row["n"], "", 0)
        size = w.t("level.assumed", n=size) if row["n_assumed"] and pd.notna(row["n"]) else size
        cells += [gap, size, w.cite(fact["source_id"])]
        rows.append(tuple(cells))
    names = ["year", "rate", "nation"] + (["band"] if context.region["band"] else [])
    names += ["gap", "sample", "source"]
    caption = w.t("level.table", region=context.name)
    return table(context, caption, names, rows, range(1, len(names) - 1))


def _flagged(context: Context) -> list:
    w = context.writer
    rows = surveyed_rates(context.study.dataset, flagged=True)
    cells = [
        (
            w.period(row["period_start"], row["period_end"]),
            w.fact(row),
            w.series(w.t(f"caveat.{flag}") for flag in row["caveats"].split(";")),
            w.cite(row["source_id"]),
        )
        for _, row in rows[rows["region_code"] == context.code].sort_values("period_end").iterrows()
    ]
    columns = ("year", "value", "why", "source")
    body = [table(context, w.t("level.flagged.table"), columns, cells, (1,))] if cells else []
    return titled(w.t("level.flagged"), body)
