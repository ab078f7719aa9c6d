"""Views of an officer's year: an index as ranges of places, the board of a plan, a form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import DataError, KepuError
from evaluation.base.text import check_language
from evaluation.data.package import Dataset
from evaluation.data.slices import code_of
from evaluation.data.tables import Files
from evaluation.figures import charts
from evaluation.report import governance as plan
from evaluation.report import logic as models
from evaluation.report.blocks import Block, Items, Paragraph, Table
from evaluation.report.page import DASH, STYLE, Opened, View, Writer, picture, table
from evaluation.report.planner import Sheet
from evaluation.targets import assess, forms, index, inequality, tracker, weights
from evaluation.targets.sheets import HEAD, TITLE, Grid


def _view(dataset: Dataset, w: Writer, *blocks: Block) -> View:
    warning = Paragraph(w.t("view.simulated"), "simulated") if dataset.simulated else None
    return View(blocks, warning)


# An index of regions: what it is made of, ranges of places, what moves them, how far apart.


@dataclass(frozen=True, eq=False)
class Standing(Opened):
    """An index of the regions of a set in one year, in one language; ``region`` stands out."""

    dataset: Dataset
    language: str
    region: str
    given: index.Figures
    found: index.RankIntervals


def standing(
    dataset: Dataset, region_set: str, language: str, *, region: str = "", name: str = "",
    year: int = 0, draws: int = 2000, seed: int = 20250101,
) -> Standing:  # fmt: skip
    """Make an index of a set of regions in all the ways there are.

    Parameters
    ----------
    name : of ``composites.csv``; the first without one. year : 0: the last complete one.

    Raises
    ------
    KepuError : an unknown language, set, region or index, or figures that cannot be compared.
    """
    check_language(language)
    codes = index.members(dataset, region_set)
    region = code_of(dataset, region) if region else ""
    name = name or next(iter(dataset.composites["index"]), "")
    given = index.figures(dataset, name, codes, year or None)
    found = index.rank_intervals(given, name, draws=draws, seed=seed)
    return Standing(dataset, language, region, given, found)


def made_of(own: Standing) -> View:
    """The indicators of the index, and of how many regions each has a figure."""
    w, kind = own.writer, "proxies" if own.found.proxies else "own"
    rows = [
        (row[f"dimension_{own.language}"], w.indicator(row["indicator"]),
         w.indicator(row["denominator"]) if row["denominator"] else DASH,
         w.t(f"index.direction.{row['direction']}"),
         w.number(f"known.{row['indicator']}", own.given.x[row["indicator"]].count(), "", 0))
        for row in own.given.spec.to_dict("records")
    ]  # fmt: skip
    counted = w.numbers("index", regions=len(own.given.x))
    lead = Paragraph(w.t(f"index.made.{kind}", year=w.year(own.given.year), **counted))
    names = ("dimension", "indicator", "per", "direction", "regions")
    return _view(own.dataset, w, lead, _table(w, "index.made.caption", names, rows, (4,)))


def weighed(own: Standing) -> View:
    """What each rule of weights gives each indicator, in percent."""
    w, spec = own.writer, own.given.spec
    x = index.filled(own.given.x, spec["missing"].replace("leave_out", "median").tolist())
    expert = spec["weight"].to_numpy(float)
    rules = [*weights.WEIGHTS, *(["expert"] if spec["weight"].notna().all() else [])]
    x = x - x.min(axis=0).clip(max=0)  # turned figures begin at 0, as where ranks are drawn
    made = {rule: 100 * weights.weights(x, rule, expert) for rule in rules}
    rows = [
        (w.indicator(name), *(w.number(f"{name}.{rule}", made[rule][i], "percent", 0)
                              for rule in rules))
        for i, name in enumerate(spec["indicator"])
    ]  # fmt: skip
    names = ("indicator", *rules)
    body = _table(w, "index.weights.caption", names, rows, range(1, len(names)))
    return _view(own.dataset, w, Paragraph(w.t("index.weights")), body)


def places(own: Standing) -> View:
    """The places each region may take, as a table in the order of the set."""
    w, frame = own.writer, own.found.frame
    rows = [
        (w.name(row.region_code), w.interval(row.region_code, row.rank_low, row.rank_high, "", 0))
        for row in frame.itertuples()
    ]
    body = _table(w, "index.places.table", ("region", "ranks"), rows, (1,))
    left = [Paragraph(w.t("index.left", regions=w.series(map(w.name, own.given.left))), "note")]
    shown = [Paragraph(_summary(own, w)), body, *(left if own.given.left else [])]
    return _view(own.dataset, w, *shown)


def drawn(own: Standing) -> View:
    """The same as a figure."""
    w, frame = own.writer, own.found.frame
    shown = pd.DataFrame({
        "name": [w.short(code) for code in frame["region_code"]],
        "low": frame["rank_low"], "high": frame["rank_high"],
        "highlight": frame["region_code"] == own.region,
    })  # fmt: skip
    options = {"xlabel": "axis.place", "values": {"year": w.year(own.found.year)}}
    made = picture(Sheet(w), "index.places", charts.places, shown, **options)
    return _view(own.dataset, w, made)


def _summary(own: Standing, w: Writer) -> Markup:
    """:meth:`RankIntervals.summary` with its numbers marked."""
    frame, most = own.found.frame, own.found.sensitivity.sort_values("share").iloc[-1]
    width = (frame["rank_high"] - frame["rank_low"] + 1).median()
    return w.t(
        f"index.summary.{'proxies' if own.found.proxies else 'own'}", year=w.year(own.found.year),
        factor=w.t(f"index.factor.{most['factor']}"),
        **w.numbers("index", regions=len(frame), width=width, draws=own.found.draws),
    )  # fmt: skip


def moved(own: Standing) -> View:
    """How much of the movement of places each choice explains alone."""
    w = own.writer
    ordered = own.found.sensitivity.sort_values("share", ascending=False, kind="stable")
    rows = [
        (w.t(f"index.factor.{row.factor}"),
         w.number(f"share.{row.factor}", 100 * row.share, "percent", 0))
        for row in ordered.itertuples()
    ]  # fmt: skip
    body = _table(w, "index.moved.caption", ("choice", "explained"), rows, (1,))
    return _view(own.dataset, w, Paragraph(w.t("index.moved")), body)


def _apart(own: Standing) -> pd.DataFrame:
    codes = own.given.x.index.tolist()
    return inequality.apart(own.dataset, own.found.index, codes, own.given.year)


def unequal(own: Standing) -> View:
    """How unequal the regions are in each indicator: within bands, between them, overlapping."""
    w, rows, parts = own.writer, [], ("within", "between", "overlap")
    for row in _apart(own).to_dict("records"):
        name, whole = row["indicator"], row["gini"] or 1.0  # equal figures have no part
        shares = (
            w.number(f"{name}.{part}", 100 * row[part] / whole, "percent", 0) for part in parts
        )
        rows.append((w.indicator(name), w.number(f"{name}.gini", row["gini"], "", 2), *shares))
    names = ("indicator", "gini", "gini_within", "gini_between", "gini_overlap")
    values = {"year": w.year(own.given.year)}
    body = _table(w, "index.gini.caption", names, rows, (1, 2, 3, 4), **values)
    return _view(own.dataset, w, Paragraph(w.t("index.gini")), body)


def together(own: Standing) -> View:
    """Whether regions drew together in each indicator: spread at both ends, and slope."""
    w, rows = own.writer, []
    for row in _apart(own).to_dict("records"):
        name, known = row["indicator"], pd.notna(row["beta"])
        ends = (int(row["first"]), int(row["last"])) if known else ()
        rows.append((
            w.indicator(name), w.span(*ends) if known else DASH,
            *(w.number(f"{name}.{end}", row[end], "", 2) for end in ("cv_first", "cv_last")),
            w.estimate(f"{name}.beta", row["beta"], (row["low"], row["high"]), "", (1, 1)),
        ))  # fmt: skip
    names = ("indicator", "period", "cv_first", "cv_last", "beta")
    body = _table(w, "index.together.caption", names, rows, (2, 3, 4))
    return _view(own.dataset, w, Paragraph(w.t("index.together")), body)


def untold(own: Standing) -> View:
    """What no index tells."""
    w = own.writer
    keys = ("index.untold.proxies", "index.untold.errors", "index.untold.places",
            "index.untold.beta")  # fmt: skip
    return _view(own.dataset, w, Items(tuple(w.t(key) for key in keys[not own.found.proxies :])))


# The board of a plan.


@dataclass(frozen=True, eq=False)
class Board(Opened):
    """The measures and targets of a region's plan as of a day, in one language."""

    dataset: Dataset
    language: str
    region: str
    today: str
    rows: pd.DataFrame


