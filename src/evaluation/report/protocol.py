"""The protocol of a planned evaluation and its list of units, from the design that was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import nbformat
import numpy as np
import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.results import MOST_LOCKS
from evaluation.base.text import LANGUAGES
from evaluation.data.package import Dataset
from evaluation.design import candidates
from evaluation.design.candidates import Candidate
from evaluation.design.components import COVERED
from evaluation.design.plan import Departure, Plan
from evaluation.figures.rollout import chances, rollout
from evaluation.report.blocks import Block, Items, Paragraph, Part, Section, Table, Title
from evaluation.report.page import Context, Writer, picture, table

POINT = "percentage_point"
SCORE = 6  # decimals of an imbalance
# What would be said: for a difference above zero, below it, and for none.
SAYS = ("protocol.says.up", "protocol.says.down", "protocol.says.unclear")


@dataclass(frozen=True, eq=False)
class Sheet:
    """A plan in one language; without one, what a table or a figure needs of a page."""

    plan: Plan | None
    writer: Writer

    @property
    def units(self) -> str:
        """What the units are called, several of them."""
        return self.writer.level(self.plan.level, several=True)

    @property
    def kind(self) -> Markup:
        """The name of the design."""
        return self.writer.t(f"design.kind.{self.plan.layout.kind}")

    def captioned(self, says: Markup | None, caption: Markup) -> Markup:
        """See :meth:`evaluation.report.page.Context.captioned`."""
        return Context.captioned(self, says, caption)

    def text(self, key: str, **values: object) -> Markup:
        """A text that may name the region, its units and the design."""
        given = {"region": self.writer.name(self.plan.region), "level_units": self.units,
                 "kind": self.kind}  # fmt: skip
        return self.writer.t(key, **given | values)

    def number(self, name: str, value: float, unit: str = "", digits: int = 0) -> Markup:
        """A number of the design."""
        return self.writer.number(f"design.{name}", value, unit, digits)


def check_language(language: str) -> None:
    """Refuse a language that texts do not have."""
    if language not in LANGUAGES:
        raise KepuError(f"Unknown language '{language}'; known: {', '.join(LANGUAGES)}.")


def sheet(plan: Plan, dataset: Dataset, language: str) -> Sheet:
    """A plan ready to be written in a language."""
    return Sheet(plan, Writer(dataset, language))


def protocol(page: Sheet) -> list[Part]:
    """Question, units, assignment, outcome, sample, analysis, rule, and what would be said."""
    head = (Paragraph(page.text("protocol.subtitle"), "subtitle"),)
    title = Title(page.text("protocol.title"), head, str(page.writer.t("page.keywords")))
    return [title, _question(page), _assignment(page), _outcome(page), _analysis(page),
            _rule(page)]  # fmt: skip


def _day(date: str) -> Markup:
    """The day of the draw, to the day: a published seed is older than its list."""
    return Markup("<time>{}</time>").format(date)


def roster(page: Sheet) -> list[Part]:
    """The list of units in the order of their codes, to be printed and signed."""
    plan, w = page.plan, page.writer
    dealt = plan.allocation
    drawn = page.text("roster.drawn", seed=term(dealt.seed), date=_day(dealt.date))
    if dealt.units.covariates:
        drawn = w.joined(drawn, page.text(
            "roster.balance", score=page.number("score", dealt.score, "", SCORE),
            median=page.number("median", dealt.median, "", SCORE),
        ))  # fmt: skip
    starts, rows = plan.starts(), []
    for row in dealt.table(plan.layout).itertuples():
        begins = w.year(starts[row.code]) if starts[row.code] else w.t("design.never")
        told = (row.code, _named(page, row.code, row.name), _named(page, row.stratum, row.stratum))
        group = page.number(f"group.{row.code}", row.group)
        rows.append((*(w.recorded("units", row.code, text) for text in told), group, begins))
    caption = w.t("roster.caption", count=page.number("units", len(rows)))
    names = ("code", "region", "stratum", "group", "begins")
    blocks = (Paragraph(drawn), table(page, caption, names, rows, (3,)),
              Paragraph(w.t("protocol.signature")))  # fmt: skip
    head = Title(page.text("roster.title"), (), str(w.t("page.keywords")))
    return [head, Section("roster", page.text("protocol.units.title"), blocks)]


def _named(page: Sheet, code: str, given: str) -> str:
    """A region by its name in the language of the page, else as it was given."""
    known = code in set(page.writer.dataset.regions["code"])
    return page.writer.name(code) if known else given


def term(constant: object) -> Markup:
    """A constant of the design, printed digit by digit: a seed is no count."""
    return Markup('<span class="term">{}</span>').format(constant)


def notebook(parts: Sequence[Part], language: str, date: str) -> nbformat.NotebookNode:
    """A notebook that shows the parts, from which a report's formats are made."""
    cells = []
    for part in parts:
        data = part._repr_mimebundle_()
        output = nbformat.v4.new_output("display_data", data)
        cells.append(nbformat.v4.new_code_cell("", outputs=[output]))
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kepu": {"date": date, "language": language, "front": False}}
    )


