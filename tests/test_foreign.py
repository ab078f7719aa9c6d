"""Pages of a package from elsewhere say nothing of provinces, proxies or China."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from conftest import DATE, draw, overview_sections
from evaluation import report
from evaluation.base.text import LANGUAGES, texts
from evaluation.batch import front
from evaluation.batch.cells import read
from evaluation.data.package import load
from evaluation.report import doubts, inputs
from evaluation.study import build

ROOT = Path(__file__).resolve().parents[1]
ROOT_NAMES = ("弗里多尼亚", "Freedonia")
ALPHABET = "ABCDEFGHIJKL"
LEVELS = """level,name_zh,name_en,plural_en,survey_as,counts_as,analysed
realm,王国,realm,realms,,,false
state,州,state,states,,,true
county,郡,county,counties,,,false
"""
FORBIDDEN = {
    "zh": "省|全国|国家|中国|代理|盟|旗|内蒙古|科普大篷车",
    "en": r"(?i)\b(?:province|provincial|proxy|proxies|prefecture|league|banner|nation)\w*\b"
    r"|China|Chinese|Mongolia|[\u4e00-\u9fff]",
}


def _regions(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """The leagues of the simulated package as states with a county each; codes by the old ones."""
    old = table.loc[table["parent_code"] == "150000", "code"]
    codes = {"100000": "FR", **{code: f"S{ALPHABET[i]}" for i, code in enumerate(old)}}
    rows = [("FR", *ROOT_NAMES, ROOT_NAMES[0], "realm", "", "", "12")]
    for letter in ALPHABET:
        band = "north" if letter < "G" else "south"
        rows.append((f"S{letter}", f"{letter}州", f"State {letter}", f"{letter}州", "state", "FR"))
        rows[-1] += (band, "1")
        rows.append((f"C{letter}", f"{letter}郡", f"{letter} County", f"{letter}郡", "county"))
        rows[-1] += (f"S{letter}", "", "")
    return pd.DataFrame(rows, columns=table.columns), codes


def _facts(table: pd.DataFrame, codes: dict[str, str]) -> pd.DataFrame:
    """The figures under the new codes, a survey of each county, and targets."""
    kept = table[table["region_code"].isin(codes)]
    kept = kept.assign(region_code=kept["region_code"].map(codes))
    rates = kept[kept["indicator"] == "science_literacy_rate"]
    (rate,) = rates[(rates["region_code"] == "SA") & (rates["period_end"] == "2022")].to_dict(
        "records"
    )
    samples = kept[(kept["indicator"] == "survey_sample_valid") & (kept["region_code"] == "SA")]
    (sample,) = samples[samples["period_end"] == "2022"].to_dict("records")
    more = []
    for number, letter in enumerate(ALPHABET):
        county = {"region_code": f"C{letter}"}
        more += [{**rate, **county, "value": f"{8 + number}.00"}, {**sample, **county}]
    for code in ("FR", "SA", "CA"):
        for year, value in (("2025", "15"), ("2030", "24")):
            dated = {"region_code": code, "period_start": year, "period_end": year}
            more.append({**rate, **dated, "kind": "target", "value": value, "comparator": ">="})
    added = pd.DataFrame(more).assign(fact_id=[f"F{90001 + i}" for i in range(len(more))])
    return pd.concat([kept, added])[table.columns]


def _package(folder: Path) -> Path:
    shutil.copytree(ROOT / "data" / "simulated", folder)

    def change(name, make):
        path = folder / f"{name}.csv"
        make(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)

    kept = {}

    def regions(table):
        made, kept["codes"] = _regions(table)
        return made

    change("regions", regions)
    change("facts", lambda table: _facts(table, kept["codes"]))
    change("sources", lambda table: table.assign(title="Simulated data", publisher="Simulated"))
    change("facts", lambda table: table.assign(locator="simulated"))
    states = {"set": "states", "code": [f"S{letter}" for letter in ALPHABET]}
    counties = {"set": "counties", "code": [f"C{letter}" for letter in ALPHABET]}
    change("region_sets", lambda _: pd.concat([pd.DataFrame(states), pd.DataFrame(counties)]))
    descriptor = folder / "datapackage.json"
    own = r"^[A-Za-z0-9](\\.?[A-Za-z0-9_-])*$"  # codes of any country, as JSON writes it
    descriptor.write_text(descriptor.read_text("utf-8").replace("^[0-9]{6}$", own), "utf-8")
    (folder / "levels.csv").write_text(LEVELS, "utf-8")
    bands = "band,name_zh,name_en\nnorth,北部,North\nsouth,南部,South\n"
    (folder / "bands.csv").write_text(bands, "utf-8")
    return folder


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Twelve states of an invented realm, with inputs that are no proxies."""
    return build(load(_package(tmp_path_factory.mktemp("foreign") / "data")), draws=99, seed=1)


@pytest.fixture(scope="module")
def written(foreign):
    """Every page in both languages, by name and language."""
    found = {}
    for language in LANGUAGES:
        for code in ("SA", "SH", "CA"):
            context = report.open_report(foreign, code, language, date=DATE)
            found[code, language] = draw(context, report.SECTIONS)
        context = report.open_overview(foreign, "states", language, date=DATE)
        found["overview", language] = draw(context, overview_sections())
    return found