def board(dataset: Dataset, region: str, language: str, today: str) -> Board:
    """Open the board of a region's plan; see :func:`evaluation.targets.tracker.board`."""
    check_language(language)
    region = code_of(dataset, region)
    return Board(dataset, language, region, today, tracker.board(dataset, region, today))


def counted(own: Board) -> View:
    """What became of the plan, by status."""
    w = own.writer
    lead = Paragraph(plan.counts_text(Sheet(w), own.region, own.rows, own.today))
    return _view(own.dataset, w, lead, plan.status_table(Sheet(w), own.region, own.rows))


def chosen(own: Board, unit: str = "", group: str = "", due: int = 0) -> View:
    """The board of what a body leads or takes part in, addresses a group, is due by a year."""
    w = own.writer
    rows = tracker.filtered(own.rows, unit, group, due or None)
    if rows.empty:
        return _view(own.dataset, w, Paragraph(w.t("track.nothing"), "missing"))
    return _view(
        own.dataset, w, plan.board_table(Sheet(w), rows, "track.board", own.region, own.today)
    )


def overdue(own: Board) -> View:
    """What is open though its year is over or its next entry was due."""
    return _listed(own, own.rows["overdue"], "track.late")


def unevidenced(own: Board) -> View:
    """What names neither a figure nor a document."""
    return _listed(own, ~own.rows["evidenced"], "track.bare")


