"""The overview of all regions, its captions, and summaries of reports."""

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
from evaluation.evidence.designs import Designed
from evaluation.evidence.grade import permitted
from evaluation.evidence.headline import Headline
from evaluation.figures import charts
from evaluation.panel.survey import Progress, assess, normal_quantile
from evaluation.report import designs
from evaluation.report.blocks import Figure, Heading, Paragraph, Section, Table
from evaluation.report.chain import labelled, lacking, target
from evaluation.report.designs import findings_locks
from evaluation.report.effect import appendix, association, expected_gains, limits
from evaluation.report.inputs import Standing, standings
from evaluation.report.page import DASH, Context, dots, picture, rate_dots, side, table
from evaluation.report.targets import assessments, targets

# What the figures of the overview show, in a sentence each, from the rates and gains they draw.


def _published_counts(context: Context) -> dict[int, int]:
    """How many regions published a usable value, by survey."""
    rates = context.study.rates
    counts = rates[rates["region_code"].isin(context.codes)]["wave"].value_counts().sort_index()
    return {int(wave): int(n) for wave, n in counts.items() if wave >= context.first_year}


def _published_number(context: Context, wave: int, count: int) -> Markup:
    return context.writer.number(f"overview.published.{wave}", count, "", 0)


def _coverage_sentence(context: Context) -> Markup | None:
    """The survey with most regions, and how many the latest has."""
    w, counts = context.writer, _published_counts(context)
    if not counts:
        return None
    most, last = max(counts, key=lambda wave: (counts[wave], wave)), max(counts)
    return w.t(
        "figure.coverage",
        most=w.year(most),
        most_count=_published_number(context, most, counts[most]),
        last=w.year(last),
        last_count=_published_number(context, last, counts[last]),
    )


def _ranking_sentence(context: Context, rows: pd.DataFrame, wave: int) -> Markup | None:
    """How many regions the 95% interval of the difference puts above the nation, and below."""
    w, nation = context.writer, context.rate(context.whole, wave)
    if nation is None or pd.isna(nation["variance"]):
        return None
    gap = rows["rate"] - nation["rate"]
    half = normal_quantile(0.95) * (rows["variance"] + nation["variance"]) ** 0.5
    return w.t(
        "figure.ranking",
        year=w.year(wave),
        above=w.number(f"overview.above.{wave}", int((gap > half).sum()), "", 0),
        below=w.number(f"overview.below.{wave}", int((gap < -half).sum()), "", 0),
    )


# The overview: all regions of a set on one page, with what the data say of investment.

# Targets beyond this year are left to the regional reports.
NEAR = 2030


def findings(context: Context) -> Section:
    """Where the nation stands and its target, how much is published, what investment goes with."""
    w = context.writer
    nation = context.surveyed(context.whole)
    items: dict[str, Markup] = {}
    if len(nation):
        last = nation.iloc[-1]
        year = w.year(last["wave"])
        items["level"] = w.t("overview.nation", rate=context.rate_text(last), year=year)
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
        w.t("overview.wave", year=w.year(wave), count=_published_number(context, wave, count))
        for wave, count in _published_counts(context).items()
    ]
    total = w.number("overview.regions", len(context.codes), "", 0)
    return w.t("overview.published", total=total, counts=w.series(parts, "，"))


def regions(context: Context) -> Section:
    """Latest rate, latest gain and last target of each region, and of the units below."""
    w = context.writer
    below = context.below
    blocks: list = [coverage_figure(context), _table(context, context.codes, w.t("overview.table"))]
    if below:
        blocks += [
            Heading(w.t("overview.below")),
            _table(context, below, w.t("overview.below.table")),
        ]
    blocks.append(Paragraph(w.t("overview.table.note"), "note"))
    return Section("regions", w.t("overview.regions"), tuple(blocks))


def coverage_figure(context: Context) -> Figure:
    w, study = context.writer, context.study
    surveys = study.dataset.facts[study.dataset.surveyed]
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
    return picture(
        context,
        "overview.coverage",
        charts.coverage,
        frame,
        states=states,
        says=_coverage_sentence(context),
    )


def _state(key: tuple[str, int], used: set, seen: set) -> str:
    return "published" if key in used else "flagged" if key in seen else "missing"


def _table(context: Context, codes: list[str], caption: Markup) -> Table:
    names = ("region", "latest", "gain", "target", "status")
    rows = [_row(context, code) for code in codes]
    return table(context, caption, names, rows, (1, 2, 3))


def _row(context: Context, code: str) -> tuple[Markup, ...]:
    w = context.writer
    link = Markup('<a href="{}_{}.html">{}</a>').format(quote(code), w.language, w.name(code))
    return (link, _latest(context, code), _gain(context, code), *_goal(context, code))


