"""An office's figures of 12 leagues and 4 waves, in the layouts offices use."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xlsxwriter

from evaluation.data.office import create

YEARS = (2018, 2020, 2022, 2024)
# Header and unit in the file, indicator, factor to the unit of the indicator.
HEADS = {
    "具备科学素质的比例（%）": ("science_literacy_rate", 1),
    "样本量（人）": ("survey_sample_valid", 1),
    "科技馆（个）": ("st_museum_count", 1),
    "科普大篷车（辆）": ("science_caravans", 1),
    "科技志愿者（人）": ("st_volunteers", 1),
    "科普信息员（人）": ("kepu_information_officers", 1),
    "科普活动场次（场）": ("kepu_activities", 1),
    "受益人次（万人次）": ("activity_participants_total", 10_000),
    "科普经费（万元）": ("funds_raised", 1),
    "常住人口（万人）": ("population_resident", 1),
}


def leagues() -> list[tuple[str, str]]:
    """Code and name of each league."""
    return [(region.code, region.name_zh) for region in create.national("150000")]


def plan(**changes) -> create.Plan:
    """The plan of the leagues."""
    given = {
        "whole": create.whole("150000"), "level": create.level("league"),
        "regions": create.national("150000"), "waves": list(YEARS),
    }  # fmt: skip
    return create.Plan(**given | changes)


def figures(seed: int = 1) -> dict[tuple[str, int, str], float]:
    """Figures as the file has them, by code, year and header."""
    rng, found = np.random.default_rng(seed), {}
    for code, _ in leagues():
        base = {h: rng.uniform(*span) for h, span in zip(HEADS, SPANS, strict=True)}
        for wave, year in enumerate(YEARS):
            for head, value in base.items():
                grown = value * 1.08**wave * rng.uniform(0.98, 1.02)
                decimals = 2 if "比例" in head or "万" in head else 0
                found[code, year, head] = round(grown, decimals)
    return found


SPANS = (
    (5, 9), (600, 900), (6, 15), (6, 12), (3000, 9000), (300, 900), (300, 900), (5, 30),
    (300, 1200), (90, 400),
)  # fmt: skip


def panel() -> dict[tuple[str, int, str], float]:
    """Figures as facts, by code, year and indicator."""
    return {
        (code, year, HEADS[head][0]): value * HEADS[head][1]
        for (code, year, head), value in figures().items()
    }


def _number(value: float) -> str:
    return f"{value:g}" if value != round(value) else f"{value:.0f}"


def rows() -> list[list[str]]:
    """The table region × year, with its header."""
    found = [["盟市", "年份", *HEADS]]
    values = figures()
    for code, name in leagues():
        for year in YEARS:
            found.append([name, str(year), *(_number(values[code, year, h]) for h in HEADS)])
    return found


def filled() -> str:
    """The table as CSV."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows())
    return stream.getvalue()


class Save:
    """Write the figures in one of the ``layouts``; returns the file."""

    def __init__(self) -> None:
        self.makers: dict[str, Callable[[Path], None]] = {}

    @property
    def layouts(self) -> list[str]:
        return list(self.makers)

    def __call__(self, layout: str, folder: Path) -> Path:
        file = (
            folder
            / f"{layout}.{'csv' if layout in TEXTS else 'tsv' if layout == 'tsv' else 'xlsx'}"
        )
        self.makers[layout](file)
        return file


TEXTS = ("long", "tall", "wide_digits", "semicolons")
save = Save()


def maker(function: Callable[[Path], None]) -> Callable[[Path], None]:
    save.makers[function.__name__.removeprefix("_")] = function
    return function


def _text(
    file: Path, lines: list[list[str]], separator: str = ",", encoding: str = "utf-8"
) -> None:
    with file.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter=separator, lineterminator="\n").writerows(lines)


@maker
def _long(file: Path) -> None:
    _text(file, rows())


@maker
def _semicolons(file: Path) -> None:
    _text(file, rows(), ";", "gb18030")


@maker
def _tsv(file: Path) -> None:
    _text(file, rows(), "\t", "utf-16")


@maker
def _wide_digits(file: Path) -> None:
    wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
    head, *lines = rows()
    _text(
        file, [head, *([name, *(cell.translate(wide) for cell in rest)] for name, *rest in lines)]
    )


@maker
def _tall(file: Path) -> None:
    lines = [["地区", "指标", "年份", "数值", "单位", "备注"]]
    for (code, year, head), value in figures().items():
        name, unit = head[:-1].split("（")
        lines.append([code, name, f"{year}年", _number(value), unit, ""])
    _text(file, lines)


