"""From one Excel file to finished reports, as an office would: new, import, check, batch.

The figures are invented with known effects of volunteers and sessions, so what the reports say can
be held against the truth; with no effect nothing may be claimed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from evaluation.study import build, load

LEAGUES = [
    "呼和浩特市", "包头市", "乌海市", "赤峰市", "通辽市", "鄂尔多斯市", "呼伦贝尔市", "巴彦淖尔市",
    "乌兰察布市", "兴安盟", "锡林郭勒盟", "阿拉善盟",
]  # fmt: skip
CITIES = [f"临江{name}市" for name in "东南西北中上下左右前后内外新老高"]
WAVES = (2018, 2020, 2022, 2024)
EFFECT = 0.6  # percentage points a year for a doubling
HEADERS = {
    "rate": "公民具备科学素质的比例（%）", "n": "有效样本量", "people": "常住人口（万人）",
    "museums": "科技馆数（座）", "caravans": "科普大篷车（辆）", "volunteers": "科普志愿者（人）",
    "officers": "科普信息员（人）", "sessions": "科普活动（场次）",
    "beneficiaries": "受益人次（万人次）", "funds": "科普经费（万元）",
}  # fmt: skip


def figures(names: list[str], effect: float, seed: int, head: str) -> pd.DataFrame:
    """A row a region and wave, as an officer writes it; both inputs work alike and alone."""
    rng, rows = np.random.default_rng(seed), []
    for name in names:
        people, rate = rng.uniform(60, 400), rng.uniform(5, 8)
        per = {"volunteers": rng.uniform(10, 80), "sessions": rng.uniform(4, 32)}
        for wave in WAVES:
            if wave > WAVES[0]:
                # Stocks count at the opening of the interval, flows within it.
                per["sessions"] *= rng.uniform(0.8, 1.4)
                doublings = np.log2(per["volunteers"] / 28) + np.log2(per["sessions"] / 11)
                rate = max(2.0, rate + 2 * (0.9 + effect * doublings) + rng.normal(0, 0.2))
                per["volunteers"] *= rng.uniform(0.8, 1.4)
            n = int(rng.uniform(20_000, 30_000))
            seen = 100 * rng.binomial(n // 2, rate / 100) / (n // 2)
            own = {
                "rate": round(seen, 2), "n": n, "people": round(people, 2),
                "museums": int(rng.integers(2, 12)), "caravans": int(rng.integers(1, 5)),
                "volunteers": round(per["volunteers"] * people),
                "officers": round(people * rng.uniform(2, 9)),
                "sessions": round(per["sessions"] * people),
                "beneficiaries": round(people * rng.uniform(0.05, 0.4), 2),
                "funds": round(people * rng.uniform(1.5, 6), 1),
            }  # fmt: skip
            rows.append({head: name, "年份": wave} | {HEADERS[k]: v for k, v in own.items()})
    return pd.DataFrame(rows)


def kepu(folder: Path, *words: str) -> str:
    """One command of the four, in a process of its own, as a person types it."""
    done = subprocess.run(
        [Path(sys.executable).with_name("kepu"), *words], cwd=folder, text=True,
        capture_output=True, timeout=600, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def package(folder: Path, *options: str, names: list[str], effect: float, head: str, seed: int = 3):
    """The first two commands: a package, and the office's file taken into it."""
    figures(names, effect, seed, head).to_excel(folder / "figures.xlsx", index=False)
    years = ",".join(map(str, WAVES))
    kepu(folder, "new", "own", *options, "--waves", years, "--organisation", "某科协")
    told = kepu(folder, "import", "figures.xlsx", "--into", "own")
    assert f"new: {len(names) * len(WAVES) * len(HEADERS)}, changed: 0" in told
    assert "refused: 0" in told
    return load(folder / "own" / "data")


