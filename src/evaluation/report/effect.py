"""What can be said of investment: estimates, strength, specifications."""

from __future__ import annotations

import math

import pandas as pd
from markupsafe import Markup

from evaluation.base.results import CHANCES, COUNTS, LEAST_LOCKS, MOST_LOCKS, SHARES, Check, Result
from evaluation.evidence.grade import CHANCES_OF, SHARES_OF, Component, permitted
from evaluation.evidence.headline import Headline
from evaluation.figures import charts
from evaluation.figures.decision import specification_curve
from evaluation.report import planner
from evaluation.report.blocks import Figure, Heading, Items, Locks, Paragraph, Section, Table
from evaluation.report.page import (
    DASH,
    Context,
    Parts,
    View,
    named,
    picture,
    plain,
    show,
    side,
    table,
    titled,
)
from evaluation.study import Estimate

# Blocks on a region's gains against what the other units lead one to expect.


def expected_gains(context: Context) -> pd.DataFrame:
    """The region's gains, by period, beside what the other units lead one to expect."""
    found = context.study.headline
    if not isinstance(found, Headline):
        return pd.DataFrame()
    rows = found.expected[found.expected["region_code"] == context.code]
    return rows.dropna(subset="expected").sort_values("wave_to")


def here(context: Context) -> list:
    """The region's latest gain against what the other units lead one to expect."""
    if not isinstance(context.study.headline, Headline):
        return []
    rows = expected_gains(context)
    if rows.empty:
        return [context.missing("expected.missing")]
    row = rows.iloc[-1]
    where = side(row["low"], row["high"])
    return [Paragraph(_expected(context, row, where)), _expected_figure(context, rows, where)]


def _expected_figure(context: Context, rows: pd.DataFrame, where: str) -> Figure:
    """Every period of the region: the gain on the bar within which it was to be expected."""
    w = context.writer
    spans = zip(rows["wave_from"], rows["wave_to"], strict=True)
    frame = pd.DataFrame(
        {
            "label": [f"{first}–{last}" for first, last in spans],
            "observed": rows["observed"].to_numpy(),
            "expected": rows["expected"].to_numpy(),
            # The interval is that of the difference; about the expectation it is mirrored.
            "low": (rows["observed"] - rows["high"]).to_numpy(),
            "high": (rows["observed"] - rows["low"]).to_numpy(),
        }
    )
    return picture(
        context,
        "expected",
        charts.expected,
        frame,
        xlabel="axis.gain",
        names={part: str(w.t(f"figure.{part}")) for part in ("observed", "expected")},
        says=w.t(f"figure.expected.{where}"),
        values={"region": context.name},
    )


def _expected(context: Context, row: pd.Series, where: str) -> Markup:
    w = context.writer
    return w.t(
        f"expected.{where}",
        region=context.name,
        first=w.year(row["wave_from"]),
        last=w.year(row["wave_to"]),
        **_against(context, row),
    )


def _against(context: Context, row: pd.Series) -> dict[str, Markup]:
    """A gain, what was to be expected, and their difference with its interval."""
    w, key = context.writer, f"expected.{row['region_code']}.{row['interval']}"
    names = ("observed", "expected", "residual")
    numbers = {name: w.number(f"{key}.{name}", row[name], "", 2, signed=True) for name in names}
    return numbers | {"interval": w.interval(key, row["low"], row["high"], "", 2)}


# Blocks on the specification curve: every reasonable specification of the headline, drawn.

# Choices of the specification curve that are drawn, each with its values.
CHOICES = {
    "weights": ("known_variance", "none"),
    "breaks": ("in", "out"),
}


def appendix(context: Context) -> tuple[Heading | Paragraph | Figure, ...]:
    """The specification curve, for readers who want every estimate; nothing without one."""
    w, found = context.writer, context.study.headline
    checks = found.checks if isinstance(found, Headline) else ()
    check = next((c for c in checks if c.name == "specification_curve"), None)
    if check is None or not check.rows:
        return ()
    ends = w.numbers(f"check.{check.name}", 3, low=check.values["low"], high=check.values["high"])
    text = w.t("specification.text", **ends, **_shares(context, check))
    return (Heading(w.t("specification.title")), Paragraph(text), curve(context, found, check))


def _shares(context: Context, check: Check) -> dict[str, Markup]:
    """How many specifications there are, and what share has the other sign."""
    w, key, share = context.writer, f"check.{check.name}", 100 * check.values["opposite_share"]
    return {
        "count": w.number(f"{key}.count", check.values["count"], "", 0),
        "opposite": w.number(f"{key}.opposite_share", share, "percent", 1),
    }


