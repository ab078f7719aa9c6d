"""A data package of one's own, empty of figures: regions, waves, indicators, assumptions.

What an office declares is a :class:`Plan`; everything else comes from the tables beside this file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.base.errors import KepuError, shown
from evaluation.base.text import LANGUAGES
from evaluation.data import contract
from evaluation.data.office import cells, vocabulary, write
from evaluation.data.office.layout import HEADER
from evaluation.data.office.vocabulary import normal, period, words
from evaluation.data.tables import DESCRIPTOR

PLAN = "PLAN"  # the source of what the plan itself declares
PRIMARY = "main"  # the set of regions that are compared
DESIGN_EFFECT = 2.0
CODE = re.compile(r"[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*")
KEY = re.compile(r"[a-z][a-z0-9_]*")
MOST_REGIONS = 20_000


@dataclass(frozen=True)
class Level:
    """A level of regions: its key, and the names of one unit and of several."""

    key: str
    name_zh: str
    name_en: str
    plural_en: str


@dataclass(frozen=True)
class Region:
    """A region of a plan; ``short_zh`` is for axes and tables."""

    code: str
    name_zh: str
    name_en: str
    short_zh: str


WHOLE = Level("whole", "整体", "whole", "wholes")


@dataclass(frozen=True)
class Plan:
    """What a package is about.

    Attributes
    ----------
    whole : the one region that holds all others.
    level, regions : the regions that are compared.
    waves : years of the surveys.
    indicators : keys of the standard vocabulary; by default its standard set.
    design_effect : how much larger the variance of a rate is than that of a simple random sample.
    organisation : who declares it.
    subject : the row of ``subject.csv``, by default that of the standard vocabulary.
    """

    whole: Region
    level: Level
    regions: Sequence[Region]
    waves: Sequence[int]
    indicators: Sequence[str] = ()
    design_effect: float = DESIGN_EFFECT
    organisation: str = ""
    whole_level: Level = WHOLE
    subject: Mapping[str, str] = field(default_factory=lambda: vocabulary.table("subject")[0])
    languages: Sequence[str] = field(default=("zh", "en"))


def standard() -> tuple[str, ...]:
    """Keys of the indicators every new package has."""
    return tuple(
        row["indicator"] for row in vocabulary.table("vocabulary") if row["standard"] == "1"
    )


def create(folder: Path, plan: Plan) -> Path:
    """Write a new data package into ``folder``, whole or not at all; returns the folder.

    Raises
    ------
    KepuError : the plan cannot be a package, or the folder holds something already.
    """
    check(plan)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KepuError(f"{shown(folder)} is there already and not empty — name a new folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        reason = f"cannot be written ({error.strerror})"
        raise KepuError(f"{shown(folder.parent)} {reason} — name another folder") from None
    try:
        for name, content in contents(plan).items():
            (part / name).write_bytes(content)
        part.chmod(0o755)
        os.replace(part, folder)  # an empty folder of that name gives way
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def check(plan: Plan) -> None:
    """Refuse a plan that cannot be a package.

    Raises
    ------
    KepuError : with the rule and the remedy.
    """
    for wrong, rule, remedy in (*_faults_of_regions(plan), *_faults_of_design(plan)):
        if wrong:
            raise KepuError(f"The package cannot be made: {rule} — {remedy}")


Faults = Iterator[tuple[bool, str, str]]


def _faults_of_regions(plan: Plan) -> Faults:
    regions = (plan.whole, *plan.regions)
    codes, names = [each.code for each in regions], [each.name_zh for each in plan.regions]
    remedy = "give a list, or take those of the national list"
    yield not plan.regions, "no regions are given", remedy
    yield len(codes) > MOST_REGIONS, f"{len(codes):,} regions are too many", "split the package"
    for rule, texts in (("code", codes), ("region", names)):
        twice = next((text for text in texts if texts.count(text) > 1), "")
        yield bool(twice), f"the {rule} {twice} is there twice", "list each region once"
    odd = next((code for code in codes if not CODE.fullmatch(code)), None)
    remedy = "write codes of letters, digits, _ and -"
    yield odd is not None, f"'{odd}' is no code", remedy
    texts = [text for each in regions for text in (each.name_zh, each.name_en, each.short_zh)]
    bad = any(not text.isprintable() or text != text.strip() or not text for text in texts)
    remedy = "give each region a name in both languages"
    yield bad, "a name is empty or cannot be printed", remedy
    level, whole = plan.level.key, plan.whole_level.key
    rule = f"'{level}' is no key of a level"
    yield not KEY.fullmatch(level), rule, "write a word of small letters, as league"
    remedy = "give the compared regions a level of their own"
    yield level == whole, f"the level {level} is that of the whole", remedy


def _faults_of_design(plan: Plan) -> Faults:
    remedy = "give the years of the surveys, as 2018,2020"
    yield not plan.waves, "no wave is given", remedy
    outside = any(not 1990 <= wave <= 2100 for wave in plan.waves)
    yield outside, "a wave is no year from 1990 to 2100", remedy
    known = {row["indicator"] for row in vocabulary.table("vocabulary")}
    unknown = ", ".join(sorted(set(plan.indicators) - known))
    remedy = f"choose from {', '.join(sorted(known))}"
    yield bool(unknown), f"unknown indicators {unknown}", remedy
    rule = f"the design effect {plan.design_effect:g} is not between 1 and 100"
    remedy = "give how much the variance exceeds that of a simple random sample"
    yield not 1 <= plan.design_effect <= 100, rule, remedy


def contents(plan: Plan) -> dict[str, bytes]:
    """Every file of a new package by name."""
    tables = rows(plan)
    title = {"zh": plan.whole.name_zh, "en": plan.whole.name_en}
    found = {}
    for name in contract.own_schemas():
        columns = _columns(name)
        cells = ([row.get(column, "") for column in columns] for row in tables.get(name, ()))
        found[f"{name}.csv"] = write.lines(columns, cells).encode()
    found[DESCRIPTOR] = (
        json.dumps(descriptor(title, simulated=False), ensure_ascii=False, indent=2) + "\n"
    ).encode()
    found["README.md"] = _readme(plan).encode()
    return found


def _columns(table: str) -> list[str]:
    return [each["name"] for each in contract.fields(table)]


def descriptor(title: dict[str, str], simulated: bool) -> dict[str, Any]:
    """The descriptor of a package whose tables have the columns of the contract."""
    return {
        "name": "kepu-own",
        "title": f"{title['en']} / {title['zh']}",
        "simulated": simulated,
        "resources": [
            {
                "name": name, "type": "table", "path": f"{name}.csv", "scheme": "file",
                "format": "csv", "mediatype": "text/csv", "encoding": "utf-8",
                "schema": {
                    **{key: value for key, value in schema.items() if key != "fields"},
                    "fields": [
                        {key: value for key, value in each.items() if key != "optional"}
                        for each in schema["fields"]
                    ],
                },
            }
            for name, schema in contract.own_schemas().items()
        ],
    }  # fmt: skip


def rows(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table of a new package that has any."""
    chosen = set(plan.indicators or standard())
    # A rate without the number of respondents has no error.
    chosen |= {row["indicator"] for row in vocabulary.table("vocabulary") if row["topic"] == "rate"}
    indicators = [row for row in vocabulary.table("vocabulary") if row["indicator"] in chosen]
    whole = {**_region(plan.whole, plan.whole_level.key), "parts": len(plan.regions)}
    regions = [
        {**_region(each, plan.level.key), "parent_code": plan.whole.code} for each in plan.regions
    ]
    source = {
        "source_id": PLAN, "title": "Declared when the package was made / 建立数据包时声明",
        "publisher": plan.organisation, "grade": "B",
        "note": "Regions, waves and assumptions; the figures have sources of their own",
    }  # fmt: skip
    held = _columns("indicators")
    return {
        "indicators": [{key: row[key] for key in held if key in row} for row in indicators],
        "units": vocabulary.table("units"),
        "regions": [whole, *regions],
        "region_sets": [{"set": PRIMARY, "code": each.code} for each in plan.regions],
        "levels": [
            _level(plan.whole_level, analysed="false"),
            _level(plan.level, analysed="true"),
        ],
        "sources": [source],
        "waves": list(_waves(plan)),
        "assumptions": list(_assumptions(plan)),
        "subject": [plan.subject],
    }  # fmt: skip