def _seen(html: str) -> str:
    """What a reader gets of a page, names of pictures and controls included."""
    soup = BeautifulSoup(html, "html.parser")
    for hidden in soup(["template", "style", "script"]):
        hidden.decompose()
    spoken = [
        str(value)
        for tag in soup.find_all(True)
        for name, value in tag.attrs.items()
        if name in ("alt", "title", "aria-label")
    ]
    return "\n".join([soup.get_text("\n"), *spoken])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["SA", "SH", "CA", "overview"])
def test_no_page_speaks_of_provinces_proxies_or_china(written, name, language):
    text = _seen(written[name, language])
    assert len(text) > 3000
    lines = [line for line in text.splitlines() if re.search(FORBIDDEN[language], line)]
    assert lines == []


def test_pages_say_the_words_of_the_package(written):
    assert "其他州" in _seen(written["SA", "zh"])
    assert "other states" in _seen(written["SA", "en"])
    assert "Freedonia as a whole" in _seen(written["SA", "en"])
    assert "counties of other states" in _seen(written["CA", "en"])
    assert "其他州" in _seen(written["CA", "zh"])
    assert "{" not in _seen(written["CA", "zh"])


# Texts that speak of proxies, counties or leagues, each shown only where a package holds such.
SAID = {
    "badge.proxy", "caution.proxy", "caveat.proxy", "chain.plan", "column.proxy_facts",
    "effect.limit.proxy",
    "findings.effect.what.proxy", "findings.effect.what.mixed", "findings.next.inputs",
    "findings.next.proxies", "fund.earmarked_provincial", "glossary.league",
    "glossary.league.text", "glossary.proxy", "index.summary.proxies", "index.made.proxies",
    "index.untold.proxies", "logic.count.proxies", "inputs.intro",
    "chain.plan.one", "norms.coverage", "norms.coverage.missing", "norms.coverage.museums",
    "norms.coverage.open",
    "norms.staff", "norms.staff.required", "norms.staff.unknown", "view.proxies",
    "view.unknown.investment.1", "view.unknown.effect.2", "view.unknown.scenarios.2",
    "word.proxy", "word.proxy.several",
}  # fmt: skip


def test_no_other_text_is_wired_to_a_country_a_level_or_to_proxies():
    wired = {
        key
        for key, text in texts().items()
        for language in LANGUAGES
        if re.search(FORBIDDEN[language], re.sub(r"\{\w+\}", "", text[language]))
    }
    assert wired - SAID == set()
    assert SAID - wired == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_front_page_names_levels_and_the_whole_as_the_package_does(written, foreign, language):
    regions = foreign.dataset.regions.set_index("code")
    entries, summaries = [], {}
    for (name, tongue), html in written.items():
        code = "" if name == "overview" else name
        names = {"zh": "总览", "en": "Overview"}
        if code:
            names = {one: regions.at[code, f"name_{one}"] for one in LANGUAGES}
        stem = f"{name}_{tongue}"
        summaries[stem] = read(html)
        entries.append({
            "stem": stem, "notebook": "region_report", "region": code, "names": names,
            "level": regions.at[code, "level"] if code else "overview", "language": tongue,
            "status": "made", "file": f"{stem}.html", "error": "", "simulated": True,
        })  # fmt: skip
    run = {"data": "data", "data_hash": "f00d", "commit": "1a2b3c4", "date": DATE}
    page = front.page({"run": run, "reports": entries}, summaries)
    soup = BeautifulSoup(page, "html.parser")
    tag = {"zh": "zh-CN", "en": "en"}
    text = "\n".join(item.get_text() for item in soup.select(f'[lang="{tag[language]}"]'))
    words = json.loads(soup.find("script", id="data").string)["words"]
    assert not re.search(FORBIDDEN[language], text.replace("中文", ""))
    assert not re.search("省|全国|中国|内蒙古|Mongolia|China", page)
    assert {"zh": "与弗里多尼亚之差", "en": "Against Freedonia"}[language] in text
    levels = [item.get_text() for item in soup.select('input[name="level"] + span')]
    assert levels == ["全部All", "州States", "郡Counties"]
    assert soup.select_one(".map") is None and soup.select_one("#dots") is not None
    assert words["nation"] == dict(zip(LANGUAGES, ROOT_NAMES, strict=True))
    assert {"zh": "弗里多尼亚", "en": "Freedonia"}[language] in soup.select_one(
        ".figure"
    ).get_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_notebook_views_of_inputs_and_of_what_is_open_name_no_proxies(foreign, language):
    page = report.open_overview(foreign, "states", language, date=DATE)
    views = [inputs.proxies(page), inputs.history(page)]
    views += [doubts.unknown(page, name, 3) for name in ("literacy", "investment", "scenarios")]
    for view in views:
        text = _seen(view._repr_html_())
        assert not re.search(FORBIDDEN[language], text), text