def _dated(value: Markup, when: Markup) -> Markup:
    return Markup('{}<br><span class="when">{}</span>').format(value, when)


def _latest(context: Context, code: str) -> Markup:
    w, own = context.writer, context.surveyed(code)
    if own.empty:
        return w.t("missing.value")
    last = own.iloc[-1]
    source = context.fact_rows.at[last["fact_id"], "source_id"].split(";")[0]
    when = w.joined(w.year(last["wave"]), w.cite(source))
    return _dated(context.rate_text(last), when)


def _gain(context: Context, code: str) -> Markup:
    w, rows = context.writer, context.gains_of(code)
    if rows.empty:
        return w.t("missing.value")
    last = rows.iloc[-1]
    key = f"gain.{code}.{last['interval']}"
    gain = w.estimate(key, last["gain"], (last["low"], last["high"]))
    return _dated(gain, w.span(last["wave_from"], last["wave_to"]))


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
    shown = _dated(context.fact(goal["fact_id"]), when)
    return shown, w.t(f"status.{status}")


def ranking(context: Context) -> Section:
    """Rates of the wave with most regions published, and the latest gains, as intervals."""
    blocks = [*_rates_figure(context), *gains_figure(context)]
    blocks = blocks or [context.missing("overview.ranking.missing")]
    return Section("ranking", context.writer.t("overview.ranking"), tuple(blocks))


