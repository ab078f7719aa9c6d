"""Inputs per head, norms and the published figures of a region."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from markupsafe import Markup

from evaluation.data.package import grade_of
from evaluation.figures import charts
from evaluation.report.blocks import Block, Figure, Heading, Paragraph, Section, Table
from evaluation.report.page import (
    DASH,
    Context,
    Parts,
    View,
    existing,
    figure_table,
    picture,
    plain,
    show,
    table,
    titled,
)
from evaluation.survey.panel import per_capita
from evaluation.survey.standing import growth, latest_common_year, percentile

# Can the inputs be told apart from each other, from income and from education?


def within(page: Context) -> pd.DataFrame:
    """Doses and controls of the gain panel, interval means taken out, complete rows only."""
    panel = page.study.provinces
    data = page.study.dataset
    held = [name for name in data.controls["gain"] if name != "opening"]
    columns = [*("log2_" + data.doses["dose"]), *held]
    frame = panel.dropna(subset=columns)
    return frame[columns] - frame.groupby("interval")[columns].transform("mean")


def _names(page: Context, columns: pd.Index) -> list[str]:
    return [page.writer.term(column) for column in columns]


def heat_map(page: Context) -> View:
    """Correlations of the inputs with each other and with the controls."""
    w, frame = page.writer, within(page)
    names = [re.sub(r" ?([(（])", r"\n\1", name) for name in _names(page, frame.columns)]
    values = {"rows": w.number("collinear.rows", len(frame), "", 0)}
    drawn = (charts.correlations, frame.corr(), names)
    return show(page, picture(page, "view.heat", *drawn, values=values))


def factors(page: Context) -> View:
    """Variance inflation factors, the condition number and what they mean."""
    w, frame = page.writer, within(page)
    vif = pd.Series(np.diag(np.linalg.inv(frame.corr())), index=frame.columns)
    rows = [
        (
            name,
            w.number(f"vif.{column}", vif[column], "", 1),
            w.number(f"vif.{column}.error", np.sqrt(vif[column]), "", 1),
        )
        for name, column in zip(_names(page, frame.columns), frame.columns, strict=True)
    ]
    held = page.study.dataset.controls["gain"]
    doses = [column for column in frame if column not in held]
    worst = vif[doses].idxmax()
    condition = float(np.linalg.cond(frame / np.linalg.norm(frame, axis=0)))
    lead = w.t(
        "view.factors",
        worst=w.term(worst),
        vif=w.number(f"vif.{worst}", vif[worst], "", 1),
        error=w.number(f"vif.{worst}.error", np.sqrt(vif[worst]), "", 1),
        condition=w.number("condition", condition, "", 1),
    )
    columns = ("dose", "vif", "error_factor")
    body = table(page, w.t("view.factors.table"), columns, rows, (1, 2))
    return show(page, Paragraph(lead), body)


# Blocks: norms the region is held to, and what is known against them.

# Indicators that count science museums at county level and above, by order of preference.
MUSEUMS = ("science_museums_banner_level_and_above", "science_museums_association")
# Museums of county-level units alone, and the units that documents hold to have one each.
OPEN, COUNTIES = "free_entry_museum_count_county_level", "county_level_units_outside_districts"
STAFFING, UNITS, POPULOUS = (
    "county_kepu_staff_norm", "county_level_units", "county_level_units_populous",
)  # fmt: skip


def _latest(context: Context, indicators: tuple[str, ...]):
    for indicator in indicators:
        rows = context.facts[context.facts["indicator"] == indicator]
        if len(rows):
            return rows.sort_values("period_end").iloc[-1]
    return None


def _coverage(context: Context) -> Paragraph:
    w = context.writer
    counties, museums = _latest(context, (COUNTIES,)), _latest(context, MUSEUMS)
    if counties is None or not counties["value"]:
        return context.missing("norms.coverage.missing")
    if museums is None:
        units, source = w.fact(counties, unit=False), w.cite(counties["source_id"])
        return context.missing("norms.coverage.museums", counties=units, source=source)
    text = w.t(
        "norms.coverage",
        region=context.name,
        museums=w.fact(museums, unit=False),
        counties=w.fact(counties, unit=False),
        period=w.period(museums["period_start"], museums["period_end"]),
        source=w.cite(f"{museums['source_id']};{counties['source_id']}"),
    )
    opened = _latest(context, (OPEN,))
    if opened is None:
        return Paragraph(text)
    ratio = opened["value"] / counties["value"]
    more = w.t(
        "norms.coverage.open",
        opened=w.fact(opened, unit=False),
        period=w.period(opened["period_start"], opened["period_end"]),
        ratio=w.number(f"coverage.{context.code}", ratio, "", 2),
        source=w.cite(opened["source_id"]),
    )
    return Paragraph(w.joined(text, more))


def _staffing(context: Context) -> list[Paragraph]:
    """Staffing norms are set by the region or by the one above it."""
    w, facts = context.writer, context.study.dataset.facts
    norms = facts[
        (facts["kind"] == "norm")
        & facts["indicator"].str.startswith(STAFFING)
        & facts["region_code"].isin([context.code, context.parent])
    ].set_index("indicator")
    if norms.empty:
        return []
    small, large = (
        norms.loc[STAFFING],
        norms.loc[f"{STAFFING}_large_population"],
    )
    threshold = norms.loc[f"{STAFFING}_population_threshold"]
    sentence = w.t(
        "norms.staff",
        small=w.fact(small),
        large=w.fact(large),
        threshold=w.fact(threshold, unit=False),
        source=w.cite(small["source_id"]),
    )
    gap = w.t("norms.staff.unknown", region=context.name)
    return [Paragraph(w.joined(sentence, *_required_staff(context, small, large, threshold), gap))]


def _required_staff(context: Context, small, large, threshold) -> list[Markup]:
    """What the norm comes to in the region, where it is known how many units are populous."""
    w, units, populous = context.writer, _latest(context, (UNITS,)), _latest(context, (POPULOUS,))
    if units is None or populous is None:
        return []
    rest = units["value"] - populous["value"]
    total = populous["value"] * large["value"] + rest * small["value"]
    return [
        w.t(
            "norms.staff.required",
            region=context.name,
            units=w.fact(units, unit=False),
            populous=w.fact(populous, unit=False),
            threshold=w.fact(threshold, unit=False),
            total=w.number(f"norm.staff.{context.code}", total, "person", 0),
            source=w.cite(populous["source_id"]),
        )
    ]


# Blocks of the input section: inputs per head, against all units, the band and the past.


@dataclass(frozen=True)
class Standing:
    """A region's dose in its latest comparable year, against all units and its band."""

    dose: pd.Series
    year: int
    value: float
    percentile: float
    band_median: float
    band_percentile: float
    change: dict | None


