"""Walk every number of a page to its origin: a row of facts.csv or a result, recomputed here.

The second answers below read the CSV files themselves and use none of the program's selections.
"""

from __future__ import annotations

import csv
import math
import re
from functools import cache
from itertools import pairwise
from statistics import median

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from scipy.spatial.distance import cdist

from conftest import DATA, DATE, PROVENANCE, REGIONS
from evaluation.base.text import LANGUAGES, texts
from evaluation.targets import gains

Z = 1.959963984540054
NATION = "100000"
PLACES = [(code, language) for code in (*REGIONS, "provinces") for language in LANGUAGES]
RATE = "science_literacy_rate"
BARRED = {"conflict", "weak_source", "suspect", "off_wave", "provincial_survey", "basis_unstated"}
SHOWN = re.compile(r"([+−]?)(\d[\d,]*(?:\.\d+)?)(万|亿| million)?(.*)")
SCALES = {None: 1.0, "万": 1e4, "亿": 1e8, " million": 1e6}


@cache
def table(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@cache
def by(name: str, key: str) -> dict[str, dict[str, str]]:
    return {row[key]: row for row in table(name)}


@pytest.fixture(params=PLACES, ids=lambda place: "-".join(place))
def page(request, pages):
    return pages(*request.param)


def number(text: str) -> tuple[float, float, str]:
    """A displayed number as value, the size of its last digit, and what follows it."""
    found = SHOWN.fullmatch(text)
    assert found, text
    sign, digits, scale, rest = found.groups()
    value = float(digits.replace(",", "")) * SCALES[scale] * (-1 if sign == "−" else 1)
    return value, SCALES[scale] * 10.0 ** -len(digits.partition(".")[2]), rest.strip()


# --- printed figures -------------------------------------------------------------------------


def test_every_printed_figure_is_a_row_of_the_facts(page):
    elements = page.soup.find_all("data", attrs={"data-fact": True})
    assert len(elements) > 10
    for element in elements:
        fact = by("facts", "fact_id")[element["data-fact"]]
        assert float(element["value"]) == float(fact["value"]), fact
        unit = by("units", "unit")[fact["unit"]]
        base = by("units", "unit")[unit["base_unit"]]
        value, _, rest = number(element.get_text())
        assert value == pytest.approx(float(fact["value"]) * float(unit["factor"]), rel=1e-9), fact
        one = page.language == "en" and value == 1
        symbol = base["symbol_one_en" if one else f"symbol_{page.language}"]
        assert rest in {"", symbol}, fact


def test_a_comparator_is_printed_with_its_figure(page):
    words = {
        ">": "number.more_than", ">=": "number.at_least", "<=": "number.at_most",
        "approx": "number.about", "nearly": "number.nearly",
    }  # fmt: skip
    for element in page.soup.find_all("data", attrs={"data-fact": True}):
        fact = by("facts", "fact_id")[element["data-fact"]]
        if fact["comparator"] in words and fact["unit"] != "rank":
            before = texts()[words[fact["comparator"]]][page.language].partition("{value}")[0]
            text = str(element.previous_sibling or "")
            assert text.rstrip().endswith(before.strip()), fact


DOCUMENTS = {"IM2021": "150000", "IM2023": "150000", "ORD2024": "150600", "HH2022": "150100"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("source", "code"), DOCUMENTS.items())
def test_every_figure_of_a_document_is_on_the_page_beside_its_source(pages, source, code, language):
    page = pages(code, language)
    wanted = [
        row
        for row in table("facts")
        if source in row["source_id"].split(";") and row["region_code"] == code
    ]
    assert len(wanted) >= 7
    assert {row["kind"] for row in wanted} <= {"statistic", "survey", "target", "norm"}
    absent, unsourced = [], []
    for row in wanted:
        found = page.soup.find_all("data", attrs={"data-fact": row["fact_id"]})
        around = [element.find_parent(["tr", "li", "p", "figcaption"]) for element in found]
        # A card of the brief names no source; the section it comes from does.
        cited = [{cite.get_text() for cite in block.find_all("cite")} for block in around if block]
        if not found:
            absent.append((row["fact_id"], row["indicator"], row["value"]))
        elif not any(source in names for names in cited):
            unsourced.append((row["fact_id"], row["indicator"]))
    assert absent == []
    assert unsourced == []


# --- computed results ------------------------------------------------------------------------


def test_every_result_is_the_one_on_record(page):
    record = page.record
    elements = page.soup.find_all("data", attrs={"data-result": True})
    assert {element["data-result"] for element in elements} <= set(record)
    for element in elements:
        value = record[element["data-result"]]
        assert float(element["value"]) == pytest.approx(value, rel=1e-9), element
        text = element.get_text()
        if text == "<0.001":
            assert 0 < value < 0.001
            continue
        shown, last, _ = number(text)
        assert abs(shown - value) <= 0.5 * last * (1 + 1e-9), element
        assert ("+" in text) <= (value > 0), element


def test_every_number_element_has_one_origin(page):
    for element in page.soup.find_all("data"):
        assert ("data-fact" in element.attrs) != ("data-result" in element.attrs)


@cache
def surveys() -> dict[tuple[str, str], set[float]]:
    """Values of whole regions without a flag that bars them, by region and year."""
    found: dict[tuple[str, str], set[float]] = {}
    for row in table("facts"):
        if (row["indicator"], row["kind"], row["group"]) == (RATE, "survey", "") and not (
            BARRED & set(row["caveats"].split(";"))
        ):
            key = row["region_code"], row["period_end"][:4]
            found.setdefault(key, set()).add(float(row["value"]))
    return found


def rate(code: str, wave: int) -> float | None:
    values = surveys().get((code, str(wave)), set())
    assert len(values) <= 1, (code, wave, values)
    return next(iter(values), None)


@cache
def samples() -> dict[tuple[str, str], float]:
    return {
        (row["region_code"], row["period_end"]): float(row["value"])
        for row in table("facts")
        if row["indicator"] == "survey_sample_valid"
    }


def sample(code: str, wave: int) -> float | None:
    if (code, str(wave)) in samples():
        return samples()[code, str(wave)]
    level = by("regions", "code")[code]["level"]
    level = level if level in ("nation", "province") else "prefecture"
    for row in table("assumptions"):
        if (row["parameter"], row["level"], row["wave"]) == ("sample_size", level, str(wave)):
            return float(row["value"])
    return None


def variance(code: str, wave: int) -> float:
    p, deff = rate(code, wave), float(by("assumptions", "assumption_id")["A01"]["value"])
    return deff * p * (100 - p) / sample(code, wave)


@cache
def waves(code: str) -> list[int]:
    known = [int(row["wave"]) for row in table("waves")]
    return sorted(w for w in known if rate(code, w) is not None and sample(code, w) is not None)


def ends(value: float, spread: float) -> dict[str, float]:
    half = Z * math.sqrt(spread)
    return {"": value, ".low": value - half, ".high": value + half}


def provinces() -> list[str]:
    return [row["code"] for row in table("regions") if row["level"] == "province"]


def published(wave: int, codes: list[str]) -> list[str]:
    return [code for code in codes if wave in waves(code)]


def wilson(code: str, wave: str, end: str) -> float:
    p = rate(code, int(wave)) / 100
    m = sample(code, int(wave)) / float(by("assumptions", "assumption_id")["A01"]["value"])
    centre = (p + Z**2 / (2 * m)) / (1 + Z**2 / m)
    half = Z / (1 + Z**2 / m) * math.sqrt(p * (1 - p) / m + Z**2 / (4 * m**2))
    return 100 * (centre - half if end == "low" else centre + half)


def gain(code: str, first: str, last: str, end: str) -> float:
    a, b = int(first), int(last)
    change = rate(code, b) - rate(code, a)
    if end == ".annual":
        return change / (b - a)
    return change if not end else ends(change, variance(code, a) + variance(code, b))[end]


def gap(code: str, wave: str, end: str) -> float:
    wave = int(wave)
    spread = variance(code, wave) + variance(NATION, wave)
    return ends(rate(code, wave) - rate(NATION, wave), spread)[end]


def distance(code: str, wave: str, end: str) -> float:
    low, value, high = (gap(code, wave, name) for name in (".low", "", ".high"))
    assert low * high > 0  # printed only where the sign is told
    near, far = sorted((abs(low), abs(high)))
    return {"": abs(value), ".low": near, ".high": far}[end]


def observed(code: str, wave: str, end: str) -> float:
    last = int(wave)
    before = max(w for w in waves(code) if w < last)
    years = last - before
    spread = (variance(code, last) + variance(code, before)) / years**2
    return ends((rate(code, last) - rate(code, before)) / years, spread)[end]


def target(code: str, year: int) -> float:
    raised = {
        row["fact_ids"].split(";")[0]
        for row in table("contradictions")
        if row["kind"] == "target_raised"
    }
    values = {
        float(row["value"])
        for row in table("facts")
        if (row["region_code"], row["indicator"], row["kind"], row["period_end"])
        == (code, RATE, "target", str(year))
        and row["fact_id"] not in raised
    }
    assert len(values) == 1
    return values.pop()


def required(code: str, year: str) -> float:
    last = waves(code)[-1]
    return (target(code, int(year)) - rate(code, last)) / (int(year) - last)


def holm(p: list[float]) -> list[float]:
    """Adjusted p-values: the largest over the smaller ones, each times the hypotheses left."""
    return [min(1.0, max(q * sum(r >= q for r in p) for q in p if q <= own)) for own in p]


def rank(code: str, wave: str, end: str) -> int:
    wave = int(wave)
    others = [other for other in published(wave, provinces()) if other != code]
    z = [
        (rate(code, wave) - rate(other, wave))
        / math.sqrt(variance(code, wave) + variance(other, wave))
        for other in others
    ]
    lower_p, higher_p = stats.norm.cdf(z), stats.norm.sf(z)  # another above me; me above another
    rejected = [p < 0.05 for p in holm([*lower_p, *higher_p])]
    above, below = sum(rejected[: len(z)]), sum(rejected[len(z) :])
    return 1 + above if end == "low" else len(others) + 1 - below


def statistic(code: str, indicator: str, year: int) -> tuple[float, str] | None:
    """Value and series of a statistic, the revised one where a first print is on file too."""
    rows = [
        row
        for row in statistics(indicator).get((code, str(year)), [])
        if not row["series"].endswith("@first_print")
    ]
    if not rows:
        return None
    assert len({row["value"] for row in rows}) == 1, rows
    return float(rows[0]["value"]), rows[0]["series"]


@cache
def statistics(indicator: str) -> dict[tuple[str, str], list[dict[str, str]]]:
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in table("facts"):
        if (row["indicator"], row["kind"], row["group"]) == (indicator, "statistic", ""):
            found.setdefault((row["region_code"], row["period_end"][:4]), []).append(row)
    return found


# Dose -> numerator and what one unit of it per 10,000 residents stands for on the page.
DOSES = {
    "facility": ("museum_count", 100.0),
    "personnel": ("rd_personnel_fte", 1.0),
    "activity": ("museum_visitors", 1e-4),
    "fund": ("fiscal_science_tech_per_capita", None),
}


def dose(code: str, name: str, year: int) -> float | None:
    indicator, scale = DOSES[name]
    found, residents = statistic(code, indicator, year), None
    if found is None or scale is None:
        return None if found is None else found[0]
    residents = statistic(code, "population_resident", year)  # in 10,000 persons
    return None if residents is None else found[0] / residents[0] * scale


def dose_percentile(code: str, name: str, year: int) -> float:
    own = dose(code, name, year)
    others = [dose(other, name, year) for other in provinces() if other != code]
    others = [value for value in others if value is not None]
    assert len(others) >= 27
    return 100 * sum((v < own) + 0.5 * (v == own) for v in others) / len(others)


def dose_growth(code: str, name: str, year: int) -> float:
    indicator = DOSES[name][0]
    series = statistic(code, indicator, year)[1]
    first = min(
        y
        for y in range(year - 5, year)
        if (found := statistic(code, indicator, y))
        and found[1] == series
        and dose(code, name, y) is not None
    )
    return 100 * ((dose(code, name, year) / dose(code, name, first)) ** (1 / (year - first)) - 1)


def dose_result(code: str, name: str, year: str, part: str | None) -> float:
    compute = {None: dose, "percentile": dose_percentile, "growth": dose_growth}[part]
    return compute(code, name, int(year))


def band_median(band: str, name: str, year: str) -> float:
    codes = [row["code"] for row in table("regions") if row["band"] == band]
    values = [dose(code, name, int(year)) for code in codes]
    return median(value for value in values if value is not None)


def cities(code: str, wave: str) -> list[float]:
    parent = by("regions", "code")[code]["parent_code"]
    return [
        rate(row["code"], int(wave))
        for row in table("regions")
        if row["level"] not in ("nation", "province")
        and row["parent_code"] != parent
        and int(wave) in waves(row["code"])
    ]


def cities_below(code: str, kind: str, wave: str) -> int:
    years = [
        int(row["period_end"])
        for row in table("facts")
        if (row["region_code"], row["indicator"], row["kind"]) == (code, RATE, "target")
    ]
    mark = rate(code, waves(code)[-1]) if kind == "rate" else target(code, max(years))
    return sum(value < mark for value in cities(code, wave))


def facts_counted(code: str, what: str | None) -> int:
    rows = [row for row in table("facts") if row["region_code"] == code]
    if what is None:
        return len(rows)
    if what in "ABC":
        grade = by("sources", "source_id")
        best = [min(grade[i]["grade"] for i in row["source_id"].split(";")) for row in rows]
        return best.count(what)
    flags = [set(filter(None, row["caveats"].split(";"))) for row in rows]
    return sum(bool(flag & BARRED if what == "barred" else flag) for flag in flags)


def tracked(code: str, what: str) -> int:
    """Quantified targets that are no share; those without a published figure of their name."""
    rows = [row for row in table("facts") if row["region_code"] == code]
    told = {row["indicator"] for row in rows if row["kind"] != "target"}
    aims = [row["indicator"] for row in rows if row["kind"] == "target"]
    names = [name for name in aims if not name.startswith("science_literacy")]
    stems = [name.removesuffix("_target") for name in names]
    return len(names) if not what else sum(stem not in told for stem in stems)


def coverage(code: str) -> float:
    def latest(indicator: str) -> float:
        rows = [
            row
            for row in table("facts")
            if (row["region_code"], row["indicator"]) == (code, indicator)
        ]
        return float(max(rows, key=lambda row: row["period_end"])["value"])

    museums, units = "free_entry_museum_count_county_level", "county_level_units_outside_districts"
    return latest(museums) / latest(units)


def norm_staff(code: str) -> float:
    """The norm of each county-level unit added up, by how many are populous."""
    values = {row["indicator"]: float(row["value"]) for row in table("facts")
              if row["region_code"] == code or row["kind"] == "norm"}  # fmt: skip
    populous, small = values["county_level_units_populous"], values["county_kepu_staff_norm"]
    large = values["county_kepu_staff_norm_large_population"]
    return small * values["county_level_units"] + (large - small) * populous


def claimed(identifier: str, place: str) -> float:
    """The number a claim is held against, where that is no fact."""
    check = by("claims", "claim_id")[identifier]["checks"].split(";")[int(place)]
    return float(re.split("[<>=]+", check)[1])


def contradiction(identifier: str, kind: str) -> float:
    text = by("contradictions", "contradiction_id")[identifier]["text_zh"]
    short = {"sum": "sum", "difference": "diff"}[kind]
    ids = re.search(rf"\{{{short}:([F0-9;]+)\}}", text).group(1).split(";")
    values = [float(by("facts", "fact_id")[i]["value"]) for i in ids]
    return sum(values) if kind == "sum" else values[0] - values[1]


def panel_gains(codes: list[str]) -> list[tuple[str, int, int]]:
    return [(code, a, b) for code in codes for a, b in pairwise(waves(code))]


def panel_breaks() -> int:
    breaks = [int(row["wave"]) for row in table("waves") if row["break_before"] == "true"]
    return sum(any(a < wave <= b for wave in breaks) for _, a, b in panel_gains(provinces()))


def overview_count(wave: str) -> int:
    return sum(rate(code, int(wave)) is not None for code in provinces())


def beside_the_nation(side: str, wave: str) -> int:
    ends = [
        (gap(c, wave, ".low"), gap(c, wave, ".high")) for c in published(int(wave), provinces())
    ]
    return sum(low > 0 if side == "above" else high < 0 for low, high in ends)


def latest_gains() -> list[float]:
    """Lower ends of each province's latest gain."""
    return [
        gain(code, *map(str, waves(code)[-2:]), ".low")
        for code in provinces()
        if len(waves(code)) > 1
    ]


# --- money -----------------------------------------------------------------------------------


@cache
def level_of_prices(year: int) -> float:
    """Price level of a year over that of the last year with an index."""
    found = {int(key[1]): float(rows[0]["value"]) / 100 for key, rows in
             statistics("consumer_price_index").items()}  # fmt: skip
    return math.prod(1 / found[later] for later in found if later > year)


def residents(code: str, year: int) -> float:
    codes = provinces() if code == NATION else [code]
    return sum(statistic(each, "population_resident", year)[0] * 1e4 for each in codes)


def length(start: str, end: str) -> float:
    """Years from the beginning of the first to the end of the last year or month."""
    last = float(end[:4]) + (float(end[5:7]) / 12 if "-" in end else 1)
    return last - float(start[:4])


def spent_a_year(fact: str) -> float:
    """Yuan a year in prices of the last year of the index."""
    row = by("facts", "fact_id")[fact]
    start, end = row["period_start"], row["period_end"]
    years = range(int(start[:4]), int(end[:4]) + 1)
    prices = sum(level_of_prices(year) for year in years) / len(years)
    yuan = float(row["value"]) * float(by("units", "unit")[row["unit"]]["factor"])
    return yuan / length(start, end) / prices


def spent_per_head(fact: str) -> float:
    row = by("facts", "fact_id")[fact]
    return spent_a_year(fact) / residents(row["region_code"], int(row["period_end"][:4]))


def printed(code: str, indicator: str, year: int) -> float | None:
    rows = statistics(indicator).get((code, str(year)), [])
    return float(rows[0]["value"]) if rows else None


def share_of_funds(lever: str) -> float:
    total, venues, exhibits, activities = (
        printed(NATION, name, 2024)
        for name in ("funds_raised", "spend_venue_construction", "spend_exhibits_facilities",
                     "spend_activities")
    )  # fmt: skip
    shares = {"facility": (venues + exhibits) / total, "activity": activities / total}
    return 100 * shares.get(lever, 1 - sum(shares.values()))


def a_museum(code: str) -> float:
    assert code == "150000"
    return spent_a_year("F14566") / 60


def estimated(study) -> dict[str, float]:
    """Results of the models, as the study holds them; test_models.py checks the models."""
    found = {}
    for item in study.estimates:
        key, result = f"estimate.{item.model}.{item.dose}", item.result
        found |= {key: result.estimate, f"{key}.low": result.low, f"{key}.high": result.high}
        found |= {f"{key}.holm": item.p_holm, f"{key}.observations": result.observations}
        found |= {f"{key}.clusters": result.clusters}
        found |= {f"{key}.mde": result.details["mde"]}
        found |= {f"{key}.effective": result.details["effective_clusters"]}
    main = [item for item in study.estimates if item.model == "gain_regression"]
    told = sum(p < 0.05 for p in holm([item.result.p for item in main]))
    found |= {"doses.tried": len(main), "doses.told": told}
    return found | graded(study.headline) | foreseen(study)


def graded(headline) -> dict[str, float]:
    """Results of the composite: its ladder, checks, locks and expected gains."""
    found = {"evidence.locks": headline.grade.locks, "evidence.most": 5}
    found |= {f"logic.{name}": found[f"evidence.{name}"] for name in ("locks", "most")}
    for rung in headline.ladder:
        key, result = f"ladder.{rung.model}", rung.result
        if result:
            found |= {key: result.estimate, f"{key}.low": result.low, f"{key}.high": result.high}
            found |= {f"{key}.p": result.p, f"{key}.observations": result.observations}
    shares = {"opposite_share", "departing_share", "sign_share", "rv", "strongest"}
    for check in headline.checks:
        for name, value in check.values.items():
            found[f"check.{check.name}.{name}"] = 100 * value if name in shares else value
    for item in headline.grade.components:
        share = item.key.endswith(("confounder", "minus.specifications"))
        found[f"{item.key}.amount"] = item.amount
        found[f"{item.key}.value"] = item.value * (100 if share else 1)
    for _, row in headline.expected.dropna(subset="expected").iterrows():
        key = f"expected.{row['region_code']}.{row['interval']}"
        found |= {f"{key}.{name}": row[name] for name in ("observed", "expected", "residual")}
        found |= {f"{key}.low": row["low"], f"{key}.high": row["high"]}
    return found


def curves(study) -> dict[str, float]:
    """Response curves as the study holds them; test_value.py checks them."""
    found = {}
    for curve in study.value.responses:
        key = f"curve.{curve.lever}"
        found |= {key: curve.square, f"{key}.low": curve.low, f"{key}.high": curve.high}
        found |= {f"{key}.p": curve.p, f"{key}.observations": curve.observations}
    return found


def foreseen(study) -> dict[str, float]:
    """Forecasts by the normal laws of the fitted paths; test_targets.py checks the paths."""
    told = study.outlook
    found = {
        "outlook.shown": 80,
        "chance.least": 1,
        "chance.most": 99,
        "backtest.reach": told.reach,
    }
    found |= {f"backtest.level_{n}": n for n in (50, 80, 95)}
    rows = told.records
    found["backtest.origins"] = rows["origin"].nunique()
    own = rows[rows["model"] == "average"]
    found |= {"backtest.rates": len(own), "backtest.regions": own["region_code"].nunique()}
    for name, part in rows.groupby("model"):
        found[f"backtest.{name}.mae"] = (part["point"] - part["rate"]).abs().mean()
        for level in (50, 80, 95):
            inside = part["z"].abs() < stats.norm.ppf(0.5 + level / 200)
            found[f"backtest.{name}.cover_{level}"] = 100 * inside.mean()
    goals = [row for row in table("facts") if (row["indicator"], row["kind"]) == (RATE, "target")]
    for code in told.regions:
        for goal in goals:
            year = int(goal["period_end"][:4])
            if (
                goal["region_code"] not in (code, NATION)
                or not waves(code)
                or year < waves(code)[-1]
            ):
                continue
            if year > waves(code)[-1] + told.reach:
                continue
            law = mixed(*told.paths(code, [year]))
            logit = math.log(float(goal["value"]) / (100 - float(goal["value"])))
            found[f"chance.{code}.{goal['fact_id']}"] = 100 * (1 - law(logit))
            for end, q in (("", 0.5), (".low", 0.1), (".high", 0.9)):
                at = optimize.brentq(lambda y, law=law, q=q: law(y) - q, -12, 12, xtol=1e-13)
                found[f"outlook.{code}.{year}{end}"] = 100 / (1 + math.exp(-at))
            if year > (last := waves(code)[-1]):
                gain_ahead = found[f"outlook.{code}.{year}"] - rate(code, last)
                found[f"implied.{code}.{year}"] = gain_ahead / (year - last)
    return found | held_out(told) | compared(study) | alike(study) | made_up(study)


def mixed(weights, means, covariances):
    """The law of a mixture of normals at one year, as a function of the logit."""
    laws = [stats.norm(m[0], math.sqrt(c[0, 0])) for m, c in zip(means, covariances, strict=True)]
    return lambda y: float(sum(w * law.cdf(y) for w, law in zip(weights, laws, strict=True)))


def held_out(told) -> dict[str, float]:
    """Weights, bands of coverage and each region's own errors from the records."""
    rows, found = told.records, {}
    sizes = {
        name: float(((part["z"] * part["sd"]) ** 2).mean()) for name, part in rows.groupby("model")
    }
    trends = ("drift", "slopes", "converging")
    total = sum(1 / sizes[name] for name in trends)
    found |= {f"weight.{name}": 100 / sizes[name] / total for name in trends}
    own = rows[rows["model"] == "average"]
    for level in (50, 80, 95):
        ends = stats.binom(len(own), level / 100).ppf([0.025, 0.975]) / len(own)
        found |= {
            f"backtest.band_{level}.{end}": 100 * value
            for end, value in zip(("low", "high"), ends, strict=True)
        }
    for code, part in own.groupby("region_code"):
        off, key = part["point"] - part["rate"], f"backtest.{code}"
        found |= {f"{key}.rates": len(part), f"{key}.waves": part["wave"].nunique()}
        found |= {f"{key}.mae": off.abs().mean(), f"{key}.mean": abs(off.mean())}
    return found


def compared(study) -> dict[str, float]:
    """Fastest comparable gains of the study; test_targets.py has their second implementation."""
    found = {}
    for code in (*REGIONS, *provinces()):
        if not waves(code):
            continue
        near = gains.comparable(study.gains, rate(code, waves(code)[-1]), provinces())
        best, key = gains.fastest(near), f"fastest.{code}"
        if best is not None:
            found |= {key: best.value, f"{key}.low": best.low, f"{key}.high": best.high}
            found |= {f"{key}.shrunk": best.shrunk, f"{key}.count": best.count}
            found[f"{key}.regions"] = best.regions
    return found


def alike(study) -> dict[str, float]:
    """Distances between provinces by scipy, and how far one may lie to be set beside another."""
    columns = list(study.dataset.conditions.index)
    rows = [part.sort_values("wave_from")[columns].ffill().iloc[-1].rename(code)
            for code, part in study.provinces.groupby("region_code")]  # fmt: skip
    profile = pd.DataFrame(rows).dropna()
    far = cdist(*[stats.zscore(profile.to_numpy(float))] * 2) / len(columns) ** 0.5
    (most,) = (a["value"] for a in table("assumptions") if a["parameter"] == "peer_distance")
    return {"peer.most": float(most)} | {
        f"peer.{one}.{other}": far[i, j]
        for i, one in enumerate(profile.index)
        for j, other in enumerate(profile.index)
    }


def made_up(study) -> dict[str, float]:
    """Bounds of the decomposition of the study; the parts that are exact have answers below."""
    found = {}
    for code in (*REGIONS, *provinces()):
        parts = gains.decompose(study.dataset, study.rates, code, NATION)
        if parts is None:
            continue
        for name in ("joint", "rest"):
            low, high = getattr(parts, name)
            found |= {f"makeup.{code}.{name}.low": low, f"makeup.{code}.{name}.high": high}
            found |= {f"makeup.{code}.{name}": low}
        for part in parts.parts:
            key = f"makeup.{code}.{part.name}"
            found |= {f"{key}.low": part.low, f"{key}.high": part.high}
    return found


def need(code: str, fact: str, end: str) -> float:
    goal, last = by("facts", "fact_id")[fact], waves(code)[-1]
    years = int(goal["period_end"][:4]) - last
    value = (float(goal["value"]) - rate(code, last)) / years
    return ends(value, variance(code, last) / years**2)[end]


SHARES = {"residence": "urbanisation_rate", "education": "college_share_6plus"}


def share(code: str, name: str, when: str) -> float:
    """A share of the population at the first or last survey, at most two years old."""
    if code == NATION:
        return 100 * urban_share(2010 if when == "before" else 2023)
    wave = waves(code)[0 if when == "before" else -1]
    found = (statistic(code, SHARES[name], wave - lag) for lag in range(3))
    return next(value[0] for value in found if value)


def group_rate(group: str, wave: int) -> float:
    return next(
        float(row["value"])
        for row in table("facts")
        if (row["region_code"], row["indicator"], row["group"], row["period_end"])
        == (NATION, RATE, f"residence={group}", str(wave))
    )


def urban_share(wave: int) -> float:
    urban, rural = group_rate("urban", wave), group_rate("rural", wave)
    return (rate(NATION, wave) - rural) / (urban - rural)


def residence_part(code: str) -> float:
    """Change of the urban share times the mean gap between town and country."""
    printed = (2010, 2015, 2018, 2020, 2022, 2023)
    ends_ = (2010, 2023) if code == NATION else (waves(code)[0], waves(code)[-1])
    gaps = []
    for wave in ends_:
        known = max(w for w in printed if w <= wave)
        gaps.append(group_rate("urban", known) - group_rate("rural", known))
    change = share(code, "residence", "after") - share(code, "residence", "before")
    return change / 100 * sum(gaps) / 2


def residence_rest(code: str) -> float:
    return rate(code, 2023) - rate(code, 2010) - residence_part(code)


@cache
def planned(code: str) -> dict[str, float]:
    """The stepped wedge of three groups in four waves for the counties of a region.

    Its variance comes from the normal equations of every unit and wave, the components of the
    units' differences from the estimate that tests/test_design_candidates.py holds to REML.
    """
    from evaluation.data.package import load
    from evaluation.evidence.design import components

    regions, levels = by("regions", "code"), by("levels", "level")
    above = {c: row["parent_code"] for c, row in regions.items()}
    counties = [c for c, row in regions.items()
                if (levels[row["level"]]["counts_as"] or row["level"]) == "county"
                and code in (above[c], above[above[c]])]  # fmt: skip
    count, own = len(counties), components.estimated(load(DATA), "province", 20250101)
    surveyed = code if any(key[0] == code for key in surveys()) else above[code]
    seen = {int(y): rate(surveyed, int(y)) for c, y in surveys() if c == surveyed}
    # One survey tells no trend.
    slope = np.polyfit(list(seen), list(seen.values()), 1)[0] if len(seen) > 1 else 0.0
    middle = seen[max(seen)] + 1.5 * slope + 0.15
    x = np.array([[float(t > unit % 3) for t in range(4)] for unit in range(count)])

    def error(icc: float, kept: float) -> float:
        total = middle * (100 - middle)
        v = icc * total * (kept + (1 - kept) * np.eye(4)) + 2 * (1 - icc) * total / 700 * np.eye(4)
        columns = np.concatenate([x[..., None], np.tile(np.eye(4), (count, 1, 1))], axis=2)
        information = np.einsum("ntk,tu,nul->kl", columns, np.linalg.inv(v), columns)
        return math.sqrt(np.linalg.inv(information)[0, 0])

    critical = stats.t.ppf(0.975, count - 2)

    def found(size: float, se: float) -> float:
        law = stats.nct(count - 2, size / se)
        return law.sf(critical) + np.nan_to_num(law.cdf(-critical))

    se = error(own.icc, own.autocorrelation)
    ends = np.quantile([error(*pair) for pair in own.draws], [0.95, 0.05])
    shift = optimize.brentq(lambda s: found(s, 1.0) - 0.8, 1, 9)
    low, high = (100 * found(0.3, end) for end in ends)
    return {
        "count": count, "groups": 3, "waves": 4, "respondents": 700, "years": 3, "target": 80,
        "interviews": count * 4 * 700, "effect": 0.3, "detectable": shift * se,
        "power": 100 * found(0.3, se), "power.low": low, "power.high": high,
    }  # fmt: skip


def reached(programme: str) -> list[dict]:
    """Rows of the regions that a declared programme reached."""
    return [row for row in table("events") if row["programme"] == programme and row["start"]]


def surveyed_around(programme: str) -> int:
    """Regions with a survey in or after the year of the start, and one before it."""
    years = {(row["region_code"], row["start"][:4]) for row in reached(programme)}
    known = {code: [y for c, y in surveys() if c == code] for code, _ in years}
    return sum(any(y < s for y in known[c]) and any(y >= s for y in known[c]) for c, s in years)


def own_measures(code: str, kind: str) -> int:
    """Measures of a region's plan: all, those without a lead unit, those without a year due."""
    rows = [row for row in table("measures") if row["region_code"] == code]
    column = {"lead": "lead_unit_zh", "late": "year_due"}.get(kind)
    return sum(column is None or row[column] == "" for row in rows)


def plan_items(code: str) -> list[dict[str, str]]:
    """Measures and targets of a region's plan: year due, last status by the day, any evidence."""
    plan = [row for row in table("measures") if row["region_code"] == code]
    items = {row["measure_id"]: row["year_due"] for row in plan}
    items |= {
        row["fact_id"]: row["period_end"][:4] for row in table("facts")
        if row["region_code"] == code and row["kind"] == "target"
        and row["indicator"] != "science_literacy_rate"
    }  # fmt: skip
    entries = {row["measure_id"] or row["target_id"]: row for row in table("progress")
               if row["recorded"] <= DATE}  # fmt: skip
    empty = {"status": "unknown", "fact_ids": "", "source_id": "", "next_date": ""}
    found = [{"due": due, **empty, **entries.get(item, {})} for item, due in items.items()]
    for row in found:
        past = (bool(row["due"]) and row["due"] < DATE[:4]) or "" < row["next_date"] < DATE
        row["overdue"] = past and row["status"] not in ("done", "given_up")
        row["bare"] = not (row["fact_ids"] or row["source_id"])
    return found


def plan_count(code: str, state: str, what: str) -> int:
    """Items of a plan, of one status or of all: how many, how many overdue or without evidence."""
    rows = [row for row in plan_items(code) if state in ("", row["status"])]
    column = {"overdue": "overdue", "late": "overdue", "bare": "bare"}.get(what)
    return sum(column is None or row[column] for row in rows)


LOGIC = {
    "inputs": ("fund", "facility", "personnel", "volunteer"),
    "activities": ("activity", "training", "digital"), "outputs": ("reach",),
}  # fmt: skip


def stage(code: str, name: str, what: str) -> int:
    """Published figures of a region in a stage of the logic model; how many are of proxies."""
    kinds, count = by("indicators", "indicator"), 0
    for row in table("facts"):
        kind = kinds[row["indicator"]]
        share = kind["domain"] == "reach" and kind["unit"] == "percent"
        own = share if name == "outcomes" else kind["domain"] in LOGIC[name] and not share
        proxy = kind["proxy"] == "true"
        counted = proxy if what == "proxies" else proxy or kind["scope"] in ("", "kepu")
        inside = row["region_code"] == code and row["kind"] in ("statistic", "survey")
        count += inside and own and counted
    return count


def since_the_first(code: str, end: str) -> float:
    return gain(code, str(waves(code)[0]), str(waves(code)[-1]), end)


ANSWERS = {
    r"brief\.change\.(\d{6})(|\.low|\.high)": since_the_first,
    r"brief\.distance\.(\d{6})\.(\d{4})": lambda code, wave: abs(gap(code, wave, "")),
    r"brief\.measures\.(\d{6})\.(all|lead|late)": own_measures,
    r"plan\.(\d{6})\.(|\w+)\.?(items|all|overdue|late|bare)": plan_count,
    r"track\.late\.(\d{6})\.shown": lambda code: plan_count(code, "", "late"),
    r"brief\.surveys\.(\d{6})": lambda code: sum(wave >= 2010 for wave in waves(code)),
    r"designs\.([a-z0-9_]+)\.reached": lambda programme: len(reached(programme)),
    r"designs\.([a-z0-9_]+)\.known": surveyed_around,
    r"funds\.(F\d{5})\.per_head": spent_per_head,
    r"value\.share\.(facility|activity|personnel)": share_of_funds,
    r"chain\.(\d{6})\.a_museum": a_museum,
    r"norm\.staff\.(\d{6})": norm_staff,
    r"claim\.(K\d+)\.(\d+)": claimed,
    r"tracked\.(\d{6})(|\.unknown)": tracked,
    r"interval\.level": lambda: 95,
    r"rate\.(\d{6})\.(\d{4})\.(low|high)": wilson,
    r"n\.(\d{6})\.(\d{4})": lambda code, wave: sample(code, int(wave)),
    r"gain\.(\d{6})\.(\d{4})-(\d{4})(|\.low|\.high|\.annual)": gain,
    r"gap\.(\d{6})\.(\d{4})(|\.low|\.high)": gap,
    r"distance\.(\d{6})\.(\d{4})(|\.low|\.high)": distance,
    r"observed\.(\d{6})\.(\d{4})(|\.low|\.high)": observed,
    r"required\.(\d{6})\.(\d{4})": required,
    r"rank\.(\d{6})\.(\d{4})\.(low|high)": rank,
    r"rank\.count\.(\d{4})": lambda wave: len(published(int(wave), provinces())),
    r"provinces|overview\.regions": lambda: len(provinces()),
    r"overview\.published\.(\d{4})": overview_count,
    r"overview\.(above|below)\.(\d{4})": beside_the_nation,
    r"overview\.gains": lambda: len(latest_gains()),
    r"overview\.rising": lambda: sum(low > 0 for low in latest_gains()),
    r"dose\.(\d{6})\.(\w+)\.(\d{4})(?:\.(percentile|growth))?": dose_result,
    r"dose\.(east|central|west)\.(\w+)\.(\d{4})": band_median,
    r"facts\.(\d{6})(?:\.(\w+))?": facts_counted,
    r"coverage\.(\d{6})": coverage,
    r"assumption\.(A\d\d)": lambda i: float(by("assumptions", "assumption_id")[i]["value"]),
    r"(C\d\d)\.(sum|difference)": contradiction,
    r"cities\.below\.(\d{6})\.(rate|target)\.(\d{4})": cities_below,
    r"panel\.gains": lambda: len(panel_gains(provinces())),
    r"panel\.gains\.(\d{6})": lambda code: len(panel_gains([code])),
    r"panel\.regions": lambda: len({code for code, _, _ in panel_gains(provinces())}),
    r"panel\.breaks": panel_breaks,
    r"need\.(\d{6})\.(F\d+)(|\.low|\.high)": need,
    r"makeup\.(\d{6})\.(residence|education)\.(before|after)": share,
    r"makeup\.(\d{6})\.residence": residence_part,
    r"makeup\.(100000)\.rest": residence_rest,
    r"design\.cover": lambda: 90,
    r"design\.(\d{6})\.(.+)": lambda code, name: planned(code)[name],
}


def answer(key: str, page, models: dict[str, float]) -> float | None:
    if key in models:
        return models[key]
    if found := re.fullmatch(r"logic\.(\w+)\.(count|proxies)", key):
        if found.group(1) == "literacy":
            return len(waves(page.code))
        return stage(page.code, *found.groups())
    if found := re.fullmatch(r"cities\.(\d{4})", key):
        return len(cities(page.code, found.group(1)))
    for pattern, compute in ANSWERS.items():
        if found := re.fullmatch(pattern, key):
            return compute(*found.groups())
    return None


def test_every_result_has_a_second_answer(page, study):
    models = estimated(study) | curves(study)
    unknown = [key for key in page.record if answer(key, page, models) is None]
    assert unknown == []
    for key, value in page.record.items():
        expected = answer(key, page, models)
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), key


