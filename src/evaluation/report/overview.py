"""The overview: all regions of a set on one page, with what the data say of investment."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.progress import assess
from evaluation.report import overview_captions as captions
from evaluation.report.blocks import Figure, Heading, Paragraph, Section, Table
from evaluation.report.context import NATION, Context
from evaluation.report.effect import association, limits, overall
from evaluation.report.findings import labelled, locks, target
from evaluation.report.overview_targets import targets
from evaluation.report.strength import appendix

# Targets beyond this year are left to the regional reports.
NEAR = 2030


def findings(context: Context) -> Section:
    """Where the nation stands and its target, how much is published, what investment goes with."""
    w = context.writer
    nation = context.rates_of(NATION)
    nation = nation[nation["variance"].notna()]
    items: dict[str, Markup] = {}
    if len(nation):
        last = nation.iloc[-1]
        year = w.year(last["wave"])
        items["level"] = w.t("overview.nation", rate=context.rate_text(last), year=year)
    items["target"] = target(context)
    items["published"] = _published(context)
    items["effect"] = overall(context, "findings.effect")
    items["next"] = w.t("findings.next.inputs")
    warning = (Paragraph(w.t("report.simulated"), "simulated"),) if context.study.simulated else ()
    found = labelled(context, tuple(items), tuple(items.values()))
    return Section("findings", w.t("findings.title"), (*warning, found, *locks(context)))


def _published(context: Context) -> Markup:
    """How many regions published a usable value in each survey, in one sentence."""
    w = context.writer
    parts = [
        w.t("overview.wave", year=w.year(wave), count=count)
        for wave, count in captions.counted(context).items()
    ]
    total = w.number("overview.regions", len(context.codes), "", 0)
    listed = Markup("，" if w.language == "zh" else ", ").join(parts)
    return w.t("overview.published", total=total, counts=listed)


def regions(context: Context) -> Section:
    """Latest rate, latest gain and last target of each region, and of the units below."""
    w = context.writer
    below = context.below
    blocks: list = [_coverage(context), _table(context, context.codes, w.t("overview.table"))]
    if below:
        blocks += [
            Heading(w.t("overview.below")),
            _table(context, below, w.t("overview.below.table")),
        ]
    blocks.append(Paragraph(w.t("overview.table.note"), "note"))
    return Section("regions", w.t("overview.regions"), tuple(blocks))


def _coverage(context: Context) -> Figure:
    w, study = context.writer, context.study
    facts = study.dataset.facts
    surveys = facts[(facts["indicator"] == "science_literacy_rate") & (facts["kind"] == "survey")]
    seen = set(zip(surveys["region_code"], surveys["year"].fillna(0).astype(int), strict=True))
    used = set(zip(study.rates["region_code"], study.rates["wave"], strict=True))
    waves = [wave for wave in study.dataset.waves["wave"] if wave >= context.first_year]
    states = {state: str(w.t(f"coverage.{state}")) for state in ("published", "flagged", "missing")}
    rows = [
        (w.short(code), wave, _state((code, wave), used, seen))
        for code in context.codes
        for wave in waves
    ]
    frame = pd.DataFrame(rows, columns=["region", "year", "state"])
    figure = style.drawn(plots.coverage, frame, states=states)
    caption = captions.coverage(context, w.t("overview.coverage.caption"))
    return Figure(figure, caption, str(w.t("overview.coverage.alt")))


def _state(key: tuple[str, int], used: set, seen: set) -> str:
    return "published" if key in used else "flagged" if key in seen else "missing"


def _table(context: Context, codes: list[str], caption: Markup) -> Table:
    w = context.writer
    names = ("region", "latest", "gain", "target", "status")
    rows = tuple(_row(context, code) for code in codes)
    columns = tuple(w.t(f"column.{name}") for name in names)
    return Table(caption, columns, rows, frozenset({1, 2, 3}))


def _row(context: Context, code: str) -> tuple[Markup, ...]:
    w = context.writer
    link = Markup('<a href="{}_{}.html">{}</a>').format(quote(code), w.language, w.name(code))
    return (link, _latest(context, code), _gain(context, code), *_goal(context, code))


def _dated(value: Markup, when: Markup) -> Markup:
    return Markup('{}<br><span class="when">{}</span>').format(value, when)


def _latest(context: Context, code: str) -> Markup:
    w, own = context.writer, context.rates_of(code)
    own = own[own["variance"].notna()]
    if own.empty:
        return w.t("missing.value")
    last = own.iloc[-1]
    source = context.fact_rows.at[last["fact_id"], "source_id"].split(";")[0]
    when = w.joined(w.year(last["wave"]), w.cite(source))
    return _dated(context.rate_text(last), when)


def _gain(context: Context, code: str) -> Markup:
    w, gains = context.writer, context.study.gains
    rows = gains[gains["region_code"] == code]
    if rows.empty:
        return w.t("missing.value")
    last = rows.iloc[-1]
    key = f"gain.{code}.{last['interval']}"
    number = w.number(key, last["gain"], "", 2, signed=True)
    interval = w.interval(key, last["low"], last["high"], "", 1)
    return _dated(w.joined(number, interval), w.span(last["wave_from"], last["wave_to"]))


def _goal(context: Context, code: str) -> tuple[Markup, Markup]:
    """The region's last target within sight, and what can be said of it."""
    w, goals = context.writer, context.study.targets
    goals = goals[goals["region_code"] == code]
    near = goals[goals["year"] <= NEAR]
    goals = near if len(near) else goals
    if goals.empty:
        return w.t("missing.target"), Markup("—")
    goal = goals.iloc[-1]
    status = assess(goal, context.rates_of(code), context.today).status
    when = w.joined(w.year(goal["year"]), w.cite(goal["source_id"].split(";")[0]))
    shown = _dated(context.fact(goal["fact_id"]), when)
    return shown, w.t(f"status.{status}")


