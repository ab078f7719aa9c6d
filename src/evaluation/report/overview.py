"""The overview of all regions, and the summary of a region for the front page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from evaluation.base.results import MOST_LOCKS
from evaluation.base.text import LANGUAGES, t
from evaluation.evidence.grade import permitted
from evaluation.evidence.headline import Headline
from evaluation.figures import charts
from evaluation.report import designs
from evaluation.report.blocks import Figure, Paragraph, Section, Table
from evaluation.report.chain import labelled, lacking, target
from evaluation.report.designs import findings_locks
from evaluation.report.effect import appendix, association, expected_gains, limits
from evaluation.report.inputs import standings
from evaluation.report.page import (
    DASH,
    Context,
    dots,
    ends,
    picture,
    rate_dots,
    side,
    table,
    titled,
)
from evaluation.report.targets import assessments, targets
from evaluation.survey.standing import assess

NEAR = 2030  # targets beyond this year are left to the regional reports


def findings(context: Context) -> Section:
    """Where the nation stands and its target, how much is published, what investment goes with."""
    w, nation = context.writer, context.surveyed(context.whole)
    items: dict[str, Markup] = {}
    if len(nation):
        last = nation.iloc[-1]
        rate, year = context.rate_text(last), w.year(last["wave"])
        items["level"] = w.t("overview.nation", rate=rate, year=year)
    items["target"] = target(context)
    items["published"] = _published(context)
    items[designs.asked(context)] = designs.finding(context)
    items["next"] = lacking(context)
    warning = (Paragraph(w.t("report.simulated"), "simulated"),) if context.study.simulated else ()
    found = labelled(context, tuple(items), tuple(items.values()))
    return Section("findings", w.t("findings.title"), (*warning, found, *findings_locks(context)))


def _published(context: Context) -> Markup:
    """How many regions published a usable value in each survey, in one sentence."""
    w = context.writer
    parts = [
        w.t("overview.wave", year=w.year(wave), count=count)
        for wave, (_, count) in _published_counts(context).items()
    ]
    total = w.number("overview.regions", len(context.codes), "", 0)
    return w.t("overview.published", total=total, counts=w.series(parts, "，"))


def _published_counts(context: Context) -> dict[int, tuple[int, Markup]]:
    """How many regions published a usable value, and the same in writing, by survey."""
    waves, number = context.study.rates, context.writer.number
    counts = waves.loc[waves["region_code"].isin(context.codes), "wave"].value_counts()
    return {
        int(wave): (int(n), number(f"overview.published.{wave}", int(n), "", 0))
        for wave, n in counts.sort_index().items()
        if wave >= context.first_year
    }


def regions(context: Context) -> Section:
    """Latest rate, latest gain and last target of each region, and of the units below."""
    w, below = context.writer, context.below
    blocks = [coverage_figure(context), _table(context, context.codes, w.t("overview.table"))]
    more = [_table(context, below, w.t("overview.below.table"))] if below else []
    blocks += [*titled(w.t("overview.below"), more), Paragraph(w.t("overview.table.note"), "note")]
    return Section("regions", w.t("overview.regions"), tuple(blocks))


def coverage_of(context: Context) -> Callable[[str, int], str]:
    """Whether a region's rate of a wave is ``published``, ``flagged`` or ``missing``."""
    study = context.study
    surveys = study.dataset.facts[study.dataset.surveyed].dropna(subset="year")
    seen = set(zip(surveys["region_code"], surveys["year"].astype(int), strict=True))
    used = set(zip(study.rates["region_code"], study.rates["wave"], strict=True))

    def state(code: str, wave: int) -> str:
        at = (code, wave)
        return "published" if at in used else "flagged" if at in seen else "missing"

    return state