def test_the_second_answers_reach_every_kind_of_result(pages):
    """A pattern that no page asks for would be a promise unchecked."""
    keys = {key for code, language in PLACES for key in pages(code, language).record}
    idle = [form for form in ANSWERS if not any(re.fullmatch(form, key) for key in keys)]
    assert idle == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gain.150000.2020-2022", 1.31),
        ("gain.150000.2020-2022.annual", 0.655),
        ("gap.150000.2022", -2.89),
        ("C01.sum", 3928),
        ("coverage.150000", 53 / 80),
        ("n.150000.2022", 9300),
    ],
)
def test_figures_a_reader_can_check_in_the_head(pages, key, value):
    assert pages("150000", "zh").record[key] == pytest.approx(value)


# --- nothing else ----------------------------------------------------------------------------


def allowed(node) -> bool:
    """Whether a text stands in an element whose digits are accounted for."""
    for parent in node.parents:
        if parent.name in ("data", "time", "cite", "code", "template"):
            return True
        if parent.name == "span" and ("term" in parent.get("class", []) or parent.get("data-row")):
            return True
    return False


def labels(language: str) -> set[str]:
    return {row[f"label_{language}"] for name in ("indicators", "doses") for row in table(name)} | {
        row[f"name_{language}"] for row in table("regions")
    }