def _question(page: Sheet) -> Section:
    smallest = page.number("effect", page.plan.effect, POINT, 2)
    text = Paragraph(page.text("protocol.question", smallest=smallest))
    return Section("question", page.text("protocol.question.title"), (text,))


def _assignment(page: Sheet) -> Section:
    plan, w, dealt = page.plan, page.writer, page.plan.allocation
    first = page.text(
        "protocol.units", count=page.number("units", len(dealt.units.codes)),
        groups=page.number("groups", plan.layout.sequences),
        seed=term(dealt.seed), date=_day(dealt.date),
    )  # fmt: skip
    values = {
        "candidates": page.number("candidates", dealt.candidates),
        "accepted": page.number("accepted", len(dealt.accepted)),
        "share_kept": page.number("share", 100 * dealt.share, "percent"),
        "covariates": w.series(dealt.units.covariates),
    }
    kind = "restricted" if dealt.units.covariates else "free"
    told = [first, w.t(f"protocol.units.{kind}", **values)]
    strata = len(set(dealt.units.strata))
    if strata > 1:
        told.append(w.t("protocol.units.strata", strata=page.number("strata", strata)))
    drawn = picture(
        page, "design.rollout", rollout, plan.layout.matrix, groups=_labels(page),
        waves=[str(wave) for wave in plan.waves],
    )  # fmt: skip
    blocks = (Paragraph(w.joined(*told)), drawn)
    return Section("assignment", page.text("protocol.units.title"), blocks)


def _labels(page: Sheet) -> list[str]:
    """What each group is called in the figure: its number and its units."""
    sizes = np.bincount(page.plan.allocation.sequence, minlength=page.plan.layout.sequences)
    head = page.writer.t("column.group")
    return [f"{head} {k} (n = {size})" for k, size in enumerate(sizes, 1)]


def _outcome(page: Sheet) -> Section:
    plan = page.plan
    interviews = len(plan.surveyed()) * plan.setting.respondents
    text = page.text(
        "protocol.outcome", respondents=page.number("respondents", plan.setting.respondents),
        interviews=page.number("interviews", interviews),
    )  # fmt: skip
    blocks = (Paragraph(text), _tells(page), _assumed(page))
    return Section("outcome", page.text("protocol.outcome.title"), blocks)