def coverage_figure(context: Context) -> Figure:
    """Which region's rate was published in which survey; in the caption the fullest, the latest."""
    w, state, counts = context.writer, coverage_of(context), _published_counts(context)
    waves = context.study.dataset.waves["wave"]
    rows = [
        (w.short(code), wave, state(code, wave))
        for code in context.codes
        for wave in waves[waves >= context.first_year]
    ]
    frame = pd.DataFrame(rows, columns=["region", "year", "state"])
    names = {kind: str(w.t(f"coverage.{kind}")) for kind in ("published", "flagged", "missing")}
    says = None
    if counts:
        most, last = max(counts, key=lambda wave: (counts[wave][0], wave)), max(counts)
        said = {"most_count": counts[most][1], "last_count": counts[last][1]}
        says = w.t("figure.coverage", most=w.year(most), last=w.year(last), **said)
    options = {"states": names, "says": says}
    return picture(context, "overview.coverage", charts.coverage, frame, **options)


def _table(context: Context, codes: list[str], caption: Markup) -> Table:
    w, link = context.writer, Markup('<a href="{}_{}.html">{}</a>')
    rows = [
        (
            link.format(quote(code), w.language, w.name(code)),
            _latest(context, code),
            _gain(context, code),
            *_goal(context, code),
        )
        for code in codes
    ]
    names = ("region", "latest", "gain", "target", "status")
    return table(context, caption, names, rows, (1, 2, 3))


def _dated(value: Markup, when: Markup) -> Markup:
    return Markup('{}<br><span class="when">{}</span>').format(value, when)


def _latest(context: Context, code: str) -> Markup:
    w, own = context.writer, context.surveyed(code)
    if own.empty:
        return w.t("missing.value")
    last = own.iloc[-1]
    source = context.fact_rows.at[last["fact_id"], "source_id"].split(";")[0]
    return _dated(context.rate_text(last), w.joined(w.year(last["wave"]), w.cite(source)))


def _gain(context: Context, code: str) -> Markup:
    w, rows = context.writer, context.gains_of(code)
    if rows.empty:
        return w.t("missing.value")
    last = rows.iloc[-1]
    key, at = f"gain.{code}.{last['interval']}", (last["low"], last["high"])
    return _dated(w.estimate(key, last["gain"], at), w.span(last["wave_from"], last["wave_to"]))


def _goal(context: Context, code: str) -> tuple[Markup, Markup]:
    """The region's last target within sight, and what can be said of it."""
    w, goals = context.writer, context.targets_of(code)
    near = goals[goals["year"] <= NEAR]
    goals = near if len(near) else goals
    if goals.empty:
        return w.t("missing.target"), DASH
    goal = goals.iloc[-1]
    status = assess(goal, context.rates_of(code), context.today).status
    when = w.joined(w.year(goal["year"]), w.cite(goal["source_id"].split(";")[0]))
    return _dated(context.fact(goal["fact_id"]), when), w.t(f"status.{status}")


def ranking(context: Context) -> Section:
    """Rates of the wave with most regions published, and the latest gains, as intervals."""
    blocks = [*_rates_figure(context), *gains_figure(context)]
    blocks = blocks or [context.missing("overview.ranking.missing")]
    return Section("ranking", context.writer.t("overview.ranking"), tuple(blocks))


def _rates_figure(context: Context) -> list[Figure]:
    """Rates in the latest wave for which at least half of the regions are published.

    The caption says how many regions the interval of the difference puts above the nation, and
    below.
    """
    w, rates = context.writer, context.study.rates
    rates = rates[rates["region_code"].isin(context.codes) & rates["variance"].notna()]
    counts = rates["wave"].value_counts()
    full = counts.index[counts >= len(context.codes) / 2]
    if full.empty:
        return []
    wave = int(max(full))
    rows, nation, says = rates[rates["wave"] == wave], context.rate(context.whole, wave), None
    if nation is not None and pd.notna(nation["variance"]):
        low, high = ends(rows["rate"] - nation["rate"], rows["variance"] + nation["variance"])
        counts = {"above": low.gt(0).sum(), "below": high.lt(0).sum()}
        said = {name: w.number(f"overview.{name}.{wave}", n, "", 0) for name, n in counts.items()}
        says = w.t("figure.ranking", year=w.year(wave), **said)
    return [rate_dots(context, "overview.ranking.alt", rows, wave, says)]