def curve(context: Context, found: Headline, check: Check) -> Figure:
    """The sorted estimates with the choices behind each."""
    w = context.writer
    held = w.dataset.controls["gain"]
    choices = {
        "covariates": {name: str(w.t("specification.held", name=w.term(name))) for name in held}
    }
    choices |= {
        column: {value: str(w.t(f"specification.{column}.{value}")) for value in known}
        for column, known in CHOICES.items()
    }
    return picture(
        context,
        "specification",
        specification_curve,
        pd.DataFrame(list(check.rows)),
        ylabel="axis.specification",
        choices=choices,
        headline_sign=1 if found.result.estimate >= 0 else -1,
        says=w.t("figure.specification", **_shares(context, check)),
    )


# Blocks of the effect section: the composite on the ladder, its locks, its checks, this region.


def quotable(context: Context) -> Markup:
    """The strongest sentence the evidence permits on the composite; it has passed the gate."""
    w, found = context.writer, context.study.headline
    if not isinstance(found, Headline):
        return w.t("effect.none")
    key = permitted(found.grade, found.result.verdict, w.language)
    return w.t(key, dose=w.t("composite.name"))


def strength(context: Context) -> Parts:
    """The composite: ladder, locks with components, checks; nothing where nothing was graded."""
    w, found = context.writer, context.study.headline
    if not isinstance(found, Headline):
        return {}
    note = w.t("composite.note", parts=_parts(context, found.level_parts))
    components = Items(tuple(component(context, item) for item in found.grade.components))
    return {
        "composite.title": [Heading(w.t("composite.title"))],
        "composite": [Paragraph(w.t("composite.what", parts=_parts(context, found.parts)))],
        "ladder.figures": _ladder_figures(context, found),
        "ladder": [_ladder(context, found)],
        "ladder.note": [Paragraph(note, "note")],
        "locks.title": [Heading(w.t("locks.title"))],
        "locks": locks_with(context, "locks.count"),
        "components": [components],
        "checks.title": [Heading(w.t("checks.title"))],
        "checks": [checks_table(context, found.checks)],
    }


def _parts(context: Context, doses: tuple[str, ...]) -> str:
    return context.listed(context.writer.dose(dose, short=True) for dose in doses)


def digits(error: float) -> int:
    """Decimals that show two significant digits of a standard error."""
    return max(1, min(4, 1 - math.floor(math.log10(error))))


def _intervals(context: Context, results: dict[str, Result], signed: bool = False) -> pd.DataFrame:
    """What a forest draws of results by their label: estimate, interval, the number as a note."""
    rows = [
        (
            label,
            result.estimate,
            result.low,
            result.high,
            plain(result.estimate, context.writer.language, digits(result.se), signed),
        )
        for label, result in results.items()
    ]
    return pd.DataFrame(rows, columns=["label", "estimate", "low", "high", "note"])


LADDERS = {
    "composite.gains": "percentage_point_per_year",
    "composite.levels": "percentage_point",
}


def _ladder_figures(context: Context, found: Headline) -> list[Figure]:
    """The models with their intervals, one figure a unit: gains and levels share no axis."""
    w, figures = context.writer, []
    for key, unit in LADDERS.items():
        rungs = [rung for rung in found.ladder if rung.result and rung.result.unit == unit]
        if len(rungs) < 2:  # one row is read in the table below
            continue
        headline = any(rung.result is found.result for rung in rungs)
        results = {str(w.t(f"rung.{rung.model}")): rung.result for rung in rungs}
        says = (
            w.t(f"figure.headline.{found.result.verdict}") if headline else _levels(context, rungs)
        )
        frame = _intervals(context, results)
        options = {"xlabel": f"axis.{unit}", "alt": "composite.alt", "says": says}
        figures.append(picture(context, key, charts.forest, frame, **options))
    return figures


def _levels(context: Context, rungs: list) -> Markup:
    """In which of the models of levels the interval leaves out zero."""
    w = context.writer
    told = [rung.model for rung in rungs if rung.result.verdict != "unknown"]
    key = "none" if not told else "all" if len(told) == len(rungs) else "some"
    return w.t(f"figure.levels.{key}", names=context.listed(w.t(f"rung.{m}") for m in told))