def _tells(page: Sheet) -> Table:
    plan, w = page.plan, page.writer
    target = page.number("target", 100 * plan.setting.target, "percent")
    ends = (100 * plan.low, 100 * plan.high)
    key = "protocol.tells.locks.value" if plan.clean is None else "protocol.tells.locks.clean"
    clean = (
        {} if plan.clean is None else {"clean": page.number("clean", 100 * plan.clean, "percent")}
    )
    locks = w.t(key, locks=page.number("locks", plan.locks), most=page.number("most", MOST_LOCKS),
                **clean)  # fmt: skip
    rows = [
        (w.t("protocol.tells.power"), w.joined(
            page.number("power", 100 * plan.power, "percent"),
            w.interval("design.power", *ends, "percent", 0))),
        (w.t("protocol.tells.detectable", target=target),
         page.number("detectable", plan.detectable, POINT, 2)),
        (w.t("protocol.tells.locks"), locks),
        (w.t("protocol.tells.survey"), _sum(page, "survey")),
        (w.t("protocol.tells.programme"), _sum(page, "programme")),
    ]  # fmt: skip
    if plan.simulated is not None:
        value = page.number("simulated", 100 * plan.simulated, "percent")
        rows.insert(1, (w.t("protocol.tells.simulated"), value))
    return table(page, w.t("protocol.tells.caption"), ("what", "value"), rows, (1,))


def _sum(page: Sheet, name: str) -> Markup:
    value = page.plan.costs[name]
    if value is None:
        return page.writer.t("design.unstated")
    return page.number(f"cost.{name}", value)


DIGITS = {"rate": 2, "trend": 2, "icc": 4, "autocorrelation": 2, "design_effect": 1,
          "matched": 2, "compliance": 2}  # fmt: skip
UNITS = {"rate": "percent", "trend": POINT}


def _assumed(page: Sheet) -> Table:
    return assumption_table(page, page.plan.assumed)


def assumption_table(page: Sheet, assumed: dict[str, tuple[float, str]]) -> Table:
    """Values that a comparison rests on, a row each, and where they are from."""
    w, rows = page.writer, []
    for name, (value, origin) in assumed.items():
        number = page.number(f"assumed.{name}", value, UNITS.get(name, ""), DIGITS[name])
        rows.append((w.t(f"design.assumed.{name}"), number, w.t(f"design.origin.{origin}")))
    return table(page, w.t("protocol.assumed.caption"), ("what", "value", "origin"), rows, (1,))


def _alpha(page: Sheet) -> Markup:
    return page.number("alpha", 100 * (1 - page.plan.setting.level), "percent")


def _analysis(page: Sheet) -> Section:
    text = page.text(
        "protocol.analysis", alpha=_alpha(page),
        estimator=page.writer.t(f"protocol.estimator.{page.plan.estimator}"),
        accepted=page.number("accepted", len(page.plan.allocation.accepted)),
    )  # fmt: skip
    return Section("analysis", page.text("protocol.analysis.title"), (Paragraph(text),))


def _rule(page: Sheet) -> Section:
    values = {
        "alpha": _alpha(page),
        "detectable": page.number("detectable", page.plan.detectable, POINT, 2),
        "target": page.number("target", 100 * page.plan.setting.target, "percent"),
    }
    said = tuple(page.text(key, **values) for key in SAYS)
    blocks = (
        Paragraph(page.text("protocol.rule", **values)), Items(said),
        Paragraph(page.text("protocol.says.words"), "note"),
        Paragraph(page.text("protocol.signature")),
    )  # fmt: skip
    return Section("rule", page.text("protocol.rule.title"), blocks)


# ------------------------------------------------------------------------------------------
# What a report that cannot tell says of the design that could: three sentences and a figure.


def quoted(context: Context) -> list[Block]:
    """The design that could tell for the region of a report, or what is lacking to name it."""
    w, study = context.writer, context.study
    try:
        found = candidates.quoted(study.dataset, context.code)
    except KepuError:  # how much units differ, or what is worth knowing, has no basis here
        return [context.missing("design.quote.unknown")]
    if found is None:
        return [context.missing("design.quote.none")]
    blocks: list[Block] = [Paragraph(_quote(context, found))]
    one, target = found.candidate, found.question.target
    values = {"kind": w.t(f"design.kind.{one.layout.kind}"),
              "cover": w.number("design.cover", 100 * COVERED, "percent", 0)}  # fmt: skip
    frame = pd.DataFrame(list(found.curve))
    options = {"target": target, "smallest": found.question.effect, "values": values}
    axes = {"xlabel": "axis.difference", "ylabel": "axis.found"}
    return [*blocks, picture(context, "design.curve", chances, frame, **options, **axes)]