def gains_figure(context: Context) -> list[Figure]:
    """The latest gain of each region with its interval."""
    w, gains = context.writer, context.study.gains
    gains = gains[gains["region_code"].isin(context.codes)]
    gains = gains.sort_values("wave_to").groupby("region_code").tail(1)
    if gains.empty:
        return []
    gains = gains.assign(low=gains["low"] / gains["years"], high=gains["high"] / gains["years"])
    rising = w.number("overview.rising", int((gains["low"] > 0).sum()), "", 0)
    says = w.t("figure.rises", rising=rising, count=w.number("overview.gains", len(gains), "", 0))
    options = {"xlabel": "axis.gain", "says": says}
    return [dots(context, "overview.gains", gains, "annual", None, **options)]


def effect(context: Context) -> Section:
    """The association over all regions, and the limits of what it says."""
    parts = association(context) | {"limits": limits(context), "appendix": appendix(context)}
    return Section.of("effect", context.writer.t("effect.title"), parts)


OVERVIEW: dict[str, Callable[[Context], Section]] = {
    "findings": findings,
    "regions": regions,
    "ranking": ranking,
    "targets": targets,
    "effect": effect,
    "designs": designs.section,
}


# The summary of a regional report: the few results a list of many regions shows of one.
FORMAT = 1  # of the summary; raised when a key changes its meaning


def summarise(context: Context) -> dict[str, Any]:
    """What the front page shows of a region; only JSON types, no missing number (``null``).

    Rates, gains and gaps are in percent and percentage points with 95% intervals (``low``,
    ``high``); ``standing`` says whether the region's latest surveyed rate lies ``above``,
    ``below`` or ``near`` (not distinguishable from) the nation's rate of the same wave, ``alone``
    where no such rate is known and ``none`` where the region has no usable rate. ``older_than`` of
    the latest rate is null where the survey is no older than the package declares worth a mark.
    ``evidence.gains`` counts the region's gains in the comparison that the locks grade.
    """
    region, data = context.region, context.study.dataset
    rates, nation = (
        rows[rows["wave"] >= context.first_year]
        for rows in map(context.rates_of, (context.code, context.whole))
    )
    known, waves = rates[rates["variance"].notna()], data.waves
    words = {lang: data.words(lang) for lang in LANGUAGES}
    named = ("unit", "units", "whole", "share", "topic", "programme")
    return {
        "format": FORMAT,
        "code": context.code,
        "names": {lang: str(region[f"name_{lang}"]) for lang in LANGUAGES},
        "short": {"zh": str(region["short_zh"]), "en": str(region["name_en"])},
        "level": str(region["level"]),
        "kind": _kind(context),
        "words": {name: {lang: str(words[lang][name]) for lang in LANGUAGES} for name in named},
        "parent": str(context.parent),
        "band": str(region["band"]),
        "date": context.date,
        "simulated": bool(context.study.simulated),
        "rates": [_rate(row) for _, row in rates.iterrows()],
        "latest": _latest_summary(context, known),
        "nation": [_rate(row) for _, row in nation.iterrows()],
        "breaks": [int(year) for year in waves.loc[waves["break_before"], "wave"]],
        "standing": _standing(context, known),
        "gain": _gain_summary(context),
        "expected": _expected(context),
        "targets": _targets(context),
        "inputs": _inputs(context),
        "evidence": _evidence(context),
    }


def element(context: Context) -> Markup:
    """The summary as JSON in an inert element of the page."""
    data = json.dumps(summarise(context), sort_keys=True, allow_nan=False)
    return Markup('<template id="summary">{}</template>').format(data)


def _kind(context: Context) -> dict[str, Any]:
    """The level the region is listed under, its names for several, its place among the levels."""
    data = context.study.dataset
    level, levels = str(data.kinds[context.code]), list(data.levels["level"])
    names = data.levels.iloc[levels.index(level)]
    several = {"zh": str(names["name_zh"]), "en": str(names["plural_en"])}
    return {"level": level, "order": levels.index(level), "names": several}


def _number(value: Any) -> float | None:
    """A number for JSON, ``None`` where it is missing or infinite."""
    return round(float(value), 6) if pd.notna(value) and math.isfinite(value) else None


