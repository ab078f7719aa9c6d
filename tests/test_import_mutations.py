"""Machine-made mutations of a valid file: the same facts, or a refusal with its place; never less.

``KEPU_IMPORT_MUTATIONS`` sets how many (24; 2,000 in a long run), ``KEPU_IMPORT_SEED`` the first
seed. What must hold of each is in :func:`judge`.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import xlsxwriter

from evaluation.base.errors import KepuError
from evaluation.data import contract
from evaluation.data.office import cells, create, importing
from office_samples import HEADS, leagues, plan, rows

COUNT = int(os.environ.get("KEPU_IMPORT_MUTATIONS", "24"))
FIRST = int(os.environ.get("KEPU_IMPORT_SEED", "20261127"))
SLOWEST = 20.0  # seconds of one file
Grid = list[list[str]]
Change = Callable[[Grid, random.Random], None]
JUNK = (
    "很多", "N/A", "#REF!", "8..7", "1e3", "--5", "12,34", "x", "=1+1", "0x1F", "²", "٣",
    "None", "TRUE", "2018年", "9" * 50, "\u202e5", "约", "5-", "(5)", "5人人",
)  # fmt: skip
HARMLESS: list[Change] = []
HARMFUL: list[Change] = []


def harmless(function: Change) -> Change:
    """A change after which the figures are still those they were."""
    HARMLESS.append(function)
    return function


def harmful(function: Change) -> Change:
    """A change that spoils a figure, or what says where it belongs."""
    HARMFUL.append(function)
    return function


def head(grid: Grid) -> int:
    """The row of the header, wherever earlier changes left it."""
    return next(number for number, row in enumerate(grid) if len(set(row)) > 5)


def body(grid: Grid) -> list[list[str]]:
    return [row for row in grid[head(grid) + 1 :] if len(set(row)) > 5]


def figures(grid: Grid) -> list[int]:
    """Columns of figures."""
    known = [name.split("（")[0] for name in HEADS]
    return [i for i, name in enumerate(grid[head(grid)]) if any(k in name for k in known)]


@harmless
def shuffle_rows(grid: Grid, rng: random.Random) -> None:
    start = head(grid) + 1
    rest = grid[start:]
    rng.shuffle(rest)
    grid[start:] = rest


@harmless
def move_columns(grid: Grid, rng: random.Random) -> None:
    order = list(range(len(grid[head(grid)])))
    rng.shuffle(order)
    for number, row in enumerate(grid):
        padded = row + [""] * (len(order) - len(row))
        grid[number] = [padded[i] for i in order]


@harmless
def wide_digits(grid: Grid, rng: random.Random) -> None:
    wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
    for row in body(grid):
        column = rng.randrange(len(row))
        row[column] = row[column].translate(wide)


@harmless
def thousands(grid: Grid, rng: random.Random) -> None:
    for row in body(grid):
        for column in figures(grid):
            if (
                row[column].isascii()
                and row[column].replace(".", "", 1).isdigit()
                and rng.random() < 0.5
            ):
                whole, dot, rest = row[column].partition(".")
                row[column] = f"{int(whole):,}{dot}{rest}"


@harmless
def title(grid: Grid, rng: random.Random) -> None:
    grid.insert(
        0, [rng.choice(["内蒙古自治区科普统计表", "附表3：各盟市情况", "科普数据填报（试行）"])]
    )


@harmless
def blank_rows(grid: Grid, rng: random.Random) -> None:
    grid.insert(rng.randrange(len(grid) + 1), [])


@harmless
def note_below(grid: Grid, rng: random.Random) -> None:
    grid.append([rng.choice(["注：由各盟市科协填报", "数据来源：科普统计", "填报人：张三"])])


@harmless
def total_below(grid: Grid, rng: random.Random) -> None:
    name = rng.choice(["合计", "总计", "全区"])
    at = grid[head(grid)].index(next(h for h in grid[head(grid)] if "盟市" in h))
    line = ["100"] * len(grid[head(grid)])
    line[at] = name
    grid.append(line)


@harmless
def spaces(grid: Grid, rng: random.Random) -> None:
    for row in grid:
        for column, cell in enumerate(row):
            if cell and rng.random() < 0.2:
                row[column] = rng.choice([" {}", "{} ", "\u3000{}", "{}\u00a0"]).format(cell)


@harmless
def short_names(grid: Grid, rng: random.Random) -> None:
    codes = {name: code for code, name in leagues()}
    for row in body(grid):
        for column, cell in enumerate(row):
            if cell in codes and rng.random() < 0.5:
                row[column] = rng.choice([cell.removesuffix("市"), codes[cell]])


@harmless
def years_in_words(grid: Grid, rng: random.Random) -> None:
    for row in body(grid):
        for column, cell in enumerate(row):
            if cell in ("2018", "2020", "2022", "2024"):
                row[column] = rng.choice(["{}", "{}年", "{}年度"]).format(cell)


@harmless
def other_unit(grid: Grid, rng: random.Random) -> None:
    names = grid[head(grid)]
    columns = [i for i, name in enumerate(names) if name.endswith("（人）")]
    if columns:
        column = rng.choice(columns)
        names[column] = names[column].replace("（人）", "（万人）")
        for row in body(grid):
            plain = row[column].replace(",", "")
            if plain.isascii() and plain.isdigit():
                row[column] = f"{Decimal(plain) / 10_000}"
            else:  # written otherwise by another change
                row[column] = f"{row[column]}人"


@harmless
def unit_in_cells(grid: Grid, rng: random.Random) -> None:
    column = rng.choice(figures(grid))
    name, _, unit = grid[head(grid)][column].strip().rstrip("）").partition("（")
    if unit:
        grid[head(grid)][column] = name
        for row in body(grid):
            if row[column]:
                row[column] = f"{row[column].strip()}{unit}"


@harmless
def strange_column(grid: Grid, rng: random.Random) -> None:
    name = rng.choice(["备注", "填报人", "排名", "农村志愿者（人）", "同比增长（%）"])
    for number, row in enumerate(grid):
        if len(set(row)) > 5:
            row.append(name if number == head(grid) else rng.choice(["", "3", "无"]))


@harmful
def junk_cell(grid: Grid, rng: random.Random) -> None:
    rng.choice(body(grid))[rng.choice(figures(grid))] = rng.choice(JUNK)


@harmful
def junk_name(grid: Grid, rng: random.Random) -> None:
    row = rng.choice(body(grid))
    row[next(i for i in range(len(row)) if i not in figures(grid))] = rng.choice(
        ["呼市", "", "某某市", "2018", "总体"]
    )


@harmful
def junk_header(grid: Grid, rng: random.Random) -> None:
    column = rng.choice(figures(grid))
    grid[head(grid)][column] = rng.choice(
        ["", "其他", "志愿人员数目", "2018", grid[head(grid)][column] + "增长率"]
    )


@harmful
def lost_point(grid: Grid, rng: random.Random) -> None:
    row, column = rng.choice(body(grid)), rng.choice(figures(grid))
    if row[column].isascii() and row[column].replace(".", "", 1).isdigit():
        row[column] = str(Decimal(row[column]) / 10_000)


@harmful
def twice(grid: Grid, rng: random.Random) -> None:
    row = list(rng.choice(body(grid)))
    row[rng.choice(figures(grid))] += "1"
    grid.append(row)


@harmful
def empty_cells(grid: Grid, rng: random.Random) -> None:
    for _ in range(5):
        rng.choice(body(grid))[rng.choice(figures(grid))] = rng.choice(["", "-", "…", "/"])


def write(grid: Grid, folder: Path, rng: random.Random) -> Path:
    kind = rng.choice(["csv", "csv", "tsv", "xlsx", "numbers"])
    if kind in ("csv", "tsv"):
        file = folder / f"a.{kind}"
        encoding = rng.choice(["utf-8", "utf-8-sig", "gb18030", "utf-16"])
        separator = "\t" if kind == "tsv" else rng.choice([",", ";", "\t"])
        with file.open("w", encoding=encoding, newline="") as stream:
            csv.writer(stream, delimiter=separator).writerows(grid)
        return file
    file = folder / "a.xlsx"
    with xlsxwriter.Workbook(file, {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet(rng.choice(["Sheet1", "盟市", "数据"]))
        for number, row in enumerate(grid):
            for column, cell in enumerate(row):
                plain = cell.isascii() and cell.replace(".", "", 1).isdigit() and len(cell) < 15
                if kind == "numbers" and plain:
                    sheet.write_number(number, column, float(cell))
                elif cell:
                    sheet.write_string(number, column, cell)
    if rng.random() < 0.15:
        damage(file, rng)
    return file


def damage(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    if rng.random() < 0.5:
        del content[rng.randrange(len(content)) :]
    else:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def truth() -> dict[tuple[str, str, str], Decimal]:
    codes = {name: code for code, name in leagues()}
    names, *lines = rows()
    return {
        (codes[line[0]], line[1], HEADS[name][0]): Decimal(cell) * HEADS[name][1]
        for line in lines
        for name, cell in zip(names[2:], line[2:], strict=True)
    }


TRUTH = truth()


def judge(file: Path, folder: Path, spoiled: bool) -> str:
    """What became of a file: ``same``, ``less`` or ``refused``; fails where anything was silent."""
    begun = time.monotonic()
    try:
        preview = importing.prepare([cells.read(file)], folder)
    except KepuError as error:
        assert file.name in str(error) and " — " in str(error), str(error)
        return "refused"
    for figure in preview.figures:
        raw = figure.raw
        key = raw.region, raw.period.end, raw.indicator
        assert key in TRUTH, f"a figure from nowhere: {figure}"
        assert Decimal(figure.value.value) == TRUTH[key], f"{TRUTH[key]} became {figure}"
    for refused in preview.refused:
        assert refused.file == file.name and refused.row >= 1 and refused.rule and refused.remedy
    lost = len(TRUTH) - len(preview.figures)
    told = preview.refused or preview.asked or any(read.passed for read in preview.reads)
    assert not lost or told or spoiled, f"{lost} figures lost without a word"
    importing.apply(preview)
    # The import has checked its result; to read it again from disk is most of the work.
    if not lost or (preview.refused and preview.refused[0].row % 8 == 0):
        assert preview.figures == [] or contract.check(folder) == []
    assert time.monotonic() - begun < SLOWEST
    return "less" if lost else "same"


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    return create.create(tmp_path_factory.mktemp("mutations") / "data", plan())


def mutate(seed: int, package: Path, folder: Path) -> tuple[str, list[str]]:
    rng = random.Random(seed)
    grid = [list(row) for row in rows()]
    chosen = rng.sample(HARMLESS, rng.randrange(1, 4)) + rng.sample(HARMFUL, rng.randrange(0, 3))
    names = [change.__name__ for change in chosen]
    for change in chosen:
        change(grid, rng)
    target = folder / "data"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(package, target)
    file = write(grid, folder, rng)
    try:
        return judge(file, target, spoiled="empty_cells" in names), names
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, {', '.join(names)}, {file.name}: {error}") from None


def test_a_mutated_file_gives_the_same_facts_or_is_refused_with_its_place(package, tmp_path):
    results, faults = [], []
    for number in range(COUNT):
        try:
            results.append(mutate(FIRST + number, package, tmp_path)[0])
        except AssertionError as error:
            faults.append(str(error))
    assert not faults, f"{len(faults)} of {COUNT:,} mutations:\n" + "\n".join(faults)
    counts = {result: results.count(result) for result in ("same", "less", "refused")}
    print(f"\n{COUNT:,} mutations: {counts}")
    # All three ends are reached; else the mutations, or the import, have become toothless.
    assert counts["same"] and counts["less"] and (counts["refused"] or COUNT < 50), counts


@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change.__name__)
def test_a_harmless_change_changes_nothing(change, package, tmp_path):
    grid = [list(row) for row in rows()]
    rng = random.Random(change.__name__)
    change(grid, rng)
    file = tmp_path / "a.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(grid)
    shutil.copytree(package, tmp_path / "data")
    assert judge(file, tmp_path / "data", spoiled=False) == "same"