def _region(region: Region, level: str) -> dict[str, Any]:
    names = {key: getattr(region, key) for key in ("code", "name_zh", "name_en", "short_zh")}
    return {**names, "level": level}


def _level(level: Level, analysed: str) -> dict[str, Any]:
    return {
        "level": level.key, "name_zh": level.name_zh, "name_en": level.name_en,
        "plural_en": level.plural_en, "analysed": analysed,
    }  # fmt: skip


def _waves(plan: Plan) -> Iterable[dict[str, Any]]:
    for number, wave in enumerate(sorted(set(plan.waves)), 1):
        yield {
            "wave": wave, "survey_number": number, "fieldwork": wave, "mode": "not_published",
            "instrument": "not_published", "cut_off": "not_published",
            "frame": plan.level.plural_en, "frame_units": len(plan.regions),
            "break_before": "false", "source_id": PLAN,
        }  # fmt: skip


def _assumptions(plan: Plan) -> Iterable[dict[str, Any]]:
    """The design effect of the plan, and the standard assumptions of the value analysis."""
    given = {"level": "all", "source_id": ""}
    person = {language: plan.subject[f"person_{language}"] for language in LANGUAGES}
    for number, row in enumerate(vocabulary.table("assumptions"), 1):
        value = row["value"] or f"{plan.design_effect:g}"
        yield {**given, "assumption_id": f"A{number:02d}", "parameter": row["parameter"],
               "value": value, **{f"reason_{language}": row[f"reason_{language}"].format(
                   value=value, person=person[language]) for language in LANGUAGES}}  # fmt: skip


