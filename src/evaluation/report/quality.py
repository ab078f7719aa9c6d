"""Quality of the data, sources, method, glossary and provenance."""

from __future__ import annotations

import json
import re

import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.text import link
from evaluation.data.package import grade_of, has_caveat, only_copies
from evaluation.data.rules import BARRED
from evaluation.report.blocks import Heading, Items, Paragraph, Section, Table, Terms
from evaluation.report.overview import coverage_figure, coverage_of, element
from evaluation.report.page import DASH, Context, Parts, View, show, table, titled

# Section: data quality — coverage, contradictions, assumptions.
_TOKEN = re.compile(r"\{(?:(sum|diff):)?([F0-9;]+)\}|(?<!\d)((?:19|20)\d\d)(?!\d)")


def section(context: Context) -> Section:
    w = context.writer
    parts: Parts = {
        "coverage": [Paragraph(_summary(context)), _coverage(context)],
        "contradictions": titled(w.t("quality.contradictions"), _contradictions(context)),
        "assumptions": [
            Heading(w.t("quality.assumptions")),
            Paragraph(w.t("quality.assumptions.note"), "note"),
            _assumptions(context),
        ],
        "breaks": titled(w.t("quality.breaks"), [breaks(context)]),
    }
    return Section.of("quality", w.t("quality.title"), parts)


def _summary(context: Context) -> Markup:
    w, facts, key = context.writer, context.facts, f"facts.{context.code}"
    counts = grade_of(facts, context.study.dataset.sources).value_counts()
    counts = counts.reindex(GRADES, fill_value=0).to_dict()
    counts |= {"flagged": facts["caveats"].ne("").sum(), "barred": has_caveat(facts).sum()}
    total = w.number(key, len(facts), "", 0)
    return w.t("quality.summary", region=context.name, total=total, **w.numbers(key, **counts))


def _coverage(context: Context) -> Table:
    """Which waves hold a rate of the region, usable or flagged."""
    w, state, waves = context.writer, coverage_of(context), context.study.dataset.waves["wave"]
    cells = [
        (w.year(wave), w.t(f"coverage.{state(context.code, wave)}"))
        for wave in waves[waves >= context.first_year]
    ]
    return table(context, w.t("quality.coverage", region=context.name), ("wave", "state"), cells)


def _fill(context: Context, identifier: str, text: str) -> Markup:
    """Put the facts, sums and years of a recorded contradiction into its sentence."""
    w, parts, position = context.writer, [], 0
    for match in _TOKEN.finditer(text):
        parts.append(Markup("{}").format(text[position : match.start()]))
        kind, ids, year = match.groups()
        parts.append(w.year(year) if year else _token(context, identifier, kind, ids.split(";")))
        position = match.end()
    parts.append(Markup("{}").format(text[position:]))
    return Markup("").join(parts)


def _token(context: Context, identifier: str, kind: str | None, ids: list[str]) -> Markup:
    w, facts = context.writer, context.fact_rows.loc[ids]
    if kind is None:
        return w.fact(facts.iloc[0])
    if kind == "sum":
        return w.number(f"{identifier}.sum", facts["value"].sum(), "", 0)
    value = facts["value"].iloc[0] - facts["value"].iloc[1]
    return w.number(f"{identifier}.difference", value, "percentage_point", 2)


def _contradictions(context: Context) -> list:
    w, known = context.writer, context.study.dataset.contradictions
    relevant = known[known["region_code"] == context.code]
    if relevant.empty:
        return [context.missing("quality.contradictions.none")]
    kept = relevant["blocks_estimates"].map(
        lambda out: w.t("quality.kept_out" if out else "quality.kept_in")
    )
    alike = kept.nunique() == 1  # what holds for all is said once
    stop, items = "。" if w.language == "zh" else ".", []
    for place, row in relevant.iterrows():
        name = row["contradiction_id"]
        text = Markup("{}{}").format(_fill(context, name, w.column(row, "text")), stop)
        said = w.joined(text, *([] if alike else [kept[place]]))
        items.append(Markup('<span id="{0}"><cite>{0}</cite></span> {1}').format(name, said))
    return [Items(tuple(items)), *([Paragraph(kept.iloc[0], "note")] if alike else [])]


