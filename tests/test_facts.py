"""What the pages print agrees with the documents: each kind of slip, over all data and reports."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from conftest import DATE, REGIONS
from evaluation import report
from evaluation.base.text import LANGUAGES, t, texts
from evaluation.data.contract import check
from evaluation.data.package import has_caveat, only_copies, targets
from evaluation.report.chain import unit_costs
from evaluation.report.governance import GROUPS
from evaluation.survey.standing import assess
from evaluation.targets.gains import claimed
from test_contract import edit, package

__all__ = ["package"]  # a fixture

DATA = Path(__file__).resolve().parents[1] / "data"
DOCUMENTS = ("IM2021", "IM2023", "IM2024", "HH2022", "ORD2024")
LATIN_REMARK = re.compile(r"[(（][^()（）]*[a-z]{4,}[^()（）]*[)）]")
HAN = re.compile(r"[\u4e00-\u9fff]")


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(DATA / f"{name}.csv", dtype=str, keep_default_na=False)


def listed(ids: str) -> set[str]:
    return set(ids.split(";"))


def section(pages, code: str, language: str, name: str):
    return pages(code, language).soup.find("section", id=name)


# --- sources: one article, one row; who published first; copies --------------------------------


def plain(title: str) -> str:
    return re.sub(r"\W", "", title)


def test_one_article_is_one_source():
    rows = table("sources")
    dated = rows[rows["date"] != ""]
    named = Counter(zip(dated["title"].map(plain), dated["date"], strict=True))
    assert [key for key, count in named.items() if count > 1] == []
    # A repository holds many tables; any other address is one publication.
    own = rows[(rows["url"] != "") & ~rows["url"].str.contains("github.com")]
    assert own.loc[own["url"].duplicated(keep=False), "source_id"].tolist() == []


def test_titles_hold_no_remarks_of_whoever_entered_them():
    rows = table("sources")
    chinese = rows[rows["title"].map(lambda text: bool(HAN.search(text)))]
    odd = chinese[chinese["title"].map(lambda text: bool(LATIN_REMARK.search(text)))]
    assert odd["title"].tolist() == []
    words = rows["title"] + rows["publisher"]
    assert not words.str.contains(r"not seen|load script|repost|转载|npm|news item").any()


def test_a_source_without_an_author_has_the_lowest_grade_and_a_repository_is_a_copy():
    rows = table("sources")
    assert set(rows.loc[rows["publisher"] == "", "grade"]) == {"C"}
    code = rows[rows["url"].str.contains("github.com")]
    assert len(code) > 10
    assert set(code["mirror"]) == {"true"}
    on_file = rows[rows["source_id"].isin(DOCUMENTS)]
    assert set(on_file["mirror"]) == {"false"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REGIONS)
def test_every_citation_of_a_copy_says_so(pages, code, language):
    copies = set(table("sources").query("mirror == 'true'")["source_id"])
    word = t("badge.copy", language, grade="").strip()
    cited = 0
    for mark in pages(code, language).soup.find_all("span", class_="span"):
        source, grade = mark.find("cite"), mark.find("span", class_="grade")
        if source is not None and grade is not None:
            cited += 1
            assert (word in grade.get_text()) == (source.get_text() in copies), source
    assert cited > 3


def test_a_value_seen_only_in_a_copy_is_told_from_one_confirmed_elsewhere(dataset):
    facts = dataset.facts.set_index("fact_id", drop=False)
    alone = only_copies(facts, dataset.sources)
    assert alone["F00049"]  # a table in a code repository, and no other source
    assert not alone["F00046"]  # the regional plan at a copy, and the association's own page


# --- facts: one figure, one row; kinds; dates --------------------------------------------------


def test_one_figure_is_one_row():
    key = ["region_code", "period_start", "period_end", "series", "group", "kind", "value"]
    rows = table("facts")
    assert rows.loc[rows.duplicated(key, keep=False), "fact_id"].tolist() == []


def test_one_thing_has_one_indicator():
    rows = table("indicators")
    assert not rows["label_zh"].duplicated().any()
    assert not rows["label_zh"].str.contains("自治区科普统计|地方报道").any()


def test_no_figure_is_dated_after_its_source():
    """What lies ahead of a document is planned: a target, or the term of a norm."""
    dates = table("sources").set_index("source_id")["date"]
    rows = table("facts").query("kind in ('survey', 'statistic') and period_end != ''")
    late = []
    for row in rows.itertuples():
        printed = [dates[name][:4] for name in listed(row.source_id) if dates[name]]
        if printed and row.period_end[:4] > max(printed):
            late.append((row.fact_id, row.period_end, max(printed)))
    assert late == []


def test_what_a_plan_foresees_lies_in_its_term():
    rows = table("facts").query("source_id == 'HH2022' and kind == 'target'")
    assert len(rows) == 5
    assert set(zip(rows["period_start"], rows["period_end"], strict=True)) == {("2021", "2025")}


def test_words_for_just_below_and_within_are_kept():
    rows = table("facts")
    written = rows[rows["figure_as_written"].str.match("近[0-9]")]
    assert len(written) >= 2
    assert set(written["comparator"]) == {"nearly"}
    within = rows[rows["figure_as_written"].str.match("前[0-9]+位")]
    assert set(within["comparator"]) == {"<="}
    assert t("number.nearly", "zh", value="500人") == "近500人"


# --- weak sources ------------------------------------------------------------------------------


def test_what_rests_on_a_weak_source_alone_is_barred(dataset):
    """A source one of whose figures is flagged as weak carries no unflagged figure by itself."""
    facts = dataset.facts
    weak = facts[facts["caveats"].str.contains("weak_source")]
    assert len(weak) >= 3
    alone = facts[facts["source_id"].isin(set(weak["source_id"]))]
    assert alone.loc[~has_caveat(alone), "fact_id"].tolist() == []


def test_a_flagged_target_gives_no_verdict(dataset, study):
    goals = targets(dataset)
    flagged = goals[goals["flagged"]]
    assert flagged["fact_id"].tolist() == ["F00047"]
    rates = study.rates[study.rates["region_code"] == "150000"]
    assert assess(flagged.iloc[0], rates, 2026).status == "flagged"
    assert assess(flagged.iloc[0], rates.iloc[:0], 2026).latest is None
    # The same target from a source of standing would be missed.
    sound = flagged.assign(flagged=False).iloc[0]
    assert assess(sound, rates, 2026).status == "missed"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["findings", "chain", "targets"])
def test_no_page_says_that_a_flagged_target_was_missed(pages, name, language):
    text = section(pages, "150000", language, name).get_text(" ")
    assert {"zh": "薄弱的来源", "en": "weak source"}[language] in text
    assert {"zh": "没有达到", "en": "was missed"}[language] not in text


# --- claims ------------------------------------------------------------------------------------


def verdicts(dataset) -> dict[str, str]:
    regions = set(dataset.claims["region_code"])
    return {
        item.claim["claim_id"]: item.verdict
        for code in regions
        for item in claimed(dataset.claims, dataset.facts, code)
    }


def test_claims_are_judged_by_the_figures(dataset):
    found = verdicts(dataset)
    assert found["K002"] == "disagrees"  # 8.73 where more than 9 was expected
    assert found["K003"] == "agrees"  # 5.14 against more than 4.75
    assert found["K005"] == "agrees"  # 10.04 - 8.73 = 1.31
    assert found["K006"] == "partly"  # 84 museums for 80 units, 53 of them of banner level
    assert found["K001"] == found["K008"] == "open"


def test_a_verdict_follows_the_figures_and_not_the_row(dataset):
    facts = dataset.facts.copy()
    facts.loc[facts["fact_id"] == "F00046", "value"] = 9.5
    (found,) = [
        item
        for item in claimed(dataset.claims, facts, "150000")
        if item.claim["claim_id"] == "K002"
    ]
    assert found.verdict == "agrees"


@pytest.mark.parametrize(
    ("checks", "rule"),
    [("F00001>F99999", "'F99999' is not in facts.csv"), ("F00001<F00002", "different units")],
)
def test_a_claim_compares_facts_that_exist_and_are_alike(package, checks, rule):
    units = pd.read_csv(package / "facts.csv", dtype=str)["unit"]
    other = int((units != units[0]).idxmax()) + 2
    edit(package, "facts", 2, fact_id="F00001")
    edit(package, "facts", other, fact_id="F00002")
    head = (package / "claims.csv").read_text("utf-8").splitlines()[0].split(",")
    row = dict.fromkeys(head, "x") | {
        "claim_id": "K001", "region_code": "150100", "year": "2020", "checks": checks,
        "source_id": pd.read_csv(package / "sources.csv")["source_id"][0],
    }  # fmt: skip
    with (package / "claims.csv").open("a", encoding="utf-8", newline="") as stream:
        csv.DictWriter(stream, head).writerow(row)
    assert any(rule in str(item) for item in check(package))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["150000", "150600"])
def test_claims_stand_beside_what_the_data_say(pages, dataset, code, language):
    shown = section(pages, code, language, "targets")
    found = claimed(dataset.claims, dataset.facts, code)
    assert len(found) >= 3
    for item in found:
        row = shown.find(attrs={"data-row": f"claims:{item.claim['claim_id']}"}).find_parent("tr")
        assert t(f"claims.{item.verdict}", language) in row.get_text(" ")
        cited = {cite.get_text() for cite in row.find_all("cite")}
        assert listed(item.claim["source_id"]) <= cited
        assert item.claim[f"place_{language}"] in cited


# --- norms and costs ---------------------------------------------------------------------------


def test_units_outside_districts_are_the_units_less_the_districts(dataset):
    facts, regions = dataset.facts, dataset.regions
    counted = facts[facts["indicator"] == "county_level_units_outside_districts"]
    for code, value in zip(counted["region_code"], counted["value"], strict=True):
        inside = regions[regions["parent_code"] == code]
        leagues = regions.loc[regions["parent_code"] == code, "code"]
        below = regions[regions["parent_code"].isin(leagues)] if code == "150000" else inside
        kinds = {"county", "county_city", "banner", "autonomous_banner"}
        assert value == below["level"].isin(kinds).sum(), code
    assert counted.set_index("region_code").at["150000", "value"] == 80


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", [*REGIONS, "630000"])
def test_a_plan_costs_its_units_times_what_one_costs_a_year(study, code, language):
    page = report.open_report(study, code, language, date=DATE)
    text = str(report.SECTIONS["chain"](page).html())
    done, key = page.writer.computed, f"chain.{code}"
    if f"{key}.plan" not in done:
        assert texts()["chain.plan"][language].split("{")[0] not in text
        return
    costs = unit_costs(page)
    assert done[f"{key}.plan"] == pytest.approx(done[f"{key}.added"] * done[f"{key}.a_museum"])
    assert done[f"{key}.plan.low"] == pytest.approx(done[f"{key}.added"] * min(costs))
    assert done[f"{key}.plan.high"] == pytest.approx(done[f"{key}.added"] * max(costs))
    assert done[f"{key}.plan"] == pytest.approx(17.3e6, rel=0.01)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_norm_is_of_the_workforce_and_not_of_posts(pages, language):
    wrong = {"zh": "编制标准", "en": "Staffing norm"}[language]
    for key, row in texts().items():
        assert wrong not in row[language], key
    for name in ("label", "definition"):
        assert not table("indicators")[f"{name}_{language}"].str.contains(wrong).any()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REGIONS)
def test_a_norm_stands_only_where_it_was_set_or_holds(pages, dataset, code, language):
    """A norm of one region says nothing of another's museums and associations."""
    facts = dataset.facts
    parent = dataset.regions.set_index("code")["parent_code"]
    named = facts["indicator"].str.startswith("county_kepu_staff_norm")
    set_by = set(facts.loc[named & (facts["kind"] == "norm"), "region_code"])
    held = bool({code, parent[code]} & set_by)
    text = section(pages, code, language, "inputs").get_text()
    assert (str(texts()["norms.title"][language]) in text) == held


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REGIONS)
def test_no_chance_is_told_that_the_region_s_own_errors_overturn(pages, study, code, language):
    found = study.outlook
    shown = section(pages, code, language, "targets").find_all(attrs={"data-result": True})
    told = {item["data-result"] for item in shown}
    facts = study.dataset.facts.set_index("fact_id")
    for key in told:
        if key.startswith(f"chance.{code}."):
            goal = facts.loc[key.rpartition(".")[2]]
            assert found.holds(code, int(goal["period_end"]), float(goal["value"]))


