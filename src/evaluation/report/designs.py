"""Programmes with a known start: who got them when, what differs since, how far to trust it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from evaluation.base.results import MOST_LOCKS
from evaluation.evidence.designs import Designed
from evaluation.evidence.grade import permitted
from evaluation.figures.rollout import TEXTS, event_study
from evaluation.figures.rollout import rollout as drawn
from evaluation.report.blocks import Figure, Heading, Items, Locks, Paragraph, Section, Table
from evaluation.report.effect import checks_table, component, digits, locks_with, overall, quotable
from evaluation.report.page import Context, Parts, View, picture, show, table


def section(context: Context) -> Section:
    """Each programme that can be compared; what cannot be is said in one sentence."""
    w, designs = context.writer, context.study.designs
    compared = [item for item in designs if item.result is not None]
    few = [item for item in designs if item.result is None]
    blocks: list = [Paragraph(w.t("designs.lead"), "note")] if compared else []
    for item in compared:
        blocks += [block for part in programme(context, item).values() for block in part]
    if few or not designs:
        text = _few(context, few) if few else w.t("designs.none")
        blocks.append(Paragraph(text, "missing"))
    return Section("designs", w.t("designs.title"), tuple(blocks))


def programme(context: Context, item: Designed) -> Parts:
    """One programme: the sentence its evidence permits, design, figure, dates, grade and checks."""
    w, at = context.writer, f"designs.{item.rollout.programme}."
    parts = tuple(component(context, part, at) for part in item.grade.components)
    return {
        "name": [Heading(_name(context, item))],
        "answer": [Paragraph(says(context, item), "lead")],
        "design": [Paragraph(w.joined(_what(context, item), *_own(context, item)))],
        "estimate": [Paragraph(_estimate(context, item))],
        "figure": _figure(context, item),
        "amounts": _amounts(context, item),
        "dates": [tiles(context, item), dates(context, item)],
        "locks": [strength(context, item, "designs.locks"), Items(parts)],
        "checks": [checks_table(context, item.checks, at, w.t("designs.checks"))],
    }


def _name(context: Context, item: Designed) -> Markup:
    w, rollout = context.writer, item.rollout
    return w.recorded("events", rollout.events.iloc[0]["event_id"], rollout.names[w.language])


def says(context: Context, item: Designed) -> Markup:
    """The strongest sentence the evidence on a programme permits; it has passed the gate."""
    w = context.writer
    key = permitted(item.grade, item.verdict, w.language, of="programme")
    return w.t(key, programme=_name(context, item), outcome=w.dataset.words(w.language)["share"])


def _what(context: Context, item: Designed) -> Markup:
    """How regions were assigned, and what is compared."""
    w, rollout, waves = context.writer, item.rollout, item.rollout.waves
    counts = {"reached": (rollout.cohorts > waves[0]).sum(), "regions": item.result.clusters,
              "waves": len(waves)}  # fmt: skip
    counts = w.numbers(f"designs.{rollout.programme}", **counts)
    years = {"first": w.year(waves[0]), "last": w.year(waves[-1])}
    return w.t(f"designs.what.{item.kind}", **counts, **years)


def _own(context: Context, item: Designed) -> list[Markup]:
    """When the programme reached the region of the report; nothing in an overview."""
    w = context.writer
    if context.codes or context.code not in item.rollout.regions:
        return []
    rows = item.rollout.events
    own = rows[(rows["region_code"] == context.code) & (rows["start"] != "")]
    if own.empty:
        return [w.t("designs.own.not", region=context.name)]
    return [w.t("designs.own", region=context.name, start=w.year(own["start"].iloc[0]))]


def _estimate(context: Context, item: Designed) -> Markup:
    w, result, key = context.writer, item.result, f"designs.{item.rollout.programme}"
    mde = w.number(f"{key}.mde", result.details["mde_approximate"], "", digits(result.se))
    holm = w.probability(f"{key}.holm", item.p_holm)
    return w.t("designs.estimate", holm=holm, mde=mde, **_difference(context, item))


def _difference(context: Context, item: Designed) -> dict[str, Markup]:
    w, result, key = context.writer, item.result, f"designs.{item.rollout.programme}"
    places = digits(result.se)
    return {
        "estimate": w.number(key, result.estimate, "", places, signed=True),
        "interval": w.interval(key, result.low, result.high, "", places),
    }


def _amounts(context: Context, item: Designed) -> list[Paragraph]:
    """What one unit more went with, where regions got the programme in amounts."""
    w, found, key = context.writer, item.amounts, f"designs.{item.rollout.programme}.amounts"
    if found is None or not item.locks:
        return [Paragraph(w.t("designs.amounts.none"), "missing")] if item.amounts_reason else []
    first, *_, last = found.details["levels"]
    told = {"slope": w.number(f"{key}.slope", found.estimate, "", digits(found.se), signed=True),
            "interval": w.interval(key, found.low, found.high, "", digits(found.se))}  # fmt: skip
    for name, row in (("first", first), ("last", last)):
        told[name] = w.number(f"{key}.{name}", row["estimate"], "", digits(row["se"]), signed=True)
        told[f"at_{name}"] = w.number(f"{key}.at_{name}", row["amount"], "", 1)
    return [Paragraph(w.t("designs.amounts", **told))]


def _figure(context: Context, item: Designed) -> list[Figure]:
    """The event study: differences before and after, the last survey before the start at zero."""
    rows = item.table()
    if "event" not in rows or rows["low"].isna().all():
        return []
    banded = "honest_low" in rows
    names = {part: context.writer.t(f"designs.figure.{part}").unescape() for part in TEXTS}
    caption = "designs.figure.banded" if banded else "designs.figure"
    return [
        picture(context, caption, event_study, rows, says=_seen(context, item, rows),
                alt="designs.figure.alt", ylabel="axis.designs", xlabel="axis.designs.years",
                names=names)
    ]  # fmt: skip


def _seen(context: Context, item: Designed, rows: pd.DataFrame) -> Markup:
    """In how many surveys before and after the start the difference is told from zero."""
    w, after = context.writer, rows["event"] >= 0
    clear = (rows["low"] > 0) | (rows["high"] < 0)
    counts = {"after": after.sum(), "clear": (clear & after).sum(),
              "before": (~after).sum(), "early": (clear & ~after).sum()}  # fmt: skip
    if "honest_low" in rows:
        counts["robust"] = ((rows["honest_low"] > 0) | (rows["honest_high"] < 0)).sum()
    found = w.numbers(f"designs.{item.rollout.programme}.figure", **counts)
    parts = ["after", *(["before"] if counts["before"] else []),
             *(["robust"] if "robust" in counts else [])]  # fmt: skip
    return w.joined(*(w.t(f"designs.figure.seen.{part}", **found) for part in parts))


def tiles(context: Context, item: Designed) -> Figure:
    """Who had got the programme by which survey, regions of one date in a row."""
    w, rollout = context.writer, item.rollout
    counts = rollout.cohorts[rollout.cohorts <= max(rollout.waves)].value_counts()
    order = sorted(counts.index, key=lambda wave: (wave == 0, wave))
    begun = np.array([[float(0 < first <= wave) for wave in rollout.waves] for first in order])
    groups = [
        w.t(f"designs.tiles.{'group' if first else 'never'}", year=first, count=counts[first])
        for first in order
    ]
    return picture(context, "designs.tiles", drawn, begun, groups=[g.unescape() for g in groups],
                   waves=[str(wave) for wave in rollout.waves])  # fmt: skip


def dates(context: Context, item: Designed) -> Table:
    """Who got the programme when: a start a row, with its regions and the places that say so."""
    w, rows = context.writer, item.rollout.events
    cells = []
    for span, part in rows[rows["start"] != ""].groupby(["start", "end"]):
        count = w.number(f"designs.{item.rollout.programme}.{span[0]}", len(part), "", 0)
        names = context.listed(map(w.name, part["region_code"]))
        cells.append((w.period(*map(str, span)), count, names, w.cite(";".join(part["source_id"]))))
    caption = w.t("designs.table", programme=_name(context, item))
    return table(context, caption, ("start", "regions", "region", "source"), cells, (1,))


def strength(context: Context, item: Designed, key: str) -> Locks:
    """The locks of a programme with the text ``key`` beside them."""
    w, stem = context.writer, f"designs.{item.rollout.programme}"
    counts = w.numbers(stem, locks=item.locks, most=MOST_LOCKS)
    text = w.t(key, programme=_name(context, item), **counts)
    return Locks(item.locks, MOST_LOCKS, text)


def _few(context: Context, items: list[Designed]) -> Markup:
    """Programmes that too few regions were surveyed around to compare, in one sentence."""
    w, parts = context.writer, []
    for item in items:
        rows, key = item.rollout.events, f"designs.{item.rollout.programme}"
        counts = w.numbers(key, reached=(rows["start"] != "").sum(), known=_around(item))
        sources = w.cite(";".join(rows["source_id"]))
        name = _name(context, item)
        parts.append(w.t("designs.few.one", programme=name, sources=sources, **counts))
    return w.t("designs.few", listed=w.series(parts, "；", "; "))


def _around(item: Designed) -> int:
    """Regions reached that were surveyed both before their start and after it."""
    cohorts, panel = item.rollout.cohorts, item.rollout.panel
    if panel.empty:
        return 0
    since = panel["region_code"].map(cohorts)
    rows = panel[since > 0].assign(after=(panel["wave"] >= since)[since > 0])
    return int((rows.groupby("region_code")["after"].nunique() == 2).sum())


# What the key findings and the chain take from the strongest design.


def finding(context: Context, stem: str = "findings.effect") -> Markup:
    """The finding on what was done: of the strongest design, else of the comparison of inputs."""
    w, best = context.writer, context.study.strongest
    if best is None:
        return overall(context, stem)
    told = {"says": says(context, best), **_difference(context, best)}
    return w.t("designs.finding", **told)


def asked(context: Context) -> str:
    """Which question :func:`finding` answers, ``effect`` or ``programme``."""
    return "effect" if context.study.strongest is None else "programme"


def quoted(context: Context) -> Markup:
    """The strongest sentence that any evidence at hand permits."""
    best = context.study.strongest
    return quotable(context) if best is None else says(context, best)


def findings_locks(context: Context) -> tuple[Locks, ...]:
    """The locks of what :func:`finding` says."""
    best = context.study.strongest
    if best is None:
        return tuple(locks_with(context, "findings.locks"))
    return (strength(context, best, "designs.locks"),)


def view(page: Context, *names: str) -> View:
    """The section in a notebook, or parts of each programme that can be compared, by name."""
    if not names:
        return show(page, *section(page).blocks)
    made = [programme(page, item) for item in page.study.designs if item.result is not None]
    return show(page, *(block for parts in made for name in names for block in parts[name]))