def _assumptions(context: Context) -> Table:
    w, made = context.writer, context.study.dataset.assumptions
    levels = context.study.dataset.survey_levels
    rows = made[made["level"].isin(["all", levels[context.code], levels[context.whole]])]
    cells = []
    for _, row in rows.iterrows():
        name, value = row["assumption_id"], row["value"]
        digits = next(n for n in (0, 1, 2) if n == 2 or round(value, n) == value)
        cells.append((
            Markup("<cite>{}</cite>").format(name),
            w.t(f"parameter.{row['parameter']}"),
            w.level(row["level"]),
            w.year(row["wave"]) if row["wave"] else w.t("column.all_waves"),
            w.number(f"assumption.{name}", value, "", digits),
            w.recorded("assumptions", name, w.column(row, "reason")),
        ))  # fmt: skip
    names = ("item", "parameter", "level", "wave", "value", "reason")
    return table(context, w.t("quality.assumptions.table"), names, cells, (4,))


def breaks(context: Context) -> Items:
    """What changed in the survey between waves, with its source."""
    w, waves, items = context.writer, context.study.dataset.waves, []
    for _, row in waves[waves["break_before"]].iterrows():
        text = w.recorded("waves", str(row["wave"]), w.column(row, "break"))
        items.append(Markup("{} {}").format(text, w.cite(row["source_id"])))
    return Items(tuple(items))


# What is published, who published it and which figures are barred from estimates.
GRADES = ("A", "B", "C")


def surveyed(page: Context) -> pd.DataFrame:
    """All surveyed rates of whole regions, flagged ones included."""
    dataset = page.study.dataset
    return dataset.facts[dataset.surveyed & (dataset.facts["group"] == "")]


def contents(page: Context) -> View:
    """Facts by domain: how many, on how many regions, from when to when, how many are proxies."""
    w, data = page.writer, page.study.dataset
    facts = data.facts.merge(data.indicators[["indicator", "domain", "proxy"]], on="indicator")
    rows = []
    for domain, part in sorted(facts.groupby("domain"), key=lambda item: -len(item[1])):
        years, held = part["year"].dropna(), part["region_code"].nunique()
        counts = {"facts": len(part), "regions": held, "proxies": part["proxy"].sum()}
        cells = w.numbers(f"contents.{domain}", **counts).values()
        rows.append((w.t(f"domain.{domain}"), *cells, w.period(str(years.min()), str(years.max()))))
    counts = {"facts": len(facts), "regions": facts["region_code"].nunique(),
              "sources": len(data.sources), "rates": len(surveyed(page))}  # fmt: skip
    lead = w.t("view.contents", **w.numbers("contents", **counts))
    columns = ("domain", "facts", "regions", "proxy_facts", "period")
    if not data.indicators["proxy"].any():
        columns, rows = (*columns[:3], columns[4]), [(*row[:3], row[4]) for row in rows]
    body = table(page, w.t("view.contents.table"), columns, rows, range(1, len(columns) - 1))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.contents.note"), "note"))