@lru_cache(maxsize=1)  # the section and the summary of one report
def standings(context: Context) -> list[Standing]:
    """Each dose of the region where at least nine in ten units have the same year."""
    regions, found = context.study.dataset.regions.set_index("code"), []
    for _, dose in context.study.dataset.doses.iterrows():
        values = per_capita(context.study.dataset, dose)
        values = values[values["region_code"].isin(context.units)]
        year = latest_common_year(values, context.code)
        if year is None:
            continue
        column = values[values["year"] == year].set_index("region_code")["value"]
        same = column[regions.loc[column.index, "band"] == context.region["band"]]
        found.append(
            Standing(
                dose,
                year,
                float(column[context.code]),
                percentile(column, context.code),
                float(same.median()),
                float(100 * (column < same.median()).mean()),
                growth(values, context.code, year),
            )
        )
    return found


def _proxies(context: Context) -> Parts:
    """Where the region stands, with its figures, and how it came there; or what is missing."""
    w, found = context.writer, standings(context) if context.is_unit else []
    if not found:
        return {"proxies": [context.missing("inputs.proxies.missing")]}
    return {
        "proxies.title": [Heading(w.t("inputs.proxies"))],
        "profile": [_profile(context, found)],
        "proxies": [
            _table(context, found),
            Paragraph(w.t("inputs.proxies.note", region=context.name), "note"),
        ],
        "history": [_history(context, found)],
    }


def _digits(value: float) -> int:
    return 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2


def _profile(context: Context, found: list[Standing]) -> Figure:
    w = context.writer
    frame = pd.DataFrame(
        {
            "label": [str(w.dose(item.dose["dose"])) for item in found],
            "percentile": [item.percentile for item in found],
            "value_text": [
                plain(item.value, w.language, _digits(item.value)) + w.unit(item.dose["unit"])
                for item in found
            ],
            "band_percentile": [item.band_percentile for item in found],
        }
    )
    band = w.band(context.region["band"])
    names = {"region": str(w.t("figure.region")), "band": str(w.t("figure.band", band=band))}
    values = {"region": context.name, "band": band}
    signs = {str(item.dose["dose"]): item.value - item.band_median for item in found}
    key, sides = _sides(context, signs)
    says = w.t(f"figure.profile.{key}", **values, **sides) if key else None
    options = {"says": says, "values": values, "names": names, "xlabel": "axis.percentile"}
    return picture(context, "inputs.profile", charts.profile, frame, **options)


