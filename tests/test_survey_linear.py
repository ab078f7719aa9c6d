"""Linearised errors against R's survey and samplics, and what a design refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from evaluation.base.errors import KepuError
from evaluation.survey import linear, rates, respondents, weights

REFERENCE = Path(__file__).with_name("reference")
API = pd.read_csv(REFERENCE / "api.csv")
R = pd.read_csv(REFERENCE / "survey_r.csv", dtype={"domain": str}, keep_default_na=False,
                na_values={c: [""] for c in ("estimate", "se", "low", "high", "deff")})  # fmt: skip
NHANES = pd.read_csv(REFERENCE / "nhanes.csv.gz")


def told(design: str, statistic: str, domain: str = "") -> pd.Series:
    found = R[(R["design"] == design) & (R["statistic"] == statistic) & (R["domain"] == domain)]
    return found.iloc[0]


def of_arrays(
    values: dict[str, np.ndarray],
    weight: np.ndarray,
    *,
    stratum: np.ndarray | None = None,
    unit: np.ndarray | None = None,
    domain: np.ndarray | None = None,
    units: np.ndarray | None = None,
    lonely: str = "fail",
) -> linear.Totals:
    """Totals of a sample that is small enough for memory.

    Parameters
    ----------
    values : (n,) variables by name. weight : (n,). stratum, unit : (n,) labels; without units each
        respondent is one; units are numbered anew in each stratum. domain : (n,) labels, missing
        outside all domains. units : (n,) primary units in the population of each one's stratum.
    """
    n = len(weight)
    h, names = pd.factorize(np.zeros(n, int) if stratum is None else stratum, sort=True)
    u = pd.factorize(np.arange(n) if unit is None else unit)[0] + h * (n + 1)
    u, first = pd.factorize(u)[0], ~pd.Series(u).duplicated().to_numpy()
    drawn = np.bincount(h[first], minlength=len(names))
    there = np.full(len(names), np.inf)
    if units is not None:
        there[h] = units
    d, labels = pd.factorize(np.zeros(n, int) if domain is None else domain, sort=True)
    weights = np.where(d < 0, 0.0, weight)
    kept = {name: weights * np.where(d < 0, 0.0, x) for name, x in values.items()}
    frame = pd.DataFrame({**kept, "weight": weights, "count": (d >= 0).astype(float)})
    frame = frame.assign(h=h, u=u, d=d)[d >= 0].groupby(["h", "u", "d"], as_index=False).sum()
    return linear.Totals(
        linear.Design(drawn, there, np.asarray(names), lonely), pd.DataFrame({"domain": labels}),
        frame["h"].to_numpy(), frame["u"].to_numpy(), frame["d"].to_numpy(),
        frame["count"].to_numpy(), {name: frame[name].to_numpy() for name in [*values, "weight"]},
    )  # fmt: skip


def api(sample: str, *, domain=None, fpc: bool = True, lonely: str = "fail", rows=None):
    f = API[API["sample"] == sample] if rows is None else rows
    values = {name: f[name].fillna(0).to_numpy(float) for name in ("api00", "enroll", "api.stu")}
    values |= {"award": f["awards"].eq("Yes").to_numpy(float), "gain": (f["api00"] - f["api99"])}
    return of_arrays(
        {name: np.asarray(x) for name, x in values.items()}, f["pw"].to_numpy(), lonely=lonely,
        stratum=f["stype"].to_numpy() if sample == "strat" else None,
        unit=None if sample == "strat" else f["dnum"].to_numpy(),
        domain=None if domain is None else f[domain].to_numpy(dtype=object),
        units=f["fpc"].to_numpy() if fpc else None,
    )  # fmt: skip


def nhanes(domain):
    known = NHANES["HI_CHOL"].notna()
    return of_arrays(
        {"high": NHANES["HI_CHOL"].fillna(0).to_numpy()}, NHANES["WTMEC2YR"].to_numpy(),
        stratum=NHANES["SDMVSTRA"].to_numpy(), unit=NHANES["SDMVPSU"].to_numpy(),
        domain=domain.where(known).to_numpy(),
    )  # fmt: skip


def error(totals, z, contrast=None):
    return np.sqrt(totals.variance(z, contrast))


@pytest.mark.parametrize("sample", ["strat", "clus1", "clus2"])
def test_totals_means_ratios_and_domains_are_those_of_r(sample):
    whole, answer = api(sample), told(sample, "total enroll")
    y = whole.values["enroll"]
    assert whole.sums(y) == pytest.approx(answer["estimate"], rel=1e-10)
    assert error(whole, y) == pytest.approx(answer["se"], rel=1e-10)
    mean, z = whole.ratio("api00")
    answer = told(sample, "mean api00")
    assert [mean[0], error(whole, z)[0]] == pytest.approx(
        list(answer[["estimate", "se"]]), rel=1e-10
    )
    f = API[API["sample"] == sample]
    asked = api(sample, rows=f.assign(known=f["enroll"].notna().map({True: 1.0})), domain="known")
    ratio, z = asked.ratio("api.stu", "enroll")
    answer = told(sample, "ratio api.stu/enroll")
    assert [ratio[0], error(asked, z)[0]] == pytest.approx(
        list(answer[["estimate", "se"]]), rel=1e-10
    )
    types = api(sample, domain="stype")
    mean, z = types.ratio("api00")
    for i, name in enumerate(types.labels["domain"]):
        answer = told(sample, "mean api00", name)
        assert [mean[i], error(types, z)[i]] == pytest.approx(
            list(answer[["estimate", "se"]]), rel=1e-10
        )
    answer = told(sample, "difference api00", "H-E")
    assert mean[1] - mean[0] == pytest.approx(answer["estimate"], rel=1e-10)
    assert error(types, z, np.array([-1, 1, 0]))[0] == pytest.approx(answer["se"], rel=1e-10)


def test_domains_and_their_difference_in_nhanes_are_those_of_r():
    races = nhanes(NHANES["race"])
    share, z = races.ratio("high")
    found = error(races, z)
    for i, race in enumerate(races.labels["domain"]):
        answer = told("nhanes", "share HI_CHOL", str(int(race)))
        assert [share[i], found[i]] == pytest.approx(list(answer[["estimate", "se"]]), rel=1e-9)
    answer = told("nhanes", "difference HI_CHOL", "2-1")
    assert error(races, z, np.array([-1, 1, 0, 0]))[0] == pytest.approx(answer["se"], rel=1e-9)


def test_shares_have_the_intervals_of_r():
    asked = rates.Asked()
    totals = nhanes(NHANES["race"] * 0)
    cases = [("nhanes", "share HI_CHOL", totals, "high")]
    cases += [(s, "share awards", api(s), "award") for s in ("strat", "clus1", "clus2")]
    for design, statistic, totals, name in cases:
        p, z = totals.ratio(name)
        given = (p, totals.variance(z), totals.respondents(), totals.freedom())
        for interval, method in (("logit", "logit"), ("korn_graubard", "beta")):
            answer = told(design, f"{statistic} {method}")
            if design == "nhanes" and method == "beta":
                # R counts all of the file, also those outside the domain.
                given = (*given[:2], np.array([float(NHANES["HI_CHOL"].notna().sum())]), given[3])
            found = rates.intervals(*given, replace(asked, interval=interval))
            assert np.ravel(found) == pytest.approx(list(answer[["low", "high"]]), abs=2e-6)


def test_design_effects_are_those_of_r():
    """R divides by n - 1 what is divided by n here, as in v = deff p (1 - p) / n."""
    for sample in ("strat", "clus1", "clus2"):
        totals = api(sample)
        mean, z = totals.ratio("api00")
        f = API[API["sample"] == sample]
        spread = np.average((f["api00"] - mean[0]) ** 2, weights=f["pw"])
        deff = totals.variance(z)[0] * len(f) / spread
        n = len(f)
        assert deff * (n - 1) / n == pytest.approx(told(sample, "mean api00")["deff"], rel=1e-9)


@pytest.mark.parametrize("rule", ["remove", "adjust", "average"])
def test_lonely_units_are_handled_as_in_r(rule):
    f = API[API["sample"] == "strat"]
    one = pd.concat([f[f["stype"] != "H"], f[f["stype"] == "H"].iloc[:1]])
    totals = api("strat", rows=one, lonely=rule)
    mean, z = totals.ratio("api00")
    answer = told("lone", "mean api00", rule)
    assert [mean[0], error(totals, z)[0]] == pytest.approx(
        list(answer[["estimate", "se"]]), rel=1e-10
    )
    with pytest.raises(KepuError, match=r"1 strata have one primary unit \(H\).*remove, adjust"):
        api("strat", rows=one)


def test_answers_of_samplics_are_the_same_to_1e_8():
    found = pd.read_csv(REFERENCE / "survey_samplics.csv", keep_default_na=False)
    assert len(found) == 22
    for row in found.itertuples():
        if row.design == "nhanes":
            totals = nhanes(NHANES["race"])
            value, z = totals.ratio("high")
            at = list(totals.labels["domain"]).index(float(row.domain))
        else:
            f = API[(API["sample"] == row.design) & API["enroll"].notna()]
            by = "stype" if row.domain else None
            totals = api(row.design, fpc=False, rows=f, domain=by)
            if row.statistic.startswith("total"):
                z = totals.values["enroll"]
                value = totals.sums(z)
            else:
                names = ("api.stu", "enroll") if "ratio" in row.statistic else ("api00",)
                value, z = totals.ratio(*names)
            at = list(totals.labels["domain"]).index(row.domain) if by else 0
        assert value[at] == pytest.approx(row.estimate, rel=1e-8)
        assert error(totals, z)[at] == pytest.approx(row.se, rel=1e-8)


# The same through files and SQL: scores are a tenth of the schools' index.


@pytest.fixture(scope="module")
def schools(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schools")
    f = API.assign(score=API["api00"] / 10, wide=API["sch.wide"], award=API["awards"])
    for sample, rows in f.groupby("sample"):
        duckdb.from_df(rows).to_parquet(str(folder / f"{sample}.parquet"))

    def opened(sample: str) -> respondents.Respondents:
        own = {"stratum": "stype"} if sample == "strat" else {"psu": "dnum"}
        named = {"weight": "pw", "id": "snum", "type": "stype", "fpc": "fpc", **own}
        plan = respondents.Plan(named, by=("wide", "award"))
        return respondents.read([folder / f"{sample}.parquet"], plan)

    return opened


@pytest.mark.parametrize("sample", ["strat", "clus1", "clus2"])
def test_sql_gives_the_means_and_differences_of_r(schools, sample):
    with schools(sample) as read:
        mean = rates.rates(read, ["type"]).query("measure == 'mean'").set_index("type")
        gap = rates.differences(read, [], "type", ("E", "H")).query("measure == 'mean'").iloc[0]
        for name, row in mean.iterrows():
            answer = told(sample, "mean api00", name)
            assert [10 * row["estimate"], 10 * row["se"]] == pytest.approx(
                list(answer[["estimate", "se"]]), rel=1e-9
            )
        answer = told(sample, "difference api00", "H-E")
        assert [10 * gap["estimate"], 10 * gap["se"]] == pytest.approx(
            list(answer[["estimate", "se"]]), rel=1e-9
        )


@pytest.mark.parametrize("sample", ["strat", "clus1", "clus2"])
def test_quantiles_have_the_woodruff_intervals_of_r(schools, sample):
    with schools(sample) as read:
        found = rates.quantiles(read, [], [0.25, 0.5, 0.9])
    for row in found.itertuples():
        answer = told(sample, "quantile api00", f"{row.share:g}")
        assert [10 * row.estimate, 10 * row.low, 10 * row.high, 10 * row.se] == pytest.approx(
            list(answer[["estimate", "low", "high", "se"]]), rel=1e-9
        )


TYPES = pd.DataFrame({"type": ["E", "H", "M"], "total": [4421, 755, 1018]})
WIDE = pd.DataFrame({"wide": ["No", "Yes"], "total": [1072, 5122]})


@pytest.mark.parametrize(("name", "margins"), [("post", [TYPES]), ("raked", [TYPES, WIDE])])
def test_calibrated_means_and_errors_are_those_of_r(schools, name, margins):
    with schools("clus1") as read:
        fitted = weights.rake(read, margins)
        for by, domains in (([], [""]), (["type"], ["E", "H", "M"])):
            found = rates.rates(fitted, by).query("measure == 'mean'")
            for domain, row in zip(domains, found.itertuples(), strict=True):
                answer = told(name, "mean api00", domain)
                assert [10 * row.estimate, 10 * row.se] == pytest.approx(
                    list(answer[["estimate", "se"]]), rel=1e-7
                )
                assert row.method == "linearised, calibrated"
        totals = weights.diagnose(fitted, ["type"]).set_index("type")["total"]
        assert list(totals) == pytest.approx(list(TYPES["total"]), rel=1e-9)


@pytest.mark.parametrize(
    ("margins", "message"),
    [
        ([TYPES.iloc[:2]], "margin type: the sample has M and the margin has not"),
        ([pd.concat([TYPES, TYPES.iloc[:1].assign(type="X")])], "nobody in the sample is X"),
        ([TYPES, WIDE.assign(total=[1, 2])], r"add up to different numbers \(6,194, 3\)"),
        ([TYPES.assign(total=[0, 1, 2])], "totals above 0"),
        ([pd.concat([TYPES, TYPES])], "a cell stands twice"),
        ([TYPES.rename(columns={"type": "kind"})], "no column 'kind' to group by"),
    ],
)  # fmt: skip
def test_margins_that_do_not_fit_are_refused(schools, margins, message):
    with schools("clus1") as read, pytest.raises(KepuError, match=message):
        weights.rake(read, margins)


def test_trimming_keeps_totals_and_raises_the_effective_sample(schools):
    with schools("strat") as read:
        cut = weights.trim(read, 1.2)
        before, after = weights.diagnose(read).iloc[0], weights.diagnose(cut).iloc[0]
    assert after["total"] == pytest.approx(before["total"])
    assert after["most"] < before["most"] and after["effective"] > before["effective"]
    w = API.loc[API["sample"] == "strat", "pw"]
    assert before["effective"] == pytest.approx(w.sum() ** 2 / (w**2).sum())


def test_more_units_drawn_than_there_are_is_refused():
    f = API[API["sample"] == "clus1"].assign(fpc=3)
    with pytest.raises(KepuError, match="15 primary units were drawn of 3 — correct fpc"):
        api("clus1", rows=f)


def test_the_standard_for_proportions_names_what_to_suppress_and_to_flag():
    rows = [("share_70", 0.2, 0.17, 0.23, 900, 500, 60), ("share_70", 0.2, 0.02, 0.4, 29, 29, 60),
            ("share_70", 0.5, 0.33, 0.67, 90, 50, 60), ("share_70", 0.06, 0.02, 0.11, 200, 90, 60),
            ("share_70", 0.2, 0.17, 0.23, 900, 500, 7), ("share_70", 0.94, 0.89, 0.98, 200, 90, 60),
            ("share_70", 0.02, 0.005, 0.04, 400, 200, 60)]  # fmt: skip
    columns = ["measure", "estimate", "low", "high", "n", "effective", "free"]
    found = rates.presentation(pd.DataFrame(rows, columns=columns))
    assert list(found) == ["publish", "suppress", "suppress", "suppress", "flag", "flag", "publish"]