def grades(page: Context) -> View:
    """Sources, facts and surveyed rates by the grade of the best source."""
    w, data, rates = page.writer, page.study.dataset, surveyed(page)
    graded = {"sources": data.sources["grade"], "facts": grade_of(data.facts, data.sources),
              "rates": grade_of(rates, data.sources)}  # fmt: skip
    counts = {name: held.value_counts() for name, held in graded.items()}
    rows = []
    for grade in GRADES:
        held = {name: of.get(grade, 0) for name, of in counts.items()}
        cells = w.numbers(f"grades.{grade}", **held).values()
        rows.append((grade, w.t(f"grade.{grade}"), *cells))
    said = {"twice": (rates["corroborated"] >= 2).sum(),
            "copies": only_copies(rates, data.sources).sum()}  # fmt: skip
    said = w.numbers("grades", **said) | w.numbers("contents", rates=len(rates))
    lead = w.t("view.grades", reprints=said.pop("copies"), **said)
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
        use, facts = "barred" if flag in BARRED else "used", w.number(f"flags.{flag}", count, "", 0)
        own = w.number(f"flags.{flag}.rates", on_rates.get(flag, 0), "", 0)
        rows.append((w.t(f"caveat.{flag}"), facts, own, w.t(f"view.flags.{use}")))
    barred = w.numbers("flags", barred=has_caveat(rates).sum())
    lead = w.t("view.flags", **w.numbers("contents", rates=len(rates)), **barred)
    columns = ("flag", "facts", "surveyed", "use")
    body = table(page, w.t("view.flags.table"), columns, rows, (1, 2))
    return show(page, Paragraph(lead), body)


def coverage(page: Context) -> View:
    """The tile chart of the overview, and how often regions were published."""
    w, rates = page.writer, page.study.rates
    own = rates[rates["region_code"].isin(page.codes) & (rates["wave"] >= page.first_year)]
    waves = own.groupby("region_code").size().reindex(page.codes, fill_value=0)
    times = {"never": waves == 0, "once": waves == 1, "twice": waves == 2, "often": waves >= 3}
    counts = w.numbers("coverage", **{name: chosen.sum() for name, chosen in times.items()})
    total = w.number("overview.regions", len(page.codes), "", 0)
    return show(page, coverage_figure(page), Paragraph(w.t("view.coverage", total=total, **counts)))


# Section: the technical terms of a report in everyday words.
TERMS = (
    "share", "point", "error", "interval", "gain", "instrument", "percentile", "median", "band",
    "league", "proxy", "composite", "association", "told", "p", "detectable", "locks", "check",
    "regression", "effective", "grade",
)  # fmt: skip


def glossary_section(context: Context) -> Section:
    """Each term with its meaning, in the order in which a report uses them.

    Terms for what the package does not have are left out: bands, levels of a name, proxies.
    """
    w, data = context.writer, context.study.dataset
    here = {"band": len(data.bands), "league": "league" in set(data.regions["level"]),
            "proxy": data.indicators["proxy"].any()}  # fmt: skip
    bands = context.listed(map(w.band, data.bands["band"]))
    terms = tuple(
        (w.t(f"glossary.{name}", bands=bands), w.t(f"glossary.{name}.text"))
        for name in TERMS
        if here.get(name, True)
    )
    blocks = (Paragraph(w.t("glossary.note"), "note"), Terms(terms))
    return Section("glossary", w.t("glossary.title"), blocks)


# Sections: the sources cited, and how the report was made.


def sources(context: Context) -> Section:
    """Sources cited so far, in the order of first citation; to be called after other sections."""
    w, rows = context.writer, []
    known = context.study.dataset.sources.set_index("source_id")
    for identifier in w.cited:
        row = known.loc[identifier]
        title = Markup("<cite>{}</cite>").format(row["title"])
        if address := link(row["url"]):
            title = Markup('<a href="{}">{}</a>').format(address, title)
        elif row["url"]:
            title = Markup("{} <cite>{}</cite>").format(title, row["url"])
        mark = Markup('<span id="source-{0}"><cite>{0}</cite></span>').format(identifier)
        # What a source says of itself, a dash where nothing was recorded.
        said = (row["publisher"], row["date"])
        cells = (Markup("<cite>{}</cite>").format(text) if text else DASH for text in said)
        rows.append((mark, w.grade(identifier), title, *cells))
    names = ("id", "grade", "title", "publisher", "date")
    body = table(context, w.t("sources.table"), names, rows)
    note = Paragraph(w.t("sources.grades"), "note")
    return Section("sources", w.t("sources.title"), (note, body))