def test_no_digit_stands_outside_an_element_that_says_where_it_is_from(page):
    known = labels(page.language)
    stray = [
        text.strip()
        for text in page.soup.find_all(string=re.compile(r"\d"))
        if not allowed(text) and text.strip() not in known
    ]
    assert stray == []


def test_stand_in_text_of_pictures_names_no_number_but_those_of_its_caption(page):
    for figure in page.soup.find_all("figure"):
        told = [figure.find("figcaption").get_text()]
        if figure.find("img")["alt"].startswith(("逻辑模型", "Logic model")):  # a picture of words
            told += [str(value) for key, value in page.record.items() if key.startswith("logic.")]
            told += [each.get_text() for each in page.soup.select("[data-fact], time, [data-row]")]
        said = set(re.findall(r"\d+", " ".join(told)))
        assert set(re.findall(r"\d+", figure.find("img")["alt"])) <= said


def test_attributes_hide_no_number(page):
    known = {"value", "data-fact", "data-result", "data-row", "href", "id", "src", "alt", "class"}
    known |= {"aria-hidden", "datetime"}  # of a month: said in words, dated for machines
    for element in page.soup.find_all(True):
        # A picture lies on white paper, in a dark notebook too.
        own = {"style"} if element.name == "img" else set()
        assert set(element.attrs) <= known | {"scope"} | own, element.attrs
        assert not re.search(r"\d", " ".join(element.get("class", [])))