def _ladder(context: Context, found: Headline) -> Table:
    w = context.writer
    rows = [
        (w.t(f"rung.{rung.model}"), *_rung(context, rung.model, rung.result))
        for rung in found.ladder
    ]
    names = ("model", "estimate", "interval95", "unit", "p", "used", "verdict")
    return table(context, w.t("composite.table"), names, rows, (1, 2, 4, 5))


def _rung(context: Context, model: str, result: Result | None) -> tuple[Markup, ...]:
    w = context.writer
    if result is None:
        return (*[DASH] * 5, w.t("rung.refused"))
    key, places = f"ladder.{model}", digits(result.se)
    return (
        w.number(key, result.estimate, "", places, signed=True),
        w.interval(key, result.low, result.high, "", places),
        w.t(f"rung.unit.{result.unit}"),
        w.probability(f"{key}.p", result.p),
        w.number(f"{key}.observations", result.observations, "", 0),
        w.t(f"rung.verdict.{result.verdict}"),
    )


def locks_with(context: Context, key: str) -> list[Locks]:
    """The locks with the text ``key`` beside them; none where nothing was graded."""
    w, found = context.writer, context.study.headline
    if not isinstance(found, Headline):
        return []
    locks = found.grade.locks
    text = w.t(key, **w.numbers("evidence", locks=locks, most=MOST_LOCKS))
    return [Locks(locks, MOST_LOCKS, text)]


def component(context: Context, item: Component, at: str = "") -> Markup:
    """Why a component set or moved the grade, its numbers with their results under ``at``."""
    w, stem = context.writer, item.key.removeprefix("evidence.")
    key = f"{at}{item.key}"
    values = {"amount": w.number(f"{key}.amount", item.amount, "", 0)}
    if stem in SHARES_OF:
        values["value"] = w.number(f"{key}.value", 100 * item.value, "percent", 1)
    elif stem in CHANCES_OF:
        values["value"] = w.probability(f"{key}.value", item.value)
    else:
        whole = float(item.value).is_integer()
        values["value"] = w.number(f"{key}.value", item.value, "", 0 if whole else 2)
    return w.t(item.key, **values)


def checks_table(
    context: Context, checks: tuple[Check, ...], at: str = "", caption: Markup | None = None
) -> Table:
    """Name, verdict and sentence of each check, its numbers with their results under ``at``."""
    w = context.writer
    state = {True: "passed", False: "failed", None: "informs"}
    rows = []
    for check in checks:
        kind = "impossible" if check.key == "check.impossible" else state[check.passed]
        values = {
            name: _value(context, f"{at}check.{check.name}.{name}", name, value)
            for name, value in check.values.items()
        }
        words = w.t(check.key, **values)
        rows.append((w.t(f"check.name.{check.name}"), w.t(f"check.state.{kind}"), words))
    named = ("check", "verdict", "meaning")
    return table(context, caption or w.t("checks.table"), named, rows)


def _value(context: Context, key: str, name: str, value: float) -> Markup:
    w = context.writer
    if name in COUNTS:
        return w.number(key, value, "", 0)
    if name in SHARES:
        return w.number(key, 100 * value, "percent", 1)
    if name in CHANCES:
        return w.t("number.p", p=w.probability(key, value))
    return w.number(key, value, "", 3 if abs(value) < 1 else 1)


# Section: what the evaluation can and cannot say about the effect of investment.


def section(context: Context) -> Section:
    w = context.writer
    parts = association(context)
    own = titled(w.t("effect.here", region=context.name), [*_here(context), *here(context)])
    parts |= {"here": own, "limits": limits(context), "design": design(context)}
    parts |= {"appendix": appendix(context)}
    return Section.of("effect", w.t("effect.title"), parts)


def design(context: Context) -> list:
    """Where the headline tells nothing: the design that could."""
    found = context.study.headline
    if isinstance(found, Headline) and found.result.verdict != "unknown":
        return []
    return titled(context.writer.t("design.heading"), planner.quoted(context))


def association(context: Context) -> Parts:
    """The association over all regions of the panel: sentence, figure, table."""
    w, main = context.writer, _main(context)
    return {
        "answer": [Paragraph(quotable(context), "lead"), Paragraph(overall(context))],
        "basis": [Paragraph(_design(context))],
        "design": [],  # its place in the section, which computes it
        **strength(context),
        "doses.title": [Heading(w.t("effect.single"))],
        "doses.figure": [_forest(context)] if any(item.result for item in main) else [],
        "doses": _tables(context),
        "doses.note": [Paragraph(w.t("effect.note"), "note")],
        "readings.title": [Heading(w.t("effect.reading"))],
        "readings": [Items(tuple(estimate_sentence(context, item) for item in main))],
    }


