"""The regions of a new package: from the national list, from a list, or from the office's file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evaluation.base.errors import KepuError
from evaluation.data.office import cells, vocabulary
from evaluation.data.office.create import Level, Region
from evaluation.data.office.layout import HEADER
from evaluation.data.office.vocabulary import normal, period, words

ENGLISH = frozenset(
    map(normal, ("name_en", "english", "english name", "英文名称", "英文名", "英文"))
)
SHORT = frozenset(map(normal, ("short_zh", "short", "short name", "简称")))
NAMED = frozenset(map(normal, ("name_zh", "中文名称", "中文名")))


def level(text: str) -> Level:
    """A level written ``key:name_zh:name_en:plural_en``, or one of the standard ones by its key.

    Raises
    ------
    KepuError : neither.
    """
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 4 and all(parts):
        return Level(*parts)
    known = {row["level"]: row for row in vocabulary.table("levels")}
    if text in known:
        row = known[text]
        return Level(text, row["name_zh"], row["name_en"], row["plural_en"])
    raise KepuError(
        f"'{text}' is no level — write key:Chinese name:English name:English plural, as "
        f"league:盟市:league:leagues, or one of {', '.join(known)}"
    )


def whole(text: str) -> Region:
    """The region that holds all others, written ``中文名/English name`` or by a national code.

    Raises
    ------
    KepuError : no name.
    """
    known = {row["code"]: row for row in vocabulary.table("national")}
    if text in known:
        return _region(known[text])
    chinese, _, english = (part.strip() for part in text.partition("/"))
    chinese, english = chinese or english, english or chinese
    if not chinese:
        raise KepuError("the whole has no name — write it as 内蒙古自治区/Inner Mongolia")
    row = _by_name().get(chinese)
    code = row["code"] if row else "W0"
    short = row["short_zh"] if row else _short(chinese)
    return Region(code, chinese, english, short)


def national(code: str) -> list[Region]:
    """The regions of the national list that belong to ``code``.

    Raises
    ------
    KepuError : the list has none.
    """
    found = [_region(row) for row in vocabulary.table("national") if row["parent_code"] == code]
    if not found:
        raise KepuError(
            f"the national list has no regions in '{code}' — give a list with --regions"
        )
    return found


def _region(row: dict[str, str]) -> Region:
    return Region(row["code"], row["name_zh"], row["name_en"], row["short_zh"])


def _by_name() -> dict[str, dict[str, str]]:
    """Regions of the national list by full and short name; a name of two is that of none."""
    found: dict[str, dict[str, str]] = {}
    twice: set[str] = set()
    for row in vocabulary.table("national"):
        for name in {row["name_zh"], row["short_zh"], row["name_en"]}:
            if name in found:
                twice.add(name)
            found[name] = row
    return {name: row for name, row in found.items() if name not in twice}


def _short(name: str) -> str:
    for word in vocabulary.suffixes():
        if name.endswith(word) and len(name) - len(word) >= 2:
            return name.removesuffix(word)
    return name


def listed(path: Path, prefix: str = "R") -> list[Region]:
    """The regions a file names: a list, or the column of regions of a table with figures.

    Codes and English names are those of the file; where it has none, those of the national list
    for a region of that name, else ``R01`` and so on, and the name itself.

    Raises
    ------
    KepuError : the file has no column headed 地区, region or another such word.
    """
    book = cells.read(path)
    for sheet in book.sheets:
        if rows := list(_rows(sheet)):
            once = {row["name"]: row for row in reversed(rows)}
            known, found = _by_name(), []
            names = [name for name in dict.fromkeys(row["name"] for row in rows)]
            width = len(str(len(names)))
            for number, name in enumerate(names, 1):
                row, there = once[name], known.get(name, {})
                code = row.get("code") or there.get("code") or f"{prefix}{number:0{max(2, width)}d}"
                english = row.get("en") or there.get("name_en") or name
                short = row.get("short") or there.get("short_zh") or _short(name)
                found.append(Region(code, there.get("name_zh") or name, english, short))
            return found
    raise KepuError(
        f"{book.name}: no column of regions is found — head it with 地区 or region, beside code, "
        "name_en and short_zh where there are such"
    )


def _rows(sheet: cells.Sheet) -> Iterator[dict[str, str]]:
    """Names of regions below the header that is headed by such a word."""
    for number, row in enumerate(sheet.rows[:HEADER]):
        forms = [normal(cell) for cell in row]
        at = {}
        for column, form in enumerate(forms):
            for kind, known in _kinds():
                if form in known:
                    at.setdefault(kind, column)
        if "name" in at:
            for line in sheet.rows[number + 1 :]:
                found = {
                    kind: line[column] if column < len(line) else "" for kind, column in at.items()
                }
                if _is_name(found["name"]):
                    yield found
            return


def _kinds() -> list[tuple[str, frozenset[str]]]:
    """Kinds of columns of a list of regions, with the words that head them."""
    names = words("region") | NAMED
    return [("name", names), ("code", words("code")), ("en", ENGLISH), ("short", SHORT)]


def _is_name(text: str) -> bool:
    form = normal(text)
    known = words("total") | words("region") | words("code")
    plain = len(text) <= 60 and not text.startswith(("注", "备注", "数据来源", "Note", "Source"))
    return bool(form) and form not in known and plain and not period(text) and not form.isdigit()
