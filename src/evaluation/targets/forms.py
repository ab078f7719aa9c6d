"""The customary forms of an officer's year: self-assessment of the plan, and of a programme."""

from __future__ import annotations

import pandas as pd

from evaluation.base.text import t
from evaluation.data.package import Dataset
from evaluation.targets.assess import OUTPUT, Assessment
from evaluation.targets.sheets import HEAD, TITLE, Cell, Grid


def plan(dataset: Dataset, rows: pd.DataFrame, region: str, language: str, today: str) -> Grid:
    """The self-assessment of a plan, a measure or target a row.

    Parameters
    ----------
    rows : of :func:`evaluation.targets.tracker.board`.
    """
    name = dataset.regions.set_index("code").at[region, f"name_{language}"]
    grid = Grid(t("track.sheet", language), (10, 46, 18, 10, 14, 30, 8, 12, 12))
    title = t("track.title", language, region=name, day=today)
    if dataset.simulated:
        title = t("track.simulated", language) + title
    grid.line([title], TITLE, [9])
    heads = ("item", "measure", "lead", "due", "state", "evidence", "score", "person", "next")
    grid.line([t(f"track.head.{each}", language) for each in heads], HEAD)
    for row in rows.to_dict("records"):
        state = t(f"track.state.{row['status']}", language)
        if row["overdue"]:
            state = t("track.overdue", language, state=state)
        score = "" if pd.isna(row["score"]) else f"{row['score']:g}"
        due = "" if pd.isna(row["year_due"]) else f"{row['year_due']}"
        grid.line([
            row["number"] or row["item"], row[f"title_{language}"],
            _bodies(dataset, row["lead_unit_zh"], language), due, state,
            _evidence(dataset, row, language), score, row["person"], row["next_date"],
        ])  # fmt: skip
    return grid


def _bodies(dataset: Dataset, names: str, language: str) -> str:
    if language == "zh":
        return names.replace(";", "、")
    english = dataset.organisations.set_index("name_zh")["name_en"]
    return "; ".join(english[name] for name in names.split(";") if name)


def _evidence(dataset: Dataset, row: dict, language: str) -> str:
    """Facts with their indicator and value, then documents with the place in them."""
    facts = dataset.facts.set_index("fact_id")
    told = [_figure(dataset, facts.loc[each], each, language)
            for each in row["fact_ids"].split(";") if each]  # fmt: skip
    place = row[f"place_{language}"]
    documents = row["evidence_source"]
    if documents:
        told.append(f"{documents.replace(';', ', ')} {place}".strip())
    return "; ".join(told) or t("track.none", language)


def _figure(dataset: Dataset, fact: pd.Series, name: str, language: str) -> str:
    label = dataset.indicators.set_index("indicator").at[fact["indicator"], f"label_{language}"]
    return f"{label} {_amount(dataset, fact['value'], fact['unit'], language)} ({name})"


def _amount(dataset: Dataset, value: float, unit: str, language: str) -> str:
    if pd.isna(value):
        return ""
    symbol = dataset.units.set_index("unit").at[unit, f"symbol_{language}"]
    gap = "" if language == "zh" or symbol in ("", "%") else " "
    return f"{value:,.10g}{gap}{symbol}"


def programme(dataset: Dataset, made: Assessment, language: str) -> Grid:
    """The self-assessment of a programme's spending, in the customary order of its cells.

    Where the total cannot be made the form says so in its place, and which figures it waits for.
    """
    head = made.programme
    grid = Grid(t("assess.sheet", language), (12, 12, 34, 16, 16, 9, 9, 34))
    first = made.lines.iloc[0]
    title = t("assess.title", language, start=first["period_start"], end=first["period_end"])
    if dataset.simulated:
        title = t("track.simulated", language) + title
    grid.line([title], TITLE, [8])
    for key, text in (
        ("name", head[f"name_{language}"]),
        ("unit", _bodies(dataset, head["lead_unit_zh"], language)),
    ):
        row = grid.rows
        grid.cells += [Cell(row, 0, t(f"assess.{key}", language), HEAD, 2),
                       Cell(row, 2, text, "text", 6)]  # fmt: skip
    _budget(dataset, made, grid, language)
    heads = ("first", "second", "third", "target", "actual", "weight", "points", "reason")
    grid.line([t(f"assess.head.{each}", language) for each in heads], HEAD)
    for row in made.lines[made.lines["kind"] != "budget"].to_dict("records"):
        level = "output" if row["kind"] in OUTPUT else row["kind"]
        grid.line([
            t(f"assess.level.{level}", language), t(f"assess.kind.{row['kind']}", language),
            row[f"title_{language}"], _target(dataset, row, language),
            *_rest(dataset, row, language),
        ])  # fmt: skip
    total = f"{made.total():.2f}" if made.complete else t("assess.untold", language)
    grade = t(f"assess.grade.{made.grade()}", language) if made.complete else ""
    grid.line([t("assess.total", language), total, grade], HEAD, [5, 2, 1])
    return grid


def _budget(dataset: Dataset, made: Assessment, grid: Grid, language: str) -> None:
    heads = ("funds", "", "what", "budget", "spent", "weight", "points", "execution")
    grid.line([t(f"assess.head.{each}", language) if each else "" for each in heads], HEAD)
    for row in made.lines[made.lines["kind"] == "budget"].to_dict("records"):
        rate = "" if pd.isna(row["rate"]) else f"{100 * row['rate']:.2f}%"
        texts = [t("assess.kind.budget", language), "", row[f"title_{language}"],
                 _target(dataset, row, language)]  # fmt: skip
        spent, weight, points, reason = _rest(dataset, row, language)
        grid.line([*texts, spent, weight, points, "; ".join(filter(None, (rate, reason)))])


def _target(dataset: Dataset, row: dict, language: str) -> str:
    if pd.isna(row["target"]):
        return t("assess.unpublished", language)
    sign = {">=": "≥", "<=": "≤", "=": ""}[row["comparator"]]
    sign = "" if row["kind"] == "budget" else sign
    return sign + _amount(dataset, row["target"], row["unit"], language)


def _rest(dataset: Dataset, row: dict, language: str) -> list[str]:
    """Actual figure, weight, points and reason of an objective."""
    weight, points = ("" if pd.isna(row[name]) else f"{row[name]:.4g}" for name in
                      ("weight", "points"))  # fmt: skip
    return [actual(dataset, row, language), weight, points, row[f"reason_{language}"]]


def actual(dataset: Dataset, row: dict, language: str) -> str:
    """The actual figure of an objective with its unit, or that none is published."""
    told = _amount(dataset, row["actual"], row["unit"], language)
    return told or t("assess.unpublished", language)