def test_times_are_dates(page):
    for element in page.soup.find_all("time"):
        said = element.get("datetime") or element.get_text()
        assert re.fullmatch(r"(19|20)\d\d(-\d\d(-\d\d)?)?", said), element
        assert said[:4] in element.get_text(), element


PLACED = ("claims", "programmes")  # tables that say where in a document a row stands


def test_citations_are_of_listed_documents(page):
    known = {row[name] for row in table("sources") for name in ("title", "publisher", "date")}
    known |= set(by("sources", "source_id")) | set(by("contradictions", "contradiction_id"))
    known |= set(by("assumptions", "assumption_id"))
    known |= {row["number_in_document"] for row in table("measures")}
    known |= {row[f"place_{page.language}"] for name in PLACED for row in table(name)}
    for element in page.soup.find_all("cite"):
        assert element.get_text() in known


def test_every_source_cited_is_listed_with_its_grade(page):
    listed = {
        row.find("span", id=True)["id"].removeprefix("source-"): row
        for row in page.section("sources").find("tbody").find_all("tr")
    }
    cited = {
        link["href"].removeprefix("#source-")
        for link in page.soup.find_all("a", href=re.compile("^#source-"))
    }
    assert cited == set(listed)
    assert cited
    for name, row in listed.items():
        source = by("sources", "source_id")[name]
        copy = {"zh": "转", "en": " copy"}[page.language] * (source["mirror"] == "true")
        assert row.find("span", class_="grade").get_text() == source["grade"] + copy
        assert source["title"] in row.get_text()


