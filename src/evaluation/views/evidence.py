"""What is published, who published it and which figures are barred from estimates."""

from __future__ import annotations

import pandas as pd

from evaluation.data.rules import BARRED, RATE
from evaluation.observations import grade_of, has_caveat
from evaluation.report import OVERVIEW
from evaluation.report.blocks import Paragraph
from evaluation.report.context import Context
from evaluation.views import View, show, table

GRADES = ("A", "B", "C")


def surveyed(page: Context) -> pd.DataFrame:
    """All surveyed literacy rates of whole regions, flagged ones included."""
    facts = page.study.dataset.facts
    whole = (facts["indicator"] == RATE) & (facts["kind"] == "survey") & (facts["group"] == "")
    return facts[whole]


def contents(page: Context) -> View:
    """Facts by domain: how many, on how many regions, from when to when, how many are proxies."""
    w, data = page.writer, page.study.dataset
    facts = data.facts.merge(data.indicators[["indicator", "domain", "proxy"]], on="indicator")
    rows = []
    for domain, part in sorted(facts.groupby("domain"), key=lambda item: -len(item[1])):
        years = part["year"].dropna()
        counts = {
            "facts": len(part),
            "regions": part["region_code"].nunique(),
            "proxies": int(part["proxy"].sum()),
        }
        cells = [w.number(f"contents.{domain}.{k}", v, "", 0) for k, v in counts.items()]
        rows.append((w.t(f"domain.{domain}"), *cells, w.period(str(years.min()), str(years.max()))))
    lead = w.t(
        "view.contents",
        facts=w.number("contents.facts", len(data.facts), "", 0),
        regions=w.number("contents.regions", data.facts["region_code"].nunique(), "", 0),
        sources=w.number("contents.sources", len(data.sources), "", 0),
        rates=w.number("contents.rates", len(surveyed(page)), "", 0),
    )
    columns = ("domain", "facts", "regions", "proxy_facts", "period")
    body = table(page, w.t("view.contents.table"), columns, rows, (1, 2, 3))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.contents.note"), "note"))


def grades(page: Context) -> View:
    """Sources, facts and surveyed rates by the grade of the best source."""
    w, data, rates = page.writer, page.study.dataset, surveyed(page)
    frame = pd.DataFrame(
        {
            "sources": data.sources["grade"].value_counts(),
            "facts": grade_of(data.facts, data.sources).value_counts(),
            "rates": grade_of(rates, data.sources).value_counts(),
        }
    )
    frame = frame.reindex(GRADES).fillna(0).astype(int)
    rows = [
        (
            grade,
            w.t(f"grade.{grade}"),
            *(w.number(f"grades.{grade}.{k}", v, "", 0) for k, v in frame.loc[grade].items()),
        )
        for grade in GRADES
    ]
    lead = w.t(
        "view.grades",
        rates=w.number("contents.rates", len(rates), "", 0),
        twice=w.number("grades.twice", int((rates["corroborated"] >= 2).sum()), "", 0),
        reprints=w.number("grades.C.rates", frame.at["C", "rates"], "", 0),
    )
    columns = ("grade", "meaning", "sources", "facts", "surveyed")
    body = table(page, w.t("view.grades.table"), columns, rows, (2, 3, 4))
    return show(page, Paragraph(lead), body)


def flags(page: Context) -> View:
    """Each caveat, the facts and rates that carry it, and whether it bars them from estimates."""
    w, facts, rates = page.writer, page.study.dataset.facts, surveyed(page)
    marks = facts["caveats"].str.split(";").explode()
    marks = marks[marks != ""]
    on_rates = marks[marks.index.isin(rates.index)].value_counts()
    rows = []
    for flag, count in marks.value_counts().items():
        use = "barred" if flag in BARRED else "used"
        cells = (
            w.number(f"flags.{flag}", int(count), "", 0),
            w.number(f"flags.{flag}.rates", int(on_rates.get(flag, 0)), "", 0),
        )
        rows.append((w.t(f"caveat.{flag}"), *cells, w.t(f"view.flags.{use}")))
    lead = w.t(
        "view.flags",
        rates=w.number("contents.rates", len(rates), "", 0),
        barred=w.number("flags.barred", int(has_caveat(rates).sum()), "", 0),
    )
    columns = ("flag", "facts", "surveyed", "use")
    body = table(page, w.t("view.flags.table"), columns, rows, (1, 2))
    return show(page, Paragraph(lead), body)


def coverage(page: Context) -> View:
    """The tile chart of the overview, and how often regions were published."""
    w, rates = page.writer, page.study.rates
    own = rates[rates["region_code"].isin(page.codes) & (rates["wave"] >= page.first_year)]
    waves = own.groupby("region_code")["wave"].size()
    waves = waves.reindex(page.codes).fillna(0)
    counts = {"never": waves == 0, "once": waves == 1, "twice": waves == 2, "often": waves >= 3}
    values = {k: w.number(f"coverage.{k}", int(v.sum()), "", 0) for k, v in counts.items()}
    total = w.number("overview.regions", len(page.codes), "", 0)
    chart = OVERVIEW["regions"](page).blocks[0]
    return show(page, chart, Paragraph(w.t("view.coverage", total=total, **values)))