def _sides(context: Context, signs: dict[str, float]) -> tuple[str, dict[str, str]]:
    """Which inputs are above zero, which below: the key of the sentence and its names."""
    w = context.writer
    more, less = (
        context.listed(
            w.dose(dose, short=True) for dose, value in signs.items() if sign * value > 0
        )
        for sign in (1, -1)
    )
    key = "both" if more and less else "above" if more else "below" if less else ""
    return key, {"more": more, "less": less}


def _table(context: Context, found: list[Standing]) -> Table:
    w = context.writer
    rows = []
    for item in found:
        name, digits = f"{item.dose['dose']}.{item.year}", _digits(item.value)
        key, median = f"dose.{context.code}.{name}", f"dose.{context.region['band']}.{name}"
        change = w.t("missing.series")
        if item.change:
            change = w.t(
                "inputs.growth",
                value=w.number(f"{key}.growth", item.change["rate"], "percent", 1, signed=True),
                start=w.year(item.change["from"]),
                end=w.year(item.change["to"]),
            )
        rows.append(
            (
                w.column(item.dose, "label"),
                w.year(item.year),
                w.number(key, item.value, item.dose["unit"], digits),
                w.number(f"{key}.percentile", item.percentile, "", 0),
                w.number(median, item.band_median, "", digits),
                change,
            )
        )
    columns = ("dose", "year", "value", "percentile", "band_median", "growth")
    values = {"band": w.band(context.region["band"])}
    return table(context, w.t("inputs.proxies.table"), columns, rows, (2, 3, 4), **values)


def _history(context: Context, found: list[Standing]) -> Figure:
    w, parts = context.writer, []
    for _, dose in context.study.dataset.doses.iterrows():
        values = per_capita(context.study.dataset, dose)
        own = values[
            (values["region_code"] == context.code) & (values["year"] >= context.first_year)
        ]
        panel = str(w.dose(dose["dose"]))
        parts.append(own.assign(panel=panel)[["panel", "year", "value", "series"]])
    frame = pd.concat(parts, ignore_index=True)
    frame["year"] = frame["year"].astype(int)
    signs = {str(item.dose["dose"]): item.change["rate"] for item in found if item.change}
    values = {"region": context.name}
    key, sides = _sides(context, signs)
    says = w.t(f"figure.history.{key}", **values, **sides) if key else None
    options = {"says": says, "values": values}
    return picture(context, "inputs.history", charts.small_multiples, frame, columns=2, **options)


# Scopes of indicators that stand among inputs; an empty one is not declared.
KEPU = ("", "kepu")
BUDGET = "fiscal_expenditure_kepu"  # class of the government budget for science popularisation

# Section: inputs by domain — per head, the region's own published figures, norms.
DOMAINS = (
    "facility", "personnel", "volunteer", "activity", "fund", "digital", "reach", "training",
)  # fmt: skip


def section(context: Context) -> Section:
    w = context.writer
    parts: Parts = {"intro": [_intro(context, "inputs.intro")], **_proxies(context)}
    parts["glance"] = glance(context, GLANCE)
    parts |= _published(context)
    # Nothing on a norm where neither the region nor the one above it has a figure of it: it may not
    # be held to that norm, and its own plan may know another.
    facts = context.study.dataset.facts
    near = facts.loc[facts["region_code"].isin([context.code, context.parent]), "indicator"]
    covered = [_coverage(context)] if near.isin((OPEN, COUNTIES)).any() else []
    parts["norms"] = titled(context.writer.t("norms.title"), [*covered, *_staffing(context)])
    return Section.of("inputs", w.t("inputs.title"), parts)


def _intro(context: Context, proxies: str) -> Paragraph:
    """What is compared: the text ``proxies`` only where every input is one."""
    every = context.study.dataset.doses_are == "proxy"
    return Paragraph(context.writer.t(proxies if every else "inputs.intro.given"))