def test_code_is_a_region_or_the_record_of_the_run(page):
    files = {f"{page.code}_{page.language}{end}" for end in ("", "_annex")}
    known = {page.code, *files, *PROVENANCE.values()}
    for element in page.soup.find_all("code"):
        assert element.get_text() in known


def test_terms_are_those_of_the_text_table(page):
    templates = " ".join(text[page.language] for text in texts().values())
    known = set(re.findall(r'<span class="term">(.*?)</span>', templates))
    # The definition of the outcome is the package's, its constants with it.
    known |= set(re.findall(r"\d[\d–]*", " ".join(table("subject")[0].values())))
    for element in page.soup.find_all("span", class_="term"):
        assert element.get_text() in known


ROWS = {
    "indicators": ("indicator", ("label",)),
    "measures": ("measure_id", ("title", "quantified_target")),
    "assumptions": ("assumption_id", ("reason",)),
    "waves": ("wave", ("break",)),
    "claims": ("claim_id", ("text",)),
    "programmes": ("programme_id", ("name",)),
    "events": ("event_id", ("programme",)),
}


def test_rows_of_tables_are_shown_as_they_stand(page):
    for element in page.soup.find_all(attrs={"data-row": True}):
        name, _, identifier = element["data-row"].partition(":")
        key, stems = ROWS[name]
        row = by(name, key)[identifier]
        assert element.get_text() in {row[f"{stem}_{page.language}"] for stem in stems}