@pytest.fixture(scope="module")
def leagues(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leagues")
    options = ("--from-national", "150000", "--level", "league:盟市:league:leagues")
    return folder, package(folder, *options, names=LEAGUES, effect=EFFECT, head="盟市")


def text_of(page: Path) -> str:
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    for part in soup(["script", "style", "template"]):
        part.extract()
    return re.sub(r"\s+", " ", soup.get_text(" "))


def all_depths(out: Path, stem: str) -> str:
    """The words of brief, report and annex of a region."""
    return " ".join(text_of(out / f"{stem}{depth}.html") for depth in ("_brief", "", "_annex"))


def test_the_planted_effects_are_inside_their_intervals(leagues):
    _, dataset = leagues
    study = build(dataset, draws=499)
    told = {e.dose: e.result for e in study.estimates if e.model == "gain_regression"}
    volunteers, sessions = told["st_volunteers"], told["kepu_activities"]
    for result in (volunteers, sessions):
        assert 0 < result.low < EFFECT < result.high
    assert study.headline.result.low > 0
    assert {"st_volunteers", "kepu_activities"} <= set(study.headline.parts)


def test_without_an_effect_nothing_is_claimed(tmp_path):
    """Single inputs may each err in one package of twenty; two of three would be no accident."""
    options, erring = ("--from-national", "150000", "--level", "league:盟市:league:leagues"), 0
    for seed in (11, 12, 13):
        folder = tmp_path / str(seed)
        folder.mkdir()
        dataset = package(folder, *options, names=LEAGUES, effect=0.0, head="盟市", seed=seed)
        study = build(dataset, draws=499)
        assert study.headline.result.verdict == "unknown"
        assert "associated" not in study.summary("en")
        main = [e for e in study.estimates if e.model == "gain_regression"]
        assert len(main) == 7
        erring += any(e.p_holm <= 0.05 for e in main)
    assert erring <= 1


def test_four_commands_lead_to_reports_in_both_languages(leagues):
    folder, _ = leagues
    checked = kepu(folder / "own", "check")
    assert "gain_regression, st_volunteers: 36 rows of 12 leagues" in checked
    assert "gain_regression, kepu_activities: 36 rows of 12 leagues" in checked
    made = kepu(folder / "own", "batch", "all", "--only", "150100", "--format", "html")
    assert "2 of 2 reports made" in made
    out = folder / "own" / "reports" / "out"
    zh, en = (all_depths(out, f"150100_{language}") for language in ("zh", "en"))
    assert "综合指数由" in zh and "科技志愿者" in zh and "科普活动场次" in zh
    # The composite's interval lies above zero; twelve leagues cannot rule other reasons out.
    assert "The inputs are joined in one index, made of" in en
    assert "Larger gains are associated with higher levels of the composite input" in en
    assert "Evidence grade 1 of 5" in en and "36 gains of 12 leagues" in en
    for word in ("province", "China", "prox"):
        assert word not in en
    for word in ("省份", "各省", "全国", "代理指标"):
        assert word not in zh
    # The whole was never surveyed: the brief sets nothing beside it, and says no line of it.
    brief = text_of(out / "150100_en_brief.html")
    assert "usable surveys of the region" in brief and "Inner Mongolia has" not in brief
    assert "Inner Mongolia by survey" not in brief
    # What was given is not said to be missing.
    assert (
        "没有查到呼和浩特市公布的科普经费" not in zh and "No science popularisation funds" not in en
    )


def test_cities_of_ones_own_list_are_compared_by_their_own_name(tmp_path):
    rows = [f"LJ{i:02},{name},Linjiang City {i}" for i, name in enumerate(CITIES, 1)]
    (tmp_path / "list.csv").write_text("code,name_zh,name_en\n" + "\n".join(rows) + "\n", "utf-8")
    options = (
        "--whole",
        "临江省/Linjiang",
        "--level",
        "city:城市:city:cities",
        "--regions",
        "list.csv",
    )
    dataset = package(tmp_path, *options, names=CITIES, effect=EFFECT, head="城市")
    assert len(dataset.model_regions) == 16 and dataset.words("en")["units"] == "cities"
    study = build(dataset, draws=299)
    result = next(e.result for e in study.estimates if e.dose == "st_volunteers" and e.result)
    assert result.clusters == 16 and result.low < EFFECT < result.high
    kepu(tmp_path / "own", "batch", "all", "--only", "LJ03", "--format", "html")
    en = all_depths(tmp_path / "own" / "reports" / "out", "LJ03_en")
    assert "16 cities" in en and "province" not in en and "China" not in en and "prox" not in en