def limits(context: Context) -> tuple:
    """Blocks on what stands between these data and a judgement."""
    w, data = context.writer, context.study.dataset
    proxies = data.doses["indicator"].map(data.indicators.set_index("indicator")["proxy"])
    items = []
    if proxies.any():
        names = context.listed(w.dose(dose, short=True) for dose in data.doses["dose"][proxies])
        items.append(w.t("effect.limit.proxy", doses=names))
    if conditions := _ordering(context):
        items.append(w.t("effect.limit.order", conditions=context.listed(conditions)))
    items += [w.t("effect.limit.survey")] if mostly_assumed(context) else []
    items += [w.t("effect.limit.power")] if _incomplete(context) else []
    return (Heading(w.t("effect.limits")), Items(tuple(items))) if items else ()


def mostly_assumed(context: Context) -> bool:
    """Whether most sample sizes behind the comparison are declared, for want of published ones."""
    return bool(_compared_rates(context)["n_assumed"].mean() > FEW)


def _compared_rates(context: Context) -> pd.DataFrame:
    rates = context.study.rates
    return rates[rates["region_code"].isin(context.units)]


def _ordering(context: Context) -> list[str]:
    """Conditions that an input goes closely with among the regions compared, by their names."""
    panel, data = context.study.provinces, context.study.dataset
    doses = [f"log2_{dose}" for dose in data.doses["dose"]]
    held = [name for name in data.controls["gain"] if name != "opening"]
    found = panel.reindex(columns=[*doses, *held]).astype(float).corr().loc[doses, held].max()
    return [context.writer.term(name) for name in held if found[name] > CLOSE]


def _incomplete(context: Context) -> bool:
    """Whether a region compared has no value in a survey that others have one in."""
    held = _compared_rates(context)[["region_code", "wave"]].drop_duplicates()
    return len(held) < len(context.units) * held["wave"].nunique()


def _main(context: Context) -> list[Estimate]:
    return [item for item in context.study.estimates if item.model == MAIN]


def overall(context: Context, stem: str = "effect") -> Markup:
    """What the data show over all inputs; it never claims a cause.

    The gain regression leads; where the fixed effects say otherwise, the sentence says so.
    ``stem`` chooses the words: ``effect`` those of the section, ``findings.effect`` plain ones.
    """
    w, main = context.writer, _main(context)
    estimable = [item for item in main if item.result]
    if not estimable:
        return w.t("effect.none")
    told, other = _told(main), _told([i for i in context.study.estimates if i.model != MAIN])
    graded = isinstance(context.study.headline, Headline)
    if told and graded and not _carries(context):
        return quotable(context)  # with less than one lock no association may be named
    short, names = stem != "effect", _names(context, told, stem != "effect")
    counts = w.numbers("doses", tried=len(estimable), told=len(told))
    what = w.t(f"findings.effect.what.{context.study.dataset.doses_are}", **counts)
    given = {"names": names, "what": what, **counts}
    text = w.t(f"{stem}.some" if told else f"{stem}.unknown", **given)
    if _composite_told(context):
        text = w.t(f"{stem}.single.some" if told else f"{stem}.single.unknown", **given)
    if _composite_told(context) and short:
        made = _parts(context, context.study.headline.parts)
        text = w.joined(quotable(context), w.t("findings.effect.composite", parts=made), text)
    if {item.dose for item in other} == {item.dose for item in told}:
        return text
    if not other:
        return w.joined(text, w.t(f"{stem}.second.none"))
    return w.joined(text, w.t(f"{stem}.second", names=_names(context, other, short)))


def _composite_told(context: Context) -> bool:
    """Whether the composite differs from zero and its evidence permits to say so."""
    return _carries(context) and context.study.headline.result.verdict != "unknown"


def _carries(context: Context) -> bool:
    """Whether the evidence carries a comparison at all."""
    found = context.study.headline
    return isinstance(found, Headline) and found.grade.locks >= LEAST_LOCKS


def _told(estimates: list[Estimate]) -> list[Estimate]:
    """Estimates that differ from zero after Holm's correction over all doses and models."""
    return [item for item in estimates if item.result and item.p_holm < 1 - item.result.level]


