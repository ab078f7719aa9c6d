"""The blank of a region's yearly statistics, and which of its figures the package has already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.text import t
from evaluation.data.office import blank as filled
from evaluation.data.office import vocabulary, workbook
from evaluation.data.package import Dataset, grade_of, has_caveat
from evaluation.targets.sheets import lines_of

COLUMNS = (
    "group", "indicator", "timing", "part_of", "year", "value", "unit", "fact_id", "source_id",
    "grade", "caveats", "holder_zh", "holder_en", "dose", "index",
)  # fmt: skip
GROUPS = ("personnel", "venues", "funds", "media", "activities", "innovation", "outcome")
LISTS = "lists"
ROW = 3  # the first row with a figure, from 0: title, mark, header
SHOWN = {  # columns of a sheet and their widths
    "code": 20, "indicator": 26, "definition": 38, "unit": 8, "timing": 8, "last": 13,
    "last_source": 20, "value": 14, "source": 22, "grade": 6, "note": 14,
}  # fmt: skip
VALUE, SOURCE, GRADE = (list(SHOWN).index(each) for each in ("value", "source", "grade"))
PAGE = (16, 36, 7, 22, 34, 34)  # widths of the page on completeness


def completeness(dataset: Dataset, region: str, before: int | None = None) -> pd.DataFrame:
    """Each indicator of the statistics with the last figure of a region, or what waits for it.

    Parameters
    ----------
    region : code. before : only figures of earlier years; None: of all.

    Returns
    -------
    DataFrame of ``COLUMNS``, in the order of ``statistics.csv``. ``year, value, fact_id,
    source_id, grade, caveats`` are of the last published figure of one whole year, missing where
    there is none. ``dose``: the domain it becomes an input of; ``index``: the composite indices it
    enters, by semicolons.

    Raises
    ------
    KepuError : the package declares no statistics.
    """
    table = dataset.statistics
    if table.empty:
        raise KepuError("No statistics are declared — copy statistics.csv into the package.")
    labels = dataset.indicators.set_index("indicator")
    last = _last(dataset, region, before)
    found = table.drop(columns="source_id").merge(last, on="indicator", how="left")
    found["unit"] = found["indicator"].map(labels["unit"])
    texts = ["fact_id", "source_id", "grade", "caveats"]
    found[texts] = found[texts].fillna("")
    found["year"] = found["year"].astype("Int64")
    domains = {row["indicator"]: row["dose_domain"] for row in vocabulary.table("vocabulary")}
    domains |= dict(zip(dataset.doses["indicator"], dataset.doses["domain"], strict=True))
    found["dose"] = found["indicator"].map(domains).fillna("")
    made = dataset.composites.groupby("indicator")["index"].agg(";".join)
    found["index"] = found["indicator"].map(made).fillna("")
    return found.reindex(columns=list(COLUMNS))


def _last(dataset: Dataset, region: str, before: int | None) -> pd.DataFrame:
    """The last figure of each indicator over one year, one without a caveat first."""
    facts = dataset.facts
    start = facts["period_start"].where(facts["period_start"] != "", facts["period_end"])
    whole_year = start.str[:4] == facts["period_end"].str[:4]
    measured = facts["kind"].isin(("statistic", "survey")) & (facts["group"] == "")
    rows = facts[(facts["region_code"] == region) & whole_year & measured]
    rows = rows[rows["indicator"].isin(dataset.statistics["indicator"])]
    if before is not None:
        rows = rows[rows["year"] < before]
    rows = rows.assign(grade=grade_of(rows, dataset.sources), barred=has_caveat(rows))
    rows = rows.sort_values(
        ["year", "barred", "fact_id"], ascending=[True, False, True], kind="stable"
    )
    kept = ["indicator", "year", "value", "fact_id", "source_id", "grade", "caveats"]
    return rows.drop_duplicates("indicator", keep="last")[kept]


def lines(dataset: Dataset, rows: pd.DataFrame, language: str) -> list[tuple[str, ...]]:
    """The page on completeness in words: group, indicator, year, figure, source and grade or who
    holds it, what it unlocks."""
    names = dataset.indicators.set_index("indicator")[f"label_{language}"]
    return [
        (
            _plain(t(f"blank.group.{row['group']}", language)), names[row["indicator"]],
            "" if pd.isna(row["year"]) else str(row["year"]), _amount(dataset, row, language),
            _origin(row, language), _unlocks(row, language),
        )
        for row in rows.to_dict("records")
    ]  # fmt: skip


def heads(language: str) -> tuple[str, ...]:
    """Heads of :func:`lines`."""
    return tuple(_plain(t(f"blank.page.{each}", language)) for each in
                 ("group", "indicator", "year", "figure", "origin", "unlocks"))  # fmt: skip


def summary(dataset: Dataset, rows: pd.DataFrame, region: str, language: str) -> str:
    """How many of the indicators a region has."""
    name = dataset.regions.set_index("code").at[region, f"name_{language}"]
    held = int(rows["year"].notna().sum())
    return _plain(t("blank.summary", language, region=name, held=held, all=len(rows)))


def _plain(text: Markup) -> str:
    return str(text.unescape())


def _amount(dataset: Dataset, row: dict, language: str) -> str:
    if pd.isna(row["value"]):
        return _plain(t("blank.missing", language))
    unit = dataset.units.set_index("unit").at[row["unit"], f"label_{language}"]
    return f"{row['value']:,.10g} {unit}"


def _origin(row: dict, language: str) -> str:
    if not row["source_id"]:
        return _plain(t("blank.held_by", language, holder=row[f"holder_{language}"]))
    ids, state = row["source_id"].replace(";", ", "), "flagged" if row["caveats"] else "sound"
    return _plain(t(f"blank.cited.{state}", language, source=ids, grade=row["grade"]))


def _unlocks(row: dict, language: str) -> str:
    """Section, dose and index a figure serves."""
    found = [
        _plain(t(f"blank.section.{'outcome' if row['group'] == 'outcome' else 'inputs'}", language))
    ]
    if row["dose"]:
        found.append(_plain(t(f"blank.dose.{row['dose']}", language)))
    found += [
        _plain(t("blank.index", language, index=each)) for each in row["index"].split(";") if each
    ]
    return "; ".join(found)


# ------------------------------------------------------------------------------------------
# The workbook.


def write(dataset: Dataset, region: str, year: int, file: Path, language: str) -> Path:
    """Write the blank of a region and year as a workbook, a sheet a group; returns the file.

    Raises
    ------
    KepuError : no statistics are declared, or the file is there, is no .xlsx or cannot be written.
    """
    rows = completeness(dataset, region, year)
    return workbook.saved(
        file, lambda book: _Blank(book, dataset, (region, year), language).fill(rows)
    )


class _Blank:
    """A workbook in the making: its formats, words and the sources it offers."""

    def __init__(self, book: Any, dataset: Dataset, of: tuple[str, int], language: str):
        self.book, self.dataset, self.language = book, dataset, language
        self.region, self.year = of
        self.labels = dataset.indicators.set_index("indicator")
        self.units = dataset.units.set_index("unit")
        self.name = dataset.regions.set_index("code").at[self.region, f"name_{language}"]
        base = {"font_name": "Calibri", "font_size": 11, "valign": "vcenter", "text_wrap": True}
        looks = {
            "title": {"bold": True, "font_size": 14, "text_wrap": False},
            "mark": {"font_color": "#808080", "font_size": 9, "text_wrap": False},
            "plain": {"text_wrap": True},
            "head": {"bold": True, "bg_color": "#DDEBF7", "border": 1},
            "key": {"bg_color": "#F2F2F2", "border": 1},
            "held": {"bg_color": "#F2F2F2", "border": 1, "num_format": "#,##0.##########"},
            "whole": {"border": 1, "num_format": "#,##0"},
            "free": {"border": 1},
        }  # fmt: skip
        self.looks = {name: book.add_format(base | look) for name, look in looks.items()}
        self.bad = book.add_format({"bg_color": "#F8CBAD"})

    def t(self, key: str, **values: object) -> str:
        return _plain(t(key, self.language, **values))

    def fill(self, rows: pd.DataFrame) -> None:
        """Write the page on completeness, a sheet for each group, and the lists."""
        now = completeness(self.dataset, self.region)
        self._page(now)
        sources = self._sources(now)
        for group in GROUPS:
            if len(part := rows[rows["group"] == group]):
                self._group(group, part.to_dict("records"), len(sources))
        sheet = self.book.add_worksheet(LISTS)
        for number, title in enumerate(sources):
            sheet.write_string(number, 0, title)
        sheet.hide()

    def _sources(self, rows: pd.DataFrame) -> list[str]:
        """Titles of the sources the region has been cited from."""
        ids = sorted({each for text in rows["source_id"] for each in text.split(";") if each})
        titles = self.dataset.sources.set_index("source_id")["title"]
        return [titles[each] for each in ids]

    def _start(self, name: str, title: str, mark: str, widths: Sequence[float]) -> Any:
        sheet = self.book.add_worksheet(name[:31])
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.write_string(0, 0, title, self.looks["title"])
        sheet.write_string(1, 0, mark, self.looks["mark"])
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        return sheet

    def _page(self, rows: pd.DataFrame) -> None:
        title = self.t("blank.title", region=self.name, year=self.year)
        mark = filled.mark(filled.PAGE)
        sheet = self._start(self.t("blank.page"), title, mark, PAGE)
        line = 2
        for key in ("fill", "codes", "source", "checks"):
            text = self.t(f"blank.how.{key}")
            sheet.merge_range(line, 0, line, 5, text, self.looks["plain"])
            sheet.set_row(line, 15 * lines_of(text, sum(PAGE)))
            line += 1
        told = summary(self.dataset, rows, self.region, self.language)
        sheet.merge_range(line, 0, line, 5, told, self.looks["plain"])
        for number, texts in enumerate(
            (heads(self.language), *lines(self.dataset, rows, self.language)), line + 1
        ):
            look = self.looks["head" if number == line + 1 else "key"]
            for column, text in enumerate(texts):
                sheet.write_string(number, column, text, look)
            sheet.set_row(number, 15 * max(map(lines_of, texts, PAGE)))
        sheet.repeat_rows(line + 1)

    def _group(self, group: str, rows: list[dict], sources: int) -> None:
        label = self.t(f"blank.group.{group}")
        title = self.t("blank.sheet", region=self.name, year=self.year, group=label)
        mark = filled.mark(self.region, self.year)
        sheet = self._start(label, title, mark, tuple(SHOWN.values()))
        for column, each in enumerate(SHOWN):
            sheet.write_string(2, column, self.t(f"blank.head.{each}"), self.looks["head"])
        sheet.set_row(2, 32)
        at = {row["indicator"]: ROW + number for number, row in enumerate(rows)}
        for row in rows:
            self._row(sheet, at[row["indicator"]], row)
            self._check(sheet, at[row["indicator"]], row, at.get(row["part_of"]))
        end = ROW + len(rows) - 1
        if sources:
            sheet.data_validation(ROW, SOURCE, end, SOURCE, {
                "validate": "list", "source": f"={LISTS}!$A$1:$A${sources}", "show_error": False,
                "input_title": self.t("blank.head.source")[:32],
                "input_message": self.t("blank.how.source")[:255],
            })  # fmt: skip
        sheet.data_validation(ROW, GRADE, end, GRADE, {
            "validate": "list", "source": list(filled.GRADES),
            "error_title": self.t("blank.wrong")[:32],
            "error_message": self.t("blank.wrong_grade")[:255],
        })  # fmt: skip
        sheet.freeze_panes(ROW, 2)
        sheet.repeat_rows(2)

    def _row(self, sheet: Any, number: int, row: dict) -> None:
        label, looks = self.labels.loc[row["indicator"]], self.looks
        named = row["part_of"] and self.labels.at[row["part_of"], f"label_{self.language}"]
        whole = named and self.t("blank.part_of", whole=named)
        broken = self.dataset.statistics.set_index("indicator").at[
            row["indicator"], f"breakdown_{self.language}"
        ]
        split = broken and self.t("blank.breakdown", breakdown=broken)
        last = f"{row['year']}: {_origin(row, self.language)}" if row["source_id"] else ""
        texts = {
            "code": row["indicator"], "indicator": label[f"label_{self.language}"],
            "definition": "\n".join(
                filter(None, (label[f"definition_{self.language}"], split, whole))
            ),
            "unit": self.units.at[row["unit"], f"label_{self.language}"],
            "timing": self.t(f"blank.timing.{row['timing']}"), "last_source": last,
        }  # fmt: skip
        for column, name in enumerate(SHOWN):
            if name in texts:
                sheet.write_string(number, column, texts[name], looks["key"])
            elif name == "last" and pd.notna(row["value"]):
                sheet.write_number(number, column, row["value"], looks["held"])
            else:
                own = name == "value" and self.units.at[row["unit"], "countable"]
                look = "held" if name == "last" else "whole" if own else "free"
                sheet.write_blank(number, column, None, looks[look])
        sheet.set_row(number, 15 * max(lines_of(text, SHOWN[name])
                                       for name, text in texts.items()))  # fmt: skip

    def _check(self, sheet: Any, number: int, row: dict, whole: int | None) -> None:
        """What is typed is checked at once; what is pasted turns red."""
        letter = chr(ord("A") + VALUE)
        cell = f"${letter}${number + 1}"
        tests = [f"ISNUMBER({cell})", f"{cell}>=0"]
        if self.units.at[row["unit"], "countable"]:
            tests.append(f"{cell}=INT({cell})")
        if row["unit"] == "percent":
            tests.append(f"{cell}<=100")
        if whole is not None:
            total = f"${letter}${whole + 1}"
            tests.append(f'OR({total}="",{cell}<={total})')
        sound = f"IF({tests[0]},AND({','.join(tests[1:])}),FALSE)"
        sheet.data_validation(number, VALUE, number, VALUE, {
            "validate": "custom", "value": f"={sound}", "ignore_blank": True,
            "error_title": self.t("blank.wrong")[:32],
            "error_message": self.t("blank.wrong_value")[:255],
        })  # fmt: skip
        sheet.conditional_format(number, VALUE, number, VALUE, {
            "type": "formula", "criteria": f'=AND({cell}<>"",NOT({sound}))', "format": self.bad,
        })  # fmt: skip
