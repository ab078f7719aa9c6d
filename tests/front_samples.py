"""Summaries and a manifest of invented figures for the tests of the front page."""

from __future__ import annotations

import csv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("zh", "en")
STATUSES = (
    "met", "on_course", "undecided", "off_course", "missed", "not_surveyed", "no_survey",
    "flagged",
)  # fmt: skip
WAVES = (2015, 2018, 2020, 2022)
WORDS = {
    "unit": {"zh": "省份", "en": "province"}, "units": {"zh": "省份", "en": "provinces"},
    "whole": {"zh": "全国", "en": "China"},
    "share": {"zh": "公民具备科学素质的比例", "en": "share of literate citizens"},
    "topic": {"zh": "公民科学素质", "en": "scientific literacy"},
    "programme": {"zh": "科普", "en": "science popularisation"},
}  # fmt: skip
# Level of regions.csv -> the one it is listed under, its place among the levels, its names.
KINDS = {
    "province": ("province", 1, "省份", "provinces"),
    "league": ("league", 3, "盟市", "leagues and cities"),
    "prefecture_city": ("league", 3, "盟市", "leagues and cities"),
    "district": ("county", 6, "旗县区", "counties and banners"),
}
NATION = {2015: 6.2, 2018: 8.47, 2020: 10.56, 2022: 12.93}


def regions() -> list[dict[str, str]]:
    """The provinces, the leagues of Inner Mongolia and one district."""
    with (ROOT / "data" / "regions.csv").open(encoding="utf-8", newline="") as handle:
        found = list(csv.DictReader(handle))
    levels = {"province", "prefecture_city", "league"}
    return [row for row in found if row["level"] in levels or row["code"] == "150102"]


def rate(wave: int, value: float, se: float) -> dict:
    half = 1.959963984540054 * se
    return {"wave": wave, "value": value, "se": se, "low": value - half, "high": value + half}


def summary(row: dict[str, str], number: int, simulated: bool = False) -> dict:
    """A region whose figures follow from its number; every fifth has no survey at all."""
    surveyed = number % 5 != 4
    values = [round(NATION[wave] + (number % 12 - 6) * 0.5, 2) for wave in WAVES]
    rates = [rate(w, v, 0.6) for w, v in zip(WAVES, values, strict=True)] if surveyed else []
    nation = [rate(wave, value, 0.1) for wave, value in NATION.items()]
    gap = values[-1] - NATION[2022]
    half = 1.96 * (0.6**2 + 0.1**2) ** 0.5
    side = "above" if gap > half else "below" if gap < -half else "near"
    standing = {"side": side, "wave": 2022, "gap": gap, "low": gap - half, "high": gap + half}
    annual = (values[-1] - values[-2]) / 2
    gain = {
        "from": 2020, "to": 2022, "value": 2 * annual, "low": 2 * annual - 1.7,
        "high": 2 * annual + 1.7, "annual": annual, "annual_low": annual - 0.85 - number % 3,
        "annual_high": annual + 0.85, "break": True,
    }  # fmt: skip
    goal = {"year": 2025, "value": 15.0, "comparator": ">", "status": STATUSES[number * 3 // 4 % 8]}
    earlier = {"year": 2020, "value": 10.0, "comparator": ">=", "status": "missed"}
    kind, order, zh, en = KINDS[row["level"]]
    old = None if number % 3 else 5
    place = {"dose": "fund", "names": {"zh": "经费", "en": "Funds"}, "year": 2022, "value": 3.0}
    return {
        "format": 1, "code": row["code"],
        "names": {"zh": row["name_zh"], "en": row["name_en"]},
        "short": {"zh": row["short_zh"], "en": row["name_en"]},
        "kind": {"level": kind, "order": order, "names": {"zh": zh, "en": en}}, "words": WORDS,
        "level": row["level"], "parent": row["parent_code"], "band": row["band"],
        "date": "2026-03-01", "simulated": simulated, "rates": rates,
        "latest": {**rates[-1], "older_than": old} if rates else None,
        "nation": nation, "breaks": [2020, 2022],
        "standing": standing if surveyed else {"side": "none"},
        "gain": gain if surveyed else None, "expected": None,
        "targets": [*[earlier] * (number % 3 == 1), goal] if number % 4 else [],
        "inputs": [{**place, "percentile": float(number), "band_percentile": 50.0}],
        "evidence": {
            "locks": 2, "most": 5, "gains": 3 if surveyed else 0,
            "statement": {"zh": "这里只描述观测到的数值。", "en": "Only description is permitted."},
        },
    }  # fmt: skip


def entry(row: dict[str, str], language: str, simulated: bool = False, **changes) -> dict:
    """An entry of the manifest for a made report."""
    stem = f"{row['code']}_{language}{'_simulated' if simulated else ''}"
    return {
        "id": stem, "stem": stem, "notebook": "region_report", "region": row["code"],
        "level": row["level"], "names": {"zh": row["name_zh"], "en": row["name_en"]},
        "language": language, "parameters": {}, "status": "made", "seconds": 1.0,
        "file": f"{stem}.html", "error": "", "earlier": {}, "warnings": [],
        "date": "2026-03-01", "data_hash": "f00d" * 16, "simulated": simulated, **changes,
    }  # fmt: skip


def batch(listed: list[dict[str, str]] | None = None, simulated: bool = False):
    """A manifest of reports in both languages, and their summaries by stem."""
    entries, summaries = [], {}
    for number, row in enumerate(listed or regions()):
        for language in LANGUAGES:
            made = entry(row, language, simulated)
            entries.append(made)
            summaries[made["stem"]] = summary(row, number, simulated)
    run = {"data": "../data", "data_hash": "f00d" * 16, "commit": "1a2b3c4", "date": "2026-03-01"}
    return {"run": run, "reports": entries}, summaries


def named(code: str, zh: str, en: str) -> dict[str, str]:
    """A province of any name."""
    return {
        "code": code, "name_zh": zh, "name_en": en, "short_zh": zh, "level": "province",
        "parent_code": "100000", "band": "west",
    }  # fmt: skip


HOSTILE = [
    named("110000", "<script>alert(1)</script>", "</script><img src=x onerror=alert(2)>"),
    named("120000", "\"'><svg/onload=alert(3)>", "=HYPERLINK('http://example.org')"),
    named("130000", "长" * 10_000, "w" * 10_000),
    named("140000", "\u202e倒\u2066序", "right\u200f-to-\u202eleft \ud800 lone"),
    named("150000", "{{ 7*7 }}{shown}", "${7*7} {region}"),
]


def square(code: str, x: float, y: float) -> dict:
    """A feature of two degrees by two."""
    ring = [[x, y], [x + 2, y], [x + 2, y + 2], [x, y + 2], [x, y]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"adcode": int(code)}, "geometry": geometry}


def squares() -> dict:
    """Three regions side by side, one of which has no report."""
    places = [("110000", 110, 40), ("120000", 112, 40), ("990000", 112, 38)]
    features = [square(*place) for place in places]
    return {"type": "FeatureCollection", "features": features}