def _names(context: Context, estimates: list[Estimate], short: bool = False) -> str:
    return context.listed([context.writer.dose(item.dose, short) for item in estimates])


def _key(item: Estimate) -> str:
    return f"estimate.{item.model}.{item.dose}"


def _unit(item: Estimate) -> str:
    return "percentage_point_per_year" if item.model == MAIN else "percentage_point"


def estimate_sentence(context: Context, item: Estimate) -> Markup:
    """What one estimate permits to be said."""
    w = context.writer
    name = w.dose(item.dose)
    if item.result is None:
        return w.t("effect.not_estimable", dose=name)
    places, key = digits(item.result.se), _key(item)
    verdict = item.verdict
    if verdict != "unknown" and not _told([item]):
        verdict = "not_after_holm"
    return w.t(
        f"effect.sentence.{verdict}",
        dose=name,
        estimate=w.number(key, item.result.estimate, _unit(item), places, signed=True),
        interval=w.interval(key, item.result.low, item.result.high, "", places),
        mde=w.number(f"{key}.mde", item.result.details["mde"], _unit(item), places),
        holm=w.probability(f"{key}.holm", item.p_holm),
    )


def _design(context: Context) -> Markup:
    w, panel = context.writer, context.study.provinces
    text = w.t(
        "effect.design",
        gains=w.number("panel.gains", len(panel), "", 0),
        regions=w.number("panel.regions", panel["region_code"].nunique(), "", 0),
        first=w.year(panel["wave_from"].min()),
        last=w.year(panel["wave_to"].max()),
        breaks=w.number("panel.breaks", int(panel["crosses_break"].sum()), "", 0),
    )
    # A dose is a logarithm: where it is known it is more than nothing.
    doses = [f"log2_{dose}" for dose in context.study.dataset.doses["dose"]]
    known = panel.reindex(columns=doses).notna().groupby(panel["region_code"]).any()
    every = known.any(axis=1).all()
    return w.joined(text, w.t("effect.design.every")) if every else text


def _forest(context: Context) -> Figure:
    w, items = context.writer, estimable(context.study.estimates)
    results = {str(w.dose(item.dose)): item.result for item in items}
    told = len(_told(items))
    counts = w.numbers("doses", tried=len(items), told=told)
    return picture(
        context,
        "effect.forest",
        charts.forest,
        _intervals(context, results, signed=True),
        xlabel="axis.effect",
        says=w.t("figure.forest" if told else "figure.forest.none", **counts),
    )


def _tables(context: Context) -> list[Table]:
    """One table a model: estimate, interval, adjusted p, detectable difference, counts."""
    estimates, tables = context.study.estimates, []
    names = ("dose", "estimate", "interval95", "p_holm", "mde", "used", "effective")
    for model in dict.fromkeys(item.model for item in estimates):
        rows = [_row(context, item) for item in estimates if item.model == model]
        caption = context.writer.t(f"effect.table.{model}")
        tables.append(table(context, caption, names, rows, range(1, 7)))
    return tables


def _row(context: Context, item: Estimate) -> tuple[Markup, ...]:
    w, label = context.writer, context.writer.dose(item.dose)
    if item.result is None:
        return (label, w.t("effect.cannot"), *[DASH] * 5)
    key, places, result = _key(item), digits(item.result.se), item.result
    return (
        label,
        w.number(key, result.estimate, "", places, signed=True),
        w.interval(key, result.low, result.high, "", places),
        w.probability(f"{key}.holm", item.p_holm),
        w.number(f"{key}.mde", result.details["mde"], "", places),
        w.number(f"{key}.observations", result.observations, "", 0),
        w.number(f"{key}.effective", result.details["effective_clusters"], "", 1),
    )


def _here(context: Context) -> list:
    """What the national association means for this region, and what it does not."""
    w, panel = context.writer, context.study.provinces
    own = panel[panel["region_code"] == context.code]
    if own.empty:
        return [context.missing("effect.here.missing")]
    used = w.number(f"panel.gains.{context.code}", len(own), "", 0)
    return [Paragraph(w.t("effect.here.text", region=context.name, used=used))]


# What goes with gains in literacy: scatter, estimates, words and power.
MAIN = "gain_regression"
FEW = 0.5  # share of rates whose sample is assumed, above which few are known
CLOSE = 0.5  # correlation of an input with a condition, above which they are hard to tell apart
DIGITS = 3