def _numbers(row: Any, *names: str) -> dict[str, float | None]:
    return {name: _number(row[name]) for name in names}


def _span(row: pd.Series) -> dict[str, Any]:
    return {"from": int(row["wave_from"]), "to": int(row["wave_to"])}


def _rate(row: pd.Series) -> dict[str, Any]:
    known = _numbers(row, "se", "low", "high")
    return {"wave": int(row["wave"]), "value": _number(row["rate"]), **known}


def _latest_summary(context: Context, known: pd.DataFrame) -> dict[str, Any] | None:
    """The latest rate with an interval; ``older_than`` years than the package's newest survey."""
    if known.empty:
        return None
    row, dataset = known.iloc[-1], context.study.dataset
    most = dataset.assumed("stale_after")
    newest = dataset.facts.loc[dataset.surveyed, "year"].max()
    old = most is not None and newest - row["wave"] > most
    return _rate(row) | {"older_than": _number(most) if old else None}


def _standing(context: Context, known: pd.DataFrame) -> dict[str, Any]:
    """The region's latest rate against the nation's in the same wave."""
    if known.empty:
        return {"side": "none"}
    row = known.iloc[-1]
    nation, wave = context.rate(context.whole, row["wave"]), int(row["wave"])
    if nation is None or pd.isna(nation["variance"]):
        return {"side": "alone", "wave": wave}
    gap = row["rate"] - nation["rate"]
    low, high = ends(gap, row["variance"] + nation["variance"])
    found = {"gap": gap, "low": low, "high": high}
    return {"side": side(low, high), "wave": wave, **_numbers(found, *found)}


def _gain_summary(context: Context) -> dict[str, Any] | None:
    own = context.gains_of(context.code)
    if own.empty:
        return None
    row = own.iloc[-1]
    annual = {f"annual_{end}": _number(row[end] / float(row["years"])) for end in ("low", "high")}
    found = _numbers(row, "low", "high", "annual") | {"value": _number(row["gain"])}
    return {**_span(row), **found, **annual, "break": bool(row["crosses_break"])}


def _expected(context: Context) -> dict[str, Any] | None:
    """The latest yearly gain against what the other units lead one to expect."""
    rows = expected_gains(context)
    if rows.empty:
        return None
    names = ("low", "high", "observed", "expected", "residual")
    return _span(rows.iloc[-1]) | _numbers(rows.iloc[-1], *names)


def _targets(context: Context) -> list[dict[str, Any]]:
    return [
        {
            "year": int(item.target["year"]),
            "value": _number(item.target["value"]),
            "comparator": str(item.target["comparator"]),
            "status": item.status,
        }
        for item in assessments(context)
    ]


def _inputs(context: Context) -> list[dict[str, Any]]:
    found, label = [], context.study.dataset.dose_label
    for item in standings(context) if context.is_unit else []:
        dose = str(item.dose["dose"])
        names = {language: label(dose, language) for language in LANGUAGES}
        values = _numbers(vars(item), "value", "percentile", "band_percentile")
        found.append({"dose": dose, "names": names, "year": int(item.year), **values})
    return found


def _evidence(context: Context) -> dict[str, Any]:
    """Locks of the comparison over all units, the sentence they permit, the region's share."""
    found, panel = context.study.headline, context.study.provinces
    locks, statement = None, {}
    if (best := context.study.strongest) is not None:
        locks = best.locks
    elif isinstance(found, Headline):
        locks = int(found.grade.locks)
    for lang in LANGUAGES:
        key, values = "effect.none", context.study.dataset.words(lang)
        if best is not None:
            key = permitted(best.grade, best.verdict, lang, of="programme")
            values = {"programme": best.rollout.names[lang], "outcome": best.outcome[lang]}
        elif isinstance(found, Headline):
            key = permitted(found.grade, found.result.verdict, lang)
            values = values | {"dose": t("composite.name", lang)}
        statement[lang] = str(t(key, lang, **values).striptags())
    gains = int((panel["region_code"] == context.code).sum())
    return {"locks": locks, "most": MOST_LOCKS, "gains": gains, "statement": statement}