def _published(context: Context) -> Parts:
    """Every published figure of the region that is not a proxy, by domain."""
    w = context.writer
    indicators = context.study.dataset.indicators.set_index("indicator")
    facts = context.facts
    facts = facts[(facts["kind"] == "statistic") & (facts["group"] == "")]
    facts = facts[~facts["indicator"].map(indicators["proxy"]).astype(bool)]
    facts = facts[facts["indicator"].map(indicators["scope"]).isin(KEPU)]
    domain = facts["indicator"].map(indicators["domain"])
    blocks, empty = [], []
    for key in DOMAINS:
        rows = facts[domain == key]
        if rows.empty:
            empty.append(str(w.t(f"domain.{key}")))
        else:
            blocks.append(figure_table(context, rows, w.t(f"domain.{key}")))
    lacking = {"domains": w.series(empty)}
    return {
        "published.title": [Heading(w.t("inputs.published", region=context.name))],
        "published": blocks,
        "missing": [context.missing("inputs.missing", **lacking)] if empty else [],
        "budget": [*_budget(context), Paragraph(w.t("inputs.published.note"), "note")],
    }


def _budget(context: Context) -> list[Paragraph]:
    """Why budgets for science popularisation are shown and not compared, where any is known."""
    compared = set(context.study.dataset.doses["indicator"])
    if BUDGET in compared or not context.facts["indicator"].eq(BUDGET).any():
        return []
    return [Paragraph(context.writer.t("inputs.budget"), "note")]


# The inputs at a glance: what is told first of each domain, in the brief and in the report.
DOMAINS_TOLD = (
    "fund", "facility", "personnel", "activity", "volunteer", "digital", "reach", "training",
)  # fmt: skip
GLANCE = 12  # rows in the report
OLD = 10  # years after which a figure is told only where no newer one is known
# Published inputs in the order in which they are told.
TOLD_FIRST = (
    "science_museums_banner_level_and_above", "science_museums_built_or_rebuilt",
    "mobile_science_museum_sets", "science_caravans",
    "kepu_expert_team_members", "city_kepu_education_bases", "regional_kepu_education_bases",
    "kepu_activities", "museum_and_mobile_activities", "museum_and_mobile_visits",
    "personnel_full_time", "venues_total", "provincial_education_base_count",
    "national_education_base_count", "national_kepu_education_bases",
    "regional_kepu_bases_named_2023_2025",
)  # fmt: skip


def glance(context: Context, most: int) -> list[Block]:
    """The latest unflagged figures of inputs: one a domain, then a second, up to ``most`` rows."""
    w = context.writer
    rows = first_told(context)[:most]
    if not rows:
        return [Paragraph(w.t("chain.inputs.none", region=context.name), "missing")]
    order = [DOMAINS_TOLD.index(row["domain"]) for row in rows]
    ordered = [row for _, row in sorted(zip(order, rows, strict=True), key=lambda pair: pair[0])]
    cells = [
        (
            w.recorded("indicators", row["indicator"], w.indicator(row["indicator"])),
            context.fact(row["fact_id"]),
            w.period(row["period_start"], row["period_end"]),
            w.cite(row["source_id"]),
        )
        for row in ordered
    ]
    columns = ("indicator", "value", "period", "source")
    return [table(context, w.t("brief.inputs.table", region=context.name), columns, cells)]


@lru_cache(maxsize=1)  # asked for by three sections of one report
def first_told(context: Context) -> list[pd.Series]:
    """Figures of inputs, the first of each domain, then the second of each, and so on."""
    data, facts = context.study.dataset, context.facts
    kinds = data.indicators.set_index("indicator")
    facts = facts[(facts["kind"] == "statistic") & (facts["caveats"] == "")]
    facts = facts[(facts["group"] == "") & ~facts["indicator"].map(kinds["proxy"]).astype(bool)]
    facts = facts.assign(
        domain=facts["indicator"].map(kinds["domain"]),
        scope=facts["indicator"].map(kinds["scope"]),
        grade=grade_of(facts, data.sources),
        rank=facts["indicator"].map({name: n for n, name in enumerate(TOLD_FIRST)}),
    )
    facts = facts[facts["domain"].isin(DOMAINS_TOLD) & facts["scope"].isin(KEPU)]
    facts = facts[facts["unit"] != "rank"].fillna({"rank": len(TOLD_FIRST)})
    facts = facts.sort_values("period_end", ascending=False, kind="stable")
    facts = facts.drop_duplicates("indicator")
    facts["old"] = facts["period_end"].str[:4].lt(str(context.today - OLD))
    facts = facts.sort_values(
        ["rank", "old", "grade", "period_end"], ascending=[True, True, True, False], kind="stable"
    )
    facts["turn"] = facts.groupby("domain").cumcount()
    place = facts["domain"].map(DOMAINS_TOLD.index)
    return [row for _, row in facts.assign(place=place).sort_values(["turn", "place"]).iterrows()]


