"""The record of a folder of reports: manifest.json for programs, index.html for people."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from evaluation.plan import OVERVIEW, Job
from evaluation.worker import FAILED, MADE, Outcome

GROUPS = {
    OVERVIEW: ("全国总览", "National overview"),
    "province": ("省、自治区、直辖市", "Provinces"),
    "league": ("盟市", "Leagues and prefecture cities"),
    "city": ("城市", "Cities"),
    "county": ("旗县区", "Counties, banners and districts"),
}
LEVELS = {"prefecture_city": "league", "nation": OVERVIEW}


def read(out: Path) -> dict[str, Any]:
    """Read the manifest of a folder, an empty one where there is none yet."""
    path = out / "manifest.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {"run": {}, "reports": []}


def write(
    out: Path,
    jobs: Sequence[Job],
    outcomes: Mapping[str, Outcome],
    state: Any,
    run: Mapping[str, Any],
) -> None:
    """Write manifest.json and index.html; earlier reports stay listed while their page is there.

    Parameters
    ----------
    out : folder of the reports.
    jobs, outcomes : what this run did, outcomes by job id.
    state : data, data_hash, commit, date and simulated of this run.
    run : start, duration and versions of this run.
    """
    entries = {entry["stem"]: entry for entry in read(out)["reports"]}
    entries = {
        stem: entry
        for stem, entry in entries.items()
        if entry["status"] == FAILED or (out / entry["file"]).exists()
    }
    for job in jobs:
        before = entries.get(job.stem, {})
        entry = entries[job.stem] = _entry(job, outcomes[job.id], state)
        if entry["status"] == FAILED and (out / f"{job.stem}.html").exists():
            entry["earlier"] = before.get("earlier") or _version(before)
    manifest = {
        "run": {**run, **vars(state)},
        "reports": sorted(entries.values(), key=lambda entry: entry["stem"]),
    }
    _replace(out / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")
    _replace(out / "index.html", index(manifest))


def _version(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Say which page an earlier run left and what it rests on."""
    return {key: entry.get(key, "") for key in ("file", "date", "data_hash")}


def _entry(job: Job, outcome: Outcome, state: Any) -> dict[str, Any]:
    made = outcome.status == MADE
    return {
        "id": job.id,
        "stem": job.stem,
        "notebook": job.notebook,
        "region": job.region,
        "level": job.level,
        "names": job.names,
        "language": job.language,
        "parameters": job.parameters,
        "status": outcome.status,
        "seconds": round(outcome.seconds, 1),
        "file": f"{job.stem}.html" if made else "",
        "error": outcome.error,
        "earlier": {},
        "warnings": list(outcome.warnings),
        "date": state.date,
        "data_hash": state.data_hash,
        "simulated": state.simulated,
    }


def index(manifest: Mapping[str, Any]) -> str:
    """Render the bilingual list of a folder's reports, one card a region, grouped by level."""
    templates = Environment(
        loader=PackageLoader("evaluation"), autoescape=True, undefined=StrictUndefined
    )
    style = templates.loader.get_source(templates, "style.css")[0]
    reports = manifest["reports"]
    return templates.get_template("index.html.j2").render(
        groups=_groups(reports),
        run=manifest["run"],
        style=style,
        failed=sum(entry["status"] == FAILED for entry in reports),
        made=sum(entry["status"] == MADE for entry in reports),
        simulated=any(entry["simulated"] for entry in reports),
    )


def _groups(reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Gather the reports by group and then by region; groups in the order of ``GROUPS``."""
    groups: dict[str, dict[tuple, dict[str, Any]]] = {name: {} for name in GROUPS}
    for entry in reports:
        level = LEVELS.get(entry["level"], entry["level"])
        cards = groups[level if level in GROUPS else "county"]
        key = (entry["region"], entry["notebook"], entry["simulated"])
        cards.setdefault(key, {**entry, "languages": {}})["languages"][entry["language"]] = entry
    return [
        {"level": name, "zh": GROUPS[name][0], "en": GROUPS[name][1], "cards": list(cards.values())}
        for name, cards in groups.items()
        if cards
    ]


def _replace(path: Path, text: str) -> None:
    """Write a file whole: a reader sees the old one or the new one."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, "utf-8")
    os.replace(part, path)
