"""The data dictionary: what the tables of the data package say of themselves, as pages."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Rows = list[dict[str, str]]


def pages(data: Path) -> dict[str, str]:
    """Write the pages of the dictionary from the descriptor and the tables of a package."""
    package = json.loads((data / "datapackage.json").read_text("utf-8"))
    tables = {item["name"]: _read(data / item["path"]) for item in package["resources"]}
    return {
        "data/1_tables.md": _tables(package, tables),
        "data/2_indicators.md": _indicators(package, tables),
        "data/3_doses_units.md": _doses(tables),
        "data/4_surveys.md": _surveys(tables),
        "data/5_sources.md": _sources(package, tables),
    }


def _read(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def grid(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Draw a Markdown table; cells are plain text.

    >>> print(grid(["a"], [["x|y"]]))
    | a |
    | --- |
    | x\\|y |
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    text = " ".join(str(value).split())
    for mark in "\\|*_`[]<>${}":
        text = text.replace(mark, f"\\{mark}")
    # A long key may break after its underscores, and only there.
    return text.replace("\\_", "\\_<wbr>")


def _years(rows: Rows) -> str:
    years = [row[name][:4] for row in rows for name in ("period_start", "period_end") if row[name]]
    return "–".join(sorted({min(years), max(years)})) if years else ""


def _counted(values: Iterable[str], head: str) -> str:
    counts = Counter(values).most_common()
    return grid([head, "rows"], [[name or "(none)", f"{count:,}"] for name, count in counts])


def _tables(package: dict[str, Any], tables: dict[str, Rows]) -> str:
    parts = ["# Tables and columns", package["description"]]
    summary = [[r["path"], r["title"], f"{len(tables[r['name']]):,}"] for r in package["resources"]]
    parts.append(grid(["file", "title", "rows"], summary))
    for item in package["resources"]:
        schema = item["schema"]
        parts += [f"## {item['path']}", item["description"]]
        fields = [[f["name"], _kind(f), f["title"], _rule(f)] for f in schema["fields"]]
        parts.append(grid(["column", "type", "title", "description"], fields))
        keys = [f"Key: {', '.join(schema['primaryKey'])}."]
        for key in schema.get("foreignKeys", []):
            other = key["reference"]["resource"] or item["name"]
            target = ", ".join(key["reference"]["fields"])
            keys.append(f"{', '.join(key['fields'])} refers to {other}.csv, {target}.")
        parts.append(_cell(" ".join(keys)))
    return "\n\n".join(parts) + "\n"


def _kind(field: dict[str, Any]) -> str:
    required = field.get("constraints", {}).get("required")
    return field["type"] if required else f"{field['type']}, may be empty"


def _rule(field: dict[str, Any]) -> str:
    allowed = field.get("constraints", {}).get("enum", [])
    told = [field.get("description", ""), f"One of: {', '.join(allowed)}" if allowed else ""]
    return ". ".join(part for part in told if part)


def _indicators(package: dict[str, Any], tables: dict[str, Rows]) -> str:
    facts = defaultdict(list)
    for row in tables["facts"]:
        facts[row["indicator"]].append(row)
    parts = [
        "# Indicators",
        "What is measured, by domain. A proxy stands in for something it does not measure itself.",
    ]
    fields = next(r for r in package["resources"] if r["name"] == "indicators")["schema"]["fields"]
    for domain in next(f for f in fields if f["name"] == "domain")["constraints"]["enum"]:
        mine = [row for row in tables["indicators"] if row["domain"] == domain]
        rows = [_indicator(row, facts[row["indicator"]]) for row in mine]
        heads = ["indicator", "label", "unit", "definition", "facts"]
        parts += [f"## {domain.capitalize()}", grid(heads, rows)] if rows else []
    return "\n\n".join(parts) + "\n"


def _listed(sources: Rows, facts: Rows) -> str:
    """One row a source, a target of the links in notebooks."""
    cited = Counter(name for row in facts for name in row["source_id"].split(";"))
    lines = grid(
        ["source", "title", "publisher", "date", "grade", "facts"],
        [[r["source_id"], r["title"], r["publisher"], r["date"], r["grade"],
          f"{cited[r['source_id']]:,}"] for r in sources],
    ).split("\n")  # fmt: skip
    marked = [
        line.replace("| ", f'| <span id="source-{row["source_id"]}"></span>', 1)
        for line, row in zip(lines[2:], sources, strict=True)
    ]
    return "\n".join([*lines[:2], *marked])


def _indicator(row: dict[str, str], facts: Rows) -> list[str]:
    proxy = ", proxy" if row["proxy"].lower() == "true" else ""
    regions = len({fact["region_code"] for fact in facts})
    noun = "region" if regions == 1 else "regions"
    told = f"{len(facts):,}, {regions} {noun}, {_years(facts)}" if facts else "none"
    label = f"{row['label_en']} · {row['label_zh']}"
    return [row["indicator"], label, row["unit"] + proxy, row["definition_en"], told]


def _doses(tables: dict[str, Rows]) -> str:
    doses = [
        [r["dose"], f"{r['label_en']} · {r['label_zh']}", r["indicator"], r["denominator"],
         r["scale"], r["timing"], r["unit"]]
        for r in tables["doses"]
    ]  # fmt: skip
    units = [
        [r["unit"], r["label_en"], r["label_zh"], r["symbol_en"], r["symbol_zh"],
         f"{r['factor']} {r['base_unit']}"]
        for r in tables["units"]
    ]  # fmt: skip
    heads = ["dose", "label", "indicator", "divided by", "times", "timing", "unit"]
    return "\n\n".join(
        [
            "# Doses and units",
            "## Doses",
            "How an indicator becomes an input per head. A stock is read when the interval opens, "
            "a flow is the mean over the interval.",
            grid(heads, doses),
            "## Units",
            grid(["unit", "English", "Chinese", "written en", "written zh", "is"], units),
        ]
    ) + "\n"  # fmt: skip


def _surveys(tables: dict[str, Rows]) -> str:
    waves = [
        [r["wave"], r["survey_number"], r["fieldwork"], r["mode"].replace("_", " "), r["frame"],
         r["break_en"] or "none"]
        for r in tables["waves"]
    ]  # fmt: skip
    assumed = [
        [r["assumption_id"], r["parameter"].replace("_", " "), r["level"], r["wave"] or "all",
         f"{float(r['value']):g}", r["reason_en"]]
        for r in tables["assumptions"]
    ]  # fmt: skip
    return "\n\n".join(
        [
            "# Survey waves and assumptions",
            "## Waves",
            grid(["wave", "survey", "fieldwork", "mode", "frame", "break before it"], waves),
            "## Assumptions",
            "Numbers no source publishes and an estimate needs. They are printed in every report "
            "and varied in the sensitivity analysis.",
            grid(["id", "parameter", "level", "wave", "value", "reason"], assumed),
        ]
    ) + "\n"  # fmt: skip


def _sources(package: dict[str, Any], tables: dict[str, Rows]) -> str:
    facts, sources = tables["facts"], tables["sources"]
    grade = {row["source_id"]: row["grade"] for row in sources}
    cited = Counter(min(grade[name] for name in row["source_id"].split(";")) for row in facts)
    by_grade = Counter(row["grade"] for row in sources)
    described = {
        field["name"]: field.get("description", "")
        for item in package["resources"]
        if item["name"] in ("sources", "facts")
        for field in item["schema"]["fields"]
    }
    grades = [[g, f"{by_grade[g]:,}", f"{cited[g]:,}"] for g in sorted(by_grade)]
    caveats = [name for row in facts for name in row["caveats"].split(";")]
    return "\n\n".join(
        [
            "# Sources, kinds and caveats",
            "## Sources by grade",
            f"{described['grade']}. A figure counts under its best source.",
            grid(["grade", "sources", "facts"], grades),
            "## Facts by kind",
            f"{described['kind']}.",
            _counted((row["kind"] for row in facts), "kind"),
            "## Facts by caveat",
            "A fact can carry several; what each means stands in `data/README.md`. Of a fact with "
            "`conflict`, `weak_source`, `suspect`, `off_wave`, `provincial_survey` or "
            "`basis_unstated` nothing is estimated.",
            _counted(caveats, "caveat"),
            "## Contradictions by kind",
            _counted((row["kind"] for row in tables["contradictions"]), "kind"),
            "## Every source",
            _listed(sources, facts),
        ]
    ) + "\n"  # fmt: skip
