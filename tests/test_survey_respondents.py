"""Files of respondents: what is read alike, what is refused and how, and what a truth says."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evaluation.base.errors import KepuError
from evaluation.survey import rates, respondents, simulate
from evaluation.survey.respondents import Plan, read

COUNTIES = pd.Series(
    [f"R{i % 12:02d}" for i in range(103)], [f"C{i:03d}" for i in range(103)], name="region"
)
MADE = simulate.population(COUNTIES, seed=3)
SAMPLE = simulate.draw(MADE, units=4, take=5, seed=5)


def csv(frame: pd.DataFrame, folder: Path, name: str = "people.csv", encoding="utf-8") -> Path:
    path = folder / name
    path.write_bytes(frame.to_csv(index=False).encode(encoding))
    return path


def shares(files, by=("region",), **plan) -> pd.DataFrame:
    with read(files, Plan(plan.pop("columns", {}), by=("sex", "age"), **plan)) as sample:
        return rates.rates(sample, by)


def test_all_ways_to_store_a_sample_give_the_same_rates(tmp_path):
    names = {"region": "旗县", "sex": "性别", "score": "得分"}
    expected = shares([csv(SAMPLE, tmp_path)])
    chinese = SAMPLE.rename(columns=names)
    columns = {role: name for role, name in names.items()}
    half = len(SAMPLE) // 2
    duckdb.from_df(SAMPLE.iloc[:half]).to_parquet(str(tmp_path / "a.parquet"))
    duckdb.from_df(SAMPLE.iloc[half:]).to_parquet(str(tmp_path / "b.parquet"))
    parts = tmp_path / "parts"
    for wave, frame in (("2024", SAMPLE), ("2025", SAMPLE.assign(score=0.0))):
        (parts / f"wave={wave}").mkdir(parents=True)
        duckdb.from_df(frame).to_parquet(str(parts / f"wave={wave}" / "p.parquet"))
    pd.testing.assert_frame_equal(
        shares([tmp_path / "a.parquet", tmp_path / "b.parquet"]), expected
    )
    gb = csv(chinese, tmp_path, "gb.csv", "gb18030")
    pd.testing.assert_frame_equal(shares([gb], columns=columns), expected)
    waves = shares([parts], by=("wave", "region"))
    first = waves[waves["wave"] == "2024"].drop(columns="wave").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, expected)


FAULTS = {
    "a missing weight": (
        lambda f: f.assign(weight=f["weight"].where(f.index != 7)),
        "1 of 2,060 respondents have no weight",
    ),
    "a weight of zero": (
        lambda f: f.assign(weight=f["weight"].where(f.index > 2, 0.0)),
        r"3 of 2,060 respondents have a weight that is not above 0 \(such as 0.0\)",
    ),
    "a negative weight": (
        lambda f: f.assign(weight=f["weight"].where(f.index != 2, -4.0)),
        r"not above 0 \(such as -4.0\)",
    ),
    "an infinite weight": (
        lambda f: f.assign(weight=f["weight"].where(f.index != 2, np.inf)),
        "a weight that is not above 0",
    ),
    "a score that is text": (
        lambda f: f.assign(score=f["score"].astype(object).where(f.index != 3, "absent")),
        "1 of 2,060 respondents have no score, or no number",
    ),
    "a score above 100": (
        lambda f: f.assign(score=f["score"].where(f.index != 3, 100.5)),
        r"a score outside 0 to 100 \(such as 100.5\) — bring the scores",
    ),
    "a cluster in two strata": (
        lambda f: f.assign(psu=f["psu"].where(f["stratum"] != "C001", 0)),
        r"1 primary units lie in two strata \(such as 0\)",
    ),
    "an unknown region": (
        lambda f: f.assign(region=f["region"].where(f.index > 0, "R99")),
        r"1 of 2,060 respondents have an unknown region \(such as R99\)",
    ),
    "a respondent twice": (
        lambda f: f.assign(id=f["id"].where(f.index != 9, 8)),
        r"1 ids stand in several rows \(such as 8\)",
    ),
    "two sizes of a stratum": (
        lambda f: f.assign(fpc=f["fpc"].where(f.index != 9, 8)),
        "1 strata have two values of fpc",
    ),
    "no stratum": (
        lambda f: f.assign(stratum=f["stratum"].where(f.index != 9)),
        "1 of 2,060 respondents have no stratum",
    ),
    "nobody": (lambda f: f.iloc[:0], "no respondent is in the files"),
    "no weights": (lambda f: f.drop(columns="weight"), "no column 'weight' for weight — name it"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_malformed_file_is_told_in_one_error_and_nothing_is_kept(fault, tmp_path, monkeypatch):
    spoil, message = FAULTS[fault]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with pytest.raises(KepuError, match=message) as told:
        read([csv(spoil(SAMPLE), tmp_path)], Plan({}, regions=sorted(set(COUNTIES))))
    assert len(str(told.value).splitlines()) <= 2
    assert list((tmp_path / "scratch").iterdir()) == []


def test_several_faults_are_told_together(tmp_path):
    frame = SAMPLE.assign(weight=-1.0, score=101.0)
    with pytest.raises(KepuError, match=r"(?s)weight that is not above 0.*score outside"):
        read([csv(frame, tmp_path)], Plan({}))


def test_two_encodings_in_one_file_and_none_are_refused(tmp_path):
    lines = csv(SAMPLE.assign(sex="男性"), tmp_path).read_bytes().split(b"\n")
    lines[5] = lines[5].decode().encode("gb18030")
    (tmp_path / "mixed.csv").write_bytes(b"\n".join(lines))
    with pytest.raises(KepuError, match=r"two encodings in one file, UTF-8 in line 2 .*in line 6"):
        read([tmp_path / "mixed.csv"], Plan({}))
    (tmp_path / "bad.csv").write_bytes(b"score,weight\n50,\xff\xff\n")
    with pytest.raises(KepuError, match="neither UTF-8 nor GB18030"):
        read([tmp_path / "bad.csv"], Plan({}))


@pytest.mark.parametrize(
    ("names", "message"),
    [(["x.csv", "x.parquet"], "csv or parquet, all alike; given: csv, parquet"),
     (["x.xlsx"], "given: xlsx"), (["away.csv"], "is not there"),
     (["broken.parquet"], "the respondents cannot be read")],
)  # fmt: skip
def test_other_files_are_refused(names, message, tmp_path):
    for name in ("x.csv", "x.parquet", "x.xlsx", "broken.parquet"):
        (tmp_path / name).write_bytes(b"score,weight\n")
    with pytest.raises(KepuError, match=message):
        read([tmp_path / name for name in names], Plan({}))


def test_units_numbered_in_each_stratum_are_told_apart(tmp_path):
    own = SAMPLE.assign(psu=SAMPLE["psu"] % 4)
    expected = shares([csv(SAMPLE, tmp_path)])
    with pytest.raises(KepuError, match=r"say so \(nested\)"):
        shares([csv(own, tmp_path)])
    pd.testing.assert_frame_equal(shares([csv(own, tmp_path)], nested=True), expected)


def test_without_units_each_respondent_is_one(tmp_path):
    """Equal totals are counted together in SQL; a frame of single units has the same errors."""
    frame = SAMPLE.drop(columns=["psu", "fpc"]).assign(score=SAMPLE["score"].round(-1))
    frame["weight"] = frame["weight"].round(-3) + 1000
    found = shares([csv(frame, tmp_path)], by=("sex",))
    single = shares([csv(frame.assign(psu=range(len(frame))), tmp_path)], by=("sex",))
    pd.testing.assert_frame_equal(found, single)


def test_waves_of_a_panel_are_compared_with_their_covariance(tmp_path):
    """A second wave in the same units, as everyone answers again 2 points better."""
    later = SAMPLE.assign(score=(SAMPLE["score"] + 2).clip(0, 100), id=SAMPLE["id"] + 10**6)
    both = pd.concat([SAMPLE.assign(wave=2024), later.assign(wave=2025)])
    path, gaps = csv(both, tmp_path), {}
    for panel in (False, True):
        with read([path], Plan({}, panel=panel)) as sample:
            gaps[panel] = rates.differences(sample, ["region"], "wave", ("2024", "2025"))
            single = rates.rates(sample, ["wave", "region"])
    means = {k: v.query("measure == 'mean'") for k, v in gaps.items()}
    assert means[True]["se"].max() < 0.1 < means[False]["se"].min()
    assert means[True]["estimate"].to_numpy() == pytest.approx(2, abs=0.1)
    mean = single.query("measure == 'mean' and region == 'R00'")
    apart = means[False].query("region == 'R00'")["se"].item()
    assert apart == pytest.approx(np.hypot(*mean["se"]), rel=0.02)


def test_a_shift_by_mode_moves_the_scores_of_that_mode_alone(tmp_path):
    path = csv(SAMPLE, tmp_path)
    with read([path], Plan({})) as plain, read([path], Plan({}, shifts={"web": -3.0})) as moved:
        before, after = (
            rates.rates(s, ["mode"]).query("measure == 'mean'") for s in (plain, moved)
        )
    change = after["estimate"].to_numpy() - before["estimate"].to_numpy()
    assert change == pytest.approx([0, -3], abs=0.02)
    with pytest.raises(KepuError, match="only where a column 'mode' is named"):
        read([csv(SAMPLE.drop(columns="mode"), tmp_path)], Plan({}, shifts={"web": 1}))


def test_a_breakdown_that_was_not_read_and_an_absent_wave_are_refused(tmp_path):
    with read([csv(SAMPLE, tmp_path)], Plan({})) as sample:
        with pytest.raises(KepuError, match="no column 'age' to group by — there are region, mode"):
            rates.rates(sample, ["age"])
        with pytest.raises(KepuError, match="no respondent has mode phone"):
            rates.differences(sample, [], "mode", ("web", "phone"))
        with pytest.raises(KepuError, match="no interval 'wald'"):
            rates.Asked(interval="wald")


def test_the_truth_of_a_simulated_population_is_the_mean_of_many_people():
    big = simulate.draw(simulate.Population(MADE.strata.iloc[:3]), units=2000, take=10, seed=1)
    hit = big.assign(hit=big["score"] >= 70).groupby("stratum")["hit"]
    p, truth = hit.mean(), MADE.share().iloc[:3]
    error = np.sqrt(3 * p * (1 - p) / hit.size())
    assert (abs(p - truth) < 4 * error).all()


def test_intervals_of_leagues_cover_the_truth_as_often_as_they_say(tmp_path):
    """Coverage of 95 % over 12 leagues in 40 samples, within its Monte Carlo error."""
    people, truth = MADE.strata["people"].to_numpy(), MADE.share().to_numpy()
    true = pd.Series(truth * people).groupby(COUNTIES.to_numpy()).sum()
    true /= pd.Series(people).groupby(COUNTIES.to_numpy()).sum()
    inside, draws = [], 40
    for seed in range(draws):
        sample = simulate.draw(MADE, units=4, take=10, seed=seed).drop(columns="fpc")
        path = tmp_path / f"{seed}.parquet"
        duckdb.from_df(sample).to_parquet(str(path))
        with respondents.read([path], Plan({})) as read_:
            found = rates.rates(read_, ["region"]).query("measure == 'share_70'")
        inside += list(true.between(found["low"].to_numpy(), found["high"].to_numpy()))
    low, high = stats.binom.ppf([0.001, 0.999], len(inside), 0.95) / len(inside)
    assert low <= np.mean(inside) <= high