@maker
def _xlsx(file: Path) -> None:
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("盟市")
        for number, line in enumerate(rows()):
            for column, cell in enumerate(line):
                if number and column:
                    sheet.write_number(number, column, float(cell))
                else:
                    sheet.write_string(number, column, cell)


@maker
def _two(file: Path) -> None:
    """Two rows of header, merged; a title above, a total and a note below."""
    values = figures()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("汇总")
        sheet.merge_range(0, 0, 0, 40, "内蒙古自治区科普统计表")
        sheet.merge_range(1, 0, 2, 0, "盟市")
        for wave, year in enumerate(YEARS):
            first = 1 + wave * len(HEADS)
            sheet.merge_range(1, first, 1, first + len(HEADS) - 1, f"{year}年")
            for column, head in enumerate(HEADS, first):
                sheet.write(2, column, head)
                for number, (code, name) in enumerate(leagues(), 3):
                    sheet.write(number, 0, name.removesuffix("市"))
                    sheet.write(number, column, values[code, year, head])
        sheet.write_row(15, 0, ["合计", 1, 2])
        sheet.write(17, 0, "注：由各盟市科协填报")


@maker
def _years_below(file: Path) -> None:
    """Indicators above years, with a column of codes."""
    values = figures()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("a")
        sheet.merge_range(0, 0, 1, 0, "地区代码")
        sheet.merge_range(0, 1, 1, 1, "地区")
        for place, head in enumerate(HEADS):
            first = 2 + place * len(YEARS)
            sheet.merge_range(0, first, 0, first + len(YEARS) - 1, head)
            for column, year in enumerate(YEARS, first):
                sheet.write(1, column, year)
                for number, (code, name) in enumerate(leagues(), 2):
                    sheet.write(number, 0, int(code))
                    sheet.write(number, 1, name)
                    sheet.write(number, column, values[code, year, head])


@maker
def _sheet_an_indicator(file: Path) -> None:
    values = figures()
    with xlsxwriter.Workbook(file) as book:
        for head in HEADS:
            sheet = book.add_worksheet(head.split("（")[0])
            sheet.write(0, 0, f"各盟市{head}")
            sheet.write_row(1, 0, ["序号", "盟市", *(f"{year}年" for year in YEARS)])
            for number, (code, name) in enumerate(leagues(), 1):
                line = [number, name, *(values[code, year, head] for year in YEARS)]
                sheet.write_row(1 + number, 0, line)


@maker
def _sheet_a_year(file: Path) -> None:
    values = figures()
    with xlsxwriter.Workbook(file) as book:
        for year in YEARS:
            sheet = book.add_worksheet(f"{year}年")
            sheet.write_row(0, 0, ["盟市", *HEADS])
            for number, (code, name) in enumerate(leagues(), 1):
                sheet.write_row(number, 0, [name, *(values[code, year, h] for h in HEADS)])


@maker
def _sheet_a_region(file: Path) -> None:
    values = figures()
    with xlsxwriter.Workbook(file) as book:
        for code, name in leagues():
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["指标", "单位", *(f"{year}年" for year in YEARS)])
            for number, head in enumerate(HEADS, 1):
                label, unit = head[:-1].split("（")
                sheet.write_row(number, 0, [label, unit, *(values[code, y, head] for y in YEARS)])


@maker
def _turned(file: Path) -> None:
    """Regions in columns, years in rows."""
    values = figures()
    with xlsxwriter.Workbook(file) as book:
        for head in HEADS:
            sheet = book.add_worksheet(head.split("（")[0])
            sheet.write(0, 0, head)
            sheet.write_row(1, 0, ["年份", *(name for _, name in leagues())])
            for number, year in enumerate(YEARS, 2):
                sheet.write_row(number, 0, [year, *(values[c, year, head] for c, _ in leagues())])


@maker
def _merged_regions(file: Path) -> None:
    """A region merged over its rows, indicators in rows, years in columns."""
    values = figures()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("a")
        sheet.write_row(0, 0, ["盟市", "指标", "单位", *(f"{year}年" for year in YEARS)])
        number = 1
        for code, name in leagues():
            sheet.merge_range(number, 0, number + len(HEADS) - 1, 0, name)
            for head in HEADS:
                label, unit = head[:-1].split("（")
                sheet.write_row(number, 1, [label, unit, *(values[code, y, head] for y in YEARS)])
                number += 1