def _readme(plan: Plan) -> str:
    waves = ", ".join(map(str, sorted(set(plan.waves))))
    return (
        f"# {plan.whole.name_zh} / {plan.whole.name_en}\n\n"
        f"A data package of {len(plan.regions)} {plan.level.plural_en}（{plan.level.name_zh}）; "
        f"surveys of {waves}.\n\n"
        "Figures come in by `kepu import FILE --into` this folder; `import_mapping.csv` remembers "
        "what the names in the office's files mean, `refused.csv` holds what was refused and why.\n"
        "`kepu check --data` this folder checks the tables.\n"
    )


# ------------------------------------------------------------------------------------------
# The regions of a new package: written, of the national list, or those a file names.


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
        return _of_national(known[text])
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
    found = [
        _of_national(row) for row in vocabulary.table("national") if row["parent_code"] == code
    ]
    if not found:
        raise KepuError(
            f"the national list has no regions in '{code}' — give a list with --regions"
        )
    return found


def _of_national(row: dict[str, str]) -> Region:
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
    # Kinds of columns of a list of regions, with the words that head them.
    heads = {"name": words("region") | NAMED, "code": words("code"), "en": ENGLISH, "short": SHORT}
    for number, row in enumerate(sheet.rows[:HEADER]):
        at = {}
        for column, cell in enumerate(row):
            for kind in (kind for kind, known in heads.items() if normal(cell) in known):
                at.setdefault(kind, column)
        if "name" in at:
            for line in sheet.rows[number + 1 :]:
                found = {
                    kind: line[column] if column < len(line) else "" for kind, column in at.items()
                }
                if _is_name(found["name"]):
                    yield found
            return


def _is_name(text: str) -> bool:
    form = normal(text)
    known = words("total") | words("region") | words("code")
    plain = len(text) <= 60 and not text.startswith(("注", "备注", "数据来源", "Note", "Source"))
    return bool(form) and form not in known and plain and not period(text) and not form.isdigit()