def _rates_figure(context: Context) -> list[Figure]:
    """Rates in the latest wave for which at least half of the regions are published."""
    rates = context.study.rates
    rates = rates[rates["region_code"].isin(context.codes) & rates["variance"].notna()]
    counts = rates["wave"].value_counts()
    full = counts.index[counts >= len(context.codes) / 2]
    if full.empty:
        return []
    wave = int(max(full))
    rows = rates[rates["wave"] == wave]
    says = _ranking_sentence(context, rows, wave)
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
    where no such rate is known and ``none`` where the region has no usable rate.
    ``evidence.gains`` counts the region's gains in the comparison that the locks grade.
    """
    region, study = context.region, context.study
    inputs = standings(context) if context.is_unit else []
    rates = context.rates_of(context.code)
    rates = rates[rates["wave"] >= context.first_year]
    known = rates[rates["variance"].notna()]
    waves = study.dataset.waves
    return {
        "format": FORMAT,
        "code": context.code,
        "names": {lang: str(region[f"name_{lang}"]) for lang in LANGUAGES},
        "short": {"zh": str(region["short_zh"]), "en": str(region["name_en"])},
        "level": str(region["level"]),
        "kind": _kind(context),
        "words": _words(context),
        "parent": str(context.parent),
        "band": str(region["band"]),
        "date": context.date,
        "simulated": bool(study.simulated),
        "rates": [_rate(row) for _, row in rates.iterrows()],
        "latest": _latest_summary(context, known),
        "nation": [_rate(row) for _, row in _national(context).iterrows()],
        "breaks": [int(year) for year in waves.loc[waves["break_before"], "wave"]],
        "standing": _standing(context, known),
        "gain": _gain_summary(context),
        "expected": _expected(context),
        "targets": [_target(item) for item in assessments(context)],
        "inputs": [_input(context, item) for item in inputs],
        "evidence": _evidence(context),
    }


def _kind(context: Context) -> dict[str, Any]:
    """The level the region is listed under, its names for several, its place among the levels."""
    data = context.study.dataset
    level = str(data.kinds[context.code])
    names = data.levels.set_index("level").loc[level]
    several = {"zh": str(names["name_zh"]), "en": str(names["plural_en"])}
    return {"level": level, "order": list(data.levels["level"]).index(level), "names": several}


def _words(context: Context) -> dict[str, dict[str, str]]:
    """What the package calls the regions compared, the whole and its subject, by language."""
    found = {language: context.study.dataset.words(language) for language in LANGUAGES}
    return {
        name: {language: str(words[name]) for language, words in found.items()}
        for name in ("unit", "units", "whole", "share", "topic", "programme")
    }


def element(context: Context) -> Markup:
    """The summary as JSON in an inert element of the page."""
    data = json.dumps(summarise(context), sort_keys=True, allow_nan=False)
    return Markup('<template id="summary">{}</template>').format(data)


def _number(value: Any) -> float | None:
    """A number for JSON, ``None`` where it is missing or infinite."""
    return round(float(value), 6) if pd.notna(value) and math.isfinite(value) else None


def _interval(row: pd.Series) -> dict[str, float | None]:
    return {end: _number(row[end]) for end in ("low", "high")}


def _rate(row: pd.Series) -> dict[str, Any]:
    value, se = _number(row["rate"]), _number(row["se"])
    return {"wave": int(row["wave"]), "value": value, "se": se, **_interval(row)}


def _latest_summary(context: Context, known: pd.DataFrame) -> dict[str, Any] | None:
    """The latest rate with an interval; ``older_than`` years than the package's newest survey.

    ``older_than`` is null where the survey is no older than the package declares worth a mark.
    """
    if known.empty:
        return None
    row, dataset = known.iloc[-1], context.study.dataset
    most = dataset.assumed("stale_after")
    newest = dataset.facts.loc[dataset.surveyed, "year"].max()
    old = most is not None and newest - row["wave"] > most
    return _rate(row) | {"older_than": _number(most) if old else None}


def _national(context: Context) -> pd.DataFrame:
    rows = context.rates_of(context.whole)
    return rows[rows["wave"] >= context.first_year]


def _standing(context: Context, known: pd.DataFrame) -> dict[str, Any]:
    """The region's latest rate against the nation's in the same wave."""
    if known.empty:
        return {"side": "none"}
    row = known.iloc[-1]
    nation = context.rate(context.whole, row["wave"])
    if nation is None or pd.isna(nation["variance"]):
        return {"side": "alone", "wave": int(row["wave"])}
    gap = row["rate"] - nation["rate"]
    half = normal_quantile(0.95) * math.sqrt(row["variance"] + nation["variance"])
    ends = {"gap": _number(gap), "low": _number(gap - half), "high": _number(gap + half)}
    return {"side": side(gap - half, gap + half), "wave": int(row["wave"]), **ends}


def _gain_summary(context: Context) -> dict[str, Any] | None:
    own = context.gains_of(context.code)
    if own.empty:
        return None
    row = own.iloc[-1]
    years = float(row["years"])
    return {
        "from": int(row["wave_from"]),
        "to": int(row["wave_to"]),
        "value": _number(row["gain"]),
        **_interval(row),
        "annual": _number(row["annual"]),
        "annual_low": _number(row["low"] / years),
        "annual_high": _number(row["high"] / years),
        "break": bool(row["crosses_break"]),
    }


def _expected(context: Context) -> dict[str, Any] | None:
    """The latest yearly gain against what the other units lead one to expect."""
    rows = expected_gains(context)
    if rows.empty:
        return None
    row = rows.iloc[-1]
    ends = {"from": int(row["wave_from"]), "to": int(row["wave_to"]), **_interval(row)}
    return ends | {name: _number(row[name]) for name in ("observed", "expected", "residual")}


def _target(item: Progress) -> dict[str, Any]:
    goal = item.target
    return {
        "year": int(goal["year"]),
        "value": _number(goal["value"]),
        "comparator": str(goal["comparator"]),
        "status": item.status,
    }


def _input(context: Context, item: Standing) -> dict[str, Any]:
    dose, label = str(item.dose["dose"]), context.study.dataset.dose_label
    return {
        "dose": dose,
        "names": {language: label(dose, language) for language in LANGUAGES},
        "year": int(item.year),
        "value": _number(item.value),
        "percentile": _number(item.percentile),
        "band_percentile": _number(item.band_percentile),
    }


def _said(best: Designed, language: str) -> Markup:
    """The sentence that the evidence on a declared programme permits."""
    key = permitted(best.grade, best.verdict, language, of="programme")
    names = {"programme": best.rollout.names[language], "outcome": best.outcome[language]}
    return t(key, language, **names)


def _evidence(context: Context) -> dict[str, Any]:
    """Locks of the comparison over all units, the sentence they permit, the region's share."""
    found, panel = context.study.headline, context.study.provinces
    words = {lang: context.study.dataset.words(lang) for lang in LANGUAGES}
    said = {lang: t("effect.none", lang, **words[lang]) for lang in LANGUAGES}
    locks = None
    if isinstance(found, Headline):
        locks = int(found.grade.locks)
        keys = {lang: permitted(found.grade, found.result.verdict, lang) for lang in LANGUAGES}
        said = {
            lang: t(keys[lang], lang, **{**words[lang], "dose": t("composite.name", lang)})
            for lang in LANGUAGES
        }
    statement = {lang: str(said[lang].striptags()) for lang in LANGUAGES}
    if (best := context.study.strongest) is not None:
        locks, said = best.locks, {lang: _said(best, lang) for lang in LANGUAGES}
    gains = int((panel["region_code"] == context.code).sum())
    return {"locks": locks, "most": MOST_LOCKS, "gains": gains, "statement": statement}
