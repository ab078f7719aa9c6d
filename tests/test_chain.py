"""From money to target on one page: the region's own figures, every link, both languages."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from conftest import DATE, REGIONS
from evaluation import report
from evaluation.base.text import LANGUAGES, t
from evaluation.report.chain import FUNDED, LINKS, MONEY
from evaluation.report.inputs import TOLD_FIRST

# A folder named by the environment holds the documents with their ledgers.
DOCUMENTS = Path(os.environ.get("KEPU_DOCUMENTS", "documents"))
LEDGER = DOCUMENTS / "inner_mongolia_2023.ledger.csv"


def chain(pages, code: str, language: str):
    return pages(code, language).soup.find("section", id="chain")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REGIONS)
def test_every_link_is_told_or_said_to_be_missing(pages, dataset, code, language):
    links = chain(pages, code, language).find("ul", class_="key").find_all("li")
    labels = [link.find("strong").get_text(strip=True) for link in links]
    words = dataset.words(language)
    assert labels == [t(f"chain.label.{name}", language, **words) for name in LINKS]
    for link, label in zip(links, labels, strict=True):
        assert len(link.get_text(strip=True)) > len(label) + 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_chain_of_inner_mongolia_stands_on_its_own_documents(pages, dataset, language):
    found = chain(pages, "150000", language)
    facts = dataset.facts.set_index("fact_id")
    shown = facts.loc[[item["data-fact"] for item in found.find_all(attrs={"data-fact": True})]]
    own = shown[(shown["region_code"] == "150000") & (shown["kind"] == "statistic")]
    values = dict(zip(own["indicator"], own["value"], strict=True))
    assert (values[MONEY], values[FUNDED]) == (118e6, 60)
    assert values["science_museums_banner_level_and_above"] == 84
    assert values["mobile_science_museum_sets"] == 49
    assert (own["caveats"] == "").all()
    rates = shown[shown["indicator"] == "science_literacy_rate"]
    assert {8.73, 10.04} <= set(rates["value"])
    results = {item["data-result"] for item in found.find_all(attrs={"data-result": True})}
    assert {"outlook.150000.2025", "backtest.150000.mean"} <= results
    assert {"evidence.locks", "backtest.average.mae"} <= results
    assert not [key for key in results if key.endswith(".2035") or key.startswith("value.")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_city_without_a_survey_borrows_nothing(pages, dataset, language):
    text = chain(pages, "150100", language).get_text()
    name, words = {"zh": "呼和浩特市", "en": "Hohhot"}[language], dataset.words(language)
    assert t("chain.money.none", language, region=name, **words) in text
    assert t("chain.target.none", language, region=name, **words) in text
    assert t("chain.tracked.none", language, count="4") in text


@pytest.mark.skipif(not LEDGER.exists(), reason="the region's documents are not beside the project")
def test_inputs_are_printed_as_the_document_prints_them(dataset):
    with LEDGER.open(encoding="utf-8") as file:
        ledger = {row["indicator"]: float(row["value"]) for row in csv.DictReader(file)}
    facts = dataset.facts
    own = facts[(facts["region_code"] == "150000") & (facts["source_id"] == "IM2023")]
    values = dict(zip(own["indicator"], own["value"], strict=True))
    told = [name for name in (MONEY, FUNDED, *TOLD_FIRST) if name in values and name in ledger]
    assert len(told) >= 6
    assert {name: values[name] for name in told} == {name: ledger[name] for name in told}


def test_where_nothing_is_published_the_page_says_so(study):
    page = report.open_report(study, "540000", "en", date=DATE)
    text = str(report.SECTIONS["chain"](page).html())
    assert "No science popularisation funds published by Xizang were found." in text
    assert "raised in China in" in text


def test_a_target_seen_reached_only_after_its_year_is_told_apart(study):
    """Xizang: 5 % due in 2020, first surveyed in 2023."""
    page = report.open_report(study, "540000", "en", date=DATE)
    told = str(report.SECTIONS["targets"](page).html())
    assert "whether it was reached in time cannot be told" in told
    assert "reached by a later survey" in str(report.SECTIONS["findings"](page).html())


def test_a_region_is_not_set_beside_itself_by_name(study):
    """Beijing holds the fastest gain from a level like its own."""
    page = report.open_report(study, "110000", "en", date=DATE)
    assert "the region itself" in str(report.SECTIONS["targets"](page).html())