# --- what is science popularisation, and whose -------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REGIONS)
def test_only_science_popularisation_stands_among_inputs(pages, dataset, code, language):
    scope = dataset.indicators.set_index("indicator")["scope"]
    facts = dataset.facts.set_index("fact_id")["indicator"]
    proxies = set(dataset.indicators.loc[dataset.indicators["proxy"], "indicator"])
    about = {"county_level_units", "county_level_units_outside_districts",
             "county_level_units_populous"}  # fmt: skip
    shown = section(pages, code, language, "inputs").find_all(attrs={"data-fact": True})
    named = {facts[item["data-fact"]] for item in shown} - proxies - about
    assert {scope[name] for name in named} <= {"kepu"}


def test_party_meetings_honours_papers_and_editions_are_no_inputs(dataset):
    """Words that tell other work of the associations, whatever the domain."""
    words = "党|学术|论文|届次|优秀科技工作者|最美科技工作者|候选|评审|学会|“科创中国”试点"
    rows = dataset.indicators
    named = rows[rows["label_zh"].str.contains(words)]
    assert len(named) > 15
    assert set(named["scope"]) <= {"association", "other"}


# Who is meant: a figure that stands in a group names its people or a programme for them.
PEOPLE = {
    "youth": "青少年|学生|学校|中学生|校|科学家精神|双减|科技教育",
    "farmers": "农|科技小院|百名专家",
    "industrial_workers": "产业工人|创新方法|职工",
    "elderly": "老",
    "officials": "干部|公务员",
}