def method(context: Context) -> Section:
    """How the numbers were made, and everything needed to make them again."""
    w, code = context.writer, Markup("<code>{}</code>")
    keys = ("rates", "gains", "doses", "regression", "bootstrap", "words")
    details = {key: value for key, value in context.provenance.items() if value}
    rows = [(w.t(f"provenance.{key}"), code.format(value)) for key, value in details.items()]
    held = context.listed(w.term(name) for name in w.dataset.controls["gain"])
    blocks = (
        Items(tuple(w.t(f"method.{key}", controls=held) for key in keys)),
        Paragraph(w.t("method.trace"), "note"),
        Heading(w.t("method.provenance")),
        table(context, w.t("method.provenance.table"), ("what", "value"), rows),
    )
    return Section("method", w.t("method.title"), blocks)


def record(context: Context) -> Markup:
    """Every computed number of the report as JSON in an inert element, for programs that read.

    A regional report adds its summary for the front page, see :mod:`evaluation.report.overview`.
    """
    data = json.dumps(context.writer.computed, sort_keys=True)
    results = Markup('<template id="results">{}</template>').format(data)
    return results if context.codes else Markup("{}\n{}").format(results, element(context))


# Which series are fresh, old, flagged or missing, by number of regions.
KINDS = ("fresh", "older", "in_doubt", "absent")


def states(facts: pd.DataFrame, codes: list[str], since: int) -> pd.Series:
    """``fresh``, ``older``, ``in_doubt`` or ``absent`` for each region of ``codes``.

    Parameters
    ----------
    facts : of one indicator. since : first year that counts as fresh.
    """
    barred = has_caveat(facts)
    newest = facts[~barred].groupby("region_code")["year"].max().reindex(codes)
    found = pd.Series("absent", index=codes)
    found[found.index.isin(facts.loc[barred, "region_code"])] = "in_doubt"
    found[newest.notna()] = "older"
    found[newest.ge(since).fillna(False).astype(bool)] = "fresh"
    return found


def overview(page: Context, years: int) -> View:
    """Regions of the page by the state of the series that estimates rest on.

    Parameters
    ----------
    years : a figure of the last so many years is fresh.

    Raises
    ------
    KepuError : ``years`` is not positive.
    """
    if years < 1:
        raise KepuError(f"A figure is fresh for at least 1 year; got {years}.")
    w, dataset = page.writer, page.study.dataset
    facts, outcome = dataset.facts, dataset.outcome
    whole = facts[(facts["group"] == "") & facts["kind"].isin(["survey", "statistic"])]
    rows, rates = [], pd.Series(dtype=int)
    for name in [outcome, *dataset.doses["indicator"], *sorted(set(dataset.conditions))]:
        own = whole[(whole["indicator"] == name) & whole["region_code"].isin(page.codes)]
        if own.empty:
            continue
        counts = states(own, page.codes, page.today - years + 1).value_counts()
        counts = counts.reindex(KINDS, fill_value=0)
        rates = counts if name == outcome else rates
        cells = w.numbers(f"state.{name}", **counts).values()
        newest = own.loc[~has_caveat(own), "year"].max()
        rows.append((w.indicator(name), w.year(newest), *cells))
    span = w.numbers("state", years=years)
    unusable = rates.get("absent", 0) + rates.get("in_doubt", 0)
    fresh = w.numbers(f"state.{outcome}", fresh=rates.get("fresh", 0))
    counted = {"region_count": w.number("state.regions", len(page.codes), "", 0),
               "missing": w.number("state.unusable", unusable, "", 0)}  # fmt: skip
    lead = w.t("view.state", **counted, **fresh, **span)
    body = table(page, w.t("view.state.table"), ("indicator", "newest", *KINDS), rows, range(2, 6))
    note = w.t("view.state.note", day=w.year(page.today), **span)
    return show(page, Paragraph(lead, "lead"), body, Paragraph(note, "note"))