def _quote(context: Context, found: candidates.Quoted) -> Markup:
    w, one, question = context.writer, found.candidate, found.question
    key, own = f"design.{context.code}", one.assessed
    values = {
        "region": context.name, "level_units": w.level(question.level, several=True),
        "kind": w.t(f"design.kind.{one.layout.kind}"),
        "smallest": w.number(f"{key}.effect", own.effect, POINT, 2),
        "detectable": w.number(f"{key}.detectable", own.detectable, POINT, 2),
        "target": w.number(f"{key}.target", 100 * own.target, "percent", 0),
        "power": w.number(f"{key}.power", 100 * own.power, "percent", 0),
        "origin": w.t(f"design.origin.{found.baseline.origins['icc']}"),
    }  # fmt: skip
    counts = {"count": own.units, "groups": one.layout.sequences, "waves": one.layout.periods,
              "respondents": one.setting.respondents, "interviews": one.interviews,
              "years": one.years}  # fmt: skip
    values |= w.numbers(key, **counts)
    if round(100 * one.low) != round(100 * one.high):  # an interval of one number tells nothing
        ends = w.interval(f"{key}.power", 100 * one.low, 100 * one.high, "percent", 0)
        values["power"] = w.joined(values["power"], ends)
    power = ".power" if own.power >= 0.5 else ".power.few"
    return w.joined(*(w.t(f"design.quote{part}", **values) for part in ("", power, ".cost")))


# ------------------------------------------------------------------------------------------
# What the screen shows: candidates and departures as plain words.


def candidate_rows(
    compared: Iterable[Candidate], writer: Writer
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of candidates."""
    names = ("design", "waves", "respondents", "power", "power_interval", "power_simulated",
             "detectable", "locks", "interviews", "survey_cost", "programme_cost",
             "years_to_answer")  # fmt: skip
    head = [writer.t(f"column.{name}").striptags() for name in names]
    return head, [_row(each, writer) for each in compared]


def _row(each: Candidate, writer: Writer) -> list[str]:
    unstated = writer.t("design.unstated").striptags()
    costs = [unstated if x is None else f"{x:,.0f}" for x in
             (each.survey_cost, each.programme_cost)]  # fmt: skip
    simulated = "" if each.simulated is None else f"{each.simulated.power:.0%}"
    kind = writer.t(f"design.short.{each.layout.kind}").striptags()
    return [
        kind, f"{each.layout.periods}", f"{each.setting.respondents:,}",
        f"{each.assessed.power:.0%}", f"{each.low:.0%}–{each.high:.0%}", simulated,
        f"{each.detectable:.2f}", f"{each.locks} ({each.clean:.0%})", f"{each.interviews:,}",
        *costs, f"{each.years:g}",
    ]  # fmt: skip


def departure_lines(found: Sequence[Departure], writer: Writer) -> list[str]:
    """One sentence a departure; one sentence where there is none."""
    if not found:
        return [writer.t("departure.none").striptags()]
    return [writer.t(f"departure.{each.kind}", **_told(each)).striptags() for each in found]


def _told(each: Departure) -> dict[str, Any]:
    numbers = {"planned": f"{each.planned:,.0f}", "found": f"{each.found:,.0f}"}
    return {"code": each.code, "wave": str(each.wave), **numbers}


def assumption_lines(assumed: dict[str, tuple[float, str]], writer: Writer) -> list[str]:
    """One line for each value that a comparison rests on, with where it is from."""
    return [
        f"{writer.t(f'design.assumed.{name}').striptags()}: {value:.{DIGITS[name]}f} — "
        f"{writer.t(f'design.origin.{origin}').striptags()}"
        for name, (value, origin) in assumed.items()
    ]