def test_a_figure_in_a_group_is_about_its_people():
    labels = table("indicators").set_index("indicator")["label_zh"]
    rows = table("facts")
    rows = rows[rows["group"].str.removeprefix("key_group=").isin(GROUPS)]
    rows = rows[rows["indicator"] != "science_literacy_rate"]
    assert len(rows) > 20
    for row in rows.itertuples():
        group = row.group.removeprefix("key_group=")
        assert re.search(PEOPLE[group], labels[row.indicator]), (row.fact_id, labels[row.indicator])


def test_a_programme_of_funds_is_one_everywhere():
    rows = table("indicators")
    named = rows[rows["label_zh"].str.startswith("基层科普行动计划")]
    assert len(named) >= 3
    assert set(named["domain"]) == {"fund"}


# --- measures, targets, programmes -------------------------------------------------------------


def numbers(text: str) -> set[float]:
    sizes = re.findall(r"([0-9][0-9,.]*)\s*(万|million)?", text)
    scale = {"万": 1e4, "million": 1e6, "": 1}
    return {float(digits.replace(",", "").rstrip(".")) * scale[size] for digits, size in sizes}


def test_quantified_targets_say_the_same_in_both_languages_and_in_the_title():
    rows = table("measures")
    rows = rows[rows["quantified_target_zh"] != ""]
    assert len(rows) >= 6
    for row in rows.itertuples():
        zh, en = numbers(row.quantified_target_zh), numbers(row.quantified_target_en)
        assert zh == en, row.measure_id
        assert zh <= numbers(row.title_zh), row.measure_id
        assert zh <= numbers(row.title_en), row.measure_id