def sentences(page: Context) -> View:
    """The one-sentence answer and what the comparison rests on."""
    return show(page, *named(page, association, "answer"))


def forest(page: Context) -> View:
    """Estimates of the gain regression with their intervals."""
    return show(page, *named(page, association, "ladder.figures", "doses.figure"))


def estimates(page: Context) -> View:
    """Both models, all doses."""
    return show(page, *named(page, association, "ladder", "checks", "doses"))


def readings(page: Context) -> View:
    """What each estimate permits to be said."""
    return show(page, *named(page, association, "components", "readings"))


def scatter(page: Context, dose: str) -> View:
    """Annual gain with its interval against one dose, a doubling to the step."""
    w, panel = page.writer, page.study.provinces
    frame = pd.DataFrame(
        {
            "name": [w.short(code) for code in panel["region_code"]],
            "x": panel[f"dose_{dose}"],
            "y": panel["annual"],
            "y_low": panel["low"] / panel["years"],
            "y_high": panel["high"] / panel["years"],
            "highlight": False,
        }
    ).dropna()
    gains = w.number(f"scatter.{dose}", len(frame), "", 0)
    values = {"dose": w.dose(dose), "gains": gains}
    options = {"xlabel": "axis.dose", "ylabel": "axis.gain", "log2": True}
    figure = picture(page, "view.scatter", charts.scatter, frame, values=values, **options)
    return show(page, figure)


def power(page: Context) -> View:
    """The smallest difference the design would find, beside the gains there are to explain."""
    w, study = page.writer, page.study
    typical = study.provinces["annual"].median()
    rows = []
    for item in estimable(study.estimates):
        key, details = f"estimate.{MAIN}.{item.dose}", item.result.details
        mde = details["mde"]
        rows.append(
            (
                w.dose(item.dose),
                w.number(f"{key}.mde", mde, "", DIGITS),
                w.number(f"{key}.mde.share", 100 * mde / typical, "percent", 0),
                w.number(f"{key}.clusters", item.result.clusters, "", 0),
                w.number(f"{key}.effective", details["effective_clusters"], "", 1),
            )
        )
    lead = w.t("view.power", gain=w.number("gain.typical", typical, "percentage_point_per_year", 2))
    columns = ("dose", "mde", "mde_share", "clusters", "effective")
    body = table(page, w.t("view.power.table"), columns, rows, range(1, 5))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.power.note"), "note"))


def estimable(estimates: tuple[Estimate, ...]) -> list[Estimate]:
    """Estimates of the gain regression, those with a reason for none left out."""
    return [item for item in estimates if item.model == MAIN and item.result is not None]


# Views of the robustness notebook: the composite's ladder, checks, locks and specifications.

# What each view shows of the report's blocks on strength.
PARTS = {
    "forest": ["ladder.figures"],
    "ladder": ["composite", "ladder", "ladder.note"],
    "locks": ["locks", "components"],
    "checks": ["checks"],
}


def part(page: Context, name: str) -> View:
    """A part of the report on strength: ``forest``, ``ladder``, ``locks`` or ``checks``."""
    blocks = named(page, strength, *PARTS[name])
    return show(page, *(blocks or [Paragraph(quotable(page))]))


def sentence(page: Context) -> View:
    """The strongest sentence the evidence permits."""
    return show(page, Paragraph(quotable(page), "lead"))


def specifications(page: Context) -> View:
    """Every reasonable specification of the headline, sorted, with the choices it made."""
    found = page.study.headline
    if not isinstance(found, Headline):
        return show(page, Paragraph(quotable(page)))
    check = next(item for item in found.checks if item.name == "specification_curve")
    return show(page, curve(page, found, check))


def expected(page: Context) -> View:
    """Latest gain of each region against what the other regions lead one to expect."""
    w, found = page.writer, page.study.headline
    if not isinstance(found, Headline):
        return show(page, Paragraph(quotable(page)))
    rows = found.expected.dropna(subset="expected").sort_values("wave_to")
    rows = rows.groupby("region_code").tail(1).sort_values("residual", ascending=False)
    cells = [
        (
            w.name(row["region_code"]),
            w.span(row["wave_from"], row["wave_to"]),
            *_against(page, row).values(),
        )
        for _, row in rows.iterrows()
    ]
    names = ("region", "interval", "observed_gain", "expected_gain", "residual", "interval95")
    return show(page, table(page, w.t("expected.table"), names, cells, (2, 3, 4, 5)))