def _listed(own: Board, which: pd.Series, key: str) -> View:
    w = own.writer
    if not which.any():
        return _view(own.dataset, w, Paragraph(w.t("track.nothing"), "missing"))
    columns = ("item", "measure", "lead", "due", "progress")
    rows = own.rows[which]
    told = w.numbers(f"led.{key}", shown=len(rows), nobody=(rows["lead_unit_zh"] == "").sum())
    body = plan.board_table(Sheet(w), rows, key, own.region, own.today, columns)
    return _view(own.dataset, w, Paragraph(w.t("track.led", **told)), body)


def refused(own: Board, files: Files) -> View:
    """What comes of calling the first item without evidence done; nothing is written.

    Raises
    ------
    KepuError : every item has evidence, so that none can be refused.
    """
    w, bare = own.writer, own.rows[~own.rows["evidenced"]]
    if bare.empty:
        raise KepuError(f"Every item of {own.region} has evidence — name another region.")
    row = bare.iloc[0]
    kind = "target_id" if row["number"] == "" else "measure_id"
    entry = {kind: row["item"], "status": "done", "period": own.today[:4], "recorded": own.today}
    try:
        tracker.recorded(files, entry)
    except DataError as error:
        told = Markup("<code>{}</code>").format(str(error).splitlines()[-1])
        title = plan.item_title(w, row, own.dataset.facts.set_index("fact_id"))
        return _view(own.dataset, w, Paragraph(w.t("track.refused", title=title)), Paragraph(told))
    raise KepuError(f"{row['item']} was called done without evidence, and that was let pass.")


def unsettled(own: Board) -> View:
    """What a board does not tell."""
    w = own.writer
    keys = ("track.untold.unknown", "track.untold.share", "track.untold.evidence")
    return _view(own.dataset, w, Items(tuple(w.t(key) for key in keys)))


# A form as a table of a page.


@dataclass(frozen=True, eq=False)
class Form:
    """A form of merged cells that shows itself in a notebook."""

    grid: Grid

    def _repr_html_(self) -> str:
        titles = [cell.text for cell in self.grid.cells if cell.style == TITLE]
        lines: dict[int, list[Markup]] = {}
        for cell in self.grid.cells:
            if cell.style != TITLE:
                tag = "th" if cell.style == HEAD else "td"
                held = f'<{tag} colspan="{cell.wide}" rowspan="{cell.high}">{{}}</{tag}>'
                lines.setdefault(cell.row, []).append(Markup(held).format(cell.text))
        body = Markup("").join(
            Markup("<tr>{}</tr>").format(Markup("").join(cells)) for cells in lines.values()
        )
        table_ = '<div class="table"><table class="kepu"><caption>{}</caption>{}</table></div>'
        return str(STYLE + Markup(table_).format(" ".join(titles), body))

    def __repr__(self) -> str:
        return f"Form({self.grid.name}: {self.grid.rows} rows)"


def assessment(own: Board, programme: str) -> Form:
    """The self-assessment of a programme in the customary layout; see ``monitoring.assess``."""
    made = assess.assess(own.dataset, programme)
    return Form(forms.programme(own.dataset, made, own.language))


def logic(own: Board, programme: str) -> View:
    """The logic model of a programme: its objectives by stage, and what the arrows assume."""
    w, made = own.writer, assess.assess(own.dataset, programme)
    actual = {row["objective_id"]: forms.actual(own.dataset, row, own.language)
              for row in made.lines.to_dict("records")}  # fmt: skip
    return _view(own.dataset, w, models.programme(Sheet(w), made, actual))


def verdict(own: Board, programme: str) -> View:
    """The total of the self-assessment, or what keeps it from one."""
    w, made = own.writer, assess.assess(own.dataset, programme)
    if made.complete:
        total = w.number("total", made.total(), "", 2)
        told = w.t("assess.told", total=total, grade=w.t(f"assess.grade.{made.grade()}"))
        return _view(own.dataset, w, Paragraph(told))
    lacking = made.lines["lacks"].str.split(";").explode()
    counted_ = w.numbers(
        "lacks", lines=len(made.lines), **{name: (lacking == name).sum() for name in LACKS}
    )
    return _view(own.dataset, w, Paragraph(w.t("assess.lacking", **counted_)))


LACKS = ("target", "actual", "weight")


def _table(
    w: Writer, key: str, names: Iterable[str], rows: Sequence[tuple], numeric: Iterable[int] = (),
    **values: object,
) -> Table:  # fmt: skip
    return table(Sheet(w), w.t(key, **values), names, rows, numeric)