def test_targets_of_the_documents_stand_in_a_measure():
    facts = table("facts")
    facts = facts[facts["source_id"].isin(DOCUMENTS) & facts["kind"].isin(["target", "norm"])]
    stated = set().union(*table("measures")["quantified_target_zh"].map(numbers))
    missing = {float(value) for value in facts["value"]} - stated
    assert missing == {3.0}  # three levels, written 三级


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["150000", "150100", "150600"])
def test_every_quantified_target_and_programme_is_shown(pages, dataset, code, language):
    page = pages(code, language).soup
    rows = dataset.measures
    own = rows[rows["region_code"] == ("150000" if code == "150600" else code)]
    for row in own[own["quantified_target_zh"] != ""].to_dict("records"):
        shown = page.find_all(attrs={"data-row": f"measures:{row['measure_id']}"})
        assert row[f"quantified_target_{language}"] in {item.get_text() for item in shown}
    named = dataset.programmes[dataset.programmes["region_code"] == code]
    assert len(named) >= 8
    for row in named.to_dict("records"):
        shown = page.find(attrs={"data-row": f"programmes:{row['programme_id']}"}, class_=None)
        assert shown.get_text() == row[f"name_{language}"]
        in_groups = row["target_group"] in GROUPS
        assert shown.find_parent("section")["id"] in ({"groups"} if in_groups else {"governance"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plan_that_is_known_and_not_held_is_said_to_be_there(pages, language):
    plan = {"zh": "本地区没有单独的措施清单", "en": "has no list of measures of its own"}
    told = {"zh": "有自己的方案", "en": "has a plan of its own"}
    text = pages("150600", language).soup.get_text(" ")
    assert told[language] in text
    assert plan[language] not in text


def test_a_package_without_programmes_and_claims_is_whole(package):
    for name in ("claims", "programmes"):
        (package / f"{name}.csv").unlink()
    descriptor = package / "datapackage.json"
    found = json.loads(descriptor.read_text("utf-8"))
    found["resources"] = [
        item for item in found["resources"] if item["name"] not in ("claims", "programmes")
    ]
    descriptor.write_text(json.dumps(found), "utf-8")
    assert check(package) == []
