"""The summary of a regional report: the few results a list of many regions shows of one.

It is the same in every language, holds names and words in both, and stands in the page as JSON in
an inert element; :func:`evaluation.front.summary.read` takes it out again.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from evaluation.evidence import permitted
from evaluation.headline import Headline
from evaluation.progress import Progress
from evaluation.report.context import NATION, Context
from evaluation.report.proxies import Standing, standings
from evaluation.report.strength import LOCKS
from evaluation.report.targets import assessments
from evaluation.survey import normal_quantile
from evaluation.text import LANGUAGES, t

FORMAT = 1  # of the summary; raised when a key changes its meaning


def summarise(context: Context) -> dict[str, Any]:
    """What the front page shows of a region; only JSON types, no missing number (``null``).

    Rates, gains and gaps are in percent and percentage points with 95% intervals (``low``,
    ``high``); ``standing`` says whether the region's latest surveyed rate lies ``above``,
    ``below`` or ``near`` (not distinguishable from) the nation's rate of the same wave, ``alone``
    where no national rate is known and ``none`` where the region has no usable rate.
    ``evidence.gains`` counts the region's gains in the comparison that the locks grade.
    """
    region, study = context.region, context.study
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
        "parent": str(context.parent),
        "band": str(region["band"]),
        "date": context.date,
        "simulated": bool(study.simulated),
        "rates": [_rate(row) for _, row in rates.iterrows()],
        "latest": _rate(known.iloc[-1]) if len(known) else None,
        "nation": [_rate(row) for _, row in _national(context).iterrows()],
        "breaks": [int(year) for year in waves.loc[waves["break_before"], "wave"]],
        "standing": _standing(context, known),
        "gain": _gain(context),
        "expected": _expected(context),
        "targets": [_target(item) for item in assessments(context)],
        "inputs": [_input(item) for item in (standings(context) if context.is_province else [])],
        "evidence": _evidence(context),
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


def _national(context: Context) -> pd.DataFrame:
    rows = context.rates_of(NATION)
    return rows[rows["wave"] >= context.first_year]


def _standing(context: Context, known: pd.DataFrame) -> dict[str, Any]:
    """The region's latest rate against the nation's in the same wave."""
    if known.empty:
        return {"side": "none"}
    row = known.iloc[-1]
    nation = context.rate(NATION, row["wave"])
    if nation is None or pd.isna(nation["variance"]):
        return {"side": "alone", "wave": int(row["wave"])}
    gap = row["rate"] - nation["rate"]
    half = normal_quantile(0.95) * math.sqrt(row["variance"] + nation["variance"])
    side = "above" if gap - half > 0 else "below" if gap + half < 0 else "near"
    ends = {"gap": _number(gap), "low": _number(gap - half), "high": _number(gap + half)}
    return {"side": side, "wave": int(row["wave"]), **ends}


def _gain(context: Context) -> dict[str, Any] | None:
    gains = context.study.gains
    own = gains[gains["region_code"] == context.code]
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
    """The latest yearly gain against what the other provinces lead one to expect."""
    found = context.study.headline
    if not isinstance(found, Headline):
        return None
    own = found.expected[found.expected["region_code"] == context.code]
    own = own[own["expected"].notna()].sort_values("wave_to")
    if own.empty:
        return None
    row = own.iloc[-1]
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


def _input(item: Standing) -> dict[str, Any]:
    return {
        "dose": str(item.dose["dose"]),
        "names": {lang: str(t(f"dose.{item.dose['dose']}", lang)) for lang in LANGUAGES},
        "year": int(item.year),
        "value": _number(item.value),
        "percentile": _number(item.percentile),
        "band_percentile": _number(item.band_percentile),
    }


def _evidence(context: Context) -> dict[str, Any]:
    """Locks of the comparison over all provinces, the sentence they permit, the region's share."""
    found, panel = context.study.headline, context.study.provinces
    said = {lang: t("effect.none", lang) for lang in LANGUAGES}
    locks = None
    if isinstance(found, Headline):
        locks = int(found.grade.locks)
        keys = {lang: permitted(found.grade, found.result.verdict, lang) for lang in LANGUAGES}
        said = {lang: t(keys[lang], lang, dose=t("composite.name", lang)) for lang in LANGUAGES}
    statement = {lang: str(said[lang].striptags()) for lang in LANGUAGES}
    gains = int((panel["region_code"] == context.code).sum())
    return {"locks": locks, "most": LOCKS, "gains": gains, "statement": statement}
