"""Views of the targets notebook: outlook, back-test, needed gains, tracker, decomposition."""

from __future__ import annotations

from evaluation.errors import KepuError
from evaluation.report.blocks import Heading, Paragraph, Table
from evaluation.report.context import Context
from evaluation.report.goals import goals_of
from evaluation.report.makeup import inputs_sentence, makeup_blocks, nation_sentence
from evaluation.report.needed import needed
from evaluation.report.outlook import backtest, chances, fan
from evaluation.report.overview_targets import targets
from evaluation.report.tracker import tracker_blocks
from evaluation.targets.backtest import BENCHMARKS, scores
from evaluation.targets.outlook import Outlook
from evaluation.views import View, show, table


def _found(page: Context) -> Outlook:
    if not isinstance(page.study.outlook, Outlook):
        raise KepuError(f"No forecast from these data: {page.study.outlook}")
    return page.study.outlook


def heading(page: Context, code: str) -> View:
    """Fan chart of one region with its targets."""
    return show(page, fan(page, _found(page), code, goals_of(page, code)))


def chance(page: Context) -> View:
    """Chance of each target of the region that is still open."""
    return show(page, *chances(page, _found(page), goals_of(page, page.code)))


def all_chances(page: Context) -> View:
    """The nearest own target of every region of the set."""
    tables = [block for block in targets(page).blocks if isinstance(block, Table)]
    return show(page, *tables[:-1])  # the last is the back-test, which stands above


def tested(page: Context) -> View:
    """The back-test: sentence, table of models, what it does not show."""
    return show(page, *backtest(page, _found(page)))


def by_origin(page: Context) -> View:
    """Error and coverage of the model used, by the wave its forecasts were made from."""
    w, found = page.writer, _found(page)
    rows = scores(found.records, ("origin", "model")).set_index(["origin", "model"])
    cells = []
    for origin in sorted(found.records["origin"].unique()):
        own, key = rows.loc[(origin, found.trend.name)], f"backtest.{origin}"
        rivals = [rows.loc[(origin, name), "mae"] for name in BENCHMARKS]
        cells.append(
            (
                w.year(origin),
                w.number(f"{key}.rates", own["rates"], "", 0),
                w.number(f"{key}.mae", own["mae"], "", 2),
                *(
                    w.number(f"{key}.{name}", value, "", 2)
                    for name, value in zip(BENCHMARKS, rivals, strict=True)
                ),
                w.number(f"{key}.cover", 100 * own["cover_80"], "percent", 0),
            )
        )
    columns = ("made_from", "held_out", "mae", "no_change", "national_trend", "held_share")
    caption = w.t("view.origin.table", model=w.t(f"trend.{found.trend.name}"))
    note = w.t("view.origin", agreed=w.number("backtest.agreed", found.agreed, "", 0))
    return show(page, table(page, caption, columns, cells, range(1, 6)), Paragraph(note))


def components(page: Context) -> View:
    """What the fitted trend consists of, as standard deviations of the logit."""
    w, found = page.writer, _found(page)
    rows = [
        (w.t(f"component.{name}"), w.number(f"component.{name}", value**0.5, "", 3))
        for name, value in found.trend.variances.items()
    ]
    life = w.number("component.life", found.trend.life, "year", 0)
    return show(
        page,
        table(page, w.t("view.components"), ("component", "deviation"), rows, (1,)),
        Paragraph(w.t("view.components.note", life=life), "note"),
    )


def gains(page: Context) -> View:
    """Gains needed by the region's targets against the fastest comparable gain."""
    blocks = needed(page, goals_of(page, page.code))
    return show(page, *[block for block in blocks if not isinstance(block, Heading)])


def tracked(page: Context) -> View:
    """Quantified targets other than the share."""
    return show(page, *[b for b in tracker_blocks(page) if not isinstance(b, Heading)])


def nation_gain(page: Context) -> View:
    """The nation's gain by residence, exactly."""
    return show(page, Paragraph(nation_sentence(page)))


def gain(page: Context) -> View:
    """The region's gain from its first to its last survey, taken apart."""
    return show(page, *[b for b in makeup_blocks(page) if not isinstance(b, Heading)])


def inputs(page: Context) -> View:
    """What programme inputs could at most account for."""
    return show(page, Paragraph(inputs_sentence(page)))