# The inputs the comparison rests on: what they are not, how they moved, how they differ.
PUBLISHED = 0.9  # share of the regions a year needs before a median of it is drawn


def _values(page: Context, dose: pd.Series) -> pd.DataFrame:
    values = per_capita(page.study.dataset, dose)
    values = values[values["region_code"].isin(page.codes) & (values["year"] >= page.first_year)]
    return values.assign(year=values["year"].astype(int))


def proxies(page: Context) -> View:
    """What each dose counts, what it is not, and for how many regions and years it exists."""
    w, data = page.writer, page.study.dataset
    kinds, rows = data.indicators.set_index("indicator"), []
    for _, dose in data.doses.iterrows():
        values = _values(page, dose)
        key = f"measure.{dose['dose']}"
        rows.append(
            (
                w.t(f"domain.{dose['domain']}"),
                w.dose(dose["dose"]),
                w.column(kinds.loc[dose["indicator"]], "definition"),
                w.t(f"timing.{dose['timing']}"),
                w.number(f"{key}.regions", values["region_code"].nunique(), "", 0),
                w.period(str(values["year"].min()), str(values["year"].max())),
            )
        )
    columns = ("domain", "dose", "not", "timing", "regions", "period")
    body = table(page, w.t("view.proxies.table"), columns, rows, (4,))
    return show(page, _intro(page, "view.proxies"), body)


def history(page: Context) -> View:
    """Median of each input in the bands over the years; of all regions where there are none."""
    w, parts, counts = page.writer, [], []
    bands = list(page.study.dataset.bands["band"]) or [""]
    band = page.study.dataset.regions.set_index("code")["band"]
    for _, dose in page.study.dataset.doses.iterrows():
        # Regions counted by one definition throughout: two definitions are never one line.
        values = _values(page, dose)
        values = values[values.groupby("region_code")["series"].transform("nunique") == 1]
        share = values.groupby("year")["region_code"].nunique() / values["region_code"].nunique()
        rows = values[values["year"].map(share) >= PUBLISHED]
        rows = rows.assign(series=rows["region_code"].map(band))
        medians = rows.groupby(["series", "year"])["value"].median().unstack()
        years = range(rows["year"].min(), rows["year"].max() + 1)
        medians = medians.reindex(index=pd.Index(bands, name="series"), columns=years)
        name, count = w.dose(dose["dose"]), values["region_code"].nunique()
        counts.append(w.number(f"steady.{dose['dose']}", count, "", 0))
        line = medians.rename_axis(columns="year").stack(future_stack=True).rename("value")
        parts.append(line.reset_index().assign(panel=str(name)))
    frame = pd.concat(parts, ignore_index=True)
    frame["label"] = frame["series"].map({key: w.band(key) for key in bands})
    options = {"columns": 2, "values": {"regions": w.series(counts)}}
    return show(page, picture(page, "view.history", charts.small_multiples, frame, **options))


def spread(page: Context, region: str) -> View:
    """Lowest, middle and highest region on each input, and where ``region`` stands."""
    w, rows = page.writer, []
    region = existing(page, region)
    for _, dose in page.study.dataset.doses.iterrows():
        values = _values(page, dose)
        year = latest_common_year(values, region, PUBLISHED)
        if year is None:
            rows.append((w.dose(dose["dose"]), *[DASH] * 7))
            continue
        column = values[values["year"] == year].set_index("region_code")["value"]
        key = f"dose.{dose['dose']}.{year}"
        found = {"low": column.min(), "median": column.median(), "high": column.max()}
        found["own"] = column[region]
        cells = [w.number(f"{key}.{k}", v, "", _digits(column.median())) for k, v in found.items()]
        cells.append(w.number(f"{key}.rank", percentile(column, region), "", 0))
        cells.append(w.number(f"{key}.ratio", found["high"] / found["low"], "", 0))
        rows.append((w.dose(dose["dose"]), w.year(year), *cells))
    columns = ("dose", "year", "lowest", "median", "highest", "own", "percentile", "ratio")
    body = table(page, w.t("view.spread.table", region=w.name(region)), columns, rows, range(2, 8))
    return show(page, body, Paragraph(w.t("view.spread.note", region=w.name(region)), "note"))