def ranking(context: Context) -> Section:
    """Rates of the wave with most regions published, and the latest gains, as intervals."""
    w, study = context.writer, context.study
    rates = study.rates[study.rates["region_code"].isin(context.codes)]
    rates = rates[rates["variance"].notna()]
    blocks = []
    # The latest wave for which at least half of the regions are published.
    counts = rates["wave"].value_counts()
    full = counts.index[counts >= len(context.codes) / 2]
    if len(full):
        wave = int(max(full))
        rows = rates[rates["wave"] == wave]
        caption = w.t("level.ranking.caption", year=w.year(wave))
        caption = captions.ranking(context, rows, wave, caption)
        alt = str(w.t("overview.ranking.alt", year=wave))
        nation = context.rate(NATION, wave)
        reference = None if nation is None else (nation["rate"], w.short(NATION))
        blocks.append(_dots(context, rows, "rate", "axis.rate", caption, alt, reference))
    gains = study.gains[study.gains["region_code"].isin(context.codes)]
    gains = gains.sort_values("wave_to").groupby("region_code").tail(1)
    if len(gains):
        gains = gains.assign(low=gains["low"] / gains["years"], high=gains["high"] / gains["years"])
        caption = captions.gains(context, gains, w.t("overview.gains.caption"))
        alt = str(w.t("overview.gains.alt"))
        blocks.append(_dots(context, gains, "annual", "axis.gain", caption, alt, None))
    if not blocks:
        blocks = [context.missing("overview.ranking.missing")]
    return Section("ranking", w.t("overview.ranking"), tuple(blocks))


def _dots(context, rows, column, axis, caption, alt, reference) -> Figure:
    w = context.writer
    frame = pd.DataFrame(
        {
            "name": [w.short(code) for code in rows["region_code"]],
            "value": rows[column].to_numpy(),
            "low": rows["low"].to_numpy(),
            "high": rows["high"].to_numpy(),
            "highlight": False,
        }
    )
    figure = style.drawn(plots.ranking, frame, xlabel=str(w.t(axis)), reference=reference)
    return Figure(figure, caption, alt)


def effect(context: Context) -> Section:
    """The association over all regions, and the limits of what it says."""
    blocks = (*association(context), *limits(context), *appendix(context))
    return Section("effect", context.writer.t("effect.title"), blocks)


OVERVIEW: dict[str, Callable[[Context], Section]] = {
    "findings": findings,
    "regions": regions,
    "ranking": ranking,
    "targets": targets,
    "effect": effect,
}
