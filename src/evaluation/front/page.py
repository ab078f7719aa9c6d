"""Render the front page: one file that stands alone, in both languages, from summaries only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from evaluation import web
from evaluation.front.boundaries import Boundaries
from evaluation.front.cells import cells, inputs, rate
from evaluation.front.maps import drawn
from evaluation.front.measures import MEASURES, legend, paints
from evaluation.front.rows import FORMATS, Row, failures, rows
from evaluation.front.spark import bounds, sparkline
from evaluation.front.words import Pair, both, label, pair

COLUMNS = ("latest", "standing", "gain", "target", "locks")
NAMES = {"pdf": {"zh": "PDF", "en": "PDF"}, "docx": {"zh": "Word", "en": "Word"}}
TONGUES = {"zh": "中文", "en": "English"}
PAIRED = ("year", "a", "b", "gap", "low", "high")
# What the script says; each text has the places that the script fills.
SPOKEN = {
    "count": ("shown", "all"),
    "nomatch": (),
    "sort.up": ("column",),
    "sort.down": ("column",),
    "compare.chart": ("regions",),
    "compare.full": (),
    "compare.higher": PAIRED,
    "compare.near": PAIRED,
    "compare.never": ("a", "b"),
    "compare.remove": ("region",),
    "compare.table": (),
    "wave": ("year",),
    "title": (),
}


def page(
    manifest: Mapping[str, Any],
    summaries: Mapping[str, Mapping[str, Any]],
    *,
    own: Boundaries | None = None,
) -> str:
    """The front page of a folder of reports.

    Parameters
    ----------
    manifest : the folder's record; see :func:`evaluation.front.rows.rows` for what is read.
    summaries : summary of each report by its stem, as :func:`evaluation.front.summary.read` gives
        them; a report without one is listed with its files alone.
    own : a user's own approved boundaries, drawn instead of the tiles of the provinces.

    Returns
    -------
    HTML that loads nothing, works from the file system and can be read without script.
    """
    regions, overviews = rows(manifest, summaries)
    every = [*regions, *overviews]
    simulated = [row.simulated for row in every]
    return _environment().get_template("page.html.j2").render(
        run=manifest["run"],
        made=sum(entry["status"] == "made" for entry in manifest["reports"]),
        failed=failures(every),
        regions=[_shown(row, _box(regions)) for row in regions],
        overviews=overviews,
        levels={row.level: pair(f"front.level.{row.level}") for row in regions},
        permitted=_permitted(regions),
        maps=drawn(regions, own),
        legends=_legends(regions),
        simulated="all" if simulated and all(simulated) else "some" if any(simulated) else "",
        data=_payload(regions),
    )  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("evaluation", "templates/front"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = files("evaluation") / "templates" / "front"
    # Our own files: no data reaches them, so they stand in the page as they are.
    static = {name: Markup((folder / f"front.{name}").read_text("utf-8")) for name in ("css", "js")}
    policy = web.policy(script=static["js"], style=static["css"])
    environment.globals |= {
        "both": both,
        "label": label,
        "pair": pair,
        "formats": FORMATS,
        "format_name": _format_name,
        "tongues": TONGUES,
        "static": static,
        "policy": policy,
        "columns": {name: pair(f"front.column.{name}") for name in COLUMNS},
        "measures": {name: pair(f"front.measure.{name}") for name in MEASURES},
    }
    return environment


def _format_name(kind: str) -> Pair:
    if kind == "html":
        return pair("front.format.html")
    return NAMES.get(kind, {"zh": kind, "en": kind})


def _box(regions: Sequence[Row]) -> tuple[float, float, float]:
    return bounds([row.summary for row in regions])


def _shown(row: Row, box: tuple) -> dict[str, Any]:
    """A row of the table: what it says, its picture, its files by language."""
    names = [row.code, *row.names.values(), *row.short.values()]
    return {
        "row": row,
        "cells": cells(row.summary),
        "spark": sparkline(row.summary, row.short, box),
        "sought": " ".join(dict.fromkeys(names)).casefold(),
        "failed": {failure.language: failure for failure in row.failures},
    }


def _permitted(regions: Sequence[Row]) -> list[dict[str, Any]]:
    """The sentences the evidence permits, each once, with the locks of its comparison."""
    found: dict[tuple, dict[str, Any]] = {}
    for row in regions:
        evidence = row.summary.get("evidence")
        if evidence:
            key = (row.simulated, evidence["locks"], evidence["statement"]["en"])
            found.setdefault(key, {**evidence, "simulated": row.simulated})
    return list(found.values())


def _legends(regions: Sequence[Row]) -> dict[str, list]:
    listed = _mapped(regions)
    return {measure: legend(listed, measure) for measure in MEASURES} if listed else {}


def _mapped(regions: Sequence[Row]) -> list[Row]:
    """Rows the maps may show: never a simulated figure beside a real one."""
    real = [row for row in regions if not row.simulated]
    return real or list(regions)


def _payload(regions: Sequence[Row]) -> Markup:
    """What the script needs, as JSON that no text in it can end early."""
    painted = paints(_mapped(regions))
    data = {
        "rows": {row.key: _record(row) for row in regions},
        "paint": {
            measure: {
                code: [paint.kind, paint.hatched, paint.mark, paint.words]
                for code, paint in found.items()
            }
            for measure, found in painted.items()
        },
        "nation": pair("front.nation"),
        "words": {
            name: pair(f"front.{name}", **{place: f"{{{place}}}" for place in places})
            for name, places in SPOKEN.items()
        },
    }
    return htmlsafe_json_dumps(data, allow_nan=False)


def _record(row: Row) -> dict[str, Any]:
    """A region as the comparison draws it; every text is ready, the script formats none."""
    summary = row.summary
    lines: dict[str, tuple[Pair, Pair]] = {
        name: (pair(f"front.column.{name}"), cell.text) for name, cell in cells(summary).items()
    }
    lines |= {f"input.{dose}": found for dose, found in inputs(summary).items()}
    return {
        "code": row.code,
        "short": _flagged(row),
        "simulated": row.simulated,
        "lines": {
            name: {"name": name_pair, "text": text} for name, (name_pair, text) in lines.items()
        },
        "rates": [{**item, "text": rate(item)} for item in summary.get("rates") or []],
        "nation": summary.get("nation") or [],
        "breaks": summary.get("breaks") or [],
    }


def _flagged(row: Row) -> Pair:
    """The short name, marked where the figures are simulated."""
    if not row.simulated:
        return row.short
    flag = pair("front.simulated.flag")
    return {name: f"{row.short[name]} ({flag[name]})" for name in row.short}
