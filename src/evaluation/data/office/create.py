"""A data package of one's own, empty of figures: regions, waves, indicators, assumptions.

What an office declares is a :class:`Plan`; everything else comes from the tables beside this file.
"""

from __future__ import annotations

import csv
import io
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
from evaluation.data.office import vocabulary
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
    found = {
        f"{name}.csv": as_csv(_columns(name), tables.get(name, ()))
        for name in contract.own_schemas()
    }
    found[DESCRIPTOR] = (
        json.dumps(descriptor(title, simulated=False), ensure_ascii=False, indent=2) + "\n"
    ).encode()
    found["README.md"] = _readme(plan).encode()
    return found


def _columns(table: str) -> list[str]:
    return [each["name"] for each in contract.fields(table)]


def as_csv(columns: Sequence[str], lines: Iterable[dict[str, Any]]) -> bytes:
    """A table as the bytes of its file."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return stream.getvalue().encode()


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
